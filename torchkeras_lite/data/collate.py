"""Elements to a batch, and a batch to its elements."""

import numbers

import numpy as np
import torch

from torchkeras_lite.base import nested, text


def as_column(values):
    """Return an array, tensor or list whose first axis runs over elements: a tensor, or an array of text.

    Raises:
        ValueError: a value without axes.
    """
    if isinstance(values, torch.Tensor):
        column = values
    elif text.is_text_list(values):
        column = text.text_array("Dataset", values)
    else:
        array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
        if text.is_text(array) or array.dtype.kind in "OMm":
            column = array
        elif isinstance(values, (list, tuple)) and array.dtype == np.float64:
            column = torch.as_tensor(array, dtype=torch.get_default_dtype())
        else:
            column = from_numpy(array)
    if not column.ndim:
        raise ValueError(
            f"Dataset: expected arrays whose first axis runs over the elements, got the single value "
            f"{values!r}. Pass a list or an array."
        )
    return column


def from_numpy(array):
    """Return an array of numbers as a tensor, without a copy where torch can share its memory."""
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return torch.from_numpy(array) if array.ndim else torch.as_tensor(array[()])


def collate(elements):
    """Return a list of elements of one form as one batch with a new first axis.

    Raises:
        ValueError: elements of different forms or shapes.
    """
    return nested.map_structure(_stack, *elements)


def _stack(*leaves):
    first = leaves[0]
    if isinstance(first, torch.Tensor):
        return _stacked(torch.stack, leaves)
    if isinstance(first, text.STRINGS) or (isinstance(first, np.ndarray) and text.is_text(first)):
        return _stacked(np.stack, leaves) if isinstance(first, np.ndarray) else np.array(leaves, dtype=object)
    if isinstance(first, (np.ndarray, np.generic)):
        return from_numpy(_stacked(np.stack, leaves))
    if isinstance(first, numbers.Number):
        return torch.as_tensor(leaves)
    if first is None:
        return None
    raise TypeError(
        f"Dataset.batch: elements hold {first!r} of type {type(first).__name__}, which has no batches. "
        "Return tensors, arrays, numbers or strings from `map`."
    )


def _stacked(stack, leaves):
    shapes = {tuple(leaf.shape) for leaf in leaves}
    if len(shapes) > 1:
        first, second = list(dict.fromkeys(tuple(leaf.shape) for leaf in leaves))[:2]
        raise ValueError(
            f"Dataset.batch: elements must have one shape to be put into a batch, got {first} and {second}. "
            "Resize, crop or pad them in `map` first."
        )
    return stack(leaves)


def join(batches):
    """Return batches of one form as one."""
    if len(batches) == 1:
        return batches[0]
    return nested.map_structure(
        lambda *parts: torch.cat(parts) if isinstance(parts[0], torch.Tensor) else np.concatenate(parts),
        *batches,
    )


def rows(element):
    """Return the elements of a batch.

    Raises:
        ValueError: leaves without a first axis, or of different lengths.
    """
    leaves = [leaf for leaf in nested.flatten(element) if leaf is not None]
    if any(not getattr(leaf, "ndim", 0) for leaf in leaves):
        raise ValueError(
            "Dataset.unbatch: expected elements whose parts all have a first axis, got "
            f"{[tuple(getattr(leaf, 'shape', ())) for leaf in leaves]}. Make batches first."
        )
    lengths = {len(leaf) for leaf in leaves}
    if len(lengths) != 1:
        raise ValueError(
            f"Dataset.unbatch: the parts of an element have different lengths: {sorted(lengths)}. Give all "
            "of them one first axis."
        )
    return (
        nested.map_structure(lambda leaf, row=row: None if leaf is None else leaf[row], element)
        for row in range(lengths.pop())
    )


def to_numpy(leaf):
    """Return a leaf as NumPy holds it."""
    if isinstance(leaf, torch.Tensor):
        return leaf.detach().cpu().numpy()
    if isinstance(leaf, bool | int | float | complex):
        return np.asarray(leaf)
    return leaf
