"""Comparisons, tests of values, and logic, value by value. Results are booleans."""

import torch

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import Tensor, as_tensor, pair, promoted, tensor_pair


@operation(tensors=2)
def equal(x1, x2):
    """Return `x1 == x2`."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = pair(x1, x2)
    return torch.eq(x1, x2)


@operation(tensors=2)
def not_equal(x1, x2):
    """Return `x1 != x2`."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = pair(x1, x2)
    return torch.ne(x1, x2)


@operation(tensors=2)
def less(x1, x2):
    """Return `x1 < x2`."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = pair(x1, x2)
    return torch.lt(x1, x2)


@operation(tensors=2)
def less_equal(x1, x2):
    """Return `x1 <= x2`."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = pair(x1, x2)
    return torch.le(x1, x2)


@operation(tensors=2)
def greater(x1, x2):
    """Return `x1 > x2`."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = pair(x1, x2)
    return torch.gt(x1, x2)


@operation(tensors=2)
def greater_equal(x1, x2):
    """Return `x1 >= x2`."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = pair(x1, x2)
    return torch.ge(x1, x2)


@operation(tensors=2)
def logical_and(x1, x2):
    """Return where both are true; numbers other than 0 are."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = tensor_pair(x1, x2)
    return torch.logical_and(x1, x2)


@operation(tensors=2)
def logical_or(x1, x2):
    """Return where one or both are true."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = tensor_pair(x1, x2)
    return torch.logical_or(x1, x2)


@operation(tensors=2)
def logical_xor(x1, x2):
    """Return where exactly one is true."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = tensor_pair(x1, x2)
    return torch.logical_xor(x1, x2)


@operation
def logical_not(x):
    """Return where `x` is false or 0."""
    return torch.logical_not(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def isfinite(x):
    """Return where `x` is neither NaN nor infinite."""
    return torch.isfinite(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def isinf(x):
    """Return where `x` is infinite."""
    return torch.isinf(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def isnan(x):
    """Return where `x` is NaN."""
    return torch.isnan(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def isneginf(x):
    """Return where `x` is minus infinity."""
    return torch.isneginf(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def isposinf(x):
    """Return where `x` is plus infinity."""
    return torch.isposinf(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def isreal(x):
    """Return where `x` has no imaginary part."""
    return torch.isreal(x if isinstance(x, Tensor) else as_tensor(x))


@operation(tensors=("x1", "x2", "rtol", "atol"))
def isclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Return where `|x1 - x2| <= atol + rtol * |x2|`.

    Args:
        x1, x2: Tensors.
        rtol, atol: Relative and absolute tolerance.
        equal_nan: Whether NaN is close to NaN.
    """
    return torch.isclose(*promoted(x1, x2), rtol=rtol, atol=atol, equal_nan=equal_nan)


@operation(tensors=2, name="AllClose")
def allclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Return whether all values are close, as a boolean tensor. See `isclose`."""
    return torch.isclose(*promoted(x1, x2), rtol=rtol, atol=atol, equal_nan=equal_nan).all()


@operation(tensors=2, name="IsIn")
def isin(x1, x2, assume_unique=False, invert=False):
    """Return where the values of `x1` are among those of `x2`.

    Args:
        x1: Tensor.
        x2: The values to look for.
        assume_unique: Whether no value occurs twice in one of them, which can be faster.
        invert: Return where they are not.
    """
    return torch.isin(*promoted(x1, x2), assume_unique=assume_unique, invert=invert)
