"""Pooling to a given output size: the windows follow from it."""

import torch.nn.functional as F

from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.layers.data_format import SpatialLayer
from torchkeras_lite.layers.spatial_arguments import sizes

_AXES = {1: "(length,)", 2: "(height, width)", 3: "(depth, height, width)"}


class AdaptivePooling(SpatialLayer):
    """Base of the adaptive pooling layers.

    Args:
        output_size: Sizes of the output's spatial axes, an integer for all or one for each. Output `i` of `n`
            pools the places from floor(i * size / n) to ceil((i + 1) * size / n).
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Raises:
        TypeError: `output_size` is neither an integer nor one for each axis.
        ValueError: sizes below 1; an unknown data format; inputs with another number of axes.
    """

    keeps_batch = True

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        is_tuple = isinstance(output_size, (list, tuple)) and len(output_size) == self.rank
        if not is_tuple and not hasattr(output_size, "__index__"):
            raise TypeError(
                f"{describe(self)}: `output_size` must be an integer or {_AXES[self.rank]} tuple. Received: "
                f"{output_size!r} of type {type(output_size)}. Pass one integer for all axes, or {self.rank}."
            )
        self.output_size = sizes(self, "output_size", output_size, self.rank)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._size = (1, *self.output_size) if self.rank == 1 else self.output_size

    def pool(self, x):
        """Return the pooled `x`, of shape (batch, channels, ...)."""
        raise NotImplementedError

    def call(self, inputs):
        """Pool."""
        x = self.as_torch_layout(inputs)
        if self.rank == 1:  # an image of height 1, so that the layout is kept
            return self.as_user_layout(self.pool(x.unsqueeze(2)).squeeze(2))
        return self.as_user_layout(self.pool(x))


class AdaptiveMaxPooling(AdaptivePooling):
    """Base of `AdaptiveMaxPooling1D`, `AdaptiveMaxPooling2D` and `AdaptiveMaxPooling3D`."""

    def pool(self, x):
        """Return the greatest value in each window of `x`."""
        if self.rank == 3:  # which autocast on CPU computes in float32
            return F.adaptive_max_pool3d(x, self._size).to(x.dtype)
        return F.adaptive_max_pool2d(x, self._size)


class AdaptiveAveragePooling(AdaptivePooling):
    """Base of `AdaptiveAveragePooling1D`, `AdaptiveAveragePooling2D` and `AdaptiveAveragePooling3D`."""

    def pool(self, x):
        """Return the mean of each window of `x`."""
        if self.rank == 3:  # which autocast on CPU computes in float32
            return F.adaptive_avg_pool3d(x, self._size).to(x.dtype)
        return F.adaptive_avg_pool2d(x, self._size)


class AdaptiveMaxPooling1D(AdaptiveMaxPooling):
    """Greatest value in each of `output_size` windows of steps.

    Wraps `torch.nn.functional.adaptive_max_pool2d`.

    Args:
        output_size, data_format: See `AdaptivePooling`.

    Shapes:
        input `(batch, steps, channels)` -> output `(batch, output_size, channels)`; channels second with
        `"channels_first"`

    Source: Keras 3 `keras.layers.AdaptiveMaxPooling1D`.
    """

    rank = 1


class AdaptiveMaxPooling2D(AdaptiveMaxPooling):
    """Greatest value in each of `output_size` windows of images.

    Wraps `torch.nn.functional.adaptive_max_pool2d`.

    Args:
        output_size, data_format: See `AdaptivePooling`.

    Shapes:
        input `(batch, height, width, channels)` -> output `(batch, *output_size, channels)`; channels second
        with `"channels_first"`

    Source: Keras 3 `keras.layers.AdaptiveMaxPooling2D`.
    """

    rank = 2


class AdaptiveMaxPooling3D(AdaptiveMaxPooling):
    """Greatest value in each of `output_size` windows of volumes.

    Wraps `torch.nn.functional.adaptive_max_pool3d`.

    Args:
        output_size, data_format: See `AdaptivePooling`.

    Shapes:
        input `(batch, depth, height, width, channels)` -> output `(batch, *output_size, channels)`; channels
        second with `"channels_first"`

    Source: Keras 3 `keras.layers.AdaptiveMaxPooling3D`.
    """

    rank = 3


class AdaptiveAveragePooling1D(AdaptiveAveragePooling):
    """Mean of each of `output_size` windows of steps.

    Wraps `torch.nn.functional.adaptive_avg_pool2d`.

    Args:
        output_size, data_format: See `AdaptivePooling`.

    Shapes:
        input `(batch, steps, channels)` -> output `(batch, output_size, channels)`; channels second with
        `"channels_first"`

    Source: Keras 3 `keras.layers.AdaptiveAveragePooling1D`.
    """

    rank = 1


class AdaptiveAveragePooling2D(AdaptiveAveragePooling):
    """Mean of each of `output_size` windows of images.

    Wraps `torch.nn.functional.adaptive_avg_pool2d`.

    Args:
        output_size, data_format: See `AdaptivePooling`.

    Shapes:
        input `(batch, height, width, channels)` -> output `(batch, *output_size, channels)`; channels second
        with `"channels_first"`

    Source: Keras 3 `keras.layers.AdaptiveAveragePooling2D`.
    """

    rank = 2


class AdaptiveAveragePooling3D(AdaptiveAveragePooling):
    """Mean of each of `output_size` windows of volumes.

    Wraps `torch.nn.functional.adaptive_avg_pool3d`.

    Args:
        output_size, data_format: See `AdaptivePooling`.

    Shapes:
        input `(batch, depth, height, width, channels)` -> output `(batch, *output_size, channels)`; channels
        second with `"channels_first"`

    Source: Keras 3 `keras.layers.AdaptiveAveragePooling3D`.
    """

    rank = 3
