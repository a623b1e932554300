"""Maximum and average over all spatial axes: one value a channel."""

import torch

from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.torch_layout import TorchLayoutCall
from torchkeras_lite.layers.data_format import SpatialLayer


class GlobalPooling(SpatialLayer):
    """Base of the global pooling layers.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.
        keepdims: Whether the spatial axes stay, with size 1.

    Raises:
        ValueError: an unknown data format; inputs with another number of axes.
    """

    stateless = True
    keeps_batch = True

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(data_format, **kwargs)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def reduce(self, inputs, axes):
        """Return one value for all values along `axes`."""
        raise NotImplementedError

    def call(self, inputs):
        """Return one value of each channel."""
        return self.reduce(inputs, self.spatial_axes)

    def torch_layout_call(self):
        """Return how the layer computes in torch's layout."""
        if not self.channels_last:
            return None
        axes = tuple(range(2, self.rank + 2))

        def pool(x):
            return self.reduce(x, axes)

        return TorchLayoutCall(pool, self.rank + 2, self.keepdims)


class GlobalMaxPooling(GlobalPooling):
    """Base of `GlobalMaxPooling1D`, `GlobalMaxPooling2D` and `GlobalMaxPooling3D`."""

    def reduce(self, inputs, axes):
        """Return the greatest value."""
        return inputs.amax(axes, self.keepdims)


class GlobalAveragePooling(GlobalPooling):
    """Base of `GlobalAveragePooling1D`, `GlobalAveragePooling2D` and `GlobalAveragePooling3D`.

    Means of integers are floats.
    """

    def reduce(self, inputs, axes):
        """Return the mean."""
        if not inputs.is_floating_point():
            inputs = inputs.to(torch.float32)
        return inputs.mean(axes, self.keepdims)


class GlobalMaxPooling1D(GlobalMaxPooling):
    """Greatest value of each channel over all steps. Wraps `torch.amax`.

    Args:
        data_format, keepdims: See `GlobalPooling`.

    Shapes:
        input `(batch, steps, channels)` -> output `(batch, channels)`, or `(batch, 1, channels)` with
        `keepdims`; channels second with `"channels_first"`

    Source: Keras 3 `keras.layers.GlobalMaxPooling1D`.
    """

    rank = 1


class GlobalMaxPooling2D(GlobalMaxPooling):
    """Greatest value of each channel over an image. Wraps `torch.amax`.

    Args:
        data_format, keepdims: See `GlobalPooling`.

    Shapes:
        input `(batch, height, width, channels)` -> output `(batch, channels)`, or `(batch, 1, 1, channels)`
        with `keepdims`; channels second with `"channels_first"`

    Source: Keras 3 `keras.layers.GlobalMaxPooling2D`.
    """

    rank = 2


class GlobalMaxPooling3D(GlobalMaxPooling):
    """Greatest value of each channel over a volume. Wraps `torch.amax`.

    Args:
        data_format, keepdims: See `GlobalPooling`.

    Shapes:
        input `(batch, depth, height, width, channels)` -> output `(batch, channels)`, or
        `(batch, 1, 1, 1, channels)` with `keepdims`; channels second with `"channels_first"`

    Source: Keras 3 `keras.layers.GlobalMaxPooling3D`.
    """

    rank = 3


class GlobalAveragePooling1D(GlobalAveragePooling):
    """Mean of each channel over all steps, or over those that a mask keeps. Wraps `torch.mean`.

    A mask `(batch, steps)` ends here. The mean of no step at all is NaN, as in Keras.

    Args:
        data_format, keepdims: See `GlobalPooling`.

    Shapes:
        input `(batch, steps, channels)` -> output `(batch, channels)`, or `(batch, 1, channels)` with
        `keepdims`; channels second with `"channels_first"`

    Source: Keras 3 `keras.layers.GlobalAveragePooling1D`.
    """

    keeps_batch = True
    creates_masks = False

    rank = 1

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        """Return the mean of each channel over the steps where `mask` is true, over all without a mask."""
        if mask is None:
            return super().call(inputs)
        axis = self.spatial_axes[0]
        kept = mask.to(inputs.dtype).unsqueeze(self.channel_axis)
        return (inputs * kept).sum(axis, self.keepdims) / kept.sum(axis, self.keepdims)

    def compute_mask(self, inputs, previous_mask):
        """Return `None`: the steps are gone."""
        return None


class GlobalAveragePooling2D(GlobalAveragePooling):
    """Mean of each channel over an image. Wraps `torch.mean`.

    Args:
        data_format, keepdims: See `GlobalPooling`.

    Shapes:
        input `(batch, height, width, channels)` -> output `(batch, channels)`, or `(batch, 1, 1, channels)`
        with `keepdims`; channels second with `"channels_first"`

    Source: Keras 3 `keras.layers.GlobalAveragePooling2D`.
    """

    rank = 2


class GlobalAveragePooling3D(GlobalAveragePooling):
    """Mean of each channel over a volume. Wraps `torch.mean`.

    Args:
        data_format, keepdims: See `GlobalPooling`.

    Shapes:
        input `(batch, depth, height, width, channels)` -> output `(batch, channels)`, or
        `(batch, 1, 1, 1, channels)` with `keepdims`; channels second with `"channels_first"`

    Source: Keras 3 `keras.layers.GlobalAveragePooling3D`.
    """

    rank = 3


GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = (
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
)
