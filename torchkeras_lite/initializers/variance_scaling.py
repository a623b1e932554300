"""Initializers whose spread follows from the number of inputs and outputs: Glorot, He and LeCun."""

import math

from torchkeras_lite.initializers.random import RandomInitializer, normal, truncated_normal, uniform

MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")
# Standard deviation of a standard normal distribution truncated at -2 and 2.
TRUNCATED_STDDEV = 0.87962566103423978


def compute_fans(shape, input_axes=None, output_axes=None):
    """Return how many values flow into, and out of, a unit of a weight of `shape`.

    Args:
        shape: Shape in Keras's layout: `(inputs, units)`, or `spatial + (inputs, filters)`.
        input_axes: Axes of the inputs, for weights of another layout; used where both are given.
        output_axes: Axes of the outputs.
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        fan = math.prod(shape)
        return fan, fan
    receptive_field = math.prod(shape[:-2])
    return shape[-2] * receptive_field, shape[-1] * receptive_field


class VarianceScaling(RandomInitializer):
    """Draw with mean 0 and variance `scale / n`, `n` being the inputs or outputs of a unit, or their mean.

    Args:
        scale: Factor of the variance, a number > 0.
        mode: What `n` is: `"fan_in"`, `"fan_out"` or `"fan_avg"`.
        distribution: `"truncated_normal"` (or `"normal"`), `"untruncated_normal"` or `"uniform"`.
        seed: See `RandomInitializer`.
        input_axes: Axes of the inputs, where the layout is not `(..., inputs, outputs)`.
        output_axes: Axes of the outputs. Both are used, or none.

    Raises:
        ValueError: a `scale` of 0 or less; another `mode` or `distribution`.

    Source: Keras 3 `keras.initializers.VarianceScaling`. Differs from torch: `nn.init` truncates nothing.
    """

    def __init__(
        self,
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        seed=None,
        input_axes=None,
        output_axes=None,
    ):
        owner = type(self).__name__
        if scale <= 0.0:
            raise ValueError(f"{owner}: Argument `scale` must be positive float, got scale={scale!r}.")
        if mode not in MODES:
            raise ValueError(f"{owner}: Invalid `mode` argument: {mode!r}. Use one of {', '.join(MODES)}.")
        lowered = str(distribution).lower()
        if lowered == "normal":
            lowered = "truncated_normal"
        if lowered not in DISTRIBUTIONS:
            raise ValueError(
                f"{owner}: Invalid `distribution` argument: {distribution!r}. "
                f"Use one of {', '.join(DISTRIBUTIONS)}."
            )
        self.scale = scale
        self.mode = mode
        self.distribution = lowered
        self.input_axes = input_axes
        self.output_axes = output_axes
        super().__init__(seed)

    def sample(self, shape, dtype, generator):
        """Return a new tensor, drawn from `generator`."""
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return uniform(shape, -limit, limit, dtype, generator)
        if self.distribution == "untruncated_normal":
            return normal(shape, 0.0, math.sqrt(variance), dtype, generator)
        return truncated_normal(shape, 0.0, math.sqrt(variance) / TRUNCATED_STDDEV, dtype, generator)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _Preset(VarianceScaling):
    settings: tuple = ()

    def __init__(self, seed=None, input_axes=None, output_axes=None):
        super().__init__(*self.settings, seed=seed, input_axes=input_axes, output_axes=output_axes)

    def get_config(self):
        """Return the constructor's arguments."""
        config = super().get_config()
        return {key: config[key] for key in ("seed", "input_axes", "output_axes")}


class GlorotUniform(_Preset):
    """Uniform within `sqrt(6 / (fan_in + fan_out))`: the default of Dense and Conv kernels. Also "Xavier".

    Args and fans: see `VarianceScaling`.

    Source: Keras 3 `keras.initializers.GlorotUniform`; Glorot and Bengio 2010.
    """

    settings = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Preset):
    """Truncated normal of standard deviation `sqrt(2 / (fan_in + fan_out))`. Also "Xavier".

    Args and fans: see `VarianceScaling`.

    Source: Keras 3 `keras.initializers.GlorotNormal`; Glorot and Bengio 2010.
    """

    settings = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Preset):
    """Uniform within `sqrt(6 / fan_in)`, for layers with ReLU. Also "Kaiming".

    Args and fans: see `VarianceScaling`.

    Source: Keras 3 `keras.initializers.HeUniform`; He et al. 2015 (arXiv:1502.01852).
    """

    settings = (2.0, "fan_in", "uniform")


class HeNormal(_Preset):
    """Truncated normal of standard deviation `sqrt(2 / fan_in)`, for layers with ReLU. Also "Kaiming".

    Args and fans: see `VarianceScaling`.

    Source: Keras 3 `keras.initializers.HeNormal`; He et al. 2015 (arXiv:1502.01852).
    """

    settings = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Preset):
    """Uniform within `sqrt(3 / fan_in)`.

    Args and fans: see `VarianceScaling`.

    Source: Keras 3 `keras.initializers.LecunUniform`.
    """

    settings = (1.0, "fan_in", "uniform")


class LecunNormal(_Preset):
    """Truncated normal of standard deviation `sqrt(1 / fan_in)`, for layers with SELU.

    Args and fans: see `VarianceScaling`.

    Source: Keras 3 `keras.initializers.LecunNormal`; Klambauer et al. 2017 (arXiv:1706.02515).
    """

    settings = (1.0, "fan_in", "truncated_normal")
