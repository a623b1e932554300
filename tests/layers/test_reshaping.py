"""Flatten, Reshape, Permute, RepeatVector against Keras."""

import keras
import numpy as np
import pytest
import torch

from oracle import assert_layer_matches
from torchkeras_lite import layers

CASES = [
    ("Flatten", {}, (4, 2, 3)),
    ("Flatten", {}, (4, 3)),
    ("Flatten", {}, (4,)),
    ("Flatten", {"data_format": "channels_first"}, (4, 2, 3, 5)),
    ("Flatten", {"data_format": "channels_first"}, (4, 2)),
    ("Reshape", {"target_shape": (2, 6)}, (4, 3, 4)),
    ("Reshape", {"target_shape": (-1, 2)}, (4, 3, 4)),
    ("Reshape", {"target_shape": [12]}, (4, 3, 4)),
    ("Reshape", {"target_shape": ()}, (4, 1)),
    ("Permute", {"dims": (2, 1)}, (4, 5, 3)),
    ("Permute", {"dims": [3, 1, 2]}, (4, 5, 3, 2)),
    ("RepeatVector", {"n": 3}, (4, 2)),
]


@pytest.mark.parametrize(("name", "args", "shape"), CASES, ids=str)
def test_matches_keras(name, args, shape, rng):
    ours, theirs = getattr(layers, name)(**args), getattr(keras.layers, name)(**args)
    assert_layer_matches(ours, theirs, rng.normal(size=shape))
    integers = torch.as_tensor(rng.integers(0, 9, shape))
    torch.testing.assert_close(ours(integers), theirs(integers))


@pytest.mark.parametrize(
    ("name", "args", "shape"),
    [
        ("Flatten", {}, (None, 3)),
        ("Flatten", {}, ()),
        ("Reshape", {"target_shape": (4, -1)}, (None, 4)),
        ("Reshape", {"target_shape": (-1, 4, 1)}, (None, 4)),
        ("Reshape", {"target_shape": (4, -1)}, (3, 4)),
        ("Reshape", {"target_shape": (5, -1)}, (None, 4)),
        ("Reshape", {"target_shape": (3, 5)}, (None,)),
        ("Permute", {"dims": (2, 1)}, (None, 4)),
        ("RepeatVector", {"n": 3}, (4,)),
        ("RepeatVector", {"n": 3}, (None,)),
    ],
)
def test_symbolic_shapes_are_those_of_keras(name, args, shape):
    ours = getattr(layers, name)(**args)(layers.Input(shape))
    assert ours.shape == getattr(keras.layers, name)(**args)(keras.Input(shape)).shape


def test_flatten_takes_no_values():
    assert layers.Flatten()(torch.ones(4, 0, 3)).shape == (4, 0)


def test_images_are_flattened_without_a_copy():
    x = torch.randn(2, 4, 4, 3)
    assert layers.Flatten()(x).data_ptr() == x.data_ptr()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ((5,), r"The total size of the tensor must be unchanged\. Received: input_shape=\(3, 4\)"),
        ((5, -1), "cannot be divided by the specified dimensions"),
    ],
)
def test_reshape_names_sizes_that_do_not_fit(target, message):
    for x in (torch.ones(2, 3, 4), layers.Input((3, 4))):
        with pytest.raises(ValueError, match=message):
            layers.Reshape(target)(x)


@pytest.mark.parametrize(
    ("name", "args", "error", "message"),
    [
        ("Reshape", {"target_shape": (-1, -1)}, ValueError, "at most one unknown dimension"),
        (
            "Reshape",
            {"target_shape": (-2, 5)},
            ValueError,
            r"non-negative integer.*-1.*target_shape=\(-2, 5\)",
        ),
        ("Reshape", {"target_shape": (2.5, 5)}, ValueError, "non-negative integer"),
        ("Reshape", {"target_shape": 3}, TypeError, r"Write a single size as `\(12,\)`"),
        ("Permute", {"dims": (0, 1)}, ValueError, "Invalid permutation argument `dims`"),
        ("Permute", {"dims": (1, 3)}, ValueError, "must be consecutive and start from 1"),
        ("Permute", {"dims": 1}, ValueError, "Invalid permutation"),
        ("RepeatVector", {"n": 2.5}, TypeError, "Expected an integer value for `n`"),
        ("RepeatVector", {"n": 0}, ValueError, "Argument `n` should be a positive integer"),
        ("Flatten", {"data_format": "x"}, ValueError, "`data_format` must be one of"),
    ],
)
def test_refuses(name, args, error, message):
    with pytest.raises(error, match=message):
        getattr(layers, name)(**args)


def test_ranks_are_checked():
    with pytest.raises(ValueError, match="expected ndim=4, found ndim=3"):
        layers.Permute((1, 2, 3))(torch.ones(2, 3, 4))
    with pytest.raises(ValueError, match="expected ndim=2, found ndim=3"):
        layers.RepeatVector(2)(torch.ones(2, 3, 4))


def test_reshape_takes_numpy_sizes():
    config = layers.Reshape((np.int64(2), -1)).get_config()
    assert config["target_shape"] == (2, -1)
    assert type(config["target_shape"][0]) is int
