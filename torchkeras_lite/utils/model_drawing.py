"""A model as boxes and arrows: collected from its graph, written as DOT or Mermaid text."""

import html
import itertools
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import nn

from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import one_of
from torchkeras_lite.engine import collecting
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.utils.summary_rows import bounds, function_names, graph_of, shapes_text, unique_names

DIRECTIONS = ("TB", "BT", "LR", "RL")
HEADER, TRAINED, FROZEN = "#22313f", "#2e7d32", "#b71c1c"


@dataclass(frozen=True)
class DrawingOptions:
    """What boxes tell and how they are laid out; see `plot_model` for the fields."""

    show_shapes: bool = False
    show_dtype: bool = False
    show_layer_names: bool = True
    rankdir: str = "TB"
    expand_nested: bool = False
    dpi: int = 200
    show_layer_activations: bool = False
    show_trainable: bool = False
    splines: str = "ortho"
    layer_range: object = None


@dataclass(frozen=True)
class Box:
    """A layer, module or function: a key, a title, and facts as `(what, value)`."""

    key: str
    title: str
    facts: tuple = ()
    trained: object = None


@dataclass
class Drawing:
    """Boxes and arrows of one model; models inside may be drawings of their own.

    Attributes:
        name: Name of the model.
        items: `Box`es and `Drawing`s.
        edges: Pairs of keys of boxes.
        entries: Keys of the boxes that take the inputs.
        exits: Keys of the boxes that make the outputs.
    """

    name: str
    options: DrawingOptions
    items: list = field(default_factory=list)
    edges: list = field(default_factory=list)
    entries: list = field(default_factory=list)
    exits: list = field(default_factory=list)

    def boxes(self):
        """Return all boxes, those of models inside too."""
        return [b for item in self.items for b in (item.boxes() if isinstance(item, Drawing) else [item])]

    def to_string(self, subgraph=False):
        """Return DOT text: of a graph, or with `subgraph` of a cluster to put into one."""
        options = self.options
        if subgraph:
            return "\n".join(_dot_cluster(self, ""))
        lines = ["digraph G {"]
        lines += [f"  rankdir={options.rankdir};", f"  dpi={options.dpi};", f"  splines={options.splines};"]
        lines += ["  concentrate=true;", "  node [shape=plaintext, fontname=Helvetica];"]
        return "\n".join([*lines, *_dot_items(self, "  "), "}"]) + "\n"

    def to_mermaid(self):
        """Return Mermaid text, which Markdown viewers draw."""
        return "\n".join([f"flowchart {self.options.rankdir}", *_mermaid_items(self, "  ")]) + "\n"

    def write(self, path):
        """Write DOT text to a file, or Mermaid text where its name ends in `.mmd` or `.md`."""
        path = Path(path)
        text = self.to_mermaid() if path.suffix in (".mmd", ".md") else self.to_string()
        path.write_text(f"```mermaid\n{text}```\n" if path.suffix == ".md" else text, encoding="utf-8")

    def _repr_markdown_(self):
        return f"```mermaid\n{self.to_mermaid()}```"


def draw(model, options):
    """Return the `Drawing` of a model.

    Raises:
        ValueError: the model is not built; an unknown direction; a `layer_range` that names no layers.
    """
    one_of("plot_model", "rankdir", options.rankdir, DIRECTIONS)
    if not getattr(model, "built", True):
        raise ValueError(
            "This model has not yet been built. Build the model first by calling `build()` or by calling the "
            "model on a batch of data."
        )
    return _draw(model, options, itertools.count())


def _draw(model, options, numbers):
    drawing = Drawing(model.name if collecting.is_layer(model) else type(model).__name__, options)
    graph = graph_of(model)
    if graph is not None:
        _draw_graph(drawing, graph, numbers)
    elif getattr(model, "_recording", None) is not None:  # a chain of layers
        _draw_chain(drawing, model, numbers)
    else:
        box = _box(model, drawing.name, options, numbers)
        drawing.items, drawing.entries, drawing.exits = [box], [box.key], [box.key]
    return drawing


def _draw_chain(drawing, model, numbers):
    modules = list(model.layers)
    calls = {id(call.target): call for call in model._recording.calls}
    names = unique_names(modules)
    first, last = bounds(names, drawing.options.layer_range)
    for module, name in list(zip(modules, names, strict=True))[first:last]:
        item, entries, exits = _item(module, name, calls.get(id(module)), drawing.options, numbers)
        drawing.edges += [(end, begin) for end in drawing.exits for begin in entries]
        drawing.items.append(item)
        drawing.entries = drawing.entries or entries
        drawing.exits = exits


