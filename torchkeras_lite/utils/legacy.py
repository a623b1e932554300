"""`keras.utils.legacy`: configs in the form of Keras 2."""

from torchkeras_lite.legacy.saving import deserialize_keras_object, serialize_keras_object

__all__ = ["deserialize_keras_object", "serialize_keras_object"]
