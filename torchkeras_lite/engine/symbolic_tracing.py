"""`torch.fx.symbolic_trace` over layers: one that it cannot look into becomes one node of the graph."""

from torch import fx

from torchkeras_lite.base import config, nested
from torchkeras_lite.engine.call_signature import signature_of

__all__ = ["call_traced"]


def call_traced(layer, call, args, kwargs):
    """Return `call(args, kwargs)`, the call of `layer`, while `torch.fx` traces.

    Where the layer asks for shapes or dtypes, which a `Proxy` does not have, or keeps losses, what was traced
    of it is taken back, and its call is the node. So it is, from the start, where a graph of functions would
    freeze the mode, or leave out a cast.
    """
    proxy = next((leaf for leaf in nested.flatten((args, kwargs)) if isinstance(leaf, fx.Proxy)), None)
    if proxy is None:
        return call(args, kwargs)
    tracer = proxy.tracer
    if _is_a_node(layer, kwargs, tracer.root):
        return tracer.create_proxy("call_module", tracer.path_of_module(layer), args, kwargs)
    last = next(reversed(tracer.graph.nodes))
    stack, counts = dict(tracer.module_stack), dict(tracer.num_calls)
    try:
        return call(args, kwargs)
    except (fx.proxy.TraceError, AttributeError, RuntimeError, TypeError, ValueError):
        _take_back(tracer, last, stack, counts)
        return tracer.create_proxy("call_module", tracer.path_of_module(layer), args, kwargs)


def _is_a_node(layer, kwargs, root):
    if kwargs.get("training") is not None:
        return True
    if not layer.computes_itself:
        return False
    # A cast of one layer's inputs may be due to another layer's policy.
    policies = (one.compute_dtype for one in root.modules() if getattr(one, "computes_itself", False))
    return signature_of(type(layer).call).has_training or any(name != config.floatx() for name in policies)


def _take_back(tracer, last, stack, counts):
    """Undo what was traced since the node `last`; torch forgets the modules that it was in when one raises.

    Weights that were read stay, because the tracer hands out the same node where they are read again.
    """
    for node in reversed(tracer.graph.nodes):
        if node is last:
            break
        if node.op != "get_attr":
            tracer.graph.erase_node(node)
    for current, before in ((tracer.module_stack, stack), (tracer.num_calls, counts)):
        current.clear()
        current.update(before)
