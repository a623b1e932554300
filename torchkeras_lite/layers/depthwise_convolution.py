"""Depthwise convolutions: every channel is convolved by itself."""

from dataclasses import dataclass

from torchkeras_lite.engine.weights import WeightSpec
from torchkeras_lite.layers.convolution import PaddedConvolution
from torchkeras_lite.layers.spatial_arguments import count


@dataclass(frozen=True)
class DepthwiseSpec(WeightSpec):
    """A kernel of shape (..., channels, depth_multiplier), kept as (channels * depth_multiplier, 1, ...).

    Args:
        depth_multiplier: Number of outputs a channel.
    """

    depth_multiplier: int = 1

    def to_keras(self, tensor):
        """Return a torch weight as a view in Keras's layout."""
        return tensor.squeeze(1).unflatten(0, (-1, self.depth_multiplier)).permute(self.keras_axes)

    def from_keras(self, tensor):
        """Return a tensor in Keras's layout in torch's."""
        rank = tensor.ndim - 2
        return tensor.permute(rank, rank + 1, *range(rank)).flatten(0, 1).unsqueeze(1)


def depthwise_spec(layer, name, at):
    """Return the spec of the depthwise kernel `name` of `layer`, kept at `at`."""
    axes = (*range(2, layer.rank + 2), 0, 1)
    return DepthwiseSpec(
        name,
        at,
        axes,
        memory_format=layer.weight_memory_format,
        depth_multiplier=layer.depth_multiplier,
    )


class DepthwiseConvolution(PaddedConvolution):
    """Base of `DepthwiseConv1D` and `DepthwiseConv2D`: every channel has kernels of its own.

    Wraps `torch.nn.Conv1d` or `Conv2d` with as many groups as the input has channels as `self.conv`, made
    when the first input is seen.

    Args:
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: See `Convolution`;
        `padding` is
            `"valid"` or `"same"`.
        depth_multiplier: Number of outputs for each input channel, an integer > 0.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: Those of the kernel.
        bias_initializer, bias_regularizer, bias_constraint: Those of the bias.
        activity_regularizer: Penalty on the outputs.

    Raises:
        ValueError: an argument outside what is said above; inputs with another number of axes or channels, or
            smaller than the window.
    """

    keeps_batch = True
    weight_arguments = ("depthwise", "bias")

    def __init__(
        self,
        kernel_size,
        strides=1,
        padding="valid",
        depth_multiplier=1,
        data_format=None,
        dilation_rate=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
        bias_constraint=None,
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
            depthwise=(depthwise_initializer, depthwise_regularizer, depthwise_constraint),
            bias=(bias_initializer, bias_regularizer, bias_constraint),
            **kwargs,
        )
        self.depth_multiplier = count(self, "depth_multiplier", depth_multiplier)

    @property
    def weight_specs(self):
        """The kernel, of shape (..., channels, depth_multiplier), and the bias."""
        return depthwise_spec(self, "kernel", "conv.weight"), WeightSpec("bias", "conv.bias")

    @property
    def kernel_initializer(self):
        """The initializer of the weight `kernel`."""
        return self.depthwise_initializer

    @property
    def kernel_regularizer(self):
        """The regularizer of the weight `kernel`."""
        return self.depthwise_regularizer

    @property
    def kernel_constraint(self):
        """The constraint of the weight `kernel`."""
        return self.depthwise_constraint

    def build(self, input_shape):
        """Make the torch module for the channels of `input_shape`."""
        channels = self.prepare(input_shape)
        self.conv = self.torch_module("Conv")(
            channels,
            channels * self.depth_multiplier,
            self.kernel_size,
            self.strides,
            self.module_padding,
            self.dilation_rate,
            channels,
            self.use_bias,
        )

    def call(self, inputs):
        """Convolve, and apply the activation."""
        if self.pads_apart:
            inputs = self.pad(inputs)
        return self.activation(self.as_user_layout(self.conv(self.as_torch_layout(inputs))))

    def torch_layout_call(self):
        """Return how the layer computes in torch's layout, where the activation allows it."""
        modules = self._modules
        return self.layout_call(lambda x: modules["conv"](self.padded(x)))


class DepthwiseConv1D(DepthwiseConvolution):
    """Convolution of each channel of sequences by itself. Wraps `torch.nn.Conv1d` as `self.conv`.

    Args:
        kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, activation, use_bias: See
            `DepthwiseConvolution`.

    Shapes:
        input `(batch, steps, channels)` -> output `(batch, new_steps, channels * depth_multiplier)`; channels
        second with `"channels_first"`
        kernel `(kernel_size, channels, depth_multiplier)`, held as `conv.weight`
        `(channels * depth_multiplier, 1, kernel_size)`; bias `(channels * depth_multiplier,)`

    Source: Keras 3 `keras.layers.DepthwiseConv1D`.
    """

    rank = 1


class DepthwiseConv2D(DepthwiseConvolution):
    """Convolution of each channel of images by itself. Wraps `torch.nn.Conv2d` as `self.conv`.

    Args:
        kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, activation, use_bias: See
            `DepthwiseConvolution`.

    Shapes:
        input `(batch, height, width, channels)` -> output
        `(batch, new_height, new_width, channels * depth_multiplier)`; channels second with `"channels_first"`
        kernel `(height, width, channels, depth_multiplier)`, held as `conv.weight`
        `(channels * depth_multiplier, 1, height, width)`; bias `(channels * depth_multiplier,)`

    Source: Keras 3 `keras.layers.DepthwiseConv2D`.
    """

    rank = 2
