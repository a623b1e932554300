"""What the layers that merge a list of tensors have in common: checks, alignment of ranks, masks."""

import functools

import torch

from torchkeras_lite.activations.inputs import as_tensor
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine import shapes
from torchkeras_lite.engine.keras_tensor import KerasTensor, is_symbolic
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.torch_layout import TorchLayoutCall


class Merge(Layer):
    """Base of the layers that combine a list of tensors value by value.

    Inputs of different ranks are aligned behind the batch, then broadcast: `(batch, 5)` and `(batch, 3, 5)`
    give `(batch, 3, 5)`. A subclass defines `combine(inputs)`; one that computes with masks,
    `combine_masked(inputs, masks)`.
    """

    keeps_batch = True
    creates_masks = False
    kind, count = "merge", "inputs"  # how errors call the layer, and how many inputs they ask for
    combine_masked = None

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def combine(self, inputs):
        """Return one tensor for a list of tensors of one rank."""
        raise NotImplementedError(f"{type(self).__name__} has no `combine` method.")

    def build(self, input_shape):
        """Check that the shapes can be broadcast."""
        given = shapes_of(self, input_shape)
        if not given:
            raise ValueError(
                f"{describe(self)}: A merge layer should be called on a list of at least 1 input. "
                f"Received: {input_shape}."
            )
        batches = {shape[0] for shape in given if shape} - {None}
        if len(batches) > 1:
            raise ValueError(
                f"{describe(self)}: Cannot merge tensors with different batch sizes. Received tensors with "
                f"shapes {given}."
            )
        samples = [shape[1:] for shape in given]
        for other in samples[1:]:
            for one, two in zip(reversed(samples[0]), reversed(other), strict=False):
                if one != two and 1 not in (one, two) and None not in (one, two):
                    raise ValueError(
                        f"{describe(self)}: Inputs have incompatible shapes. Received shapes {samples[0]} "
                        f"and {other} (without the batch). Sizes must be equal or 1, counted from the last "
                        "axis."
                    )

    def call(self, inputs, mask=None):
        """Combine the inputs; what a mask leaves out, where the layer looks at masks, does not count."""
        ndim = inputs[0].ndim
        if any(x.ndim != ndim for x in inputs):
            inputs = align(inputs, max(x.ndim for x in inputs))
        if mask is None or self.combine_masked is None:
            return self.combine(inputs)
        return self.combine_masked(inputs, [like_input(m, x) for m, x in zip(mask, inputs, strict=True)])

    def torch_layout_call(self):
        """Return how tensors of one rank are combined in any layout."""
        return TorchLayoutCall(self.forward)

    def settle(self, shapes):
        """Return the shapes, as lists, with unknown sizes filled in from one another."""
        return settle_sizes(shapes)

    def compute_output_spec(self, inputs, mask=None):
        """Return the symbolic output: an unknown size is that of the other inputs, where they know it."""
        settled = self.settle([x.shape for x in inputs])
        inputs = [KerasTensor(shape, x.dtype) for shape, x in zip(settled, inputs, strict=True)]
        arguments = {}
        if mask is not None:
            arguments["mask"] = [
                None if m is None else KerasTensor(x.shape[: m.ndim], m.dtype)
                for m, x in zip(mask, inputs, strict=True)
            ]
        spec = shapes.infer(self, (inputs,), arguments, is_symbolic)
        return KerasTensor(spec.shape, spec.dtype)

    def compute_output_shape(self, input_shape):
        """Return the shape of the output for a list of shapes."""
        return self.compute_output_spec(
            [KerasTensor(shape, self.compute_dtype) for shape in input_shape]
        ).shape

    def compute_mask(self, inputs, previous_mask=None):
        """Return the masks joined by "or"; `None` where an input has none."""
        if previous_mask is None:
            return None
        masks = check_masks(inputs, previous_mask)
        if any(mask is None for mask in masks):
            return None
        return functools.reduce(torch.logical_or, align(masks, max(m.ndim for m in masks)))


def shapes_of(layer, input_shape):
    """Return the shapes of the inputs as tuples.

    Raises:
        ValueError: there is one tensor, where a list was expected.
    """
    if not isinstance(input_shape, (list, tuple)) or any(
        isinstance(s, (int, type(None))) for s in input_shape
    ):
        raise ValueError(
            f"{describe(layer)}: A {layer.kind} layer should be called on a list of {layer.count}. "
            f"Received: input_shape={input_shape} (not a list of shapes). Pass the tensors in a list."
        )
    return [tuple(shape) for shape in input_shape]


def settle_sizes(given):
    """Return shapes as lists; an unknown size is the known one of another shape, counted from the last axis.

    The batch stands apart: it is the first axis of all, whatever their rank.
    """
    known = {}
    for shape in given:
        for axis in range(-1, -len(shape), -1):
            if shape[axis] not in (None, 1):
                known[axis] = shape[axis]
    return [
        [
            shape[0],
            *(known.get(a - len(shape)) if shape[a] is None else shape[a] for a in range(1, len(shape))),
        ]
        for shape in given
    ]


def check_masks(inputs, masks):
    """Return `masks` as a list of tensors and `None`s; raise unless both are lists of one length."""
    for name, value in (("mask", masks), ("inputs", inputs)):
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"`{name}` should be a list. Received: {name}={value}.")
    if len(masks) != len(inputs):
        raise ValueError(
            f"The lists `inputs` and `mask` should have the same length. Received: {len(inputs)} inputs "
            f"and {len(masks)} masks."
        )
    return [None if mask is None else as_tensor(mask) for mask in masks]


def align(tensors, ndim):
    """Give all tensors `ndim` axes; new ones come behind the batch."""
    aligned = []
    for tensor in tensors:
        for _ in range(ndim - tensor.ndim):
            tensor = tensor.unsqueeze(1)
        aligned.append(tensor)
    return aligned


def like_input(mask, tensor):
    """Return `mask` with the rank of `tensor`, new axes last; `None` stays."""
    if mask is not None:
        for _ in range(tensor.ndim - mask.ndim):
            mask = mask.unsqueeze(-1)
    return mask
