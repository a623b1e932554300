"""Random numbers: Keras's functions and seeds, on torch generators."""

from torchkeras_lite.base import registry
from torchkeras_lite.random.distributions import (
    beta,
    binomial,
    categorical,
    dropout,
    gamma,
    normal,
    randint,
    shuffle,
    truncated_normal,
    uniform,
)
from torchkeras_lite.random.seed_generator import SeedGenerator

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "shuffle",
    "truncated_normal",
    "uniform",
]

registry.publish("random", {name: globals()[name] for name in __all__})
