"""Parts of complex numbers."""

import torch

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensor, to_float


@operation
def real(x):
    """Return the real part; real numbers stay as they are."""
    return torch.real(as_tensor(x))


@operation
def imag(x):
    """Return the imaginary part, 0 for real numbers."""
    x = as_tensor(x)
    return torch.imag(x) if x.is_complex() else torch.zeros_like(x)


@operation
def conjugate(x):
    """Return the complex conjugates; real numbers stay as they are."""
    return torch.conj(as_tensor(x)).resolve_conj()


def conj(x):
    """Return the complex conjugates. See `conjugate`."""
    return conjugate(x)


@operation
def angle(x):
    """Return the angle in the complex plane, in radians."""
    return torch.angle(to_float(x))
