"""Layers return the facade's tensors for arrays, as they do once it is imported."""

import pytest

import torchkeras_lite.tf as tf
from torchkeras_lite.base import arrays


@pytest.fixture(autouse=True)
def as_imported(repeatable):
    """Set what the import set, and the common fixture took back."""
    arrays.return_as(tf.Tensor)
