"""Values by position: gather, scatter, masks, slices, unique values."""

import builtins

import numpy as np
import torch

from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.conversion import convert, convert_beside, sizes
from torchkeras_lite.tf.text import StringTensor


def gather(params, indices, validate_indices=None, axis=None, batch_dims=0, name=None):
    """Return the slices of `params` at `indices` along an axis.

    Args:
        params: Tensor, variable or text.
        indices: Integers of any shape, which takes the place of the axis.
        validate_indices: Accepted as in TensorFlow; torch always checks.
        axis: The axis; `None`: the one after the batch axes.
        batch_dims: How many leading axes `params` and `indices` share.
        name: Accepted as in TensorFlow.
    """
    params, indices = convert(params), convert(indices).long()
    axis = batch_dims if axis is None else axis % params.ndim
    if isinstance(params, StringTensor):
        return StringTensor(np.take(params.view(np.ndarray), indices.cpu(), axis))
    if not batch_dims:
        found = params.index_select(axis, indices.reshape(-1))
        return found.reshape((*params.shape[:axis], *indices.shape, *params.shape[axis + 1 :]))
    pairs = zip(params, indices, strict=True)
    return torch.stack([gather(p, i, axis=axis - 1, batch_dims=batch_dims - 1) for p, i in pairs])


def gather_nd(params, indices, batch_dims=0, name=None, bad_indices_policy=""):
    """Return the values or slices of `params` at index tuples, the last axis of `indices`."""
    params, indices = convert(params), convert(indices).long()
    if batch_dims:
        pairs = zip(params, indices, strict=True)
        return torch.stack([gather_nd(p, i, batch_dims - 1) for p, i in pairs])
    return params[tuple(indices.unbind(-1))]


def boolean_mask(tensor, mask, axis=None, name="boolean_mask"):
    """Return the values or slices where a mask over the axes from `axis` on is true."""
    tensor, mask = convert(tensor), convert(mask)
    return tensor[(builtins.slice(None),) * (axis or 0) + (mask,)]


def where(condition, x=None, y=None, name=None):
    """Return `x` where the condition holds and `y` elsewhere; without both, the positions where it holds."""
    condition = convert(condition)
    if (x is None) != (y is None):
        raise ValueError("x and y must both be given or both be left out.")
    if x is None:
        return torch.argwhere(condition)
    condition = condition if condition.dtype is torch.bool else condition != 0
    x, y = convert_beside(x, y), convert_beside(y, x)
    if isinstance(x, StringTensor):
        return StringTensor(np.where(condition.cpu(), x.view(np.ndarray), y.view(np.ndarray)))
    return torch.where(condition, x, y)


def slice(input_, begin, size, name=None):
    """Return a block of `input_` from `begin` on; a size of -1 goes to the end."""
    input_ = convert(input_)
    spans = zip(sizes(begin), sizes(size), strict=True)
    return input_[tuple(builtins.slice(a, None if n == -1 else a + n) for a, n in spans)]


def strided_slice(input_, begin, end, strides=None, name=None):
    """Return every `strides`-th value of a block of `input_` from `begin` to before `end`."""
    begin, end = sizes(begin), sizes(end)
    strides = (1,) * len(begin) if strides is None else sizes(strides)
    return convert(input_)[tuple(map(builtins.slice, begin, end, strides))]


def scatter_nd(indices, updates, shape, name=None):
    """Return zeros of a shape with `updates` added at index tuples, the last axis of `indices`."""
    updates = convert(updates)
    zeros = torch.zeros(sizes(shape), dtype=updates.dtype, device=updates.device)
    return tensor_scatter_nd_add(convert(zeros), indices, updates)


def tensor_scatter_nd_add(tensor, indices, updates, name=None):
    """Return `tensor` with `updates` added at index tuples."""
    return _scattered(tensor, indices, updates, accumulate=True)


def tensor_scatter_nd_sub(tensor, indices, updates, name=None):
    """Return `tensor` with `updates` subtracted at index tuples."""
    return _scattered(tensor, indices, -convert(updates), accumulate=True)


def tensor_scatter_nd_update(tensor, indices, updates, name=None):
    """Return `tensor` with `updates` in the place of what is at index tuples."""
    return _scattered(tensor, indices, updates, accumulate=False)


def _scattered(tensor, indices, updates, accumulate):
    tensor = convert(tensor)
    updates = convert_beside(updates, tensor).to(tensor.dtype)
    return tensor.index_put(tuple(convert(indices).long().unbind(-1)), updates, accumulate=accumulate)


def unique(x, out_idx=dtypes.int32, name=None):
    """Return the different values of a vector in the order in which they come, and each value's place."""
    return unique_with_counts(x, out_idx)[:2]


def unique_with_counts(x, out_idx=dtypes.int32, name=None):
    """Return the different values of a vector, the place of each value, and how often each comes."""
    x = convert(x)
    cells = x.numpy().tolist()
    order = {value: place for place, value in enumerate(dict.fromkeys(cells))}
    values = (
        StringTensor(list(order))
        if isinstance(x, StringTensor)
        else convert(list(order), x.dtype).to(x.device)
    )
    places = convert([order[value] for value in cells], out_idx)
    counts = torch.bincount(places, minlength=len(order)).to(dtypes.as_dtype(out_idx))
    return values, places, counts


def dynamic_partition(data, partitions, num_partitions, name=None):
    """Return the slices with each number below `num_partitions`, a list of tensors."""
    data, partitions = convert(data), convert(partitions)
    return [data[partitions == number] for number in range(num_partitions)]


def dynamic_stitch(indices, data, name=None):
    """Return the slices of several tensors, each at the place that its index tells."""
    places = torch.cat([convert(part).reshape(-1).long() for part in indices])
    parts = [convert(part) for part in data]
    tail = parts[0].shape[convert(indices[0]).ndim :]
    rows = torch.cat([part.reshape(-1, *tail) for part in parts])
    stitched = torch.zeros(int(places.max()) + 1, *tail, dtype=rows.dtype, device=rows.device)
    return convert(stitched).index_put((places,), rows)


def invert_permutation(x, name=None):
    """Return the permutation that undoes `x`."""
    return torch.argsort(convert(x)).to(convert(x).dtype)


__all__ = [
    "boolean_mask",
    "dynamic_partition",
    "dynamic_stitch",
    "gather",
    "gather_nd",
    "invert_permutation",
    "scatter_nd",
    "slice",
    "strided_slice",
    "tensor_scatter_nd_add",
    "tensor_scatter_nd_sub",
    "tensor_scatter_nd_update",
    "unique",
    "unique_with_counts",
    "where",
]
