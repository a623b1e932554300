"""Recorded calls to torch.fx: order, connectedness, and a `GraphModule` whose `forward` is readable PyTorch.

Nothing here knows a layer: a call of a module becomes `call_module`, of a tensor method `call_method`, of
anything else `call_function`.
"""

import contextlib
import keyword
import operator
from dataclasses import dataclass, field

import torch
from torch import fx, nn

from torchkeras_lite.base import nested
from torchkeras_lite.engine.keras_tensor import Call, KerasTensor
from torchkeras_lite.engine.masking import attach_mask
from torchkeras_lite.engine.weights import Weight


@dataclass
class Recording:
    """The calls that lead from symbolic inputs to symbolic outputs.

    Args:
        inputs: Nested symbolic inputs.
        outputs: Nested symbolic outputs.
        calls: All calls between them, in an order in which they can run.
        modules: The modules called, each once, in Keras's order of layers; those of inputs included.
        operations: The same with the calls of functions between them.
        depths: `id(call)` to its longest distance to an output.
    """

    inputs: object
    outputs: object
    calls: list[Call]
    modules: list[nn.Module]
    operations: list[object] = field(default_factory=list)
    depths: dict[int, int] = field(default_factory=dict)


def trace(inputs, outputs, owner="Model"):
    """Return the `Recording` between nested symbolic `inputs` and `outputs`.

    Raises:
        ValueError: something is no symbolic tensor; an output does not depend on the inputs alone; two
            layers of one name.
    """
    flat_inputs = _symbolic(inputs, "inputs", owner)
    flat_outputs = _symbolic(outputs, "outputs", owner)
    given = {id(tensor) for tensor in flat_inputs}
    names = {id(leaf): ".".join(map(str, path)) for path, leaf in nested.flatten_with_path(outputs)}
    order, first_visit = _walk(flat_outputs, flat_inputs, given, owner, names)
    masks = [t._keras_mask for t in flat_outputs if getattr(t, "_keras_mask", None) is not None]
    with contextlib.suppress(ValueError):  # a mask from before the model's inputs ends there
        order, first_visit = _walk(flat_outputs + masks, flat_inputs, given, owner)
    depths = _depths(order, given)
    for tensor in flat_inputs:
        if tensor.call.is_input and id(tensor.call) not in depths:  # an input that nothing uses
            depths[id(tensor.call)] = 0
            first_visit.setdefault(id(tensor.call.owner), -1)
            order.insert(0, tensor.call)
    owner_depths, owners = {}, {}
    for call in order:
        key = id(call.owner)
        owners[key] = call.owner
        owner_depths[key] = max(owner_depths.get(key, 0), depths[id(call)])
    ranked = [owners[key] for key in sorted(owners, key=lambda key: (-owner_depths[key], first_visit[key]))]
    modules = [owner for owner in ranked if isinstance(owner, nn.Module)]
    calls = [call for call in order if not call.is_input]
    return Recording(inputs, outputs, calls, modules, ranked, depths)


def _symbolic(structure, what, owner):
    leaves = nested.flatten(structure)
    for leaf in leaves:
        if not isinstance(leaf, KerasTensor):
            raise ValueError(
                f"{owner}: All `{what}` values must be KerasTensors, got {leaf!r} of type "
                f"{type(leaf).__name__}. Make inputs "
                "with `Input(shape)` and outputs by calling layers on them."
            )
        if leaf.call is None:
            raise ValueError(
                f"{owner}: {leaf!r} in `{what}` was made by no call. Make inputs with `Input(shape)`."
            )
    return leaves


def _walk(outputs, inputs, given, owner, paths=None):
    """Return the calls below `outputs`, inputs first, and the order in which their owners were met.

    `paths` says where in the structure of outputs each is.
    """
    order, state, first_visit = [], {}, {}
    for output in outputs:
        stack = [(output, None)]
        while stack:
            tensor, parent = stack.pop()
            if tensor is None:
                state[id(parent)] = "done"
                order.append(parent)
                continue
            call = tensor.call
            if id(call) in state:
                continue
            if id(tensor) in given and not call.is_input:
                continue
            if call.is_input and id(tensor) not in given:
                names = [t.name for t in inputs]
                raise ValueError(
                    f"{owner}: graph disconnected. Output with path `{(paths or {}).get(id(output), '')}` "
                    f"is not connected to `inputs`: {_describe(output)} depends on the input "
                    f"{_describe(tensor)}, which is not among the model's inputs {names}. Add it to "
                    "`inputs`, or start from another tensor."
                )
            state[id(call)] = "open"
            first_visit.setdefault(id(call.owner), len(first_visit))
            stack.append((None, call))
            stack.extend((t, None) for t in reversed(call.inputs))
    return order, first_visit


def _describe(tensor):
    return f"'{tensor.name}' of shape {tensor.shape}"


