"""TextVectorization: texts to numbers of their words, or to counts of them."""

import re
import string

import numpy as np
import torch

from torchkeras_lite.base import text
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine import auto_config, shapes
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.layers.lookup import StringLookup
from torchkeras_lite.layers.preprocessing import AdaptableLayer, probe_output, read_array

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_STRIP = str.maketrans("", "", string.punctuation)
_TRANSLATIONS = {
    "lower_and_strip_punctuation": _LOWER | _STRIP,
    "lower": _LOWER,
    "strip_punctuation": _STRIP,
}
_OTHER_SPACES = re.compile(r"[\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_ASCII_SPACES = re.compile(r"[ \t\n\r\x0b\x0c]+")

CONFIGURED = (
    "max_tokens",
    "standardize",
    "split",
    "ngrams",
    "output_mode",
    "output_sequence_length",
    "pad_to_max_tokens",
    "sparse",
    "ragged",
    "idf_weights",
    "encoding",
)


class TextVectorization(AdaptableLayer):
    """Turns texts into numbers: standardizes them, splits them into words, and looks the words up.

    Args:
        max_tokens: Greatest size of the vocabulary, the special tokens included; `None`: no limit.
        standardize: `"lower_and_strip_punctuation"`, `"lower"`, `"strip_punctuation"` (all of ASCII alone),
            `None`, or a function from an array of strings to another.
        split: `"whitespace"` (of ASCII), `"character"`, `None` (the inputs are words), or a function from an
            array of strings to a list of words for each.
        ngrams: `n`: runs of up to n words are terms too; a tuple: runs of these lengths alone.
        output_mode: `"int"`: the numbers of the words in their order; `"multi_hot"`, `"count"`, `"tf_idf"`: a
            row with a column for each term.
        output_sequence_length: With `"int"`: the length that rows are padded or cut to; `None`: that of the
            longest.
        pad_to_max_tokens: Whether encodings have `max_tokens` columns, however many terms there are.
        vocabulary: The terms, or the path of a file with one a line; `None`: `adapt` or `set_vocabulary`.
        idf_weights: With `"tf_idf"` and `vocabulary`: the weight of each term.
        sparse, ragged: Must be false.
        encoding: Encoding of bytes and of vocabulary files.

    Shapes:
        input `(batch,)` or `(batch, 1)` of strings (`(batch, words)` with `split=None`) -> `"int"`: output
        `(batch, length)`, int64, 0 for padding and 1 for unknown words; others: `(batch, terms)`

    Raises:
        ValueError: an unknown name of a mode; arguments that do not go together; several texts a row.
        RuntimeError: a call before there is a vocabulary.
        TypeError: inputs that are no strings.

    Source: Keras 3 `keras.layers.TextVectorization`. Differs: strings are NumPy arrays or lists, and own
    functions get NumPy arrays of strings; encodings have the dtype of the layer.
    """

    def __init__(
        self,
        max_tokens=None,
        standardize="lower_and_strip_punctuation",
        split="whitespace",
        ngrams=None,
        output_mode="int",
        output_sequence_length=None,
        pad_to_max_tokens=False,
        vocabulary=None,
        idf_weights=None,
        sparse=False,
        ragged=False,
        encoding="utf-8",
        name=None,
        **kwargs,
    ):
        size = kwargs.pop("vocabulary_size", None)  # Keras writes it into configs
        super().__init__(name=name, **kwargs)
        self._check(standardize, split, ngrams, output_mode, output_sequence_length, ragged)
        self.max_tokens = max_tokens
        self.standardize = standardize
        self.split = split
        self.ngrams = ngrams
        self.output_mode = output_mode
        self.output_sequence_length = output_sequence_length
        self.pad_to_max_tokens = pad_to_max_tokens
        self.sparse, self.ragged = bool(sparse), bool(ragged)
        self.encoding = encoding
        self.idf_weights = None if idf_weights is None else np.asarray(idf_weights).tolist()
        self.__dict__["_ngram_sizes"] = tuple(range(1, ngrams + 1)) if isinstance(ngrams, int) else ngrams
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens,
            mask_token="" if output_mode == "int" else None,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            encoding=encoding,
            dtype=self.dtype_policy,
            vocabulary_size=size,
        )

    def _check(self, standardize, split, ngrams, output_mode, output_sequence_length, ragged):
        def refuse(wrong, message):
            if wrong:
                raise ValueError(f"{describe(self)}: {message}")

        def unknown(argument, value, known):
            return (
                f"Unknown value for `{argument}` argument. Allowed values are: {known}, got "
                f"{argument}={value!r}."
            )

        known = tuple(_TRANSLATIONS)
        refuse(
            standardize is not None and standardize not in known and not callable(standardize),
            unknown("standardize", standardize, known),
        )
        known = ("whitespace", "character")
        refuse(
            split is not None and split not in known and not callable(split), unknown("split", split, known)
        )
        refuse(
            not (ngrams is None or isinstance(ngrams, int))
            and not (isinstance(ngrams, (tuple, list)) and all(isinstance(size, int) for size in ngrams)),
            f"`ngrams` must be None, an integer, or a tuple of integers, got ngrams={ngrams!r}.",
        )
        refuse(
            output_sequence_length is not None and output_mode != "int",
            "`output_sequence_length` must not be set if `output_mode` is not 'int', got "
            f"output_sequence_length={output_sequence_length}.",
        )
        refuse(
            output_sequence_length is not None
            and not (isinstance(output_sequence_length, int) and output_sequence_length > 0),
            "`output_sequence_length` must be a positive integer or None, got output_sequence_length="
            f"{output_sequence_length!r}.",
        )
        refuse(
            ragged,
            "`ragged=True` cannot be used with torch, which has no ragged tensors. Leave it out: rows are "
            "padded with 0.",
        )
        refuse(
            output_mode == "one_hot",
            "`output_mode='one_hot'` would give each word a row of its own. Pass 'multi_hot' for a row a "
            "text, or 'int' and an Embedding.",
        )

    def get_config(self):
        """Return the constructor's arguments. A vocabulary that was learned or read is kept in files."""
        own = {name: auto_config.serialize_argument(getattr(self, name)) for name in CONFIGURED}
        own["vocabulary"] = self._lookup_layer.input_vocabulary
        own["vocabulary_size"] = self._lookup_layer.get_config()["vocabulary_size"] or self.vocabulary_size()
        return {**super().get_config(), **own}

    def build(self, input_shape=None):
        """Nothing depends on the shape of the inputs."""

    @property
    def learns(self):
        """Whether `adapt` is of use: not where the vocabulary was set."""
        return self._lookup_layer.learns

    def get_vocabulary(self, include_special_tokens=True):
        """Return the vocabulary as a list; see `IndexLookup.get_vocabulary`."""
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self):
        """Return the size of the vocabulary, the special tokens included."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary, idf_weights=None):
        """Set the terms; see `IndexLookup.set_vocabulary`."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    def adapt(self, data, batch_size=None, steps=None):
        """Learn the vocabulary from `data`: the most frequent terms first; see `AdaptableLayer.adapt`.

        Args:
            data: Texts, or batches of them.
            batch_size: Accepted as in Keras; an array is read whole.
            steps: Number of batches to read; `None`: all.
        """
        self._lookup_layer.require_adaptable(self)
        super().adapt(data, steps)

    def update_state(self, data):
        """Count the terms of one batch; each text is a document."""
        self._lookup_layer.count_rows(self._tokens(read_array(self, data))[0])

    def finalize_state(self):
        """Make the vocabulary from the terms that were counted."""
        self._lookup_layer.finalize_state()

    def reset_state(self):
        """Forget the terms that were counted, and the vocabulary unless it was set."""
        self._lookup_layer.reset_state()

    @property
    def output_dtype(self):
        """Dtype name of the outputs."""
        return self._lookup_layer.output_dtype

    def compute_output_shape(self, input_shape):
        """Return the output shape for an input shape."""
        shape = tuple(input_shape)
        if self.split is not None:
            shape = (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), None)
        elif self.ngrams is not None:
            shape = (*shape[:-1], None)
        if self.output_sequence_length is not None:
            shape = (*shape[:-1], self.output_sequence_length)
        return self._lookup_layer.compute_output_shape(shape)

    def compute_output_spec(self, inputs):
        """Return the symbolic output for a symbolic input."""
        return KerasTensor(self.compute_output_shape(inputs.shape), self.output_dtype)

    def call(self, inputs):
        """Turn an array of strings into numbers."""
        if shapes.is_probing():
            return probe_output(self, inputs)
        lookup = self._lookup_layer
        lookup.require_vocabulary(self)
        rows, shape = self._tokens(inputs)
        length = self.output_sequence_length
        if length is not None:
            rows = [row[:length] for row in rows]
        sizes = np.fromiter(map(len, rows), np.int64, len(rows))
        width = length or int(sizes.max(initial=0))
        indices = lookup.look_up([term for row in rows for term in row])
        if len(indices) != len(rows) * width:
            padded = np.full((len(rows), width), 0 if self.output_mode == "int" else -1)
            padded[np.arange(width) < sizes[:, None]] = indices
            indices = padded
        found = torch.from_numpy(indices).reshape(*shape, width).to(self._own_device())
        return lookup.encode(found)

    def _tokens(self, inputs):
        """Return the terms of each text as a list of lists, and the shape that the texts are arranged in."""
        if isinstance(inputs, torch.Tensor):
            raise TypeError(
                f"{describe(self)}: expected strings, got a tensor of {inputs.dtype}. Pass a NumPy array or "
                "list of strings."
            )
        shape = inputs.shape
        if self.split is not None and len(shape) > 1 and shape[-1] == 1:
            shape = shape[:-1]
        if self.split is not None and len(shape) > 1 and shape == inputs.shape:
            raise ValueError(
                f"{describe(self)}: When using `TextVectorization` to tokenize strings, the input rank must "
                f"be 1 or the last shape dimension must be 1, got inputs of shape {inputs.shape}. Pass one "
                "text a row."
            )
        texts = self._standardized(inputs)
        if self.split is None:
            size = shape[-1] if shape else 1
            rows = [texts[at : at + size] for at in range(0, len(texts), max(size, 1))]
            shape = shape[:-1]
        else:
            rows = self._split(texts)
        if self._ngram_sizes is not None:
            rows = [_ngrams(row, self._ngram_sizes) for row in rows]
        return rows, shape

    def _standardized(self, inputs):
        texts = text.to_list(inputs, self.encoding)
        if self.standardize is None:
            return texts
        if callable(self.standardize):
            return text.to_list(np.asarray(self.standardize(np.array(texts, dtype=str))), self.encoding)
        table = _TRANSLATIONS[self.standardize]
        return [one.translate(table) for one in texts]

    def _split(self, texts):
        if self.split == "character":
            return [list(one) for one in texts]
        if self.split == "whitespace":
            return [_words(one) for one in texts]
        return [[str(word) for word in words] for words in self.split(np.array(texts, dtype=str))]

    def save_own_variables(self, store):
        """Write the terms' weights, where there are any, into `store`."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store):
        """Read the terms' weights from `store`; the terms come with `load_assets`."""
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, dir_path):
        """Write the vocabulary into a directory, one term a line, unless it is in the config."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path):
        """Read the vocabulary from a directory, unless it was in the config."""
        self._lookup_layer.load_assets(dir_path)


def _words(one):
    """Split a text at the whitespace of ASCII; Python's own `split` knows more of it."""
    if _OTHER_SPACES.search(one) is None:
        return one.split()
    return [word for word in _ASCII_SPACES.split(one) if word]


def _ngrams(row, sizes):
    """Return the runs of words of each of the lengths `sizes`, shorter ones first, joined by spaces."""
    runs = []
    for size in sizes:
        runs += row if size == 1 else [" ".join(row[at : at + size]) for at in range(len(row) - size + 1)]
    return runs
