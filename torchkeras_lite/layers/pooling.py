"""Maximum and average of the values in a window that slides over sequences, images and volumes."""

import torch.nn.functional as F

from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.base.windows import same_padding
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.torch_layout import TorchLayoutCall
from torchkeras_lite.layers.data_format import SpatialLayer
from torchkeras_lite.layers.spatial_arguments import padding_mode, sizes

__getattr__ = old_members(__name__)


class Pooling(SpatialLayer):
    """Base of the pooling layers: one value for each window and channel.

    Args:
        pool_size: Size of the window, an integer for all spatial axes or one for each.
        strides: Step of the window, an integer or one for each axis; `None`: `pool_size`, windows side by
            side.
        padding: `"valid"`: only windows inside the input; `"same"`: ceil(size / strides) windows, of which
            those at the ends are cut. What lies outside the input counts for nothing, in the average too.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.
        name: Name; an automatic one when not given.

    Raises:
        ValueError: sizes that are no positive integers; an unknown padding or data format; inputs with
            another number of axes.
    """

    stateless = True
    keeps_batch = True

    def __init__(self, pool_size=2, strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(data_format, name=name, **kwargs)
        self.pool_size = sizes(self, "pool_size", pool_size, self.rank)
        self.strides = self.pool_size if strides is None else sizes(self, "strides", strides, self.rank)
        self.padding = padding_mode(self, padding)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        # A sequence is an image of height 1, so that its layout is kept (see `data_format`).
        height = (1,) if self.rank == 1 else ()
        self._window, self._strides = height + self.pool_size, height + self.strides
        # With strides of 1, torch has no place more at the end alone: there is one more at both ends, and the
        # first result is dropped. With other strides `ceil_mode` is that place.
        self._earlier = [int(s == 1 and w % 2 == 0) for w, s in zip(self._window, self._strides, strict=True)]
        self._kept = (..., *(slice(earlier, None) for earlier in self._earlier[-self.rank :]))
        self._drops_first = self.padding == "same" and any(self._earlier)

    def pool(self, x, padding=0, ceil_mode=False):
        """Return the pooled `x` (batch, channels, ...), with `padding` at both ends of each axis."""
        raise NotImplementedError

    def call(self, inputs):
        """Pool."""
        return self.as_user_layout(self._pool_windows(self.as_torch_layout(inputs)))

    def torch_layout_call(self):
        """Return how the layer computes in torch's layout."""
        return TorchLayoutCall(self._pool_windows, self.rank + 2) if self.channels_last else None

    def _pool_windows(self, x):
        """Return the pooled `x` of shape (batch, channels, ...)."""
        outer = x
        if self.rank == 1:
            x = x.unsqueeze(2)
        if self.padding == "valid":
            try:
                x = self.pool(x)
            except RuntimeError:
                self.refuse_empty_output(self.as_user_layout(outer).shape, self.pool_size)
                raise
        else:
            x = self.pool(x, self._paddings(x.shape[2:]), ceil_mode=True)
        x = x.squeeze(2) if self.rank == 1 else x
        return x[self._kept] if self._drops_first else x

    def _paddings(self, spatial_sizes):
        """Return the padding at both ends of each axis for Keras's `"same"`."""
        axes = zip(spatial_sizes, self._window, self._strides, self._earlier, strict=True)
        return [same_padding(size, window, stride)[0] + earlier for size, window, stride, earlier in axes]


class MaxPooling(Pooling):
    """Base of `MaxPooling1D`, `MaxPooling2D` and `MaxPooling3D`: the greatest value in each window."""

    def pool(self, x, padding=0, ceil_mode=False):
        """Return the greatest value in each window of `x`."""
        if self.rank == 3:  # which autocast on CPU computes in float32
            return F.max_pool3d(x, self._window, self._strides, padding, ceil_mode=ceil_mode).to(x.dtype)
        return F.max_pool2d(x, self._window, self._strides, padding, ceil_mode=ceil_mode)


class AveragePooling(Pooling):
    """Base of `AveragePooling1D`, `AveragePooling2D` and `AveragePooling3D`: the mean of each window."""

    def pool(self, x, padding=0, ceil_mode=False):
        """Return the mean of each window of `x`."""
        if self.rank == 3:  # which torch on CPU computes in no half type
            wide = x.float() if x.is_cpu and x.element_size() < 4 else x
            return F.avg_pool3d(wide, self._window, self._strides, padding, ceil_mode, False).to(x.dtype)
        return F.avg_pool2d(x, self._window, self._strides, padding, ceil_mode, count_include_pad=False)


class MaxPooling1D(MaxPooling):
    """Greatest value in each window of steps. Wraps `torch.nn.functional.max_pool2d`.

    Args:
        pool_size, strides, padding, data_format: See `Pooling`.

    Shapes:
        input `(batch, steps, channels)` -> output `(batch, new_steps, channels)`; channels second with
        `"channels_first"`

    Source: Keras 3 `keras.layers.MaxPooling1D`.
    """

    rank = 1


class MaxPooling2D(MaxPooling):
    """Greatest value in each window of images. Wraps `torch.nn.functional.max_pool2d`.

    Args:
        pool_size, strides, padding, data_format: See `Pooling`.

    Shapes:
        input `(batch, height, width, channels)` -> output `(batch, new_height, new_width, channels)`;
        channels second with `"channels_first"`

    Source: Keras 3 `keras.layers.MaxPooling2D`.
    """

    rank = 2


class MaxPooling3D(MaxPooling):
    """Greatest value in each window of volumes. Wraps `torch.nn.functional.max_pool3d`.

    Args:
        pool_size, strides, padding, data_format: See `Pooling`.

    Shapes:
        input `(batch, depth, height, width, channels)` -> output of the same form; channels second with
        `"channels_first"`

    Source: Keras 3 `keras.layers.MaxPooling3D`.
    """

    rank = 3


class AveragePooling1D(AveragePooling):
    """Mean of each window of steps. Wraps `torch.nn.functional.avg_pool2d`.

    Args:
        pool_size, strides, padding, data_format: See `Pooling`.

    Shapes:
        input `(batch, steps, channels)` -> output `(batch, new_steps, channels)`; channels second with
        `"channels_first"`

    Source: Keras 3 `keras.layers.AveragePooling1D`. Differs from torch: padding is not averaged.
    """

    rank = 1


class AveragePooling2D(AveragePooling):
    """Mean of each window of images. Wraps `torch.nn.functional.avg_pool2d`.

    Args:
        pool_size, strides, padding, data_format: See `Pooling`.

    Shapes:
        input `(batch, height, width, channels)` -> output `(batch, new_height, new_width, channels)`;
        channels second with `"channels_first"`

    Source: Keras 3 `keras.layers.AveragePooling2D`. Differs from torch: padding is not averaged.
    """

    rank = 2


class AveragePooling3D(AveragePooling):
    """Mean of each window of volumes. Wraps `torch.nn.functional.avg_pool3d`.

    Args:
        pool_size, strides, padding, data_format: See `Pooling`.

    Shapes:
        input `(batch, depth, height, width, channels)` -> output of the same form; channels second with
        `"channels_first"`

    Source: Keras 3 `keras.layers.AveragePooling3D`. Differs from torch: padding is not averaged.
    """

    rank = 3


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
