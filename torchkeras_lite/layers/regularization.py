"""Layers that act in training only: dropouts, noise, and penalties on outputs.

All are the identity in inference mode. Draws come from torch's global generator, so `torch.manual_seed`
repeats them; a layer with a `seed` draws from a generator of its own, one a device, and repeats its sequence
whatever else is drawn.
"""

import math
import numbers

import torch
import torch.nn.functional as F

from torchkeras_lite import regularizers
from torchkeras_lite.base import config, seeds
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.layer import Layer


class SeededDraws:
    """Random tensors from generators of its own, made from one seed; copies continue the same sequence.

    Args:
        seed: An integer.
    """

    def __init__(self, seed):
        self.seed = seed
        self._generators = {}

    def generator(self, device):
        """Return the generator for `device`, or `None` where there are no values to draw."""
        if device.type == "meta":
            return None
        if device not in self._generators:
            self._generators[device] = seeds.generator(self.seed, device)
        return self._generators[device]

    def random_state(self):
        """Return the states of the generators by device, for a training that is to go on later."""
        return {str(device): generator.get_state() for device, generator in self._generators.items()}

    def restore_random_state(self, states):
        """Take what `random_state` returned."""
        for device, state in states.items():
            self.generator(torch.device(device)).set_state(state)

    def keep(self, like, shape, rate):
        """Return a tensor of `shape`: 0 with probability `rate`, else 1."""
        kept = torch.empty(shape, dtype=like.dtype, device=like.device)
        return kept.bernoulli_(1.0 - rate, generator=self.generator(like.device))

    def normal(self, like):
        """Return normal values of the shape of `like`."""
        return torch.empty_like(like).normal_(generator=self.generator(like.device))


class GlobalDraws:
    """Random tensors from torch's global generator."""

    def generator(self, device):
        """Return `None`, which torch's functions take for the global generator."""
        return None

    def keep(self, like, shape, rate):
        """Return a tensor of `shape`: 0 with probability `rate`, else 1."""
        return torch.empty(shape, dtype=like.dtype, device=like.device).bernoulli_(1.0 - rate)

    def normal(self, like):
        """Return normal values of the shape of `like`."""
        return torch.randn_like(like)


def draws(layer, seed):
    """Return where a layer with this `seed` argument draws from.

    Raises:
        ValueError: `seed` is neither an integer nor `None`.
    """
    if seed is None:
        return GlobalDraws()
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
        raise ValueError(
            f"{describe(layer)}: Argument `seed` must be an integer. Received: seed={seed!r}. Pass None "
            "for other values each run."
        )
    return SeededDraws(int(seed))


