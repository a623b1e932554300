"""Several tensors to one, and one to several."""

import torch

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import Tensor, as_tensor, as_tensors, promoted, to_common


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
        ValueError: a size that cannot be divided into so many parts.
    """
    x = as_tensor(x)
    if isinstance(indices_or_sections, int):
        length = x.shape[axis]
        if length % indices_or_sections:
            raise ValueError(
                f"split: axis {axis} of size {length} does not give {indices_or_sections} equal parts. Use "
                "`array_split`, or pass the places to split at."
            )
        return list(torch.tensor_split(x, indices_or_sections, axis))
    return list(torch.tensor_split(x, _places(indices_or_sections), axis))


@operation
def array_split(x, indices_or_sections, axis=0):
    """Return the parts of a tensor along an axis, as a list; sizes may differ by one. See `split`."""
    sections = indices_or_sections
    sections = sections if isinstance(sections, int) else _places(sections)
    return list(torch.tensor_split(as_tensor(x), sections, axis))


def _places(indices):
    return tuple(as_tensor(indices).tolist()) if not isinstance(indices, (list, tuple)) else tuple(indices)


@operation
def hsplit(x, indices_or_sections):
    """Return the parts along axis 1, of a tensor with one axis along it. See `split`."""
    x = as_tensor(x)
    return split.operation.function(x, indices_or_sections, 0 if x.ndim == 1 else 1)


@operation
def vsplit(x, indices_or_sections):
    """Return the parts along axis 0. See `split`."""
    return split.operation.function(x, indices_or_sections, 0)


@operation
def dsplit(x, indices_or_sections):
    """Return the parts along axis 2. See `split`."""
    return split.operation.function(x, indices_or_sections, 2)


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
