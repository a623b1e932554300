"""Integers and booleans bit by bit."""

import torch

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensor, promoted


@operation(tensors=2)
def bitwise_and(x, y):
    """Return the bits set in both."""
    return torch.bitwise_and(*promoted(x, y))


@operation(tensors=2)
def bitwise_or(x, y):
    """Return the bits set in one or both."""
    return torch.bitwise_or(*promoted(x, y))


@operation(tensors=2)
def bitwise_xor(x, y):
    """Return the bits set in exactly one."""
    return torch.bitwise_xor(*promoted(x, y))


@operation(tensors=2)
def bitwise_left_shift(x, y):
    """Return the bits of `x` moved up by `y` places."""
    return torch.bitwise_left_shift(*promoted(x, y))


@operation(tensors=2)
def bitwise_right_shift(x, y):
    """Return the bits of `x` moved down by `y` places."""
    return torch.bitwise_right_shift(*promoted(x, y))


@operation(tensors=2)
def left_shift(x, y):
    """Return the bits of `x` moved up. See `bitwise_left_shift`."""
    return torch.bitwise_left_shift(*promoted(x, y))


@operation(tensors=2)
def right_shift(x, y):
    """Return the bits of `x` moved down. See `bitwise_right_shift`."""
    return torch.bitwise_right_shift(*promoted(x, y))


@operation
def bitwise_not(x):
    """Return every bit turned over; booleans become their opposite."""
    return torch.bitwise_not(as_tensor(x))


@operation
def bitwise_invert(x):
    """Return every bit turned over. See `bitwise_not`."""
    return torch.bitwise_not(as_tensor(x))
