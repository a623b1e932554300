"""Models that are graphs: from symbolic inputs and outputs to layers, keys, and a generated `forward`."""

import re
import types
import warnings
from collections import Counter

import numpy as np
import torch
from torch import nn

from torchkeras_lite.base import config, dtypes, naming, nested
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine import graph, tracking
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.keras_tensor import Call, KerasTensor
from torchkeras_lite.engine.shapes import is_probing
from torchkeras_lite.layers.input_layer import Input

# Attributes of a model that its layers' keys must not take.
RESERVED = (
    "loss",
    "optimizer",
    "history",
    "stop_training",
    "compiled",
    "training",
    "built",
    "input_spec",
    "autocast",
    "supports_masking",
    "activity_regularizer",
)


def module_name(module):
    """Return a layer's name; for a plain torch module, that of its class in snake case."""
    name = getattr(module, "name", None) if "_keras" in module.__dict__ else None
    return name or naming.to_snake_case(type(module).__name__)


def unique_module_names(modules):
    """Return the names of `modules`: layers keep theirs, plain modules of one class are numbered.

    Raises:
        ValueError: two layers of one name.
    """
    given = Counter(m.name for m in modules if "_keras" in m.__dict__)
    for name, count in given.items():
        if count > 1:
            raise ValueError(
                f'The name "{name}" is used {count} times in the model. All layer names should be unique: '
                "give one of them another `name`."
            )
    names, taken = [], set(given)
    for module in modules:
        name = base = module_name(module)
        if "_keras" not in module.__dict__:
            count = 0
            while name in taken:
                count += 1
                name = f"{base}_{count}"
            taken.add(name)
        names.append(name)
    return names


def state_names(modules):
    """Return names for `state_dict` keys that are the same in every copy of a model.

    A name of one's own stays. Automatic names count through the whole process (`dense_7`), so layers that
    have one are counted anew in each model, by class: `dense`, `dense_1`.
    """
    kinds = [naming.to_snake_case(type(module).__name__) for module in modules]
    own = [
        None if _is_automatic(module, kind) else module.name
        for module, kind in zip(modules, kinds, strict=True)
    ]
    counts, names, taken = Counter(), [], {name for name in own if name}
    for name, kind in zip(own, kinds, strict=True):
        while name is None:
            candidate = f"{kind}_{counts[kind]}" if counts[kind] else kind
            counts[kind] += 1
            name = candidate if candidate not in taken else None
        names.append(name)
    return names


def _is_automatic(module, kind):
    return "_keras" not in module.__dict__ or re.fullmatch(rf"{kind}(_\d+)?", module.name) is not None


def install(model, inputs, outputs):
    """Make `model` compute symbolic `outputs` from symbolic `inputs`.

    Register the layers, generate its `forward`.
    """
    recording = graph.trace(inputs, outputs, describe(model))
    if not all(tensor.call.is_input for tensor in nested.flatten(inputs)):
        recording = graph.trace(*_with_own_inputs(recording), describe(model))
    modules = [m for m in recording.modules if not _is_input(m)]
    unique_module_names(recording.modules)
    keys = graph.module_keys(modules, state_names(modules), type(model), RESERVED)
    _register(model, recording, keys)
    tracking.share_mode(model)


def _with_own_inputs(recording):
    """Return inputs and outputs of the same calls, with an `Input` for every input that a call made.

    The calls are recorded anew, so that the graph ends there, as its config does.
    """
    made = {}
    for tensor in nested.flatten(recording.inputs):
        if tensor.call.is_input:
            made[id(tensor)] = tensor
        else:
            made[id(tensor)] = Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)

    def renewed(leaf):
        return made.get(id(leaf), leaf) if isinstance(leaf, KerasTensor) else leaf

    for call in recording.calls:
        args, kwargs = nested.map_structure(renewed, (tuple(call.args), dict(call.kwargs)))
        again = Call(call.target, args, kwargs, call.name)
        for tensor in call.tensors:
            known = KerasTensor(tensor.shape, tensor.dtype, name=tensor.name, call=again, path=tensor.path)
            made.setdefault(id(tensor), known)
            mask = made.get(id(getattr(tensor, "_keras_mask", None)))
            if mask is not None:
                made[id(tensor)]._keras_mask = mask
        again.outputs = nested.map_structure(renewed, call.outputs)
    return nested.map_structure(renewed, recording.inputs), nested.map_structure(renewed, recording.outputs)


