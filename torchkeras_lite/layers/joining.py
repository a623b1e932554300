"""Layers that join tensors along an axis: Concatenate, Dot; and each as a function."""

import math

import torch
import torch.nn.functional as F

from torchkeras_lite.activations.inputs import as_tensor
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.torch_layout import TorchLayoutCall
from torchkeras_lite.layers.merge_layer import Merge, check_masks, like_input, settle_sizes, shapes_of


class Concatenate(Merge):
    """Joins the inputs along an axis.

    Args:
        axis: The axis, counted with the batch as 0; the last by default.

    Shapes:
        list of shapes that differ along `axis` only -> the same, with the sum of the sizes there

    Raises:
        ValueError: no list; shapes that differ elsewhere; an axis that the inputs do not have.

    Source: Keras 3 `keras.layers.Concatenate`; torch's `torch.cat`.
    """

    keeps_batch = True
    kind, count = "`Concatenate`", "at least 1 input"

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape):
        """Check that the shapes differ along the axis only."""
        shapes = shapes_of(self, input_shape)
        if not shapes:
            raise ValueError(
                f"{describe(self)}: A `Concatenate` layer should be called on a list of at least 1 input. "
                f"Received: input_shape={input_shape}."
            )
        ndim = len(shapes[0])
        if not -ndim <= self.axis < ndim:
            raise ValueError(
                f"{describe(self)}: expected `axis` from {-ndim} to {ndim - 1} for inputs of shapes "
                f"{shapes}, got axis={self.axis}."
            )
        self._joins_channels = self.axis % ndim == ndim - 1
        others = [shape[: self.axis % ndim] + shape[self.axis % ndim + 1 :] for shape in shapes]
        same_rank = all(len(shape) == ndim for shape in shapes)
        if not same_rank or any(len(set(sizes) - {None}) > 1 for sizes in zip(*others, strict=True)):
            raise ValueError(
                f"{describe(self)}: A `Concatenate` layer requires inputs with matching shapes except for "
                f"the concatenation axis. Received: input_shape={shapes}, axis={self.axis}."
            )

    def settle(self, shapes):
        """Return the shapes with unknown sizes filled in from one another, but for the axis."""
        ndim = len(shapes[0])
        settled = settle_sizes(shapes)
        for shape, given in zip(settled, shapes, strict=True):
            shape[self.axis % ndim] = given[self.axis % ndim]
        return settled

    def call(self, inputs):
        """Join the inputs."""
        return torch.cat(inputs, self.axis)

    def torch_layout_call(self):
        """Return how channels of images are joined in torch's layout."""
        return TorchLayoutCall(self._join_channels) if self._joins_channels else None

    def _join_channels(self, tensors):
        if tensors[0].ndim == 3:  # which torch would copy to another place in memory
            return torch.cat([x.transpose(1, 2) for x in tensors], -1).transpose(1, 2)
        return torch.cat(tensors, 1)

    def compute_mask(self, inputs, previous_mask=None):
        """Return the masks joined likewise (by "or" along the last axis); without one, all counts."""
        if previous_mask is None:
            return None
        given = check_masks(inputs, previous_mask)
        if all(mask is None for mask in given):
            return None
        masks = []
        for x, mask in zip(inputs, given, strict=True):
            if mask is None or mask.ndim < x.ndim:
                ones = torch.ones_like(as_tensor(x), dtype=torch.bool)
                mask = ones if mask is None else torch.logical_and(like_input(mask, x), ones)
            masks.append(mask)
        return torch.any(torch.cat(masks, self.axis), dim=-1)


