"""Integers with a scale: by the largest absolute value, in groups with a zero point, and for training."""

import math

import torch

from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensor


class Quantizer:
    """Base of quantizers: a subclass defines `__call__(x)`, which returns integers and their scale.

    Args:
        output_dtype: Dtype of the integers.

    Source: Keras 3 `keras.Quantizer`.
    """

    def __init__(self, output_dtype="int8"):
        self.output_dtype = output_dtype

    def __call__(self, x):
        """Return `x` as it is; subclasses quantize."""
        return x

    @classmethod
    def from_config(cls, config):
        """Return the quantizer that `get_config` described."""
        return cls(**config)

    def get_config(self):
        """Return the constructor's arguments; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not implement get_config(). Define it.")


class AbsMaxQuantizer(Quantizer):
    """Divides by the largest absolute value along an axis, so that it becomes the largest integer.

    Args:
        axis: Axis or axes over which the largest value is taken; `None`: given in the call, or the last.
        value_range: Smallest and largest integer.
        epsilon: Added to the largest value.
        output_dtype: Dtype of the integers.

    Raises:
        ValueError: a range that int8 does not hold.

    Source: Keras 3 `keras.quantizers.AbsMaxQuantizer`.
    """

    def __init__(self, axis=None, value_range=(-127, 127), epsilon=1e-07, output_dtype="int8"):
        super().__init__(output_dtype)
        if output_dtype == "int8" and (value_range[0] < -128 or value_range[1] > 127):
            raise ValueError(
                "Quantizer with output_dtype='int8' requires value_range to be within the interval "
                "[-128, 127], "
                f"got value_range={value_range}."
            )
        self.axis = (axis,) if isinstance(axis, int) else None if axis is None else tuple(axis)
        self.value_range = tuple(value_range)
        self.epsilon = epsilon

    def __call__(self, x, axis=None, to_numpy=False):
        """Return `(integers, scale)`; see `abs_max_quantize`."""
        axis = self.axis if axis is None else axis
        axis = -1 if axis is None else axis
        return abs_max_quantize(x, axis, self.value_range, self.output_dtype, self.epsilon, to_numpy)

    def get_config(self):
        """Return the constructor's arguments."""
        config = {
            "value_range": self.value_range,
            "epsilon": self.epsilon,
            "output_dtype": self.output_dtype,
        }
        return config if self.axis is None else {**config, "axis": self.axis}


def abs_max_quantize(inputs, axis, value_range=(-127, 127), dtype="int8", epsilon=1e-07, to_numpy=False):
    """Return `inputs` times a scale as integers, and the scale.

    Args:
        inputs: Float tensor.
        axis: Axis or axes over which the largest absolute value is taken.
        value_range: Smallest and largest integer; the largest absolute value becomes the latter.
        dtype: Dtype of the integers.
        epsilon: Added to the largest value.
        to_numpy: Whether to compute on the CPU, which saves memory of a GPU; the results are there too.

    Returns:
        Integers in the shape of `inputs`, and the scale with axes of size 1.

    Source: Keras 3 `keras.quantizers.abs_max_quantize`.
    """
    inputs = as_tensor(inputs).detach() if to_numpy else as_tensor(inputs)
    inputs = inputs.cpu() if to_numpy else inputs
    scale = value_range[1] / (inputs.abs().amax(axis, keepdim=True) + epsilon)
    scale = scale.to(inputs.dtype)
    integers = (inputs * scale).round().clamp(*value_range)
    return integers.to(torch_dtype(dtype)), scale


