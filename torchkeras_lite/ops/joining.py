"""Several tensors to one, and one to several."""

import functools
import itertools

import torch

from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import Tensor, as_tensor, as_tensors, promoted, to_common
from torchkeras_lite.ops.reductions import checked_axis


def _common(xs):
    """Return tensors of one dtype, that of torch's promotion."""
    if isinstance(xs, Tensor):
        return xs.unbind()
    dtype = getattr(xs[0], "dtype", None)
    for x in xs:
        if type(x) is not Tensor or x.dtype is not dtype:
            return to_common(as_tensors(xs))
    return xs


@operation
def concatenate(xs, axis=0):
    """Return tensors joined along an axis that they have; `None` flattens them first."""
    xs = _common(xs)
    return torch.cat([x.reshape(-1) for x in xs]) if axis is None else torch.cat(xs, axis)


@operation
def stack(x, axis=0):
    """Return tensors of one shape joined along a new axis."""
    return torch.stack(_common(x), axis)


@operation
def hstack(xs):
    """Return tensors joined along axis 1, those of one axis along axis 0."""
    return torch.hstack(_common(xs))


@operation
def vstack(xs):
    """Return tensors joined along axis 0, those of one axis as rows."""
    return torch.vstack(_common(xs))


@operation
def dstack(xs):
    """Return tensors joined along axis 2, which is added where there is none."""
    return torch.dstack(_common(xs))


@operation(tensors=2)
def append(x1, x2, axis=None):
    """Return `x2` put behind `x1` along an axis; `None` flattens both."""
    x1, x2 = promoted(x1, x2)
    return torch.cat([x1.reshape(-1), x2.reshape(-1)]) if axis is None else torch.cat([x1, x2], axis)


@operation
def split(x, indices_or_sections, axis=0):
    """Return the parts of a tensor along an axis, as a list.

    Args:
        x: Tensor.
        indices_or_sections: Number of equal parts, or the places at which a new part begins.
        axis: Axis.

    Raises:
        ValueError: a size that cannot be divided into so many parts; an axis that `x` lacks.
    """
    x = as_tensor(x)
    axis = checked_axis(x, axis)
    if isinstance(indices_or_sections, int):
        _check_divisible(x.shape[axis], indices_or_sections, axis)
        return list(torch.tensor_split(x, indices_or_sections, axis))
    return list(torch.tensor_split(x, _places(indices_or_sections), axis))


def _check_divisible(size, sections, axis):
    if size % sections:
        raise ValueError(
            f"split: axis {axis} of size {size} does not give {sections} equal parts. Use `array_split`, or "
            "pass the places to split at."
        )


def _split_spec(x, indices_or_sections, axis=0):
    """Return the specs of the parts: an axis of unknown size is taken to reach behind the last place."""
    axis = checked_axis(x, axis)
    size = x.shape[axis]
    if isinstance(indices_or_sections, int):
        if size is not None:
            _check_divisible(size, indices_or_sections, axis)
        sizes = [size if size is None else size // indices_or_sections] * indices_or_sections
    else:
        places = [0, *_places(indices_or_sections), size]
        if size is not None:
            places = [min(place if place >= 0 else max(0, place + size), size) for place in places]
        sizes = [_distance(*ends) for ends in itertools.pairwise(places)]
    return [KerasTensor((*x.shape[:axis], part, *x.shape[axis + 1 :]), x.dtype) for part in sizes]


def _distance(start, stop):
    """Return the size of a part; `None` where it depends on a size that is not known."""
    if start is None or stop is None or (start < 0) is not (stop < 0):
        return None
    return max(0, stop - start)


split.compute_output_spec = _split_spec


@operation
def array_split(x, indices_or_sections, axis=0):
    """Return the parts of a tensor along an axis, as a list; sizes may differ by one. See `split`."""
    sections = indices_or_sections
    sections = sections if isinstance(sections, int) else _places(sections)
    x = as_tensor(x)
    return list(torch.tensor_split(x, sections, checked_axis(x, axis)))


def _places(indices):
    return tuple(as_tensor(indices).tolist()) if not isinstance(indices, (list, tuple)) else tuple(indices)


@operation
def hsplit(x, indices_or_sections):
    """Return the parts along axis 1, of a tensor with one axis along it. See `split`."""
    x = as_tensor(x)
    return split.operation.function(x, indices_or_sections, _columns(x))


def _columns(x):
    return 0 if x.ndim == 1 else 1


hsplit.compute_output_spec = lambda x, indices_or_sections: _split_spec(x, indices_or_sections, _columns(x))


@operation
def vsplit(x, indices_or_sections):
    """Return the parts along axis 0. See `split`."""
    return split.operation.function(x, indices_or_sections, 0)


vsplit.compute_output_spec = _split_spec


@operation
def dsplit(x, indices_or_sections):
    """Return the parts along axis 2. See `split`."""
    return split.operation.function(x, indices_or_sections, 2)


dsplit.compute_output_spec = functools.partial(_split_spec, axis=2)


@operation(tensors=("x",))
def meshgrid(*x, indexing="xy"):
    """Return the coordinates of a grid, one tensor for each axis, as a list.

    Args:
        *x: Tensors of one axis with the coordinates along it.
        indexing: `"xy"`: the first two axes of the results are those of the second and the first tensor;
            `"ij"`: axes in order.

    Raises:
        ValueError: another `indexing`.
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: `indexing` must be 'xy' or 'ij', got indexing={indexing!r}.")
    return list(torch.meshgrid([t.reshape(-1) for t in as_tensors(x)], indexing=indexing))
