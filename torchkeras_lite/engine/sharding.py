"""Tensors of which each process holds a shard (`torch.distributed.tensor.DTensor`), as whole ones."""

import contextlib

import torch
from torch import nn


def is_sharded(tensor):
    """Whether each process holds a shard of `tensor` only."""
    return hasattr(tensor, "full_tensor")


def has_shards(module):
    """Whether weights of `module` are sharded."""
    return isinstance(module, nn.Module) and any(map(is_sharded, module.parameters()))


def whole(tensor):
    """Return `tensor` whole; all processes must ask for a sharded one."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor


def refuse(module, doing):
    """Raise where weights of `module` are sharded, for what the first process does by itself.

    Raises:
        RuntimeError: a weight is sharded.
    """
    if has_shards(module):
        raise RuntimeError(
            f"{doing}: the weights are sharded over several processes (`distribute='fsdp'`). Save the model, "
            "and load it in a process of its own for this."
        )


def sharded_like(value, tensor):
    """Return `value`, which every process has whole, sharded as `tensor` is."""
    from torch.distributed.tensor import distribute_tensor  # slow to import

    return distribute_tensor(value, tensor.device_mesh, tensor.placements, src_data_rank=None)


def overwrite(tensor, value):
    """Copy `value`, which every process has whole, into `tensor`, which may be sharded."""
    if is_sharded(tensor):
        value = sharded_like(value.to(tensor.device, tensor.dtype), tensor)
    tensor.copy_(value)


def local(tensor):
    """Return the shard of `tensor` that this process holds; a tensor that is not sharded as it is."""
    return tensor.to_local() if is_sharded(tensor) else tensor


@contextlib.contextmanager
def whole_weights(module, slots=(), writes=False):
    """Let sharded weights stand whole in `module` inside; all processes must come here together.

    Args:
        module: A model or a layer.
        slots: `Slot`s of an optimizer, likewise.
        writes: Whether they may be overwritten inside, in all processes alike.
    """
    places = [
        (owner, name, tensor)
        for owner in module.modules()
        for name, tensor in owner._parameters.items()
        if is_sharded(tensor)
    ]
    slots = [(slot, slot.tensor) for slot in slots if is_sharded(slot.tensor)]
    for owner, name, tensor in places:
        owner._parameters[name] = nn.Parameter(tensor.full_tensor().detach(), tensor.requires_grad)
    for slot, tensor in slots:
        slot.owner.tensor = tensor.full_tensor()
    try:
        yield
    finally:
        with torch.no_grad():
            for owner, name, tensor in places:
                whole, owner._parameters[name] = owner._parameters[name], tensor
                if writes:
                    overwrite(tensor, whole)
            for slot, tensor in slots:
                whole, slot.owner.tensor = slot.tensor, tensor
                if writes:
                    overwrite(tensor, whole)
