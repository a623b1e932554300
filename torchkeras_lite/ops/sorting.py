"""Order: sorting, quantiles, searching in sorted values, counting in bins, distinct values."""

import torch

from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import Tensor, as_tensor, promoted, to_float
from torchkeras_lite.ops.nan_reductions import middle, order_quantile
from torchkeras_lite.ops.reductions import checked_axis


@operation
def sort(x, axis=-1):
    """Return the values in ascending order along `axis`; `None` sorts the flattened tensor."""
    x = as_tensor(x)
    flat, dim = (x.reshape(-1), -1) if axis is None else (x, checked_axis(x, axis))
    return torch.sort(flat, dim=dim, stable=True).values


@operation
def argsort(x, axis=-1):
    """Return the places of the values in ascending order, as `int32`; equal values keep their order."""
    x = as_tensor(x)
    flat, dim = (x.reshape(-1), -1) if axis is None else (x, checked_axis(x, axis))
    return torch.argsort(flat, dim=dim, stable=True).to(torch.int32)


@operation
def argpartition(x, kth, axis=-1):
    """Return places, as `int32`, so that smaller values come before the `kth` and larger ones behind it.

    Args:
        x: Tensor.
        kth: Place, in sorted order, of the value that is to stand where it belongs.
        axis: Axis; `None`: the flattened tensor.
    """
    x = as_tensor(x)
    flat, dim = (x.reshape(-1), -1) if axis is None else (x, checked_axis(x, axis))
    size = flat.shape[dim]
    if not -size <= kth < size:
        raise ValueError(f"argpartition: `kth` must be a place among {size} values, got kth={kth}.")
    return torch.argsort(flat, dim=dim, stable=True).to(torch.int32)


@operation
def median(x, axis=None, keepdims=False):
    """Return the median, of an even number of values the mean of the middle two.

    Args:
        x: Tensor.
        axis: Axis, tuple of axes, or `None` for all.
        keepdims: Whether reduced axes stay, with size 1.
    """
    return middle(x, axis, keepdims, skip_nan=False)


@operation(tensors=2)
def quantile(x, q, axis=None, method="linear", keepdims=False):
    """Return quantiles.

    Args:
        x: Tensor.
        q: Fractions in [0, 1], a number or a tensor, whose axes come first in the result.
        axis: Axis, tuple of axes, or `None` for all.
        method: How a value between two others is found: `"linear"`, `"lower"`, `"higher"`, `"midpoint"` or
            `"nearest"`.
        keepdims: Whether reduced axes stay, with size 1.
    """
    return order_quantile(torch.quantile, x, q, axis, method, keepdims)


@operation(tensors=2)
def percentile(x, q, axis=None, method="linear", keepdims=False):
    """Return percentiles: quantiles for `q` in [0, 100]. See `quantile` for the arguments."""
    return order_quantile(torch.quantile, x, to_float(q) / 100, axis, method, keepdims)


@operation(tensors=2, name="SearchSorted")
def searchsorted(sorted_sequence, values, side="left"):
    """Return where `values` would have to be put into sorted values to keep them sorted, as `int32`.

    Args:
        sorted_sequence: Tensor of one axis in ascending order.
        values: Tensor of any shape.
        side: `"left"` of values that are equal, or `"right"`.

    Raises:
        ValueError: `sorted_sequence` has more than one axis, or another `side`.
    """
    sequence, values = promoted(sorted_sequence, values)
    if sequence.ndim != 1:
        raise ValueError(
            "searchsorted: `sorted_sequence` must be a 1-D tensor, got one of shape "
            f"{tuple(sequence.shape)}. Call it once a row."
        )
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: `side` must be 'left' or 'right', got side={side!r}.")
    return torch.searchsorted(sequence, values.contiguous(), side=side, out_int32=True)


@operation(tensors=2)
def digitize(x, bins):
    """Return the number of the bin that each value lies in, as `int32`.

    Args:
        x: Tensor.
        bins: Ascending edges; values below the first are in bin 0, those from the last on in bin
            `len(bins)`.
    """
    x, bins = as_tensor(x), as_tensor(bins)
    if bins.ndim != 1:
        raise ValueError(f"digitize: `bins` must have one axis, got shape {tuple(bins.shape)}.")
    x = x.to(torch.int32) if x.dtype is torch.bool else x
    return torch.bucketize(x.contiguous(), bins.to(x.device), right=True, out_int32=True)


@operation
def histogram(x, bins=10, range=None):
    """Return how many values lie in each bin (as floats), and the edges of the bins.

    Args:
        x: Tensor with one axis; of more, pass `ravel(x)`.
        bins: Number of bins of equal width, or a tensor of ascending edges.
        range: `(lowest, highest)` edge for a number of bins; `None`: the extremes of `x`.

    Raises:
        ValueError: `x` has more than one axis; `bins` is no positive integer; `range` is not a pair in
            ascending order.
    """
    x = to_float(x).detach()
    if x.ndim > 1:
        raise ValueError(
            f"histogram: Input tensor must be 1-dimensional, got shape {tuple(x.shape)}. Pass `ops.ravel(x)`."
        )
    if isinstance(bins, (Tensor, list, tuple)) or hasattr(bins, "shape"):
        edges = as_tensor(bins).to(x.device, x.dtype)
    else:
        edges = _edges(x, bins, range)
    flat = x.reshape(-1)
    inside = flat[(flat >= edges[0]) & (flat <= edges[-1])]
    places = torch.bucketize(inside, edges[1:-1].contiguous(), right=True)
    return torch.bincount(places, minlength=edges.numel() - 1).to(x.dtype), edges


