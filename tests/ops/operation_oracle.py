"""Comparison of operations with those of real Keras: values, dtypes, gradients and symbolic shapes."""

import functools

import keras
import numpy as np
import torch

from oracle import assert_close, copies
from torchkeras_lite import ops
from torchkeras_lite.base import nested
from torchkeras_lite.engine.keras_tensor import KerasTensor


def find(room, name):
    """The function with a dotted name."""
    return functools.reduce(getattr, name.split("."), room)


def is_array(leaf):
    """Whether a leaf stands for a tensor."""
    return isinstance(leaf, (np.ndarray, torch.Tensor))


def tensors(structure):
    """The structure with tensors for arrays."""
    return nested.map_structure(lambda x: torch.as_tensor(x) if is_array(x) else x, structure)


def symbolic(structure):
    """The structure with symbolic tensors for arrays."""
    return nested.map_structure(
        lambda x: KerasTensor(tuple(x.shape), keras.backend.standardize_dtype(x.dtype)) if is_array(x) else x,
        structure,
    )


def gradients(function, args, kwargs, wanted=True):
    """Results, and where wanted the gradients of the sum of their squares with respect to float arguments."""
    leaves = nested.map_structure(lambda x: copies(x) if wanted and is_array(x) else x, args)
    results = function(*leaves, **kwargs)
    wanted = [x for x in nested.flatten(leaves) if is_array(x) and x.requires_grad]
    floats = [y for y in nested.flatten(results) if is_array(y) and y.requires_grad]
    if not wanted or not floats:
        return results, []
    loss = sum((y.abs() if y.is_complex() else y).double().square().sum() for y in floats)
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    return results, [torch.zeros(()) if g is None else g for g in found]


def assert_operation_matches(name, *args, rtol=1e-5, atol=1e-5, gradient=True, shapes=True, **kwargs):
    """Our operation agrees with Keras's on tensors, arrays and symbolic tensors."""
    ours, theirs = find(ops, name), find(keras.ops, name)
    args = tensors(args)
    mine, my_gradients = gradients(ours, args, kwargs, gradient)
    his, his_gradients = gradients(theirs, args, kwargs, gradient)
    his = tuple(his) if isinstance(his, tuple) else his
    assert_close(mine, his, rtol, atol)
    for a, b in zip(my_gradients, his_gradients, strict=True):
        scale = max(1.0, b.abs().max().item()) if b.numel() else 1.0
        torch.testing.assert_close(a / scale, b / scale, rtol=rtol, atol=atol)
    if shapes:
        outputs = ours(*symbolic(args), **kwargs)
        pairs = zip(nested.flatten(outputs), nested.flatten(mine), strict=True)
        for spec, value in pairs:
            assert tuple(spec.shape) == tuple(value.shape)
            assert spec.dtype == keras.backend.standardize_dtype(value.dtype)
