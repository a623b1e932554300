"""What a config from a file may hold, checked from end to end before anything is made of it."""

import json

from torchkeras_lite.base import registry, serialization, torch_modules
from torchkeras_lite.base.safe_mode import in_safe_mode
from torchkeras_lite.engine.operation import find_operation
from torchkeras_lite.saving.legacy_recipes import MODULE, find_recipe

MAX_DEPTH = 200
LITERALS = (
    "__tensor__",
    "__numpy__",
    "__bytes__",
    "__ellipsis__",
    "__slice__",
    "__tuple__",
    "__keras_tensor__",
)
TRUST = "If you trust where it comes from, pass `safe_mode=False`"


class ConfigCheck:
    """Checks a config and keeps what was found on the way.

    Args:
        custom_objects: The names given for this load.
    """

    def __init__(self, custom_objects=None):
        self.custom_objects = custom_objects or {}
        self.has_custom = False

    def check(self, config):
        """Check `config`, a structure from JSON.

        Raises:
            TypeError: a class or function of an unknown name, values of the wrong kind.
            ValueError: code, files to read, or a structure too deep.
        """
        self._visit(config, 0, known=True)
        return self

    def _visit(self, value, depth, known):
        if depth > MAX_DEPTH:
            raise ValueError(f"The config is nested more than {MAX_DEPTH} levels deep; no model is.")
        if isinstance(value, (list, tuple)):
            for part in value:
                self._visit(part, depth + 1, known)
        elif isinstance(value, dict):
            if any(not isinstance(key, str) for key in value):
                raise TypeError(f"The config has keys that are no strings: {list(value)}.")
            self._visit_dict(value, depth, known)

    def _visit_dict(self, value, depth, known):
        if "class_name" in value and "config" in value and value["class_name"] not in LITERALS:
            known = self._check_object(value, known)
        for key, part in value.items():
            self._visit(part, depth + 1, known)
            if key == "vocabulary" and isinstance(part, str) and in_safe_mode() is not False:
                raise ValueError(
                    f"The config has a layer read its vocabulary from the file '{part}', outside of what is "
                    f"loaded. {TRUST}; else save the model with the vocabulary itself."
                )

    def _check_object(self, value, known):
        """Return whether the names inside are ours to check: a user's class may read its config its
        own way.
        """
        class_name, config = value["class_name"], value["config"]
        if class_name == "__lambda__" or _is_old_lambda(value):
            if in_safe_mode() is not False:
                raise ValueError(
                    "The config holds the bytecode of a Python lambda, as of a `Lambda` layer, and running "
                    "it would be arbitrary code execution, so it is refused. "
                    f"{TRUST}; else give the function by name through `custom_objects`."
                )
            return known
        if value.get("module") == MODULE and known and isinstance(class_name, str):
            if not isinstance(config, dict) or find_recipe(value) is None:
                raise TypeError(f"Could not locate TensorFlow's operation '{class_name}'.")
            return True
        if class_name == "__typespec__":
            return False  # which reading it refuses
        if isinstance(class_name, str) and class_name.startswith("__"):
            raise ValueError(f"The config holds an object of the unknown kind '{class_name}'.")
        if not known:
            return False
        if class_name == "function":
            serialization.find_function(value)
            return True
        if not isinstance(config, (dict, type(None))):
            raise TypeError(f"Expected 'config' to be a dict for '{class_name}', got {config!r}.")
        module = value.get("module")
        if module == torch_modules.MODULE:
            torch_modules.find_class(class_name)
            return True
        if isinstance(module, str) and isinstance(class_name, str) and module.startswith("keras.src.ops."):
            if find_operation(module, class_name) is None:
                raise TypeError(f"Could not locate the operation '{class_name}' of module {module!r}.")
            return True
        found = serialization.find_class(value, self.custom_objects)
        if registry.public_name(found) is None:
            self.has_custom = True
            return False
        if found.__name__ == "TFSMLayer":
            raise ValueError(
                "The config has a `TFSMLayer` read and run a TensorFlow SavedModel from the disk, outside of "
                "what is loaded. Load that model with TensorFlow."
            )
        if found.__name__ == "TorchModuleWrapper" and isinstance((config or {}).get("module"), str):
            raise ValueError(
                "The config holds a pickled torch module, which could do anything when it is read, and is "
                "never read here. Make the model in code and load its weights."
            )
        return True


@serialization.checks_configs
def check_config(config, custom_objects=None):
    """Look through a config that is about to be read; see `ConfigCheck.check`."""
    ConfigCheck(custom_objects).check(config)


def _is_old_lambda(value):
    """Whether this is a `Lambda` layer of Keras 2, whose function is a list that begins with bytecode."""
    config = value["config"]
    if value["class_name"] != "Lambda" or not isinstance(config, dict):
        return False
    kinds = [config.get(f"{part}_type") for part in ("function", "output_shape")]
    return "lambda" in kinds or any(
        isinstance(config.get(part), (list, tuple)) and config[part] and isinstance(config[part][0], str)
        for part in ("function", "mask")
    )


def parse_json(text, name):
    """Return a config from JSON.

    Raises:
        ValueError: it is no JSON, no dict, or nested too deeply.
    """
    try:
        config = json.loads(text)
    except RecursionError:
        raise ValueError(f"{name}: the config is nested too deeply.") from None
    except ValueError as error:
        raise ValueError(f"{name}: the config is no valid JSON: {error}.") from None
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise ValueError(f"{name}: the config describes no model: it needs `class_name` and `config`.")
    return config
