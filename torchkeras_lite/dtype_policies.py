"""Dtype policies: which dtype weights are kept in and which one is computed in."""

from torchkeras_lite.base import serialization
from torchkeras_lite.engine.precision import DTypePolicy, DTypePolicyMap, get
from torchkeras_lite.engine.quantized_policy import (
    AWQDTypePolicy,
    GPTQDTypePolicy,
    Int4DTypePolicy,
    QuantizedDTypePolicy,
    QuantizedFloat8DTypePolicy,
)

FloatDTypePolicy = DTypePolicy

__all__ = [
    "AWQDTypePolicy",
    "DTypePolicy",
    "DTypePolicyMap",
    "FloatDTypePolicy",
    "GPTQDTypePolicy",
    "Int4DTypePolicy",
    "QuantizedDTypePolicy",
    "QuantizedFloat8DTypePolicy",
    "deserialize",
    "get",
    "serialize",
]


def serialize(dtype_policy):
    """Return the config of a policy; a name stays a name.

    Source: Keras 3 `keras.dtype_policies.serialize`.
    """
    return serialization.serialize_keras_object(dtype_policy)


def deserialize(config, custom_objects=None):
    """Return the policy that `config`, what `serialize` returned, describes.

    Source: Keras 3 `keras.dtype_policies.deserialize`.
    """
    return serialization.deserialize_keras_object(config, custom_objects)
