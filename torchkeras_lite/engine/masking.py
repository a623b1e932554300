"""Masks travel with tensors: a boolean `_keras_mask` tells which steps count (True) and which are padding."""

import torch


def get_mask(tensor):
    """Return the mask that travels with `tensor`, or `None`."""
    # A proxy of torch.fx has every attribute that is asked for.
    return None if isinstance(tensor, torch.fx.Proxy) else getattr(tensor, "_keras_mask", None)


def attach_mask(tensor, mask):
    """Let `mask` travel with `tensor`, and return `tensor`."""
    if mask is not None:
        tensor._keras_mask = mask
    return tensor