def restore(model, inputs, outputs, keys):
    """Make a copied or unpickled `model` a graph again, under the keys it had."""
    _register(model, graph.trace(inputs, outputs, describe(model)), keys)


def _is_input(module):
    calls = module.__dict__.get("_calls")
    return bool(calls) and calls[0].is_input


def _register(model, recording, keys):
    graph_module, constants = graph.lower(recording, keys, type(model).__name__)
    old = model.__dict__.get("_keys", {})
    for key in old.values():
        model._modules.pop(key, None)
    for module in recording.modules:
        if id(module) in keys:
            model._modules[keys[id(module)]] = module
    for key, tensor in constants.items():
        if isinstance(tensor, nn.Parameter):
            model._parameters[key] = tensor
        elif not isinstance(tensor, torch.Tensor):  # a function that an operation runs
            model.__dict__[key] = tensor
        else:
            model.register_buffer(key, tensor, persistent=False)
    inputs = nested.flatten(recording.inputs)
    model.__dict__.update(
        _recording=recording,
        _keys=keys,
        _graph_module=graph_module,
        _generated=types.MethodType(type(graph_module).forward, model),
        _takes_one=isinstance(recording.inputs, KerasTensor) and recording.inputs.dtype != "string",
        _input_ndims=[t.ndim for t in inputs],
        _input_dtypes=[None if t.dtype == "string" else dtypes.torch_dtype(t.dtype) for t in inputs],
        _input_precisions=[_own_precision(t) for t in inputs],
    )
    model.input_spec = input_spec(recording.inputs) if model.fixes_shapes else None
    model.built = True
    model._finish_first_call()


def _own_precision(tensor):
    """Return the float dtype that an `Input` was given, where it is not the default one."""
    named = getattr(tensor.call.target, "fixes_dtype", False) and dtypes.is_float(tensor.dtype)
    return dtypes.torch_dtype(tensor.dtype) if named and tensor.dtype != config.floatx() else None


def input_spec(inputs):
    """Return the specs that real inputs of a graph are checked against: shapes without the batch size."""
    specs = []
    for path, tensor in nested.flatten_with_path(inputs):
        name = path[-1] if path and isinstance(path[-1], str) else tensor.name
        optional = tensor.call.is_input and tensor.call.target.optional
        specs.append(
            InputSpec(
                shape=(None, *tensor.shape[1:]) if tensor.shape else (),
                allow_last_axis_squeeze=True,
                name=name,
                optional=optional,
            )
        )
    return specs[0] if isinstance(inputs, KerasTensor) else specs


def match_inputs(model, inputs):
    """Return real (or symbolic) inputs as a flat list in the order of the graph's inputs.

    A dict is read by the inputs' names; otherwise the structure must hold as many tensors.

    Raises:
        ValueError: a missing name, or another number of tensors.
    """
    recorded = model._recording.inputs
    wanted = nested.flatten(recorded)
    if nested.is_nested(recorded) and nested.same_structure(recorded, inputs):
        return nested.flatten(inputs)
    if isinstance(recorded, dict):
        _tell_of_other_structure(recorded, inputs)
    if isinstance(inputs, dict):
        names = list(recorded) if isinstance(recorded, dict) else [t.name for t in wanted]
        ordered = sorted(names) if isinstance(recorded, dict) else names
        missing = [name for name in ordered if name not in inputs]
        if missing:
            raise ValueError(
                f"{describe(model)}: the inputs lack {missing}; got a dict with keys "
                f"{sorted(map(str, inputs))}. Pass the keys "
                f"{ordered}."
            )
        return [inputs[name] for name in ordered]
    flat = nested.flatten(inputs)
    if len(flat) != len(wanted):
        names = [t.name for t in wanted]
        raise ValueError(
            f"Layer '{model.name}' expects {len(wanted)} input(s), but it received {len(flat)} input "
            "tensors. Pass the inputs "
            f"{names} in this order, or a dict with these keys."
        )
    return flat


