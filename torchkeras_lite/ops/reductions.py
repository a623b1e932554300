"""Sums, means, extremes and their places, over one axis, several (a tuple) or all (`None`).

`keepdims` keeps the reduced axes with size 1.
"""

import torch

from torchkeras_lite.base import config
from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import Tensor, as_tensor, to_float

# Sums and products of narrow integers have 32 bits, where torch's have 64.
SUMMED = dict.fromkeys((torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32), torch.int32)


def as_dim(axis):
    """Return `axis` (an integer, a list or tuple, or `None`) as torch's functions take it."""
    return (
        axis if axis is None or type(axis) is int else tuple(map(int, axis)) if _is_list(axis) else int(axis)
    )


def all_axes(x, axis):
    """Return `axis` as a tuple of axes counted from the front."""
    dim = as_dim(axis)
    if dim is None:
        return tuple(range(x.ndim))
    return tuple(checked_axis(x, d) for d in (dim if isinstance(dim, tuple) else (dim,)))


def checked_axis(x, axis):
    """Return `axis` counted from the front.

    Raises:
        ValueError: `x` has no such axis.
    """
    if not -(x.ndim or 1) <= axis < (x.ndim or 1):
        raise ValueError(f"axis {axis} is out of bounds for a tensor of shape {tuple(x.shape)}.")
    return axis % (x.ndim or 1)


def _is_list(axis):
    return isinstance(axis, (list, tuple))


def reduced(compute, x, axis, keepdims, **options):
    """Return `compute(x, dim, keepdim)` for one axis, several, all (`None`) or none (an empty tuple)."""
    if axis is None or type(axis) is int:
        return compute(x, axis, keepdims, **options)
    dim = as_dim(axis)
    if dim == ():  # which torch takes for all axes
        return compute(x.unsqueeze(-1), -1, False, **options)
    return compute(x, dim, keepdims, **options)


@operation
def sum(x, axis=None, keepdims=False):
    """Return the sum; booleans and narrow integers give `int32`.

    Args:
        x: Tensor.
        axis: Axis, tuple of axes, or `None` for all.
        keepdims: Whether reduced axes stay, with size 1.
    """
    x = x if isinstance(x, Tensor) else as_tensor(x)
    if type(axis) is int:
        return torch.sum(x, axis, keepdims, dtype=SUMMED.get(x.dtype))
    return reduced(torch.sum, x, axis, keepdims, dtype=SUMMED.get(x.dtype))


@operation
def mean(x, axis=None, keepdims=False):
    """Return the mean; integers give floats. See `sum` for the arguments."""
    x = x if isinstance(x, Tensor) else as_tensor(x)
    dtype = None if x.is_floating_point() or x.is_complex() else torch_dtype(config.floatx())
    return reduced(torch.mean, x, axis, keepdims, dtype=dtype)


@operation
def var(x, axis=None, keepdims=False):
    """Return the variance: the mean square of the distances from the mean. See `sum` for the arguments."""
    return reduced(_var, to_float(x), axis, keepdims)


@operation
def std(x, axis=None, keepdims=False):
    """Return the standard deviation, the square root of `var`. See `sum` for the arguments."""
    return reduced(_std, to_float(x), axis, keepdims)


def _var(x, dim, keepdim):
    return torch.var(x, dim, correction=0, keepdim=keepdim)


def _std(x, dim, keepdim):
    return torch.std(x, dim, correction=0, keepdim=keepdim)


@operation
def prod(x, axis=None, keepdims=False, dtype=None):
    """Return the product; booleans and narrow integers give `int32`.

    Args:
        x: Tensor.
        axis: Axis, tuple of axes, or `None` for all.
        keepdims: Whether reduced axes stay, with size 1.
        dtype: Dtype to compute in; `None`: that of `x`, at least 32 bits.
    """
    x = as_tensor(x)
    dtype = SUMMED.get(x.dtype, x.dtype) if dtype is None else torch_dtype(dtype)
    if axis is None and not keepdims:
        return torch.prod(x, dtype=dtype)
    for dim in sorted(all_axes(x, axis), reverse=True):
        x = torch.prod(x, dim, keepdims, dtype=dtype)
    return x.to(dtype)


@operation
def max(x, axis=None, keepdims=False, initial=None):
    """Return the largest values.

    Args:
        x: Tensor.
        axis: Axis, tuple of axes, or `None` for all.
        keepdims: Whether reduced axes stay, with size 1.
        initial: The least result, needed where there are no values.

    Raises:
        ValueError: no values and no `initial`.
    """
    return _extreme("max", torch.amax, torch.maximum, x, axis, keepdims, initial)


@operation
def min(x, axis=None, keepdims=False, initial=None):
    """Return the smallest values; `initial` is the largest result. See `max` for the arguments."""
    return _extreme("min", torch.amin, torch.minimum, x, axis, keepdims, initial)


