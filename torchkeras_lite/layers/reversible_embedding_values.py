"""The matrix of a `ReversibleEmbedding`'s second direction as integers of four bits."""

from torch import nn

from torchkeras_lite.layers.quantized_values import QuantizedValues
from torchkeras_lite.quantizers import (
    AbsMaxQuantizer,
    abs_max_quantize_grouped_with_zero_point,
    pack_int4,
    unpack_int4,
)


class PackedColumns(QuantizedValues):
    """A matrix as integers of four bits, two neighbours of a column in a byte; scales are along the columns.

    Args:
        values: Float matrix.
        config: An `Int4QuantizationConfig`.
    """

    def __init__(self, values, config):
        nn.Module.__init__(self)
        self.activation_quantizer = config.activation_quantizer
        self.rows = values.shape[0]
        self.block_size = config.block_size if (config.block_size or 0) > 0 else None
        if self.block_size:
            integers, scale, zero = abs_max_quantize_grouped_with_zero_point(values, self.block_size)
            self.register_buffer("zero", zero)
        else:
            quantizer = config.weight_quantizer or AbsMaxQuantizer(value_range=(-8, 7))
            integers, scale = quantizer(values, axis=0)
            scale = scale.squeeze(0)
        self.register_buffer("integers", pack_int4(integers, axis=0)[0])
        self.register_buffer("scale", scale)

    def parts(self):
        """Return the buffers that a file has, with what they add to the weight's name."""
        parts = {"": "integers", "_scale": "scale"}
        return {**parts, "_zero": "zero"} if self.block_size else parts

    def floats(self, dtype, rows=None):
        """Return the matrix as floats, its rows at `rows` or all."""
        integers = unpack_int4(self.integers, self.rows, axis=0).to(dtype)
        if self.block_size:
            zero, scale = (
                part.to(dtype).repeat_interleave(self.block_size, 0)[: self.rows]
                for part in (self.zero, self.scale)
            )
            values = (integers - zero) * scale
        else:
            values = integers / self.scale.to(dtype)
        return values if rows is None else values[rows]
