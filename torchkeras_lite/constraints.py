"""Projections of weights, applied after each optimizer step, under Keras's names."""

import torch

from torchkeras_lite.base import config, registry, serialization
from torchkeras_lite.base.lookup import Lookup
from torchkeras_lite.base.old_names import Renamed, old_members, takes_old

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]


def _as_tensor(w):
    return w if hasattr(w, "__torch_function__") else torch.as_tensor(w)


class Constraint:
    """Base of constraints: callables that take a weight and return its projection, and have a config.

    The argument `axis` of the norms: axis or axes of the Keras layout that are summed over. 0 limits, for a
    Dense kernel `(inputs, units)`, what flows into each unit; `[0, 1, 2]` does so for the filters of a Conv2D
    kernel `(height, width, inputs, filters)`; `None` takes the norm of the whole weight.

    Source: Keras 3 `keras.constraints.Constraint`.
    """

    def __call__(self, w):
        """Return the projection of `w`: `w` itself here."""
        return w

    def get_config(self):
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config):
        """Return a constraint with the arguments of `config`."""
        return cls(**config)


class _NormConstraint(Constraint):
    def desired(self, norms):
        """Return what the norms are to become."""
        raise NotImplementedError

    def __call__(self, w):
        """Return `w`, scaled to the desired norms."""
        w = _as_tensor(w)
        norms = torch.linalg.vector_norm(w, dim=self.axis, keepdim=True)
        return w * (self.desired(norms) / (config.epsilon() + norms))


class MaxNorm(_NormConstraint):
    """Scale down what has a norm above `max_value`.

    Args:
        max_value: Largest norm.
        axis: See `Constraint`.

    Source: Keras 3 `keras.constraints.MaxNorm`.
    """

    @takes_old({"m": Renamed(("max_value",))}, "MaxNorm")
    def __init__(self, max_value=2, axis=0):
        self.max_value = max_value
        self.axis = axis

    def desired(self, norms):
        """Return what the norms are to become."""
        return torch.clamp(norms, 0, self.max_value)

    def get_config(self):
        """Return the constructor's arguments."""
        return {"max_value": self.max_value, "axis": self.axis}


class MinMaxNorm(_NormConstraint):
    """Move norms into `[min_value, max_value]`.

    Args:
        min_value: Smallest norm.
        max_value: Largest norm.
        rate: How far to move at each step: 1 all the way, less to approach the interval gradually.
        axis: See `Constraint`.

    Source: Keras 3 `keras.constraints.MinMaxNorm`.
    """

    def __init__(self, min_value=0.0, max_value=1.0, rate=1.0, axis=0):
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def desired(self, norms):
        """Return what the norms are to become."""
        return self.rate * torch.clamp(norms, self.min_value, self.max_value) + (1 - self.rate) * norms

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


class UnitNorm(Constraint):
    """Scale to norm 1.

    Args:
        axis: See `Constraint`.

    Source: Keras 3 `keras.constraints.UnitNorm`.
    """

    def __init__(self, axis=0):
        self.axis = axis

    def __call__(self, w):
        """Return `w`, scaled to norm 1."""
        w = _as_tensor(w)
        return w / (config.epsilon() + torch.linalg.vector_norm(w, dim=self.axis, keepdim=True))

    def get_config(self):
        """Return the constructor's arguments."""
        return {"axis": self.axis}


class NonNeg(Constraint):
    """Replace negative values by 0.

    Source: Keras 3 `keras.constraints.NonNeg`. The dtype stays; Keras returns float64 weights as float32.
    """

    def __call__(self, w):
        """Return `w` without its negative values."""
        return torch.clamp(_as_tensor(w), min=0)


max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm

_CLASSES = {
    "Constraint": Constraint,
    "MaxNorm": MaxNorm,
    "MinMaxNorm": MinMaxNorm,
    "NonNeg": NonNeg,
    "UnitNorm": UnitNorm,
    "constraint": Constraint,
    "max_norm": MaxNorm,
    "min_max_norm": MinMaxNorm,
    "non_neg": NonNeg,
    "unit_norm": UnitNorm,
}
_lookup = Lookup(
    "constraint", _CLASSES, instance_of=Constraint, remedy="a callable that takes and returns a weight"
)


def get(identifier):
    """Return the constraint that `identifier` stands for.

    Args:
        identifier: A name, a class, a config, a callable, or `None`, which stays `None`.

    Raises:
        ValueError: an unknown name, or something that is no callable.

    Source: Keras 3 `keras.constraints.get`.
    """
    return deserialize(identifier) if isinstance(identifier, dict) else _lookup.get(identifier)


def serialize(constraint):
    """Return the config of `constraint`.

    Source: Keras 3 `keras.constraints.serialize`.
    """
    return serialization.serialize_keras_object(constraint)


def deserialize(config, custom_objects=None):
    """Return the constraint that `config`, a name or what `serialize` returned, describes.

    Args:
        config: A name or a dict; one without a module is looked for here.
        custom_objects: Mapping of names to classes and functions that are not public.

    Source: Keras 3 `keras.constraints.deserialize`.
    """
    if isinstance(config, dict):
        config = {"module": "keras.constraints", **config}
        return serialization.deserialize_keras_object(config, custom_objects)
    with registry.CustomObjectScope(custom_objects):
        return _lookup.get(config)


registry.publish("constraints", _CLASSES)

__getattr__ = old_members(__name__)
