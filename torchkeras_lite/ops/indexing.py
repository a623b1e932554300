"""Parts of tensors: by index, by condition, by diagonal; and padding around them."""

import torch
import torch.nn.functional as F

from torchkeras_lite.engine import shapes
from torchkeras_lite.engine.keras_tensor import KerasTensor, is_symbolic
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops import reductions
from torchkeras_lite.ops.inputs import Tensor, as_tensor, as_tensors, tensor_pair, to_common
from torchkeras_lite.ops.shapes import sizes

_INDEX_DTYPES = (torch.int64, torch.int32)


def _as_index(indices, x):
    indices = as_tensor(indices).to(x.device)
    return indices if indices.dtype in _INDEX_DTYPES else indices.to(torch.int64)


@operation(tensors=2)
def take(x, indices, axis=None):
    """Return what stands at `indices` along an axis.

    Args:
        x: Tensor.
        indices: Integer or tensor of integers, whose axes take the place of `axis`; negative ones count from
            the end.
        axis: Axis; `None`: of the flattened tensor.
    """
    x = as_tensor(x)
    if type(indices) is not Tensor or indices.dtype is not torch.int64:
        indices = _as_index(indices, x)
    if axis is None:
        return x.reshape(-1)[indices]
    return x[(slice(None),) * reductions.checked_axis(x, axis) + (indices,)] if axis else x[indices]


@operation(tensors=2)
def take_along_axis(x, indices, axis=None):
    """Return what stands at `indices` along an axis, for each place of the other axes on its own.

    Args:
        x: Tensor.
        indices: Tensor of integers with as many axes as `x`, of shapes that broadcast; negative ones count
            from the end.
        axis: Axis; `None`: of both flattened.
    """
    x = as_tensor(x)
    indices = _as_index(indices, x).to(torch.int64)
    if axis is None:
        x, indices, axis = x.reshape(-1), indices.reshape(-1), 0
    axis = reductions.checked_axis(x, axis)
    indices = torch.where(indices < 0, indices + x.shape[axis], indices)
    return torch.take_along_dim(x, indices, axis)


@operation(tensors=2)
def get_item(x, key):
    """Return `x[key]`."""
    return as_tensor(x)[key]


@operation(tensors="all")
def where(condition, x1=None, x2=None):
    """Return `x1` where the condition is true, else `x2`; with the condition alone, see `nonzero`.

    Raises:
        ValueError: one of `x1` and `x2` without the other.
    """
    if x1 is None and x2 is None:
        return nonzero.operation.function(condition)
    if x1 is None or x2 is None:
        raise ValueError(
            "where: `x1` and `x2` either both should be `None`, or both have values; got one of them."
        )
    if type(x1) is not Tensor or type(x2) is not Tensor:
        x1, x2 = tensor_pair(x1, x2)
    condition = as_tensor(condition)
    return torch.where(condition if condition.dtype is torch.bool else condition.to(torch.bool), x1, x2)


def _where_spec(condition, x1=None, x2=None):
    if x1 is None and x2 is None:
        return nonzero.compute_output_spec(condition)
    return shapes.infer(where.operation.function, (condition, x1, x2), {}, is_symbolic)


where.compute_output_spec = _where_spec


@operation(tensors="all")
def select(condlist, choicelist, default=0):
    """Return, place by place, the value of the first choice whose condition is true.

    Args:
        condlist: List of boolean tensors.
        choicelist: List of as many tensors.
        default: What stands where no condition is true.

    Raises:
        ValueError: no lists, or lists of different lengths.
    """
    if not isinstance(condlist, (list, tuple)) or not isinstance(choicelist, (list, tuple)):
        raise ValueError(
            f"select: `condlist` and `choicelist` must be lists, got {type(condlist).__name__} and "
            f"{type(choicelist).__name__}. condlist and choicelist must be lists."
        )
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(
            "select: condlist and choicelist must have the same length, which is 1 or more; got "
            f"{len(condlist)} and {len(choicelist)}."
        )
    conditions = as_tensors(condlist)
    choices = to_common(as_tensors(choicelist))
    result = tensor_pair(choices[0], default)[1]
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        result = torch.where(condition.to(torch.bool), choice, result)
    return result


@operation
def nonzero(x):
    """Return the places of the values that are not 0: a tuple with one `int32` tensor for each axis.

    Differs from Keras on torch, which returns the tuple's tensors as the rows of one.
    """
    return tuple(index.to(torch.int32) for index in torch.nonzero(as_tensor(x), as_tuple=True))


nonzero.compute_output_spec = lambda x: tuple(KerasTensor((None,), "int32") for _ in x.shape)


@operation
def diag(x, k=0):
    """Return the diagonal of a matrix, or a matrix with the vector `x` as diagonal.

    Args:
        x: Tensor with one axis or two.
        k: Which diagonal: 0 the main one, positive above it.
    """
    x = as_tensor(x)
    if x.ndim not in (1, 2):
        raise ValueError(f"diag: `x` must be 1-D or 2-D, got a tensor of shape {tuple(x.shape)}.")
    return torch.diag(x, k)


@operation
def diagflat(x, k=0):
    """Return a matrix with the flattened `x` as its diagonal number `k`."""
    return torch.diagflat(as_tensor(x), k)


