"""What layers that read raw data share: strings, lists and numbers as inputs, and data to adapt to."""

import itertools

import numpy as np
import torch

from torchkeras_lite.base import text
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine import shapes
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.engine.layer import Layer


class PreprocessingLayer(Layer):
    """Base of the layers that turn raw data into what a network can compute with.

    They are called on tensors, arrays, data frames' columns, nested lists, single numbers and, where they
    read text, strings. Strings come as NumPy arrays (torch has no tensors of them) and may be the inputs of a
    model, declared as `Input((1,), dtype="string")`; what comes out are torch tensors.

    Source: Keras 3's preprocessing layers. Differs: TensorFlow is not needed for any of them.
    """

    def _standardize(self, args, kwargs):
        if args:
            args = (self.read(args[0]), *args[1:])
        return super()._standardize(args, kwargs)

    def read(self, value):
        """Return one input as a tensor, or as a NumPy array of strings."""
        if value is None or isinstance(value, (torch.Tensor, KerasTensor)):
            return value
        return read_array(self, value, self._own_device())


def probe_output(layer, inputs):
    """Return zeros (or empty strings) as `layer` would return, while only shapes are asked for.

    A layer that has no vocabulary yet, or whose output is as long as its longest text, cannot tell by trying.
    """
    shape = tuple(
        inputs.shape[0] if size is None else size for size in layer.compute_output_shape(inputs.shape)
    )
    device = inputs.device if isinstance(inputs, torch.Tensor) else layer._own_device()
    return shapes.probe_tensor(shapes.TensorSpec(shape, layer.output_dtype), (), device)


class AdaptableLayer(PreprocessingLayer):
    """Base of the preprocessing layers that learn their state from data, in one pass and without gradients.

    `adapt` forgets what was learned, runs `update_state` on every batch and then `finalize_state`; with the
    three methods one can do the same over data of one's own.
    """

    @property
    def learns(self):
        """Whether `adapt` is of use: not where the state was given."""
        return True

    def adapt(self, data, steps=None):
        """Learn the state from `data`, in place of what was learned before.

        Args:
            data: An array, tensor or nested list, or an iterable of batches: a list of arrays, a
                `DataLoader`, a dataset, a generator. Of `(x, y)` only `x` counts.
            steps: Number of batches to read; `None`: all. An array is read whole.
        """
        self.reset_state()
        for batch in data_batches(self, data, steps):
            self.update_state(batch)
        self.finalize_state()

    def reset_state(self):
        """Forget what was learned."""
        raise NotImplementedError(f"{type(self).__name__} has no `reset_state` method.")

    def update_state(self, data):
        """Take in one batch."""
        raise NotImplementedError(f"{type(self).__name__} has no `update_state` method.")

    def finalize_state(self):
        """Make the state that calls use from the batches taken in."""
        raise NotImplementedError(f"{type(self).__name__} has no `finalize_state` method.")


def read_array(owner, value, device=None):
    """Return data as a tensor on `device`, or as a NumPy array of strings.

    Raises:
        TypeError: something that is neither numbers nor strings.
    """
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, text.STRINGS) or text.is_text_list(value):
        return text.text_array(describe(owner), value)
    array = np.asarray(value)
    if text.is_text(array):
        return array
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{describe(owner)}: expected numbers or strings, got {type(value).__name__} of dtype "
            f"{array.dtype}. Pass a tensor, an array or (nested) lists."
        )
    return torch.tensor(array, device=device)


def data_batches(owner, data, steps=None):
    """Yield the data that a layer adapts to, batch by batch, as tensors or arrays of strings.

    Args:
        owner: The layer, for messages.
        data: An array, tensor or nested list (one batch), or batches: a list of arrays, a `DataLoader`, a
            dataset, a generator. Of `(x, y)` and `(x, y, sample_weight)` only `x` counts.
        steps: Number of batches to read; `None`: all. An array is read whole.

    Raises:
        TypeError: something that is no data.
    """
    if is_one_batch(data):
        yield read_array(owner, data)
        return
    if hasattr(data, "as_numpy_iterator"):
        data = data.as_numpy_iterator()
    elif hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, (list, tuple)):
        data = (data[index] for index in range(len(data)))
    elif not hasattr(data, "__iter__"):
        raise TypeError(
            f"{describe(owner)}: cannot adapt to {data!r} of type {type(data).__name__}. Pass an array, a "
            "tensor, a list, or an iterable of batches."
        )
    for element in itertools.islice(data, steps):
        yield read_array(owner, inputs_of(element))


def is_one_batch(data):
    """Whether `data` is an array of some kind, as against an iterable of arrays."""
    if isinstance(data, text.STRINGS) or hasattr(data, "__array__") or text.is_text_list(data):
        return True
    leaf = data
    while isinstance(leaf, (list, tuple)) and leaf:
        leaf = leaf[0]
    return isinstance(data, (list, tuple)) and isinstance(leaf, (bool, int, float, np.generic))


def inputs_of(element):
    """Return the inputs of an element of a dataset: `x` of `(x, y)`, else the element."""
    if not isinstance(element, (list, tuple)) or not element or isinstance(element[0], text.STRINGS):
        return element
    first = element[0]
    if isinstance(element, list) and all(map(text.is_text_list, element)):  # rows of strings
        return element
    has_parts = isinstance(element, tuple) or hasattr(first, "__array__") or text.is_text_list(first)
    return first if has_parts else element
