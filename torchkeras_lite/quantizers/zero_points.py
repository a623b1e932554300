"""Integers whose groups have a scale and a zero point: `weights = (integers - zero) * scale`."""

from typing import NamedTuple

import torch


class GroupedIntegers(NamedTuple):
    """A matrix `(outputs, inputs)` as integers without sign, in groups along the inputs.

    Args:
        integers: `(outputs, inputs)`, uint8.
        scale: `(outputs, groups)`, floats.
        zero: `(outputs, groups)`, uint8.
        groups: `(inputs,)`, floats whose whole part is the group of an input.
        input_scales: `(inputs,)`, by which the weights were multiplied before rounding; `None`: by nothing.
    """

    integers: torch.Tensor
    scale: torch.Tensor
    zero: torch.Tensor
    groups: torch.Tensor
    input_scales: torch.Tensor | None = None

    def floats(self):
        """Return the matrix as floats."""
        groups = self.groups.to(torch.int64)
        scale = self.scale.index_select(1, groups)
        values = (self.integers.to(scale.dtype) - self.zero.index_select(1, groups).to(scale.dtype)) * scale
        return values if self.input_scales is None else values / self.input_scales


def scale_and_zero(weights, bits, symmetric=False, per_channel=True):
    """Return scale and zero point `(outputs, 1)` of one group, from its smallest and its largest weight.

    Args:
        weights: Floats `(outputs, inputs of the group)`.
        bits: Bits of the integers, which go from 0 to `2**bits - 1`.
        symmetric: Whether the range is the same on both sides of 0, so that the zero point is the middle.
        per_channel: Whether each output has a range of its own.

    Differs from Keras: a range whose zero point is no uint8 (all weights above 0, or far below it, or all the
    same) is extended to 0, and a symmetric one always reaches to both sides; Keras lets the zero point
    overflow, or cuts such weights off.
    """
    low, high = weights.aminmax(dim=1, keepdim=True)
    if not per_channel:
        low, high = low.amin(0, keepdim=True).expand_as(low), high.amax(0, keepdim=True).expand_as(high)
    steps = 2**bits - 1
    if symmetric:
        high = torch.maximum(low.abs(), high)
        low = -high
    zero = (-low * steps / (high - low)).round()
    fits = (zero >= 0) & (zero <= 255)  # not where it is NaN either
    low, high = torch.where(fits, low, low.clamp(max=0)), torch.where(fits, high, high.clamp(min=0))
    empty = high == low
    low, high = torch.where(empty, -1, low), torch.where(empty, 1, high)
    scale = (high - low) / steps
    zero = torch.full_like(scale, 2 ** (bits - 1)) if symmetric else (-low / scale).round().clamp(0, 255)
    return scale, zero


def to_integers(weights, scale, zero, bits):
    """Return the nearest integers, as floats."""
    return ((weights / scale).round() + zero).clamp(0, 2**bits - 1)


def size_of_group(group_size, inputs):
    """Return how many inputs share a scale: `group_size`, or all for -1."""
    return inputs if group_size == -1 else min(group_size, inputs)


def round_in_groups(weights, bits, group_size, symmetric=False, per_channel=True, input_scales=None):
    """Return a matrix `(outputs, inputs)` rounded to the nearest integers.

    Args:
        weights: Floats.
        bits, symmetric, per_channel: See `scale_and_zero`.
        group_size: Inputs that share a scale; -1: all.
        input_scales: What the weights of each input are multiplied by first; see `GroupedIntegers`.
    """
    scaled = weights if input_scales is None else weights * input_scales
    size = size_of_group(group_size, weights.shape[1])
    integers, scales, zeros = [], [], []
    for part in scaled.split(size, 1):
        scale, zero = scale_and_zero(part, bits, symmetric, per_channel)
        integers.append(to_integers(part, scale, zero, bits))
        scales.append(scale)
        zeros.append(zero)
    return GroupedIntegers(
        torch.cat(integers, 1).to(torch.uint8),
        torch.cat(scales, 1),
        torch.cat(zeros, 1).to(torch.uint8),
        torch.arange(weights.shape[1], device=weights.device, dtype=torch.float32) / size,
        input_scales,
    )
