"""StringLookup and IntegerLookup: terms to their numbers in a vocabulary, and back."""

from itertools import repeat

import numpy as np
import torch

from torchkeras_lite.base import text
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.device import default_device
from torchkeras_lite.engine import shapes
from torchkeras_lite.layers.hashing import buckets
from torchkeras_lite.layers.index_lookup import IndexLookup
from torchkeras_lite.layers.preprocessing import probe_output, read_array

UNKNOWN = -2


class StringLookup(IndexLookup):
    """Turns strings into their numbers in a vocabulary, or numbers into strings.

    The arguments are those of `IndexLookup`, and:

    Args:
        max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode,
            pad_to_max_tokens, sparse, salt: See `IndexLookup`.
        encoding: Encoding of bytes and of vocabulary files.

    Shapes:
        `"int"`: output = input, int64 (with `invert` a NumPy array of strings). `"one_hot"`: `(batch, ...)`
        -> `(batch, ..., terms)`, a last axis of size 1 dropped first. Others: axis 1 goes, `terms` comes last

    Source: Keras 3 `keras.layers.StringLookup`. Differs: strings are NumPy arrays or lists; encodings have
    the dtype of the layer, eagerly too; several places for unknown terms are shared by FarmHash, as
    TensorFlow does.
    """

    reads_text = True

    def __init__(
        self,
        max_tokens=None,
        num_oov_indices=1,
        mask_token=None,
        oov_token="[UNK]",
        vocabulary=None,
        idf_weights=None,
        invert=False,
        output_mode="int",
        pad_to_max_tokens=False,
        sparse=False,
        encoding="utf-8",
        name=None,
        salt=None,
        **kwargs,
    ):
        kwargs.pop("oov_method", None)  # Keras writes it into configs, where it means nothing
        super().__init__(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            invert=invert,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            salt=salt,
            encoding=encoding,
            name=name,
            **kwargs,
        )

    def get_config(self):
        """Return the constructor's arguments. A vocabulary that was learned or read is kept in files."""
        return {**super().get_config(), "oov_method": "floormod", "encoding": self.encoding}

    def _as_term(self, term):
        return term.decode(self.encoding) if isinstance(term, bytes) else str(term)

    def _index(self, terms, start):
        table = dict(zip(terms, range(start, start + len(terms)), strict=True))
        if self.mask_token is not None:
            table[self.mask_token] = self._mask_number
        names = np.array([*self._special(), *terms, self.oov_token]) if self.invert else None
        self.__dict__.update(_table=table, _names=names)

    def _rows(self, data):
        batch = self._as_text(read_array(self, data))
        size = batch.size // max(len(batch), 1) if batch.ndim else 1
        cells = text.to_list(batch, self.encoding)
        return [cells[at : at + size] for at in range(0, len(cells), max(size, 1))]

    def _as_text(self, inputs):
        if isinstance(inputs, torch.Tensor):
            raise TypeError(
                f"{describe(self)}: expected strings, got a tensor of {inputs.dtype}. Use IntegerLookup for "
                "integers, or pass a NumPy array or list of strings."
            )
        return inputs

    def look_up(self, words):
        """Return the numbers of a list of words as an int64 array."""
        count, table = len(words), self._table
        if self.num_oov_indices == 1:
            return np.fromiter(map(table.get, words, repeat(self._oov_start)), np.int64, count)
        found = np.fromiter(map(table.get, words, repeat(UNKNOWN)), np.int64, count)
        unknown = np.flatnonzero(found == UNKNOWN)
        if len(unknown):
            terms = [words[place] for place in unknown]
            if self.num_oov_indices == 0:
                self._refuse_unknown(terms)
            found[unknown] = buckets(terms, self.num_oov_indices, self.salt) + self._oov_start
        return found

    def call(self, inputs):
        """Look up an array of strings, or with `invert` integers."""
        if shapes.is_probing():
            return probe_output(self, inputs)
        self.require_vocabulary(self)
        if self.invert:
            return self._names_of(inputs)
        words = text.to_list(self._as_text(inputs), self.encoding)
        indices = torch.from_numpy(self.look_up(words)).reshape(inputs.shape)
        return self.encode(indices.to(self._own_device()))

    def _names_of(self, inputs):
        if not isinstance(inputs, torch.Tensor):
            raise TypeError(
                f"{describe(self)}: expected integers, because `invert=True` turns numbers into strings; got "
                "strings."
            )
        places = inputs.to("cpu", torch.int64).numpy()
        last = len(self._names) - 1
        return self._names[np.where((places < 0) | (places > last), last, places)]


