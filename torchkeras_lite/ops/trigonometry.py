"""Circular and hyperbolic functions, value by value. Angles are in radians; integers give floats."""

import torch

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import Tensor, as_tensor, promoted, to_float


@operation
def sin(x):
    """Return the sine."""
    return torch.sin(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def cos(x):
    """Return the cosine."""
    return torch.cos(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def tan(x):
    """Return the tangent."""
    return torch.tan(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def arcsin(x):
    """Return the angle in [-pi/2, pi/2] whose sine is `x`."""
    return torch.arcsin(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def arccos(x):
    """Return the angle in [0, pi] whose cosine is `x`."""
    return torch.arccos(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def arctan(x):
    """Return the angle in [-pi/2, pi/2] whose tangent is `x`."""
    return torch.arctan(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def sinh(x):
    """Return the hyperbolic sine."""
    return torch.sinh(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def cosh(x):
    """Return the hyperbolic cosine."""
    return torch.cosh(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def tanh(x):
    """Return the hyperbolic tangent."""
    return torch.tanh(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def arcsinh(x):
    """Return the inverse hyperbolic sine."""
    return torch.arcsinh(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def arccosh(x):
    """Return the inverse hyperbolic cosine."""
    return torch.arccosh(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def arctanh(x):
    """Return the inverse hyperbolic tangent."""
    return torch.arctanh(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def sinc(x):
    """Return `sin(pi x) / (pi x)`, 1 at 0."""
    return torch.sinc(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def deg2rad(x):
    """Return degrees as radians."""
    return torch.deg2rad(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def rad2deg(x):
    """Return radians as degrees."""
    return torch.rad2deg(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def i0(x):
    """Return the modified Bessel function of the first kind of order 0."""
    return torch.special.i0(to_float(x))


@operation(tensors=2)
def arctan2(x1, x2):
    """Return the angle in [-pi, pi] of the point with ordinate `x1` and abscissa `x2`."""
    return torch.arctan2(*map(to_float, promoted(x1, x2)))


@operation(tensors=2)
def hypot(x1, x2):
    """Return `sqrt(x1**2 + x2**2)` without overflow."""
    return torch.hypot(*map(to_float, promoted(x1, x2)))
