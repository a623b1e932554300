"""`SeedGenerator`: a stream of seeds, and how a `seed` argument becomes a torch generator."""

import numpy as np
import torch

from torchkeras_lite.base import naming, seeds

_global: dict[str, "SeedGenerator | None"] = {"generator": None}


class SeedGenerator:
    """Makes a new seed at every call of `next()`, the same sequence for the same initial seed.

    Passed as `seed` to a random function, an initializer or a layer, it gives other numbers at every call.
    The state is a number on the host, so nothing waits for a device; copies and pickles go on from it on
    their own.

    Args:
        seed: An integer, or `None` to draw one from Python's `random` (which `utils.set_random_seed` sets).
        name: Name, an automatic one when not given.

    Raises:
        ValueError: `seed` is no integer.

    Source: Keras 3 `keras.random.SeedGenerator`.
    """

    def __init__(self, seed=None, name=None, **kwargs):
        if kwargs:
            raise ValueError(f"SeedGenerator: Unrecognized keyword arguments {kwargs}. Known: seed, name.")
        if seed is not None and not _is_integer(seed):
            raise ValueError(
                f"SeedGenerator: Argument `seed` must be an integer, got seed={seed!r}. Pass an integer "
                "or `None`."
            )
        self.name = name or naming.auto_name(self)
        self._initial_seed = seed if seed is None else int(seed)
        self._numbers = (seeds.make_default_seed() if seed is None else int(seed), 0)

    def next(self, ordered=True):
        """Return the next seed, a tensor of two integers on the CPU, and go on.

        Args:
            ordered: Whether the seeds are numbered, and so never repeat; `False` scatters them, as Keras does
                for random functions without a seed.
        """
        seed = self.state.value
        first, count = self._numbers
        self._numbers = (first, count + 1) if ordered else (_scatter(first), _scatter(count))
        return seed

    def random_state(self):
        """Return the two numbers of the state, for a training that is to go on later."""
        return list(self._numbers)

    def restore_random_state(self, numbers):
        """Take what `random_state` returned."""
        self._numbers = tuple(numbers)

    @property
    def state(self):
        """The initial seed and the number of seeds given, with a variable's methods."""
        return SeedState(self)

    def get_config(self):
        """Return the constructor's arguments."""
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config):
        """Return a new generator from what `get_config` returned."""
        return cls(**config)

    def __repr__(self):
        return f"SeedGenerator(seed={self._initial_seed}, name={self.name!r})"


class SeedState:
    """The two numbers of a `SeedGenerator` as Keras's variable methods show them.

    Args:
        generator: The `SeedGenerator`.
    """

    name = "seed_generator_state"
    trainable = False
    shape = (2,)
    ndim = 1

    def __init__(self, generator):
        self._generator = generator

    @property
    def path(self):
        """Name with that of the generator."""
        return f"{self._generator.name}/{self.name}"

    @property
    def dtype(self):
        """Dtype name, `"int32"` where the seed is small enough."""
        return "int32" if -(2**31) <= self._generator._numbers[0] < 2**31 else "int64"

    @property
    def value(self):
        """The numbers as a tensor on the CPU."""
        return torch.from_numpy(self.numpy())

    def numpy(self):
        """Return the numbers as an array."""
        return np.array(self._generator._numbers, dtype=self.dtype)

    def assign(self, value):
        """Set the seed and the count.

        Raises:
            ValueError: `value` does not hold two numbers.
        """
        numbers = np.asarray(value)
        if numbers.shape != (2,):
            raise ValueError(
                f"The shape of variable '{self.path}' is (2,), and a value of shape {numbers.shape} "
                "cannot be "
                "assigned to it. Pass the initial seed and a count."
            )
        self._generator._numbers = tuple(map(int, numbers))
        return self

    def __array__(self, dtype=None, copy=None):
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __repr__(self):
        return f"<Variable path={self.path}, shape=(2,), dtype={self.dtype}, value={self.numpy()}>"


def _scatter(number):
    """Return the next number of Keras's congruential generator, which counts in 32 bits with a sign."""
    product = 5387 * (number + 1) & 0xFFFFFFFF
    return (product - (product >> 31 << 32)) % 933199


def _is_integer(value):
    return isinstance(value, (int, np.integer))


def global_seed_generator():
    """Return the generator behind random functions that are given no seed, seeded at its first use."""
    if _global["generator"] is None:
        _global["generator"] = SeedGenerator(name="global_seed_generator")
    return _global["generator"]


def reset_global_seed_generator():
    """Make the next random function without a seed start from Python's `random` again."""
    _global["generator"] = None


def torch_generator(seed, device):
    """Return a fresh torch generator for a `seed` argument, or `None` where there are no values to draw.

    Args:
        seed: An integer, a `SeedGenerator`, or `None` for the global one. While torch compiles, `None`
            stands for torch's own generator, which graphs can hold.
        device: Where the numbers are drawn.

    Raises:
        ValueError: a seed of another kind.
    """
    device = torch.device(device)
    if device.type == "meta" or (seed is None and torch.compiler.is_compiling()):
        return None
    if _is_integer(seed):
        return seeds.generator(int(seed) & 0xFFFFFFFF, device)
    if seed is None or isinstance(seed, SeedGenerator):
        drawn = global_seed_generator().next(ordered=False) if seed is None else seed.next()
        return seeds.generator(sum(drawn.tolist()) & 0xFFFFFFFF, device)
    raise ValueError(
        "Argument `seed` must be either an integer or an instance of `SeedGenerator`, got "
        f"seed={seed!r} of type {type(seed).__name__}. Pass an integer for the same numbers at every call."
    )