def abs_max_quantize_grouped_with_zero_point(
    inputs, block_size, value_range=(-8, 7), dtype="int8", epsilon=1e-07, to_numpy=False
):
    """Return the integers of a matrix whose columns have a scale and a zero point for every block of rows.

    `inputs` is about `(integers - zero_point) * scale`.

    Args:
        inputs: Float matrix `(rows, columns)`.
        block_size: Rows of a block.
        value_range: Smallest and largest integer.
        dtype: Dtype of the integers.
        epsilon: Added to the difference of the largest and the smallest value.
        to_numpy: Whether to compute on the CPU; the results are there too.

    Returns:
        Integers `(rows, columns)`, scale and zero point `(blocks, columns)`, the latter int8.

    Source: Keras 3 `keras.quantizers.abs_max_quantize_grouped_with_zero_point`. Differs from Keras: one
    arithmetic for both values of `to_numpy`.
    """
    inputs = as_tensor(inputs).detach()
    inputs = inputs.cpu() if to_numpy else inputs
    rows, columns = inputs.shape
    lowest, highest = value_range
    blocks = math.ceil(rows / block_size)
    padded = torch.nn.functional.pad(inputs, (0, 0, 0, blocks * block_size - rows))
    grouped = padded.reshape(blocks, block_size, columns)
    low, high = grouped.amin(1, keepdim=True), grouped.amax(1, keepdim=True)
    scale = (high - low + epsilon) / (highest - lowest)
    zero_point = ((-low / scale).round() + lowest).clamp(lowest, highest)
    integers = ((grouped / scale).round() + zero_point).clamp(lowest, highest)
    integers = integers.reshape(-1, columns)[:rows].to(torch_dtype(dtype))
    return integers, scale.squeeze(1), zero_point.squeeze(1).to(torch.int8)


@operation(tensors=3, name="FakeQuantWithMinMaxVars", family="quantizers")
def fake_quant_with_min_max_vars(inputs, min_vals, max_vals, num_bits=8, narrow_range=False, axis=None):
    """Return `inputs` rounded to the values that `num_bits` can tell apart between two ends.

    Args:
        inputs: Float tensor.
        min_vals, max_vals: The ends: numbers, or one value an index of `axis`. They are moved a little, so
            that
            0 is among the values.
        num_bits: Number of bits.
        narrow_range: Whether the smallest integer is left out.
        axis: Axis along which the ends differ, or `None`.

    Gradients go through the rounding to `inputs` inside the ends, and to the ends outside.

    Source: Keras 3 `keras.quantizers.fake_quant_with_min_max_vars`; Jacob et al. 2018, arXiv:1712.05877.
    """
    inputs = as_tensor(inputs)
    low, high = as_tensor(min_vals).to(inputs.device), as_tensor(max_vals).to(inputs.device)
    smallest, largest = int(narrow_range), 2**num_bits - 1
    if axis is not None:
        shape = [1] * inputs.ndim
        shape[axis] = -1
        low, high = low.reshape(shape), high.reshape(shape)
    else:
        low, high = low.reshape(()), high.reshape(())
    return _FakeQuantization.apply(inputs, low, high, smallest, largest)


class _FakeQuantization(torch.autograd.Function):
    """Rounds forward, and backward lets gradients through as if nothing had been rounded."""

    @staticmethod
    def forward(ctx, inputs, low, high, smallest, largest):
        low, high = low.float(), high.float()
        ctx.shapes = low.shape, high.shape
        scale = (high - low) / (largest - smallest)
        inverse = (largest - smallest) / (high - low)
        zero_point = (smallest - low / scale).clamp(smallest, largest).round()
        low, high = (smallest - zero_point) * scale, (largest - zero_point) * scale
        ctx.save_for_backward(inputs, low, high)
        shifted = torch.minimum(torch.maximum(inputs.float(), low), high) - low
        zero = (-low * inverse + 0.5).floor()
        return ((shifted * inverse - zero + 0.5).floor() * scale).to(inputs.dtype)

    @staticmethod
    def backward(ctx, gradient):
        inputs, low, high = ctx.saved_tensors
        zero = torch.zeros((), dtype=gradient.dtype, device=gradient.device)
        inside = torch.where((inputs >= low) & (inputs <= high), gradient, zero)
        below = torch.where(inputs <= low, gradient, zero).sum_to_size(ctx.shapes[0])
        above = torch.where(inputs >= high, gradient, zero).sum_to_size(ctx.shapes[1])
        return inside, below, above, None, None
