"""`Variable`: a weight that was made on its own, outside `add_weight`.

Its tensor is of the kind that `add_weight` makes. It is kept in a small module until the variable is kept
in a layer's attribute; `adopt` then moves it into the layer, where it is one of the layer's weights and
the variable is a view of it.
"""

import operator

import numpy as np
import torch
from torch import nn

from torchkeras_lite import initializers
from torchkeras_lite.base import config, dtypes, naming
from torchkeras_lite.base.checks import one_of
from torchkeras_lite.base.device import default_device
from torchkeras_lite.base.promotion import result_type
from torchkeras_lite.engine.building import draw
from torchkeras_lite.engine.weights import (
    LayerBuffer,
    LayerParameter,
    Weight,
    WeightInfo,
    WeightSpec,
    delegate,
    set_trainable,
)

AGGREGATIONS = (None, "none", "mean", "sum", "only_first_replica")
SYNCHRONIZATIONS = (None, "none", "on_read", "on_write", "auto")


class _AnyWeight(type):
    """Lets `isinstance(weight, Variable)` hold for the weights of layers too, which are of other classes."""

    def __instancecheck__(cls, instance):
        kinds = (Weight, LayerParameter, LayerBuffer)
        return type.__instancecheck__(cls, instance) or (cls is Variable and isinstance(instance, kinds))


