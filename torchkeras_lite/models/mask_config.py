"""Masks in the configs of graphs: those that travel with tensors are made again, so they are not written."""

from torchkeras_lite.base import nested
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.engine.masking import get_mask


def without_travelling_masks(call, kwargs):
    """Return the keyword arguments of a call of a layer, with `None` for masks that came with its inputs."""
    signature = getattr(call.target, "_call_signature", None)
    if signature is None or not any(name in kwargs for name in signature.masks.values()):
        return kwargs
    given, kept = signature.bind(call.args, call.kwargs), dict(kwargs)
    for name, mask_name in signature.masks.items():
        if kwargs.get(mask_name) is not None and name in given:
            travelling = [get_mask(leaf) for leaf in nested.flatten(given[name])]
            passed = nested.flatten(kwargs[mask_name])
            if len(passed) == len(travelling) and all(map(_is, passed, travelling)):
                kept[mask_name] = None
    return kept


def _is(first, second):
    return first is second


def written_calls(recording):
    """Return the ids of the calls that lead to the outputs, those of masks that are made again left out."""
    found = set()
    waiting = [tensor.call for tensor in nested.flatten(recording.outputs)]
    known = {id(call) for call in recording.calls}
    while waiting:
        call = waiting.pop()
        if id(call) in found or id(call) not in known:
            continue
        found.add(id(call))
        leaves = nested.flatten((tuple(call.args), without_travelling_masks(call, dict(call.kwargs))))
        waiting += [leaf.call for leaf in leaves if isinstance(leaf, KerasTensor)]
    return found
