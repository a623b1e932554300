"""Layers that change the shape alone: Flatten, Reshape, Permute, RepeatVector."""

import math
import numbers

import torch

from torchkeras_lite.base import config, dtypes
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.engine.layer import Layer


class Flatten(Layer):
    """Makes one axis of all axes but the batch.

    Args:
        data_format: `"channels_last"` or `"channels_first"`, where the channels are moved last before
            flattening; `None`: the one in `config`.

    Shapes:
        input `(batch, ...)` -> output `(batch, product of the others)`; `(batch,)` -> `(batch, 1)`

    Raises:
        ValueError: another `data_format`.

    Source: Keras 3 `keras.layers.Flatten`. Differs from torch: values come in channels_last order, whatever
    the input's.
    """

    keeps_batch = True

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format, describe(self))
        self.input_spec = InputSpec(min_ndim=1)
        self._channels_first = self.data_format == "channels_first"

    def call(self, inputs):
        """Flatten."""
        if inputs.ndim == 1:
            return inputs.unsqueeze(1)
        if self._channels_first:
            inputs = inputs.movedim(1, -1)
        return torch.flatten(inputs, 1)


class Reshape(Layer):
    """Gives every sample another shape.

    Args:
        target_shape: Shape of one output, without the batch; one size may be -1, which is found from the
            others.

    Shapes:
        input `(batch, ...)` -> output `(batch, *target_shape)`

    Raises:
        ValueError: more than one -1; sizes of an input that do not fit `target_shape`.

    Source: Keras 3 `keras.layers.Reshape`. Differs from torch: the batch axis is left out, and never changes.
    """

    keeps_batch = True

    def __init__(self, target_shape, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(target_shape, (list, tuple, torch.Size)):
            raise TypeError(
                f"{describe(self)}: `target_shape` must be a tuple of sizes, got "
                f"target_shape={target_shape!r}. Write a single size as `(12,)`."
            )
        target = tuple(int(size) if isinstance(size, numbers.Integral) else size for size in target_shape)
        if not all(isinstance(size, int) and size >= -1 for size in target):
            raise ValueError(
                f"{describe(self)}: Each dimension in `target_shape` must be a non-negative integer, or "
                f"`-1` for a single unknown dimension. Received: target_shape={target}."
            )
        if target.count(-1) > 1:
            raise ValueError(
                f"{describe(self)}: There must be at most one unknown dimension (-1) in `target_shape`. "
                f"Received: target_shape={target}."
            )
        self.target_shape = target
        self._known = math.prod(size for size in target if size != -1)

    def build(self, input_shape):
        """Check that a sample of this shape, as far as it is known, fits the target."""
        sample = tuple(input_shape[1:])
        if None in sample:
            return
        count, inferred = math.prod(sample), -1 in self.target_shape
        if inferred and (self._known == 0 or count % self._known):
            raise ValueError(
                f"{describe(self)}: The total size of the tensor must be unchanged, however, the input "
                "size cannot be divided by the specified dimensions in target_shape. Received: "
                f"input_shape={sample}, target_shape={self.target_shape}."
            )
        if not inferred and count != self._known:
            raise ValueError(
                f"{describe(self)}: The total size of the tensor must be unchanged. Received: "
                f"input_shape={sample} ({count} values), target_shape={self.target_shape} ({self._known} "
                "values)."
            )

    def compute_output_shape(self, input_shape):
        """Return the batch and the target, with -1 found from the sizes that are known."""
        return (input_shape[0], *self._sizes(tuple(input_shape[1:])))

    def compute_output_spec(self, inputs):
        """Return the symbolic output: sizes that are unknown need not fit the target."""
        dtype = self.compute_dtype if dtypes.is_float(inputs.dtype) else inputs.dtype
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype)

    def _sizes(self, sample):
        inferred = None if None in sample or not self._known else math.prod(sample) // self._known
        return tuple(inferred if size == -1 else size for size in self.target_shape)

    def call(self, inputs):
        """Reshape."""
        return inputs.reshape(inputs.shape[0], *self.target_shape)


class Permute(Layer):
    """Changes the order of the axes behind the batch.

    Args:
        dims: The axes in their new order, numbered from 1: `(2, 1)` swaps the first two.

    Shapes:
        input `(batch, ...)` -> output with axis `i` of size `input.shape[dims[i - 1]]`

    Raises:
        ValueError: `dims` is no permutation of 1, 2, ...; an input of another rank.

    Source: Keras 3 `keras.layers.Permute`. Differs from torch: `permute` numbers from 0 and moves the batch
    too.
    """

    keeps_batch = True

    def __init__(self, dims, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(dims, (list, tuple)) or sorted(dims) != list(range(1, len(dims) + 1)):
            raise ValueError(
                f"{describe(self)}: Invalid permutation argument `dims` for Permute Layer. The set of "
                f"indices in `dims` must be consecutive and start from 1. Received dims={dims}. Pass for "
                "example (2, 1)."
            )
        self.dims = tuple(dims)
        self.input_spec = InputSpec(ndim=len(dims) + 1)
        self._order = (0, *self.dims)

    def call(self, inputs):
        """Permute."""
        return inputs.permute(self._order)


class RepeatVector(Layer):
    """Repeats a vector along a new axis behind the batch.

    Args:
        n: How many times, an integer > 0.

    Shapes:
        input `(batch, features)` -> output `(batch, n, features)`

    Raises:
        TypeError: `n` is no integer.
        ValueError: `n` is below 1; an input of another rank than 2.

    Source: Keras 3 `keras.layers.RepeatVector`.
    """

    keeps_batch = True

    def __init__(self, n, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(n, int) or isinstance(n, bool):
            raise TypeError(
                f"{describe(self)}: Expected an integer value for `n`, got n={n!r} of type {type(n)}."
            )
        if n < 1:
            raise ValueError(f"{describe(self)}: Argument `n` should be a positive integer. Received: n={n}.")
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs):
        """Repeat."""
        return inputs.unsqueeze(1).repeat(1, self.n, 1)