class Variable(Weight, metaclass=_AnyWeight):
    """A torch tensor with Keras's methods, which can be trained.

    It works with operators, in torch functions and in `torch.autograd.grad`; `value` is the torch tensor,
    a parameter or (for `trainable=False` and for integers) a buffer. Kept in an attribute of a layer it is
    one of the layer's weights.

    Args:
        initializer: An array, tensor, number or list with the values; or a name, a callable `(shape,
            dtype)` or an `Initializer`, which need a `shape`.
        shape: Sizes, a tuple of integers.
        dtype: Dtype; `None`: that of the array or tensor given, the default float type for Python numbers
            with a fraction and for initializers.
        trainable: Whether gradients train it. Integers and booleans are never trained.
        autocast, aggregation, synchronization, layout: Accepted as in Keras; nothing depends on them here.
        name: Name, an automatic one when not given.

    Raises:
        ValueError: an initializer without a shape, a shape with unknown sizes or another one than the
            values', a name with `/`.

    Source: Keras 3 `keras.Variable`.
    """

    _overwrites = False

    def __init__(
        self,
        initializer,
        shape=None,
        dtype=None,
        trainable=True,
        autocast=True,
        aggregation="none",
        synchronization="auto",
        name=None,
        layout=None,
    ):
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError(
                "Variable: Argument `name` must be a string and cannot contain character `/`, got "
                f"name={name!r}."
            )
        name = name or naming.auto_name(self)
        path = "/".join(filter(None, (naming.current_path(), name)))
        owner = f"Variable '{path}'"
        self.autocast = bool(autocast)
        self.aggregation = one_of(owner, "aggregation", aggregation, AGGREGATIONS) or "none"
        self.synchronization = one_of(owner, "synchronization", synchronization, SYNCHRONIZATIONS) or "none"
        shape = None if shape is None else _standardize_shape(shape, owner)
        if callable(initializer) or isinstance(initializer, (str, dict)):
            initializer = initializers.get(initializer)
            if shape is None:
                raise ValueError(
                    f"{owner}: When creating a Variable from an initializer, the `shape` argument should "
                    "be specified, got "
                    f"initializer={initializer!r} and shape=None. Pass `shape=(...)`."
                )
            dtype = dtypes.standardize_dtype(dtype, config.floatx())
            tensor = draw(initializer, shape, dtype, default_device())
        else:
            tensor, initializer = _tensor_of(initializer, dtype, owner), None
            if shape is not None and tuple(tensor.shape) != shape:
                raise ValueError(
                    f"{owner}: expected values of shape {shape}, the `shape` given, got values of shape "
                    f"{tuple(tensor.shape)}. "
                    "Leave `shape` out, or pass values of that shape."
                )
        trainable = bool(trainable) and tensor.is_floating_point()
        self._owner, self.spec = nn.Module(), WeightSpec(name, "value")
        info = WeightInfo(name, path, initializer, trainable=trainable)
        _keep(self._owner, "value", (LayerParameter if trainable else LayerBuffer)(tensor, info))

    @property
    def tensor(self):
        """The torch tensor: a parameter, or a buffer where it is not to be trained."""
        owner, key = self._owner, self.spec.at
        return owner._parameters[key] if key in owner._parameters else owner._buffers[key]

    @property
    def _info(self):
        return self.tensor.info

    @property
    def trainable(self):
        """Whether gradients are computed for it (its `requires_grad`)."""
        return self.tensor.requires_grad

    @trainable.setter
    def trainable(self, value):
        tensor = self.tensor
        if value and not isinstance(tensor, nn.Parameter) and tensor.is_floating_point():
            tensor.info.trainable = True
            _keep(self._owner, self.spec.at, LayerParameter(tensor.detach(), tensor.info))
        set_trainable(self.tensor, self._info, value)

    @property
    def regularizer(self):
        """Penalty on the values, or `None`."""
        return self._info.regularizer

    @regularizer.setter
    def regularizer(self, value):
        self._info.regularizer = _callable_or_none(self, "regularizer", value)

    @property
    def constraint(self):
        """Projection applied after every update, or `None`."""
        return self._info.constraint

    @constraint.setter
    def constraint(self, value):
        self._info.constraint = _callable_or_none(self, "constraint", value)

    @property
    def overwrite_with_gradient(self):
        """Whether an optimizer's update makes the gradient the new value."""
        return self._overwrites

    @overwrite_with_gradient.setter
    def overwrite_with_gradient(self, value):
        if not isinstance(value, bool):
            raise TypeError(
                f"Variable '{self.path}': `overwrite_with_gradient` must be a boolean, got {value!r}."
            )
        self._overwrites = value

    def __bool__(self):
        raise TypeError(
            f"Variable '{self.path}' cannot be used as a boolean. Compare its `value`, or use `float(...)`."
        )

    def __float__(self):
        return float(self._number())

    def __int__(self):
        return int(self._number())

    def _number(self):
        if self.tensor.ndim:
            raise TypeError(
                f"Variable '{self.path}' of shape {self.shape} is no single number. Only scalar arrays can "
                "be converted to Python scalars. Take an element first."
            )
        return self.value.detach()

    def __index__(self):
        return operator.index(self.value.detach())

    def __round__(self, ndigits=0):
        return torch.round(self.value, decimals=ndigits or 0)

    def __repr__(self):
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}{self._shown_value()}>"

    def _shown_value(self):
        return "" if self.tensor.is_meta else f", value={self.numpy()}"

    __hash__ = object.__hash__  # by identity: `==` compares values


def _operands(first, second):
    """Return both as tensors of the dtype that Keras gives to their common result."""
    tensors = [torch.as_tensor(getattr(value, "value", value)) for value in (first, second)]
    common = dtypes.torch_dtype(result_type(*(tensor.dtype for tensor in tensors)))
    return [tensor.to(common) for tensor in tensors]


def _logical(function):
    def method(self, other):
        other = torch.as_tensor(getattr(other, "value", other), device=self.tensor.device)
        return function(self.value, other)

    return method


def _of_one_dtype(function, name, reflected=False):
    """Return the operator `name` of `Weight`, with operands that torch does not mix brought to one dtype."""
    plain = getattr(Weight, name)
    mixes_all = "matmul" not in name  # torch subtracts numbers of any dtypes, but no booleans

    def method(self, other):
        dtype = getattr(other, "dtype", None)
        dtype = self.dtype if dtype is None else dtypes.standardize_dtype(dtype)
        if dtype == self.dtype or (mixes_all and "bool" not in (dtype, self.dtype)):
            return plain(self, other)
        first, second = _operands(self, other)
        return function(second, first) if reflected else function(first, second)

    return method


