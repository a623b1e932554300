"""Shapes, joining, splitting, repeating, padding and ordering."""

import numpy as np
import torch

from torchkeras_lite import ops
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.conversion import convert, convert_beside, sizes
from torchkeras_lite.tf.tensor import wrap
from torchkeras_lite.tf.text import StringTensor


def shape(input, out_type=dtypes.int32, name=None):
    """Return the shape of `input` as a tensor of integers.

    Differs: of a symbolic tensor it returns a tuple with `None` for unknown sizes, as `keras.ops.shape` does.
    """
    input = convert(input)
    if None in input.shape or not isinstance(input, (torch.Tensor, StringTensor)):
        return ops.shape(input)
    return wrap(torch.tensor(tuple(input.shape), dtype=dtypes.as_dtype(out_type)))


def rank(input, name=None):
    """Return the number of axes, a tensor."""
    return wrap(torch.tensor(convert(input).ndim, dtype=torch.int32))


def size(input, out_type=dtypes.int32, name=None):
    """Return the number of values, a tensor."""
    count = int(np.prod(tuple(convert(input).shape)))
    return wrap(torch.tensor(count, dtype=dtypes.as_dtype(out_type)))


def _text(function):
    """Let a NumPy function do for text what torch does for numbers."""
    return lambda x, *args, **kwargs: StringTensor(function(x.view(np.ndarray), *args, **kwargs))


def reshape(tensor, shape, name=None):
    """Return the values in another shape; one size may be -1."""
    tensor = convert(tensor)
    if isinstance(tensor, (torch.Tensor, StringTensor)):
        return tensor.reshape(sizes(shape))
    return ops.reshape(tensor, tuple(shape))


def transpose(a, perm=None, conjugate=False, name="transpose"):
    """Return `a` with its axes in another order; `None`: reversed."""
    a = convert(a)
    if isinstance(a, StringTensor):
        return _text(np.transpose)(a, perm)
    a = a.permute(tuple(reversed(range(a.ndim))) if perm is None else sizes(perm))
    return torch.conj(a).resolve_conj() if conjugate else a


def expand_dims(input, axis, name=None):
    """Return `input` with a new axis of size 1."""
    input = convert(input)
    return (
        _text(np.expand_dims)(input, axis) if isinstance(input, StringTensor) else input.unsqueeze(int(axis))
    )


def squeeze(input, axis=None, name=None):
    """Return `input` without axes of size 1, all or those in `axis`."""
    input = convert(input)
    if isinstance(input, StringTensor):
        return _text(np.squeeze)(input, None if axis is None else sizes(axis))
    return ops.squeeze(input, axis if axis is None or isinstance(axis, int) else sizes(axis))


def _alike(values):
    """Return a list of tensors in one dtype: Python's numbers take that of the tensors."""
    values = list(values) if isinstance(values, (list, tuple)) else list(convert(values))
    first = next((value for value in values if hasattr(value, "dtype")), None)
    return [convert(value) if first is None else convert_beside(value, first) for value in values]


def concat(values, axis, name="concat"):
    """Return tensors joined along an axis."""
    values = _alike(values if isinstance(values, (list, tuple)) else [values])
    if isinstance(values[0], StringTensor):
        return StringTensor(np.concatenate([value.view(np.ndarray) for value in values], int(axis)))
    return ops.concatenate(values, int(axis))


def stack(values, axis=0, name="stack"):
    """Return tensors of one shape joined along a new axis."""
    values = _alike(values)
    if isinstance(values[0], StringTensor):
        return StringTensor(np.stack([value.view(np.ndarray) for value in values], axis))
    return wrap(ops.stack(values, axis))


def unstack(value, num=None, axis=0, name="unstack"):
    """Return the slices along an axis as a list."""
    value = convert(value)
    return list(np.moveaxis(value, axis, 0)) if isinstance(value, StringTensor) else list(value.unbind(axis))


