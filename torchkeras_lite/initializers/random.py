"""Initializers that draw from one distribution, and random orthogonal matrices.

A draw starts a fresh generator from the seed, so an initializer returns the same values at every call, and
the values that Keras on torch returns for that seed.
"""

import math
import numbers

import torch

from torchkeras_lite.base import seeds, serialization
from torchkeras_lite.initializers.initializer import Initializer, placement


class RandomInitializer(Initializer):
    """Base of random initializers; subclasses override `sample`.

    Args:
        seed: An integer, or a `SeedGenerator` for other values at every call. For `None` one seed is drawn
            from Python's `random` here and kept.

    Raises:
        ValueError: a seed of another kind.
    """

    def __init__(self, seed=None):
        self._init_seed = seed
        if seed is None:
            seed = seeds.make_default_seed()
        elif isinstance(seed, dict):
            seed = serialization.deserialize_keras_object(seed)
        elif isinstance(seed, numbers.Integral):
            seed = self._init_seed = int(seed)
        elif not hasattr(seed, "next"):
            raise ValueError(
                f"{type(self).__name__}: `seed` argument should be an instance of `random.SeedGenerator` or "
                f"an integer, got seed={seed!r}."
            )
        self.seed = seed

    def __call__(self, shape, dtype=None, device=None):
        """Return a new tensor; see `Initializer`."""
        shape, dtype, device = placement(self, shape, dtype, device)
        if not dtype.is_floating_point:
            raise ValueError(
                f"{type(self).__name__}: expected a floating-point dtype, got {dtype}. "
                "Use `Zeros`, `Ones` or `Constant` for weights of other dtypes."
            )
        if device.type == "meta":
            return torch.empty(shape, dtype=dtype, device=device)
        return self.sample(shape, dtype, self._generator(device))

    def sample(self, shape, dtype, generator):
        """Return a new tensor on the device of `generator`, drawn from it."""
        raise NotImplementedError

    def _generator(self, device):
        seed = self.seed if isinstance(self.seed, int) else sum(int(part) for part in self.seed.next())
        return seeds.generator(seed & 0xFFFFFFFF, device)

    def get_config(self):
        """Return the constructor's arguments, with the seed as it was given."""
        return {"seed": serialization.serialize_keras_object(self._init_seed)}


def normal(shape, mean, stddev, dtype, generator):
    """Return a tensor of normal values."""
    return torch.normal(mean, stddev, shape, dtype=dtype, generator=generator, device=generator.device)


def truncated_normal(shape, mean, stddev, dtype, generator):
    """Return a tensor of normal values within two standard deviations.

    As in Keras, each value is the first of four draws that lies inside (the first draw where none does).
    """
    draws = normal((*shape, 4), 0.0, 1.0, dtype, generator)
    first_inside = (draws.abs() < 2).max(-1, keepdim=True).indices
    return draws.gather(-1, first_inside).squeeze(-1).mul_(stddev).add_(mean)


def uniform(shape, minval, maxval, dtype, generator):
    """Return a tensor of values between `minval` and `maxval`."""
    values = torch.rand(shape, dtype=dtype, generator=generator, device=generator.device)
    return values.mul_(maxval - minval).add_(minval)


class RandomNormal(RandomInitializer):
    """Draw from a normal distribution.

    Args:
        mean: Mean of the distribution.
        stddev: Its standard deviation.
        seed: See `RandomInitializer`.

    Source: Keras 3 `keras.initializers.RandomNormal`.
    """

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        self.mean = mean
        self.stddev = stddev
        super().__init__(seed)

    def sample(self, shape, dtype, generator):
        """Return a new tensor, drawn from `generator`."""
        return normal(shape, self.mean, self.stddev, dtype, generator)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Draw from a normal distribution, without the values beyond two standard deviations.

    Args:
        mean: Mean of the distribution before truncation.
        stddev: Its standard deviation before truncation.
        seed: See `RandomInitializer`.

    Source: Keras 3 `keras.initializers.TruncatedNormal`.
    """

    def sample(self, shape, dtype, generator):
        """Return a new tensor, drawn from `generator`."""
        return truncated_normal(shape, self.mean, self.stddev, dtype, generator)


class RandomUniform(RandomInitializer):
    """Draw from a uniform distribution.

    Args:
        minval: Lower end of the range, included.
        maxval: Upper end of the range, excluded.
        seed: See `RandomInitializer`.

    Source: Keras 3 `keras.initializers.RandomUniform`.
    """

    def __init__(self, minval=-0.05, maxval=0.05, seed=None):
        self.minval = minval
        self.maxval = maxval
        super().__init__(seed)

    def sample(self, shape, dtype, generator):
        """Return a new tensor, drawn from `generator`."""
        return uniform(shape, self.minval, self.maxval, dtype, generator)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class Orthogonal(RandomInitializer):
    """Make a random matrix of orthonormal rows or columns, whichever are fewer, times `gain`.

    A shape of more than two axes is a matrix whose rows are all axes but the last. Half-precision matrices
    are made in float32 first.

    Args:
        gain: Factor of the matrix.
        seed: See `RandomInitializer`.

    Raises:
        ValueError: a shape of fewer than two axes.

    Source: Keras 3 `keras.initializers.Orthogonal`; Saxe et al. 2013 (arXiv:1312.6120).
    """

    def __init__(self, gain=1.0, seed=None):
        self.gain = gain
        super().__init__(seed)

    def __call__(self, shape, dtype=None, device=None):
        """Return a new tensor; see `Initializer`."""
        shape = placement(self, shape, dtype, device)[0]
        if len(shape) < 2:
            raise ValueError(
                "Orthogonal: The tensor to initialize must be at least two-dimensional. "
                f"Received: shape={shape} of rank {len(shape)}. Use another initializer for vectors."
            )
        return super().__call__(shape, dtype, device)

    def sample(self, shape, dtype, generator):
        """Return a new tensor, drawn from `generator`."""
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        work_dtype = dtype if dtype.itemsize >= 4 else torch.float32
        q, r = torch.linalg.qr(normal(tall, 0.0, 1.0, work_dtype, generator))
        q = q * torch.sign(torch.diagonal(r))  # makes the distribution uniform over orthogonal matrices
        matrix = q.T if rows < columns else q
        return (self.gain * matrix.reshape(shape)).to(dtype).contiguous()

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "gain": self.gain}
