"""How a model was compiled, in the `training_config` of `.h5` files, and the state of its optimizer."""

import itertools
import re

import numpy as np

from torchkeras_lite.base import registry, torch_modules
from torchkeras_lite.base.serialization import serialize_keras_object
from torchkeras_lite.base.warning import warn_user

PLAIN = ("run_eagerly", "steps_per_execution", "jit_compile")
GONE = ("is_legacy_optimizer", "jit_compile", "schedule_decay", "experimental_aggregate_gradients")
REDUCTIONS = {"auto": "sum_over_batch_size", "none": None}
# Slots in the order of `variables`, each with its names in Keras 2 and tf.keras.
SLOTS = {
    "adadelta": (("accum_grad", "accumulated_grad"), ("accum_var", "accumulated_delta_var")),
    "adagrad": (("accumulator",),),
    "adam": (("m", "momentum"), ("v", "velocity"), ("vhat", "velocity_hat")),
    "adamax": (("m", "momentum"), ("v", "u", "norm")),
    "adamw": (("m", "momentum"), ("v", "velocity"), ("vhat", "velocity_hat")),
    "ftrl": (("accumulator",), ("linear",)),
    "nadam": (("m", "momentum"), ("v", "velocity")),
    "rmsprop": (("rms", "velocity"), ("momentum",), ("mg", "average_gradient")),
    "sgd": (("momentum", "m"),),
}


def training_config(model):
    """Return how `model` is compiled, in the form of `.h5` files."""
    config = model.get_compile_config()
    if model.get_compile_forms(model.get_config()) is not None:
        warn_user(
            "The losses are not saved: an `.h5` file has no tuples, and these losses of structures of "
            "outputs mean something else then. Use a `.keras` file, or call `compile()` again after loading."
        )
        config["loss"] = None
    written = {
        key: _short(config.get(key)) for key in ("loss", "loss_weights", "metrics", "weighted_metrics")
    }
    optimizer = model.optimizer
    kind = type(optimizer)
    name = kind.__name__ if registry.public_name(kind) else registry.get_registered_name(kind)
    settings = {key: serialize_keras_object(value) for key, value in optimizer.get_config().items()}
    return {
        **written,
        **{key: getattr(model, key) for key in PLAIN},
        "optimizer_config": {"class_name": name, "config": settings},
    }


def _short(value):
    """Return a written structure with its objects as `{"class_name", "config"}`, its functions as names."""
    if isinstance(value, dict) and "class_name" in value and "config" in value:
        if value.get("module") in (torch_modules.MODULE, torch_modules.FUNCTIONS):
            return value
        if value["class_name"] == "function":
            return value["config"]
        return {"class_name": value.get("registered_name") or value["class_name"], "config": value["config"]}
    if isinstance(value, dict):
        return {key: _short(part) for key, part in value.items()}
    return [_short(part) for part in value] if isinstance(value, (list, tuple)) else value


def compile_config(config):
    """Return the arguments of `compile` from a `training_config` of any Keras since 2.0, as a config.

    Raises:
        ValueError: it is none, or the optimizer was one of TensorFlow's own.
    """
    if not isinstance(config, dict) or not isinstance(config.get("optimizer_config"), dict):
        raise ValueError("it names no optimizer")
    metrics = config.get("metrics")
    if isinstance(metrics, list) and len(metrics) == 1 and isinstance(metrics[0], list):
        metrics = metrics[0]  # tf.keras lists the metrics of each output, also of a single one
    weighted = config.get("weighted_metrics")
    if isinstance(weighted, list) and len(weighted) == 1 and isinstance(weighted[0], list):
        weighted = weighted[0]
    return {
        "optimizer": modern_optimizer(config["optimizer_config"]),
        "loss": _modern_objects(config.get("loss")),
        "loss_weights": config.get("loss_weights"),
        "metrics": _modern_objects(metrics),
        "weighted_metrics": _modern_objects(weighted),
        **{key: config[key] for key in PLAIN if config.get(key) is not None},
    }


def modern_optimizer(entry):
    """Return the `{"class_name", "config"}` of an optimizer with today's names.

    The `decay` of Keras 2 becomes the schedule that it was.
    """
    name, config = entry.get("class_name"), entry.get("config")
    if not isinstance(name, str) or not isinstance(config, dict):
        raise ValueError("its optimizer has no name or no settings")
    if registry.get_registered_object(name) is not None:
        return entry
    name = name.removeprefix("Custom>")
    if name in ("TFOptimizer", "TFOptimizerWrapper"):
        raise ValueError("the optimizer was one of TensorFlow's own")
    config = {key: value for key, value in config.items() if key not in GONE}
    if name == "LossScaleOptimizer":
        return {"class_name": name, "config": _loss_scale(config)}
    if "lr" in config:
        config["learning_rate"] = config.pop("lr")
    if config.get("epsilon", 0) is None:
        del config["epsilon"]
    decay, rate = config.pop("decay", None), config.get("learning_rate")
    if decay and isinstance(rate, (int, float)):
        schedule = {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay}
        config["learning_rate"] = {
            "module": "keras.optimizers.schedules",
            "class_name": "InverseTimeDecay",
            "config": schedule,
        }
    elif isinstance(rate, dict) and isinstance(rate.get("config"), dict):
        settings = {key: value for key, value in rate["config"].items() if (key, value) != ("name", None)}
        config["learning_rate"] = {"module": "keras.optimizers.schedules", **rate, "config": settings}
    return {"module": "keras.optimizers", "class_name": _class_of(name, "optimizers"), "config": config}


