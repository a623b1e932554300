"""The virtual environment that every script here runs in: `.venv` in the repository.

Needs only the standard library, so any Python >= 3.10 can start a script. A script calls
`environment.enter("extra")` as its first act: the environment is made or brought up to date
with that extra of pyproject.toml, in the versions of constraints.txt, and the script goes on
inside it. Where nothing changed since the last time, nothing is installed.

On its own, `python scripts/environment.py [EXTRA ...]` only makes the environment.
A script called with `--here` runs in the Python that started it and installs nothing.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "installed.json"
# KerasHub names tensorflow-text, which is not made for every platform and which it does without.
WITHOUT_DEPENDENCIES = {"test": ["keras-hub"]}
OLDEST = {"test": (3, 11), "keras-tests": (3, 11)}  # real Keras 3.15.1, the oracle, needs 3.11


def enter(*extras):
    """Go on inside the environment: returns there, and never returns in any other Python."""
    if "--here" in sys.argv:
        sys.argv.remove("--here")
        return
    make(extras)
    if Path(sys.prefix).resolve() != VENV.resolve():
        sys.exit(subprocess.call([str(PYTHON), *sys.argv]))


def make(extras):
    """Create `.venv` where it is absent, broken or too old, and install what its stamp does not name."""
    oldest = max([(3, 10)] + [OLDEST[extra] for extra in extras if extra in OLDEST])
    if _version() < oldest:
        if sys.version_info < oldest:
            needed, found = ".".join(map(str, oldest)), ".".join(map(str, sys.version_info[:3]))
            sys.exit(f"environment: expected Python {needed} or newer, got {found}. Start with a newer one.")
        _create()
    wanted, installed = _wanted(), _installed()
    if installed.get("from") != wanted:
        STAMP.unlink(missing_ok=True)
        installed = {"from": wanted, "extras": []}
    missing = sorted(set(extras) - set(installed["extras"]))
    if missing or not STAMP.exists():
        STAMP.unlink(missing_ok=True)  # an install that is broken off leaves no stamp
        _install(missing)
        installed["extras"] = sorted({*installed["extras"], *missing})
        STAMP.write_text(json.dumps(installed, indent=1) + "\n")


def _version():
    """The Python version of `.venv`; `()` when it has none that starts (its base may be gone) with pip."""
    if not PYTHON.exists():
        return ()
    probe = [str(PYTHON), "-c", "import pip, sys; print(*sys.version_info[:3])"]
    printed = subprocess.run(probe, capture_output=True, text=True, check=False).stdout
    return tuple(map(int, printed.split()))


def _create():
    print(f"environment: making {VENV} with Python {sys.version.split()[0]}", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    base = getattr(sys, "_base_executable", None) or sys.executable
    if subprocess.call([base, "-m", "venv", str(VENV)]):
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit(
            "environment: this Python could not make a virtual environment. "
            "Install its venv module (Debian: apt-get install python3-venv), then start again."
        )


def _install(extras):
    package = f".[{','.join(extras)}]" if extras else "."
    print(
        f"environment: installing {package} with the versions of constraints.txt; minutes, once", flush=True
    )
    pip = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--constraint",
        "constraints.txt",
    ]
    if not sys.stdout.isatty():
        pip.append("--quiet")
    # The build backend comes first and is used in place: a build environment of its own would not be pinned.
    steps = [["setuptools"], ["--no-build-isolation", "--editable", package]]
    alone = [name for extra in extras for name in WITHOUT_DEPENDENCIES.get(extra, ())]
    steps += [["--no-deps", *alone]] if alone else []
    for arguments in steps:
        if subprocess.call([*pip, *arguments], cwd=ROOT):
            sys.exit(f"environment: pip could not install {arguments[-1]}; its message stands above.")


def _wanted():
    """What the environment depends on, as one hash: both files, and the place the package is linked to."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _installed():
    try:
        return json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}


if __name__ == "__main__":
    make(sys.argv[1:])
    print(f"environment: {PYTHON} is ready")
