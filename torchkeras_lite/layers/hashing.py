"""Hashing and HashedCrossing: integers and strings to buckets, with TensorFlow's hash functions."""

import numpy as np
import torch

from torchkeras_lite.base import config, dtypes, text
from torchkeras_lite.base.checks import describe, one_of
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.layers.category_encoding import encode, encoded_shape, refuse_sparse
from torchkeras_lite.layers.fingerprints import combine, fingerprints
from torchkeras_lite.layers.preprocessing import PreprocessingLayer

CROSS_SEED = 0xDECAFCAFFE  # TensorFlow's default key of hashed crosses


def hash_key(owner, salt):
    """Return `salt`, an integer or two, as a list of two; `None` stays.

    Raises:
        ValueError: something else.
    """
    if salt is None:
        return None
    pair = [salt, salt] if isinstance(salt, int) else salt
    if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(isinstance(s, int) for s in pair):
        raise ValueError(
            f"{describe(owner)}: The `salt` argument can only be a tuple of size 2 integers, or a single "
            f"integer, got salt={salt!r}."
        )
    return list(pair)


def buckets(strings, num_buckets, key=None):
    """Return the bucket of each of a list of strings as an int64 array."""
    return (fingerprints(strings, key) % np.uint64(num_buckets)).astype(np.int64)


def as_strings(values):
    """Return integers or strings as a list of strings, integers in decimal."""
    if not isinstance(values, torch.Tensor):
        return text.to_list(values)
    numbers = values.reshape(-1).tolist()
    if values.dtype is torch.bool:
        return ["true" if number else "false" for number in numbers]
    return list(map(str, numbers))


class HashingLayer(PreprocessingLayer):
    """Base of the layers that hash: their dtype, shapes and encodings."""

    def __init__(self, num_bins, output_mode, sparse, dtype, **kwargs):
        if dtype is None:
            dtype = "int64" if output_mode == "int" else config.floatx()
        super().__init__(dtype=dtype, **kwargs)
        if num_bins is None or isinstance(num_bins, bool) or num_bins <= 0:
            raise ValueError(
                f"{describe(self)}: the `num_bins` cannot be `None` or non-positive, got "
                f"num_bins={num_bins!r}."
            )
        refuse_sparse(self, sparse)
        self.num_bins = num_bins
        self.output_mode = output_mode
        self.sparse = bool(sparse)

    def _encode(self, bins, shape, device):
        dtype = dtypes.torch_dtype(self.compute_dtype)
        indices = torch.from_numpy(bins).to(device).reshape(shape)
        if self.output_mode == "int":
            return indices.to(dtype)
        return encode(indices, self.num_bins, self.output_mode, dtype)

    def compute_output_spec(self, inputs):
        """Return the symbolic output for symbolic inputs."""
        shapes = [tuple(t.shape) for t in inputs] if isinstance(inputs, (list, tuple)) else inputs.shape
        return KerasTensor(self.compute_output_shape(shapes), self.compute_dtype)


class Hashing(HashingLayer):
    """Puts integers or strings into a fixed number of buckets, by their hash.

    Args:
        num_bins: Number of buckets, with the one for `mask_value`.
        mask_value: A value that gets bucket 0 for itself; the others share the rest.
        salt: One or two integers: SipHash with this key. `None`: FarmHash.
        output_mode: `"int"`: the buckets; `"one_hot"`, `"multi_hot"`, `"count"`: as `CategoryEncoding`.
        sparse: Must be false.

    Shapes:
        `"int"`: output = input, int64. `"one_hot"`: `(batch, ...)` -> `(batch, ..., num_bins)`, a last axis
        of size 1 dropped first. `"multi_hot"`, `"count"`: axis 1 goes, `num_bins` comes last

    Raises:
        ValueError: `num_bins` below 1, an unknown `output_mode`, a `salt` that is no key.
        TypeError: `mask_value` is a string and the inputs are integers, or the other way round.

    Source: Keras 3 `keras.layers.Hashing`; the buckets are those of TensorFlow's
    `to_hash_bucket_fast` and `to_hash_bucket_strong`. Hashing runs on the host.
    """

    def __init__(self, num_bins, mask_value=None, salt=None, output_mode="int", sparse=False, **kwargs):
        dtype = kwargs.pop("dtype", None)
        super().__init__(num_bins, output_mode, sparse, dtype, **kwargs)
        one_of(self, "output_mode", output_mode, ("int", "one_hot", "multi_hot", "count"))
        self.mask_value = mask_value
        self.salt = hash_key(self, salt)

    def compute_output_shape(self, input_shape):
        """Return the output shape for an input shape."""
        return encoded_shape(input_shape, self.num_bins, self.output_mode)

    def call(self, inputs):
        """Hash integers or strings."""
        is_text = not isinstance(inputs, torch.Tensor)
        if not is_text and inputs.is_floating_point():
            inputs = inputs.to(torch.int64)
        strings = as_strings(inputs)
        if self.mask_value is None:
            bins = buckets(strings, self.num_bins, self.salt)
        else:
            if is_text != isinstance(self.mask_value, text.STRINGS):
                raise TypeError(
                    f"{describe(self)}: `mask_value` must be of the kind of the inputs, got mask_value="
                    f"{self.mask_value!r} for {'strings' if is_text else 'integers'}."
                )
            bins = np.zeros(len(strings), np.int64)
            if self.num_bins > 1:
                bins = buckets(strings, self.num_bins - 1, self.salt) + 1
            masked = str(self.mask_value)
            bins[np.fromiter((string == masked for string in strings), bool, len(strings))] = 0
        device = self._own_device() if is_text else inputs.device
        return self._encode(bins, tuple(inputs.shape), device)


