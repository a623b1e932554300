"""The oracle is real Keras on torch, in the same process."""

import gc
import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


def pytest_collection_finish(session):
    """Leave the tests themselves out of every later search for unreachable objects: they are many."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def rng():
    """A seeded NumPy generator."""
    return np.random.default_rng(1234)


@pytest.fixture(autouse=True)
def repeatable():
    """Every test starts from the same torch and Python seeds and from fresh automatic names."""
    import random

    from torchkeras_lite.base import arrays, naming

    random.seed(1234)
    torch.manual_seed(1234)
    naming.reset_names()
    arrays.return_as(None)  # what importing `torchkeras_lite.tf` anywhere sets
