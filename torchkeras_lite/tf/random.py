"""`tf.random`: numbers by distribution, from torch's generators.

Seeds make draws repeatable; the numbers are not TensorFlow's.
"""

import torch

from torchkeras_lite.base.device import default_device
from torchkeras_lite.random import SeedGenerator
from torchkeras_lite.random.distributions import truncated_normal as keras_truncated_normal
from torchkeras_lite.random.seed_generator import torch_generator
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.conversion import convert, convert_beside, sizes
from torchkeras_lite.tf.tensor import wrap
from torchkeras_lite.tf.text import StringTensor
from torchkeras_lite.tf.unknown import missing
from torchkeras_lite.utils import set_random_seed


def set_seed(seed):
    """Seed everything here that draws numbers: torch, layers, and Python's and NumPy's generators."""
    set_random_seed(int(seed) % 2**32)


def _drawn(seed):
    """Return where draws come from: torch's own generator, or one with a seed."""
    device = default_device()
    return {"device": device, "generator": None if seed is None else torch_generator(seed, device)}


def normal(shape, mean=0.0, stddev=1.0, dtype=dtypes.float32, seed=None, name=None):
    """Return normal values."""
    values = torch.randn(sizes(shape), dtype=dtypes.as_dtype(dtype), **_drawn(seed))
    return _scaled(values, stddev, mean)


def _scaled(values, scale, shift):
    values = wrap(values)
    return values * convert_beside(scale, values) + convert_beside(shift, values)


def uniform(shape, minval=0, maxval=None, dtype=dtypes.float32, seed=None, name=None):
    """Return values from `minval` to before `maxval` (`None`: 1), integers for an integer dtype."""
    dtype = dtypes.as_dtype(dtype)
    if not dtype.is_floating_point:
        if maxval is None:
            raise ValueError(f"Must specify maxval for integer dtype {dtype}.")
        return wrap(torch.randint(int(minval), int(maxval), sizes(shape), dtype=dtype, **_drawn(seed)))
    values = wrap(torch.rand(sizes(shape), dtype=dtype, **_drawn(seed)))
    low, high = convert_beside(minval, values), convert_beside(1 if maxval is None else maxval, values)
    return values * (high - low) + low


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=dtypes.float32, seed=None, name=None):
    """Return normal values within two standard deviations of the mean."""
    values = keras_truncated_normal(sizes(shape), 0.0, 1.0, dtypes.as_dtype(dtype), seed=_seed(seed))
    return _scaled(values, stddev, mean)


def _seed(seed):
    return int(torch.randint(2**31, ())) if seed is None else seed


def gamma(shape, alpha, beta=None, dtype=dtypes.float32, seed=None, name=None):
    """Return values of the gamma distribution, of shape `shape` + that of the parameters."""
    alpha = convert(alpha, dtype)
    beta = convert(1.0 if beta is None else beta, dtype)
    alpha = (alpha + torch.zeros_like(beta)).expand(
        *sizes(shape), *torch.broadcast_shapes(alpha.shape, beta.shape)
    )
    return torch._standard_gamma(alpha, _drawn(seed)["generator"]) / beta


def poisson(shape, lam, dtype=dtypes.float32, seed=None, name=None):
    """Return counts of the Poisson distribution, of shape `shape` + that of `lam`."""
    lam = convert(lam, dtypes.float32)
    return torch.poisson(lam.expand(*sizes(shape), *lam.shape), _drawn(seed)["generator"]).to(
        dtypes.as_dtype(dtype)
    )


def categorical(logits, num_samples, dtype=None, seed=None, name=None):
    """Return `num_samples` class numbers for each row of `logits`, which need not be normalized."""
    shares = torch.softmax(convert(logits), -1)
    classes = torch.multinomial(shares, int(num_samples), True, generator=_drawn(seed)["generator"])
    return wrap(classes).to(dtypes.as_dtype(dtype or dtypes.int64))


