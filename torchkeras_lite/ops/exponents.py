"""Powers, roots, exponentials and logarithms, value by value."""

import torch

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import Tensor, as_tensor, pair, promoted, to_float


@operation
def exp(x):
    """Return e to the power of `x`."""
    return torch.exp(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def exp2(x):
    """Return 2 to the power of `x`."""
    return torch.exp2(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def expm1(x):
    """Return `exp(x) - 1`, exact near 0."""
    return torch.expm1(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def log(x):
    """Return the natural logarithm."""
    return torch.log(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def log2(x):
    """Return the logarithm to base 2."""
    return torch.log2(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def log10(x):
    """Return the logarithm to base 10."""
    return torch.log10(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def log1p(x):
    """Return `log(1 + x)`, exact near 0."""
    return torch.log1p(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def sqrt(x):
    """Return the square root."""
    return torch.sqrt(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def square(x):
    """Return `x * x`; booleans give integers."""
    x = x if isinstance(x, Tensor) else as_tensor(x)
    return torch.square(x.to(torch.int32) if x.dtype is torch.bool else x)


@operation
def cbrt(x):
    """Return the real cube root, negative for negative values."""
    x = to_float(x)
    return torch.sign(x) * torch.abs(x) ** (1 / 3)


@operation(tensors=2)
def power(x1, x2):
    """Return `x1` to the power of `x2`."""
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = pair(x1, x2)
    return torch.pow(x1, x2)


@operation(tensors=2)
def ldexp(x1, x2):
    """Return `x1 * 2**x2`, for integers `x2`.

    Raises:
        TypeError: `x2` is no tensor of integers.
    """
    x1, x2 = as_tensor(x1), as_tensor(x2)
    if x2.is_floating_point() or x2.dtype is torch.bool:
        raise TypeError(
            f"ldexp: `x2` must hold integers, got dtype {x2.dtype}. Cast it, or use `x1 * 2**x2`."
        )
    return torch.ldexp(to_float(x1), x2)


@operation(tensors=2)
def logaddexp(x1, x2):
    """Return `log(exp(x1) + exp(x2))` without overflow."""
    return torch.logaddexp(*map(to_float, promoted(x1, x2)))


@operation(tensors=2)
def logaddexp2(x1, x2):
    """Return `log2(2**x1 + 2**x2)` without overflow."""
    return torch.logaddexp2(*map(to_float, promoted(x1, x2)))