class IntegerLookup(IndexLookup):
    """Turns integers into their numbers in a vocabulary, or numbers into the integers.

    Looking up runs where the inputs are, on an accelerator too.

    Args:
        max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode,
            sparse, pad_to_max_tokens, oov_method, salt: See `IndexLookup`.
        vocabulary_dtype: Must be `"int64"`.

    Shapes:
        `"int"`: output = input, int64. `"one_hot"`: `(batch, ...)` -> `(batch, ..., terms)`, a last axis of
        size 1 dropped first. Others: axis 1 goes, `terms` comes last

    Source: Keras 3 `keras.layers.IntegerLookup`. Differs: encodings have the dtype of the layer, eagerly
    too.
    """

    def __init__(
        self,
        max_tokens=None,
        num_oov_indices=1,
        mask_token=None,
        oov_token=-1,
        vocabulary=None,
        vocabulary_dtype="int64",
        idf_weights=None,
        invert=False,
        output_mode="int",
        sparse=False,
        pad_to_max_tokens=False,
        oov_method="floormod",
        salt=None,
        name=None,
        **kwargs,
    ):
        if vocabulary_dtype != "int64":
            raise ValueError(
                "IntegerLookup: Only `vocabulary_dtype='int64'` is supported, got vocabulary_dtype="
                f"{vocabulary_dtype!r}. Use StringLookup for strings."
            )
        if oov_method not in ("floormod", "farmhash"):
            raise ValueError(
                "IntegerLookup: Unknown value for `oov_method` argument. Allowed values are: ('floormod', "
                f"'farmhash'), got oov_method={oov_method!r}."
            )
        if salt is not None and oov_method != "farmhash":
            raise ValueError(
                "IntegerLookup: `salt` can only be used when `oov_method='farmhash'`, got oov_method="
                f"{oov_method!r}."
            )
        super().__init__(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            invert=invert,
            output_mode=output_mode,
            sparse=sparse,
            pad_to_max_tokens=pad_to_max_tokens,
            salt=salt,
            oov_method=oov_method,
            name=name,
            **kwargs,
        )
        self.vocabulary_dtype = vocabulary_dtype

    def get_config(self):
        """Return the constructor's arguments. A vocabulary that was learned or read is kept in files."""
        return {**super().get_config(), "vocabulary_dtype": self.vocabulary_dtype}

    def _as_term(self, term):
        try:
            return int(term)
        except (TypeError, ValueError):
            raise ValueError(
                f"{describe(self)}: expected integers as the vocabulary, got {term!r}. Use StringLookup for "
                "strings."
            ) from None

    def _index(self, terms, start):
        device = self._device or default_device()
        if self.invert:
            keys = torch.tensor([*self._special(), *terms, self.oov_token], dtype=torch.int64, device=device)
            numbers = None
        else:
            known = [] if self.mask_token is None else [(self.mask_token, self._mask_number)]
            known += zip(terms, range(start, start + len(terms)), strict=True)
            pairs = torch.tensor(sorted(known), dtype=torch.int64, device=device).reshape(-1, 2)
            keys, numbers = pairs[:, 0].contiguous(), pairs[:, 1].contiguous()
        self.register_buffer("_sorted_terms", keys, persistent=False)
        self.register_buffer("_term_numbers", numbers, persistent=False)

    def _rows(self, data):
        batch = read_array(self, data)
        self._refuse_text(batch)
        if batch.ndim == 0:
            batch = batch.reshape(1)
        return batch.reshape(len(batch), -1).to("cpu", torch.int64).tolist()

    def _refuse_text(self, inputs):
        if not isinstance(inputs, torch.Tensor):
            raise TypeError(f"{describe(self)}: expected integers, got strings. Use StringLookup for them.")

    def call(self, inputs):
        """Look up integers, or with `invert` numbers of terms."""
        if shapes.is_probing():
            return probe_output(self, inputs)
        self.require_vocabulary(self)
        self._refuse_text(inputs)
        inputs = inputs.to(torch.int64)
        keys = self._sorted_terms.to(inputs.device)
        last = len(keys) - 1
        if self.invert:
            return keys[torch.where((inputs < 0) | (inputs > last), last, inputs)]
        if last < 0:
            return self.encode(self._unknown(inputs))
        places = torch.searchsorted(keys, inputs).clamp(max=last)
        known = keys[places] == inputs
        if self.num_oov_indices == 0:
            if not torch.compiler.is_compiling() and not inputs.is_meta and not bool(known.all()):
                self._refuse_unknown(inputs[~known].tolist())
            return self.encode(self._term_numbers.to(inputs.device)[places])
        return self.encode(
            torch.where(known, self._term_numbers.to(inputs.device)[places], self._unknown(inputs))
        )

    def _unknown(self, inputs):
        """Return the places of the inputs, were they unknown terms."""
        if self.num_oov_indices <= 1:
            return torch.full_like(inputs, self._oov_start)
        if self.oov_method == "floormod":
            return inputs.remainder(self.num_oov_indices) + self._oov_start
        strings = list(map(str, inputs.reshape(-1).tolist()))
        found = torch.from_numpy(buckets(strings, self.num_oov_indices, self.salt))
        return found.to(inputs.device).reshape(inputs.shape) + self._oov_start
