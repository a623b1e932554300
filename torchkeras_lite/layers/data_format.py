"""The layout of images and sequences: the user's outside, torch's inside, and no copy between them.

A tensor of shape (batch, height, width, channels), permuted to torch's (batch, channels, height, width), lies
in memory in torch's `channels_last` format, which its kernels read and write directly. The result, permuted
back, is a contiguous tensor in the user's layout. torch has that format for two and three spatial axes; one
axis is seen as two, of which the first has size 1.
"""

import torch
import torch.nn.functional as F
from torch import nn

from torchkeras_lite.base import config
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.layer import Layer

_MEMORY_FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}


class SpatialLayer(Layer):
    """Base of the layers over sequences (`rank` 1), images (2) and volumes (3).

    Args:
        data_format: `"channels_last"` (batch, ..., channels) or `"channels_first"` (batch, channels, ...);
            `None`: what `config.image_data_format()` says, `"channels_last"` unless set.
        **kwargs: Those of `Layer`.

    Raises:
        ValueError: another data format.
    """

    rank: int

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format, self)
        last = self.data_format == "channels_last"
        self.channels_last = last
        self.channel_axis = -1 if last else 1
        self.spatial_axes = tuple(range(1, self.rank + 1) if last else range(2, self.rank + 2))
        self._to_torch = (0, self.rank + 1, *range(1, self.rank + 1))
        self._to_keras = (0, *range(2, self.rank + 2), 1)

    def as_torch_layout(self, inputs):
        """Return `inputs`, in the user's layout, as a view of shape (batch, channels, ...)."""
        return inputs.permute(self._to_torch) if self.channels_last else inputs

    def as_user_layout(self, outputs):
        """Return `outputs`, of shape (batch, channels, ...), as a view in the user's layout."""
        return outputs.permute(self._to_keras) if self.channels_last else outputs

    def spatial_sizes(self, shape):
        """Return the sizes of the spatial axes of a shape in the user's layout."""
        return tuple(shape[axis] for axis in self.spatial_axes if axis < len(shape))

    def refuse_empty_output(self, input_shape, window):
        """Raise when no `window`, a tuple of sizes, fits into inputs of this shape.

        Raises:
            ValueError: none fits.
        """
        found = zip(self.spatial_sizes(input_shape), window, strict=False)
        if len(input_shape) == self.rank + 2 and any(size is not None and size < w for size, w in found):
            raise ValueError(
                f"{describe(self)}: Computed output size would be zero or negative. Received: inputs of "
                f"shape {tuple(input_shape)}, and a window of {tuple(window)} values, which does not fit. "
                "Pass larger inputs, or padding='same'."
            )

    def torch_pads(self, ends):
        """Return pairs `(before, after)`, one a spatial axis, as torch's `pad` takes them."""
        flat = [pad for pair in reversed(ends) for pad in pair]
        return (0, 0, *flat) if self.channels_last else tuple(flat)

    @property
    def weight_memory_format(self):
        """The torch memory format of convolution weights that goes with the data format."""
        last = _MEMORY_FORMATS.get(self.rank, torch.contiguous_format)
        return last if self.channels_last else torch.contiguous_format

    def torch_module(self, kind):
        """Return torch's class of `kind` (`"Conv"`, `"ConvTranspose"`) for this rank and data format."""
        if self.rank == 1 and self.channels_last:
            return {"Conv": ChannelsLastConv1d, "ConvTranspose": ChannelsLastConvTranspose1d}[kind]
        return getattr(nn, f"{kind}{self.rank}d")


class ChannelsLastConv1d(nn.Conv1d):
    """`torch.nn.Conv1d` that copies nothing for inputs which lie in memory as (batch, steps, channels).

    The same weights, arguments and results. torch's own first copies such an input to (batch, channels,
    steps).
    """

    def _conv_forward(self, input, weight, bias):
        return F.conv2d(  # as over images of height 1
            input.unsqueeze(2),
            weight.unsqueeze(2),
            bias,
            (1, *self.stride),
            (0, *self.padding),
            (1, *self.dilation),
            self.groups,
        ).squeeze(2)


class ChannelsLastConvTranspose1d(nn.ConvTranspose1d):
    """`torch.nn.ConvTranspose1d` that copies nothing, as `ChannelsLastConv1d`."""

    def forward(self, input, output_size=None):
        """Convolve as over images of height 1."""
        extra = self.output_padding
        if output_size is not None:
            extra = self._output_padding(
                input, output_size, self.stride, self.padding, self.kernel_size, 1, self.dilation
            )
        return F.conv_transpose2d(
            input.unsqueeze(2),
            self.weight.unsqueeze(2),
            self.bias,
            (1, *self.stride),
            (0, *self.padding),
            (0, *extra),
            self.groups,
            (1, *self.dilation),
        ).squeeze(2)