class Dot(Merge):
    """Dot product of two inputs along an axis of each, sample by sample.

    Args:
        axes: The axis of both, or one of each as a pair, counted with the batch as 0.
        normalize: Whether the inputs are scaled to length 1 along the axes first, which gives the cosine
            similarity.

    Shapes:
        `(batch, ...)` and `(batch, ...)` -> `(batch, rest of the first, rest of the second)`; `(batch, 1)`
        without a rest

    Raises:
        TypeError: `axes` is neither an integer nor a pair.
        ValueError: not two inputs; different sizes along the axes; the batch axis.

    Source: Keras 3 `keras.layers.Dot`.
    """

    keeps_batch = True
    kind, count = "`Dot`", "2 inputs"

    def __init__(self, axes, normalize=False, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(axes, int):
            if not isinstance(axes, (list, tuple)):
                raise TypeError(
                    f"{describe(self)}: Invalid type for argument `axes`: it should be a list or an int. "
                    f"Received: axes={axes!r}."
                )
            if len(axes) != 2:
                raise ValueError(
                    f"{describe(self)}: Invalid format for argument `axes`: it should contain two "
                    f"elements. Received: axes={axes}."
                )
            if not all(isinstance(axis, int) for axis in axes):
                raise ValueError(
                    f"{describe(self)}: Invalid format for argument `axes`: list elements should be "
                    f"integers. Received: axes={axes}."
                )
        self.axes = axes
        self.normalize = normalize
        self._pair = (axes, axes) if isinstance(axes, int) else tuple(axes)

    def build(self, input_shape):
        """Check that the sizes along the axes agree."""
        shapes = shapes_of(self, input_shape)
        if len(shapes) != 2:
            raise ValueError(
                f"{describe(self)}: A `Dot` layer should be called on a list of 2 inputs. Received: "
                f"input_shape={shapes}."
            )
        for shape, axis in zip(shapes, self._pair, strict=True):
            if not -len(shape) < axis < len(shape) or axis == 0:
                raise ValueError(
                    f"{describe(self)}: expected `axes` other than the batch axis 0 and within the rank of "
                    f"the inputs, got axes={self.axes} for shapes {shapes}."
                )
        one, two = (shape[axis] for shape, axis in zip(shapes, self._pair, strict=True))
        if one != two and None not in (one, two):
            raise ValueError(
                f"{describe(self)}: Incompatible input shapes: axis values {one} (at axis {self._pair[0]}) "
                f"!= {two} (at axis {self._pair[1]}). Full input shapes: {shapes[0]}, {shapes[1]}."
            )

    def settle(self, shapes):
        """Return the shapes with an unknown size along the axes filled in from the other input."""
        settled = [list(shape) for shape in shapes]
        one, two = settled
        first, second = self._pair
        one[first], two[second] = one[first] or two[second], two[second] or one[first]
        return settled

    def call(self, inputs):
        """Multiply and sum along the axes."""
        one, two = inputs
        if self.normalize:
            one = F.normalize(one, dim=self._pair[0], eps=1e-7)
            two = F.normalize(two, dim=self._pair[1], eps=1e-7)
        if one.ndim == two.ndim == 2:
            return (one * two).sum(1, keepdim=True)
        one, two = one.movedim(self._pair[0], -1), two.movedim(self._pair[1], 1)
        rest = (*one.shape[1:-1], *two.shape[2:])
        one = one.reshape(one.shape[0], math.prod(one.shape[1:-1]), one.shape[-1])
        two = two.reshape(two.shape[0], two.shape[1], math.prod(two.shape[2:]))
        return torch.matmul(one, two).reshape(one.shape[0], *rest)

    def compute_mask(self, inputs, previous_mask=None):
        """Return `None`: the steps are gone."""
        return None


def concatenate(inputs, axis=-1, **kwargs):
    """Return `Concatenate(axis, **kwargs)(inputs)`.

    Source: Keras 3 `keras.layers.concatenate`.
    """
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs, axes=-1, **kwargs):
    """Return `Dot(axes, **kwargs)(inputs)`.

    Source: Keras 3 `keras.layers.dot`.
    """
    return Dot(axes=axes, **kwargs)(inputs)
