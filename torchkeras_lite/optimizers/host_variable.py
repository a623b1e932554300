"""Numbers that live on the host and answer to Keras's variable methods: step count and learning rate."""

import operator

import numpy as np
import torch

from torchkeras_lite.base.dtypes import torch_dtype


class HostVariable:
    """A number of an optimizer, kept as a Python number so that a step never waits for a device.

    Reading it (`float`, `.numpy()`, `.value`, arithmetic, torch functions) gives its value of now;
    `assign` sets it.

    Args:
        owner: The object that has the number.
        attribute: Name of the owner's attribute that holds it.
        name: Keras's name, `"learning_rate"`.
        path: Keras's path, `"adam/learning_rate"`.
        dtype: Keras's dtype name. A float32 number is rounded to float32, so that configs and files agree
            with Keras's.
    """

    trainable = False
    shape = ()
    ndim = 0

    def __init__(self, owner, attribute, name, path, dtype="float32"):
        self.owner = owner
        self.attribute = attribute
        self.name = name
        self.path = path
        self.dtype = dtype

    @property
    def number(self):
        """The number, a Python `int` or `float`."""
        return getattr(self.owner, self.attribute)

    @property
    def value(self):
        """The number as a tensor without axes, on the CPU."""
        return torch.tensor(self.number, dtype=torch_dtype(self.dtype))

    def numpy(self):
        """Return the number as a NumPy array without axes."""
        return np.array(self.number, dtype=self.dtype)

    def assign(self, value):
        """Set the number; return the variable.

        Raises:
            ValueError: `value` is no single number.
        """
        setattr(self.owner, self.attribute, host_number(value, self.dtype, self.path))
        return self

    def assign_add(self, value):
        """Add `value`; return the variable."""
        return self.assign(self.number + host_number(value, self.dtype, self.path))

    def assign_sub(self, value):
        """Subtract `value`; return the variable."""
        return self.assign(self.number - host_number(value, self.dtype, self.path))

    def item(self):
        """Return the number."""
        return self.number

    def __float__(self):
        return float(self.number)

    def __int__(self):
        return int(self.number)

    def __index__(self):
        return operator.index(self.number)

    def __bool__(self):
        return bool(self.number)

    def __array__(self, dtype=None, copy=None):
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __format__(self, spec):
        return format(self.number, spec) if spec else repr(self)

    def __repr__(self):
        return f"<Variable path={self.path}, shape=(), dtype={self.dtype}, value={self.number}>"

    def __eq__(self, other):
        return self.value == _plain(other)

    def __ne__(self, other):
        return self.value != _plain(other)

    __hash__ = object.__hash__

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        kwargs = {key: _plain(value) for key, value in (kwargs or {}).items()}
        return function(*(_plain_nested(value) for value in args), **kwargs)


def host_number(value, dtype, path):
    """Return `value` as a Python number of `dtype`."""
    value = value.number if isinstance(value, HostVariable) else value
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value).astype(dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"'{path}' is a number, and {value!r} cannot be assigned to it. Pass a number."
        ) from error
    if array.shape != ():
        raise ValueError(
            f"The shape of variable '{path}' is (), and a value of shape {array.shape} cannot be assigned "
            "to it. Pass a number."
        )
    return array.item()


def _plain(value):
    return value.value if isinstance(value, HostVariable) else value


def _plain_nested(value):
    return type(value)(map(_plain, value)) if type(value) in (list, tuple) else _plain(value)


def _unary(name):
    function = getattr(operator, name)

    def method(self):
        return function(self.value)

    return method


def _binary(name):
    function = getattr(operator, name)

    def forward(self, other):
        return function(self.value, _plain(other))

    def reflected(self, other):
        return function(_plain(other), self.value)

    return forward, reflected


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    _forward, _reflected = _binary(_name)
    setattr(HostVariable, f"__{_name}__", _forward)
    setattr(HostVariable, f"__r{_name}__", _reflected)
for _name in ("lt", "le", "gt", "ge"):
    setattr(HostVariable, f"__{_name}__", _binary(_name)[0])
for _name in ("neg", "abs"):
    setattr(HostVariable, f"__{_name}__", _unary(_name))
