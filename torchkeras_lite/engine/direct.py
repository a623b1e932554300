"""The graph of a model as one function of a batch, without what `__call__` of every layer looks at.

Small networks spend more time on the way into their layers (hooks, dtypes, masks, modes) than in them. For
the batches of an epoch all that can be known beforehand: a `DirectGraph` looks once, and on every call only
at what can have changed.
"""

import torch
from torch import fx
from torch._subclasses import FakeTensor
from torch.utils.hooks import RemovableHandle

from torchkeras_lite.base import dtypes
from torchkeras_lite.engine import collecting
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.engine.layer_calls import LayerCalls
from torchkeras_lite.engine.torch_layout import stay_in_torch_layout

AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")


def forward_of(model):
    """Return the quickest function that computes `model(x)` for a batch: a `DirectGraph`, or `model` itself.

    Ask again for every epoch.
    """
    known = model.__dict__.get("_direct")
    if known is None or not known.holds():
        known = DirectGraph(model) if can_be_direct(model) else None
        model.__dict__["_direct"] = known
    return model if known is None else known


def can_be_direct(model):
    """Whether nothing but its graph has a part in what a call of `model` does with a plain tensor."""
    if not model.follows_graph or model._recording is None:
        return False
    model.notice_losses()
    return (
        model._takes_one
        and model.team is None
        and not any(map(torch.is_autocast_enabled, AUTOCAST_DEVICES))
        and not torch.nn.modules.module._has_any_global_hook()
        and _is_plain(model)
        and all(map(_is_plain, model._modules.values()))
    )


def _is_plain(module):
    """Whether `module` has no hooks, and is a layer that needs nothing but its `forward`, or torch's own."""
    own = module.__dict__
    if has_hooks(module) or "forward" in own or module._compiled_call_impl is not None:
        return False
    return not isinstance(module, LayerCalls) or (own["_fast"] and "call" not in own)


def has_hooks(module):
    """Whether something else has to run where `module` is called."""
    own = module.__dict__
    return bool(
        own["_forward_hooks"]
        or own["_forward_pre_hooks"]
        or own["_backward_hooks"]
        or own["_backward_pre_hooks"]
    )


class DirectGraph:
    """The graph of `model` with the functions of its layers in place of the layers.

    Called with a batch it computes what `model(x)` computes. Where that takes more than its function (another
    dtype or shape, hooks or losses that came meanwhile), it calls `model`.

    Args:
        model: A graph of one input, see `can_be_direct`.
    """

    def __init__(self, model):
        self.model = model
        self.generated = model._generated
        self.hooked = _hooked(model)
        self.function = _function(model)
        self.look()

    def look(self):
        """Note what holds for the calls of an epoch."""
        self.hooks = RemovableHandle.next_id
        self.losses = collecting.loss_version()

    def holds(self):
        """Whether the model is still the one that this was made from; look at it again."""
        model = self.model
        if self.generated is not model._generated or not can_be_direct(model):
            return False
        if self.hooks != RemovableHandle.next_id and self.hooked != _hooked(model):
            return False
        self.look()
        return True

    def __call__(self, x):
        """Return `model(x)`."""
        model = self.model
        spec = model.input_spec
        if (
            (type(x) is torch.Tensor or type(x) is FakeTensor)  # the latter while a step is traced
            and x.dtype is model._input_dtypes[0]
            and (x.dtype is model._compute or not (model.casts_integers or x.dtype.is_floating_point))
            and x.ndim == model._input_ndims[0]
            and (spec is None or spec.accepts(x.shape))
            and self.hooks == RemovableHandle.next_id
            and self.generated is model._generated
            and self.losses == collecting._adders["version"]
            and not hasattr(x, "_keras_mask")
        ):
            return self.function(model, x)
        return model(x)


def _hooked(model):
    """Return which modules inside have hooks."""
    return {id(module) for module in collecting.modules_in(model) if has_hooks(module)}


def _function(model):
    """Return the function of `model` and an input that the graph is.

    Layers whose calls do more than compute are called as in the graph of the model.
    """
    graph = fx.Graph()
    graph.output(graph.graph_copy(model._graph_module.graph, {}))
    calls = [call for call in model._recording.calls if call.is_module]
    others = {id(call.target) for call in calls if not _only_computes(call)}
    in_torch_layout = {}
    for node in graph.nodes:
        layer = model._modules[node.target] if node.op == "call_module" else None
        if layer is not None and id(layer) not in others:
            function = layer.direct_call()
            if not function.__module__.startswith("torch."):  # generated code spells these by their names
                node.op, node.target = "call_function", function
            call = layer.torch_layout_call() if _is_own(layer) else None
            if call is not None:
                in_torch_layout[node] = call
    stay_in_torch_layout(graph, in_torch_layout)
    return type(fx.GraphModule(model._graph_module, graph, type(model).__name__)).forward


def _is_own(layer):
    """Whether `layer` is of a class of this package; other classes may have changed any part of theirs."""
    return type(layer).__module__.partition(".")[0] == __name__.partition(".")[0] and isinstance(
        layer, LayerCalls
    )


def _only_computes(call):
    """Whether a layer called with such tensors has nothing to cast, to check, or to set for the call."""
    layer = call.target
    if not isinstance(layer, LayerCalls) or type(layer).__call__ is not LayerCalls.__call__:
        return False
    if call.kwargs or len(call.args) != 1:
        return False
    tensors = call.args[0] if isinstance(call.args[0], list) else [call.args[0]]
    return all(
        isinstance(tensor, KerasTensor)
        and (
            tensor.dtype == layer.compute_dtype or not (layer.casts_integers or dtypes.is_float(tensor.dtype))
        )
        and (layer.input_spec is None or None not in tensor.shape[1:])
        for tensor in tensors
    )
