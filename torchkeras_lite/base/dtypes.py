"""Dtype names as Keras writes them ("float32"), and the torch dtypes they stand for."""

import numpy as np
import torch

TORCH_DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int64": torch.int64,
    "int32": torch.int32,
    "int16": torch.int16,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "uint16": torch.int32,  # as in Keras, because torch neither adds nor compares uint16 and uint32
    "uint32": torch.int64,
    "uint64": torch.uint64,
    "bool": torch.bool,
    "complex64": torch.complex64,
    "complex128": torch.complex128,
    "float8_e4m3fn": torch.float8_e4m3fn,
    "float8_e5m2": torch.float8_e5m2,
}
NAMES = {
    **{dtype: name for name, dtype in TORCH_DTYPES.items() if name not in ("uint16", "uint32")},
    torch.uint16: "uint16",
    torch.uint32: "uint32",
}
_WIDER = {torch.uint16: torch.int32, torch.uint32: torch.int64, torch.uint64: torch.int64}
PYTHON_TYPES = {bool: "bool", int: "int32", float: "float32"}
ALIASES = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "int": "int32",
    "long": "int64",
    "str": "string",
}


def standardize_dtype(dtype, default="float32"):
    """Return Keras's name of `dtype`.

    A name, a torch or NumPy dtype, a Python type, or `None` for `default`.
    """
    if dtype is None:
        return default
    if isinstance(dtype, torch.dtype):
        name = NAMES.get(dtype)
    elif isinstance(dtype, str):
        name = ALIASES.get(dtype, dtype.removeprefix("torch."))
    elif dtype in PYTHON_TYPES:
        name = PYTHON_TYPES[dtype]
    else:
        try:
            name = np.dtype(dtype).name
        except TypeError:
            name = getattr(dtype, "name", None)
    if name not in TORCH_DTYPES and name != "string":
        raise ValueError(
            f"Invalid dtype: {dtype!r}. Expected one of {', '.join(TORCH_DTYPES)}, "
            "a torch dtype or a NumPy dtype."
        )
    return name


def torch_dtype(dtype):
    """Return the torch dtype that `dtype` (any spelling `standardize_dtype` takes) stands for."""
    if isinstance(dtype, torch.dtype):
        return dtype
    name = standardize_dtype(dtype)
    if name == "string":
        raise ValueError("torch has no string tensors; encode text as integers first.")
    return TORCH_DTYPES[name]


def widened(tensor):
    """Return `tensor`; of uint16, with which torch hardly computes, as int32, of uint32 and uint64 as int64.

    Raises:
        ValueError: values of uint64 that int64 does not hold.
    """
    if tensor.dtype not in _WIDER:
        return tensor
    if tensor.dtype is torch.uint64 and not tensor.is_meta and (tensor.view(torch.int64) < 0).any():
        raise ValueError(
            "torch does not compute with uint64, and int64 does not hold all values of this array: they go "
            "beyond 2**63 - 1. Convert the array to float64 first."
        )
    return tensor.to(_WIDER[tensor.dtype])


def is_float(dtype):
    """Whether `dtype` (a name or a torch dtype) is a real floating-point type."""
    return dtype != "string" and torch_dtype(dtype).is_floating_point
