"""Steps of update rules over lists of tensors, in place, on torch's foreach kernels.

A scale is a Python number, or a tensor without axes where a step is being traced (then one compiled graph
serves every learning rate).
"""

import torch


def add_scaled_(targets, sources, scale):
    """`targets += scale * sources`."""
    if isinstance(scale, torch.Tensor):
        torch._foreach_add_(targets, torch._foreach_mul(sources, scale))
    else:
        torch._foreach_add_(targets, sources, alpha=scale)


def add_quotients_(targets, numerators, denominators, scale):
    """`targets += scale * numerators / denominators`."""
    if isinstance(scale, torch.Tensor):
        add_scaled_(targets, torch._foreach_div(numerators, denominators), scale)
    else:
        torch._foreach_addcdiv_(targets, numerators, denominators, value=scale)


def average_(averages, values, weight):
    """`averages = (1 - weight) * averages + weight * values`."""
    torch._foreach_lerp_(averages, values, weight)


def average_squares_(averages, values, weight):
    """`averages = (1 - weight) * averages + weight * values ** 2`."""
    torch._foreach_mul_(averages, 1 - weight)
    torch._foreach_addcmul_(averages, values, values, value=weight)


def smaller(first, second):
    """The smaller of two numbers, either of which may be a tensor without axes."""
    if isinstance(first, torch.Tensor):
        return torch.clamp(first, max=second)
    return torch.clamp(second, max=first) if isinstance(second, torch.Tensor) else min(first, second)
