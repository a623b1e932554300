"""The base of initializers, and where the tensors they make go."""

import operator

from torchkeras_lite.base import config
from torchkeras_lite.base.device import default_device, parse_device
from torchkeras_lite.base.dtypes import torch_dtype


class Initializer:
    """Base of initializers: callables that return a new tensor of a shape, and have a config.

    Subclasses override `__call__` and, where they have arguments, `get_config`. Shapes are those of Keras's
    layouts.

    Source: Keras 3 `keras.Initializer`.
    """

    def __call__(self, shape, dtype=None, device=None):
        """Return a new tensor.

        Args:
            shape: Its shape, a tuple of integers.
            dtype: Its dtype, by any name; `floatx()` when not given.
            device: Its device; the default one when not given. `"meta"` gives a tensor without values.
        """
        raise NotImplementedError(
            f"{type(self).__name__}: Initializer subclasses must implement the `__call__()` method, "
            "`__call__(shape, dtype=None)`, which returns a tensor."
        )

    def get_config(self):
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config):
        """Return an initializer with the arguments of `config`."""
        return cls(**config)

    def clone(self):
        """Return a new initializer with the same arguments; one without a seed draws other values."""
        return type(self).from_config(self.get_config())


def placement(owner, shape, dtype, device):
    """Return what an initializer was asked for as a tuple of ints, a torch dtype and a torch device.

    Raises:
        ValueError: a shape with an unknown size.
    """
    sizes = tuple(shape) if hasattr(shape, "__iter__") else (shape,)
    try:
        sizes = tuple(map(operator.index, sizes))
    except TypeError:
        raise ValueError(
            f"{type(owner).__name__}: expected a shape of integers, got {shape!r}. "
            "Give every axis of a weight a size."
        ) from None
    dtype = torch_dtype(config.floatx() if dtype is None else dtype)
    return sizes, dtype, default_device() if device is None else parse_device(device)
