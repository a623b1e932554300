"""Separable convolutions: each channel by itself first, then across channels at each place."""

from torchkeras_lite.engine.weights import WeightSpec
from torchkeras_lite.layers.convolution import PaddedConvolution, kernel_axes
from torchkeras_lite.layers.depthwise_convolution import depthwise_spec
from torchkeras_lite.layers.spatial_arguments import count


def _of(argument):
    return property(lambda self: getattr(self, argument), doc=f"The same as `{argument}`.")


class SeparableConvolution(PaddedConvolution):
    """Base of `SeparableConv1D` and `SeparableConv2D`: a depthwise convolution, then one across channels.

    Wraps two `torch.nn.Conv1d` or `Conv2d`, `self.depthwise` and `self.pointwise`, made when the first input
    is seen.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: See
            `Convolution`; `padding` is `"valid"` or `"same"`. Strides and dilation are those of the depthwise
            step.
        depth_multiplier: Number of outputs of the depthwise step for each input channel, an integer > 0.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: Those of the depthwise kernel.
        pointwise_initializer, pointwise_regularizer, pointwise_constraint: Those of the pointwise kernel.
        bias_initializer, bias_regularizer, bias_constraint: Those of the bias, which is added at the end.
        activity_regularizer: Penalty on the outputs.

    Raises:
        ValueError: an argument outside what is said above; inputs with another number of axes or channels, or
            smaller than the window.
    """

    keeps_batch = True
    weight_arguments = ("depthwise", "pointwise", "bias")
    depthwise_kernel_initializer = _of("depthwise_initializer")
    depthwise_kernel_regularizer = _of("depthwise_regularizer")
    depthwise_kernel_constraint = _of("depthwise_constraint")
    pointwise_kernel_initializer = _of("pointwise_initializer")
    pointwise_kernel_regularizer = _of("pointwise_regularizer")
    pointwise_kernel_constraint = _of("pointwise_constraint")

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        depth_multiplier=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        pointwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        pointwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
        pointwise_constraint=None,
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
            pointwise=(pointwise_initializer, pointwise_regularizer, pointwise_constraint),
            bias=(bias_initializer, bias_regularizer, bias_constraint),
            **kwargs,
        )
        self.filters = count(self, "filters", filters)
        self.depth_multiplier = count(self, "depth_multiplier", depth_multiplier)

    @property
    def weight_specs(self):
        """The depthwise and the pointwise kernel, and the bias."""
        return (
            depthwise_spec(self, "depthwise_kernel", "depthwise.weight"),
            WeightSpec(
                "pointwise_kernel",
                "pointwise.weight",
                kernel_axes(self.rank),
                memory_format=self.weight_memory_format,
            ),
            WeightSpec("bias", "pointwise.bias"),
        )

    def build(self, input_shape):
        """Make the torch modules for the channels of `input_shape`."""
        channels = self.prepare(input_shape)
        between = channels * self.depth_multiplier
        module = self.torch_module("Conv")
        self.depthwise = module(
            channels,
            between,
            self.kernel_size,
            self.strides,
            self.module_padding,
            self.dilation_rate,
            channels,
            bias=False,
        )
        self.pointwise = module(between, self.filters, 1, bias=self.use_bias)

    def call(self, inputs):
        """Convolve twice, and apply the activation."""
        if self.pads_apart:
            inputs = self.pad(inputs)
        return self.activation(
            self.as_user_layout(self.pointwise(self.depthwise(self.as_torch_layout(inputs))))
        )

    def torch_layout_call(self):
        """Return how the layer computes in torch's layout, where the activation allows it."""
        modules = self._modules
        return self.layout_call(lambda x: modules["pointwise"](modules["depthwise"](self.padded(x))))


class SeparableConv1D(SeparableConvolution):
    """Separable convolution over sequences.

    Wraps two `torch.nn.Conv1d`, `self.depthwise` and `self.pointwise`.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, depth_multiplier, activation,
            use_bias: See `SeparableConvolution`.

    Shapes:
        input `(batch, steps, channels)` -> output `(batch, new_steps, filters)`; channels second with
        `"channels_first"`
        depthwise kernel `(kernel_size, channels, depth_multiplier)`, pointwise kernel
        `(1, channels * depth_multiplier, filters)`, bias `(filters,)`

    Source: Keras 3 `keras.layers.SeparableConv1D`.
    """

    rank = 1


class SeparableConv2D(SeparableConvolution):
    """Separable convolution over images.

    Wraps two `torch.nn.Conv2d`, `self.depthwise` and `self.pointwise`.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, depth_multiplier, activation,
            use_bias: See `SeparableConvolution`.

    Shapes:
        input `(batch, height, width, channels)` -> output `(batch, new_height, new_width, filters)`; channels
        second with `"channels_first"`
        depthwise kernel `(height, width, channels, depth_multiplier)`, pointwise kernel
        `(1, 1, channels * depth_multiplier, filters)`, bias `(filters,)`

    Source: Keras 3 `keras.layers.SeparableConv2D`.
    """

    rank = 2


SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
