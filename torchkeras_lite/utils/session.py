"""What notebooks call between two models."""

import gc

import torch

from torchkeras_lite.base import naming
from torchkeras_lite.random.seed_generator import reset_global_seed_generator


def clear_session(free_memory=True):
    """Start automatic names (`dense`, `dense_1`, ...) and the global seed generator again.

    Models hold no state anywhere but in themselves, so nothing else needs clearing.

    Args:
        free_memory: Whether to collect garbage and give the accelerator's unused memory back.

    Source: Keras 3 `keras.utils.clear_session`. Differs: the global dtype policy stays as it was set.
    """
    naming.reset_names()
    reset_global_seed_generator()
    if free_memory:
        gc.collect()
        if torch.accelerator.is_available() and hasattr(torch.accelerator, "empty_cache"):
            torch.accelerator.empty_cache()


def get_uid(prefix=""):
    """Return how many times `prefix` was used in automatic names, this time included.

    Source: Keras 3 `keras.backend.get_uid`.
    """
    name = naming.unique_name(prefix)
    return 1 if name == prefix else int(name.rpartition("_")[2]) + 1
