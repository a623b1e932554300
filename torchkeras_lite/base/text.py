"""Strings: torch has no tensors of them, so text stays in NumPy arrays until a layer has encoded it."""

import numpy as np

STRINGS = (str, bytes)


def is_text(value):
    """Whether `value` is a NumPy array of strings (of any of NumPy's kinds, or of Python objects)."""
    if not isinstance(value, np.ndarray):
        return False
    kind = value.dtype.kind
    return kind in "UST" or (kind == "O" and value.size > 0 and isinstance(value.flat[0], STRINGS))


def is_text_list(value):
    """Whether `value` is a list or tuple of strings, nested or not."""
    if not isinstance(value, (list, tuple)):
        return False
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return isinstance(value, STRINGS)


def text_array(owner, value):
    """Return a string, or nested lists of strings, as an array of Python objects.

    NumPy's own kinds of strings would make every cell as wide as the longest text.

    Raises:
        ValueError: rows of different lengths.
    """
    array = np.array(value, dtype=object)
    if array.size and not isinstance(array.flat[0], STRINGS):
        raise ValueError(
            f"{owner}: expected rows of equal length in nested lists of strings, got rows of different "
            "lengths. Pad the rows, for example with ''."
        )
    return array


def to_list(array, encoding="utf-8"):
    """Return the cells of an array of strings as a flat list of `str`; bytes are decoded."""
    cells = array.reshape(-1).tolist()
    if array.dtype.kind == "S":
        return [cell.decode(encoding) for cell in cells]
    if array.dtype.kind == "O" and not all(type(cell) is str for cell in cells):
        return [cell.decode(encoding) if isinstance(cell, bytes) else str(cell) for cell in cells]
    return cells
