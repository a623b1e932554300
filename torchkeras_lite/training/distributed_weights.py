"""Weights of several processes: equal at the begin, sharded where asked for, statistics averaged."""

import torch
import torch.distributed as dist

from torchkeras_lite.base import processes
from torchkeras_lite.engine.sharding import has_shards, is_sharded
from torchkeras_lite.engine.weights import LayerParameter

KINDS = ("ddp", "fsdp")


def checked_kind(value, auto_micro_batch=False):
    """Return `value`, what `compile(distribute=...)` was given.

    Raises:
        ValueError: something unknown, or several processes and `auto_micro_batch`.
    """
    if value is not False and auto_micro_batch and processes.several():
        raise ValueError(
            "compile: `auto_micro_batch=True` does not work with several processes, of which one may need "
            "smaller parts than another. Leave it out and take a smaller `batch_size`, or pass "
            "`distribute=False`."
        )
    if value is None or value is False or value in KINDS:
        return value
    raise ValueError(
        f"compile: `distribute` must be 'ddp', 'fsdp', False or None, got {value!r}. None is 'ddp' where "
        "`torchrun` started several processes."
    )


def send_weights(model):
    """Give all processes the first one's weights, buffers and optimizer, where they are not sharded."""
    tensors = [*model.parameters(), *model.buffers(), *_slots(model)]
    shapes = [tuple(tensor.shape) for tensor in tensors]
    found = processes.from_all(shapes)
    if any(other != found[0] for other in found):
        raise ValueError(
            f"The model '{model.name}' is another one in some processes: they have "
            f"{[len(other) for other in found]} tensors, whose shapes differ. Build the same model in all."
        )
    groups = {}
    for tensor in tensors:
        if not is_sharded(tensor):
            groups.setdefault((tensor.dtype, tensor.device), []).append(tensor.detach())
    with torch.no_grad():
        for group in groups.values():
            flat = torch.cat([tensor.reshape(-1) for tensor in group])
            dist.broadcast(flat, src=0)
            _spread(flat, group)


def _spread(flat, tensors):
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view(tensor.shape))


def _slots(model):
    optimizer = model.optimizer
    return optimizer.state_tensors() if optimizer is not None and optimizer.built else []


def average_statistics(model):
    """Replace every buffer of floats by its mean over the processes.

    Those that are equal stay exactly as they are.
    """
    groups = {}
    for buffer in model.buffers():
        if buffer.is_floating_point() and buffer.numel():
            groups.setdefault((buffer.dtype, buffer.device), []).append(buffer.detach())
    with torch.no_grad():
        for group in groups.values():
            flat = torch.cat([buffer.reshape(-1) for buffer in group])
            first = flat.clone()
            dist.broadcast(first, src=0)
            difference = flat - first
            dist.all_reduce(difference)
            _spread(first + difference / processes.count(), group)


def shard(model):
    """Let each process hold a shard of the weights and of the optimizer's state (FSDP2).

    A layer's weights are gathered while it computes. Weights made by `add_weight` stay whole everywhere.

    Raises:
        ValueError: an optimizer or a `train_step` that needs whole weights.
    """
    # Imported at first use, because it takes longer than the rest of the package together.
    from torch.distributed.fsdp import fully_shard

    if has_shards(model):
        return
    optimizer = model.optimizer
    _check_shardable(model, optimizer)
    mesh = dist.init_device_mesh(model.data_device.type, (processes.count(),))
    kept = {parameter for parameter in model.parameters() if isinstance(parameter, LayerParameter)}
    for module in (*model.layers, model):
        if any(parameter not in kept for parameter in module.parameters()):
            kind = type(module)
            fully_shard(module, mesh=mesh, ignored_params=kept)
            module.__class__ = kind  # of which files keep the name
    if optimizer.built:
        optimizer.shard_slots()


def _check_shardable(model, optimizer):
    base, own = model.trainer_base, type(model)
    if own.train_step is not base.train_step or own.make_train_function is not base.make_train_function:
        raise ValueError(
            "compile: `distribute='fsdp'` does not reach into a `train_step` of your own. Pass 'ddp', or "
            "leave the step to `fit` and override `compute_loss`."
        )
    if not optimizer.elementwise:
        raise ValueError(
            f"compile: `distribute='fsdp'` does not work with {type(optimizer).__name__}, whose update looks "
            "at whole weights, and each process holds a shard. Pass for example 'adam', or "
            "`distribute='ddp'`."
        )
    constrained = [w.path for w in model.trainable_weights if w.constraint is not None]
    if constrained:
        raise ValueError(
            f"compile: `distribute='fsdp'` does not work with constraints, which look at whole weights, and "
            f"{constrained[0]} has one. Leave it out, or pass `distribute='ddp'`."
        )
