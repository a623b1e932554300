"""Two processes that were interrupted and started again end as two that were not; one goes on from two."""

import json
import os
import re
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


@pytest.fixture(scope="module")
def regrouped(tmp_path_factory):
    """Return what two processes printed and got from the backups of one, and one from those of two."""
    folder = tmp_path_factory.mktemp("regrouped")
    resumed_together.interrupt(folder, 1)
    printed, codes = launch(folder, "regrouped")
    assert codes == [0, 0], printed
    results = json.loads((folder / "regrouped_1.json").read_text())
    return printed, {(1, name): found for name, found in results.items()}, folder


@pytest.mark.parametrize("count", [1, 2])
def test_another_number_of_processes_goes_on_from_the_end_of_an_epoch(count, regrouped):
    _, results, folder = regrouped
    history, weights = results[1, "end"] if count == 1 else resumed_together.go_on(folder, 2, "end")
    expected, expected_weights = resumed_together.train_linear()
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, err_msg=name)
    for mine, theirs in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_another_number_of_processes_repeats_an_interrupted_epoch_and_says_so(regrouped):
    printed, results, folder = regrouped
    text = r"in the middle of epoch 2, behind batch \d+, with {} .*, and {} .*repeated.*Start {} "
    assert [len(re.findall(text.format(1, 2, 1), one)) for one in printed] == [1, 0]
    with pytest.warns(UserWarning, match=text.format(2, 1, 2)):
        history, _ = resumed_together.go_on(folder, 2, "middle")
    for found in (history, results[1, "middle"][0]):
        assert len(found["loss"]) == 3
        assert found["loss"] == sorted(found["loss"], reverse=True)