@operation
def amax(x, axis=None, keepdims=False):
    """Return the largest values. See `max`."""
    return _extreme("amax", torch.amax, torch.maximum, x, axis, keepdims, None)


@operation
def amin(x, axis=None, keepdims=False):
    """Return the smallest values. See `min`."""
    return _extreme("amin", torch.amin, torch.minimum, x, axis, keepdims, None)


def _extreme(name, reduce, combine, x, axis, keepdims, initial):
    x = x if isinstance(x, Tensor) else as_tensor(x)
    if initial is None and type(axis) is int and x.shape[axis]:
        return reduce(x, axis, keepdims)
    if x.numel() == 0 and any_empty(x, axis):
        if initial is None:
            raise ValueError(
                f"{name}: expected values, got a tensor of shape {tuple(x.shape)} to reduce over "
                f"axis={axis}: cannot compute the {name} of an empty tensor. "
                "Pass `initial=`, the result for no values."
            )
        kept = [1 if d in all_axes(x, axis) else size for d, size in enumerate(x.shape)]
        result = x.new_full(kept, initial)
        return (
            result
            if keepdims
            else result.reshape([s for d, s in enumerate(kept) if d not in all_axes(x, axis)])
        )
    result = reduce(x, (), keepdims) if axis is None else reduced(reduce, x, axis, keepdims)
    return result if initial is None else combine(result, as_tensor(initial).to(result))


def any_empty(x, axis):
    """Whether one of the axes to reduce has no values."""
    return 0 in (x.shape[d] for d in all_axes(x, axis))


@operation
def ptp(x, axis=None, keepdims=False):
    """Return the largest value minus the smallest. See `sum` for the arguments."""
    x = as_tensor(x)
    return _extreme("ptp", torch.amax, None, x, axis, keepdims, None) - _extreme(
        "ptp", torch.amin, None, x, axis, keepdims, None
    )


@operation
def all(x, axis=None, keepdims=False):
    """Return whether all values are true (not 0). See `sum` for the arguments."""
    return reduced(torch.all, as_tensor(x).to(torch.bool), axis, keepdims)


@operation
def any(x, axis=None, keepdims=False):
    """Return whether a value is true (not 0). See `sum` for the arguments."""
    return reduced(torch.any, as_tensor(x).to(torch.bool), axis, keepdims)


@operation
def count_nonzero(x, axis=None):
    """Return how many values are not 0, as `int32`.

    Differs from Keras on torch, which returns counts over one axis in the wrong order.
    """
    return reduced(torch.sum, as_tensor(x) != 0, axis, False, dtype=torch.int32)


@operation
def argmax(x, axis=None, keepdims=False):
    """Return the place of the largest value, as `int32`.

    Args:
        x: Tensor.
        axis: Axis; `None`: the place in the flattened tensor.
        keepdims: Whether reduced axes stay, with size 1.
    """
    return _place(torch.argmax, x, axis, keepdims)


@operation
def argmin(x, axis=None, keepdims=False):
    """Return the place of the smallest value, as `int32`. See `argmax` for the arguments."""
    return _place(torch.argmin, x, axis, keepdims)


def _place(find, x, axis, keepdims):
    x = as_tensor(x)
    if x.dtype is torch.bool:
        x = x.to(torch.uint8)
    return find(x, None if axis is None else int(axis), keepdims).to(torch.int32)


@operation(tensors=("x", "weights"))
def average(x, axis=None, weights=None):
    """Return the mean, weighted if need be; integers give floats.

    Args:
        x: Tensor.
        axis: Axis, tuple of axes, or `None` for all.
        weights: Tensor of the shape of `x`, or with one weight for each place along `axis`.

    Raises:
        ValueError: `weights` of another shape.
    """
    x = as_tensor(x)
    if weights is None:
        return mean.operation.function(x, axis)
    weights = as_tensor(weights)
    common = torch.promote_types(x.dtype, weights.dtype)
    x, weights = to_float(x.to(common)), to_float(weights.to(x.device, common))
    if weights.shape != x.shape:
        axes = all_axes(x, axis)
        if axis is None or weights.shape != tuple(x.shape[d] for d in axes):
            raise ValueError(
                f"average: expected `weights` of shape {tuple(x.shape)}, that of `x`, or of its shape along "
                f"`axis`, got shape {tuple(weights.shape)} with axis={axis}."
            )
        order = sorted(range(len(axes)), key=lambda i: axes[i])
        shape = [size if d in axes else 1 for d, size in enumerate(x.shape)]
        weights = weights.permute(order).reshape(shape)
    total = reduced(torch.sum, torch.broadcast_to(weights, x.shape), axis, False)
    return reduced(torch.sum, x * weights, axis, False) / total
