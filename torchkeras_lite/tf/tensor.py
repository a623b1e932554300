"""`Tensor`: a torch tensor that also answers as TensorFlow's do."""

import functools

import numpy as np
import torch

from torchkeras_lite.base import nested
from torchkeras_lite.base.dtypes import NAMES
from torchkeras_lite.engine.weights import to_numpy
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.shapes import TensorShape

_NO_WRAP = torch.overrides.get_default_nowrap_functions()
_without_overrides = torch._C.DisableTorchFunctionSubclass
cutters: list = []  # what an open tape does to arguments, at most one function: see `tape`


class _AnyTensor(type(torch.Tensor)):  # type: ignore[misc]
    """Lets `isinstance(x, tf.Tensor)` hold for every torch tensor, such as one that a layer returned."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, torch.Tensor) or getattr(instance, "dtype", None) is dtypes.string


class Tensor(torch.Tensor, metaclass=_AnyTensor):
    """A torch tensor with TensorFlow's `numpy()`, `shape`, operators, indexing and printing.

    Results of torch functions on it are of this class too, so it stays with everything computed from it. In
    operators it takes lists and arrays, which get its dtype. Inside what torch compiles, tensors are plain.

    Source: `tf.Tensor`. Differs: dtypes that differ are promoted, not refused; torch's methods such as
    `add_` change the values in place; `device` is torch's; `==` compares and objects are hashed by identity.
    """

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        for kind in types:
            if not issubclass(kind, torch.Tensor):
                return NotImplemented  # a weight or a symbolic tensor knows what to do
        if cutters and function.__name__ != "__get__":  # what asks for an attribute computes nothing
            args = tuple(map(cutters[0], args))
        with _without_overrides():
            result = function(*args, **(kwargs or {}))
        if type(result) is torch.Tensor:
            return result if function in _NO_WRAP else result.as_subclass(Tensor)
        return _wrap_parts(result) if isinstance(result, (tuple, list)) else result

    def __float__(self):
        return float(self.numpy().item())  # of one element, whatever its axes, as NumPy did for TensorFlow

    def __int__(self):
        return int(self.numpy().item())

    @property
    def shape(self):
        """Shape with TensorFlow's methods; it equals tuples and lists."""
        with _without_overrides():
            return TensorShape(torch.Tensor.size(self))

    def get_shape(self):
        """Return the shape."""
        return self.shape

    def set_shape(self, shape):
        """Raise `ValueError` unless the shape fits `shape`, which may have `None`."""
        self.shape.assert_is_compatible_with(shape)

    def numpy(self):
        """Return the values as a NumPy array, or a NumPy number where there are no axes; gradients are left.

        The array shares memory with a tensor on the CPU.
        """
        with _without_overrides():
            tensor = self.detach()
            array = (
                to_numpy(tensor) if tensor.dtype is torch.bfloat16 else tensor.cpu().resolve_conj().numpy()
            )
        return array[()]

    def __array__(self, dtype=None, copy=None):
        array = np.asarray(self.numpy())
        return array if dtype is None else array.astype(dtype)

    def __deepcopy__(self, memo):
        memo[id(self)] = copied = self.detach().clone()
        return copied

    def __reduce_ex__(self, protocol):
        return wrap, (plain(self.detach()),)

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return array[()] if return_scalar else array  # NumPy's functions return arrays

    def __array_function__(self, function, types, args, kwargs):
        arrays = nested.map_structure(_as_array, (args, kwargs))
        return function(*arrays[0], **arrays[1])

    def ref(self):
        """Return a hashable stand-in, whose `deref()` is the tensor."""
        return Reference(self)

    def __getitem__(self, key):
        keys = key if isinstance(key, tuple) else (key,)
        if any(isinstance(one, slice) and one.step is not None and one.step < 0 for one in keys):
            return _backwards(self, keys)
        return super().__getitem__(key)

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("Cannot iterate over a scalar tensor.")
        return iter(self.unbind(0))

    def __repr__(self):
        return f"<tf.Tensor: shape={self.shape}, dtype={_name(self.dtype)}, numpy={self.numpy()!r}>"

    def __str__(self):
        values = str(self.numpy())
        return (
            f"tf.Tensor({chr(10) * (self.ndim > 1)}{values}, shape={self.shape}, dtype={_name(self.dtype)})"
        )

    def __format__(self, spec):
        return format(self.numpy() if self.ndim == 0 and spec else str(self), spec)

    __hash__ = torch.Tensor.__hash__


def _operator(name):
    function = getattr(torch.Tensor, name)

    @functools.wraps(function)
    def method(self, other):
        if isinstance(other, (list, tuple, np.ndarray, np.generic)):
            other = torch.as_tensor(np.asarray(other), dtype=self.dtype, device=self.device)
        return function(self, other)

    return method


for _stem in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"):
    for _full in (f"__{_stem}__", f"__r{_stem}__"):
        if hasattr(torch.Tensor, _full):
            setattr(Tensor, _full, _operator(_full))
    setattr(Tensor, f"__i{_stem}__", getattr(Tensor, f"__{_stem}__"))  # `a += 1` gives `a` a new value
for _stem in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Tensor, f"__{_stem}__", _operator(f"__{_stem}__"))


class Reference:
    """A tensor or variable as a key of dicts and sets.

    Args:
        target: The tensor.
    """

    def __init__(self, target):
        self._target = target

    def deref(self):
        """Return the tensor."""
        return self._target

    def __eq__(self, other):
        return isinstance(other, Reference) and self._target is other._target

    def __hash__(self):
        return id(self._target)


def _as_array(value):
    return np.asarray(value.numpy()) if type(value) is Tensor else value


def _wrap_parts(parts):
    kind = type(parts)
    if kind is torch.Size:
        return parts
    wrapped = [wrap(part) if type(part) is torch.Tensor else part for part in parts]
    return kind(*wrapped) if hasattr(kind, "_fields") else kind(wrapped)


def _backwards(tensor, keys):
    """Index with slices of negative steps, which torch does not have, by reversing those axes first."""
    axes = sum(one is not None and one is not Ellipsis for one in keys)
    if Ellipsis in [one for one in keys if one is Ellipsis]:
        at = next(index for index, one in enumerate(keys) if one is Ellipsis)
        keys = (*keys[:at], *[slice(None)] * (tensor.ndim - axes), *keys[at + 1 :])
    axis, ahead = 0, []
    for one in keys:
        if isinstance(one, slice) and one.step is not None and one.step < 0:
            indices = torch.arange(tensor.shape[axis], device=tensor.device)
            tensor = tensor.index_select(axis, indices[range(tensor.shape[axis])[one]])
            one = slice(None)
        ahead.append(one)
        axis += one is not None
    return tensor[tuple(ahead)]


def _name(dtype):
    return NAMES.get(dtype, str(dtype).removeprefix("torch."))


def wrap(tensor):
    """Return a torch tensor as a `Tensor`; inside what torch compiles, as it is."""
    if torch.compiler.is_compiling() or type(tensor) is not torch.Tensor:
        return tensor
    return tensor.as_subclass(Tensor)


def plain(value):
    """Return a `Tensor` as a plain torch tensor; other values as they are."""
    return value.as_subclass(torch.Tensor) if type(value) is Tensor else value
