"""Activation functions under Keras's names and defaults, each a short call of torch's own function."""

import types

import torch
import torch.nn.functional as F

from torchkeras_lite.activations.normalizing import log_softmax, softmax, sparsemax
from torchkeras_lite.activations.rectifiers import celu, elu, leaky_relu, relu, relu6, selu, threshold
from torchkeras_lite.activations.shrinkage import hard_shrink, soft_shrink, tanh_shrink
from torchkeras_lite.activations.sigmoids import (
    hard_sigmoid,
    hard_tanh,
    log_sigmoid,
    sigmoid,
    softsign,
    sparse_sigmoid,
    tanh,
)
from torchkeras_lite.activations.smooth import (
    exponential,
    gelu,
    glu,
    hard_silu,
    linear,
    mish,
    silu,
    softplus,
    sparse_plus,
    squareplus,
)
from torchkeras_lite.base import registry, serialization
from torchkeras_lite.base.lookup import Lookup

swish = silu
hard_swish = hard_silu

__all__ = [
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]

_FUNCTIONS = {name: globals()[name] for name in __all__ if name not in ("get", "serialize", "deserialize")}
_lookup = Lookup("activation function", _FUNCTIONS, remedy="a callable, such as `torch.sin` or a layer")

# torch's own functions that, called with one tensor, do what the Keras function of this name does by default.
_TORCH_NAMES = {
    torch.exp: "exponential",
    torch.relu: "relu",
    torch.sigmoid: "sigmoid",
    torch.tanh: "tanh",
    F.celu: "celu",
    F.elu: "elu",
    F.gelu: "gelu",
    F.glu: "glu",
    F.hardshrink: "hard_shrink",
    F.hardsigmoid: "hard_sigmoid",
    F.hardswish: "hard_silu",
    F.hardtanh: "hard_tanh",
    F.logsigmoid: "log_sigmoid",
    F.mish: "mish",
    F.relu: "relu",
    F.relu6: "relu6",
    F.selu: "selu",
    F.sigmoid: "sigmoid",
    F.silu: "silu",
    F.softplus: "softplus",
    F.softshrink: "soft_shrink",
    F.softsign: "softsign",
    F.tanh: "tanh",
    F.tanhshrink: "tanh_shrink",
}


def get(identifier):
    """Return the activation function that `identifier` stands for.

    Args:
        identifier: A name, a config, a callable (a torch function or module too), or `None` for `linear`.

    Raises:
        ValueError: an unknown name, or something that is no callable.

    Source: Keras 3 `keras.activations.get`.
    """
    if identifier is None:
        return linear
    return deserialize(identifier) if isinstance(identifier, dict) else _lookup.get(identifier)


def serialize(activation):
    """Return the name of a function of this room (or of torch's function that equals it), else a config.

    Args:
        activation: A function, or an object with `get_config()` such as a layer.

    Raises:
        TypeError: an object that has no name to find it by. (A lambda is written as code, with a warning:
            reading it again takes `safe_mode=False`.)
        ValueError: a torch function that shares its name, but not its values, with one of this room.

    Source: Keras 3 `keras.activations.serialize`.
    """
    if not isinstance(activation, (types.FunctionType, types.BuiltinFunctionType)):
        return serialization.serialize_keras_object(activation)
    name = _TORCH_NAMES.get(activation, activation.__name__)
    if activation in _TORCH_NAMES or activation is _FUNCTIONS.get(name):
        return name
    if name in _FUNCTIONS and f"{activation.__module__}.".startswith("torch."):
        raise ValueError(
            f"Cannot serialize torch's function '{name}': read back, that name gives `activations.{name}`, "
            "which has other defaults. Wrap it in a function of your own and register that with "
            "`@saving.register_keras_serializable()`."
        )
    return serialization.serialize_keras_object(activation)


def deserialize(config, custom_objects=None):
    """Return the activation that `config`, a name or what `serialize` returned, describes.

    Args:
        config: A name, a dict, or `None`, which stays `None`.
        custom_objects: Mapping of names to functions and classes that are not public.

    Source: Keras 3 `keras.activations.deserialize`.
    """
    if isinstance(config, dict):
        return serialization.deserialize_keras_object(config, custom_objects)
    with registry.CustomObjectScope(custom_objects):
        return _lookup.get(config)


registry.publish("activations", _FUNCTIONS)
