"""Models as JSON text: layers and training configuration, without weights."""

import json

from torchkeras_lite.base import registry, serialization
from torchkeras_lite.base.safe_mode import in_safe_mode, safe_mode_scope
from torchkeras_lite.saving.config_checks import ConfigCheck, parse_json


def model_to_json(model, **kwargs):
    """Return the config of `model` as JSON; `kwargs` go to `json.dumps`."""
    return json.dumps(serialization.serialize_keras_object(model), **kwargs)


def model_from_json(json_string, custom_objects=None):
    """Return the model that `model.to_json()` described, with new weights.

    Args:
        json_string: What `to_json` returned.
        custom_objects: Mapping of names to classes and functions of your own.

    Raises:
        ValueError: no JSON, or code in it.
        TypeError: names that are not known.

    Source: Keras 3 `keras.models.model_from_json`.
    """
    scoped = in_safe_mode()
    with safe_mode_scope(True if scoped is None else scoped), registry.CustomObjectScope(custom_objects):
        config = parse_json(json_string, "model_from_json")
        ConfigCheck(custom_objects).check(config)
        return serialization.deserialize_keras_object(config)
