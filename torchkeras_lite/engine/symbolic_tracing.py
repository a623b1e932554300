"""`torch.fx.symbolic_trace` over layers: one that it cannot look into becomes one node of the graph."""

from torch import fx

from torchkeras_lite.base import nested

__all__ = ["call_traced"]


def call_traced(layer, call, args, kwargs):
    """Return `call(*args, **kwargs)`, the call of `layer`, while `torch.fx` traces.

    Where the layer asks for shapes or dtypes, which a `Proxy` does not have, what was traced of it is taken
    back, and its call is the node.
    """
    proxy = next((leaf for leaf in nested.flatten((args, kwargs)) if isinstance(leaf, fx.Proxy)), None)
    if proxy is None:
        return call(*args, **kwargs)
    tracer = proxy.tracer
    last = next(reversed(tracer.graph.nodes))
    try:
        return call(*args, **kwargs)
    except (fx.proxy.TraceError, AttributeError, RuntimeError, TypeError, ValueError):
        for node in reversed(tracer.graph.nodes):
            if node is last:
                break
            tracer.graph.erase_node(node)
        return tracer.create_proxy("call_module", tracer.path_of_module(layer), args, kwargs)
