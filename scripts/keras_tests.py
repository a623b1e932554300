"""Run Keras's own unit tests against this package: `python scripts/keras_tests.py [ARGUMENTS OF run.py]`.

The runner lies beside the repository, in ../shared/keras_tests; where it is absent nothing runs.
Without arguments the areas in AREAS run. Fails when a counted test, one that real Keras passes
on torch through its public API, does not pass here.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import environment

RUNNER = environment.ROOT.parent / "shared" / "keras_tests" / "run.py"
AREAS = ["initializers", "regularizers", "constraints", "activations"]


def main():
    arguments = sys.argv[1:] or ["--areas", ",".join(AREAS)]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "verdicts.json")
        command = [sys.executable, str(RUNNER), "--target", "torchkeras_lite"]
        command += ["--target-path", str(environment.ROOT), "--json", str(report), *arguments]
        status = subprocess.call(command, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        if status:
            return status
        result = json.loads(report.read_text())
    verdicts, messages = result["verdicts"], result["messages"]
    failed = sorted(test for test, verdict in verdicts.items() if verdict != "pass")
    for test in failed[:50]:
        print(f"  {test}: {messages.get(test, 'not collected')}")
    if len(failed) > 50:
        print(f"  ... and {len(failed) - 50} more")
    print(f"keras: {len(verdicts) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not verdicts else 0


if __name__ == "__main__":
    if not RUNNER.exists():
        print(f"keras_tests: skipped, there is no {RUNNER}")
        sys.exit(0)
    environment.enter("keras-tests")
    sys.exit(main())