def _define_operators():
    for name, function in (
        ("and", torch.logical_and),
        ("or", torch.logical_or),
        ("xor", torch.logical_xor),
    ):
        setattr(Variable, f"__{name}__", _logical(function))
        setattr(Variable, f"__r{name}__", _logical(function))
    for name, function in (("matmul", operator.matmul), ("sub", operator.sub)):
        setattr(Variable, f"__{name}__", _of_one_dtype(function, f"__{name}__"))
        setattr(Variable, f"__r{name}__", _of_one_dtype(function, f"__r{name}__", reflected=True))
    for name in ("eq", "ne", "invert", "pos"):
        setattr(Variable, f"__{name}__", delegate(f"__{name}__"))


_define_operators()


def is_free_variable(value):
    """Whether `value` was made by `Variable(...)`, and is no weight that a layer made."""
    return Variable in type(value).__mro__


def adopt(layer, key, variable):
    """Make the tensor of `variable` a weight of `layer`, under `key` in its `state_dict`.

    The variable is then a view of it. Where another layer adopted it first, both have it.
    """
    tensor = variable.tensor
    for table in (layer._parameters, layer._buffers, layer._added):
        table.pop(key, None)
    _keep(layer, key, tensor)
    layer._added[key] = tensor.info
    variable._owner, variable.spec = layer, WeightSpec(variable.name, key)


def _keep(module, key, tensor):
    """Register `tensor` as a parameter or buffer of `module`, in the place of what it had under `key`."""
    tables = (module._parameters, module._buffers)
    wanted, other = tables if isinstance(tensor, nn.Parameter) else tables[::-1]
    other.pop(key, None)
    wanted[key] = tensor


def _callable_or_none(variable, attribute, value):
    if value is not None and not callable(value):
        raise ValueError(
            f"Variable '{variable.path}': Invalid value for attribute `{attribute}`: expected a callable or "
            f"`None`, got {value!r}. Pass an object such as `{attribute}s.get(...)` returns."
        )
    return value


def _standardize_shape(shape, owner):
    if isinstance(shape, (str, int)) or not hasattr(shape, "__iter__"):
        raise ValueError(f"{owner}: cannot convert {shape!r} to a shape; expected a tuple of integers.")
    sizes = tuple(shape)
    for size in sizes:
        if size is None:
            raise ValueError(
                f"{owner}: shapes used to initialize variables must be fully-defined (no `None` "
                f"dimensions), got shape={sizes}."
            )
        if isinstance(size, bool) or not hasattr(size, "__index__") or operator.index(size) < 0:
            raise ValueError(
                f"{owner}: cannot convert {sizes} to a shape: {size!r} is not a size of 0 or more."
            )
    return tuple(map(operator.index, sizes))


def _tensor_of(values, dtype, owner):
    """Return a fresh tensor with `values`: on the device of a tensor, else on the default device."""
    if isinstance(values, (Weight, torch.Tensor)):
        tensor = getattr(values, "value", values).detach()
        wanted = tensor.dtype if dtype is None else dtypes.torch_dtype(dtype)
        return torch.Tensor.clone(tensor.as_subclass(torch.Tensor)).to(wanted)
    array = np.asarray(values)
    if array.dtype.kind not in "biufc":
        raise ValueError(
            f"{owner}: expected numbers, an array, a tensor or an initializer, got {values!r} of type "
            f"{type(values).__name__}."
        )
    if dtype is None and (isinstance(values, float) or not hasattr(values, "dtype")):
        dtype = {"b": "bool", "i": "int32", "u": "int32", "f": config.floatx()}.get(array.dtype.kind)
    wanted = dtypes.torch_dtype(array.dtype if dtype is None else dtype)
    return torch.from_numpy(array.copy()).to(default_device(), wanted)
