"""Files that several processes would write: the first one writes them."""

import functools
import os

from torchkeras_lite.base import processes
from torchkeras_lite.engine import sharding


def written_once(save):
    """Decorate `save(model, filepath, ...)`: of several processes the first one writes, the others wait.

    Weights of which each process holds a shard are gathered first, which all processes must take part in.
    """

    @functools.wraps(save)
    def save_once(model, filepath, *args, **kwargs):
        if _is_alone(model) or not isinstance(filepath, (str, os.PathLike)):
            return save(model, filepath, *args, **kwargs)
        with sharding.whole_weights(model, slots_of(model)):
            processes.write_once(lambda: save(model, filepath, *args, **kwargs), filepath)
        return None

    return save_once


def read_alike(load):
    """Decorate `load(model, filepath, ...)`, which all processes call: weights are whole meanwhile."""

    @functools.wraps(load)
    def load_whole(model, *args, **kwargs):
        if _is_alone(model):
            return load(model, *args, **kwargs)
        with sharding.whole_weights(model, slots_of(model), writes=True):
            return load(model, *args, **kwargs)

    return load_whole


def _is_alone(model):
    return not processes.several() or getattr(model, "distribute", None) is False


def slots_of(model):
    """Return what the optimizer of a model keeps for its weights."""
    optimizer = getattr(model, "optimizer", None)
    return optimizer.slots() if getattr(optimizer, "built", False) else []
