"""Convolutions over sequences, images and volumes."""

import torch.nn.functional as F

from torchkeras_lite import activations, constraints, initializers, regularizers
from torchkeras_lite.activations.pointwise import is_pointwise
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.windows import same_padding
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.torch_layout import TorchLayoutCall, in_user_layout
from torchkeras_lite.engine.weights import WeightSpec
from torchkeras_lite.layers.core import known_size
from torchkeras_lite.layers.data_format import SpatialLayer
from torchkeras_lite.layers.low_rank import LowRankLayer
from torchkeras_lite.layers.spatial_arguments import count, padding_mode, refuse_strided_dilation, sizes


class ConvolutionLayer(SpatialLayer):
    """What all convolutions share: the arguments that `Convolution` explains, kept and checked.

    Args:
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: See `Convolution`.
        activity_regularizer: Penalty on the outputs.
        **weights_and_kwargs: For each weight (`kernel=`, `bias=`) its initializer, regularizer and
            constraint; the rest is for `Layer`.

    Raises:
        ValueError: sizes that are no positive integers; an unknown padding or data format.
    """

    paddings: tuple[str, ...] = ("same", "valid")
    weight_arguments: tuple[str, ...] = ("kernel", "bias")
    config_names_activity_regularizer = True

    def __init__(
        self,
        kernel_size,
        strides,
        padding,
        data_format,
        dilation_rate,
        activation,
        use_bias,
        activity_regularizer,
        **weights_and_kwargs,
    ):
        weights = {name: weights_and_kwargs.pop(name) for name in self.weight_arguments}
        super().__init__(data_format, activity_regularizer=activity_regularizer, **weights_and_kwargs)
        self.kernel_size = sizes(self, "kernel_size", kernel_size, self.rank)
        self.strides = sizes(self, "strides", strides, self.rank)
        self.dilation_rate = sizes(self, "dilation_rate", dilation_rate, self.rank)
        self.padding = padding_mode(self, padding, self.paddings)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        for name, (initializer, regularizer, constraint) in weights.items():
            setattr(self, f"{name}_initializer", initializers.get(initializer))
            setattr(self, f"{name}_regularizer", regularizers.get(regularizer))
            setattr(self, f"{name}_constraint", constraints.get(constraint))
        self.input_spec = InputSpec(min_ndim=self.rank + 2, max_ndim=self.rank + 2)

    @property
    def window(self):
        """Sizes of the window with the gaps that dilation leaves in it."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel_size, self.dilation_rate, strict=True))

    def prepare(self, input_shape):
        """Fix what inputs of this shape are like from now on, and return their number of channels.

        Raises:
            ValueError: an unknown number of channels.
        """
        channels = known_size(self, input_shape, self.channel_axis)
        rank = self.rank + 2
        self.input_spec = InputSpec(min_ndim=rank, max_ndim=rank, axes={self.channel_axis: channels})
        return channels

    def layout_call(self, convolve):
        """Return the `TorchLayoutCall` of `convolve` and the activation, `None` where that may mix channels.

        Args:
            convolve: Function of a tensor of shape (batch, channels, ...).
        """
        activation = self.activation
        if not self.channels_last or not is_pointwise(activation):
            return None

        def compute(x):
            if self.activation is not activation:
                return in_user_layout(self.forward, x)
            return activation(convolve(x))

        return TorchLayoutCall(compute, self.rank + 2)


class PaddedConvolution(ConvolutionLayer):
    """A convolution that does not enlarge its input, with the padding that torch's modules lack.

    What torch pads itself, both ends alike and known beforehand, is `module_padding`. The rest is added in
    `pad`, where `pads_apart` is true: `pads` holds numbers of zeros that are always the same, `pads_by_size`
    tells that they depend on the size of the input.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.module_padding = (0,) * self.rank
        self.pads = None
        self.pads_by_size = False
        if self.padding == "causal":
            self.pads = self.torch_pads([(window - 1, 0) for window in self.window])
        elif self.padding == "same":
            strided = [w > 1 and s > 1 for w, s in zip(self.window, self.strides, strict=True)]
            ends = [same_padding(1, window, 1) for window in self.window]
            if any(strided):
                self.pads_by_size = True
            elif all(before == after for before, after in ends):
                self.module_padding = tuple(before for before, _ in ends)
            else:
                self.pads = self.torch_pads(ends)
        self.pads_apart = self.pads is not None or self.pads_by_size

    def pad(self, inputs):
        """Return `inputs` with the zeros that the torch module does not add."""
        pads = self._pads_for(self.spatial_sizes(inputs.shape))
        return F.pad(inputs, pads) if pads else inputs

    def padded(self, x):
        """Return `x` of shape (batch, channels, ...) with these zeros, in the memory format that it has."""
        if not self.pads_apart:
            return x
        if self.rank == 1:  # which has no such format
            return in_user_layout(self.pad, x)
        pads = self._pads_for(x.shape[2:])
        return F.pad(x, pads[2:]) if pads else x

    def _pads_for(self, spatial_sizes):
        """Return numbers of zeros in the user's layout, as torch's `pad` takes them; `None` for none."""
        if not self.pads_by_size:
            return self.pads
        found = zip(spatial_sizes, self.window, self.strides, strict=True)
        pads = self.torch_pads([same_padding(*axis) for axis in found])
        # They are unknown while being exported.
        return pads if any(type(pad) is not int or pad for pad in pads) else None

    def prepare(self, input_shape):
        """Fix what inputs are like, and return their number of channels.

        Raises:
            ValueError: an unknown number of channels; an input smaller than the window.
        """
        channels = super().prepare(input_shape)
        if self.padding == "valid":
            self.refuse_empty_output(input_shape, self.window)
        return channels


