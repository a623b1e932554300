"""Initializers without randomness: constants and the identity matrix."""

import torch

from torchkeras_lite.base import serialization
from torchkeras_lite.initializers.initializer import Initializer, placement


class Constant(Initializer):
    """Fill with a value.

    Args:
        value: A number, or an array or tensor that broadcasts to the shapes asked for.

    Source: Keras 3 `keras.initializers.Constant`.
    """

    def __init__(self, value=0.0):
        self.value = value

    def __call__(self, shape, dtype=None, device=None):
        """Return a new tensor; see `Initializer`."""
        shape, dtype, device = placement(self, shape, dtype, device)
        value = torch.as_tensor(self.value, dtype=dtype, device=device)
        try:
            return torch.broadcast_to(value, shape).clone(memory_format=torch.contiguous_format)
        except RuntimeError:
            raise ValueError(
                f"{type(self).__name__}: expected a shape that a value of shape {tuple(value.shape)} "
                f"broadcasts to, got shape={shape}. Pass a number, or a value of the weight's own shape."
            ) from None

    def get_config(self):
        """Return the constructor's arguments."""
        return {"value": serialization.serialize_keras_object(self.value)}

    @classmethod
    def from_config(cls, config):
        """Return an initializer with the arguments of `config`."""
        return cls(**{key: serialization.deserialize_keras_object(value) for key, value in config.items()})


class Zeros(Initializer):
    """Fill with 0.

    Source: Keras 3 `keras.initializers.Zeros`.
    """

    def __call__(self, shape, dtype=None, device=None):
        """Return a new tensor; see `Initializer`."""
        shape, dtype, device = placement(self, shape, dtype, device)
        return torch.zeros(shape, dtype=dtype, device=device)


class Ones(Initializer):
    """Fill with 1.

    Source: Keras 3 `keras.initializers.Ones`.
    """

    def __call__(self, shape, dtype=None, device=None):
        """Return a new tensor; see `Initializer`."""
        shape, dtype, device = placement(self, shape, dtype, device)
        return torch.ones(shape, dtype=dtype, device=device)


class Identity(Initializer):
    """Make a multiple of the identity matrix.

    Args:
        gain: What stands on the diagonal.

    Raises:
        ValueError: a shape that is not two-dimensional.

    Source: Keras 3 `keras.initializers.Identity`, whose config loses `gain`; here it is written unless 1.
    """

    def __init__(self, gain=1.0):
        self.gain = gain

    def __call__(self, shape, dtype=None, device=None):
        """Return a new matrix; see `Initializer`."""
        shape, dtype, device = placement(self, shape, dtype, device)
        if len(shape) != 2:
            raise ValueError(
                "Identity matrix initializer can only be used for 2D matrices. "
                f"Received: shape={shape} of rank {len(shape)}. Use it for kernels of shape (inputs, units)."
            )
        return (self.gain * torch.eye(*shape, dtype=dtype, device=device)).to(dtype)

    def get_config(self):
        """Return the constructor's arguments."""
        return {} if self.gain == 1.0 else {"gain": self.gain}
