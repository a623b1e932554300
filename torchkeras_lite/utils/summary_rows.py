"""The rows of a summary: what is listed, in which order, with which names, shapes and sources."""

import re
from dataclasses import dataclass

from torch import nn

from torchkeras_lite.base import naming, nested
from torchkeras_lite.engine import collecting
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.engine.operation import operation_of


@dataclass(frozen=True)
class Row:
    """A line of the table; `target` is the layer or module, `None` for a function or an input."""

    name: str
    kind: str
    shape: str
    target: object = None
    sources: str = ""
    depth: int = 0

    @property
    def label(self):
        """`dense (Dense)`, indented in nested models."""
        prefix = "   " * self.depth + "└ " if self.depth else ""
        return f"{prefix}{self.name} ({self.kind})"

    @property
    def count(self):
        """The number of weights, `0 (unbuilt)` where they are not known yet."""
        if self.target is None:
            return "0"
        if not _is_built(self.target):
            return "0 (unbuilt)"
        return f"{sum(tensor.numel() for tensor in _tensors(self.target)):,}"

    @property
    def trained(self):
        """`Y` or `N`, `-` without weights."""
        target = self.target
        if target is None or not _is_built(target) or not _tensors(target):
            return "-"
        if collecting.is_layer(target):
            return "Y" if target.trainable else "N"
        return "Y" if any(parameter.requires_grad for parameter in target.parameters()) else "N"


def is_branched(model):
    """Whether the graph of `model` is more than a chain of layers, so that connections are worth a column."""
    recording = graph_of(model)
    if recording is None:
        return False
    calls = [*_input_calls(recording), *recording.calls]
    depths = [recording.depths[id(call)] for call in calls if id(call) in recording.depths]
    targets = [id(call.target) for call in calls if call.is_module]
    return (
        len(nested.flatten(recording.inputs)) > 1
        or len(set(depths)) < len(depths)
        or len(set(targets)) < len(targets)
        or any(len(call.inputs) > 1 for call in recording.calls)
    )


def graph_of(model):
    """Return the recording of a model from symbolic inputs and outputs; a `Sequential` is a chain anyway."""
    recording = getattr(model, "_recording", None)
    return recording if recording is not None and len(model.layers) == len(recording.modules) else None


def _input_calls(recording):
    return [tensor.call for tensor in nested.flatten(recording.inputs) if tensor.call.is_input]


def rows_of(model, layer_range=None, expand_nested=False, depth=0, batch=None):
    """Return the rows of `model`, with those of models inside after their own.

    Args:
        model: The model.
        layer_range: See `summary.print_summary`.
        expand_nested: Whether models inside are listed too.
        depth: How deep `model` is inside of others.
        batch: Batch size that `model` was built with by data, outside a graph.
    """
    recording = getattr(model, "_recording", None)
    last_call = {id(call.target): call for call in recording.calls} if recording is not None else {}
    modules = list(model.layers)
    names = dict(zip(map(id, modules), unique_names(modules), strict=True))
    if getattr(model, "torch_module", None) is not None:  # plain modules have names there: their attributes
        names |= {id(module): name for name, module in model._modules.items()}
    graph = graph_of(model)
    if graph is None and batch is None:
        batch = _built_batch(model)
    sources = _Sources(graph, names) if graph is not None and not depth else None
    rows = []
    for item in _items(graph, modules):
        if isinstance(item, KerasTensor):
            rows.append(Row(item.name, "InputLayer", _shape_text(item), depth=depth))
        elif isinstance(item, nn.Module):
            shape = _shape_of(item, last_call.get(id(item)), batch)
            connected = sources.of_module(item) if sources else ""
            rows.append(Row(names[id(item)], type(item).__name__, shape, item, connected, depth))
        else:
            name = function_names(graph)[id(item)]
            connected = sources.of_call(item) if sources else ""
            rows.append(Row(name, _kind(item), _shape_text(item.outputs), None, connected, depth))
    first, last = bounds([row.name for row in rows], layer_range)
    expanded = []
    for row in rows[first:last]:
        expanded.append(row)
        if expand_nested and getattr(row.target, "layers", None):
            inner_batch = batch if id(row.target) in last_call else _built_batch(row.target)
            expanded += rows_of(row.target, layer_range, expand_nested, depth + 1, inner_batch)
    return expanded


def _items(graph, modules):
    """Return what has a row: modules, inputs that are no layers, and calls of functions."""
    if graph is None:
        return modules
    items = [tensor for tensor in nested.flatten(graph.inputs) if not tensor.call.is_input]
    calls_of = {}
    for call in graph.calls:
        calls_of.setdefault(id(call.owner), []).append(call)
    for owner in graph.operations:
        items += [owner] if isinstance(owner, nn.Module) else calls_of[id(owner)]
    return items


def _kind(call):
    """Return Keras's class of an operation, the class of one of the user's own, or `function`."""
    info = operation_of(call)
    if info is not None:
        return info.class_name
    return "function" if call.owner is call else type(call.owner).__name__


