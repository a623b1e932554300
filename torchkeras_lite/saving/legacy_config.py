"""Model configs of Keras 2 and tf.keras, in the form of Keras 3.

Only the form changes here; nothing is made. Objects that are registered or in scope keep their configs as
they are: what their keys mean is their own affair.
"""

from torchkeras_lite.base import registry
from torchkeras_lite.saving.legacy_kernels import CONSTANT, as_lambda
from torchkeras_lite.saving.legacy_layers import PLACES, modern_class, modern_settings
from torchkeras_lite.saving.legacy_operations import (
    LAYERS,
    keras_operation_entry,
    operation_call,
    operation_entry,
)
from torchkeras_lite.saving.legacy_recipes import MAKE_SIZES, STAY_SIZES

MODELS = ("Model", "Functional", "Sequential", "Network")
MAX_DEPTH = 200


def modern_config(entry):
    """Return a `{"class_name", "config"}` of any Keras since 2.0 as Keras 3 would write it.

    Raises:
        ValueError: layers that run TensorFlow's own operations, a structure no Keras writes.
    """
    return _modern(entry, 0)


def _modern(value, depth):
    if depth > MAX_DEPTH:
        raise ValueError(f"The config is nested more than {MAX_DEPTH} levels deep; no model is.")
    if isinstance(value, list):
        return [_modern(part, depth + 1) for part in value]
    if not isinstance(value, dict):
        return value
    if not isinstance(value.get("class_name"), str) or "config" not in value:
        return {key: _modern(part, depth + 1) for key, part in value.items()}
    return _modern_object(value, depth)


def _modern_object(entry, depth):
    name, config = entry["class_name"], entry["config"]
    if name == "function" or name.startswith("__") or registry.get_registered_object(name) is not None:
        if isinstance(config, dict) and "layers" in config:  # a registered subclass of a model
            return {**entry, "config": _modern_model(entry, depth)}
        return entry
    if name in ("Policy", "PolicyV1", "PolicyV2"):
        return config.get("name") if isinstance(config, dict) else config
    if name in MODELS or (isinstance(config, dict) and "input_layers" in config):
        kind = "Functional" if name in ("Model", "Network") else name
        return {**entry, "class_name": kind, "config": _modern_model(entry, depth)}
    if not isinstance(config, dict):
        return entry
    settings = modern_settings(name, {key: _modern(part, depth + 1) for key, part in config.items()})
    place = {"module": PLACES[name]} if name in PLACES else {}
    return {**entry, **place, "class_name": modern_class(name), "config": settings}


def _modern_model(entry, depth):
    """Return the config of a model with its layers, and their calls, in today's form."""
    config = entry["config"]
    if isinstance(config, list):  # a `Sequential` of Keras before 2.2.3
        config = {"layers": config, "name": entry.get("name", "sequential")}
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        return config
    layers = config["layers"]
    if any(not isinstance(layer, dict) or "class_name" not in layer for layer in layers):
        raise ValueError("The config of a model lists something that is no layer: it has no `class_name`.")
    if "input_layers" not in config:
        return {**config, "layers": [_modern(layer, depth + 1) for layer in _with_input(layers)]}
    layers = [as_lambda(layer) for layer in layers]
    names = {_name(layer): _name(layer).replace("/", "_") for layer in layers if _function(layer)}
    names = {name: today for name, today in names.items() if name != today}
    if names:  # Keras 3 takes no name with a slash
        layers = [_renamed(layer, names) for layer in layers]
        config = {
            **config,
            **{key: _renamed(value, names) for key, value in config.items() if key != "layers"},
        }
    graph = _Graph(layers, [config.get(key, []) for key in ("input_layers", "output_layers")])
    written = [{**graph.entry(layer, depth), "inbound_nodes": graph.calls(layer)} for layer in layers]
    places = {key: graph.places(config[key]) for key in ("input_layers", "output_layers") if key in config}
    return {**config, "layers": written, **places}


