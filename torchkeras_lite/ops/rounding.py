"""Rounding to integers or decimals, value by value."""

import torch

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensor, to_float


@operation
def ceil(x):
    """Return the smallest integers not below `x`, as floats."""
    return torch.ceil(to_float(x))


@operation
def floor(x):
    """Return the largest integers not above `x`, as floats."""
    return torch.floor(to_float(x))


@operation
def trunc(x):
    """Return `x` without its fraction."""
    x = as_tensor(x)
    return torch.trunc(x) if x.is_floating_point() else x


@operation
def round(x, decimals=0):
    """Return `x` rounded, halves to the even neighbour.

    Args:
        x: Tensor.
        decimals: How many decimals stay; a negative number rounds before the decimal point.
    """
    x = as_tensor(x)
    if x.is_floating_point():
        return torch.round(x, decimals=decimals)
    if decimals >= 0:
        return x
    return torch.round(x.to(torch.float64), decimals=decimals).to(x.dtype)
