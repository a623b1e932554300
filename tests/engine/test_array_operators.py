"""Operators between weights and arrays or scalars of NumPy: values, kinds and gradients of Keras."""

import operator

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite as tk

OPERATORS = ("add", "sub", "mul", "truediv", "mod", "pow", "matmul", "floordiv")
VALUES = np.linspace(1, 3, 9).reshape(3, 3).astype("float32")
ARRAY = np.arange(1, 10).reshape(3, 3)


def weights(k):
    """Return a weight of every kind, with the same values."""
    layer, dense = k.layers.Layer(), k.layers.Dense(3)
    dense.build((None, 3))
    made = {
        "added": layer.add_weight(shape=(3, 3), initializer="ones"),
        "buffer": layer.add_weight(shape=(3, 3), initializer="ones", trainable=False),
        "kernel": dense.kernel,
        "variable": k.Variable(np.ones((3, 3), "float32")),
    }
    for weight in made.values():
        weight.assign(VALUES)
    return made


@pytest.mark.parametrize("kind", ["added", "buffer", "kernel", "variable"])
@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_arrays_beside_weights(kind, name, dtype):
    function, array = getattr(operator, name), ARRAY.astype(dtype)
    ours, theirs = weights(tk)[kind], weights(keras)[kind]
    mine, his = function(ours, array), function(theirs, array)
    torch.testing.assert_close(mine, his)
    assert mine.requires_grad == his.requires_grad == (kind != "buffer")
    if kind != "buffer" and name not in ("mod", "floordiv"):
        (gradient,) = torch.autograd.grad(mine.sum(), [ours])
        (expected,) = torch.autograd.grad(his.sum(), [theirs.value])
        torch.testing.assert_close(gradient.detach(), expected)
    mine, his = function(array, ours), function(array, theirs)
    assert type(mine) is type(his) is np.ndarray
    np.testing.assert_allclose(mine, his, rtol=1e-6)


@pytest.mark.parametrize("name", OPERATORS[:6])
def test_scalars_keep_gradients(name):
    function, weight, number = getattr(operator, name), weights(tk)["added"], np.sqrt(np.float64(2))
    for found, expected in (
        (function(weight, number), function(torch.tensor(VALUES), number.item())),
        (function(number, weight), function(number.item(), torch.tensor(VALUES))),
    ):
        assert found.requires_grad
        torch.testing.assert_close(found.detach(), expected)


def test_numpys_own_functions_give_arrays():
    for kind, weight in weights(tk).items():
        for found in (
            np.sqrt(weight),
            np.add.reduce(weight),
            np.multiply(weight, 2.0),
            np.add(ARRAY, weight),
        ):
            assert isinstance(found, np.ndarray), kind
        total = ARRAY.astype("float32")
        total += weight
        np.testing.assert_array_equal(total, ARRAY + VALUES)


class Scaled(tk.Layer):
    """Multiplies a weight with constants of NumPy, as many layers do."""

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(4,), initializer="ones")

    def call(self, inputs):
        return inputs * (self.scale * np.arange(4, dtype="float32") + np.sqrt(2.0) * self.scale)


def test_a_weight_times_a_constant_is_trained():
    model = tk.Sequential([tk.Input((4,)), Scaled()])
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 4)), np.zeros((8, 4)), verbose=0)
    assert (model.get_weights()[0] < 1).all()
