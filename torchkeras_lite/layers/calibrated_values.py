"""Kernels as integers in groups that GPTQ or AWQ chose, and the layout in which layers give them inputs."""

import math

import torch
from torch import nn

from torchkeras_lite.layers.quantized_values import QuantizedValues
from torchkeras_lite.quantizers import pack_int4, unpack_int4
from torchkeras_lite.quantizers.awq import AWQCalibrator
from torchkeras_lite.quantizers.gptq import GPTQCalibrator

CALIBRATORS = {"gptq": GPTQCalibrator, "awq": AWQCalibrator}


class Contraction:
    """How the kernel of an einsum equation, and its inputs, become matrices.

    Args:
        equation: In one of the forms that `EinsumDense` takes.

    Raises:
        NotImplementedError: an axis of the kernel is one of the inputs and one of the outputs, so that there
            is a matrix for each index; or no axis is summed over.
    """

    def __init__(self, equation):
        left, output = equation.replace(" ", "").split("->")
        given, letters = left.split(",")
        named = given.replace("...", "")
        summed = [letter for letter in letters if letter not in output]
        shared = [letter for letter in letters if letter in output and letter in named]
        if shared or not summed:
            raise NotImplementedError(
                "The modes 'gptq' and 'awq' need a kernel that is one matrix, summed over its rows; that "
                f"of the equation '{equation}' is none. Leave the layer out by `filters`."
            )
        offset = 0 if given.endswith("...") else -len(named)
        self.input_axes = [offset + named.index(letter) for letter in summed]
        self.summed = [letters.index(letter) for letter in summed]
        self.order = [*self.summed, *(axis for axis in range(len(letters)) if axis not in self.summed)]

    def matrix(self, kernel):
        """Return the kernel as a matrix `(outputs, inputs)`."""
        rows = math.prod(kernel.shape[axis] for axis in self.summed)
        return kernel.permute(self.order).reshape(rows, -1).T

    def kernel(self, matrix, shape):
        """Return the kernel of `shape` that `matrix` gave."""
        parts = matrix.T.reshape([shape[axis] for axis in self.order])
        return parts.permute([self.order.index(axis) for axis in range(len(shape))])

    def rows(self, inputs):
        """Return the inputs of a call as a matrix `(samples, inputs)`."""
        count = len(self.input_axes)
        last = inputs.movedim(self.input_axes, list(range(-count, 0)))
        return last.flatten(-count).flatten(0, -2)


class CalibratedValues(QuantizedValues):
    """The values of a kernel as integers in groups, in Keras's layout `(outputs, inputs)`.

    Integers of four bits lie two in a byte, neighbours of the first axis.

    Args:
        values: The kernel, floats.
        contraction: Its `Contraction`.
        config: A `GPTQConfig` or an `AWQConfig`.
        zero_suffix: What the zero points add to the weight's name.
    """

    activation_quantizer = None

    def __init__(self, values, contraction, config, zero_suffix="_zero"):
        nn.Module.__init__(self)
        self.contraction, self.shape = contraction, tuple(values.shape)
        self.zero_suffix = zero_suffix
        matrix = contraction.matrix(values.float())
        self.rows, self.packed = matrix.shape[0], config.weight_bits == 4
        for name in ("integers", "scale", "zero", "input_scales", "groups"):
            self.register_buffer(name, None)
        self.take(CALIBRATORS[config.mode](config).integers(matrix))

    def take(self, found):
        """Hold what a calibrator found, `GroupedIntegers`."""
        self.integers = pack_int4(found.integers, axis=0, dtype="uint8")[0] if self.packed else found.integers
        self.scale, self.zero, self.groups = found.scale, found.zero, found.groups
        self.input_scales = found.input_scales

    def parts(self):
        """Return the buffers that a file has, with what they add to the weight's name."""
        parts = {"": "integers", "_scale": "scale", self.zero_suffix: "zero"}
        scales = {} if self.input_scales is None else {"awq_scales": "input_scales"}
        return {**parts, **scales, "g_idx": "groups"}

    def unpacked(self):
        """Return the integers `(outputs, inputs)`, uint8."""
        return unpack_int4(self.integers, self.rows, axis=0, dtype="uint8") if self.packed else self.integers

    def floats(self, dtype, rows=None):
        """Return the kernel as floats."""
        groups, scale = self.groups.to(torch.int64), self.scale
        zero = self.zero.index_select(1, groups).to(scale.dtype)
        matrix = (self.unpacked().to(scale.dtype) - zero) * scale.index_select(1, groups)
        if self.input_scales is not None:
            matrix = matrix / self.input_scales
        return self.contraction.kernel(matrix, self.shape).to(dtype)


class CalibratedEinsum(nn.Module):
    """What `torch.einsum(equation, inputs, kernel)` computes, with `CalibratedValues` of the kernel."""

    def __init__(self, values, equation):
        super().__init__()
        self.values, self.equation = values, equation

    def forward(self, inputs):
        """Return the sum of products."""
        return torch.einsum(self.equation, inputs, self.floats(inputs.dtype))

    def floats(self, dtype):
        """Return the kernel as floats."""
        return self.values.floats(dtype)
