"""`keras.backend`: names, dtypes and settings, and the functions that Keras 2 had here."""

import importlib

from torchkeras_lite.base.config import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.base.promotion import result_type
from torchkeras_lite.engine.keras_tensor import is_symbolic as is_keras_tensor
from torchkeras_lite.utils.dtypes import standardize_dtype
from torchkeras_lite.utils.session import clear_session, get_uid

__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "standardize_dtype",
]

_old_member = old_members(__name__)
__path__: list[str] = []  # older Keras had modules in here, which `base.old_modules` finds


def is_float_dtype(dtype):
    """Return whether `dtype`, by any name, is a real floating-point type.

    Source: Keras 3 `keras.backend.is_float_dtype`.
    """
    return standardize_dtype(dtype) != "string" and torch_dtype(dtype).is_floating_point


def is_int_dtype(dtype):
    """Return whether `dtype`, by any name, is an integer type; booleans are none.

    Source: Keras 3 `keras.backend.is_int_dtype`.
    """
    return standardize_dtype(dtype).startswith(("int", "uint"))


def __getattr__(name):
    """Return a function of Keras 2's backend (`K.mean`), whose room is opened when the first is asked for."""
    functions = (
        {} if name.startswith("_") else importlib.import_module("torchkeras_lite.legacy.backend").FUNCTIONS
    )
    return functions[name] if name in functions else _old_member(name)