def split(value, num_or_size_splits, axis=0, num=None, name="split"):
    """Return parts of a tensor along an axis: so many equal ones, or of the sizes given (one may be -1)."""
    value = convert(value)
    length = value.shape[axis]
    if isinstance(num_or_size_splits, int):
        if length % num_or_size_splits:
            raise ValueError(f"split: axis {axis} of size {length} has no {num_or_size_splits} equal parts.")
        parts = [length // num_or_size_splits] * num_or_size_splits
    else:
        parts = list(sizes(num_or_size_splits))
        if -1 in parts:
            parts[parts.index(-1)] = length - sum(parts) - 1
    if isinstance(value, StringTensor):
        return list(map(StringTensor, np.split(value.view(np.ndarray), np.cumsum(parts)[:-1], axis)))
    return list(torch.split(value, parts, axis))


def tile(input, multiples, name=None):
    """Return `input` repeated so often along each axis."""
    input = convert(input)
    return (
        _text(np.tile)(input, sizes(multiples))
        if isinstance(input, StringTensor)
        else torch.tile(input, sizes(multiples))
    )


def repeat(input, repeats, axis=None, name=None):
    """Return `input` with each slice repeated; `axis=None`: each value of the flattened tensor."""
    input = convert(input)
    counts = repeats if isinstance(repeats, int) else sizes(repeats)
    if isinstance(input, StringTensor):
        return _text(np.repeat)(input, counts, axis)
    counts = counts if isinstance(counts, int) or len(counts) > 1 else counts[0]
    if isinstance(counts, tuple):
        counts = torch.tensor(counts, device=input.device)
    return torch.repeat_interleave(input, counts, axis)


def broadcast_to(input, shape, name=None):
    """Return `input` stretched to a shape."""
    return torch.broadcast_to(convert(input), sizes(shape))


def broadcast_static_shape(shape_x, shape_y):
    """Return the shape that two shapes broadcast to."""
    return tuple(torch.broadcast_shapes(tuple(shape_x), tuple(shape_y)))


def ensure_shape(x, shape, name=None):
    """Return `x`, and raise `ValueError` unless its shape fits `shape`, which may have `None`."""
    x = convert(x)
    given = tuple(x.shape)
    if shape is not None and (
        len(given) != len(shape) or any(b is not None and a != b for a, b in zip(given, shape, strict=True))
    ):
        raise ValueError(f"Shape of tensor {given} is not compatible with expected shape {tuple(shape)}.")
    return x


def pad(tensor, paddings, mode="CONSTANT", constant_values=0, name=None):
    """Return `tensor` with a border.

    Args:
        tensor: The tensor.
        paddings: Widths before and after, a pair for each axis.
        mode: `"CONSTANT"`, `"REFLECT"` or `"SYMMETRIC"`.
        constant_values: The value of a constant border.
        name: Accepted as in TensorFlow.
    """
    widths = [tuple(int(width) for width in pair) for pair in convert(paddings).tolist()]
    if mode.lower() == "constant":
        return ops.pad(convert(tensor), widths, constant_values=constant_values)
    return ops.pad(convert(tensor), widths, mode=mode.lower())


def reverse(tensor, axis, name=None):
    """Return `tensor` with the order along some axes reversed."""
    tensor = convert(tensor)
    return (
        _text(np.flip)(tensor, sizes(axis)) if isinstance(tensor, StringTensor) else tensor.flip(sizes(axis))
    )


def roll(input, shift, axis, name=None):
    """Return `input` shifted along axes; what falls out comes in at the other end."""
    return torch.roll(convert(input), sizes(shift), sizes(axis))


def sort(values, axis=-1, direction="ASCENDING", name=None):
    """Return the values in order along an axis."""
    values = convert(values)
    return torch.sort(values, axis, descending=_descending(direction))[0]


def argsort(values, axis=-1, direction="ASCENDING", stable=False, name=None):
    """Return the positions (`int32`) of the values in order along an axis; equal ones keep theirs."""
    order = torch.argsort(convert(values), dim=axis, descending=_descending(direction), stable=True)
    return order.to(torch.int32)


def _descending(direction):
    if direction not in ("ASCENDING", "DESCENDING"):
        raise ValueError(f"`direction` must be 'ASCENDING' or 'DESCENDING', got {direction!r}.")
    return direction == "DESCENDING"


def searchsorted(sorted_sequence, values, side="left", out_type=dtypes.int32, name=None):
    """Return where values would be put into a sorted sequence."""
    sequence = convert(sorted_sequence)
    places = torch.searchsorted(sequence, convert_beside(values, sequence), side=side)
    return places.to(dtypes.as_dtype(out_type))


def identity(input, name=None):
    """Return a tensor with the same values, which may be changed in place."""
    input = convert(input)
    return StringTensor(input) if isinstance(input, StringTensor) else input.clone()


__all__ = [
    "argsort",
    "broadcast_static_shape",
    "broadcast_to",
    "concat",
    "ensure_shape",
    "expand_dims",
    "identity",
    "pad",
    "rank",
    "repeat",
    "reshape",
    "reverse",
    "roll",
    "searchsorted",
    "shape",
    "size",
    "sort",
    "split",
    "squeeze",
    "stack",
    "tile",
    "transpose",
    "unstack",
]