class Convolution(LowRankLayer, PaddedConvolution):
    """Base of `Conv1D`, `Conv2D` and `Conv3D`: `activation(convolution(x, kernel) + bias)`.

    Wraps `torch.nn.Conv1d`, `Conv2d` or `Conv3d` as `self.conv`, made when the first input is seen.

    Args:
        filters: Number of output channels, an integer > 0.
        kernel_size: Size of the window, an integer for all spatial axes or one for each.
        strides: Step of the window, an integer or one for each axis.
        padding: `"valid"`: only windows inside the input; `"same"`: zeros around it, so that the output has
            ceil(size / stride) values, the extra zero of an odd number at the end; `"causal"` (`Conv1D`):
            zeros before it, so that no output sees later steps.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.
        dilation_rate: Distance between neighbouring taps of the window; not together with strides above 1.
        groups: Number of groups of channels that are convolved apart; divides `filters` and the input's
            channels.
        activation: Name or callable; `None` keeps the values as they are.
        use_bias: Whether to add a bias, one value a filter.
        kernel_initializer, bias_initializer: What the weights are drawn from.
        kernel_regularizer, bias_regularizer: Penalties on the weights, added to the loss.
        activity_regularizer: Penalty on the outputs.
        kernel_constraint, bias_constraint: Projections of the weights after every update.
        lora_rank, lora_alpha: Train a low-rank product beside a frozen kernel; see `enable_lora`.

    Raises:
        ValueError: an argument outside what is said above; inputs with another number of axes or channels, or
            smaller than the window.
    """

    keeps_batch = True
    config_omits_none = ("lora_rank", "lora_alpha")

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        groups=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        lora_rank=None,
        lora_alpha=None,
        **kwargs,
    ):
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            activity_regularizer,
            kernel=(kernel_initializer, kernel_regularizer, kernel_constraint),
            bias=(bias_initializer, bias_regularizer, bias_constraint),
            **kwargs,
        )
        self.filters = count(self, "filters", filters)
        self.groups = groups
        if not isinstance(groups, int) or groups <= 0:
            raise ValueError(
                f"{describe(self)}: The number of groups must be a positive integer. Received: "
                f"groups={groups}. Pass a divisor of filters={filters}."
            )
        if self.filters % groups:
            raise ValueError(
                f"{describe(self)}: The number of filters must be evenly divisible by the number of groups. "
                f"Received: groups={groups}, filters={filters}. Change one of them."
            )
        refuse_strided_dilation(self)
        self._take_low_rank(lora_rank, lora_alpha)

    @property
    def weight_specs(self):
        """The kernel, spatial axes first, and the bias."""
        return (
            WeightSpec(
                "kernel", "conv.weight", kernel_axes(self.rank), memory_format=self.weight_memory_format
            ),
            WeightSpec("bias", "conv.bias"),
        )

    def build(self, input_shape):
        """Make the torch module for the channels of `input_shape`."""
        channels = self.prepare(input_shape)
        if channels % self.groups:
            raise ValueError(
                f"{describe(self)}: The number of input channels must be evenly divisible by the number of "
                f"groups. Received groups={self.groups}, but the input has {channels} channels (full input "
                f"shape is {tuple(input_shape)}). Change `groups` or the input."
            )
        self.conv = self.torch_module("Conv")(
            channels,
            self.filters,
            self.kernel_size,
            self.strides,
            self.module_padding,
            self.dilation_rate,
            self.groups,
            self.use_bias,
        )

    def call(self, inputs):
        """Convolve, and apply the activation."""
        if self.pads_apart:
            inputs = self.pad(inputs)
        if not self.channels_last:
            return self.activation(self.conv(inputs))
        return self.activation(self.conv(inputs.permute(self._to_torch)).permute(self._to_keras))

    def torch_layout_call(self):
        """Return how the layer computes in torch's layout, where the activation allows it."""
        modules = self._modules
        return self.layout_call(lambda x: modules["conv"](self.padded(x)))


