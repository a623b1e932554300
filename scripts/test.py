"""Run the project's tests in the repository's own environment: `python scripts/test.py [PYTEST ARGUMENTS]`.

Without arguments all tests run, in two processes. With arguments pytest gets just these.
"""

import os
import subprocess
import sys

import environment


def main():
    arguments = sys.argv[1:]
    if not arguments and (os.cpu_count() or 1) > 1:
        arguments = ["-n", "2"]
    command = [sys.executable, "-m", "pytest", *arguments]
    print("test:", " ".join(["python", *command[1:]]), flush=True)
    return subprocess.call(command, cwd=environment.ROOT)


if __name__ == "__main__":
    environment.enter("test")
    sys.exit(main())
