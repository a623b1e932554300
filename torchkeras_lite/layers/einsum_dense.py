"""EinsumDense: a fully connected layer over any axes, written as an einsum equation."""

import copy
import re

import torch

from torchkeras_lite import activations, constraints, initializers, regularizers
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.initializers import VarianceScaling
from torchkeras_lite.layers.calibrated_values import CalibratedEinsum, CalibratedValues, Contraction
from torchkeras_lite.layers.quantizable import QuantizableLayer
from torchkeras_lite.layers.quantized_values import QuantizedEinsum
from torchkeras_lite.quantizers.configs import CALIBRATED_MODES

_EQUATION = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


class EinsumDense(QuantizableLayer):
    """Fully connected layer over any axes: `activation(einsum(equation, x, kernel) + bias)`.

    Args:
        equation: Equation of `torch.einsum` for the inputs and the kernel, `"abc,cd->abd"`. `...` may stand
            for further axes before or behind the letters of inputs and outputs.
        output_shape: Sizes of the output that its letters name, without the batch (and without `...`);
            `None` for an axis whose size is that of the input.
        activation: Name or callable; `None` keeps the values as they are.
        bias_axes: Letters of the output for which there is a bias; `None`: no bias.
        kernel_initializer, bias_initializer: What the weights are drawn from. Fans follow from the equation:
            axes that are summed over are inputs of a unit, the others outputs.
        kernel_regularizer, bias_regularizer: Penalties on the weights, added to the loss.
        kernel_constraint, bias_constraint: Projections of the weights after every update.
        lora_rank, lora_alpha: Train a low-rank product beside a frozen kernel; see `enable_lora`.
        gptq_unpacked_column_size: Kept for Keras's files; the number of outputs before GPTQ packed
            them, which follows from the equation.
        quantization_config: Settings that `quantize` uses where it is given none.

    Shapes:
        as the equation says; kernel: the sizes of its letters; bias: those of `bias_axes`, 1 for letters
        behind them

    Raises:
        ValueError: an equation of another form; letters without a size; sizes that contradict one another.

    Source: Keras 3 `keras.layers.EinsumDense`; torch's `torch.einsum`.
    """

    config_names_activity_regularizer = True

    config_omits_none = ("lora_rank", "lora_alpha", "gptq_unpacked_column_size")
    quantized_module = "product"
    stored_modules = ("product",)

    def __init__(
        self,
        equation,
        output_shape,
        activation=None,
        bias_axes=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        lora_rank=None,
        lora_alpha=None,
        gptq_unpacked_column_size=None,
        quantization_config=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._take_quantization(quantization_config)
        self.gptq_unpacked_column_size = gptq_unpacked_column_size
        self._take_low_rank(lora_rank, lora_alpha)
        self.equation = equation
        sizes = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.__dict__["output_shape"] = (
            sizes  # for the config; the attribute is the shape of the whole output
        )
        self.partial_output_shape = sizes
        self.bias_axes = bias_axes
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape):
        """Make the kernel and the bias that the equation asks for."""
        letters, kernel_shape, bias_shape = weight_shapes(self, tuple(input_shape))
        kernel_letters, output_letters = letters
        self.input_spec = _input_spec(
            self.equation.replace(" ", ""), dict(zip(kernel_letters, kernel_shape, strict=True))
        )
        self.kernel = self.add_weight(
            name="kernel",
            shape=kernel_shape,
            initializer=with_fans(self.kernel_initializer, kernel_letters, output_letters),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if bias_shape is not None:
            self.bias = self.add_weight(
                name="bias",
                shape=bias_shape,
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def call(self, inputs):
        """Multiply, add the bias and apply the activation."""
        if self.quantized_at is None:
            y = torch.einsum(self.equation, inputs, self.kernel)
        else:
            y = self.product(inputs)
            if self.lora_enabled:
                y = y + torch.einsum(self.equation, inputs, self.low_rank_product().to(inputs.dtype))
        return self.activation(y if self.bias is None else y + self.bias.to(y.dtype))

    def contraction(self):
        """Return how the kernel is summed over the inputs."""
        return Contraction(self.equation)

    @property
    def kernel_zero(self):
        """The zero points of a layer that was quantized to a mode that calibrates."""
        if self.quantization_mode not in CALIBRATED_MODES:
            raise AttributeError(f"{describe(self)} has no `kernel_zero`: its mode is not 'gptq' or 'awq'.")
        return self.zero_point

    def _quantized(self, values, config):
        if config.mode in CALIBRATED_MODES:
            kernel = CalibratedValues(values, self.contraction(), config, zero_suffix="zero_point")
            return CalibratedEinsum(kernel, self.equation)
        return QuantizedEinsum(values, self.equation, config)


def _input_spec(equation, kernel_sizes):
    """Return the spec of inputs whose axes have the sizes that the kernel was made for."""
    given = equation.partition(",")[0]
    letters = given.replace("...", "")
    start = -len(letters) if given.startswith("...") else 0
    axes = {start + place: kernel_sizes[one] for place, one in enumerate(letters) if one in kernel_sizes}
    rank = {"ndim": len(letters)} if letters == given else {"min_ndim": len(letters)}
    return InputSpec(axes=axes, **rank)


def weight_shapes(layer, input_shape):
    """Return the letters of kernel and output, the shape of the kernel, and that of the bias or `None`.

    Args:
        layer: The `EinsumDense`.
        input_shape: Shape of the inputs, the batch first.
    """
    match = _EQUATION.fullmatch(layer.equation.replace(" ", ""))
    left, given, right, kernel, out_left, output, out_right = match.groups() if match else (None,) * 7
    if match is None or (left, right) != (out_left, out_right) or (left and right):
        raise ValueError(
            f"{describe(layer)}: Invalid einsum equation '{layer.equation}'. Equations must be in the form "
            "[X],[Y]->[Z], ...[X],[Y]->...[Z], or [X]...,[Y]->[Z]...."
        )
    elided = len(input_shape) - len(given)
    if elided < 0:
        raise ValueError(
            f"{describe(layer)}: the equation '{layer.equation}' names {len(given)} axes of the input, got "
            f"an input of shape {input_shape}. Pass inputs with {len(given)} axes, or change the equation."
        )
    named = input_shape[elided:] if left else input_shape[: len(given)]
    input_sizes = dict(zip(given, named, strict=True))
    sizes = layer.partial_output_shape
    if right:  # the batch is named, and sizes of elided axes may be given too
        sizes = (input_shape[0], *sizes[: len(output) - 1])
    elif not left:
        sizes = (input_shape[0], *sizes)[: len(output)]
    sizes = sizes[-len(output) :] if len(sizes) >= len(output) else sizes
    if len(sizes) != len(output):
        raise ValueError(
            f"{describe(layer)}: `output_shape` must give the sizes of the output axes '{output}' of the "
            f"equation '{layer.equation}', without the batch; got "
            f"output_shape={layer.partial_output_shape}."
        )
    output_sizes = dict(zip(output, sizes, strict=True))
    for letter in input_sizes.keys() & output_sizes.keys():
        one, two = input_sizes[letter], output_sizes[letter]
        if one != two and None not in (one, two):
            raise ValueError(
                f"{describe(layer)}: Input shape and output shape do not match at shared dimension "
                f"'{letter}'. Input shape is {one}, and output shape is {two}."
            )
    for letter in output:
        if letter not in given and letter not in kernel:
            raise ValueError(
                f"{describe(layer)}: Dimension '{letter}' was specified in the output '{output}' but has "
                f"no corresponding dim in the input spec '{given}' or weight spec '{kernel}'."
            )
    known = {
        **output_sizes,
        **{k: v for k, v in input_sizes.items() if v is not None or k not in output_sizes},
    }
    for letter in kernel:
        if known.get(letter) is None:
            raise ValueError(
                f"{describe(layer)}: Weight dimension '{letter}' did not have a match in either the input "
                f"spec '{given}' or the output spec '{output}', or its size is unknown. For this layer, "
                "the weight must be fully specified."
            )
    kernel_shape = tuple(known[letter] for letter in kernel)
    bias_shape = _bias_shape(layer, output, known, elided if right else 0) if layer.bias_axes else None
    return (kernel, output), kernel_shape, bias_shape


def _bias_shape(layer, output, known, elided):
    for letter in layer.bias_axes:
        if letter not in output:
            raise ValueError(
                f"{describe(layer)}: Bias dimension '{letter}' was requested, but is not part of the "
                f"output spec '{output}'."
            )
        if known.get(letter) is None:
            raise ValueError(
                f"{describe(layer)}: the size of the bias dimension '{letter}' is unknown; give it in "
                "`output_shape`."
            )
    first = min(output.index(letter) for letter in layer.bias_axes)
    own = tuple(known[letter] if letter in layer.bias_axes else 1 for letter in output[first:])
    return own + (1,) * elided


def with_fans(initializer, kernel, output):
    """Return `initializer`, told which axes of the kernel are inputs and which outputs."""
    if not isinstance(initializer, VarianceScaling) or initializer.input_axes is not None:
        return initializer
    informed = copy.copy(initializer)
    informed.input_axes = [axis for axis, letter in enumerate(kernel) if letter not in output]
    informed.output_axes = [axis for axis, letter in enumerate(kernel) if letter in output]
    return informed
