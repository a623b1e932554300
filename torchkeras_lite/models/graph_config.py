"""Configs of graphs, in the form Keras writes.

Layers, their calls by `[layer, node, tensor]`, inputs and outputs. Calls count from 0, but where the outputs
of the graph name a model that is a graph itself: Keras counts the making of that one as its first call there,
and in the arguments of calls it does not.
"""

import itertools

from torchkeras_lite.base import nested, torch_modules
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.serialization import deserialize_keras_object, serialize_keras_object
from torchkeras_lite.engine.keras_tensor import Call, KerasTensor
from torchkeras_lite.models import operation_config
from torchkeras_lite.models.mask_config import without_travelling_masks, written_calls
from torchkeras_lite.saving.legacy_config import modern_config

GRAPH_KEYS = frozenset(("name", "trainable", "layers", "input_layers", "output_layers"))


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

    def place(tensor):
        name, number, index = history(tensor)
        return [name, number + (not tensor.call.is_input and _counts_its_making(tensor.call.target)), index]

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
        "input_layers": nested.map_structure(place, recording.inputs),
        "output_layers": nested.map_structure(place, recording.outputs),
    }


def _counts_its_making(layer):
    """Whether `layer` is a model that is a graph, and no `Sequential`."""
    return getattr(layer, "_recording", None) is not None and not hasattr(layer, "_stack")


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


def tensors_from_config(config):
    """Return the symbolic inputs and outputs that a config of `graph_config` (or Keras's) describes.

    Raises:
        ValueError: calls that refer to each other in a circle, or to layers that are not there.
    """
    if any(isinstance(node, list) for entry in config["layers"] for node in entry.get("inbound_nodes", ())):
        config = modern_config({"class_name": "Functional", "config": config})["config"]  # of Keras 2
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
            raise ValueError(_unresolved([(name, node) for name, _, node in later], layers))
        waiting = later
    structures = [config[key] for key in ("input_layers", "output_layers")]
    of_graphs = {name for name, layer in layers.items() if _counts_its_making(layer)}
    # Older files of this package count these from 0 as well.
    of_graphs -= {name for name, number in _named(structures) if number == 0}
    return tuple(_tensors(structure, made, of_graphs) for structure in structures)


def _named(places):
    """Return the `(layer, call)` pairs in a structure of places."""
    if isinstance(places, dict):
        return [pair for part in places.values() for pair in _named(part)]
    if len(places) == 3 and isinstance(places[0], str):
        return [tuple(places[:2])]
    return [pair for part in places for pair in _named(part)]


def _unresolved(calls, layers):
    """Return what is wrong with calls whose inputs no other call makes."""
    what = f"Invalid Functional model configuration: the calls of {[name for name, _ in calls]}"
    missing = sorted({name for _, node in calls for name, _ in _needed(node) if name not in layers})
    if missing:
        return f"{what} need layers that it does not have. Missing node: {', '.join(missing)}."
    return f"{what} depend on one another in a loop, or on calls that are not in it."


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


def _tensors(places, made, of_graphs):
    if isinstance(places, dict):
        return {key: _tensors(part, made, of_graphs) for key, part in places.items()}
    if len(places) == 3 and isinstance(places[0], str):
        name, number, index = places
        number -= name in of_graphs
        if (name, number) not in made:
            raise ValueError(f"The config names call {number} of '{name}' as an end: there is none.")
        return _tensor((name, number, index), made)
    return type(places)(_tensors(part, made, of_graphs) for part in places)
