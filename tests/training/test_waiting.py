"""The hint at the end of an epoch that waited for its data."""

import re

import numpy as np
import pytest
import torch

import torchkeras_lite as tkl
from torchkeras_lite.training import iterables, waiting

X = np.ones((8, 4), "float32")
Y = np.ones((8, 1), "float32")


class Batches(tkl.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X, Y


SOURCES = {
    "loader": (
        lambda: torch.utils.data.DataLoader(list(zip(X, Y, strict=True))),
        "Raise `num_workers`.*has 0",
    ),
    "PyDataset": (Batches, "Raise `workers` of the PyDataset .it has 1.*use_multiprocessing"),
    "generator": (lambda: iter([(X, Y)] * 6), "Make the batches in a `keras.utils.PyDataset`"),
}


@pytest.fixture
def slow_clock(monkeypatch):
    """Every look at the clock takes a second, so that every batch waits for one."""
    moments = iter(range(10**6))
    monkeypatch.setattr(iterables, "perf_counter", lambda: next(moments))
    monkeypatch.setattr(waiting, "LEAST_SHARE", 0.0)


def fit(data, **arguments):
    model = tkl.Sequential([tkl.Input((4,)), tkl.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(data, **{"verbose": 2, "epochs": 2, "steps_per_epoch": 3, **arguments})


@pytest.mark.parametrize("source", SOURCES)
def test_one_hint_a_training_says_what_to_raise(source, slow_clock, capsys):
    build, remedy = SOURCES[source]
    fit(build())
    printed = capsys.readouterr().out
    assert printed.count("Hint: ") == 1
    line = next(line for line in printed.splitlines() if line.startswith("Hint: "))
    assert re.search(rf"% of this epoch \(.* s of .* s\) was spent waiting for data. {remedy}", line)


def test_silence_where_nothing_is_printed(slow_clock, capsys):
    fit(Batches(), verbose=0)
    assert capsys.readouterr().out == ""


def test_no_hint_for_data_in_time(capsys):
    fit(Batches())
    assert "Hint" not in capsys.readouterr().out


@pytest.mark.parametrize(("waited", "seconds", "told"), [(5, 10, True), (0.5, 1, False), (5, 100, False)])
def test_when_a_hint_is_given(waited, seconds, told):
    batches = iterables.IterableBatches([], dtype=torch.float32, device=torch.device("cpu"))
    found = waiting.hint(batches, waited, seconds)
    assert bool(found) == told
    if told:
        assert found.startswith("Hint: 50% of this epoch (5.0 s of 10.0 s)")
