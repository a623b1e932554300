"""Seeds: every random draw starts from Python's `random`, so that one call makes a run repeatable."""

import random

import torch


def make_default_seed():
    """Draw a seed from Python's generator, which `utils.set_random_seed` sets (Keras's rule)."""
    return random.randint(1, int(1e9))


def generator(seed, device="cpu"):
    """Return a fresh `torch.Generator` on `device`, seeded by the integer `seed`."""
    return torch.Generator(device=device).manual_seed(seed)
