"""The state of a metric: a torch tensor that follows the data from device to device."""

import operator

import numpy as np
import torch

from torchkeras_lite.base import dtypes, nested
from torchkeras_lite.base.numpy_calls import ReadByNumpy


class MetricVariable(ReadByNumpy):
    """One state variable of a metric.

    Behaves as its tensor in operators and torch functions. Updates make a new tensor instead of writing into
    the old one, so that a result handed out earlier never changes, and never wait for the device. The tensor
    moves to the device of the first data it meets and stays there, also when it is reset.

    A scalar can grow by plain Python numbers (`assign_add(32)`); they are kept aside until the tensor is
    read, which costs no kernel. That is how `Mean` counts samples.

    Args:
        value: Initial values, a tensor; `None` for zeros.
        shape: Tuple of integers.
        dtype: Dtype name.
        name: Name inside the metric.
        path: Name with that of the metric, `"mean/total"`.
        aggregation: How copies of several processes are joined, `"sum"` or `"mean"`.

    Source: Keras 3 `keras.Variable`, as used by metrics.
    """

    trainable = False

    def __init__(self, value, shape, dtype, name, path, aggregation="sum"):
        self.shape = tuple(shape)
        self.dtype = dtypes.standardize_dtype(dtype)
        self.name = name
        self.path = path
        self.aggregation = aggregation
        self.torch_dtype = dtypes.torch_dtype(self.dtype)
        self._device = torch.device("cpu") if value is None else value.device
        self._value = value
        self._number = 0

    @property
    def value(self):
        """The values as a torch tensor. Later updates do not change it."""
        if self._value is None:
            self._value = torch.full(self.shape, self._number, dtype=self.torch_dtype, device=self._device)
            self._number = 0
        elif self._number:
            self._value = self._value + self._number
            self._number = 0
        return self._value

    @property
    def number(self):
        """The value as a Python number where it is known without asking the device, else `None`."""
        return self._number if self._value is None else None

    @property
    def ndim(self):
        """Number of axes."""
        return len(self.shape)

    @property
    def device(self):
        """Where the values are."""
        return self._device

    def to(self, device):
        """Move the values to `device`; return the variable. For a torch dtype, return them cast to it."""
        if isinstance(device, torch.dtype):
            return self.value.to(device)
        if device != self._device:
            self._device = device
            if self._value is not None:
                self._value = self._value.to(device, non_blocking=True)
        return self

    def numpy(self):
        """Return the values as a NumPy array (waits for the device)."""
        value = self.value.detach()
        return np.array((value.float() if value.dtype is torch.bfloat16 else value).cpu().numpy())

    def assign(self, value):
        """Take new values of the same shape, or one number for all of them; return the variable.

        Raises:
            ValueError: another shape.
        """
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self._number, self._value = value, None
            return self
        value = self._tensor(value)
        if value.ndim and value.shape != self.shape:
            raise ValueError(
                f"Metric variable '{self.path}' has shape {self.shape}, and a value of shape "
                f"{tuple(value.shape)} cannot be assigned to it. Pass a value of shape {self.shape}."
            )
        # A fresh tensor, never the caller's: theirs may be written to later.
        self._value, self._number = value.expand(self.shape).clone(), 0
        return self

    def take(self, tensor):
        """Take a tensor of the right shape, dtype and device, which nobody else writes into, as it is."""
        self._value, self._number = tensor, 0

    def assign_add(self, value):
        """Add `value`; return the variable."""
        if isinstance(value, (int, float)) and not self.shape:
            self._number += value
            return self
        return self.add_scaled(self._tensor(value))

    def assign_sub(self, value):
        """Subtract `value`; return the variable."""
        return self.assign_add(-value)

    def add_scaled(self, value, scale=1):
        """Add `scale * value`, a tensor and a Python number, in one kernel; return the variable."""
        if value.dtype is not self.torch_dtype or value.requires_grad:
            value = value.detach().to(self.torch_dtype)
        if value.device != self._device:
            self.to(value.device)
        if isinstance(scale, float) and not self.torch_dtype.is_floating_point:
            value, scale = (value * scale).to(self.torch_dtype), 1
        if self._value is None and not self._number and value.shape == self.shape:
            self._value = value * scale if scale != 1 else value.clone()
            return self
        added = torch.add(self.value, value, alpha=scale)
        if added.shape != self.shape:
            raise ValueError(
                f"Metric variable '{self.path}' has shape {self.shape}, and a value of shape "
                f"{tuple(value.shape)} cannot be added to it. Pass a value of shape {self.shape}."
            )
        self._value = added
        return self

    def _tensor(self, value):
        """Return `value` as a detached tensor of this dtype; follow it to its device."""
        if isinstance(value, MetricVariable):
            value = value.value
        if not isinstance(value, torch.Tensor):
            value = getattr(value, "value", value)
        if not isinstance(value, torch.Tensor):
            return torch.as_tensor(np.asarray(value)).to(device=self._device, dtype=self.torch_dtype)
        if value.ndim or value.device.type != "cpu":
            self.to(value.device)
        return value.detach().to(device=self._device, dtype=self.torch_dtype)

    def __array__(self, dtype=None, copy=None):
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __len__(self):
        return len(self.value)

    def __iter__(self):
        return iter(self.value)

    def __bool__(self):
        return bool(self.value)

    def __int__(self):
        return int(self.value)

    def __float__(self):
        return float(self.value)

    def __index__(self):
        return operator.index(self.value)

    def __format__(self, spec):
        return format(self.value.item() if spec and not self.shape else self.value, spec)

    __hash__ = object.__hash__

    def __getattr__(self, name):
        # Tensor methods (`sum()`, `float()`, `cpu()`, ...) come from the value.
        if name.startswith("_") or name == "value":
            raise AttributeError(name)
        return getattr(self.value, name)

    def __iadd__(self, value):
        return self.assign_add(value)

    def __isub__(self, value):
        return self.assign_sub(value)

    def __repr__(self):
        return (
            f"<MetricVariable path={self.path}, shape={self.shape}, dtype={self.dtype}, value={self.value}>"
        )

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        args, kwargs = tuple(args), dict(kwargs or {})
        device = _device_of(nested.flatten((args, kwargs)))
        plain = lambda part: _plain(part, device)
        args, kwargs = nested.map_structure(plain, (args, kwargs))
        return function(*args, **kwargs)


def _device_of(parts):
    """Return the device of the first tensor in `parts` that fixes one, else `None`."""
    for part in parts:
        if isinstance(part, torch.Tensor) and (part.ndim or part.device.type != "cpu"):
            return part.device
    return None


def _plain(part, device=None):
    if not isinstance(part, MetricVariable):
        return torch.as_tensor(part) if isinstance(part, np.ndarray) else part
    return part.value if device is None else part.to(device).value


def _add_operator(name, *, reflected):
    function = getattr(operator, f"__{name}__")

    def method(self, *others):
        parts = [self, *others]
        device = _device_of(others)
        parts = [_plain(part, device) for part in parts]
        return function(*(reversed(parts) if reflected else parts))

    setattr(MetricVariable, f"__{'r' if reflected else ''}{name}__", method)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
    _add_operator(_name, reflected=False)
    _add_operator(_name, reflected=True)
for _name in ("neg", "abs", "getitem", "eq", "ne", "lt", "le", "gt", "ge"):
    _add_operator(_name, reflected=False)
