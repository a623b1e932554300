"""Gradients before the update: clipping, and the check that they are finite. Arguments stay as they are."""

import torch


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