def shuffle(value, seed=None, name=None):
    """Return the slices along the first axis in a random order."""
    value = convert(value)
    order = torch.randperm(value.shape[0], generator=None if seed is None else torch_generator(seed, "cpu"))
    return value[order] if isinstance(value, StringTensor) else value[order.to(value.device)]


def _stateless(seed):
    """Return one integer for the pair of numbers that stateless functions take."""
    first, second = convert(seed).tolist()
    return (int(first) * 1_000_003 + int(second)) % 2**31


def stateless_normal(shape, seed, mean=0.0, stddev=1.0, dtype=dtypes.float32, name=None, alg="auto_select"):
    """Return normal values, the same at every call with the same `seed`, a pair of integers."""
    return normal(shape, mean, stddev, dtype, _stateless(seed))


def stateless_uniform(shape, seed, minval=0, maxval=None, dtype=dtypes.float32, name=None, alg="auto_select"):
    """Return uniform values, the same at every call with the same `seed`, a pair of integers."""
    return uniform(shape, minval, maxval, dtype, _stateless(seed))


def stateless_truncated_normal(
    shape, seed, mean=0.0, stddev=1.0, dtype=dtypes.float32, name=None, alg="auto_select"
):
    """Return truncated normal values, the same at every call with the same `seed`, a pair of integers."""
    return truncated_normal(shape, mean, stddev, dtype, _stateless(seed))


def stateless_categorical(logits, num_samples, seed, dtype=dtypes.int64, name=None):
    """Return class numbers, the same at every call with the same `seed`, a pair of integers."""
    return categorical(logits, num_samples, dtype, _stateless(seed))


def split(seed, num=2, alg="auto_select"):
    """Return `num` new pairs of seeds, made of one."""
    return uniform((num, 2), 0, 2**31 - 1, dtypes.int32, _stateless(seed))


class Generator:
    """A stream of random numbers of its own.

    Args:
        seed: An integer; `None` draws one.

    Source: `tf.random.Generator`.
    """

    def __init__(self, seed=None):
        self._seeds = SeedGenerator(_seed(seed))

    @classmethod
    def from_seed(cls, seed, alg=None):
        """Return a generator that starts from a seed."""
        return cls(int(seed))

    @classmethod
    def from_non_deterministic_state(cls, alg=None):
        """Return a generator that starts from a drawn seed."""
        return cls()

    def normal(self, shape, mean=0.0, stddev=1.0, dtype=dtypes.float32, name=None):
        """Return normal values."""
        return normal(shape, mean, stddev, dtype, self._seeds)

    def uniform(self, shape, minval=0, maxval=None, dtype=dtypes.float32, name=None):
        """Return uniform values."""
        return uniform(shape, minval, maxval, dtype, self._seeds)

    def truncated_normal(self, shape, mean=0.0, stddev=1.0, dtype=dtypes.float32, name=None):
        """Return truncated normal values."""
        return truncated_normal(shape, mean, stddev, dtype, self._seeds)

    def make_seeds(self, count=1):
        """Return seeds for stateless functions, of shape `(2, count)`."""
        return uniform((2, count), 0, 2**31 - 1, dtypes.int32, self._seeds)

    def split(self, count=1):
        """Return `count` new generators."""
        return [Generator(int(self.make_seeds()[0, 0])) for _ in range(count)]

    def reset_from_seed(self, seed):
        """Start again from a seed."""
        self._seeds = SeedGenerator(int(seed))


class experimental:
    """`tf.random.experimental`: older names."""

    Generator = Generator
    stateless_split = staticmethod(split)


__all__ = [
    "Generator",
    "categorical",
    "experimental",
    "gamma",
    "normal",
    "poisson",
    "set_seed",
    "shuffle",
    "split",
    "stateless_categorical",
    "stateless_normal",
    "stateless_truncated_normal",
    "stateless_uniform",
    "truncated_normal",
    "uniform",
]
__getattr__ = missing("tf.random", {"get_global_generator": "tf.random.Generator.from_seed"})
