"""Whole models and weights in the older `.h5` files, to a file and back."""

import contextlib
import json
import logging
import os
import sys

import h5py

from torchkeras_lite.base import registry, serialization
from torchkeras_lite.base.atomic_file import replacing
from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.base.device import build_on, default_device
from torchkeras_lite.base.safe_mode import in_safe_mode, safe_mode_scope
from torchkeras_lite.base.warning import warn_user
from torchkeras_lite.optimizers import TorchOptimizer
from torchkeras_lite.saving.config_checks import ConfigCheck, parse_json
from torchkeras_lite.saving.legacy_config import modern_config
from torchkeras_lite.saving.legacy_h5 import (
    TOP,
    LegacyReader,
    adapted,
    layers_with_names,
    read_values,
    write_values,
    write_weights,
)
from torchkeras_lite.saving.legacy_layers import WRITTEN
from torchkeras_lite.saving.legacy_training import compile_config, load_optimizer_state, training_config
from torchkeras_lite.saving.places import KERAS_VERSION
from torchkeras_lite.saving.state import warn_of_assets
from torchkeras_lite.saving.uninitialized import META, give_storage


def save_legacy_model(model, path, include_optimizer):
    """Write a model to an `.h5` file in the layout that Keras 3 writes, and log that it is the older format.

    Raises:
        ValueError: plain torch modules among the layers.
        TypeError: something in the model has no `get_config()`.
    """
    config = _model_config(model)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with replacing(path) as place, h5py.File(place, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = KERAS_VERSION, "torch"
        file.attrs["model_config"] = json.dumps(config)
        _write_weights(file.create_group("model_weights"), model)
        if include_optimizer and getattr(model, "optimizer", None) is not None:
            _write_training(file, model)
    warn_of_assets(model, path)
    _log_older_format()


def _log_older_format():
    """Log what Keras logs: through absl, where the program has imported it and may have set its level."""
    log = sys.modules.get("absl.logging") or logging.getLogger("torchkeras_lite")
    log.warning(
        "You are saving your model as an HDF5 file via `model.save()` or "
        "`keras.saving.save_model(model)`. This file format is considered legacy. We recommend using "
        "instead the native Keras format, e.g. `model.save('my_model.keras')` or "
        "`keras.saving.save_model(model, 'my_model.keras')`. "
    )


def save_legacy_weights(model, path):
    """Write the weights of a model alone to an `.h5` file, as `save_weights` of Keras 2 did."""
    with replacing(path) as place, h5py.File(place, "w") as file:
        _write_weights(file, model)


def _write_weights(group, model):
    write_weights(group, model)
    group.attrs["keras_version"], group.attrs["backend"] = KERAS_VERSION, "torch"


def _write_training(file, model):
    optimizer = model.optimizer
    file.attrs["training_config"] = json.dumps(training_config(model))
    if isinstance(optimizer, TorchOptimizer):
        warn_user(
            "The state of an optimizer of torch has no place in an `.h5` file and is left out. Use a "
            "`.keras` file to keep it."
        )
    elif optimizer.variables:
        write_values(file.create_group("optimizer_weights"), [(v.path, v) for v in optimizer.variables])


def _model_config(model):
    written = serialization.serialize_keras_object(model)
    return _without_paths(written)


def _without_paths(entry):
    """Return a layer's entry as older files have it: class and config, custom classes by registered names."""
    config = entry["config"]
    if isinstance(config, dict) and isinstance(config.get("layers"), list):
        config = {**config, "layers": [_without_paths(layer) for layer in config["layers"]]}
    if (entry.get("module") or "").startswith("keras.src.ops."):
        return {**entry, "config": config}
    kept = {key: entry[key] for key in ("name", "inbound_nodes") if key in entry}
    name = entry.get("registered_name") or entry["class_name"]
    return {"class_name": WRITTEN.get(name, name), "config": config, **kept}


def load_legacy_model(path, custom_objects, compile, safe_mode):
    """Return the model in an `.h5` file of any Keras since 2.0; see `load_model`."""
    scoped = in_safe_mode()
    with (
        contextlib.closing(LegacyReader(path)) as reader,
        safe_mode_scope(safe_mode if scoped is None else scoped),
        registry.CustomObjectScope(custom_objects),
    ):
        text = reader.text("model_config")
        if text is None:
            raise ValueError(
                f"No model config found in the file at {path}: it holds weights alone. Make the model in "
                "code, and call `model.load_weights`."
            )
        config = modern_config(parse_json(text, path))
        check = ConfigCheck(custom_objects).check(config)
        training = _training(reader, custom_objects) if compile else None
        model = _make(config, reader, has_custom=check.has_custom)
        if training is not None:
            _compile(model, training, reader)
        return model


def _make(config, reader, *, has_custom):
    """Make the model, without values where no code of a user's could need them, and fill it."""
    device = default_device()
    with build_on(device if has_custom else META):
        model = serialization.deserialize_keras_object(config)
    if not model.weights and any(reader.layers().values()):
        raise ValueError(_unbuilt(model))
    loader = LegacyLoader(model, reader, by_name=_has_names(model, reader))
    try:
        loader.check()
    except ValueError as error:
        raise error if model.built else ValueError(_unbuilt(model)) from error
    if not has_custom:
        give_storage(model, device)
        loader = LegacyLoader(model, reader, by_name=loader.by_name)
        loader.check()
    loader.assign()
    return model


def _unbuilt(model):
    return (
        f"{type(model).__name__} '{model.name}' has no weights to load into, or not all: an `.h5` file does "
        "not say for which inputs a subclass was built. Make the model in code, call it on data, and call "
        "`model.load_weights(path)`; or save it as `.keras`, which says it."
    )


def _has_names(model, reader):
    """Whether every layer with weights in the file has its name in the model, so that order is no matter."""
    names = [name for name, values in reader.layers().items() if values and name != TOP]
    return set(names) <= {getattr(layer, "name", None) for layer in model.layers}


def _training(reader, custom_objects):
    """Return the arguments of `compile` as a config; warn and return `None` where there are none of use."""
    text = reader.text("training_config")
    if text is None:
        warn_user(
            "No training configuration found in the save file, so the model was *not* compiled. Compile it "
            "manually."
        )
        return None
    try:
        config = compile_config(json.loads(text))
    except (ValueError, RecursionError) as error:
        _tell_uncompiled(reader, error)
        return None
    ConfigCheck(custom_objects).check(config)
    return config


def _tell_uncompiled(reader, error):
    warn_user(
        f"{reader.name}: the training configuration cannot be used, so the model was *not* compiled: "
        f"{error}. Compile it manually."
    )


def _compile(model, config, reader):
    try:
        model.compile_from_config(config)
    except (ValueError, TypeError) as error:
        _tell_uncompiled(reader, error)
        return
    state = reader.optimizer()
    if state is not None and model.built and not isinstance(model.optimizer, TorchOptimizer):
        load_optimizer_state(model.optimizer, *state)


def load_legacy_weights(model, path, by_name, skip_mismatch):
    """Read the weights of a model from an `.h5` file, of a whole model or of weights alone.

    Args:
        model: The model, built.
        path: Path of the file.
        by_name: Whether layers are matched by their names, and others left as they are; else by their order.
        skip_mismatch: Whether layers that do not fit are left as they are, with a warning; needs `by_name`.

    Raises:
        ValueError: a damaged file, weights that do not fit; nothing is changed then.
    """
    if skip_mismatch and not by_name:
        raise ValueError(
            "When calling `load_weights` on a legacy `.h5` file with `skip_mismatch=True`, you must set "
            "`by_name=True`: without names, a layer that does not fit shifts all that follow."
        )
    with contextlib.closing(LegacyReader(path)) as reader:
        loader = LegacyLoader(model, reader, by_name=by_name, skip_mismatch=skip_mismatch)
        loader.check()
        loader.assign()


class LegacyLoader:
    """The weights of a file, about to be read into a model: all are compared before one is assigned.

    Args:
        model: The model.
        reader: A `LegacyReader`.
        by_name: Whether layers are matched by their names; else by their order.
        skip_mismatch: Whether layers that do not fit are left as they are, with a warning.
    """

    def __init__(self, model, reader, *, by_name=False, skip_mismatch=False):
        self.model = model
        self.reader = reader
        self.by_name = by_name
        self.skip_mismatch = skip_mismatch
        self.stored = dict(reader.layers())
        self.own = self.stored.pop(TOP, None)
        self.matches = []
        self.faults = []

    def _pairs(self):
        """Return `(layer, its weights, stored datasets)` for what is to be read."""
        named, own = layers_with_names(self.model)
        layers = dict(zip([name for name, _ in named], self.model.layers, strict=True))
        if self.by_name:
            pairs = [(layers[n], dict(named)[n], d) for n, d in self.stored.items() if n in layers and d]
            self._tell_unmatched(layers)
        else:
            targets = [(layers[name], weights) for name, weights in named if weights]
            sources = [datasets for datasets in self.stored.values() if datasets]
            if len(targets) != len(sources):
                raise ValueError(
                    "Layer count mismatch when loading weights from file. Model expected "
                    f"{len(targets)} layers, found {len(sources)} saved layers. Pass `by_name=True` to read "
                    f"those of equal names. The file has {[n for n, d in self.stored.items() if d][:20]}."
                )
            pairs = [(*target, source) for target, source in zip(targets, sources, strict=True)]
        if self.own or (own and self.own is not None):
            pairs.append((self.model, own, self.own))
        return pairs

    def _tell_unmatched(self, layers):
        missing = [name for name, datasets in self.stored.items() if datasets and name not in layers]
        if missing and len(missing) == len([d for d in self.stored.values() if d]):
            warn_user(
                f"{self.reader.name}: no layer of the model has a name of the file's layers "
                f"{missing[:10]}{suggestion(missing[0], list(layers))} Nothing was read."
            )

    def check(self):
        """Compare numbers and shapes, and note what is to be read.

        Raises:
            ValueError: something does not fit; the text names each layer with both shapes.
        """
        self.matches, self.faults = [], []
        for position, (layer, weights, datasets) in enumerate(self._pairs()):
            shapes = [dataset.shape for dataset in datasets.values()]
            convert = adapted(layer, shapes) if layer is not self.model else None
            if convert is None and not self._fits(position, layer, weights, shapes):
                continue
            self.matches.append((layer, weights, list(datasets.values()), convert))
        if self.faults and not self.skip_mismatch:
            raise ValueError(f"{self.reader.name}: " + "\n".join(self.faults))

    def _fits(self, position, layer, weights, shapes):
        before = len(self.faults)
        if len(shapes) != len(weights):
            self.faults.append(
                f"Weight count mismatch for layer #{position} (named {layer.name}). Layer expects "
                f"{len(weights)} weight(s) {[w.name for w in weights]}. Received {len(shapes)} saved "
                "weight(s)"
            )
        else:
            self.faults += [
                f"Shape mismatch in layer #{position} (named {layer.name}) for weight {weight.path}. Weight "
                f"expects shape {tuple(weight.shape)}. Received saved weight with shape {shape}"
                for weight, shape in zip(weights, shapes, strict=True)
                if tuple(weight.shape) != tuple(shape)
            ]
        return len(self.faults) == before

    def assign(self):
        """Read the values, then assign them.

        Raises:
            ValueError: damaged data.
        """
        if self.faults:
            warn_user("\n".join(f"Skipping loading weights: {fault}" for fault in self.faults))
        read = []
        for layer, weights, datasets, convert in self.matches:
            try:
                arrays = [read_values(dataset) for dataset in datasets]
            except (OSError, RuntimeError, ValueError) as error:
                raise ValueError(
                    f"{self.reader.name}: the data of layer '{layer.name}' cannot be read: {error}"
                ) from None
            read.append((weights, arrays if convert is None else convert(arrays)))
        for weights, arrays in read:
            for weight, array in zip(weights, arrays, strict=True):
                weight.assign(array)
        for layer, *_ in self.matches:
            if hasattr(layer, "finalize_state"):
                layer.finalize_state()
