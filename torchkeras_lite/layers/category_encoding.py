"""CategoryEncoding, and the encodings of category numbers that all preprocessing layers share."""

import torch

from torchkeras_lite.base import dtypes
from torchkeras_lite.base.checks import describe
from torchkeras_lite.layers.preprocessing import PreprocessingLayer


def encode(indices, depth, output_mode, dtype, weights=None):
    """Return category numbers as `output_mode` says; negative numbers belong to no category.

    Args:
        indices: Integer tensor.
        depth: Number of categories.
        output_mode: `"int"`, `"one_hot"` (a last axis of size 1 is dropped first), `"multi_hot"` or `"count"`
            (both over axis 1, or the only axis).
        dtype: Torch dtype of the encodings.
        weights: Of the shape of `indices`: what each adds to the counts; `None`: 1.
    """
    if output_mode == "int":
        return indices
    if output_mode == "one_hot":
        if indices.ndim > 1 and indices.shape[-1] == 1:
            indices = indices.squeeze(-1)
        return (indices.unsqueeze(-1) == torch.arange(depth, device=indices.device)).to(dtype)
    axis = min(1, indices.ndim - 1)
    indices = indices.movedim(axis, -1) if indices.ndim else indices.reshape(1)
    # One place more than there are categories takes the numbers that belong to none.
    places = torch.where(indices < 0, depth, indices)
    found = torch.zeros(*places.shape[:-1], depth + 1, dtype=dtype, device=indices.device)
    if output_mode == "multi_hot":
        found = found.scatter(-1, places, 1)
    else:
        ones = torch.ones_like(places, dtype=dtype)
        values = ones if weights is None else weights.to(dtype).reshape(indices.shape)
        found = found.scatter_add(-1, places, values)
    return found[..., :depth]


def encoded_shape(shape, depth, output_mode):
    """Return the shape that `encode` gives indices of `shape` (with `None` for unknown sizes)."""
    shape = tuple(shape)
    if output_mode == "int":
        return shape
    if output_mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (*shape[:1], *shape[2:], depth) if len(shape) > 1 else (depth,)


def refuse_sparse(owner, sparse):
    """Raise where sparse outputs are asked for.

    Raises:
        ValueError: `sparse` is true.
    """
    if sparse:
        raise ValueError(
            f"{describe(owner)}: `sparse=True` cannot be used with torch, got sparse={sparse!r}. Leave it "
            "out: the outputs are dense tensors."
        )


class CategoryEncoding(PreprocessingLayer):
    """Encodes category numbers: as one-hot rows, as the set of categories in each row, or as their counts.

    Args:
        num_tokens: Number of categories; inputs are integers from 0 to `num_tokens - 1`. Negative ones belong
            to no category.
        output_mode: `"multi_hot"`: 1 for each category in the row, `"one_hot"`: a row for each number,
            `"count"`: how often each category is in the row.
        sparse: Must be false.

    Shapes:
        `"one_hot"`: input `(batch, ...)` -> output `(batch, ..., num_tokens)`; a last axis of size 1 is
        dropped first. `"multi_hot"` and `"count"`: `(batch, size)` -> `(batch, num_tokens)`

    Raises:
        ValueError: no `num_tokens`, an unknown `output_mode`; when called: a number of `num_tokens` or more
            (on a GPU one-hot rows of it are zeros, so that nothing waits for the device).

    Source: Keras 3 `keras.layers.CategoryEncoding`.
    """

    def __init__(self, num_tokens=None, output_mode="multi_hot", sparse=False, **kwargs):
        super().__init__(**kwargs)
        if output_mode == "binary":  # as older scripts call it
            output_mode = "multi_hot"
        if output_mode not in ("one_hot", "multi_hot", "count"):
            raise ValueError(
                f"{describe(self)}: Unknown arg for output_mode: {output_mode}. Pass 'one_hot', 'multi_hot' "
                "or 'count'."
            )
        if num_tokens is None:
            raise ValueError(
                f"{describe(self)}: num_tokens must be set to use this layer. Pass the number of categories; "
                "if it is not known, use IntegerLookup with `adapt`."
            )
        if isinstance(num_tokens, bool) or num_tokens < 1:
            raise ValueError(f"{describe(self)}: `num_tokens` must be >= 1, got num_tokens={num_tokens!r}.")
        refuse_sparse(self, sparse)
        self.num_tokens = num_tokens
        self.output_mode = output_mode
        self.sparse = bool(sparse)

    def get_config(self):
        """Return the constructor's arguments; `sparse` is left out, as Keras does."""
        return {**super().get_config(), "num_tokens": self.num_tokens, "output_mode": self.output_mode}

    def _standardize(self, args, kwargs):
        if kwargs.get("count_weights") is not None:
            kwargs = {**kwargs, "count_weights": self.read(kwargs["count_weights"])}
        return super()._standardize(args, kwargs)

    def call(self, inputs, count_weights=None):
        """Encode integers of any dtype.

        Args:
            inputs: Category numbers.
            count_weights: Of the shape of `inputs`: what each number adds to its count.
        """
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                f"{describe(self)}: `count_weights` is not used when `output_mode` is not 'count', got "
                f"output_mode={self.output_mode!r}."
            )
        inputs = inputs.to(torch.int64)
        self._check_range(inputs)
        dtype = dtypes.torch_dtype(self.dtype)
        return encode(inputs, self.num_tokens, self.output_mode, dtype, count_weights)

    def _check_range(self, inputs):
        if torch.compiler.is_compiling() or inputs.device.type != "cpu" or not inputs.numel():
            return
        greatest = int(inputs.max())
        if greatest >= self.num_tokens:
            raise ValueError(
                f"{describe(self)}: expected numbers from 0 to {self.num_tokens - 1} (num_tokens="
                f"{self.num_tokens}), got {greatest}. Make the layer with num_tokens={greatest + 1} or more."
            )
