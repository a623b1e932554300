"""How many floating-point operations a model needs for one sample."""

import contextlib

import torch
from torch.utils.flop_counter import FlopCounterMode

from torchkeras_lite.base import nested
from torchkeras_lite.engine import shapes
from torchkeras_lite.engine.shapes import TensorSpec


def count_flops(model):
    """Return the operations of one forward pass, `(total, by module)`; `None` where they cannot be counted.

    Counted are products of matrices, convolutions and attention, as `torch.utils.flop_counter` knows them; a
    multiplication with an addition is two operations. Unknown sizes count as 1.

    Args:
        model: A model whose input shapes are known.

    Returns:
        The total, and a dict of `id(module)` to the operations inside.
    """
    try:
        structure = nested.map_structure(lambda t: TensorSpec(t.shape, t.dtype), model.input)
    except AttributeError:  # no graph, or no shape given
        return None
    for device in ("meta", _device_of(model)):
        inputs = nested.map_structure(
            lambda spec, on=device: shapes.probe_tensor(spec, (1, 1), on), structure
        )
        with contextlib.suppress(Exception):
            return _count(model, inputs, device)
    return None


def _device_of(model):
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def _count(model, inputs, device):
    counter = FlopCounterMode(display=False)
    started, found, hooks = {}, {}, []

    def enter(module, _):
        started[id(module)] = counter.get_total_flops()

    def leave(module, _, __):
        found[id(module)] = found.get(id(module), 0) + counter.get_total_flops() - started[id(module)]

    try:
        for module in model.modules():
            hooks += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
        with counter, shapes.probing(), torch.no_grad():
            if device == "meta":
                shapes.run_on_meta(model, (inputs,), {"training": False})
            else:
                model(inputs, training=False)
    finally:
        for hook in hooks:
            hook.remove()
    return counter.get_total_flops(), found
