"""Two integers of four bits in one byte."""

import torch

from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.ops.inputs import as_tensor


def pack_int4(arr, axis=0, dtype="int8"):
    """Put neighbours along an axis into one byte: the first into the low four bits, the second above.

    Args:
        arr: Tensor of `dtype` with values from -8 to 7.
        axis: The axis; an odd length is filled up by 0.
        dtype: `"int8"` or `"uint8"`.

    Returns:
        The bytes, their shape, and the length of the axis before.

    Raises:
        ValueError: another `dtype`.
        TypeError: `arr` is of another dtype.

    Source: Keras 3 `keras.quantizers.pack_int4`.
    """
    _check(dtype)
    values = as_tensor(arr)
    if values.dtype is not torch_dtype(dtype):
        raise TypeError(
            f"Expected {dtype} tensor for packing, got {str(values.dtype).removeprefix('torch.')}."
        )
    values = values.movedim(axis, 0)
    length = values.shape[0]
    if length % 2:
        values = torch.cat([values, torch.zeros_like(values[:1])])
    bits = values.view(torch.uint8) & 0x0F
    packed = (bits[::2] | (bits[1::2] << 4)).view(torch_dtype(dtype)).movedim(0, axis).contiguous()
    return packed, tuple(packed.shape), length


def unpack_int4(packed, orig_len, axis=0, dtype="int8"):
    """Return the integers of four bits that `pack_int4` put into bytes.

    Args:
        packed: The bytes, int8 or uint8.
        orig_len: Length of the axis before packing.
        axis: The axis.
        dtype: `"int8"` for values from -8 to 7, `"uint8"` for values from 0 to 15.

    Raises:
        ValueError: another `dtype`.
        TypeError: `packed` holds no bytes.

    Source: Keras 3 `keras.quantizers.unpack_int4`.
    """
    _check(dtype)
    packed = as_tensor(packed)
    if packed.dtype not in (torch.int8, torch.uint8):
        raise TypeError(f"Expected int8 or uint8 tensor for unpacking, got {packed.dtype}.")
    bits = packed.movedim(axis, 0).contiguous().view(torch.uint8)
    pairs = torch.stack([bits & 0x0F, bits >> 4], 1).flatten(0, 1)[:orig_len]
    values = (pairs ^ 8).view(torch.int8) - 8 if dtype == "int8" else pairs
    return values.movedim(0, axis)


def _check(dtype):
    if dtype not in ("int8", "uint8"):
        raise ValueError(f"Expected dtype to be 'int8' or 'uint8', but got {dtype!r}.")
