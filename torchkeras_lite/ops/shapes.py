"""Shapes and the order of values: reshaping, moving axes, repeating, turning."""

import math

import numpy as np
import torch

from torchkeras_lite.base.device import build_on
from torchkeras_lite.base.dtypes import standardize_dtype, widened
from torchkeras_lite.engine.keras_tensor import KerasTensor, is_symbolic
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import Tensor, as_tensor
from torchkeras_lite.ops.reductions import checked_axis


def sizes(shape):
    """Return a shape given as an integer, a list or tuple, or a tensor, as a tuple for torch."""
    if isinstance(shape, Tensor) or hasattr(shape, "__array__"):
        shape = shape.tolist()
    return (shape,) if not isinstance(shape, (list, tuple)) else tuple(shape)


_NEWSHAPE = (
    "reshape: Each dimension in `newshape` must be a non-negative integer, or -1 for at most one unknown "
    "dimension, got newshape={}."
)


@operation
def reshape(x, newshape):
    """Return `x` in another shape.

    Args:
        x: Tensor.
        newshape: The shape, with -1 (or `None`) for one size that follows from the others. A tensor, or one
            among the sizes, may be symbolic where `x` is.

    Raises:
        ValueError: a size below -1, or -1 twice.
    """
    x = x if isinstance(x, Tensor) else as_tensor(x)
    if type(newshape) is not tuple or None in newshape:
        newshape = [-1 if size is None else size for size in sizes(newshape)]
    try:
        return torch.reshape(x, newshape)
    except RuntimeError as error:
        if not str(error).startswith(("invalid shape dimension", "only one dimension")):
            raise
        raise ValueError(_NEWSHAPE.format(tuple(newshape))) from None