def _draw_graph(drawing, graph, numbers):
    options = drawing.options
    entries, exits = {}, {}
    modules = list(graph.modules)
    names = dict(zip(map(id, modules), unique_names(modules), strict=True)) | function_names(graph)
    given = [tensor for tensor in nested.flatten(graph.inputs) if not tensor.call.is_input]
    for tensor in given:
        box = Box(f"n{next(numbers)}", _title(tensor.name, "Input", options), _facts(None, tensor, options))
        drawing.items.append(box)
        entries[id(tensor)] = exits[id(tensor)] = [box.key]
    inputs = [tensor.call for tensor in nested.flatten(graph.inputs) if tensor.call.is_input]
    calls, listed = {}, []
    for call in [*inputs, *graph.calls]:
        key = id(call.target) if call.is_module else id(call)
        if key not in calls:
            listed.append((key, call))
        calls[key] = call
    first, last = bounds([names[key] for key, _ in listed], options.layer_range)
    for key, call in listed[first:last]:
        target = call.target if call.is_module else None
        item, entries[key], exits[key] = _item(target, names[key], calls[key], options, numbers)
        drawing.items.append(item)

    def source(tensor):
        if id(tensor) in exits:
            return exits[id(tensor)]
        return exits.get(id(tensor.call.target) if tensor.call.is_module else id(tensor.call), [])

    for call in graph.calls:
        ends = entries.get(id(call.target) if call.is_module else id(call), [])
        pairs = [(begin, end) for tensor in call.inputs for begin in source(tensor) for end in ends]
        drawing.edges += [pair for pair in pairs if pair not in drawing.edges]
    drawing.entries = [key for call in inputs for key in entries.get(id(call.target), [])]
    drawing.entries += [key for tensor in given for key in entries[id(tensor)]]
    drawing.exits = list(dict.fromkeys(key for t in nested.flatten(graph.outputs) for key in source(t)))


def _item(target, name, call, options, numbers):
    """Return a box, or the drawing of a model inside, with the keys of its entries and exits."""
    if options.expand_nested and getattr(target, "_recording", None) is not None:
        inner = _draw(target, replace(options, layer_range=None), numbers)
        return inner, inner.entries, inner.exits
    box = _box(target, name, options, numbers, call)
    return box, [box.key], [box.key]


def _box(target, name, options, numbers, call=None):
    kind = "function" if target is None else type(target).__name__
    trained = None
    if options.show_trainable and isinstance(target, nn.Module):
        parameters = list(target.parameters())
        trained = any(parameter.requires_grad for parameter in parameters) if parameters else None
    return Box(f"n{next(numbers)}", _title(name, kind, options), _facts(target, call, options), trained)


def _title(name, kind, options):
    return f"{name} ({kind})" if options.show_layer_names else kind


def _facts(target, call, options):
    facts = []
    activation = getattr(target, "activation", None)
    if options.show_layer_activations and activation is not None:
        facts.append(("Activation", getattr(activation, "__name__", type(activation).__name__)))
    is_input = isinstance(call, KerasTensor) or getattr(call, "is_input", False)
    outputs = call if isinstance(call, KerasTensor) else getattr(call, "outputs", None)
    if options.show_shapes:
        if not is_input:
            facts.append(("Input shape", _shapes(call.inputs_structure) if call is not None else "?"))
        facts.append(("Output shape", _shapes(outputs)))
    if options.show_dtype:
        found = sorted({t.dtype for t in nested.flatten(outputs) if isinstance(t, KerasTensor)})
        facts.append(("Output dtype", ", ".join(found) or "?"))
    return tuple(facts)


def _shapes(structure):
    found = [leaf.shape for leaf in nested.flatten(structure) if isinstance(leaf, KerasTensor)]
    return shapes_text(found[0] if len(found) == 1 else found) if found else "?"


def _dot_items(drawing, indent):
    lines = []
    for item in drawing.items:
        lines += _dot_cluster(item, indent) if isinstance(item, Drawing) else [_dot_box(item, indent)]
    return lines + [f"{indent}{begin} -> {end};" for begin, end in drawing.edges]


def _dot_cluster(drawing, indent):
    name = re.sub(r"\W", "_", drawing.name)
    head = [f"subgraph cluster_{name} {{", "  style=dashed;", f'  label="{drawing.name}";', "  labeljust=l;"]
    return [indent + line for line in head] + _dot_items(drawing, indent + "  ") + [indent + "}"]


def _dot_box(box, indent):
    rows = [
        f'<tr><td bgcolor="{HEADER}" cellpadding="8"><font color="white"><b>{html.escape(box.title)}</b>'
        "</font></td></tr>"
    ]
    rows += [f"<tr><td>{what}: <b>{html.escape(str(value))}</b></td></tr>" for what, value in box.facts]
    if box.trained is not None:
        colour, text = (TRAINED, "Trainable") if box.trained else (FROZEN, "Non-trainable")
        rows.append(f'<tr><td bgcolor="{colour}"><font color="white">{text}</font></td></tr>')
    table = f'<table border="0" cellborder="1" cellspacing="0" cellpadding="5">{"".join(rows)}</table>'
    return f"{indent}{box.key} [label=<{table}>];"


def _mermaid_items(drawing, indent):
    lines = []
    for item in drawing.items:
        if isinstance(item, Drawing):
            name = re.sub(r"\W", "_", item.name)
            lines += [f'{indent}subgraph {name}["{item.name}"]', *_mermaid_items(item, indent + "  ")]
            lines.append(f"{indent}end")
        else:
            parts = [item.title, *(f"{what}: {value}" for what, value in item.facts)]
            parts += [] if item.trained is None else ["Trainable" if item.trained else "Non-trainable"]
            text = "<br/>".join(html.escape(part) for part in parts)
            lines.append(f'{indent}{item.key}["{text}"]')
    return lines + [f"{indent}{begin} --> {end}" for begin, end in drawing.edges]
