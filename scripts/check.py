"""Check the sources: format and lint (ruff), types (mypy). `python scripts/check.py [--fix]`.

All three run even when an earlier one fails. `--fix` formats, and mends what the linter can mend.
"""

import subprocess
import sys

import environment


def main():
    fix = "--fix" in sys.argv[1:]
    checks = {
        "format": ["ruff", "format", *([] if fix else ["--check"]), "."],
        "lint": ["ruff", "check", *(["--fix"] if fix else []), "."],
        "types": ["mypy"],
    }
    failed = []
    for name, command in checks.items():
        print(f"check: {name}", flush=True)
        if subprocess.call([sys.executable, "-m", *command], cwd=environment.ROOT):
            failed.append(name)
    print(f"check: failed: {', '.join(failed)}" if failed else "check: all good")
    return 1 if failed else 0


if __name__ == "__main__":
    environment.enter("check")
    sys.exit(main())
