"""Shapes of symbolic results whose size depends on one that is unknown, against Keras."""

import warnings

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from torchkeras_lite import layers

# Of a sequence `x` (None, None, 4), rows `y` (None, None), a vector `v` (None,) and a matrix `m` (3, None).
SAME = {
    "first": lambda ops, x, y, v, m: x[:, :5],
    "last": lambda ops, x, y, v, m: x[:, -5:],
    "middle": lambda ops, x, y, v, m: x[:, 2:5],
    "both": lambda ops, x, y, v, m: x[:, :2, :2],
    "far": lambda ops, x, y, v, m: x[:, :500],
    "place": lambda ops, x, y, v, m: x[:, 3],
    "known": lambda ops, x, y, v, m: x[:, :, :3],
    "get_item": lambda ops, x, y, v, m: ops.get_item(x, (slice(None), slice(5))),
    "slice": lambda ops, x, y, v, m: ops.slice(x, (0, 0, 1), (2, 5, 2)),
    "diag": lambda ops, x, y, v, m: ops.diag(m),
    "diag above": lambda ops, x, y, v, m: ops.diag(m, k=2),
    "diagonal": lambda ops, x, y, v, m: ops.diagonal(x, axis1=1, axis2=2),
    "repeat": lambda ops, x, y, v, m: ops.repeat(x, 3, axis=1),
    "repeat by place": lambda ops, x, y, v, m: ops.repeat(y, [2, 3], axis=1),
    "repeat by place of a known axis": lambda ops, x, y, v, m: ops.repeat(x, [1, 2, 1, 1], axis=-1),
    "repeat an array": lambda ops, x, y, v, m: ops.repeat(v, np.array([1, 2, 3]), axis=0),
    "repeat all": lambda ops, x, y, v, m: ops.repeat(y, 3),
    "nancumsum without an axis": lambda ops, x, y, v, m: ops.nancumsum(x, axis=()),
    "histogram": lambda ops, x, y, v, m: ops.histogram(v, bins=5)[0],
    "add": lambda ops, x, y, v, m: x + 1.0,
    "matmul": lambda ops, x, y, v, m: ops.matmul(m, x),
    "take": lambda ops, x, y, v, m: ops.take(x, [0, 1], axis=1),
    "top_k": lambda ops, x, y, v, m: ops.top_k(y, 5)[0],
}


def inputs(package):
    return [package.KerasTensor(shape) for shape in ((None, None, 4), (None, None), (None,), (3, None))]


@pytest.mark.parametrize("case", SAME)
def test_symbolic_shapes_are_those_of_keras(case):
    mine = SAME[case](torchkeras_lite.ops, *inputs(torchkeras_lite))
    his = SAME[case](keras.ops, *inputs(keras))
    assert tuple(mine.shape) == tuple(his.shape)


def test_fewer_samples_than_a_slice_asks_for():
    x = torchkeras_lite.Input((3,))
    model = torchkeras_lite.Model(x, x[:5])
    assert model.output_shape == (None, 3)
    assert model(np.ones((2, 3))).shape == (2, 3)


def test_a_layer_that_cuts_time():
    cut = layers.Lambda(lambda x: x[:, :5])
    assert cut(torchkeras_lite.Input((None, 4))).shape == (None, None, 4)
    assert cut(torchkeras_lite.Input((9, 4))).shape == (None, 5, 4)
    assert cut(torchkeras_lite.Input((3, 4))).shape == (None, 3, 4)


def test_the_run_with_small_sizes_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spread = torch.std(torchkeras_lite.KerasTensor((None, None, 4)), 1)
    assert spread.shape == (None, 4)


def test_places_of_a_condition():
    x = torchkeras_lite.KerasTensor((3, 5))
    assert [place.shape for place in torchkeras_lite.ops.where(x > 0)] == [(None,), (None,)]
    assert torchkeras_lite.ops.where(x > 0, x, 0.0).shape == (3, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ops, x: ops.histogram(x), "Input tensor must be 1-dimensional"),
        (lambda ops, x: ops.histogram(np.ones((2, 3))), r"got shape \(2, 3\)\. Pass `ops\.ravel\(x\)`"),
        (lambda ops, x: ops.histogram([1.0], range=(5, 1)), "The second element of `range` must be greater"),
        (lambda ops, x: ops.repeat(x, [1, 2], axis=1), "one for each of the 5 places along axis 1, got 2"),
        (lambda ops, x: ops.slice(x, (0,), (1, 1)), "number of dimensions in `start_indices` must match"),
    ],
    ids=["symbolic histogram", "histogram", "range", "repeat", "slice"],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call(torchkeras_lite.ops, torchkeras_lite.KerasTensor((3, 5)))