def _with_input(layers):
    """Return the layers of a `Sequential`, an `InputLayer` first where the first layer knew its input."""
    first = layers[0] if layers else None
    if first is None or first["class_name"] == "InputLayer":
        return layers
    owner = first
    while isinstance(owner.get("config"), dict) and isinstance(owner["config"].get("layer"), dict):
        if "batch_input_shape" in owner["config"]:
            break
        owner = owner["config"]["layer"]  # a wrapper's inner layer may hold the shape
    config = owner.get("config")
    if not isinstance(config, dict) or not config.get("batch_input_shape"):
        return layers
    name = f"{first['config'].get('name', 'layer')}_input"
    dtype = "int32" if owner["class_name"] == "Embedding" else config.get("dtype", "float32")
    settings = {"batch_shape": config["batch_input_shape"], "dtype": dtype, "name": name}
    return [{"class_name": "InputLayer", "config": settings}, *layers]


def _name(layer):
    return layer.get("name", layer["config"].get("name") if isinstance(layer["config"], dict) else None)


def _function(layer):
    """Return the operation of TensorFlow that a layer runs, `None` where it is a real layer."""
    if layer["class_name"] not in LAYERS or not isinstance(layer["config"], dict):
        return None
    default = "__operators__.getitem" if layer["class_name"] == "SlicingOpLambda" else None
    return layer["config"].get("function", default)


def _renamed(value, names):
    """Return the entry of a layer, or a part of one, with `names` for older names in it."""
    if isinstance(value, list):
        if len(value) > 2 and isinstance(value[0], str) and value[0] in names and isinstance(value[1], int):
            value = [names[value[0]], *value[1:]]
        return [_renamed(part, names) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        key: names.get(part, part) if key == "name" and isinstance(part, str) else _renamed(part, names)
        for key, part in value.items()
    }


def _is_graph(layer):
    """Whether a layer is a model with inputs and outputs of its own."""
    config = layer["config"]
    listed = isinstance(config, dict) and "input_layers" in config
    return listed or layer["class_name"] in ("Model", "Functional", "Network")


def _goes_back(value):
    """Whether a slice with a negative step is in `value`."""
    if isinstance(value, dict):
        step = value.get("step")
        return (isinstance(step, int) and step < 0) or any(map(_goes_back, value.values()))
    return isinstance(value, list) and any(map(_goes_back, value))