@operation
def diagonal(x, offset=0, axis1=0, axis2=1):
    """Return the diagonals along two axes, as the last axis of the result.

    Args:
        x: Tensor with two axes or more.
        offset: Which diagonal: 0 the main one, positive above it.
        axis1, axis2: The two axes.

    Raises:
        ValueError: fewer than two axes; the same axis twice.
    """
    x = as_tensor(x)
    if x.ndim < 2:
        raise ValueError(f"diagonal: `x` must have 2 dimensions or more, got shape {tuple(x.shape)}.")
    if (axis1 - axis2) % x.ndim == 0:
        raise ValueError(
            f"diagonal: `axis1` and `axis2` cannot be the same, got axis1={axis1} and axis2={axis2} of a "
            f"tensor of shape {tuple(x.shape)}."
        )
    return torch.diagonal(x, offset, axis1, axis2)


@operation
def trace(x, offset=0, axis1=0, axis2=1):
    """Return the sums of the diagonals along two axes. See `diagonal` for the arguments."""
    return reductions.sum(diagonal.operation.function(x, offset, axis1, axis2), -1)


@operation
def tril(x, k=0):
    """Return the last two axes' lower triangle, zeros above diagonal number `k`."""
    return torch.tril(as_tensor(x), k)


@operation
def triu(x, k=0):
    """Return the last two axes' upper triangle, zeros below diagonal number `k`."""
    return torch.triu(as_tensor(x), k)


@operation
def unravel_index(indices, shape):
    """Return the places in a tensor of `shape` for places in the flattened one, a tuple.

    Args:
        indices: Tensor of integers; negative ones count from the end.
        shape: The shape.
    """
    indices = as_tensor(indices)
    shape = sizes(shape)
    total = 1
    for size in shape:
        total *= size
    indices = torch.where(indices < 0, indices + total, indices)
    dtype = torch.int32 if indices.dtype is torch.int64 else indices.dtype
    return tuple(index.to(dtype) for index in torch.unravel_index(indices.to(torch.int64), shape))


@operation(tensors=("x", "constant_values"))
def pad(x, pad_width, mode="constant", constant_values=None):
    """Return `x` with values put around it.

    Args:
        x: Tensor.
        pad_width: How many, before and behind, along each axis: `((before, behind), ...)`; one pair for all
            axes, or an integer for all.
        mode: `"constant"`; `"edge"`: the outermost value; `"reflect"`: mirrored without it; `"symmetric"`:
            mirrored with it; `"wrap"`: the values from the other end.
        constant_values: What is put there with `mode="constant"`; 0 when not given.

    Raises:
        ValueError: an unknown mode, `constant_values` with another mode, or widths for another number of
            axes.

    Differs from Keras on torch, which pads one axis alone for an integer or a pair, and pads `"symmetric"`
    with edges.
    """
    x = as_tensor(x)
    widths = _widths(pad_width, x.ndim)
    if mode not in ("constant", *_SOURCES):
        raise ValueError(
            f"pad: `mode` must be one of {', '.join(map(repr, ('constant', *_SOURCES)))}, got mode={mode!r}."
        )
    if constant_values is not None and mode != "constant":
        raise ValueError(
            "pad: Argument `constant_values` can only be provided when `mode == 'constant'`, got "
            f"mode={mode!r}."
        )
    if mode == "constant":
        return _pad_constant(x, widths, constant_values)
    for axis, (before, behind) in enumerate(widths):
        if before or behind:
            places = torch.arange(-before, x.shape[axis] + behind, device=x.device)
            x = torch.index_select(x, axis, _SOURCES[mode](places, x.shape[axis]))
    return x


def _widths(pad_width, ndim):
    if isinstance(pad_width, Tensor) or hasattr(pad_width, "tolist"):
        pad_width = pad_width.tolist()
    if isinstance(pad_width, int):
        return [(pad_width, pad_width)] * ndim
    widths = list(pad_width)
    if len(widths) == 2 and all(isinstance(width, int) for width in widths):
        return [tuple(widths)] * ndim
    widths = [(w, w) if isinstance(w, int) else tuple(w) * (3 - len(w)) for w in widths]
    widths = widths * ndim if len(widths) == 1 else widths
    if len(widths) != ndim:
        raise ValueError(
            f"pad: `pad_width` must hold a pair for each of the {ndim} axes, got pad_width={pad_width}. "
            "`pad_width` must have the same length as `x.shape`."
        )
    return widths


def _pad_constant(x, widths, value):
    flat = [size for pair in reversed(widths) for size in pair]
    value = 0 if value is None else value
    if isinstance(value, (int, float)):
        return F.pad(x, flat, value=value)
    inside = F.pad(torch.ones_like(x, dtype=torch.bool), flat)
    return torch.where(inside, F.pad(x, flat), as_tensor(value).to(x))


def _reflected(places, size):
    period = max(2 * (size - 1), 1)
    places = places % period
    return torch.where(places < size, places, period - places)


def _symmetric(places, size):
    places = places % (2 * size)
    return torch.where(places < size, places, 2 * size - 1 - places)


_SOURCES = {
    "edge": lambda places, size: places.clamp(0, size - 1),
    "reflect": _reflected,
    "symmetric": _symmetric,
    "wrap": lambda places, size: places % size,
}
