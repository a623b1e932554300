"""Two processes that were interrupted and started again end as two that were not."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from callbacks import resumed_together

SCRIPT = Path(resumed_together.__file__)


def launch(folder, what):
    """Run the script in two processes and return what they printed and their exit codes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    paths = os.pathsep.join(filter(None, [str(SCRIPT.parents[2]), os.environ.get("PYTHONPATH")]))
    started = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder), what],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank), "PYTHONPATH": paths},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        printed = [process.communicate(timeout=60)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    return printed, [process.returncode for process in started]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    printed, codes = launch(folder, "killed")
    assert codes == [9, 9], printed
    printed, codes = launch(folder, "resumed")
    assert codes == [0, 0], printed
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("how", ["killed", "checkpoint", "signal"])
def test_interrupted_processes_end_like_ones_that_were_not(how, results):
    for found in results:
        history, weights = found[how]
        expected, expected_weights = results[0]["whole"]
        assert history.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_allclose(history[name], values, rtol=1e-6, err_msg=name)
        for mine, theirs in zip(weights, expected_weights, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)
