"""Gradients before the update: clipping, and the check that they are finite. Arguments stay as they are."""

import torch
import torch.distributed as dist


def clip_by_norm(gradients, limit):
    """Scale each gradient whose Euclidean norm is above `limit` down to it."""
    scales = torch._foreach_norm(gradients)
    torch._foreach_clamp_min_(scales, limit)
    torch._foreach_reciprocal_(scales)
    torch._foreach_mul_(scales, limit)
    return torch._foreach_mul(gradients, scales)


def global_norm(gradients):
    """Return the Euclidean norm of all gradients as one vector, a tensor on the first one's device."""
    norms = torch._foreach_norm(gradients)
    device = norms[0].device
    return torch.linalg.vector_norm(torch.stack([norm.to(device, torch.float32) for norm in norms]))


def clip_by_global_norm(gradients, limit):
    """Scale all gradients by one factor, so that their norm together is at most `limit`."""
    scale = limit / global_norm(gradients).clamp_min(limit)
    if len({gradient.device for gradient in gradients}) == 1:
        return torch._foreach_mul(gradients, scale)
    return [gradient * scale.to(gradient.device) for gradient in gradients]


def clip_shards(gradients, are_shards, limit=None, global_limit=None):
    """Clip each gradient's norm, or that of all together, where each process holds shards of some.

    Args:
        gradients: The gradients, or this process's shards of them.
        are_shards: Which of them are shards.
        limit: As in `clip_by_norm`.
        global_limit: As in `clip_by_global_norm`, without `limit`.
    """
    squares = torch.stack([gradient.float().square().sum() for gradient in gradients])
    whole = squares.clone()
    dist.all_reduce(whole)
    squares = torch.where(torch.tensor(are_shards, device=squares.device), whole, squares)
    norms = squares.sqrt() if limit else squares.sum().sqrt().expand(len(gradients))
    limit = limit or global_limit
    return torch._foreach_mul(gradients, list((limit / norms.clamp_min(limit)).unbind()))


def clip_by_value(gradients, limit):
    """Limit every element to `[-limit, limit]`."""
    clipped = torch._foreach_clamp_max(gradients, limit)
    torch._foreach_clamp_min_(clipped, -limit)
    return clipped


def all_finite(gradients):
    """Whether no element is infinite or NaN. Waits for the device."""
    norms = torch._foreach_norm(gradients, float("inf"))
    device = norms[0].device
    return bool(torch.isfinite(torch.stack([norm.to(device, torch.float32) for norm in norms])).all())
