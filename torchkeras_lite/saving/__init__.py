"""Saving and loading. Why it is apart: what comes from a file is not to be trusted.

Everything a file says is checked before anything is made of it: names (`config_checks`), sizes and links
(`archive`, `h5_file`), shapes (`state`). Where a weight stands in a file follows from the attributes of the
model alone (`walk`), so no layer has code for files. What is written takes its place in one step.
"""

from torchkeras_lite.base.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from torchkeras_lite.base.serialization import deserialize_keras_object, serialize_keras_object
from torchkeras_lite.saving.file_editor import KerasFileEditor
from torchkeras_lite.saving.model_files import load_model, save_model
from torchkeras_lite.saving.weight_files import load_weights, save_weights

__all__ = [
    "CustomObjectScope",
    "KerasFileEditor",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