class HashedCrossing(HashingLayer):
    """Puts combinations of features (a color *and* a size) into a fixed number of buckets, by their hash.

    Args:
        num_bins: Number of buckets.
        output_mode: `"int"`: the buckets; `"one_hot"`: rows with a one at the bucket.
        sparse: Must be false.

    Shapes:
        inputs: a list of two or more features of one shape, `()`, `(batch,)` or `(batch, 1)`, integers or
        strings. `"int"`: output = input, int64; `"one_hot"`: `(batch, num_bins)`

    Raises:
        ValueError: no list, one feature, shapes that differ or are others, floats.

    Source: Keras 3 `keras.layers.HashedCrossing`; the buckets are those of TensorFlow's
    `sparse.cross_hashed`. Hashing runs on the host.
    """

    def __init__(self, num_bins, output_mode="int", sparse=False, name=None, dtype=None, **kwargs):
        super().__init__(num_bins, output_mode, sparse, dtype, name=name, **kwargs)
        one_of(self, "output_mode", output_mode, ("int", "one_hot"))

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            "num_bins": self.num_bins,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "name": self.name,
            "dtype": self.dtype,
        }

    def read(self, value):
        """Return the features as a tuple of tensors and arrays of strings."""
        if not isinstance(value, (list, tuple)):
            raise ValueError(
                f"{describe(self)}: HashedCrossing should be called on a list or tuple of inputs, got "
                f"{type(value).__name__}."
            )
        if len(value) < 2:
            raise ValueError(
                f"{describe(self)}: HashedCrossing should be called on at least two inputs, got {len(value)}."
            )
        features = tuple(super(HashedCrossing, self).read(feature) for feature in value)
        shapes = {tuple(feature.shape) for feature in features}
        if len(shapes) > 1:
            raise ValueError(
                f"{describe(self)}: All `HashedCrossing` inputs should have equal shape, got {list(shapes)}."
            )
        shape = shapes.pop()
        if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
            raise ValueError(
                f"{describe(self)}: All `HashedCrossing` inputs should have shape `()`, `(batch_size)` or "
                f"`(batch_size, 1)`, got {shape}."
            )
        for feature in features:
            kind = str(feature.dtype).removeprefix("torch.")
            if not text.is_text(feature) and not kind.startswith(("int", "uint", "string")):
                raise ValueError(
                    f"{describe(self)}: All `HashedCrossing` inputs should have an integer or string dtype, "
                    f"got {kind}. Discretize floats first."
                )
        return features

    def compute_output_shape(self, input_shape):
        """Return the output shape for the shapes of the features."""
        return encoded_shape(input_shape[0], self.num_bins, self.output_mode)

    def call(self, inputs):
        """Hash the combinations."""
        found = np.uint64(CROSS_SEED)
        for feature in inputs:
            if isinstance(feature, torch.Tensor):
                parts = feature.reshape(-1).to("cpu", torch.int64).numpy().view(np.uint64)
            else:
                parts = fingerprints(text.to_list(feature))
            found = combine(found, parts)
        bins = (found % np.uint64(self.num_bins)).astype(np.int64)
        tensor = next((feature for feature in inputs if isinstance(feature, torch.Tensor)), None)
        device = self._own_device() if tensor is None else tensor.device
        return self._encode(bins, tuple(inputs[0].shape), device)
