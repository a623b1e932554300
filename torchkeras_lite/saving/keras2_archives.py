"""`.keras` archives of Keras 2.13 to 2.15: the form of Keras 3 around the words of Keras 2.

Keras 3 itself opens hardly any of them. The config is put into today's words as that of an `.h5` file is, and
the state of the optimizer, a list without names, into today's order.
"""

import json

import numpy as np

from torchkeras_lite.base.warning import warn_user
from torchkeras_lite.saving.archive import METADATA
from torchkeras_lite.saving.legacy_config import modern_config
from torchkeras_lite.saving.legacy_training import SLOTS, compile_config, load_optimizer_state

OPTIMIZER = "optimizer"


def is_of_keras2(metadata):
    """Whether the metadata of an archive, a text, says that Keras 2 wrote it."""
    try:
        version = json.loads(metadata).get("keras_version")
    except (ValueError, AttributeError, RecursionError):
        return False
    return isinstance(version, str) and version.startswith("2.")


def is_old_archive(reader):
    """Whether Keras 2 wrote the archive or folder behind `reader`."""
    return METADATA in reader.names() and is_of_keras2(reader.text(METADATA))


def modern_archive_config(config, name):
    """Return the config of an archive in today's words.

    Raises:
        ValueError: layers that run TensorFlow's own operations, a structure no Keras writes.
    """
    training = config.get("compile_config")
    optimizer = training.get("optimizer") if isinstance(training, dict) else None
    if isinstance(optimizer, str):  # as it was given to `compile`
        optimizer = {"class_name": optimizer, "config": {}}
    found = modern_config({key: value for key, value in config.items() if key != "compile_config"})
    if isinstance(training, dict):
        try:
            found["compile_config"] = compile_config({**training, "optimizer_config": optimizer})
        except ValueError as error:
            warn_user(
                f"{name}: the training configuration cannot be used, so the model was *not* compiled: "
                f"{error}. Compile it manually."
            )
    return found


def without_training_state(stored):
    """Return the paths of a reader without those of metrics and of the optimizer."""
    return {
        path: group for path, group in stored.items() if path.partition("/")[0] not in ("metrics", OPTIMIZER)
    }


def load_optimizer(model, reader):
    """Give the optimizer of `model`, where it is compiled, the state that an archive has.

    Raises:
        ValueError: the data is damaged.
    """
    optimizer = getattr(model, "optimizer", None)
    values = reader.read(OPTIMIZER)
    if optimizer is None or not optimizer.built or not values:
        return
    steps, *slots = (np.asarray(value) for value in values.values())
    rates = [variable.numpy() for variable in optimizer.variables if variable.name == "learning_rate"]
    arrays = [steps, *rates, *slots]  # Keras 2 stores no learning rate
    if [array.shape for array in arrays] == [tuple(variable.shape) for variable in optimizer.variables]:
        optimizer.set_weights(arrays)
    else:
        load_optimizer_state(optimizer, _names(optimizer, len(slots)), [steps, *slots])


def _names(optimizer, count):
    """Return names for the step and `count` slots, those of one weight together as in Keras 2.13."""
    kind = type(optimizer).__name__.lower()
    weights = len(optimizer._trainable_variables)
    kinds = [aliases[0] for aliases in SLOTS.get(kind, ())][: count // max(weights, 1)]
    names = [f"{kind}/{slot}/{number}" for number in range(weights) for slot in kinds]
    return ["iteration", *names, *(f"{kind}/unknown/{number}" for number in range(len(names), count))][
        : count + 1
    ]
