"""Scripts in the styles of Keras 1, Keras 2, tf.keras and Keras 3 run, and learn what they assert."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPTS = sorted((HERE / "scripts").glob("*.py"))
SIZE = 8
GROUPS = [SCRIPTS[start : start + SIZE] for start in range(0, len(SCRIPTS), SIZE)]


def test_there_are_thirty():
    assert len(SCRIPTS) >= 30


@pytest.mark.parametrize("number", range(len(GROUPS)))
def test_scripts_run_to_their_end(number):
    result = subprocess.run(
        [sys.executable, HERE / "script_group.py", *GROUPS[number]],
        cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    done = [line.split()[0] for line in result.stdout.splitlines() if line[:1].isalpha() and " " in line]
    assert result.returncode == 0, result.stdout[-3000:] or result.stderr[-3000:]
    assert done == [path.stem for path in GROUPS[number]]


def test_the_command_runs_a_script(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "torchkeras_lite", "run", HERE / "scripts" / "keras2_autoencoder.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
