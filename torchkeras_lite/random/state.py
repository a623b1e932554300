"""The state of every random generator that a training draws from, to go on from the same place."""

import random

import numpy as np
import torch

from torchkeras_lite.random import seed_generator


def random_state():
    """Return the states of the generators of Python, NumPy, torch (on all devices) and of Keras's seeds."""
    version, numbers, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    global_seeds = seed_generator._global["generator"]
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [kind, torch.from_numpy(keys.astype("int64")), int(position), int(has_gauss), float(cached)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
        "seeds": None if global_seeds is None else global_seeds.random_state(),
    }


def restore_random_state(state):
    """Put all generators where they were when `random_state` was called."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype("uint32"), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        for device, one in zip(range(torch.cuda.device_count()), state["cuda"], strict=False):
            torch.cuda.set_rng_state(one, device)
    if state["mps"] is not None and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
    if state["seeds"] is None:
        seed_generator.reset_global_seed_generator()
    else:
        seed_generator.global_seed_generator().restore_random_state(state["seeds"])
