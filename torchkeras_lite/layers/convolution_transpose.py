"""Transposed convolutions: the gradient of a convolution, used forward to make its input larger."""

from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.torch_layout import in_user_layout
from torchkeras_lite.engine.weights import WeightSpec
from torchkeras_lite.layers.convolution import ConvolutionLayer, kernel_axes
from torchkeras_lite.layers.spatial_arguments import count, refuse_strided_dilation, sizes


class ConvolutionTranspose(ConvolutionLayer):
    """Base of `Conv1DTranspose`, `Conv2DTranspose` and `Conv3DTranspose`.

    Wraps `torch.nn.ConvTranspose1d`, `ConvTranspose2d` or `ConvTranspose3d` as `self.conv`, made when the
    first input is seen.

    Args:
        filters, kernel_size, data_format, dilation_rate, activation, use_bias: See `Convolution`, as the
            initializers, regularizers and constraints.
        strides: Distance between the windows that neighbouring input values are spread over; the factor by
            which the input grows.
        padding: `"valid"`: all values that an input reaches, `(size - 1) * strides + max(window, strides)` of
            them; `"same"`: `size * strides` values.
        output_padding: How many values are added at the end, less than `strides`; counted from `(size - 1) *
            strides + window` (`"valid"`) or `(size - 1) * strides + window % 2` (`"same"`). `None`: the sizes
            above.

    Raises:
        ValueError: an argument outside what is said above; inputs with another number of axes or channels.
    """

    keeps_batch = True

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        output_padding=None,
        data_format=None,
        dilation_rate=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
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
            kernel=(kernel_initializer, kernel_regularizer, kernel_constraint),
            bias=(bias_initializer, bias_regularizer, bias_constraint),
            **kwargs,
        )
        self.filters = count(self, "filters", filters)
        self.output_padding = output_padding
        if output_padding is not None:
            self.output_padding = sizes(self, "output_padding", output_padding, self.rank, allow_zero=True)
            self._check_output_padding()
        refuse_strided_dilation(self)
        self._decide_crops()

    def _check_output_padding(self):
        for axis, (extra, stride) in enumerate(zip(self.output_padding, self.strides, strict=True)):
            if extra >= stride:
                raise ValueError(
                    f"{describe(self)}: `output_padding` must be strictly less than `strides` for all "
                    f"dimensions. At dimension {axis}, `output_padding` is {extra} but `strides` is "
                    f"{stride}. Received: output_padding={self.output_padding}, strides={self.strides}. Pass "
                    "a smaller one."
                )

    def _decide_crops(self):
        """Divide the crop of the full result between torch's module and a slice.

        The module takes as much off both ends; `output_padding` gives back at the end."""
        crops = []
        for axis, (window, stride) in enumerate(zip(self.window, self.strides, strict=True)):
            if self.output_padding is None:
                crops.append(window - stride if self.padding == "same" else min(window - stride, 0))
            else:
                whole = window // 2 * 2 if self.padding == "same" else 0
                crops.append(whole - self.output_padding[axis])
        self.module_padding = tuple(max(crop // 2, 0) for crop in crops)
        rests = [crop - 2 * padding for crop, padding in zip(crops, self.module_padding, strict=True)]
        self.module_output_padding = tuple(max(-rest, 0) for rest in rests)
        self.crops_end = any(rest > 0 for rest in rests)
        kept = [slice(None, -1) if rest > 0 else slice(None) for rest in rests]
        self._kept = (slice(None), *kept) if self.channels_last else (..., *kept)

    @property
    def weight_specs(self):
        """The kernel, spatial axes first, then those of filters and input channels, and the bias."""
        return (
            WeightSpec(
                "kernel", "conv.weight", kernel_axes(self.rank), memory_format=self.weight_memory_format
            ),
            WeightSpec("bias", "conv.bias"),
        )

    def build(self, input_shape):
        """Make the torch module for the channels of `input_shape`."""
        self.conv = self.torch_module("ConvTranspose")(
            self.prepare(input_shape),
            self.filters,
            self.kernel_size,
            self.strides,
            self.module_padding,
            self.module_output_padding,
            1,
            self.use_bias,
            self.dilation_rate,
        )

    def call(self, inputs):
        """Convolve, and apply the activation."""
        outputs = self.as_user_layout(self.conv(self.as_torch_layout(inputs)))
        if self.crops_end:  # in the user's layout, so that the gradient is in it too
            outputs = outputs[self._kept]
        return self.activation(outputs)

    def torch_layout_call(self):
        """Return how the layer computes in torch's layout, where the activation allows it."""
        modules, kept = self._modules, self._kept

        def convolve(x):
            y = modules["conv"](x)
            return in_user_layout(lambda outputs: outputs[kept], y) if self.crops_end else y

        return self.layout_call(convolve)


class Conv1DTranspose(ConvolutionTranspose):
    """Transposed convolution over sequences. Wraps `torch.nn.ConvTranspose1d` as `self.conv`.

    Args:
        filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation,
            use_bias: See `ConvolutionTranspose`.

    Shapes:
        input `(batch, steps, channels)` -> output `(batch, new_steps, filters)`; channels second with
        `"channels_first"`
        kernel `(kernel_size, filters, channels)`, held as `conv.weight` `(channels, filters, kernel_size)`;
        bias `(filters,)`

    Source: Keras 3 `keras.layers.Conv1DTranspose`. Differs from torch: the size of the output is `size *
    strides` with `"same"`, and never below that with `"valid"`.
    """

    rank = 1


class Conv2DTranspose(ConvolutionTranspose):
    """Transposed convolution over images. Wraps `torch.nn.ConvTranspose2d` as `self.conv`.

    Args:
        filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation,
            use_bias: See `ConvolutionTranspose`.

    Shapes:
        input `(batch, height, width, channels)` -> output `(batch, new_height, new_width, filters)`; channels
        second with `"channels_first"`
        kernel `(height, width, filters, channels)`, held as `conv.weight`
        `(channels, filters, height, width)`; bias `(filters,)`

    Source: Keras 3 `keras.layers.Conv2DTranspose`. Differs from torch: as `Conv1DTranspose`.
    """

    rank = 2


class Conv3DTranspose(ConvolutionTranspose):
    """Transposed convolution over volumes. Wraps `torch.nn.ConvTranspose3d` as `self.conv`.

    Args:
        filters, kernel_size, strides, padding, data_format, output_padding, dilation_rate, activation,
            use_bias: See `ConvolutionTranspose`; `data_format` comes before `output_padding` here, as in
                Keras.

    Shapes:
        input `(batch, depth, height, width, channels)` -> output `(batch, ..., filters)`; channels second
        with `"channels_first"`
        kernel `(depth, height, width, filters, channels)`, held as `conv.weight`
        `(channels, filters, depth, height, width)`; bias `(filters,)`

    Source: Keras 3 `keras.layers.Conv3DTranspose`. Differs from torch: as `Conv1DTranspose`.
    """

    rank = 3

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        output_padding=None,
        dilation_rate=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            output_padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            **kwargs,
        )


Convolution1DTranspose, Convolution2DTranspose, Convolution3DTranspose = (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
)
