"""One call that makes a run repeatable."""

import os
import random

import numpy as np
import torch

from torchkeras_lite.random.seed_generator import reset_global_seed_generator


def set_random_seed(seed, deterministic=False):
    """Seed Python's `random`, NumPy and torch, and with them everything here that draws numbers.

    Args:
        seed: An integer from 0 to 2**32 - 1.
        deterministic: Whether torch may only use algorithms that give the same result every time, slower
            ones at times; those that have none then raise. `False` leaves torch's settings as they are.

    Raises:
        ValueError: `seed` is no integer of this range.

    Source: Keras 3 `keras.utils.set_random_seed`; `deterministic` is an addition.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise ValueError(
            f"set_random_seed: Expected `seed` argument to be an integer, got {seed!r} of type "
            f"{type(seed).__name__}."
        )
    if not 0 <= seed < 2**32:
        raise ValueError(f"set_random_seed: Seed must be between 0 and 2**32 - 1, got {seed}.")
    seed = int(seed)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    reset_global_seed_generator()
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA first multiplies
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
