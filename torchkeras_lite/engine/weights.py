"""Weights: torch's storage, Keras's view of it, declared once.

A weight lives where torch keeps it: a leaf parameter or a buffer of a module, in torch's layout, under a
plain `state_dict` key. `WeightSpec` says once, per weight of a layer class, what Keras calls it, where the
torch tensor is and how Keras orders its axes; `Weight` is the view that follows from it. Values, shapes and
gradients of a view are in Keras's layout; what is done to the view is done to the storage.

`add_weight` makes a tensor that belongs to its layer directly: `LayerParameter` or `LayerBuffer`, torch
tensors that also answer to Keras's methods.
"""

import contextvars
import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from torchkeras_lite.base import dtypes, nested
from torchkeras_lite.base.numpy_calls import ReadByNumpy
from torchkeras_lite.engine import sharding
from torchkeras_lite.engine.array_operators import MeetsArrays


@dataclass(frozen=True)
class WeightSpec:
    """Where one Keras weight of a layer class is kept.

    Args:
        name: Keras's name, `"kernel"`. The layer's attributes `<name>_initializer`, `<name>_regularizer` and
            `<name>_constraint` belong to it.
        at: Path of the torch tensor from the layer, `"linear.weight"`.
        keras_axes: The torch axes in Keras's order: the view is `tensor.permute(keras_axes)`. `None`: the
            same order.
        trainable: Whether gradients train it. Buffers are never trained.
        memory_format: Order of the stored values in memory, chosen once when the weight is made.
    """

    name: str
    at: str
    keras_axes: tuple[int, ...] | None = None
    trainable: bool = True
    memory_format: torch.memory_format = torch.contiguous_format

    def to_keras(self, tensor):
        """Return `tensor`, in torch's layout, as a differentiable tensor in Keras's layout."""
        return tensor if self.keras_axes is None else tensor.permute(self.keras_axes)

    def keras_shape(self, tensor):
        """Return the shape, a tuple, of `to_keras(tensor)`."""
        return tuple(self.to_keras(tensor).shape)

    def from_keras(self, tensor):
        """Return `tensor`, in Keras's layout, in torch's layout."""
        if self.keras_axes is None:
            return tensor
        return tensor.permute([self.keras_axes.index(axis) for axis in range(len(self.keras_axes))])


@dataclass
class WeightInfo:
    """What Keras knows of a weight besides its values."""

    name: str
    path: str
    initializer: Any = None
    regularizer: Any = None
    constraint: Any = None
    trainable: bool = True


class KerasLayout(torch.Tensor):
    """The value of a weight in Keras's layout, differentiable with respect to the stored tensor.

    `grad` is the stored tensor's gradient in Keras's layout, so that `weight.value.grad` works as in Keras's
    guide to custom torch training steps. Results of torch functions are plain tensors.
    """

    _stored: torch.Tensor
    spec: WeightSpec

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function is torch.autograd.grad:
            return _autograd_grad(*args, **(kwargs or {}))
        return torch._C._disabled_torch_function_impl(function, types, args, kwargs or {})

    @property
    def grad(self):
        """The stored tensor's gradient, in Keras's layout."""
        gradient = self._stored.grad
        return None if gradient is None else self.spec.to_keras(gradient)


# What is told of a tensor before an assignment writes into it: an open `StatelessScope` keeps the old values.
on_assignment: contextvars.ContextVar = contextvars.ContextVar("on_assignment", default=None)


def _assign(target, value, path, to_storage, stored):
    """Copy `value`, in Keras's layout, into `target`'s storage; shapes must agree."""
    value = value.value if isinstance(value, Weight) else value
    if not isinstance(value, torch.Tensor):
        value = torch.as_tensor(np.asarray(value))
    expected = tuple(target.shape)
    if tuple(value.shape) != expected:
        try:
            value = torch.broadcast_to(value, expected) if value.ndim == 0 else value
        finally:
            if tuple(value.shape) != expected:
                raise ValueError(
                    f"The shape of weight '{path}' is {expected}, and a value of shape {tuple(value.shape)} "
                    "cannot "
                    f"be assigned to it. Pass a value of shape {expected}."
                )
    keep = on_assignment.get()
    if keep is not None:
        keep(stored)
    with torch.no_grad():
        to_storage(value.detach())


