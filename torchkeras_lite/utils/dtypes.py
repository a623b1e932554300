"""Dtype names for scripts."""

from torchkeras_lite.base import config, dtypes


def standardize_dtype(dtype):
    """Return Keras's name of `dtype`: a name, a torch, NumPy or Python type; `floatx()` for `None`.

    Raises:
        ValueError: no dtype has that name.

    Source: Keras 3 `keras.utils.standardize_dtype`.
    """
    if dtype is str:
        return "string"
    if dtype is None or dtype is float:
        return config.floatx()
    return dtypes.standardize_dtype(dtype)
