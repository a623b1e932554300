"""Arrays in nested structures: what counts as one, conversion to tensors, lengths, splitting."""

import numpy as np
import torch

from torchkeras_lite.base import nested, text
from torchkeras_lite.base.dtypes import widened
from torchkeras_lite.training.frames import as_array


def is_array(value):
    """Whether `value` holds rows.

    An array, tensor, data frame or series, or an object that NumPy can convert.
    """
    return isinstance(value, (np.ndarray, torch.Tensor)) or hasattr(value, "__array__")


def is_array_like(value):
    """Whether `value` is an array, or nested lists of numbers or strings."""
    if isinstance(value, (list, tuple)):
        return len(value) > 0 and all(
            isinstance(v, (int, float, bool, np.generic, *text.STRINGS)) or _is_listed(v) for v in value
        )
    return is_array(value)


def _is_listed(value):
    return isinstance(value, (list, tuple)) and is_array_like(value)


def is_arrays(structure):
    """Whether all leaves of a nested structure are arrays.

    A dict, and the outermost list, may hold `None` besides, for optional inputs. A list further in may not:
    `[(x, y, None), ...]` are batches.
    """
    if is_array_like(structure):
        return True
    if isinstance(structure, (list, tuple)):
        structure = [part for part in structure if part is not None]
    return _all_arrays(structure)


def _all_arrays(structure):
    if structure is None:
        return False
    if is_array_like(structure):
        return True
    if isinstance(structure, dict):
        structure = [part for part in structure.values() if part is not None]
    return isinstance(structure, (list, tuple)) and len(structure) > 0 and all(map(_all_arrays, structure))


def map_arrays(function, structure):
    """Apply `function` to every array in a nested structure.

    Lists of numbers or strings count as one array, `None` stays.
    """
    if structure is None:
        return None
    if is_array_like(structure):
        return function(structure)
    if isinstance(structure, dict):
        return {key: map_arrays(function, value) for key, value in structure.items()}
    if not isinstance(structure, (list, tuple)):
        raise ValueError(
            f"Expected arrays, tensors, or lists, tuples and dicts of them; found {structure!r} of type "
            f"{type(structure).__name__} among the data. Convert it to an array, or leave it out."
        )
    return nested.like(structure, [map_arrays(function, value) for value in structure])


def to_tensor(array, dtype):
    """Return an array as a tensor without a copy where possible; 64-bit floats become `dtype`.

    Raises:
        ValueError: values that torch cannot hold.
    """
    if not isinstance(array, torch.Tensor):
        array = as_array(array)
        if array.dtype == object or array.dtype.kind in "USM":
            raise ValueError(
                f"Failed to convert an array of dtype {array.dtype} to a tensor. Encode text and objects as "
                "numbers first."
            )
        if not array.flags.writeable or any(stride < 0 for stride in array.strides):
            array = array.copy()
        array = torch.from_numpy(array) if array.ndim else torch.as_tensor(array)
    elif type(array) is not torch.Tensor or array.requires_grad:
        array = array.detach().as_subclass(torch.Tensor)  # the fast paths of layers are for plain tensors
    array = widened(array)
    if array.is_floating_point() and array.dtype is not dtype:
        array = array.to(dtype)
    return array


def to_input(array, dtype):
    """Return an array as a tensor, see `to_tensor`; strings, which torch does not have, as a NumPy array."""
    array = as_array(array)
    return array if text.is_text(array) else to_tensor(array, dtype)


def fit_dtypes(x, dtypes):
    """Cast integer inputs to floats where the model's inputs are floats; `None` stands for strings."""
    flat = nested.flatten(x)
    if len(flat) != len(dtypes) or all(
        isinstance(t, torch.Tensor) and t.dtype is dtype for t, dtype in zip(flat, dtypes, strict=True)
    ):
        return x
    cast = [
        t
        if t is None
        or dtype is None
        or text.is_text(t)
        or not dtype.is_floating_point
        or t.is_floating_point()
        else t.to(dtype)
        for t, dtype in zip(flat, dtypes, strict=True)
    ]
    return nested.pack_like(x, cast)


def check_lengths(parts):
    """Return the common number of rows of `{"x": ..., "y": ...}`.

    Raises:
        ValueError: the numbers differ, or there are no rows.
    """
    sizes = {
        name: [None if array is None else len(array) if array.ndim else "none" for array in nested.flatten(p)]
        for name, p in parts.items()
        if p is not None
    }
    found = {size for part in sizes.values() for size in part if size is not None}
    if len(found) != 1 or "none" in found:
        listed = " ".join(f"'{name}' sizes: {', '.join(map(str, part))}" for name, part in sizes.items())
        raise ValueError(
            "Data cardinality is ambiguous. Make sure all arrays contain the same number of samples. "
            f"{listed}"
        )
    count = found.pop()
    if not count:
        raise ValueError(
            f"The data is empty: its arrays have no rows ({', '.join(sizes)}). Pass at least one sample."
        )
    return count


def split(parts, fraction):
    """Return the parts before and after the last `fraction` of the rows.

    Raises:
        ValueError: data without a length, or nothing left on one side.
    """
    if not all(part is None or is_arrays(part) for part in parts):
        raise ValueError(
            "Argument `validation_split` is only supported for tensors or NumPy arrays. Pass "
            "`validation_data` for other data."
        )
    parts = tuple(map_arrays(as_array, part) for part in parts)
    names = ("x", "y", "sample_weight")
    count = check_lengths(dict(zip(names, parts, strict=True)))
    cut = int(np.floor(count * (1 - fraction)))
    if cut == 0 or cut == count:
        raise ValueError(
            f"Training data contains {count} samples, which is not sufficient to split it into a validation "
            f"and training set as specified by `validation_split={fraction}`. Either provide more data, or "
            "a different value."
        )
    first = tuple(map_arrays(lambda a: a[:cut], part) for part in parts)
    second = tuple(map_arrays(lambda a: a[cut:], part) for part in parts)
    return first, second
