"""TensorFlow's dtypes: torch's own, and one for text."""

import numpy as np
import torch

from torchkeras_lite.base.dtypes import torch_dtype

float16 = half = torch.float16
float32 = torch.float32
float64 = double = torch.float64
bfloat16 = torch.bfloat16
int8 = torch.int8
int16 = torch.int16
int32 = torch.int32
int64 = torch.int64
uint8 = torch.uint8
uint16 = torch.uint16
uint32 = torch.uint32
uint64 = torch.uint64
complex64 = torch.complex64
complex128 = torch.complex128
bool = torch.bool  # TensorFlow's own name for it
DType = torch.dtype


class StringType(str):
    """The dtype of text, `tf.string`: the name `"string"`, with what NumPy asks of a dtype."""

    __slots__ = ()
    name = "string"
    kind = "O"
    as_numpy_dtype = np.object_


string = StringType("string")


def as_dtype(type_value):
    """Return the dtype that `type_value` stands for.

    Args:
        type_value: A torch or NumPy dtype, a Python type, or a name.

    Raises:
        ValueError: it is no dtype.

    Source: `tf.as_dtype`. Differs: dtypes are torch's, which have `torch.finfo(dtype).max` for
    `dtype.max` and `str(dtype)` for `dtype.name`.
    """
    if type_value in ("string", str, bytes):
        return string
    return torch_dtype(type_value)


NAMES = (
    "bfloat16",
    "bool",
    "complex64",
    "complex128",
    "double",
    "float16",
    "float32",
    "float64",
    "half",
    "int8",
    "int16",
    "int32",
    "int64",
    "string",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
)
__all__ = [*NAMES, "DType", "NAMES", "as_dtype"]
