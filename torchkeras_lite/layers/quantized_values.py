"""Quantized weights as small torch modules: integers of eight or four bits, and what turns them back."""

import math

import torch
from torch import nn

from torchkeras_lite.quantizers import (
    AbsMaxQuantizer,
    abs_max_quantize_grouped_with_zero_point,
    pack_int4,
    unpack_int4,
)


class QuantizedValues(nn.Module):
    """The values of a weight as integers, in Keras's layouts.

    Args:
        values: Float tensor.
        axes: Axes that share a scale: those that are summed over.
        config: An `Int8QuantizationConfig`.
    """

    def __init__(self, values, axes, config):
        super().__init__()
        self.activation_quantizer = config.activation_quantizer
        quantizer = config.weight_quantizer or AbsMaxQuantizer()
        integers, scale = quantizer(values, axis=axes)
        self.register_buffer("integers", integers)
        self.register_buffer("scale", scale)

    def parts(self):
        """Return the buffers that a file has, with what they add to the weight's name."""
        return {"": "integers", "_scale": "scale"}

    def floats(self, dtype, rows=None):
        """Return the values as floats, those at `rows` of the first axis or all."""
        integers, scale = self.integers, self.scale
        if rows is not None:
            integers, scale = integers[rows], scale[rows]
        return integers.to(dtype) / self._beside(integers, scale).to(dtype)

    def _beside(self, integers, scale):
        return scale

    def rounded(self, inputs, axes):
        """Return inputs with the precision of the activations; gradients pass as if nothing were rounded."""
        if self.activation_quantizer is None:
            return inputs
        integers, scale = self.activation_quantizer(inputs.detach(), axis=axes)
        rounded = integers.to(inputs.dtype) / scale
        return inputs + (rounded - inputs).detach()


class PackedMatrix(QuantizedValues):
    """A matrix as integers of four bits, two neighbours of a row in a byte.

    Args:
        values: Float matrix.
        axis: The axis that is summed over: 0 or 1.
        config: An `Int4QuantizationConfig`.
    """

    def __init__(self, values, axis, config):
        nn.Module.__init__(self)
        self.activation_quantizer = config.activation_quantizer
        self.axis, self.columns = axis, values.shape[1]
        self.grouped = config.block_size is not None and config.block_size > 0
        if self.grouped:
            along = values if axis == 0 else values.T
            found = abs_max_quantize_grouped_with_zero_point(along, config.block_size)
            integers, scale, zero = found if axis == 0 else [part.T.contiguous() for part in found]
            groups = torch.arange(along.shape[0], device=values.device) // config.block_size
            self.register_buffer("zero", zero)
            self.register_buffer("groups", groups.to(torch.float32))
        else:
            quantizer = config.weight_quantizer or AbsMaxQuantizer(value_range=(-8, 7))
            integers, scale = quantizer(values, axis=axis)
            scale = scale.squeeze(axis)
        self.register_buffer("integers", pack_int4(integers, axis=1)[0])
        self.register_buffer("scale", scale)

    def parts(self):
        """Return the buffers that a file has, with what they add to the weight's name."""
        parts = {"": "integers", "_scale": "scale"}
        return {**parts, "_zero": "zero", "g_idx": "groups"} if self.grouped else parts

    def floats(self, dtype, rows=None):
        """Return the matrix as floats, its rows at `rows` or all."""
        chosen = self.integers if rows is None else self.integers[rows]
        integers = unpack_int4(chosen, self.columns, axis=-1).to(dtype)
        if not self.grouped:
            scale = self.scale if rows is None or self.axis == 0 else self.scale[rows]
            return integers / (scale if self.axis == 0 else scale.unsqueeze(-1)).to(dtype)
        groups = self.groups.to(torch.int64)
        scale, zero = self.scale, self.zero
        if rows is not None:
            scale, zero = scale[rows], zero[rows]
        dim = 0 if self.axis == 0 else -1
        return (integers - zero.index_select(dim, groups).to(dtype)) * scale.index_select(dim, groups).to(
            dtype
        )