def unique_names(modules):
    """Return the names of `modules`: layers have theirs, plain modules get that of their class, numbered."""
    taken = {module.name for module in modules if collecting.is_layer(module)}
    names = []
    for module in modules:
        if collecting.is_layer(module):
            names.append(module.name)
            continue
        name = base = naming.to_snake_case(type(module).__name__)
        count = 0
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name)
        names.append(name)
    return names


def function_names(graph):
    """Return `id(call)` to a name for the calls of functions: that of the function, numbered."""
    names, counts = {}, {}
    for call in graph.calls:
        if not call.is_module:
            count = counts.get(call.name, 0)
            counts[call.name] = count + 1
            names[id(call)] = f"{call.name}_{count}" if count else call.name
    return names


class _Sources:
    """What `Connected to` shows: `dense[0][0]` is the first tensor of the first call of `dense`.

    Args:
        graph: The recording of the model.
        names: `id(module)` to its name.
    """

    def __init__(self, graph, names):
        self.graph = graph
        self.names = names
        self.function_names = function_names(graph)
        self.given = {id(t) for t in nested.flatten(graph.inputs) if not t.call.is_input}

    def of_module(self, module):
        """Return the sources of all calls of a module in the model."""
        calls = [call for call in self.graph.calls if call.target is module]
        return ", ".join(filter(None, map(self.of_call, calls)))

    def of_call(self, call):
        """Return the sources of one call."""
        return ", ".join(map(self._name, call.inputs))

    def _name(self, tensor):
        call = tensor.call
        if id(tensor) in self.given:
            return f"{tensor.name}[0][0]"
        if not call.is_module:
            name, number = self.function_names[id(call)], 0
        else:
            name = self.names[id(call.target)]
            known = getattr(call.target, "_calls", None) or self.graph.calls
            same = [id(one) for one in known if one.target is call.target]
            number = same.index(id(call)) if id(call) in same else 0
        place = [id(t) for t in call.tensors].index(id(tensor))
        return f"{name}[{number}][{place}]"


def bounds(names, layer_range):
    """Return the slice of `names` that a `layer_range` stands for."""
    if not layer_range:
        return 0, len(names)
    if not isinstance(layer_range, (list, tuple)) or len(layer_range) != 2:
        raise ValueError(
            "summary: layer_range must be a list or tuple of length 2, got "
            f"layer_range={layer_range!r}. Pass the names of the first and the last layer."
        )
    if not all(isinstance(name, str) for name in layer_range):
        raise ValueError(f"summary: layer_range should contain string type only, got {list(layer_range)}.")
    matches = [
        [index for index, name in enumerate(names) if re.match(pattern, name)] for pattern in layer_range
    ]
    if not all(matches):
        raise ValueError(
            "summary: passed layer names do not match the layer names in the model, got "
            f"{list(layer_range)}. The names are {names}."
        )
    first, last = matches
    if min(first) > max(last):
        first, last = last, first
    return min(first), max(last) + 1


def _shape_of(module, call, batch=None):
    """Return a module's output shape as text: of its last symbolic call, else what the layer knows."""
    if call is None and getattr(module, "_calls", None):
        call = module._calls[-1]
    if call is not None:
        return _shape_text(call.outputs, batch)
    try:
        built = (module.get_build_config() or {}) if collecting.is_layer(module) else {}
        if "shapes_dict" in built:  # of several inputs
            return shapes_text(module.compute_output_shape(**built["shapes_dict"]))
        batch = batch or _built_batch(module)
        return shapes_text(_only(module.output_shape), batch)
    except Exception:  # a layer that was never called may not know, or not be able to tell
        return "?"


def _built_batch(module):
    """Return the batch size of the data that built a layer, else `None`."""
    config = module.get_build_config() if collecting.is_layer(module) else None
    sizes = nested.flatten((config or {}).get("input_shape"))
    return sizes[0] if isinstance(sizes[0], int) else None


def _shape_text(outputs, batch=None):
    shapes = [t.shape for t in nested.flatten(outputs) if isinstance(t, KerasTensor)]
    return shapes_text(shapes[0] if len(shapes) == 1 else shapes, batch)


def _only(shapes):
    """Return the one shape in a dict of one, as the rows of symbolic calls show it; others as they are."""
    return next(iter(shapes.values())) if isinstance(shapes, dict) and len(shapes) == 1 else shapes


def shapes_text(shapes, batch=None):
    """Return shapes as text, with `batch` in the place of an unknown batch size."""
    if isinstance(shapes, dict):
        shapes = list(shapes.values())
    if isinstance(shapes, tuple) and all(isinstance(size, (int, type(None))) for size in shapes):
        if shapes[:1] == (None,):
            shapes = (batch, *shapes[1:])
        return "(" + ", ".join(map(str, shapes)) + ")"
    return "[" + ", ".join(shapes_text(shape, batch) for shape in shapes) + "]"


def _is_built(module):
    if collecting.is_layer(module):
        return module.built
    return not any(nn.parameter.is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers()))


def _tensors(module):
    """Return the tensors of a module's weights, each once."""
    if collecting.is_layer(module):
        return [weight.tensor for weight in collecting.weights(module)]
    return list({id(t): t for t in module.state_dict(keep_vars=True).values()}.values())
