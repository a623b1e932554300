"""How what a script passes becomes tensors."""

import operator

import numpy as np
import torch

from torchkeras_lite.base.device import default_device
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.engine.weights import Weight
from torchkeras_lite.ops.inputs import as_tensor
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.shapes import TensorShape
from torchkeras_lite.tf.tensor import wrap
from torchkeras_lite.tf.text import StringTensor, is_text


def convert(value, dtype=None):
    """Return `value` as a tensor.

    Torch and symbolic tensors stay what they are, weights give their value. What is no tensor becomes a
    `Tensor`, text a `StringTensor`: Python's floats are `float32`, its integers `int32`, arrays keep their
    dtype, and with a `dtype` everything gets that.
    """
    if dtype is not None:
        dtype = dtypes.as_dtype(dtype)
    if isinstance(value, torch.Tensor):
        return value if dtype is None or value.dtype is dtype else value.to(dtype)
    if isinstance(value, (StringTensor, KerasTensor)):
        return value
    if isinstance(value, Weight):
        return convert(value.value, dtype)
    if is_text(value):
        return StringTensor(value)
    if isinstance(value, TensorShape):
        value = tuple(value)
    tensor = wrap(as_tensor(value))
    return tensor if dtype is None else tensor.to(dtype)


def convert_beside(value, other):
    """Return `value` as a tensor; a number, list or array gets the dtype of the tensor `other`."""
    if isinstance(value, (torch.Tensor, Weight, StringTensor, KerasTensor)) or not isinstance(
        other, (torch.Tensor, Weight)
    ):
        return convert(value)
    tensor = convert(value)
    return tensor.to(other.device, convert(other).dtype) if isinstance(tensor, torch.Tensor) else tensor


def constant(value, dtype=None, shape=None, name="Const"):
    """Return a tensor with the values given.

    Args:
        value: A number, text, an array or nested lists.
        dtype: Its dtype; `None`: that of the values, `float32` and `int32` for Python's numbers.
        shape: A shape to arrange the values in; a single value fills it.
        name: Accepted as in TensorFlow.

    Source: `tf.constant`.
    """
    tensor = convert(value, dtype)
    if isinstance(tensor, torch.Tensor) and not isinstance(value, (torch.Tensor, Weight)):
        tensor = tensor.to(default_device())
    if shape is None:
        return tensor
    shape = tuple(map(operator.index, shape))
    if isinstance(tensor, StringTensor):
        return StringTensor(np.broadcast_to(tensor, shape) if tensor.size == 1 else tensor.reshape(shape))
    return tensor.expand(shape).clone() if tensor.numel() == 1 and tensor.ndim == 0 else tensor.reshape(shape)


def convert_to_tensor(value, dtype=None, dtype_hint=None, name=None):
    """Return `value` as a tensor; see `constant`. `dtype_hint` is the dtype of what has none of its own."""
    if dtype is None and not hasattr(value, "dtype"):
        dtype = dtype_hint
    return convert(value, dtype)


def is_tensor(x):
    """Return whether `x` is a tensor or a variable."""
    return isinstance(x, (torch.Tensor, StringTensor, KerasTensor, Weight))


def sizes(shape):
    """Return a shape given as a tensor, a list with tensors in it, or a number, as a tuple of integers."""
    if isinstance(shape, (torch.Tensor, Weight)):
        shape = convert(shape).tolist()
    if isinstance(shape, (int, np.integer)):
        return (int(shape),)
    return tuple(int(size) for size in shape)
