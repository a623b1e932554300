"""Sequences, images and volumes cut or padded at their ends, or enlarged by repetition and interpolation."""

import torch
import torch.nn.functional as F

from torchkeras_lite.base.checks import describe, one_of
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.imaging import resampling_matrix
from torchkeras_lite.layers.data_format import SpatialLayer
from torchkeras_lite.layers.spatial_arguments import pairs, sizes


class ZeroPadding(SpatialLayer):
    """Base of `ZeroPadding1D`, `ZeroPadding2D` and `ZeroPadding3D`.

    Args:
        padding: How many zeros are added: one integer for both ends of all axes, or for each axis an integer
            or a pair (before, after); with one axis a pair.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Raises:
        ValueError: `padding` of another form, or negative; inputs with another number of axes.
    """

    keeps_batch = True

    def __init__(self, padding=1, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        ends = pairs(self, "padding", padding, self.rank)
        self.padding = ends[0] if self.rank == 1 else ends
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._pads = self.torch_pads(ends)

    def call(self, inputs):
        """Add the zeros."""
        return F.pad(inputs, self._pads)


class ZeroPadding1D(ZeroPadding):
    """Zeros before and after sequences. Wraps `torch.nn.functional.pad`.

    Args:
        padding, data_format: See `ZeroPadding`.

    Shapes:
        input `(batch, steps, channels)` -> output `(batch, before + steps + after, channels)`; channels
        second with `"channels_first"`

    Source: Keras 3 `keras.layers.ZeroPadding1D`.
    """

    rank = 1


class ZeroPadding2D(ZeroPadding):
    """Zeros around images. Wraps `torch.nn.functional.pad`.

    Args:
        padding, data_format: See `ZeroPadding`.

    Shapes:
        input `(batch, height, width, channels)` -> output
        `(batch, top + height + bottom, left + width + right, channels)`; channels second with
        `"channels_first"`

    Source: Keras 3 `keras.layers.ZeroPadding2D`. Differs from torch: the first axis comes first in `padding`.
    """

    rank = 2


class ZeroPadding3D(ZeroPadding):
    """Zeros around volumes. Wraps `torch.nn.functional.pad`.

    Args:
        padding, data_format: See `ZeroPadding`.

    Shapes:
        input `(batch, depth, height, width, channels)` -> output of the same form, larger; channels second
        with `"channels_first"`

    Source: Keras 3 `keras.layers.ZeroPadding3D`. Differs from torch: the first axis comes first in `padding`.
    """

    rank = 3


class Cropping(SpatialLayer):
    """Base of `Cropping1D`, `Cropping2D` and `Cropping3D`.

    Args:
        cropping: How many values are cut off: one integer for both ends of all axes, or for each axis an
            integer or a pair (before, after); with one axis a pair.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Raises:
        ValueError: `cropping` of another form, or negative; inputs with another number of axes, or of which
            nothing is left.
    """

    keeps_batch = True

    def __init__(self, cropping, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self._ends = pairs(self, "cropping", cropping, self.rank)
        self.cropping = self._ends[0] if self.rank == 1 else self._ends
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._kept = (
            *(slice(None) for _ in range(self.spatial_axes[0])),
            *(slice(before, -after or None) for before, after in self._ends),
        )

    def call(self, inputs):
        """Return what is left, a view."""
        for size, ends in zip(self.spatial_sizes(inputs.shape), self._ends, strict=True):
            if type(size) is int and size <= sum(ends):
                self._refuse(tuple(inputs.shape))
        return inputs[self._kept]

    def _refuse(self, shape):
        if self.rank == 1:
            name = type(self).__name__
            rule = f"`cropping` parameter of `{name}` layer must be smaller than the input length."
        else:
            rule = (
                "Values in `cropping` argument should be smaller than the corresponding spatial dimension of "
                "the input."
            )
        raise ValueError(
            f"{describe(self)}: {rule} Received: inputs of shape {shape}, cropping={self.cropping}. Nothing "
            "would be left: crop less, or pass larger inputs."
        )


class Cropping1D(Cropping):
    """Sequences without steps at their ends: a view, nothing is copied.

    Args:
        cropping: See `Cropping`.

    Shapes:
        input `(batch, steps, channels)` -> output `(batch, steps - before - after, channels)`

    Source: Keras 3 `keras.layers.Cropping1D`.
    """

    rank = 1

    def __init__(self, cropping=(1, 1), **kwargs):
        super().__init__(cropping, "channels_last", **kwargs)


class Cropping2D(Cropping):
    """Images without rows and columns at their edges: a view, nothing is copied.

    Args:
        cropping, data_format: See `Cropping`.

    Shapes:
        input `(batch, height, width, channels)` -> output
        `(batch, height - top - bottom, width - left - right, channels)`; channels second with
        `"channels_first"`

    Source: Keras 3 `keras.layers.Cropping2D`.
    """

    rank = 2

    def __init__(self, cropping=((0, 0), (0, 0)), data_format=None, **kwargs):
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(Cropping):
    """Volumes without values at their ends: a view, nothing is copied.

    Args:
        cropping, data_format: See `Cropping`.

    Shapes:
        input `(batch, depth, height, width, channels)` -> output of the same form, smaller; channels second
        with `"channels_first"`

    Source: Keras 3 `keras.layers.Cropping3D`.
    """

    rank = 3

    def __init__(self, cropping=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs):
        super().__init__(cropping, data_format, **kwargs)


class UpSampling(SpatialLayer):
    """Base of `UpSampling1D`, `UpSampling2D` and `UpSampling3D`: every value is repeated.

    Args:
        size: How often, an integer for all axes or one for each.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Raises:
        ValueError: sizes that are no positive integers; an unknown data format; inputs with another number of
            axes.
    """

    keeps_batch = True

    def __init__(self, size=2, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.size = sizes(self, "size", size, self.rank)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._factors = tuple(map(float, self.size))

    def call(self, inputs):
        """Repeat the values."""
        if not inputs.is_floating_point():  # torch enlarges no integers
            for axis, factor in zip(self.spatial_axes, self.size, strict=True):
                inputs = inputs.repeat_interleave(factor, axis)
            return inputs
        # "nearest" rounds some sources down by one, such as that of place 41 with a factor of 41.
        x = F.interpolate(self.as_torch_layout(inputs), scale_factor=self._factors, mode="nearest-exact")
        return self.as_user_layout(x)


class UpSampling1D(UpSampling):
    """Every step repeated `size` times. Wraps `torch.repeat_interleave`.

    Args:
        size: How often, an integer > 0.

    Shapes:
        input `(batch, steps, channels)` -> output `(batch, steps * size, channels)`

    Raises:
        TypeError: `size` is no integer.
        ValueError: it is below 1; inputs with another number of axes.

    Source: Keras 3 `keras.layers.UpSampling1D`.
    """

    keeps_batch = True
    rank = 1

    def __init__(self, size=2, **kwargs):
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise TypeError(
                f"UpSampling1D: Expected an integer value for `size`, got {type(size)}. Pass how often each "
                "step is repeated, for example 2."
            )
        if size < 1:
            raise ValueError(
                f"UpSampling1D: Argument `size` should be a positive integer. Received: size={size}. Pass "
                "how often each step is repeated, for example 2."
            )
        super().__init__(int(size), "channels_last", **kwargs)
        self.size = int(size)

    def call(self, inputs):
        """Repeat the steps."""
        return inputs.repeat_interleave(self.size, 1)


class UpSampling2D(UpSampling):
    """Images enlarged by whole factors, by repetition or interpolation.

    Wraps `torch.nn.functional.interpolate`.

    Args:
        size, data_format: See `UpSampling`.
        interpolation: `"nearest"` repeats pixels; `"bilinear"`, `"bicubic"`, `"lanczos3"` and `"lanczos5"`
            (windowed sinc over 3 and 5 pixels to each side) interpolate between the centres of pixels.
            Integers are rounded then.

    Shapes:
        input `(batch, height, width, channels)` -> output
        `(batch, height * size[0], width * size[1], channels)`; channels second with `"channels_first"`

    Raises:
        ValueError: sizes that are no positive integers; an unknown interpolation or data format; inputs with
            another number of axes.

    Source: Keras 3 `keras.layers.UpSampling2D`. `"bicubic"` is torch's (a = -0.75), `"lanczos*"` that of
    Keras on JAX.
    """

    keeps_batch = True
    rank = 2

    def __init__(self, size=(2, 2), data_format=None, interpolation="nearest", **kwargs):
        super().__init__(size, data_format, **kwargs)
        name = interpolation.lower() if isinstance(interpolation, str) else interpolation
        self.interpolation = one_of(
            self, "interpolation", name, ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        )

    def call(self, inputs):
        """Enlarge the images."""
        if self.interpolation == "nearest":
            return super().call(inputs)
        if not inputs.is_floating_point():
            limits = torch.iinfo(inputs.dtype)
            outputs = self._interpolate(inputs.to(torch.float32)).round()
            return outputs.clamp(limits.min, limits.max).to(inputs.dtype)
        return self._interpolate(inputs)

    def _interpolate(self, inputs):
        x = self.as_torch_layout(inputs)
        if self.interpolation in ("bilinear", "bicubic"):
            x = F.interpolate(x, scale_factor=self._factors, mode=self.interpolation, align_corners=False)
        else:
            rows, columns = (
                resampling_matrix(length, length * factor, factor, 0.0, self.interpolation, False, x).to(
                    x.dtype
                )
                for length, factor in zip(x.shape[2:], self.size, strict=True)
            )
            x = rows @ x @ columns.T
        return self.as_user_layout(x)


class UpSampling3D(UpSampling):
    """Every value of volumes repeated along the three axes. Wraps `torch.nn.functional.interpolate`.

    Args:
        size, data_format: See `UpSampling`.

    Shapes:
        input `(batch, depth, height, width, channels)` -> output of the same form, larger; channels second
        with `"channels_first"`

    Source: Keras 3 `keras.layers.UpSampling3D`.
    """

    rank = 3
