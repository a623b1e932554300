"""Sums, means and their like over axes, positions of extremes, running sums, counts."""

import torch

from torchkeras_lite import ops
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.conversion import convert, sizes
from torchkeras_lite.tf.tensor import wrap
from torchkeras_lite.tf.text import StringTensor


def _axes(x, axis):
    """Return the axes to reduce, a tuple; `None`: all of them."""
    if axis is None:
        return tuple(range(x.ndim))
    return sizes(axis)


def _reduced(compute, x, axis, keepdims):
    x = convert(x)
    axes = _axes(x, axis)
    return compute(x, axes, bool(keepdims)) if axes else compute(x.unsqueeze(0), (0,), False)


def reduce_sum(input_tensor, axis=None, keepdims=False, name=None):
    """Return the sum over `axis`, in the dtype of the input."""
    return _reduced(lambda x, d, k: torch.sum(x, d, k, dtype=x.dtype), input_tensor, axis, keepdims)


def reduce_mean(input_tensor, axis=None, keepdims=False, name=None):
    """Return the mean over `axis`, in the dtype of the input: that of integers is cut to an integer."""
    return _reduced(_mean, input_tensor, axis, keepdims)


def _mean(x, dim, keepdim):
    if x.is_floating_point() or x.is_complex():
        return torch.mean(x, dim, keepdim)
    return torch.mean(x.double(), dim, keepdim).trunc().to(x.dtype)


def reduce_prod(input_tensor, axis=None, keepdims=False, name=None):
    """Return the product over `axis`, in the dtype of the input."""
    x = convert(input_tensor)
    for dim in sorted((one % max(x.ndim, 1) for one in _axes(x, axis)), reverse=True):
        x = torch.prod(x, dim, keepdim=bool(keepdims), dtype=x.dtype)
    return x


def reduce_max(input_tensor, axis=None, keepdims=False, name=None):
    """Return the greatest value over `axis`."""
    return _reduced(torch.amax, input_tensor, axis, keepdims)


def reduce_min(input_tensor, axis=None, keepdims=False, name=None):
    """Return the smallest value over `axis`."""
    return _reduced(torch.amin, input_tensor, axis, keepdims)


def reduce_all(input_tensor, axis=None, keepdims=False, name=None):
    """Return whether all values over `axis` are true."""
    return _reduced(torch.all, input_tensor, axis, keepdims)


def reduce_any(input_tensor, axis=None, keepdims=False, name=None):
    """Return whether any value over `axis` is true."""
    return _reduced(torch.any, input_tensor, axis, keepdims)


def reduce_logsumexp(input_tensor, axis=None, keepdims=False, name=None):
    """Return the logarithm of the sum of the exponentials over `axis`."""
    return _reduced(torch.logsumexp, input_tensor, axis, keepdims)


def reduce_variance(input_tensor, axis=None, keepdims=False, name=None):
    """Return the variance over `axis`, divided by the number of values."""
    return _reduced(
        lambda x, d, k: torch.var(x, d, correction=0, keepdim=k), _float(input_tensor), axis, keepdims
    )


def reduce_std(input_tensor, axis=None, keepdims=False, name=None):
    """Return the standard deviation over `axis`, the root of `reduce_variance`."""
    return _reduced(
        lambda x, d, k: torch.std(x, d, correction=0, keepdim=k), _float(input_tensor), axis, keepdims
    )


def _float(x):
    x = convert(x)
    if x.is_floating_point() or x.is_complex():
        return x
    raise TypeError(f"Input must be either real or complex, got {x.dtype}. Cast it: tf.cast(x, tf.float32).")


def reduce_euclidean_norm(input_tensor, axis=None, keepdims=False, name=None):
    """Return the root of the sum of squares over `axis`."""
    return torch.sqrt(reduce_sum(torch.square(convert(input_tensor)), axis, keepdims))


def count_nonzero(input, axis=None, keepdims=None, dtype=dtypes.int64, name=None):
    """Return how many values over `axis` are not zero (or not empty, for text)."""
    input = convert(input)
    nonzero = input != "" if isinstance(input, StringTensor) else input != 0
    return reduce_sum(nonzero.to(dtypes.as_dtype(dtype)), axis, keepdims or False)


def argmax(input, axis=None, output_type=dtypes.int64, name=None):
    """Return the position of the first greatest value along `axis` (`None`: 0)."""
    return _place(torch.argmax, input, axis, output_type)


def argmin(input, axis=None, output_type=dtypes.int64, name=None):
    """Return the position of the first smallest value along `axis` (`None`: 0)."""
    return _place(torch.argmin, input, axis, output_type)


def _place(find, x, axis, output_type):
    x = convert(x)
    x = x.to(torch.uint8) if x.dtype is torch.bool else x
    return find(x, 0 if axis is None else int(axis)).to(dtypes.as_dtype(output_type))


def cumsum(x, axis=0, exclusive=False, reverse=False, name=None):
    """Return running sums along `axis`; `exclusive`: without the value itself; `reverse`: from the end."""
    return _running(torch.cumsum, x, axis, exclusive, reverse, 0)


def cumprod(x, axis=0, exclusive=False, reverse=False, name=None):
    """Return running products along `axis`; see `cumsum`."""
    return _running(torch.cumprod, x, axis, exclusive, reverse, 1)


def _running(compute, x, axis, exclusive, reverse, neutral):
    x, axis = convert(x), int(axis)
    x = x.flip(axis) if reverse else x
    result = compute(x, axis, dtype=x.dtype)
    if exclusive:
        first = torch.full_like(result.narrow(axis, 0, 1), neutral)
        result = torch.cat([first, result.narrow(axis, 0, x.shape[axis] - 1)], axis)
    return result.flip(axis) if reverse else result