def fraction(layer, argument, value):
    """Return `value`, a number from 0 to 1.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, numbers.Real) or not 0 <= value <= 1:
        raise ValueError(
            f"{describe(layer)}: Invalid value received for argument `{argument}`. Expected a float value "
            f"between 0 and 1. Received: {argument}={value!r}."
        )
    return value


def noise_sizes(layer, noise_shape):
    """Return `noise_shape`, sizes or `None`s for the input's own, as a tuple; `None` stays.

    Raises:
        ValueError: it is something else.
    """
    if noise_shape is None:
        return None
    if not isinstance(noise_shape, (list, tuple)):
        raise ValueError(
            f"{describe(layer)}: Invalid value received for argument `noise_shape`. Expected a tuple or "
            f"list of integers. Received: noise_shape={noise_shape!r}."
        )
    for index, size in enumerate(noise_shape):
        if size is not None and (not isinstance(size, int) or isinstance(size, bool)):
            raise ValueError(
                f"{describe(layer)}: Invalid value received for argument `noise_shape`. Expected all "
                f"elements to be integers or None. Received element at index {index}: {size!r} (type: "
                f"{type(size).__name__})."
            )
        if size is not None and size <= 0:
            raise ValueError(
                f"{describe(layer)}: Invalid value received for argument `noise_shape`. Expected all "
                "dimensions to be positive integers or None. Received negative or zero value at index "
                f"{index}: {size}."
            )
    return tuple(noise_shape)


def drawn_shape(inputs, noise_shape):
    """Return the shape of the random values for `inputs`: its own sizes where `noise_shape` has `None`."""
    if noise_shape is None:
        return inputs.shape
    given = zip(noise_shape, inputs.shape, strict=False)
    return [size if wanted is None else wanted for wanted, size in given] + list(noise_shape[inputs.ndim :])


class Dropout(Layer):
    """Sets values to 0 at random in training, and scales the others up so that the mean stays.

    Args:
        rate: Fraction of values set to 0, from 0 to 1.
        noise_shape: Shape of the drawn zeros, which broadcast to the input: `(None, 1, None)` drops the same
            features in all steps. `None` stands for the input's size.
        seed: Integer for a sequence of the layer's own that repeats; `None`: torch's global generator.

    Shapes:
        output = input

    Raises:
        ValueError: `rate` outside [0, 1]; a `noise_shape` that holds no sizes.

    Source: Keras 3 `keras.layers.Dropout`; torch's `F.dropout`.
    """

    stateless = True
    keeps_shape = True

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = fraction(self, "rate", rate)
        self.noise_shape = noise_sizes(self, noise_shape)
        self.seed = seed
        self.supports_masking = True
        self._draws = draws(self, seed)
        self._plain = noise_shape is None and seed is None

    def call(self, inputs, training=None):
        """Drop, in training."""
        if not training or self.rate == 0:
            return inputs
        if self._plain:
            return F.dropout(inputs, self.rate)
        if self.rate == 1:
            return inputs * 0.0
        kept = self._draws.keep(inputs, drawn_shape(inputs, self._noise_shape(inputs)), self.rate)
        return inputs * (kept / (1.0 - self.rate))

    def _noise_shape(self, inputs):
        return self.noise_shape


class SpatialDropout1D(Dropout):
    """Dropout of whole features: a feature of a sample is 0 in all steps, or in none.

    Args:
        rate: Fraction of features set to 0, from 0 to 1.
        seed: Integer for a sequence of the layer's own; see `Dropout`.

    Shapes:
        output = input `(batch, steps, features)`

    Source: Keras 3 `keras.layers.SpatialDropout1D`; Tompson et al. 2014 (arXiv:1411.4280).
    """

    def __init__(self, rate, seed=None, name=None, dtype=None, **kwargs):
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.input_spec = InputSpec(ndim=3)
        self._plain = False

    def _noise_shape(self, inputs):
        return (None, 1, None)

    def get_config(self):
        """Return the constructor's arguments."""
        return {"rate": self.rate, "seed": self.seed, "name": self.name, "dtype": self.dtype}


class _SpatialDropout(SpatialDropout1D):
    """Dropout of whole channels of images and volumes, in either data format."""

    def __init__(self, rate, data_format=None, seed=None, name=None, dtype=None, **kwargs):
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.data_format = config.standardize_data_format(data_format, describe(self))
        self.input_spec = InputSpec(ndim=self.spatial_rank + 2)
        spatial = (1,) * self.spatial_rank
        self._shape = (
            (None, None, *spatial) if self.data_format == "channels_first" else (None, *spatial, None)
        )

    def _noise_shape(self, inputs):
        return self._shape

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "data_format": self.data_format}


class SpatialDropout2D(_SpatialDropout):
    """Dropout of whole channels: a channel of a sample is 0 everywhere, or nowhere.

    Args:
        rate: Fraction of channels set to 0, from 0 to 1.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        seed: Integer for a sequence of the layer's own; see `Dropout`.

    Shapes:
        output = input `(batch, height, width, channels)`

    Source: Keras 3 `keras.layers.SpatialDropout2D`; Tompson et al. 2014 (arXiv:1411.4280).
    """

    spatial_rank = 2


class SpatialDropout3D(_SpatialDropout):
    """Dropout of whole channels of volumes: a channel of a sample is 0 everywhere, or nowhere.

    Args:
        rate: Fraction of channels set to 0, from 0 to 1.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        seed: Integer for a sequence of the layer's own; see `Dropout`.

    Shapes:
        output = input `(batch, depth, height, width, channels)`

    Source: Keras 3 `keras.layers.SpatialDropout3D`; Tompson et al. 2014 (arXiv:1411.4280).
    """

    spatial_rank = 3


