"""Running sums and products, differences, and the area under samples."""

import torch

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import Tensor, as_tensor, to_float
from torchkeras_lite.ops.nan_reductions import running


@operation
def cumsum(x, axis=None, dtype=None):
    """Return running sums.

    Args:
        x: Tensor.
        axis: Axis; `None`: of the flattened tensor.
        dtype: Dtype to compute in; `None`: that of `x`, `int32` for booleans.
    """
    return running(torch.cumsum, x, axis, dtype)


@operation
def cumprod(x, axis=None, dtype=None):
    """Return running products. See `cumsum` for the arguments."""
    return running(torch.cumprod, x, axis, dtype)


@operation
def diff(a, n=1, axis=-1):
    """Return differences of neighbours along `axis`, taken `n` times."""
    return torch.diff(as_tensor(a), n=n, dim=axis)


@operation
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """Return the area under samples, by the trapezoidal rule.

    Args:
        y: Tensor of values.
        x: Where they were taken, of a shape that broadcasts; `None` for even steps.
        dx: Distance of the samples where there is no `x`.
        axis: Axis of the samples.
    """
    y = to_float(y)
    if x is None:
        return torch.trapezoid(y, dx=dx, dim=axis)
    x = x if isinstance(x, Tensor) else as_tensor(x)
    return torch.trapezoid(y, x.to(y.device, y.dtype), dim=axis)