def _edges(x, bins, limits):
    if isinstance(bins, bool) or not isinstance(bins, int) or bins <= 0:
        raise ValueError(
            f"histogram: Argument `bins` should be a non-negative integer, above 0, got bins={bins!r}."
        )
    if limits:
        if len(limits) != 2:
            raise ValueError(
                "histogram: Argument `range` must be a tuple of two elements, (lowest, highest), got "
                f"{limits!r}."
            )
        if limits[0] > limits[1]:
            raise ValueError(
                f"histogram: The second element of `range` must be greater than the first, got {limits!r}."
            )
        low, high = float(limits[0]), float(limits[1])
    elif x.numel() and not x.is_meta:
        low, high = float(x.min()), float(x.max())
    else:
        low, high = 0.0, 1.0
    if low == high:
        low, high = low - 0.5, high + 0.5
    return torch.linspace(low, high, bins + 1, dtype=x.dtype, device=x.device)


@operation
def bincount(x, weights=None, minlength=0, sparse=False):
    """Return how often each integer from 0 on occurs, or the sum of its weights.

    Args:
        x: Tensor of integers of 0 or more, with one axis or two; of two, each row is counted on its own.
        weights: A weight for each integer.
        minlength: The least length of the result; needed inside a symbolic model.
        sparse: Refused where true: torch's graph has no sparse tensors here.

    Raises:
        ValueError: `sparse=True`.
        TypeError: `x` holds no integers.
    """
    if sparse:
        raise ValueError("bincount: sparse results have no counterpart here; pass sparse=False.")
    x = as_tensor(x)
    if x.is_floating_point() or x.dtype is torch.bool:
        raise TypeError(f"bincount: `x` must hold integers, got dtype {x.dtype}. Cast it.")
    weights = None if weights is None else as_tensor(weights).to(x.device)
    if x.is_meta:
        dtype = torch.int32 if weights is None else weights.dtype
        return torch.empty(*x.shape[:-1], minlength, dtype=dtype, device=x.device)
    if x.ndim == 1:
        counts = torch.bincount(x, weights, minlength)
    else:
        length = max(minlength, int(x.max()) + 1 if x.numel() else 0)
        offsets = torch.arange(x.shape[0], device=x.device).unsqueeze(-1) * length
        flat = None if weights is None else weights.reshape(-1)
        counts = torch.bincount((x + offsets).reshape(-1), flat, x.shape[0] * length)
        counts = counts.reshape(x.shape[0], length)
    return counts.to(torch.int32 if weights is None else weights.dtype)


@operation
def unique(
    x,
    sorted=True,
    return_index=False,
    return_inverse=False,
    return_counts=False,
    axis=None,
    size=None,
    fill_value=None,
):
    """Return the distinct values, and what else is asked for, in this order, as a tuple.

    Args:
        x: Tensor.
        sorted: Whether the values come in ascending order.
        return_index: Also return where each value first occurs.
        return_inverse: Also return, for each value of `x`, its place in the result.
        return_counts: Also return how often each value occurs.
        axis: Axis whose slices are compared; `None`: the values.
        size: Length of the result, so that its shape is known: cut off, or filled up.
        fill_value: What it is filled up with; `None`: 0.
    """
    x = as_tensor(x)
    flat, dim = (x.reshape(-1), 0) if axis is None else (x, checked_axis(x, axis))
    values, inverse, counts = torch.unique(
        flat, sorted=True, return_inverse=True, return_counts=True, dim=dim
    )
    results = [values]
    if return_index:
        places = torch.arange(flat.shape[dim], device=x.device)
        first = torch.full((values.shape[dim],), flat.shape[dim], device=x.device)
        results.append(first.scatter_reduce(0, inverse, places, "amin"))
    if return_counts:
        results.append(counts)
    if size is not None:
        fills = [fill_value, *[0] * (len(results) - 1)]
        if return_index and flat.shape[dim]:
            fills[1] = results[1][0]
        dims = [dim, *[0] * (len(results) - 1)]
        results = [_resize(*given, size) for given in zip(results, dims, fills, strict=True)]
    if return_inverse:
        inverse = inverse.reshape(x.shape) if axis is None else inverse
        results.insert(1 + return_index, inverse)
    results = [results[0], *(r.to(torch.int32) for r in results[1:])]
    return results[0] if len(results) == 1 else tuple(results)


def _unique_spec(
    x,
    sorted=True,
    return_index=False,
    return_inverse=False,
    return_counts=False,
    axis=None,
    size=None,
    fill_value=None,
):
    place = None if axis is None else axis % x.ndim
    shape = [size] if axis is None else [size if d == place else length for d, length in enumerate(x.shape)]
    inverse = x.shape if axis is None else (x.shape[axis],)
    asked = ((return_index, (size,)), (return_inverse, inverse), (return_counts, (size,)))
    results = [KerasTensor(shape, x.dtype), *(KerasTensor(s, "int32") for wanted, s in asked if wanted)]
    return results[0] if len(results) == 1 else tuple(results)


unique.compute_output_spec = _unique_spec


def _resize(x, dim, fill, size):
    if x.shape[dim] >= size:
        return x.narrow(dim, 0, size)
    missing = list(x.shape)
    missing[dim] = size - x.shape[dim]
    filling = fill.expand(missing) if isinstance(fill, Tensor) else x.new_full(missing, fill or 0)
    return torch.cat([x, filling], dim)