class _Graph:
    """The calls of layers in one config, which Keras 2 lists as `[layer, call, output, arguments]`.

    Args:
        layers: The entries of the config.
        ends: Where its inputs and outputs are.
    """

    def __init__(self, layers, ends):
        self.calls_of = {}
        for layer in layers:
            name = _name(layer)
            nodes = layer.get("inbound_nodes", [])
            if not isinstance(nodes, list):
                raise ValueError(f"The config's calls of '{name}' are no list.")
            self.calls_of[name] = nodes
        self.sizes = self._places_of_sizes(layers)
        self.graphs = {_name(layer) for layer in layers if _is_graph(layer)}
        self.first = self._first_calls(layers, ends)

    def _first_calls(self, layers, ends):
        """Return by layer the number of its first call: Keras 2 counts the making of a model as one."""
        models = {_name(layer) for layer in layers if _is_graph(layer) or layer["class_name"] == "Sequential"}
        numbers = {}
        for name, number in self._references([*self.calls_of.values(), *ends]):
            numbers.setdefault(name, []).append(number)
        return {
            name: int(
                self._is_of_keras2(name)
                and (max(found) >= len(self.calls_of[name]) or (name in models and min(found) > 0))
            )
            for name, found in numbers.items()
        }

    def _is_of_keras2(self, name):
        """Whether the calls of a layer are lists; those in files of Keras 3 are read as they are."""
        nodes = self.calls_of[name]
        return bool(nodes) and not (isinstance(nodes[0], dict) and "args" in nodes[0])

    def _places_of_sizes(self, layers):
        """Return the names of operations that give a shape, `tf.shape(x)`, or numbers made of shapes."""
        found, before = {_name(layer) for layer in layers if _function(layer) in MAKE_SIZES}, None
        while found != before:
            before = set(found)
            for layer in layers:
                sources = {name for name, _ in self._references(layer.get("inbound_nodes", []))}
                if sources and sources <= found and _function(layer) in STAY_SIZES:
                    found.add(_name(layer))
        return found

    def _of_sizes(self, layer):
        """Whether an argument of an operation comes from `tf.shape`, or an index goes backwards."""
        sources = {name for name, _ in self._references(layer.get("inbound_nodes", []))}
        return not self.sizes.isdisjoint(sources) or _goes_back(layer.get("inbound_nodes", []))

    def _references(self, value):
        if self._is_place(value):
            found = [(value[0], value[1])]
            return found + (self._references(value[3]) if len(value) == 4 else [])
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return [place for part in parts for place in self._references(part)]

    def _is_place(self, value):
        return (
            isinstance(value, list)
            and len(value) in (3, 4)
            and isinstance(value[0], str)
            and value[0] in self.calls_of
            and isinstance(value[1], int)
            and isinstance(value[2], int)
            and (len(value) == 3 or isinstance(value[3], dict))
        )

    def entry(self, layer, depth):
        """Return the entry of a layer, without its calls."""
        name = _name(layer)
        known = keras_operation_entry(layer)
        kept = {key: value for key, value in (known or layer).items() if key != "inbound_nodes"}
        found = kept if known is not None else self._operation(layer, kept)
        return {**(_modern(kept, depth + 1) if found is None else found), "name": name}

    def _operation(self, layer, kept):
        """Return the entry of the operation that a layer runs, `None` for a real layer."""
        if layer["class_name"] not in LAYERS:
            return None
        of_sizes = self._of_sizes(layer)
        nodes = layer.get("inbound_nodes") or [[]]
        written = [operation_entry(kept, self._keywords(node), of_sizes) for node in nodes]
        if any(entry != written[0] for entry in written):
            raise ValueError(
                f"The calls of the operation '{layer.get('name')}' differ in their settings, which only "
                "separate operations can. Make the model in code, and read its weights with `load_weights`."
            )
        return written[0]

    def _keywords(self, node):
        """Return the arguments by name of an operation's call, the places in them as symbolic tensors."""
        given = node if node and (self._is_place(node) or node[0] == CONSTANT) else next(iter(node), ())
        keywords = given[3] if len(given) == 4 and isinstance(given[3], dict) else {}
        return {key: self._value(value) for key, value in keywords.items()}

    def calls(self, layer):
        """Return the calls of a layer as `{"args", "kwargs"}`."""
        return [
            node if isinstance(node, dict) and "args" in node else self._call(layer, node)
            for node in layer.get("inbound_nodes", [])
        ]

    def _call(self, layer, node):
        if layer["class_name"] in LAYERS:
            args, kwargs = operation_call(
                layer, self._value(node), self._keywords(node), self._of_sizes(layer)
            )
            return {"args": args, "kwargs": kwargs}
        found = self._first_place(node)
        if found is None:
            raise ValueError(f"The config's call {node!r} of '{layer.get('name')}' names no layer in it.")
        keywords = found[3] if len(found) == 4 else {}
        kwargs = {key: self._value(value) for key, value in keywords.items() if value is not None}
        given = node[0] if isinstance(node, list) and not self._is_place(node) and len(node) == 1 else node
        return {"args": [self._value(given)], "kwargs": kwargs}

    def _first_place(self, value):
        if self._is_place(value):
            return value
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return next((found for part in parts if (found := self._first_place(part)) is not None), None)

    def _value(self, value):
        """Return an argument of a call, the places in it as symbolic tensors."""
        if self._is_place(value):
            return {
                "class_name": "__keras_tensor__",
                "config": {"shape": None, "dtype": None, "keras_history": self._place(value)},
            }
        if isinstance(value, list) and len(value) in (3, 4) and value[0] == CONSTANT:
            return value[2]
        if value == {"class_name": "__ellipsis__"}:
            return {**value, "config": {}}
        if isinstance(value, dict):
            return {key: self._value(part) for key, part in value.items()}
        return [self._value(part) for part in value] if isinstance(value, list) else value

    def _place(self, place):
        name, number, output = place[:3]
        return [name, max(number - self.first.get(name, 0), 0), output]

    def places(self, structure):
        """Return the places of inputs or outputs, where Keras 3, too, counts the making of a graph inside."""
        if isinstance(structure, dict):
            return {key: self.places(part) for key, part in structure.items()}
        if self._is_place(structure):
            name, number, output = self._place(structure)
            return [name, number + (name in self.graphs and self._is_of_keras2(name)), output]
        if not isinstance(structure, list):
            raise ValueError(f"The config names {structure!r} as an input or output.")
        return [self.places(part) for part in structure]
