"""Layers that make one tensor of several, value by value: Add and its like; and each as a function."""

import functools
import operator

import torch

from torchkeras_lite.base.checks import describe
from torchkeras_lite.layers.joining import Concatenate, Dot, concatenate, dot
from torchkeras_lite.layers.merge_layer import Merge

__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Dot",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]


class Add(Merge):
    """Sum of the inputs.

    Shapes:
        list of `(batch, ...)` -> their common shape, broadcast

    Raises:
        ValueError: no list; shapes that cannot be broadcast.

    Source: Keras 3 `keras.layers.Add`.
    """

    def combine(self, inputs):
        """Return the sum."""
        return functools.reduce(torch.add, inputs)


class Subtract(Merge):
    """First input minus the second.

    Shapes:
        two of `(batch, ...)` -> their common shape, broadcast

    Raises:
        ValueError: not exactly two inputs; shapes that cannot be broadcast.

    Source: Keras 3 `keras.layers.Subtract`.
    """

    def build(self, input_shape):
        """Check that there are two inputs that can be broadcast."""
        super().build(input_shape)
        if len(input_shape) != 2:
            raise ValueError(
                f"{describe(self)}: A `Subtract` layer should be called on exactly 2 inputs. Received: "
                f"input_shape={input_shape}."
            )

    def combine(self, inputs):
        """Return the difference."""
        return inputs[0] - inputs[1]


class Multiply(Merge):
    """Product of the inputs.

    Steps that a mask leaves out count as 1, and the product is 0 where all inputs are masked.

    Shapes:
        list of `(batch, ...)` -> their common shape, broadcast

    Raises:
        ValueError: no list; shapes that cannot be broadcast.

    Source: Keras 3 `keras.layers.Multiply`.
    """

    def combine(self, inputs):
        """Return the product."""
        return functools.reduce(torch.mul, inputs)

    def combine_masked(self, inputs, masks):
        """Return the product of what is not masked."""
        kept = [x if m is None else torch.where(m, x, 1) for x, m in zip(inputs, masks, strict=True)]
        product = functools.reduce(torch.mul, kept)
        if any(m is None for m in masks):
            return product
        return torch.where(functools.reduce(operator.or_, masks), product, 0)


class Average(Merge):
    """Mean of the inputs.

    Shapes:
        list of `(batch, ...)` -> their common shape, broadcast

    Raises:
        ValueError: no list; shapes that cannot be broadcast.

    Source: Keras 3 `keras.layers.Average`.
    """

    def combine(self, inputs):
        """Return the mean."""
        return functools.reduce(torch.add, inputs) / len(inputs)


class _Extremum(Merge):
    """Largest or smallest of the inputs, value by value."""

    def combine(self, inputs):
        """Return the largest, or smallest."""
        return functools.reduce(self.choose, inputs)

    def combine_masked(self, inputs, masks):
        """Return the largest, or smallest, of what is not masked; the first input where all are masked."""
        result, valid = inputs[0], masks[0]
        for x, mask in zip(inputs[1:], masks[1:], strict=True):
            chosen = self.choose(result, x)
            if valid is not None:
                chosen = torch.where(valid, chosen, x)
            result = chosen if mask is None else torch.where(mask, chosen, result)
            valid = None if valid is None or mask is None else valid | mask
        return result


class Maximum(_Extremum):
    """Largest of the inputs, value by value; steps that a mask leaves out do not count.

    Shapes:
        list of `(batch, ...)` -> their common shape, broadcast

    Raises:
        ValueError: no list; shapes that cannot be broadcast.

    Source: Keras 3 `keras.layers.Maximum`.
    """

    choose = staticmethod(torch.maximum)


class Minimum(_Extremum):
    """Smallest of the inputs, value by value; steps that a mask leaves out do not count.

    Shapes:
        list of `(batch, ...)` -> their common shape, broadcast

    Raises:
        ValueError: no list; shapes that cannot be broadcast.

    Source: Keras 3 `keras.layers.Minimum`.
    """

    choose = staticmethod(torch.minimum)


def add(inputs, **kwargs):
    """Return `Add(**kwargs)(inputs)`.

    Source: Keras 3 `keras.layers.add`.
    """
    return Add(**kwargs)(inputs)


def subtract(inputs, **kwargs):
    """Return `Subtract(**kwargs)(inputs)`.

    Source: Keras 3 `keras.layers.subtract`.
    """
    return Subtract(**kwargs)(inputs)


def multiply(inputs, **kwargs):
    """Return `Multiply(**kwargs)(inputs)`.

    Source: Keras 3 `keras.layers.multiply`.
    """
    return Multiply(**kwargs)(inputs)


def average(inputs, **kwargs):
    """Return `Average(**kwargs)(inputs)`.

    Source: Keras 3 `keras.layers.average`.
    """
    return Average(**kwargs)(inputs)


def maximum(inputs, **kwargs):
    """Return `Maximum(**kwargs)(inputs)`.

    Source: Keras 3 `keras.layers.maximum`.
    """
    return Maximum(**kwargs)(inputs)


def minimum(inputs, **kwargs):
    """Return `Minimum(**kwargs)(inputs)`.

    Source: Keras 3 `keras.layers.minimum`.
    """
    return Minimum(**kwargs)(inputs)