def kernel_axes(rank):
    """Return torch's axes of a kernel in Keras's order: spatial axes, then the two of channels in reverse."""
    return (*range(2, rank + 2), 1, 0)


class Conv1D(Convolution):
    """Convolution over sequences. Wraps `torch.nn.Conv1d` as `self.conv`.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias: See
            `Convolution`; `padding` may also be `"causal"`.

    Shapes:
        input `(batch, steps, channels)` -> output `(batch, new_steps, filters)`; channels second with
        `"channels_first"`
        kernel `(kernel_size, channels / groups, filters)`, held as `conv.weight` of shape
        `(filters, channels / groups, kernel_size)`; bias `(filters,)`

    Source: Keras 3 `keras.layers.Conv1D`. Differs from torch: Glorot uniform kernel and zero bias; `"same"`
    puts the extra zero of an odd number at the end; sequences in Keras's layout are not copied.
    """

    rank = 1
    paddings = ("causal", "same", "valid")


class Conv2D(Convolution):
    """Convolution over images. Wraps `torch.nn.Conv2d` as `self.conv`.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias: See
            `Convolution`.

    Shapes:
        input `(batch, height, width, channels)` -> output `(batch, new_height, new_width, filters)`; channels
        second with `"channels_first"`
        kernel `(height, width, channels / groups, filters)`, held as `conv.weight` of shape
        `(filters, channels / groups, height, width)` in `channels_last` memory format; bias `(filters,)`

    Source: Keras 3 `keras.layers.Conv2D`. Differs from torch: Glorot uniform kernel and zero bias; `"same"`
    puts the extra zero of an odd number at the end.
    """

    rank = 2


class Conv3D(Convolution):
    """Convolution over volumes. Wraps `torch.nn.Conv3d` as `self.conv`.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias: See
            `Convolution`.

    Shapes:
        input `(batch, depth, height, width, channels)` -> output `(batch, ..., filters)`; channels second
        with `"channels_first"`
        kernel `(depth, height, width, channels / groups, filters)`, held as `conv.weight` of shape
        `(filters, channels / groups, depth, height, width)` in `channels_last_3d` memory format; bias
        `(filters,)`

    Source: Keras 3 `keras.layers.Conv3D`. Differs from torch: Glorot uniform kernel and zero bias; `"same"`
    puts the extra zero of an odd number at the end.
    """

    rank = 3


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
