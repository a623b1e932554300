"""Two and three processes against one: the same losses, metrics, weights and files."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import torchkeras_lite as keras
from torchkeras_lite.base import nested
from training import distributed_jobs

SCRIPT = Path(distributed_jobs.__file__)
NOT_OF_ONE = ("dropout", "differs", "fails")
OF_TWO = [name for name in distributed_jobs.JOBS if name != "fails"]
OF_THREE = ["arrays", "loaders", "synchronized_batch_norm", "masks", "own_data", "unused_weights", "dropout"]


def launch(count, folder, names, seconds=distributed_jobs.LONGEST + 10):
    """Run jobs in `count` processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    root = str(SCRIPT.parents[2])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [*command, str(SCRIPT), str(folder), *names],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


def results(count, folder, names):
    done = launch(count, folder, names)
    assert done.returncode == 0, done.stderr[-6000:]
    ranks = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(count)]
    return done, ranks


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What the launcher printed, the results of two processes, and the folder."""
    folder = tmp_path_factory.mktemp("two")
    return *results(2, folder, OF_TWO), folder


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Likewise, of three processes."""
    folder = tmp_path_factory.mktemp("three")
    return *results(3, folder, OF_THREE), folder


@pytest.fixture(scope="module")
def one():
    """Return the result of a job in this process, computed once."""
    known = {}

    def result(name, folder):
        if name not in known:
            known[name] = json.loads(json.dumps(distributed_jobs.JOBS[name](folder), default=float))
        return known[name]

    return result


def check(name, ranks, expected):
    for rank in ranks[1:]:
        assert rank[name] == ranks[0][name], "the processes disagree"
    if name in NOT_OF_ONE:
        return
    found = nested.flatten_with_path(ranks[0][name])
    wanted = nested.flatten_with_path(expected)
    assert [path for path, _ in found] == [path for path, _ in wanted]
    ours, theirs = (np.array([value for _, value in side], dtype=float) for side in (found, wanted))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", OF_TWO)
def test_two_processes_train_as_one(name, two, one, tmp_path):
    check(name, two[1], one(name, tmp_path) if name not in NOT_OF_ONE else None)


@pytest.mark.parametrize("name", OF_THREE)
def test_three_processes_train_as_one(name, three, one, tmp_path):
    check(name, three[1], one(name, tmp_path) if name not in NOT_OF_ONE else None)


def test_one_process_prints_and_writes(two):
    done, _, folder = two
    assert done.stdout.count("Epoch 1/4") == 1
    assert done.stdout.count("Epoch 2: finished saving model") == 1
    assert len((folder / "log.csv").read_text().splitlines()) == 3
    assert sorted(path.name for path in folder.glob("*.keras")) == ["1.keras", "2.keras"]
    assert not (folder / "backup").exists()
    assert "Warning" not in done.stderr, done.stderr


def test_the_others_end_when_one_fails(tmp_path):
    started = time.perf_counter()
    done = launch(2, tmp_path, ["fails"], seconds=60)
    assert done.returncode != 0
    assert "process 1 has had enough" in done.stderr
    assert time.perf_counter() - started < 40


def test_data_of_different_lengths_is_refused(two):
    said = "The processes have data of different sizes: (batches, rows) are [(3, 20), (3, 21)]"
    assert said in two[1][0]["differs"]


def test_distribute_takes_known_names():
    model = distributed_jobs.network()
    with pytest.raises(ValueError, match=r"`distribute` must be 'ddp', 'fsdp', False or None, got 'dpp'"):
        model.compile("sgd", "mse", distribute="dpp")
    model.compile("sgd", "mse", distribute="ddp")
    assert keras.models.model_from_json(model.to_json()) is not None
    assert model.get_compile_config()["distribute"] == "ddp"
    model.compile("sgd", "mse")
    assert "distribute" not in model.get_compile_config()
