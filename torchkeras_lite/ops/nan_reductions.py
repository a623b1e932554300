"""Reductions that leave NaN out. Where nothing but NaN is left, sums are 0, products 1 and the rest NaN."""

import torch

from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops import reductions
from torchkeras_lite.ops.inputs import as_tensor, to_float
from torchkeras_lite.ops.reductions import reduced


def _filled(x, value):
    x = as_tensor(x)
    return torch.where(torch.isnan(x), torch.full_like(x, value), x) if x.is_floating_point() else x


@operation
def nansum(x, axis=None, keepdims=False):
    """Return the sum of what is not NaN. See `sum` for the arguments."""
    return reductions.sum(_filled(x, 0.0), axis, keepdims)


@operation
def nanprod(x, axis=None, keepdims=False):
    """Return the product of what is not NaN. See `sum` for the arguments."""
    return reductions.prod(_filled(x, 1.0), axis, keepdims)


@operation
def nanmean(x, axis=None, keepdims=False):
    """Return the mean of what is not NaN. See `sum` for the arguments."""
    return reduced(torch.nanmean, to_float(x), axis, keepdims)


@operation
def nanvar(x, axis=None, keepdims=False):
    """Return the variance of what is not NaN. See `sum` for the arguments."""
    x = to_float(x)
    is_nan = torch.isnan(x)
    # NaN goes before it is squared, for its gradient would be NaN
    deviations = torch.where(is_nan, torch.zeros_like(x), x - reduced(torch.nanmean, x, axis, True))
    squares = reduced(torch.sum, torch.square(deviations), axis, keepdims)
    return squares / reduced(torch.sum, ~is_nan, axis, keepdims)


@operation
def nanstd(x, axis=None, keepdims=False):
    """Return the standard deviation of what is not NaN. See `sum` for the arguments."""
    return torch.sqrt(nanvar.operation.function(x, axis, keepdims))


@operation
def nanmax(x, axis=None, keepdims=False):
    """Return the largest value that is not NaN. See `sum` for the arguments."""
    return _extreme(torch.amax, x, -torch.inf, axis, keepdims)


@operation
def nanmin(x, axis=None, keepdims=False):
    """Return the smallest value that is not NaN. See `sum` for the arguments."""
    return _extreme(torch.amin, x, torch.inf, axis, keepdims)


def _extreme(reduce, x, worst, axis, keepdims):
    x = as_tensor(x)
    filled = _filled(x, worst)
    found = reduce(filled, (), keepdims) if axis is None else reduced(reduce, filled, axis, keepdims)
    if not x.is_floating_point():
        return found
    nothing = reduced(torch.all, torch.isnan(x), axis, keepdims)
    return torch.where(nothing, torch.full_like(found, torch.nan), found)


@operation
def nanargmax(x, axis=None, keepdims=False):
    """Return the place of the largest value that is not NaN, as `int32`; -1 where there is none.

    See `argmax` for the arguments.
    """
    return _place(reductions.argmax, x, -torch.inf, axis, keepdims)


@operation
def nanargmin(x, axis=None, keepdims=False):
    """Return the place of the smallest value that is not NaN, as `int32`; -1 where there is none.

    See `argmax` for the arguments.
    """
    return _place(reductions.argmin, x, torch.inf, axis, keepdims)


def _place(find, x, worst, axis, keepdims):
    x = as_tensor(x)
    found = find(_filled(x, worst), axis, keepdims)
    if not x.is_floating_point():
        return found
    nothing = reduced(torch.all, torch.isnan(x), axis, keepdims)
    return torch.where(nothing, torch.full_like(found, -1), found)


@operation
def nanmedian(x, axis=None, keepdims=False):
    """Return the median of what is not NaN. See `median` for the arguments."""
    return middle(x, axis, keepdims, skip_nan=True)


@operation(tensors=2)
def nanquantile(x, q, axis=None, method="linear", keepdims=False):
    """Return quantiles of what is not NaN. See `quantile` for the arguments."""
    return order_quantile(torch.nanquantile, x, q, axis, method, keepdims)


@operation(tensors=2)
def nanpercentile(x, q, axis=None, method="linear", keepdims=False):
    """Return percentiles of what is not NaN. See `percentile` for the arguments."""
    return order_quantile(torch.nanquantile, x, to_float(q) / 100, axis, method, keepdims)


def middle(x, axis, keepdims, skip_nan):
    """Return the middle value, or the mean of the two in the middle, over several axes."""
    x = to_float(x)
    flat, shape = _flattened(x, axis, keepdims)
    ordered = torch.sort(flat, -1).values  # NaN comes last
    is_nan = torch.isnan(ordered)
    count = (
        torch.sum(~is_nan, -1, keepdim=True)
        if skip_nan
        else torch.full_like(is_nan[..., :1], flat.shape[-1], dtype=torch.int64)
    )
    low, high = ((count - 1) // 2).clamp(min=0), (count // 2).clamp(max=flat.shape[-1] - 1)
    low, high = torch.take_along_dim(ordered, low, -1), torch.take_along_dim(ordered, high, -1)
    result = torch.where(low == high, low, low / 2 + high / 2)  # equal infinities stay as they are
    if not skip_nan:
        result = torch.where(is_nan[..., -1:], ordered[..., -1:], result)
    return result.reshape(shape)


def _flattened(x, axis, keepdims):
    """Return `x` with the reduced axes as its last one, and the shape of the result."""
    axes = reductions.all_axes(x, axis)
    kept = [d for d in range(x.ndim) if d not in axes]
    flat = x.permute((*kept, *axes)).reshape((*(x.shape[d] for d in kept), -1))
    if keepdims:
        return flat, tuple(1 if d in axes else size for d, size in enumerate(x.shape))
    return flat, tuple(flat.shape[:-1])


def order_quantile(compute, x, q, axis, method, keepdims):
    """Return `compute` (torch's `quantile` or `nanquantile`) over several axes, for every dtype."""
    x = to_float(x)
    wide = x.dtype if x.dtype is torch.float64 else torch.float32
    q = as_tensor(q).to(x.device, wide)
    flat, shape = _flattened(x.to(wide), axis, keepdims)
    return compute(flat, q.reshape(-1), -1, interpolation=method).reshape((*q.shape, *shape)).to(x.dtype)


@operation
def nancumsum(x, axis=None, dtype=None):
    """Return running sums in which NaN counts as 0. See `cumsum` for the arguments."""
    return running(torch.cumsum, _filled(x, 0.0), axis, dtype)


@operation
def nancumprod(x, axis=None, dtype=None):
    """Return running products in which NaN counts as 1. See `cumsum` for the arguments."""
    return running(torch.cumprod, _filled(x, 1.0), axis, dtype)


def running(compute, x, axis, dtype):
    """Return `compute` (torch's `cumsum` or `cumprod`) along `axis`, of the flattened tensor for `None`."""
    x = as_tensor(x)
    dtype = (torch.int32 if x.dtype is torch.bool else x.dtype) if dtype is None else torch_dtype(dtype)
    if isinstance(axis, (list, tuple)):
        if len(axis) > 1:
            raise ValueError(f"Running sums and products have one axis, got axis={axis}.")
        if not axis:
            return x.to(dtype)
        axis = axis[0]
    return compute(x.reshape(-1), 0, dtype=dtype) if axis is None else compute(x, int(axis), dtype=dtype)