def _reshape_spec(x, newshape):
    """Return the symbolic result, whose shape is believed where nobody knows how many values `x` has."""
    if isinstance(newshape, KerasTensor):
        return KerasTensor([None] * newshape.shape[0], x.dtype)
    if any(map(is_symbolic, sizes(newshape))):
        return KerasTensor([None if is_symbolic(size) or size == -1 else size for size in newshape], x.dtype)
    wanted = tuple([-1 if size is None else size for size in sizes(newshape)])
    if min(wanted, default=0) < -1 or wanted.count(-1) > 1:
        raise ValueError(_NEWSHAPE.format(wanted))
    if None in x.shape:
        return KerasTensor([None if size == -1 else size for size in wanted], x.dtype)
    total, known = math.prod(x.shape), math.prod(size for size in wanted if size != -1)
    if total % known if known and -1 in wanted else total != known or -1 in wanted:
        raise ValueError(f"reshape: shape {wanted} is invalid for a tensor of shape {x.shape}.")
    return KerasTensor([total // known if size == -1 else size for size in wanted], x.dtype)


reshape.compute_output_spec = _reshape_spec


@operation
def ravel(x):
    """Return `x` flattened to one axis."""
    return torch.ravel(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def transpose(x, axes=None):
    """Return `x` with its axes in another order.

    Args:
        x: Tensor.
        axes: The axes in their new order; `None` turns the order round.

    Raises:
        ValueError: an axis twice.
    """
    x = x if isinstance(x, Tensor) else as_tensor(x)
    try:
        return torch.permute(x, tuple(range(x.ndim - 1, -1, -1)) if axes is None else tuple(axes))
    except RuntimeError as error:
        if not str(error).startswith("permute("):
            raise
        raise ValueError(
            f"transpose: expected a valid permutation of the axes of a tensor of shape {tuple(x.shape)}, got "
            f"axes={list(axes)}."
        ) from None


@operation
def moveaxis(x, source, destination):
    """Return `x` with the axes `source` moved to `destination`; both are integers or tuples."""
    return torch.moveaxis(as_tensor(x), source, destination)


@operation
def swapaxes(x, axis1, axis2):
    """Return `x` with two axes exchanged."""
    return torch.swapaxes(as_tensor(x), axis1, axis2)


@operation
def expand_dims(x, axis):
    """Return `x` with an axis of size 1 at the place `axis` of the result, or several for a tuple."""
    x = x if isinstance(x, Tensor) else as_tensor(x)
    if isinstance(axis, int):
        return torch.unsqueeze(x, axis)
    ndim = x.ndim + len(axis)
    for place in sorted(a + ndim if a < 0 else a for a in axis):
        x = torch.unsqueeze(x, place)
    return x


@operation
def squeeze(x, axis=None):
    """Return `x` without axes of size 1: the axis or axes given, or all of them.

    Raises:
        ValueError: an axis of another size.
    """
    x = as_tensor(x)
    if axis is None:
        return torch.squeeze(x)
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
    for one in axes:
        if x.shape[checked_axis(x, one)] != 1:
            raise ValueError(
                f"squeeze: axis {one} of a tensor of shape {tuple(x.shape)} has a size other than 1. Pass an "
                "axis of size 1."
            )
    return torch.squeeze(x, axes)


@operation
def broadcast_to(x, shape):
    """Return `x` repeated, without a copy, to fill `shape`."""
    return torch.broadcast_to(as_tensor(x), sizes(shape))


def _broadcast_spec(x, shape):
    wanted = sizes(shape)
    before = len(wanted) - x.ndim
    axes = list(zip(x.shape, wanted[before:], strict=True)) if before >= 0 else None
    if axes is None or any(size not in (None, 1, target) and target != -1 for size, target in axes):
        raise ValueError(f"broadcast_to: a tensor of shape {x.shape} cannot be broadcast to {wanted}.")
    sizes_of_axes = [size if target == -1 else target for size, target in axes]
    return KerasTensor((*wanted[:before], *sizes_of_axes), x.dtype)


broadcast_to.compute_output_spec = _broadcast_spec


@operation
def repeat(x, repeats, axis=None):
    """Return `x` with every value repeated, one repetition beside the other.

    Args:
        x: Tensor.
        repeats: How often, an integer or one for each place along `axis`.
        axis: Axis; `None`: of the flattened tensor.
    """
    x = as_tensor(x)
    if not isinstance(repeats, int):
        repeats = as_tensor(repeats).to(x.device)
        repeats = repeats.reshape(-1) if repeats.numel() > 1 else int(repeats)
    return torch.repeat_interleave(x, repeats, dim=axis)


def _repeat_spec(x, repeats, axis=None):
    """Return the spec, for which one number for each place along an axis of unknown size cannot be tried."""
    size = math.prod(x.shape) if axis is None and None not in x.shape else None
    size = size if axis is None else x.shape[checked_axis(x, axis)]
    with build_on(torch.device("cpu")):  # files are read on the meta device, which keeps no numbers
        counts = None if is_symbolic(repeats) else np.asarray(as_tensor(repeats).cpu()).reshape(-1)
    if counts is not None and size is not None and counts.size not in (1, size):
        raise ValueError(
            f"`repeats` must be one number or one for each of the {size} places along axis {axis}, got "
            f"{counts.size}."
        )
    total = None if counts is None or size is None else int(np.broadcast_to(counts, size).sum())
    if axis is None:
        return KerasTensor((total,), x.dtype)
    place = axis % len(x.shape)
    return KerasTensor((*x.shape[:place], total, *x.shape[place + 1 :]), x.dtype)


repeat.compute_output_spec = _repeat_spec


@operation
def tile(x, repeats):
    """Return `x` laid side by side, `repeats` times along each axis (an integer: along the last)."""
    return torch.tile(as_tensor(x), sizes(repeats))


@operation
def flip(x, axis=None):
    """Return `x` turned round along `axis`, an integer or a tuple; `None`: along all axes."""
    x = as_tensor(x)
    return torch.flip(x, tuple(range(x.ndim)) if axis is None else sizes(axis))


@operation
def fliplr(x):
    """Return `x` turned round along axis 1."""
    return torch.fliplr(as_tensor(x))


@operation
def flipud(x):
    """Return `x` turned round along axis 0."""
    return torch.flipud(as_tensor(x))


@operation
def roll(x, shift, axis=None):
    """Return `x` moved by `shift` places, what falls off coming in at the other end.

    Args:
        x: Tensor.
        shift: Number of places for all axes, or a tuple with one for each.
        axis: Axis or tuple of axes; `None`: of the flattened tensor, in its old shape.
    """
    if isinstance(shift, int) and isinstance(axis, (list, tuple)):
        shift = (shift,) * len(axis)
    return torch.roll(as_tensor(x), shift, axis)


@operation
def rot90(array, k=1, axes=(0, 1)):
    """Return the tensor turned by 90 degrees `k` times, from the first of two axes to the second.

    Raises:
        ValueError: fewer than two axes, or not two different `axes`.
    """
    x = as_tensor(array)
    if x.ndim < 2:
        raise ValueError(f"rot90: expected a tensor of at least 2 dimensions, got shape {tuple(x.shape)}.")
    if len(axes) != 2 or axes[0] % x.ndim == axes[1] % x.ndim:
        raise ValueError(f"rot90: `axes` must be two different axes, got axes={axes}. Invalid axes.")
    return torch.rot90(x, k, axes)


@operation
def size(x):
    """Return the number of values, as a tensor without axes."""
    return torch.tensor(as_tensor(x).numel())


@operation
def ndim(x):
    """Return the number of axes."""
    return as_tensor(x).ndim


@operation
def view(x, dtype=None):
    """Return the same bytes read as another dtype; the last axis grows or shrinks with it."""
    if dtype is None:
        return as_tensor(x)
    if isinstance(x, np.ndarray) and x.dtype.kind == "u":  # of which `as_tensor` makes wider integers
        x = x.view(x.dtype.name.removeprefix("u"))
    return widened(as_tensor(x).view(getattr(torch, standardize_dtype(dtype))))


@operation
def copy(x):
    """Return a copy."""
    return torch.clone(as_tensor(x))
