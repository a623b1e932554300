"""New tensors: filled, counted, one-hot."""

import numpy as np
import torch

from torchkeras_lite import ops
from torchkeras_lite.base.device import default_device
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.conversion import convert, convert_beside, sizes
from torchkeras_lite.tf.tensor import wrap
from torchkeras_lite.tf.text import StringTensor


def _filled(shape, value, dtype):
    dtype = dtypes.as_dtype(dtype)
    if dtype == dtypes.string:
        return StringTensor(np.full(sizes(shape), "", dtype=object))
    return wrap(torch.full(sizes(shape), value, dtype=dtype, device=default_device()))


def zeros(shape, dtype=dtypes.float32, name=None, layout=None):
    """Return a tensor of zeros; of empty text with `tf.string`."""
    return _filled(shape, 0, dtype)


def ones(shape, dtype=dtypes.float32, name=None, layout=None):
    """Return a tensor of ones."""
    return _filled(shape, 1, dtype)


def fill(dims, value, name=None, layout=None):
    """Return a tensor of shape `dims`, filled with one value."""
    value = convert(value)
    if isinstance(value, StringTensor):
        return StringTensor(np.full(sizes(dims), value.numpy(), dtype=object))
    return value.expand(sizes(dims)).clone()


def zeros_like(input, dtype=None, name=None, layout=None):
    """Return zeros in the shape of `input`, and in its dtype unless another is given."""
    input = convert(input)
    if isinstance(input, StringTensor):
        return _filled(input.shape, 0, dtype or dtypes.string)
    return torch.zeros_like(input, dtype=None if dtype is None else dtypes.as_dtype(dtype))


def ones_like(input, dtype=None, name=None, layout=None):
    """Return ones in the shape of `input`, and in its dtype unless another is given."""
    return torch.ones_like(convert(input), dtype=None if dtype is None else dtypes.as_dtype(dtype))


def eye(num_rows, num_columns=None, batch_shape=None, dtype=dtypes.float32, name=None):
    """Return an identity matrix, repeated over `batch_shape`."""
    columns = num_rows if num_columns is None else num_columns
    matrix = wrap(
        torch.eye(int(num_rows), int(columns), dtype=dtypes.as_dtype(dtype), device=default_device())
    )
    return matrix if batch_shape is None else matrix.expand(*sizes(batch_shape), -1, -1).clone()


def range(start, limit=None, delta=1, dtype=None, name="range"):
    """Return the numbers from `start` (0 where only a limit is given) to before `limit`, by `delta`.

    The dtype is `int32` for integers, `float32` for other numbers, that of the arguments for tensors.
    """
    if limit is None:
        start, limit = 0, start
    parts = (start, limit, delta)
    if dtype is None:
        kinds = [convert(part).dtype for part in parts]
        dtype = kinds[0]
        for kind in kinds[1:]:
            dtype = torch.promote_types(dtype, kind)
    start, limit, delta = (part.item() if hasattr(part, "item") else part for part in parts)
    return wrap(torch.arange(start, limit, delta, dtype=dtypes.as_dtype(dtype), device=default_device()))


def linspace(start, stop, num, name=None, axis=0):
    """Return `num` numbers at equal distances, `stop` the last of them."""
    start = convert(start)
    if not start.is_floating_point():
        start = start.to(torch.float64)
    return wrap(ops.linspace(start, convert_beside(stop, start), int(num), axis=axis))


def one_hot(indices, depth, on_value=1, off_value=0, axis=-1, dtype=None, name=None):
    """Return vectors of `depth` values, `on_value` at the index and `off_value` elsewhere.

    Indices outside give `off_value` everywhere. The dtype is that of the values, else `float32`.
    """
    indices = convert(indices).long()
    hot = indices.unsqueeze(-1) == torch.arange(int(depth), device=indices.device)
    if dtype is None:
        given = [value for value in (on_value, off_value) if value not in (0, 1) or type(value) is not int]
        dtype = convert(given[0]).dtype if given else dtypes.float32
    hot = hot.movedim(-1, axis) if axis != -1 else hot
    return wrap(convert(on_value, dtype).where(hot, convert(off_value, dtype)))


def meshgrid(*args, indexing="xy", name=None):
    """Return the coordinates of a grid, one tensor an axis."""
    return list(torch.meshgrid(*map(convert, args), indexing=indexing))


def sequence_mask(lengths, maxlen=None, dtype=dtypes.bool, name=None):
    """Return, for each length, which of `maxlen` (`None`: the greatest length) positions come before it."""
    lengths = convert(lengths)
    last = lengths.max() if maxlen is None else convert(maxlen)
    positions = torch.arange(int(last), device=lengths.device)
    return (positions < lengths.unsqueeze(-1)).to(dtypes.as_dtype(dtype))


__all__ = [
    "eye",
    "fill",
    "linspace",
    "meshgrid",
    "one_hot",
    "ones",
    "ones_like",
    "range",
    "sequence_mask",
    "zeros",
    "zeros_like",
]
