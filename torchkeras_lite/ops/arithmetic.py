"""Sums, products, quotients and remainders, value by value, with broadcasting."""

import torch

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import Tensor, as_tensor, pair, promoted, tensor_pair, to_float

_NUMBERS = (int, float)


@operation(tensors=2)
def add(x1, x2):
    """Return `x1 + x2`."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = pair(x1, x2)
    return torch.add(x1, x2)


@operation(tensors=2)
def subtract(x1, x2):
    """Return `x1 - x2`."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = pair(x1, x2)
    if torch.bool in (x1.dtype, getattr(x2, "dtype", None)):  # torch refuses to subtract a boolean
        x1, x2 = promoted(x1, x2)
    return torch.subtract(x1, x2)


@operation(tensors=2)
def multiply(x1, x2):
    """Return `x1 * x2`."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = pair(x1, x2)
    return torch.multiply(x1, x2)


@operation(tensors=2)
def divide(x1, x2):
    """Return `x1 / x2`; integers give floats."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = pair(x1, x2)
    return torch.true_divide(x1, x2)


@operation(tensors=2)
def true_divide(x1, x2):
    """Return `x1 / x2`. See `divide`."""
    return divide.operation.function(x1, x2)


@operation(tensors=2)
def divide_no_nan(x1, x2):
    """Return `x1 / x2`, and 0 where `x2` is 0; the gradients are 0 there too."""
    x1, x2 = tensor_pair(x1, x2)
    is_zero = x2 == 0
    quotient = torch.true_divide(x1, torch.where(is_zero, torch.ones_like(x2), x2))
    return torch.where(is_zero, torch.zeros_like(quotient), quotient)


@operation(tensors=2)
def floor_divide(x1, x2):
    """Return the largest integers not above `x1 / x2`."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = pair(x1, x2)
    return torch.floor_divide(x1, x2)


@operation(tensors=2)
def mod(x1, x2):
    """Return the remainder of `x1 / x2`, with the sign of `x2`."""
    x1, x2 = _integers_for_booleans(x1, x2)
    return torch.remainder(x1, x2)


@operation(tensors=2)
def fmod(x1, x2):
    """Return the remainder of `x1 / x2`, with the sign of `x1`."""
    x1, x2 = _integers_for_booleans(x1, x2)
    return torch.fmod(x1, x2)


def _integers_for_booleans(x1, x2):
    x1, x2 = pair(x1, x2)
    if x1.dtype is torch.bool and getattr(x2, "dtype", None) is torch.bool:
        x1 = x1.to(torch.int32)
    return x1, x2


@operation
def negative(x):
    """Return `-x`."""
    return torch.negative(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def absolute(x):
    """Return the absolute values, of complex numbers their lengths."""
    x = x if isinstance(x, Tensor) else as_tensor(x)
    return x if x.dtype is torch.bool else torch.abs(x)


def abs(x):
    """Return the absolute values. See `absolute`."""
    return absolute(x)


@operation
def fabs(x):
    """Return the absolute values as floats."""
    return torch.abs(to_float(x))


@operation
def sign(x):
    """Return -1, 0 or 1 by the sign of `x`; NaN gives NaN."""
    return torch.sign(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def signbit(x):
    """Return where the sign bit is set: in negative values and in -0.0."""
    return torch.signbit(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def reciprocal(x):
    """Return `1 / x`; integers give floats."""
    return torch.reciprocal(x if isinstance(x, Tensor) else as_tensor(x))


@operation(tensors=2)
def maximum(x1, x2):
    """Return the larger of two values; NaN wins."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = tensor_pair(x1, x2)
    return torch.maximum(x1, x2)


@operation(tensors=2)
def minimum(x1, x2):
    """Return the smaller of two values; NaN wins."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = tensor_pair(x1, x2)
    return torch.minimum(x1, x2)


@operation(tensors=2)
def fmax(x1, x2):
    """Return the larger of two values; a number wins over NaN."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = tensor_pair(x1, x2)
    return torch.fmax(x1, x2)


@operation(tensors=2)
def fmin(x1, x2):
    """Return the smaller of two values; a number wins over NaN."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = tensor_pair(x1, x2)
    return torch.fmin(x1, x2)


@operation
def clip(x, x_min, x_max):
    """Return `x` with what is below `x_min` or above `x_max` put to that limit.

    Args:
        x: Tensor; booleans become integers.
        x_min: Lower limit: a number, a tensor that broadcasts, or `None` for none.
        x_max: Upper limit, likewise.
    """
    x = x if isinstance(x, Tensor) else as_tensor(x)
    if x.dtype is torch.bool:
        x = x.to(torch.int32)
    if type(x_min) in _NUMBERS and type(x_max) in _NUMBERS:
        return torch.clamp(x, x_min, x_max)
    if x_min is None and x_max is None:
        return x
    limits = [limit if limit is None else as_tensor(limit).to(x.device) for limit in (x_min, x_max)]
    return torch.clamp(x, *limits)


@operation(tensors=2)
def gcd(x1, x2):
    """Return the greatest common divisors of integers."""
    return torch.gcd(*promoted(x1, x2))


@operation(tensors=2)
def lcm(x1, x2):
    """Return the least common multiples of integers."""
    return torch.lcm(*promoted(x1, x2))


@operation(tensors=2)
def heaviside(x1, x2):
    """Return 0 where `x1` is negative, 1 where it is positive, and `x2` where it is 0."""
    return torch.heaviside(*map(to_float, promoted(x1, x2)))


@operation(tensors=2)
def nextafter(x1, x2):
    """Return the floats next to `x1` in the direction of `x2`."""
    return torch.nextafter(*map(to_float, promoted(x1, x2)))


@operation
def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    """Return `x` with numbers in place of NaN and the infinities.

    Args:
        x: Tensor.
        nan: What NaN becomes.
        posinf: What infinity becomes; `None`: the dtype's largest number.
        neginf: What minus infinity becomes; `None`: the dtype's smallest number.
    """
    return torch.nan_to_num(as_tensor(x), nan=nan, posinf=posinf, neginf=neginf)