class Weight(ReadByNumpy):
    """Keras's view of one weight of a layer.

    Works in torch functions and with operators, in `torch.autograd.grad` (the gradient comes in Keras's
    layout) and in `optimizer.apply`. The view holds no values of its own, so it stays true after `.to(...)`,
    `load_state_dict` and `deepcopy`.
    """

    def __init__(self, owner, spec, info):
        self._owner = owner
        self.spec = spec
        self._info = info
        self._steps = spec.at.split(".")

    @property
    def owner(self):
        """The module from which the stored tensor is reached."""
        return self._owner

    @property
    def born_trainable(self):
        """Whether the weight was made to be trained, frozen or not."""
        return self._info.trainable and isinstance(self.tensor, nn.Parameter)

    @property
    def tensor(self):
        """The stored torch tensor, in torch's layout."""
        found = self._owner
        for step in self._steps:  # torch.compile cannot trace `operator.attrgetter`
            found = getattr(found, step)
        return found

    @property
    def value(self):
        """The values as a tensor in Keras's layout, differentiable with respect to the stored tensor."""
        stored = self.tensor
        view = self.spec.to_keras(stored)
        if view is stored or torch.compiler.is_compiling() or not isinstance(stored, torch.Tensor):
            return view  # while torch traces, a proxy stands for the tensor
        if sharding.is_sharded(stored):
            return view
        view = view.as_subclass(KerasLayout)
        view._stored, view.spec = stored, self.spec
        return view

    @property
    def shape(self):
        """Shape in Keras's layout, a tuple."""
        return self.spec.keras_shape(self.tensor)

    @property
    def ndim(self):
        """Number of axes."""
        return len(self.shape)

    @property
    def dtype(self):
        """Keras's dtype name, `"float32"`."""
        return dtypes.standardize_dtype(self.tensor.dtype)

    @property
    def name(self):
        """Name inside the layer, `"kernel"`."""
        return self._info.name

    @property
    def path(self):
        """Name with those of the layers around it, `"sequential/dense/kernel"`."""
        return self._info.path

    @property
    def initializer(self):
        """What the values were drawn from."""
        return self._info.initializer

    @property
    def regularizer(self):
        """Penalty on the values, or `None`."""
        return self._info.regularizer

    @regularizer.setter
    def regularizer(self, value):
        self._info.regularizer = value

    @property
    def constraint(self):
        """Projection applied after every update, or `None`."""
        return self._info.constraint

    @constraint.setter
    def constraint(self, value):
        self._info.constraint = value

    @property
    def trainable(self):
        """Whether gradients are computed for the stored tensor (its `requires_grad`)."""
        return self.tensor.requires_grad

    @trainable.setter
    def trainable(self, value):
        set_trainable(self.tensor, self._info, value)

    def numpy(self):
        """Return a copy of the values as a NumPy array in Keras's layout."""
        return to_numpy(self.spec.to_keras(sharding.whole(self.tensor).detach()))

    def assign(self, value):
        """Overwrite the values, in place, with an array or tensor in Keras's layout; return the view.

        Raises:
            ValueError: another shape.
        """
        stored = self.tensor
        _assign(
            self.value,
            value,
            self.path,
            lambda v: sharding.overwrite(stored, self.spec.from_keras(v)),
            stored,
        )
        return self

    def assign_add(self, value):
        """Add `value` to the values in place; return the view."""
        return self.assign(self.value.detach() + _as_tensor(value, self.device))

    def assign_sub(self, value):
        """Subtract `value` from the values in place; return the view."""
        return self.assign(self.value.detach() - _as_tensor(value, self.device))

    def __array__(self, dtype=None, copy=None):
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __len__(self):
        return self.shape[0]

    def __iter__(self):
        return iter(self.value)

    def __getattr__(self, name):
        # Tensor attributes and methods (`mean()`, `T`, `device`, `grad`) come from the value.
        if name.startswith("__") or name in ("_owner", "spec", "_info", "_steps"):
            raise AttributeError(name)
        return getattr(self.value, name)

    def __repr__(self):
        return f"<Weight path={self.path}, shape={self.shape}, dtype={self.dtype}>"

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is torch.autograd.grad:
            return _autograd_grad(*args, **kwargs)
        args, kwargs = nested.map_structure(_plain, (tuple(args), dict(kwargs)))
        return function(*args, **kwargs)


def _plain(value):
    return value.value if isinstance(value, Weight) else value


def _as_tensor(value, device):
    value = _plain(value)
    return value if isinstance(value, (torch.Tensor, int, float)) else torch.as_tensor(value, device=device)


def _operand(value, values, name):
    """Return what the operator `name` of torch takes beside `values`: a tensor for a weight or an array."""
    value = _plain(value)
    if not isinstance(value, np.ndarray):
        return value
    made = torch.as_tensor(value, device=values.device)
    return made.to(values.dtype) if "matmul" in name else made


def delegate(name):
    """Return a method of `Weight` that applies the operator `name` to its values."""
    function = getattr(operator, name)

    def method(self, *others):
        values = self.value
        return function(values, *(_operand(other, values, name) for other in others))

    return method


def _reflect(name):
    function = getattr(operator, name)

    def method(self, other):
        values = self.value
        return function(_operand(other, values, name), values)

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
    setattr(Weight, f"__{_name}__", delegate(f"__{_name}__"))
    setattr(Weight, f"__r{_name}__", _reflect(f"__{_name}__"))
for _name in ("neg", "abs", "getitem", "lt", "le", "gt", "ge"):
    setattr(Weight, f"__{_name}__", delegate(f"__{_name}__"))