def _class_of(name, room):
    """Return the public name of a class that old files may write in lower case."""
    members = registry.public_members(f"keras.{room}")
    return next((known for known in members if known.lower() == name.lower()), name)


def _loss_scale(config):
    inner = config.get("inner_optimizer")
    kept = {key: config[key] for key in ("name", "initial_scale", "dynamic_growth_steps") if key in config}
    return {**kept, "inner_optimizer": modern_optimizer(inner if isinstance(inner, dict) else {})}


def _modern_objects(value):
    """Return losses or metrics with today's arguments."""
    if isinstance(value, (list, tuple)):
        return [_modern_objects(part) for part in value]
    if not isinstance(value, dict):
        return value
    if not isinstance(value.get("class_name"), str) or not isinstance(value.get("config"), dict):
        return {key: _modern_objects(part) for key, part in value.items()}
    of_torch = value.get("module") == torch_modules.MODULE
    if of_torch or registry.get_registered_object(value["class_name"]) is not None:
        return value
    config = dict(value["config"])
    if value["class_name"] == "LossFunctionWrapper" and isinstance(config.get("fn"), str):
        return config["fn"]
    if value["class_name"] == "MeanMetricWrapper" and isinstance(config.get("fn"), str):
        config["fn"] = {"module": "builtins", "class_name": "function", "config": config["fn"]}
    elif value["class_name"] != "MeanMetricWrapper":
        config.pop("fn", None)
    if config.get("reduction") in REDUCTIONS:
        config["reduction"] = REDUCTIONS[config["reduction"]]
    return {**value, "config": config}


def load_optimizer_state(optimizer, names, arrays):
    """Assign what a file has of an optimizer, whose variables older Keras listed in other orders.

    Args:
        optimizer: The optimizer, built.
        names: The names in the file, in its order.
        arrays: The values.

    What does not fit is left, with a warning: the optimizer then starts anew.
    """
    try:
        optimizer.set_weights(_in_order(optimizer, names, arrays))
    except ValueError as error:
        warn_user(
            f"The state of the optimizer in the file does not fit and is left out ({error}); it starts anew."
        )


def _in_order(optimizer, names, arrays):
    """Return the values in the order of `optimizer.variables`."""
    variables = optimizer.variables
    if not _is_grouped(names) and [a.shape for a in arrays] == [tuple(v.shape) for v in variables]:
        return arrays
    steps = [i for i, name in enumerate(names) if re.search(r"(^|/)iter(ation)?s?(_\d+)?(:0)?$", name)]
    skipped = re.compile(r"(^|/)(learning_rate|momentum_cache|m_schedule)(_\d+)?(:0)?$")
    # Keras 2 has an array of one zero where it keeps no third slot.
    counted = [v for v in variables[1:] if v.name != "learning_rate"]
    rest = [
        i
        for i, name in enumerate(names)
        if i not in steps and not skipped.search(name) and arrays[i].ndim > 0
    ]
    weights = len(optimizer._trainable_variables)
    if not counted:  # as SGD without momentum, for which Keras 2 has slots of zeros
        rest = []
    while (
        weights and len(rest) > weights and len(rest) % weights == 0 and _are_empty(arrays, rest[-weights:])
    ):
        if len(rest) // weights <= len(counted) // weights:
            break
        rest = rest[:-weights]
    per_weight = len(rest) // weights if weights else 0
    if not weights or len(rest) % weights or len(rest) != weights * (len(counted) // weights):
        raise ValueError(f"{len(rest)} slots for {weights} weights")
    columns = _columns(names, rest, weights, per_weight)
    slots = iter([arrays[i] for i in columns])
    values = []
    for variable in variables:
        if variable is variables[0]:
            values.append(arrays[steps[0]].reshape(()) if steps else np.zeros((), "int64"))
        elif variable.name == "learning_rate":
            values.append(_stored_rate(names, arrays, variable))
        elif tuple(variable.shape) == () and len(counted) % weights:
            values.append(variable.numpy())  # a product of Nadam's, which each Keras keeps its own way
        else:
            values.append(next(slots))
    return values


def _stored_rate(names, arrays, variable):
    for name, array in zip(names, arrays, strict=True):
        if re.search(r"learning_rate(_\d+)?(:0)?$", name) and array.ndim == 0:
            return array
    return variable.numpy()


def _are_empty(arrays, places):
    return all(arrays[i].shape == (1,) and not arrays[i].any() for i in places)


def _slot_kind(name):
    """Return what files call a slot: `m` in `Adam/dense/kernel/m:0` and in `Adam/m/dense/kernel`."""
    parts = re.sub(r"(_\d+)?:\d+$", "", name).split("/")
    known = {alias for slots in SLOTS.values() for group in slots for alias in group}
    return next((part for part in (parts[-1], *parts[1:2]) if part in known), None)


def _is_grouped(names):
    """Whether the slots of one kind stand together, those of all weights, before those of the next kind."""
    kinds = [kind for name in names if (kind := _slot_kind(name)) is not None]
    changes = sum(a != b for a, b in itertools.pairwise(kinds))
    return len(set(kinds)) > 1 and changes == len(set(kinds)) - 1


def _columns(names, rest, weights, per_weight):
    """Return the places of the slots weight by weight."""
    by_name = [_slot_kind(names[i]) for i in rest]
    # Keras 2 without TensorFlow's optimizers names its slots after nothing, all of one kind first.
    grouped = _is_grouped([names[i] for i in rest]) or all(kind is None for kind in by_name)
    if not grouped or per_weight < 2:
        return rest
    return [rest[kind * weights + weight] for weight in range(weights) for kind in range(per_weight)]