class GaussianNoise(Layer):
    """Adds normal noise of mean 0 in training.

    Args:
        stddev: Standard deviation of the noise, from 0 to 1.
        seed: Integer for a sequence of the layer's own; see `Dropout`.

    Shapes:
        output = input

    Raises:
        ValueError: `stddev` outside [0, 1].

    Source: Keras 3 `keras.layers.GaussianNoise`.
    """

    stateless = True
    keeps_shape = True

    def __init__(self, stddev, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.stddev = fraction(self, "stddev", stddev)
        self.seed = seed
        self.supports_masking = True
        self._draws = draws(self, seed)

    def call(self, inputs, training=None):
        """Add noise, in training."""
        if not training or self.stddev == 0:
            return inputs
        return inputs + self.stddev * self._draws.normal(inputs)


class GaussianDropout(Layer):
    """Multiplies by normal noise of mean 1 in training, with the deviation of a dropout of this `rate`.

    Args:
        rate: Rate of the dropout that is imitated, from 0 to below 1; the deviation is `sqrt(rate / (1 -
            rate))`.
        seed: Integer for a sequence of the layer's own; see `Dropout`.

    Shapes:
        output = input

    Raises:
        ValueError: `rate` outside [0, 1).

    Source: Keras 3 `keras.layers.GaussianDropout`; Srivastava et al. 2014.
    """

    stateless = True
    keeps_shape = True

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = below_one(self, fraction(self, "rate", rate))
        self.seed = seed
        self.supports_masking = True
        self._draws = draws(self, seed)
        self._stddev = math.sqrt(rate / (1.0 - rate))

    def call(self, inputs, training=None):
        """Multiply by noise, in training."""
        if not training or self.rate == 0:
            return inputs
        return inputs * (1.0 + self._stddev * self._draws.normal(inputs))


def below_one(layer, rate):
    """Return `rate`, which must be below 1: no noise imitates the loss of everything."""
    if rate == 1:
        raise ValueError(
            f"{describe(layer)}: Invalid value received for argument `rate`. Expected a float value of at "
            f"least 0 and below 1. Received: rate={rate!r}."
        )
    return rate


class AlphaDropout(Layer):
    """Dropout for `selu` networks: dropped values get selu's lowest value, and mean and variance stay.

    Args:
        rate: Fraction of values dropped, from 0 to below 1.
        noise_shape: Shape of the drawn values; see `Dropout`.
        seed: Integer for a sequence of the layer's own; see `Dropout`.

    Shapes:
        output = input

    Raises:
        ValueError: `rate` outside [0, 1).

    Source: Keras 3 `keras.layers.AlphaDropout`; torch's `F.alpha_dropout`; Klambauer et al. 2017
    (arXiv:1706.02515).
    """

    stateless = True
    keeps_shape = True

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = below_one(self, fraction(self, "rate", rate))
        self.noise_shape = noise_sizes(self, noise_shape)
        self.seed = seed
        self.supports_masking = True
        self._draws = draws(self, seed)
        self._plain = noise_shape is None and seed is None
        lowest = -1.7580993408473766  # selu's limit for very negative values
        self._scale = ((1.0 - rate) * (1.0 + rate * lowest**2)) ** -0.5
        self._lowest = lowest
        self._shift = -self._scale * lowest * rate

    def call(self, inputs, training=None):
        """Drop, in training."""
        if not training or self.rate == 0:
            return inputs
        if self._plain:
            return F.alpha_dropout(inputs, self.rate, training=True)
        kept = self._draws.keep(inputs, drawn_shape(inputs, self.noise_shape), self.rate)
        return self._scale * (inputs * kept + self._lowest * (1.0 - kept)) + self._shift


class ActivityRegularization(Layer):
    """Passes its input on and adds `l1 * sum(|x|) + l2 * sum(x^2)`, divided by the batch size, to the losses.

    Args:
        l1: Factor of the absolute values, a number >= 0.
        l2: Factor of the squares, a number >= 0.

    Shapes:
        output = input

    Source: Keras 3 `keras.layers.ActivityRegularization`.
    """

    stateless = True
    keeps_shape = True

    def __init__(self, l1=0.0, l2=0.0, **kwargs):
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2
        self.supports_masking = True

    def call(self, inputs):
        """Return the inputs."""
        return inputs

    def get_config(self):
        """Return the constructor's arguments."""
        config = {**super().get_config(), "l1": self.l1, "l2": self.l2}
        del config["activity_regularizer"]
        return config
