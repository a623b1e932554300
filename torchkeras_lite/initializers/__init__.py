"""Initializers: what new weights hold, with Keras's names, defaults and numbers."""

import numpy as np
import torch

from torchkeras_lite.base import registry, serialization
from torchkeras_lite.base.lookup import Lookup
from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.initializers.constant import Constant, Identity, Ones, Zeros
from torchkeras_lite.initializers.initializer import Initializer
from torchkeras_lite.initializers.random import Orthogonal, RandomNormal, RandomUniform, TruncatedNormal
from torchkeras_lite.initializers.stft import STFT
from torchkeras_lite.initializers.variance_scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)

IdentityInitializer = identity = Identity
OrthogonalInitializer = orthogonal = Orthogonal
STFTInitializer = stft = STFT
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

__all__ = [
    "STFT",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "STFTInitializer",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "stft",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

_CLASSES = {
    **{name: globals()[name] for name in __all__ if name not in ("get", "serialize", "deserialize")},
    "initializer": Initializer,
    "normal": RandomNormal,
    "one": Ones,
    "uniform": RandomUniform,
    "zero": Zeros,
}
_lookup = Lookup(
    "initializer",
    _CLASSES,
    instance_of=Initializer,
    remedy="a callable, an array or a tensor",
)


def get(identifier):
    """Return the initializer that `identifier` stands for.

    Args:
        identifier: A name, a class, a config, a callable `(shape, dtype)`, an array or tensor that is to be
            the weight's value, or `None`, which stays `None`.

    Raises:
        ValueError: an unknown name, or something that is no callable.

    Source: Keras 3 `keras.initializers.get`.
    """
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, (torch.Tensor, np.ndarray, np.generic)):
        return _values_of(identifier)
    return _lookup.get(identifier)


def _values_of(tensor):
    constant = Constant(tensor)

    def initialize(shape, dtype=None, device=None):
        if tuple(shape) != tuple(tensor.shape):
            raise ValueError(
                f"Expected `shape` to be {tuple(tensor.shape)}, that of the tensor given as initializer, got "
                f"shape={tuple(shape)}. Give a tensor of the weight's own shape, or `initializers.Constant`."
            )
        return constant(shape, dtype, device)

    return initialize


def serialize(initializer):
    """Return the config of `initializer`.

    Source: Keras 3 `keras.initializers.serialize`.
    """
    return serialization.serialize_keras_object(initializer)


def deserialize(config, custom_objects=None):
    """Return the initializer that `config`, a name or what `serialize` returned, describes.

    Args:
        config: A name or a dict; one without a module is looked for here.
        custom_objects: Mapping of names to classes and functions that are not public.

    Source: Keras 3 `keras.initializers.deserialize`.
    """
    if isinstance(config, dict):
        config = {"module": "keras.initializers", **config}
        return serialization.deserialize_keras_object(config, custom_objects)
    with registry.CustomObjectScope(custom_objects):
        return _lookup.get(config)


registry.publish("initializers", _CLASSES)
registry.publish("", {"Initializer": Initializer})

__getattr__ = old_members(__name__)
