"""Keras's rules for the dtype of a result: 32 bits at most, and Python's numbers take the dtype of arrays."""

import numpy as np

from torchkeras_lite.base import config, dtypes

_NARROWED = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}


def result_type(*given):
    """Return the dtype name that an operation on arrays of these dtypes has in Keras.

    Args:
        *given: Dtypes, or `int` and `float` for Python's numbers. Results have 32 bits at most, as in
        Keras on torch.

    Raises:
        ValueError: an unknown dtype, or an 8-bit float type among others.

    Source: Keras 3 `keras.backend.result_type`.
    """
    if not given:
        return config.floatx()
    numbers = [dtype for dtype in given if dtype is int or dtype is float]
    names = {dtypes.standardize_dtype(dtype) for dtype in given if dtype is not int and dtype is not float}
    if len(given) > 1 and any(name.startswith("float8") for name in names):
        raise ValueError(
            f"result_type: there is no implicit conversion from float8 dtypes to others, got {given}. "
            "Cast them first."
        )
    name = _promote_all(names) if names else None
    if float in numbers and not _is_inexact(name):
        name = config.floatx()
    elif int in numbers and name in (None, "bool"):
        name = "int32"
    return _NARROWED.get(name, name)


def _is_inexact(name):
    return name is not None and name.startswith(("float", "bfloat", "complex"))


def _promote_all(names):
    if len(names) == 1:
        return next(iter(names))
    if "string" in names:
        raise ValueError(f"result_type: strings and numbers have no common dtype, got {sorted(names)}.")
    inexact = {name for name in names if _is_inexact(name)}
    if not inexact:
        common = np.result_type(*names).name
        return config.floatx() if common == "float64" else common  # uint64 and signed integers
    if "bfloat16" in inexact:
        if inexact == {"bfloat16"}:
            return "bfloat16"
        inexact = (inexact - {"bfloat16"}) | {"float32"}
    return np.result_type(*inexact).name
