"""Models whose weights have shapes and no values yet, because a file is about to give the values."""

import torch
from torch import nn

from torchkeras_lite.base.device import build_on
from torchkeras_lite.engine import collecting
from torchkeras_lite.engine.weights import LayerBuffer, LayerParameter

META = torch.device("meta")


def give_storage(model, device):
    """Give every tensor of `model` that is on the meta device storage on `device`, zeros for now.

    The constants of its graphs, which have their values, move there.
    """
    made = {}
    for module in model.modules():
        for table in (module._parameters, module._buffers):
            for key, tensor in table.items():
                if tensor is not None and tensor.is_meta:
                    if id(tensor) not in made:
                        made[id(tensor)] = tensor, _with_storage(tensor, device)
                    table[key] = made[id(tensor)][1]
                elif tensor is not None:
                    table[key] = tensor.to(device)

    for layer in collecting.all_layers(model):
        _make_constants(layer, device)


def _make_constants(layer, device):
    """Give `layer` the tensors that no file has, such as the factors of `Rescaling`: those of a
    fresh copy.
    """
    buffers = [key for key in layer._non_persistent_buffers_set if layer._buffers.get(key) is not None]
    attributes = [
        key for key, value in vars(layer).items() if isinstance(value, torch.Tensor) and value.is_meta
    ]
    if (buffers or attributes) and not hasattr(layer, "_recording"):
        with build_on(device):
            fresh = type(layer).from_config(layer.get_config())
            fresh.build_from_config(layer.get_build_config())
        for key in buffers:
            layer._buffers[key] = fresh._buffers[key]
        for key in attributes:
            layer.__dict__[key] = vars(fresh)[key]


def _with_storage(tensor, device):
    plain = tensor.detach().as_subclass(torch.Tensor)
    # (`torch.zeros_like` of a meta tensor makes torch import SymPy.)
    values = torch.empty_strided(plain.shape, plain.stride(), dtype=plain.dtype, device=device).zero_()
    if isinstance(tensor, LayerBuffer):
        return LayerBuffer(values, tensor.info)
    if isinstance(tensor, LayerParameter):
        return LayerParameter(values, tensor.info).requires_grad_(tensor.requires_grad)
    return nn.Parameter(values, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else values
