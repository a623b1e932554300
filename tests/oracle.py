"""Comparison with real Keras: equal weights in both, then equal outputs, gradients and weights."""

import keras
import numpy as np
import torch

from torchkeras_lite.base import nested


def as_tensors(x, dtype="float32"):
    """Nested arrays as torch tensors; floats in `dtype`, integers and booleans as they are."""

    def convert(array):
        array = np.asarray(array)
        return torch.as_tensor(array.astype(dtype) if array.dtype.kind == "f" else array)

    return nested.map_structure(convert, x)


def copies(x):
    """Fresh leaves of nested tensors, floats requiring gradients."""
    return nested.map_structure(lambda t: t.clone().requires_grad_(t.is_floating_point()), x)


def copy_weights(ours, theirs):
    """Give `ours` the weights of the Keras object `theirs`."""
    ours.set_weights([np.asarray(w) for w in theirs.get_weights()])


def assert_close(ours, theirs, rtol=1e-5, atol=1e-5):
    """Nested tensors agree in form, shape, dtype and values."""
    mine, his = nested.flatten(ours), nested.flatten(theirs)
    assert len(mine) == len(his)
    for a, b in zip(mine, his, strict=True):
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol)


def assert_layer_matches(ours, theirs, x, *, rtol=1e-5, atol=1e-5, training=None, **call_arguments):
    """Same weights in both, then equal outputs, dtypes, gradients of inputs and weights, and weights.

    Weight gradients are compared in Keras's layouts, through `torch.autograd.grad` on our weight views.
    """
    x = as_tensors(x)
    kwargs = {**call_arguments, **({} if training is None else {"training": training})}
    theirs(x, **kwargs)
    ours(x, **kwargs)
    copy_weights(ours, theirs)
    mine, his = copies(x), copies(x)
    y_mine, y_his = ours(mine, **kwargs), theirs(his, **kwargs)
    assert_close(y_mine, y_his, rtol, atol)
    floats = [t for t in nested.flatten(y_mine) if t.requires_grad]
    if floats:
        weights = ours.trainable_weights
        inputs = [t for t in nested.flatten(mine) if t.requires_grad]
        loss = sum(t.double().square().sum() for t in floats)
        gradients = torch.autograd.grad(loss, [*inputs, *weights], allow_unused=True)
        loss = sum(t.double().square().sum() for t in nested.flatten(y_his) if t.requires_grad)
        values = [v.value for v in theirs.trainable_weights]
        his_inputs = [t for t in nested.flatten(his) if t.requires_grad]
        expected = torch.autograd.grad(loss, [*his_inputs, *values], allow_unused=True)
        for a, b in zip(gradients, expected, strict=True):
            if b is not None:
                scale = max(1.0, b.abs().max().item())
                torch.testing.assert_close(a.detach() / scale, b / scale, rtol=rtol, atol=atol)
    for mine, his in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, np.asarray(his), rtol=rtol, atol=atol)


def plain_config(config):
    """A config without what differs by design: automatic names, and `module` paths of Keras's source tree."""
    return {key: value for key, value in config.items() if key != "name"}


def keras_layer(name, **args):
    """The Keras layer of the same name."""
    return getattr(keras.layers, name)(**args)
