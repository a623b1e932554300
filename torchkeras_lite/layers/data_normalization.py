"""Normalization: features shifted and scaled by statistics of the data, learned before training."""

import numpy as np
import torch

from torchkeras_lite.base import dtypes
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.device import default_device
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.layers.preprocessing import AdaptableLayer, read_array

EPSILON = 1e-7


class Normalization(AdaptableLayer):
    """Shifts and scales features to mean 0 and variance 1: `(inputs - mean) / sqrt(variance)`.

    Args:
        axis: Axis or axes that have a mean and variance of their own at each index, counted with the batch
            axis; `None`: one for all values.
        mean, variance: The statistics, numbers or arrays of the sizes of `axis`, in place of `adapt`.
        invert: Whether to compute `mean + inputs * sqrt(variance)` instead.

    Shapes:
        output = input, in the dtype of the layer
        weights, unless given: mean and variance of the sizes of `axis`, count `()`

    Raises:
        ValueError: one of `mean` and `variance` alone, or of two shapes; an axis that the inputs do not have
            or whose size is unknown, or another one later.

    Source: Keras 3 `keras.layers.Normalization`. Differs: `adapt` sums in float64.
    """

    def __init__(self, axis=-1, mean=None, variance=None, invert=False, **kwargs):
        super().__init__(**kwargs)
        self.axis = () if axis is None else tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
        self.invert = invert
        self.supports_masking = True
        if (mean is None) != (variance is None):
            raise ValueError(
                f"{describe(self)}: When setting values directly, both `mean` and `variance` must be set, "
                f"got mean={mean} and variance={variance}."
            )
        self.__dict__.update(_given=None, _moments=None)
        if mean is not None:
            self.__dict__["_given"] = given = (_as_array(mean), _as_array(variance))
            if given[0].shape != given[1].shape:
                raise ValueError(
                    f"{describe(self)}: When setting values directly, `mean` and `variance` must have the "
                    f"same shape, got mean of shape {given[0].shape} and variance of shape {given[1].shape}."
                )
            if given[0].ndim > len(self.axis):
                raise ValueError(
                    f"{describe(self)}: The rank of `mean` must be less than or equal to the number of axes "
                    f"({len(self.axis)}), got mean of shape {given[0].shape} for axis {self.axis}."
                )

    def get_config(self):
        """Return the constructor's arguments."""
        mean, variance = (None, None) if self._given is None else (part.tolist() for part in self._given)
        own = {"axis": self.axis, "invert": self.invert, "mean": mean, "variance": variance}
        return {**super().get_config(), **own}

    def build(self, input_shape):
        """Find the axes that are kept, and make the statistics."""
        ndim = len(input_shape)
        if any(not -ndim <= axis < ndim for axis in self.axis):
            raise ValueError(
                f"{describe(self)}: All `axis` values must be in the range [-ndim, ndim), got inputs with "
                f"ndim={ndim} and axis={self.axis}. Make the layer with axes that the inputs have."
            )
        kept = tuple(sorted({axis % ndim for axis in self.axis}))
        unknown = [axis for axis in kept if input_shape[axis] is None]
        if unknown:
            raise ValueError(
                f"{describe(self)}: All `axis` values to be kept must have a known shape, got axis="
                f"{self.axis} and input_shape={tuple(input_shape)}: the size of axis {unknown[0]} is unknown."
            )
        sizes = tuple(input_shape[axis] for axis in kept)
        if kept:
            from_end = {axis - ndim: size for axis, size in zip(kept, sizes, strict=True)}
            self.input_spec = InputSpec(min_ndim=ndim - kept[0], axes=from_end)
        self.__dict__.update(_kept=kept, _kept_sizes=sizes, _ndim=ndim)
        self.__dict__["_view"] = tuple(input_shape[axis] if axis in kept else 1 for axis in range(ndim))
        if self._given is None:
            self.adapt_mean = self.add_weight(sizes, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(sizes, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", dtype="int32", trainable=False, name="count")
            return
        dtype, device = dtypes.torch_dtype(self.compute_dtype), self._device or default_device()
        for name, value in zip(("given_mean", "given_variance"), self._given, strict=True):
            values = torch.tensor(np.broadcast_to(value, sizes), dtype=dtype, device=device)
            self.register_buffer(name, values, persistent=False)

    @property
    def learns(self):
        """Whether `adapt` is of use: not where mean and variance were given."""
        return self._given is None

    @property
    def mean(self):
        """The mean in use, in a shape that broadcasts to the inputs; `None` before the layer is built."""
        return self._statistic("mean")

    @property
    def variance(self):
        """The variance in use, in a shape that broadcasts to the inputs; `None` before the layer is built."""
        return self._statistic("variance")

    def _statistic(self, name):
        if not self.built:
            return None
        values = getattr(self, f"given_{name}" if self._given is not None else f"adapt_{name}")
        return values.reshape(self._view).to(dtypes.torch_dtype(self.compute_dtype))

    def adapt(self, data):
        """Learn mean and variance from `data`; see `AdaptableLayer.adapt`.

        Raises:
            ValueError: the statistics were given; there is no batch; batches of other sizes.
            TypeError: batches without a shape.
        """
        super().adapt(data)
        if not self.built:
            raise ValueError(f"{describe(self)}: cannot adapt to an empty iterable. Pass at least one batch.")

    def reset_state(self):
        """Forget the batches taken in since the last `finalize_state`."""
        if self._given is not None:
            raise ValueError(
                f"{describe(self)}: cannot adapt, because `mean` and `variance` were given. Make the layer "
                "without them."
            )
        self.__dict__["_moments"] = None

    def update_state(self, data):
        """Take in one batch."""
        batch = read_array(self, data)
        if not isinstance(batch, torch.Tensor) or batch.ndim == 0:
            what = "a single number" if isinstance(batch, torch.Tensor) else "strings"
            raise TypeError(
                f"{describe(self)}: expected batches of numbers that have a `.shape`, got {what}. Pass "
                "arrays with the batch as the first axis."
            )
        if not self.built:
            self.build(tuple(batch.shape))
        elif batch.ndim != self._ndim or tuple(batch.shape[axis] for axis in self._kept) != self._kept_sizes:
            raise ValueError(
                f"{describe(self)}: cannot adapt to an incompatible shape: axes {self._kept} have the sizes "
                f"{self._kept_sizes}, got a batch of shape {tuple(batch.shape)}."
            )
        batch = batch.detach().cpu().double()
        reduced = tuple(axis for axis in range(batch.ndim) if axis not in self._kept)
        mean = batch.mean(reduced) if reduced else batch
        variance = batch.var(reduced, correction=0) if reduced else torch.zeros_like(batch)
        moments = (mean, variance, batch.numel() / max(mean.numel(), 1))
        self.__dict__["_moments"] = moments if self._moments is None else _merge(self._moments, moments)

    def finalize_state(self):
        """Make the statistics of the batches taken in the layer's weights."""
        if self._moments is not None:
            with torch.no_grad():
                self.adapt_mean.copy_(self._moments[0])
                self.adapt_variance.copy_(self._moments[1])
            self.__dict__["_moments"] = None

    def compute_output_shape(self, input_shape):
        """Return the output shape for an input shape."""
        return tuple(input_shape)

    def call(self, inputs):
        """Shift and scale."""
        dtype = dtypes.torch_dtype(self.compute_dtype)
        if inputs.dtype is not dtype:
            inputs = inputs.to(dtype)
        deviation = torch.sqrt(self.variance).clamp(min=EPSILON)
        if self.invert:
            return self.mean + inputs * deviation
        return (inputs - self.mean) / deviation


def _as_array(value):
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def _merge(first, second):
    """Return mean, variance and count of the values of two parts together."""
    count = first[2] + second[2]
    share = second[2] / count
    mean = first[0] + (second[0] - first[0]) * share
    variance = (first[1] + (first[0] - mean).square()) * (1 - share)
    return mean, variance + (second[1] + (second[0] - mean).square()) * share, count
