"""Quantization: numbers of few bits with a scale. `Model.quantize` and `Layer.quantize` apply it."""

from torchkeras_lite.base import registry, serialization
from torchkeras_lite.base.lookup import Lookup
from torchkeras_lite.quantizers.configs import (
    AWQConfig,
    Float8QuantizationConfig,
    GPTQConfig,
    Int4QuantizationConfig,
    Int8QuantizationConfig,
    QuantizationConfig,
)
from torchkeras_lite.quantizers.float8 import (
    compute_float8_amax_history,
    compute_float8_scale,
    quantize_and_dequantize,
)
from torchkeras_lite.quantizers.int4 import pack_int4, unpack_int4
from torchkeras_lite.quantizers.integers import (
    AbsMaxQuantizer,
    Quantizer,
    abs_max_quantize,
    abs_max_quantize_grouped_with_zero_point,
    fake_quant_with_min_max_vars,
)

_CLASSES = {cls.__name__: cls for cls in (AbsMaxQuantizer, Quantizer)}
_CONFIGS = {
    cls.__name__: cls
    for cls in (
        AWQConfig,
        Float8QuantizationConfig,
        GPTQConfig,
        Int4QuantizationConfig,
        Int8QuantizationConfig,
        QuantizationConfig,
    )
}
_lookup = Lookup(
    "quantizer",
    {**_CLASSES, "abs_max_quantizer": AbsMaxQuantizer},
    instance_of=Quantizer,
    remedy="a Quantizer",
)

__all__ = [
    *_CLASSES,
    *_CONFIGS,
    "abs_max_quantize",
    "abs_max_quantize_grouped_with_zero_point",
    "compute_float8_amax_history",
    "compute_float8_scale",
    "deserialize",
    "fake_quant_with_min_max_vars",
    "get",
    "pack_int4",
    "quantize_and_dequantize",
    "serialize",
    "unpack_int4",
]


def get(identifier, **kwargs):
    """Return the quantizer that `identifier` stands for: a name, a class, a config, an object or `None`.

    Args:
        identifier: What is wanted.
        **kwargs: Arguments of its constructor, for a name or a class.

    Raises:
        ValueError: an unknown name, or something of another kind.

    Source: Keras 3 `keras.quantizers.get`.
    """
    if kwargs and isinstance(identifier, str) and identifier in _lookup.objects:
        return _lookup.objects[identifier](**kwargs)
    if kwargs and isinstance(identifier, type):
        return identifier(**kwargs)
    return _lookup.get(identifier)


def serialize(initializer):
    """Return the config of a quantizer.

    Source: Keras 3 `keras.quantizers.serialize`, whose argument has this name.
    """
    return serialization.serialize_keras_object(initializer)


def deserialize(config, custom_objects=None):
    """Return the quantizer that `config`, what `serialize` returned, describes.

    Source: Keras 3 `keras.quantizers.deserialize`.
    """
    return serialization.deserialize_keras_object(config, custom_objects)


registry.publish("quantizers", {**_CLASSES, **_CONFIGS})
registry.publish("", {"Quantizer": Quantizer})
