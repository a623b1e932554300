"""Configs of graphs, in the form Keras writes.

Layers, their calls by `[layer, node, tensor]`, inputs and outputs.
"""

import itertools

from torchkeras_lite.base import nested, torch_modules
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.serialization import deserialize_keras_object, serialize_keras_object
from torchkeras_lite.engine.keras_tensor import Call, KerasTensor
from torchkeras_lite.models import operation_config
from torchkeras_lite.models.mask_config import without_travelling_masks, written_calls


def graph_config(model):
    """Return the config of a model made from symbolic tensors.

    Raises:
        TypeError: the graph holds a call of a plain torch module or function, which Keras's form has no word
            for.
    """
    recording = model._recording
    calls_of = {id(owner): [] for owner in recording.operations}
    written_ids = written_calls(recording)
    for call in recording.calls:
        if id(call) not in written_ids:
            continue
        if not _is_known(call):
            raise TypeError(
                f"{describe(model)}: the call of `{call.name}` cannot be written to a config, because it is "
                "no layer and none of the modules of `torch.nn` that a file may name. Put it in a Layer or a "
                "`Lambda`, or copy the model with `copy.deepcopy`; `model.save_weights(path)` saves the "
                "weights alone."
            )
        calls_of[id(call.owner)].append(call)

    names = _names(model)

    def history(tensor):
        call = tensor.call
        node = 0 if call.is_input else calls_of[id(call.owner)].index(call)
        return [names[id(call.owner)], node, next(i for i, t in enumerate(call.tensors) if t is tensor)]

    def argument(leaf):
        if not isinstance(leaf, KerasTensor):
            return operation_config.serialize_constant(leaf)
        config = {"shape": leaf.shape, "dtype": leaf.dtype, "keras_history": history(leaf)}
        return {"class_name": "__keras_tensor__", "config": config}

    def node(call):
        args, kwargs = operation_config.call_arguments(call)
        kwargs = without_travelling_masks(call, kwargs)
        return {
            "args": list(nested.map_structure(argument, tuple(args))),
            "kwargs": nested.map_structure(argument, dict(kwargs)),
        }

    layers = []
    for owner in recording.operations:
        if isinstance(owner, Call) and not owner.is_input and id(owner) not in written_ids:
            continue
        nodes = [node(call) for call in calls_of[id(owner)]]
        written = operation_config.operation_entry(owner) if isinstance(owner, Call) else None
        written = serialize_keras_object(owner) if written is None else written
        layers.append({**written, "name": names[id(owner)], "inbound_nodes": nodes})
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": _places(recording.inputs, history),
        "output_layers": _places(recording.outputs, history),
    }


def _is_known(call):
    """Whether a call can be written: of a layer, of a module in the closed list, or of an operation."""
    if not call.is_module:
        return operation_config.is_known(call)
    return "_keras" in call.target.__dict__ or torch_modules.is_known(call.target)


def _names(model):
    """Return the names of what is called by `id`; plain torch modules have their keys in the model."""
    operations, keys = model._recording.operations, model._keys
    names = {id(owner): owner.name for owner in operations if hasattr(owner, "name")}
    for owner in operations:
        if id(owner) not in names:
            taken = set(names.values())
            name = keys.get(id(owner), "torch_module")
            numbered = (f"{name}_{number}" for number in itertools.count(1))
            names[id(owner)] = next(n for n in itertools.chain([name], numbered) if n not in taken)
    return names


def _places(structure, history):
    return nested.map_structure(history, structure)


def tensors_from_config(config):
    """Return the symbolic inputs and outputs that a config of `graph_config` (or Keras's) describes.

    Raises:
        ValueError: calls that refer to each other in a circle, or to layers that are not there.
    """
    layers, made = {}, {}
    waiting = []
    for entry in config["layers"]:
        layer = layers[entry["name"]] = operation_config.find(entry) or deserialize_keras_object(
            {
                key: value
                for key, value in entry.items()
                if key not in ("inbound_nodes", "name", "build_config")
            }
        )
        if not entry["inbound_nodes"]:
            made[entry["name"], 0] = layer.output
        waiting += [(entry["name"], number, node) for number, node in enumerate(entry["inbound_nodes"])]
    while waiting:
        later = []
        for name, number, node in waiting:
            ready = all(place in made for place in _needed(node)) and (
                number == 0 or (name, number - 1) in made
            )
            if not ready:
                later.append((name, number, node))
                continue
            args, kwargs = _arguments(node["args"], made), _arguments(node["kwargs"], made)
            made[name, number] = layers[name](*args, **kwargs)
        if len(later) == len(waiting):
            raise ValueError(
                f"The config's calls of {[name for name, *_ in later]} depend on calls that are not in it."
            )
        waiting = later
    return tuple(_tensors(config[key], made) for key in ("input_layers", "output_layers"))


def _is_tensor(value):
    return isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"


def _needed(value):
    if _is_tensor(value):
        name, node, _ = value["config"]["keras_history"]
        return [(name, node)]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [place for part in parts for place in _needed(part)]


def _arguments(value, made):
    if _is_tensor(value):
        return _tensor(value["config"]["keras_history"], made)
    if isinstance(value, dict) and "class_name" in value and "config" in value:
        return deserialize_keras_object(value)
    if isinstance(value, dict):
        return {key: _arguments(part, made) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_arguments(part, made) for part in value]
    return value


def _tensor(place, made):
    name, node, index = place
    leaves = nested.flatten(made[name, node])
    return ([leaf for leaf in leaves if isinstance(leaf, KerasTensor)] or leaves)[index]


def _tensors(places, made):
    if isinstance(places, dict):
        return {key: _tensors(part, made) for key, part in places.items()}
    if len(places) == 3 and isinstance(places[0], str):
        return _tensor(places, made)
    return type(places)(_tensors(part, made) for part in places)