class ScaledRows(QuantizedValues):
    """A table of vectors as integers of eight bits, one scale a row."""

    def __init__(self, values, config):
        super().__init__(values, -1, config)
        self.scale = self.scale.squeeze(-1)

    def _beside(self, integers, scale):
        return scale.unsqueeze(-1)


class ScaledColumns(QuantizedValues):
    """A matrix as integers of eight bits, one scale a column."""

    def __init__(self, values, config):
        super().__init__(values, 0, config)
        self.scale = self.scale.squeeze(0)


class QuantizedLinear(nn.Module):
    """What `nn.Linear` computes, with a quantized matrix `values` and the bias of a linear module."""

    def __init__(self, values, bias):
        super().__init__()
        self.values = values
        self.bias = bias

    def forward(self, inputs):
        """Return the product with the matrix, plus the bias."""
        outputs = self.values.rounded(inputs, -1) @ self.values.floats(inputs.dtype)
        return outputs if self.bias is None else outputs + self.bias.to(outputs.dtype)

    def floats(self, dtype):
        """Return the matrix as floats."""
        return self.values.floats(dtype)


class QuantizedTable(nn.Module):
    """What `nn.Embedding` computes, with a quantized table `values`."""

    def __init__(self, values, dtype):
        super().__init__()
        self.values = values
        self.dtype = dtype

    def forward(self, ids):
        """Return the rows at `ids`."""
        return self.values.floats(self.dtype, ids)

    def floats(self, dtype):
        """Return the table as floats."""
        return self.values.floats(dtype)


class QuantizedEinsum(nn.Module):
    """What `torch.einsum(equation, inputs, kernel)` computes, with a quantized kernel.

    Args:
        kernel: The kernel, floats.
        equation: The equation, in one of the forms that `EinsumDense` takes.
        config: The settings of `quantize`.
    """

    def __init__(self, kernel, equation, config):
        super().__init__()
        self.equation = equation.replace(" ", "")
        left, output = self.equation.split("->")
        given, letters = left.split(",")
        self.shape = tuple(kernel.shape)
        self.summed = tuple(axis for axis, letter in enumerate(letters) if letter not in output)
        self.kept = tuple(axis for axis in range(len(letters)) if axis not in self.summed)
        behind = given.endswith("...")
        named = given.replace("...", "")
        self.input_axes = [
            place if behind else place - len(named)
            for place, letter in enumerate(named)
            if letter not in output
        ]
        if config.mode == "int8":
            self.values = QuantizedValues(kernel, self.summed, config)
            kept = [letters[axis] for axis in self.kept]
            outer = output.replace("...", "")
            scale = self.values.scale.reshape([self.shape[axis] for axis in self.kept])
            scale = scale.permute([kept.index(letter) for letter in outer if letter in kept])
            self.outer = [letter in kept for letter in outer]
            sizes = iter(scale.shape)
            self.values.scale = scale.reshape([next(sizes) if found else 1 for found in self.outer])
            self.order = [[letter for letter in outer if letter in kept].index(letter) for letter in kept]
        else:
            rows = math.prod(self.shape[axis] for axis in self.summed)
            matrix = kernel.permute(*self.summed, *self.kept).reshape(rows, -1)
            self.values = PackedMatrix(matrix, 0, config)

    def forward(self, inputs):
        """Return the sum of products."""
        rounded = self.values.rounded(inputs, self.input_axes)
        return torch.einsum(self.equation, rounded, self.floats(inputs.dtype))

    def floats(self, dtype):
        """Return the kernel as floats."""
        if isinstance(self.values, PackedMatrix):
            order = (*self.summed, *self.kept)
            parts = self.values.floats(dtype).reshape([self.shape[axis] for axis in order])
            return parts.permute([order.index(axis) for axis in range(len(order))])
        scale = self.values.scale
        scale = scale.reshape([size for size, found in zip(scale.shape, self.outer, strict=True) if found])
        scale = scale.permute(self.order)
        sizes = iter(scale.shape)
        scale = scale.reshape([1 if axis in self.summed else next(sizes) for axis in range(len(self.shape))])
        return self.values.integers.to(dtype) / scale.to(dtype)