def _autograd_grad(outputs, inputs, *args, **kwargs):
    """`torch.autograd.grad` with respect to views: asked of the storage, answered in Keras's layout."""
    single = isinstance(inputs, (Weight, torch.Tensor))
    variables = [inputs] if single else list(inputs)
    stored = [v._stored if isinstance(v, KerasLayout) else leaf(v) for v in variables]
    outputs = nested.map_structure(_plain, outputs)
    gradients = torch.autograd.grad(outputs, stored, *args, **kwargs)
    return tuple(
        v.spec.to_keras(g) if isinstance(v, (Weight, KerasLayout)) and g is not None else g
        for v, g in zip(variables, gradients, strict=True)
    )


def leaf(variable):
    """Return the stored torch tensor behind a `Weight`; a tensor passes through."""
    return variable.tensor if isinstance(variable, Weight) else variable


def leaf_gradient(variable, gradient):
    """Return `gradient`, in the layout of `variable`, in the layout of `leaf(variable)`."""
    if gradient is None or not isinstance(variable, Weight):
        return gradient
    return variable.spec.from_keras(gradient)


def to_numpy(tensor):
    """Return a fresh NumPy array with the values of `tensor`.

    Bfloat16, which NumPy lacks, becomes float32.
    """
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    return np.array(tensor.cpu().numpy())


def set_trainable_tensor(tensor, value):
    """Let gradients train `tensor`, or stop them; tensors that cannot be trained stay as they are."""
    if not value or (tensor.is_leaf and tensor.is_floating_point()):
        tensor.requires_grad_(value)


def set_trainable(tensor, info, value):
    """Let gradients train the one weight `tensor`, or stop them.

    Raises:
        ValueError: it is a buffer.
    """
    if value and not isinstance(tensor, nn.Parameter):
        raise ValueError(
            f"Weight '{info.path}' was made with trainable=False and is a buffer, which cannot be trained. "
            "Make it with trainable=True."
        )
    tensor.requires_grad_(bool(value))


class _KerasMethods(MeetsArrays, ReadByNumpy):
    """Keras's methods on a tensor that `add_weight` made. Its layout is Keras's."""

    info: WeightInfo

    @property
    def name(self):
        """Name inside the layer."""
        return self.info.name

    @property
    def path(self):
        """Name with those of the layers around it."""
        return self.info.path

    @property
    def value(self):
        """The tensor itself."""
        return self

    @property
    def trainable(self):
        """Whether gradients train it (its `requires_grad`)."""
        return self.requires_grad

    @trainable.setter
    def trainable(self, value):
        set_trainable(self, self.info, value)

    @property
    def initializer(self):
        """What the values were drawn from."""
        return self.info.initializer

    @property
    def regularizer(self):
        """Penalty on the values, or `None`."""
        return self.info.regularizer

    @regularizer.setter
    def regularizer(self, value):
        self.info.regularizer = value

    @property
    def constraint(self):
        """Projection applied after every update, or `None`."""
        return self.info.constraint

    @constraint.setter
    def constraint(self, value):
        self.info.constraint = value

    def numpy(self, *, force=False):
        """Return a copy of the values as a NumPy array; `force`, as torch has it, changes nothing."""
        return to_numpy(self.detach())

    def __array__(self, dtype=None, copy=None):
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def assign(self, value):
        """Overwrite the values in place; the shape must be the same."""
        _assign(self, value, self.path, self.copy_, self)
        return self

    def assign_add(self, value):
        """Add `value` in place."""
        return self.assign(self.detach() + _as_tensor(value, self.device))

    def assign_sub(self, value):
        """Subtract `value` in place."""
        return self.assign(self.detach() - _as_tensor(value, self.device))

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            copied = type(self)(self.detach().clone(memory_format=torch.preserve_format), self.info)
            copied.requires_grad_(self.requires_grad)
            copied.info = WeightInfo(**vars(self.info))
            memo[id(self)] = copied
        return memo[id(self)]

    def __reduce_ex__(self, protocol):
        plain = self.detach().as_subclass(torch.Tensor)
        return _rebuild, (type(self), plain, self.requires_grad, self.info)


class LayerParameter(_KerasMethods, nn.Parameter):
    """A trainable weight made by `add_weight`: an `nn.Parameter` with Keras's methods."""

    def __new__(cls, data, info):
        """Wrap `data` without a copy."""
        parameter = super().__new__(cls, data, requires_grad=info.trainable)
        parameter.info = info
        return parameter

    def __init__(self, data, info):
        pass


class LayerBuffer(_KerasMethods, torch.Tensor):
    """A weight made by `add_weight(trainable=False)`: a persistent buffer with Keras's methods."""

    __torch_function__ = torch._C._disabled_torch_function_impl
    _is_buffer = True
    persistent = True

    def __new__(cls, data, info):
        """Wrap `data` without a copy."""
        buffer = data.detach().as_subclass(cls)
        buffer.info = info
        return buffer

    def __init__(self, data, info):
        pass


def _rebuild(cls, plain, requires_grad, info):
    tensor = cls(plain, info)
    return tensor.requires_grad_(requires_grad) if requires_grad != tensor.requires_grad else tensor