def _depths(order, given):
    """Return each call's longest distance to an output.

    All calls of one module are as deep as its deepest.
    """
    depths, owner_depths = {}, {}
    for call in reversed(order):
        key = id(call.owner)
        depth = owner_depths[key] = max(depths.get(id(call), 0), owner_depths.get(key, 0))
        depths[id(call)] = depth
        for tensor in call.inputs:
            if id(tensor) not in given or tensor.call.is_input:
                depths[id(tensor.call)] = max(depths.get(id(tensor.call), 0), depth + 1)
    return {id(call): depths[id(call)] for call in order}


def module_keys(modules, names, owner_class, reserved=()):
    """Return the key of every module in the model's module tree: its name, made fit to be an attribute.

    Args:
        modules: The modules.
        names: Their names.
        owner_class: Class whose attributes the keys must not hide.
        reserved: Further attributes.
    """
    keys = {}
    for module, name in zip(modules, names, strict=True):
        key = name.replace(".", "_").replace("/", "_")
        while (
            hasattr(owner_class, key)
            or hasattr(fx.GraphModule, key)
            or key in reserved
            or keyword.iskeyword(key)
            or key in keys.values()
        ):
            key += "_"
        keys[id(module)] = key
    return keys


class Lowering:
    """One lowering of a `Recording` to torch.fx.

    Args:
        recording: What to lower.
        keys: `id(module)` to the attribute it gets.
        class_name: Name of the generated class.
    """

    def __init__(self, recording, keys, class_name):
        self.recording = recording
        self.keys = keys
        self.class_name = class_name
        self.graph = fx.Graph()
        self.values = {}
        self.attributes = {}
        self.constants = {}

    def run(self):
        """Return the `GraphModule`."""
        recording = self.recording
        names = set()
        for tensor in nested.flatten(recording.inputs):
            name = _identifier(tensor.name)
            while keyword.iskeyword(name) or name == "self" or name in names:
                name += "_"
            names.add(name)
            self.values[id(tensor)] = self.graph.placeholder(name)
        for call in recording.calls:
            node = self._lower(call)
            for tensor in call.tensors:
                self.values.setdefault(id(tensor), (node, tensor.path))
        self.graph.output(self._outputs(nested.unpack_single(recording.outputs)))
        self._drop_unused()
        return fx.GraphModule(self.attributes, self.graph, class_name=self.class_name)

    def _lower(self, call):
        args, kwargs = nested.map_structure(self._argument, (tuple(call.args), dict(call.kwargs)))
        target = call.target
        if call.is_module:
            key = self.keys[id(target)]
            self.attributes[key] = target
            return self.graph.call_module(key, args, kwargs)
        name = getattr(target, "__name__", "")
        if getattr(torch.Tensor, name, None) is target:
            return self.graph.call_method(name, args, kwargs)
        return self.graph.call_function(target, args, kwargs, name=None)

    def _argument(self, leaf):
        if isinstance(leaf, KerasTensor):
            return self._value(leaf)
        if isinstance(leaf, Weight):
            value = self._constant(leaf.tensor)
            if leaf.spec.to_keras(leaf.tensor) is leaf.tensor:
                return value
            return self.graph.call_function(leaf.spec.to_keras, (value,))
        if isinstance(leaf, torch.Tensor):
            return self._constant(leaf)
        if callable(leaf) and not isinstance(leaf, type):  # what `ops.map` runs, which code cannot spell
            key = f"function_{len(self.constants)}"
            self.constants[key] = self.attributes[key] = leaf
            return self.graph.get_attr(key)
        return leaf

    def _value(self, tensor):
        value = self.values[id(tensor)]
        if isinstance(value, tuple):
            node, path = value
            for step in path:
                node = self.graph.call_function(operator.getitem, (node, step))
            value = self.values[id(tensor)] = node
        return value

    def _constant(self, tensor):
        """Return a node for a real tensor in the graph, which becomes an attribute of the model."""
        if not tensor.is_leaf:
            raise ValueError(
                f"A tensor of shape {tuple(tensor.shape)} that was computed from weights is used on a "
                "symbolic tensor; its value "
                "would be frozen in the model. Compute it inside the `call` of a Layer, or in a `Lambda`."
            )
        for key, known in self.constants.items():
            if known is tensor:
                return self.graph.get_attr(key)
        key = f"constant_{len(self.constants)}"
        self.constants[key] = tensor
        self.attributes[key] = tensor
        return self.graph.get_attr(key)

    def _outputs(self, structure):
        def value(tensor):
            node = self._value(tensor)
            mask = getattr(tensor, "_keras_mask", None)
            if mask is not None and id(mask) in self.values:
                node = self.graph.call_function(attach_mask, (node, self._value(mask)))
            return node

        return nested.map_structure(value, structure)

    def _drop_unused(self):
        for node in reversed(self.graph.nodes):
            if node.op in ("get_attr",) and not node.users:
                self.graph.erase_node(node)


def _identifier(name):
    cleaned = "".join(c if c.isalnum() else "_" for c in name)
    return cleaned if cleaned[:1].isalpha() else f"input_{cleaned}"


def lower(recording, keys, class_name):
    """Return an `fx.GraphModule` from flat inputs to outputs, and the tensors and functions that it holds."""
    lowering = Lowering(recording, keys, class_name)
    return lowering.run(), lowering.constants
