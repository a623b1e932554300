"""What an operation is given, as tensors."""

import functools

import numpy as np
import torch

from torchkeras_lite.base import config, nested
from torchkeras_lite.base.device import default_device
from torchkeras_lite.base.dtypes import torch_dtype, widened
from torchkeras_lite.engine.weights import Weight

Tensor = torch.Tensor
_NUMBERS = (bool, int, float, complex)
_SIZES = (torch.SymInt, torch.SymFloat)  # sizes of unknown axes, while torch exports


def as_tensor(x, dtype=None):
    """Return `x` as a tensor: itself where it is one, the value of a weight, else a new tensor.

    Arrays keep their dtype, but for uint16, which becomes int32, and uint32 and uint64, which become int64.
    Python's floats become `floatx()`, its integers `int32`, as in Keras; lists may hold tensors, which stay
    differentiable.

    Args:
        x: Tensor, weight, array, number or nested list.
        dtype: A torch dtype for what is no tensor yet; `None` for these rules.
    """
    if isinstance(x, Tensor):
        return x
    if isinstance(x, Weight):
        return x.value
    if isinstance(x, _NUMBERS) and (type(x) is np.float64 or not isinstance(x, np.generic)):
        return torch.tensor(x, dtype=dtype or _number_dtype(x), device=default_device())
    if isinstance(x, (np.ndarray, np.generic)):
        try:
            tensor = torch.as_tensor(x, dtype=dtype, device=default_device())
        except (TypeError, ValueError):
            return _from_unusual_array(x).to(default_device(), dtype)
        return widened(tensor)
    if isinstance(x, (list, tuple)):
        return _from_list(x, dtype)
    if isinstance(x, _SIZES):
        kind = torch.int64 if isinstance(x, torch.SymInt) else torch_dtype(config.floatx())
        return torch.scalar_tensor(x, dtype=dtype or kind, device=default_device())
    if hasattr(x, "__torch_function__"):  # a proxy of torch.fx; or a number of an optimizer, with a value
        value = None if isinstance(x, torch.fx.Proxy) else getattr(x, "value", None)
        return value if isinstance(value, Tensor) else x
    array = np.asarray(x)
    if array.dtype.kind not in "biufc" and array.dtype.name != "bfloat16":
        raise ValueError(
            f"Expected a tensor, an array, a number or nested lists of numbers, got {x!r} of type "
            f"{type(x).__name__}."
        )
    return as_tensor(array, dtype)


def pair(x1, x2):
    """Return two operands as torch's binary functions take them, so that torch's promotion is Keras's.

    A number on the right of a tensor stays one; elsewhere it becomes a tensor without axes on the CPU, which
    gives way to the dtype and the device of the other.
    """
    if isinstance(x1, Tensor) and type(x2) in (int, float) and x1.dtype is not torch.bool:
        return x1, x2
    return tensor_pair(x1, x2)


def tensor_pair(x1, x2):
    """Return two operands as tensors. See `pair`."""
    if isinstance(x1, _NUMBERS) and not isinstance(x2, _NUMBERS):
        x2 = as_tensor(x2)
        return _weak(x1, x2), x2
    x1 = as_tensor(x1)
    return x1, _weak(x2, x1) if isinstance(x2, _NUMBERS) else _beside(x2, x1)


def promoted(x1, x2):
    """Return two operands as tensors of the dtype that torch promotes both to."""
    x1, x2 = tensor_pair(x1, x2)
    if x1.dtype is x2.dtype:
        return x1, x2
    common = _result_type(x1, x2)
    return x1.to(common), x2.to(common)


def _result_type(x1, x2):
    """Do what `torch.result_type` does, which torch cannot compile."""
    if (x1.ndim == 0) is not (x2.ndim == 0):
        strong, weak = (x2, x1) if x1.ndim == 0 else (x1, x2)
        if _category(weak.dtype) <= _category(strong.dtype):
            return strong.dtype
    return torch.promote_types(x1.dtype, x2.dtype)


def _category(dtype):
    return 0 if dtype is torch.bool else 1 + dtype.is_floating_point + 2 * dtype.is_complex


def as_tensors(values):
    """Return a list of tensors for several values; new ones go to the device of those that are tensors."""
    if all([type(value) is Tensor for value in values]):
        return list(values)
    first = next((as_tensor(value) for value in values if isinstance(value, (Tensor, Weight))), None)
    return [as_tensor(value) if first is None else _beside(value, first) for value in values]


def to_common(tensors):
    """Return tensors in the dtype that torch promotes all of them to."""
    first = tensors[0].dtype
    if all([x.dtype is first for x in tensors]):
        return tensors
    common = functools.reduce(torch.promote_types, [x.dtype for x in tensors])
    return [x.to(common) for x in tensors]


def to_float(x):
    """Return `x` as a tensor of floats: integers and booleans become `floatx()`."""
    x = x if type(x) is Tensor else as_tensor(x)
    if x.is_floating_point() or x.is_complex():
        return x
    return x.to(torch_dtype(config.floatx()))


def _weak(number, beside):
    if isinstance(beside, Tensor) and _gives_way(number, beside):
        return torch.tensor(number, dtype=beside.dtype)
    return torch.tensor(number, dtype=_number_dtype(number))


def _gives_way(number, tensor):
    """Whether a number takes the dtype of a tensor even where that has no axes, too."""
    if tensor.is_floating_point():
        return not isinstance(number, complex)
    return tensor.ndim == 0 and tensor.dtype is not torch.bool and not isinstance(number, (float, complex))


def _beside(value, tensor):
    """Return `value` as a tensor; one that is made here is made on the device of `tensor`."""
    if isinstance(value, (Tensor, Weight)) or not isinstance(tensor, Tensor):
        return as_tensor(value)
    return as_tensor(value).to(tensor.device)


def _number_dtype(x):
    if isinstance(x, bool):
        return torch.bool
    if isinstance(x, int):
        return torch.int32 if -(2**31) <= x < 2**31 else torch.int64
    return torch_dtype(config.floatx()) if isinstance(x, float) else torch.complex64


def _from_unusual_array(array):
    """Return an array with negative strides, or of the bfloat16 that the package ml_dtypes adds to NumPy."""
    array = np.ascontiguousarray(array)
    if array.dtype.name == "bfloat16":
        return torch.as_tensor(array.view(np.int16)).view(torch.bfloat16)
    return torch.as_tensor(array)


def _from_list(x, dtype):
    if _holds_tensor(x):
        return torch.stack([as_tensor(part, dtype) for part in x])
    if _holds_array(x):
        return as_tensor(np.asarray(x), dtype)
    try:
        tensor = torch.tensor(x, dtype=dtype, device=default_device())
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"Expected a tensor, an array, a number or nested lists of numbers of one form, got {x!r}."
        ) from error
    if dtype is None and tensor.is_floating_point():
        return tensor.to(torch_dtype(config.floatx()))
    if (
        dtype is None
        and tensor.dtype is torch.int64
        and all(-(2**31) <= n < 2**31 for n in nested.flatten(x))
    ):
        return tensor.to(torch.int32)
    return tensor


def _holds_tensor(x):
    return any(
        isinstance(part, (Tensor, Weight, *_SIZES))
        or (isinstance(part, (list, tuple)) and _holds_tensor(part))
        for part in x
    )


def _holds_array(x):
    return any(
        (isinstance(part, (np.ndarray, np.generic)) and type(part) is not np.float64)
        or (isinstance(part, (list, tuple)) and _holds_array(part))
        for part in x
    )