def cumulative_logsumexp(x, axis=0, exclusive=False, reverse=False, name=None):
    """Return running logarithms of sums of exponentials along `axis`; see `cumsum`."""
    compute = lambda x, axis, dtype: torch.logcumsumexp(x, axis)
    return _running(compute, x, axis, exclusive, reverse, -float("inf"))


def bincount(arr, weights=None, minlength=None, maxlength=None, dtype=dtypes.int32, name=None, axis=None):
    """Return how often each number from 0 comes, or the sum of its weights.

    Args:
        arr: Numbers from 0.
        weights: A weight for each.
        minlength, maxlength: Least and greatest number of counts.
        dtype: Dtype of counts without weights.
        name: Accepted as in TensorFlow.
        axis: `-1` counts every row by itself; `None` and 0 all values.
    """
    arr = convert(arr)
    if axis == -1 and arr.ndim > 1:
        least = max(int(arr.max()) + 1, minlength or 0)
        rows = [None] * len(arr) if weights is None else convert(weights)
        return torch.stack([bincount(a, w, least, maxlength, dtype) for a, w in zip(arr, rows, strict=True)])
    arr = arr.reshape(-1)
    weights = None if weights is None else convert(weights).reshape(-1)
    if maxlength is not None:
        kept = arr < maxlength
        arr, weights = arr[kept], None if weights is None else weights[kept]
    counts = torch.bincount(arr, weights, minlength or 0)
    return counts.to(dtypes.as_dtype(dtype) if weights is None else weights.dtype)


def confusion_matrix(labels, predictions, num_classes=None, weights=None, dtype=dtypes.int32, name=None):
    """Return how often each label (row) was predicted as each class (column)."""
    labels, predictions = convert(labels).reshape(-1).long(), convert(predictions).reshape(-1).long()
    count = int(num_classes or torch.maximum(labels.max(), predictions.max()) + 1)
    cells = labels * count + predictions
    weights = None if weights is None else convert(weights).reshape(-1)
    return torch.bincount(cells, weights, count * count).reshape(count, count).to(dtypes.as_dtype(dtype))


def histogram_fixed_width(values, value_range, nbins=100, dtype=dtypes.int32, name=None):
    """Return how many values fall into each of `nbins` equal parts of a range, or beyond its ends."""
    values = convert(values)
    low, high = (float(limit) for limit in value_range)
    bins = torch.floor((values - low) / (high - low) * nbins).long().clamp(0, nbins - 1)
    return torch.bincount(bins.reshape(-1), minlength=nbins).to(dtypes.as_dtype(dtype))


def segment_sum(data, segment_ids, name=None):
    """Return the sum of the slices with each number, which must not fall."""
    return ops.segment_sum(convert(data), convert(segment_ids))


def segment_max(data, segment_ids, name=None):
    """Return the maximum of the slices with each number."""
    return ops.segment_max(convert(data), convert(segment_ids))


def segment_min(data, segment_ids, name=None):
    """Return the minimum of the slices with each number."""
    return ops.segment_min(convert(data), convert(segment_ids))


def segment_mean(data, segment_ids, name=None):
    """Return the mean of the slices with each number."""
    return unsorted_segment_mean(data, segment_ids, int(convert(segment_ids).max()) + 1)


def unsorted_segment_sum(data, segment_ids, num_segments, name=None):
    """Return the sum of the slices with each number below `num_segments`, in any order."""
    return ops.segment_sum(convert(data), convert(segment_ids), int(num_segments))


def unsorted_segment_max(data, segment_ids, num_segments, name=None):
    """Return the maximum of the slices with each number, in any order."""
    return ops.segment_max(convert(data), convert(segment_ids), int(num_segments))


def unsorted_segment_min(data, segment_ids, num_segments, name=None):
    """Return the minimum of the slices with each number, in any order."""
    return ops.segment_min(convert(data), convert(segment_ids), int(num_segments))


def unsorted_segment_mean(data, segment_ids, num_segments, name=None):
    """Return the mean of the slices with each number, in any order; 0 for numbers without slices."""
    data, segment_ids = convert(data), convert(segment_ids)
    sums = unsorted_segment_sum(data, segment_ids, num_segments)
    counts = torch.bincount(segment_ids.reshape(-1), minlength=int(num_segments)).clamp(min=1)
    return sums / counts.reshape(-1, *[1] * (sums.ndim - 1)).to(sums.dtype)


def top_k(input, k=1, sorted=True, name=None):
    """Return the `k` greatest values along the last axis, and their positions (`int32`)."""
    values, indices = torch.topk(convert(input), int(k), sorted=sorted)
    return TopK(values, indices.to(torch.int32))


class TopK(tuple):
    """A pair of `values` and `indices`."""

    __slots__ = ()

    def __new__(cls, values, indices):
        """Make the pair."""
        return super().__new__(cls, (values, indices))

    values = property(lambda self: self[0], doc="The values.")
    indices = property(lambda self: self[1], doc="Their positions.")


def in_top_k(targets, predictions, k, name=None):
    """Return whether each target is among the `k` greatest predictions of its row."""
    return wrap(ops.in_top_k(convert(targets), convert(predictions), int(k)))


__all__ = [
    "argmax",
    "argmin",
    "bincount",
    "confusion_matrix",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "cumulative_logsumexp",
    "histogram_fixed_width",
    "in_top_k",
    "reduce_all",
    "reduce_any",
    "reduce_euclidean_norm",
    "reduce_logsumexp",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_std",
    "reduce_sum",
    "reduce_variance",
    "segment_max",
    "segment_mean",
    "segment_min",
    "segment_sum",
    "top_k",
    "unsorted_segment_max",
    "unsorted_segment_mean",
    "unsorted_segment_min",
    "unsorted_segment_sum",
]