def _tell_of_other_structure(recorded, inputs):
    """Warn where a graph of named inputs gets others; raise where they cannot be told apart.

    Raises:
        ValueError: a list, and the names are not in the alphabetical order in which Keras reads it.
    """
    if is_probing() or (isinstance(inputs, dict) and inputs.keys() <= recorded.keys()):
        return
    received = nested.map_structure(lambda leaf: f"Tensor(shape={tuple(getattr(leaf, 'shape', ()))})", inputs)
    message = (
        "The structure of `inputs` doesn't match the expected structure.\n"
        f"Expected: {nested.map_structure(lambda t: t.name, recorded)}\nReceived: inputs={received}"
    )
    if not isinstance(inputs, dict) and list(recorded) != sorted(recorded):
        raise ValueError(f"{message}\nPass a dict with these keys.")
    warnings.warn(message, stacklevel=2)


def run(model, inputs):
    """Compute the graph of `model` on real inputs."""
    if (
        type(inputs) is torch.Tensor
        and model._takes_one
        and inputs.ndim == model._input_ndims[0]
        and (
            inputs.dtype is model._input_dtypes[0]
            or (
                model._input_dtypes[0].is_floating_point
                and inputs.is_floating_point()
                and model._input_precisions[0] is None
            )
        )
    ):
        return model._generated(inputs)
    wanted = nested.flatten(model._recording.inputs)
    flat = match_inputs(model, inputs)
    return model._generated(*(_fit(model, i, t, wanted[i]) for i, t in enumerate(flat)))


def _fit(model, index, tensor, spec):
    """Give an input the dtype of its `Input`; add or drop a last axis of size 1, as Keras does."""
    if not isinstance(tensor, (torch.Tensor, np.ndarray)):
        return tensor
    dtype, fixed = model._input_dtypes[index], getattr(spec.call.target, "fixes_dtype", True)
    is_text = isinstance(tensor, np.ndarray)
    if fixed and is_text != (dtype is None):
        raise TypeError(
            f"{describe(model)}: the input '{spec.name}' was declared with dtype={spec.dtype!r}, got "
            f"{'strings' if is_text else 'numbers'}. Pass data of that kind, or declare the input with "
            "another `dtype`."
        )
    if dtype is None or is_text:
        pass
    elif model._input_precisions[index] is not None:
        tensor = tensor.to(dtype)
    elif dtype.is_floating_point:
        tensor = tensor if tensor.is_floating_point() else tensor.to(model._compute)
    elif fixed:
        tensor = tensor.to(dtype)
    if tensor.ndim == spec.ndim:
        return tensor
    if tensor.ndim == spec.ndim - 1 and spec.shape[-1] == 1:
        return tensor[..., None]
    if tensor.ndim == spec.ndim + 1 and tensor.shape[-1] == 1:
        return tensor.squeeze(-1)
    return tensor


class Reference:
    """Stands for a symbolic tensor in a flattened recording: output `path` of call number `number`."""

    def __init__(self, number, path):
        self.number = number
        self.path = path


