"""Graphs over images that stay in torch's layout from layer to layer.

A layer over `(batch, height, width, channels)` moves the channels to axis 1, computes, and moves them back.
That copies nothing, but every view takes its time, there and back, and autograd has to make a new tensor
where it could add the gradients of two ways into the first.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class TorchLayoutCall:
    """How a layer computes on tensors of shape (batch, channels, ...).

    Attributes:
        function: What computes the layer, on such a tensor or a list of them.
        ndim: Rank of what goes in; `None`: any, because each value counts for itself.
        keeps_layout: Whether what comes out is of that layout and rank too.
    """

    function: Callable
    ndim: int | None = None
    keeps_layout: bool = True


def to_torch(ndim):
    """Return the permutation that moves the last of `ndim` axes to place 1."""
    return (0, ndim - 1, *range(1, ndim - 1))


def from_torch(ndim):
    """Return the permutation that moves axis 1 of `ndim` to the end."""
    return (0, *range(2, ndim), 1)


def stay_in_torch_layout(graph, calls):
    """Rewrite a graph so that neighbours among `calls` hand on tensors in torch's layout.

    Args:
        graph: An `fx.Graph` over tensors in the user's layout.
        calls: The `TorchLayoutCall` of nodes that have one, in the order of the graph.
    """
    moved = {}  # the node of the same values in torch's layout, and their rank, by the node in the user's
    backs = []
    for node, call in calls.items():
        given = node.args[0]
        tensors = given if isinstance(given, (list, tuple)) else [given]
        ndim = call.ndim or _common_rank([moved.get(tensor) for tensor in tensors])
        if ndim is None:  # no layer over images came before
            continue
        with graph.inserting_before(node):
            for tensor in tensors:
                if tensor not in moved:
                    moved[tensor] = graph.call_method("permute", (tensor, to_torch(ndim))), ndim
            inside = [moved[tensor][0] for tensor in tensors]
            result = graph.call_function(call.function, (inside if tensors is given else inside[0],))
            outside = result
            if call.keeps_layout:
                outside = graph.call_method("permute", (result, from_torch(ndim)))
                moved[outside] = result, ndim
                backs.append(outside)
        node.replace_all_uses_with(outside)
        graph.erase_node(node)
    for back in reversed(backs):
        if not back.users:
            graph.erase_node(back)


def _common_rank(found):
    ranks = {None if one is None else one[1] for one in found}
    return ranks.pop() if len(ranks) == 1 else None


def in_user_layout(function, x):
    """Return what `function` of tensors in the user's layout gives for `x` in torch's, in torch's."""
    y = function(x.permute(from_torch(x.ndim)))
    return y.permute(to_torch(y.ndim))
