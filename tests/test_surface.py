"""The public surface: version, what each room exports, and what importing the package brings along."""

import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import torchkeras_lite

ROOT = Path(__file__).resolve().parent.parent
# Not `as_keras`, which takes the place of Keras in the process that imports it; it has tests of its own.
ROOMS = sorted({module.name for module in pkgutil.iter_modules(torchkeras_lite.__path__)} - {"as_keras"})
NEVER = ("keras", "tensorflow", "jax")
AT_FIRST_USE = ("matplotlib", "sklearn", "pandas", "scipy", "torchvision", "tensorboard", "IPython")


def test_version_is_that_of_the_project():
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert re.search(r'^version = "(.+)"$', pyproject, re.M).group(1) == torchkeras_lite.__version__


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_every_exported_name_is_there(room):
    module = importlib.import_module(f"torchkeras_lite.{room}".rstrip("."))
    exported = getattr(module, "__all__", [])
    assert len(exported) == len(set(exported)), "a name stands twice in __all__"
    assert [name for name in exported if not hasattr(module, name)] == []


def test_the_front_door_opens_on_all_public_rooms():
    rooms = "activations constraints initializers layers losses metrics models optimizers regularizers utils"
    names = [*rooms.split(), "Input", "KerasTensor", "Layer", "Model", "Sequential", "device"]
    assert set(names) <= set(torchkeras_lite.__all__)


def test_import_is_silent_and_brings_no_other_framework():
    code = "import sys, torchkeras_lite; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert set(result.stdout.split()).isdisjoint(NEVER + AT_FIRST_USE)


def test_sources_never_import_another_framework():
    pattern = re.compile(rf"^\s*(?:import|from) (?:{'|'.join(NEVER)})\b", re.M)
    sources = (ROOT / "torchkeras_lite").rglob("*.py")
    assert [str(path) for path in sources if pattern.search(path.read_text())] == []