def flatten_recording(recording):
    """Return a recording as a flat list of calls that refer to each other by number.

    Deep graphs then copy and pickle without recursion.
    """
    inputs = nested.flatten(recording.inputs)
    numbers = {id(call): number for number, call in enumerate(recording.calls, start=len(inputs))}
    starts = {id(tensor): number for number, tensor in enumerate(inputs)}

    def refer(leaf):
        if not isinstance(leaf, KerasTensor):
            return leaf
        if id(leaf) in starts:
            return Reference(starts[id(leaf)], ())
        return Reference(numbers[id(leaf.call)], leaf.path) if id(leaf.call) in numbers else None

    def describe_tensor(tensor):
        mask = getattr(tensor, "_keras_mask", None)
        return tensor.spec, tensor.name, refer(mask) if mask is not None else None

    calls = [
        {
            "target": call.target,
            "arguments": nested.map_structure(refer, (tuple(call.args), dict(call.kwargs))),
            "name": call.name,
            "outputs": nested.map_structure(
                lambda t: describe_tensor(t) if isinstance(t, KerasTensor) else t, call.outputs
            ),
        }
        for call in recording.calls
    ]
    return {
        "inputs": [(t.call.target if t.call.is_input else None, *describe_tensor(t)) for t in inputs],
        "input_structure": nested.map_structure(refer, recording.inputs),
        "output_structure": nested.map_structure(refer, recording.outputs),
        "calls": calls,
    }


def restore_recording(flat):
    """Return the inputs and outputs of `flatten_recording`, and attach the calls to their layers."""
    made = []
    masks = []
    for layer, spec, name, mask in flat["inputs"]:
        if layer is not None:
            tensor = KerasTensor(spec.shape, spec.dtype, name=name)
            call = Call(layer, (), {}, layer.name, is_input=True)
            layer.__dict__["_calls"] = [call]
        else:
            tensor = KerasTensor(spec.shape, spec.dtype, name=name)
            call = Call(torch.nn.Identity(), (), {}, name, is_input=True)
        tensor.call, call.outputs = call, tensor
        masks.append((tensor, mask))
        made.append(tensor)

    def resolve(leaf):
        if not isinstance(leaf, Reference):
            return leaf
        found = made[leaf.number]
        for step in leaf.path:
            found = found[step]
        return found

    for entry in flat["calls"]:
        args, kwargs = nested.map_structure(resolve, entry["arguments"])
        call = Call(entry["target"], args, kwargs, entry["name"])
        call.outputs = _restore_outputs(entry["outputs"], call, (), masks)
        made.append(call.outputs)
        if "_keras" in getattr(call.target, "__dict__", {}):
            call.target._calls.append(call)
    for tensor, mask in masks:
        if mask is not None:
            tensor._keras_mask = resolve(mask)
    return (
        nested.map_structure(resolve, flat["input_structure"]),
        nested.map_structure(resolve, flat["output_structure"]),
    )


def _restore_outputs(described, call, path, masks):
    if isinstance(described, tuple) and len(described) == 3 and hasattr(described[0], "shape"):
        spec, name, mask = described
        tensor = KerasTensor(spec.shape, spec.dtype, name=name, call=call, path=path)
        masks.append((tensor, mask))
        return tensor
    if isinstance(described, dict):
        return {key: _restore_outputs(part, call, (*path, key), masks) for key, part in described.items()}
    if isinstance(described, (list, tuple)):
        return type(described)(
            _restore_outputs(part, call, (*path, i), masks) for i, part in enumerate(described)
        )
    return described


def output_names(model):
    """Return the names that losses and metrics of several outputs are logged under.

    Those of the layers that made them.
    """
    outputs = model._recording.outputs
    return [tensor.call.name for tensor in nested.flatten(outputs)]


def as_batch(shape):
    """Return `shape` with an unknown batch size, nested as it is."""
    if isinstance(shape, dict):
        return {key: as_batch(value) for key, value in shape.items()}
    if shape and not isinstance(shape[0], (int, type(None), np.integer)):
        return type(shape)(as_batch(part) for part in shape)
    return (None, *shape[1:])
