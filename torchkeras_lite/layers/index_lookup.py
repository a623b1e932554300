"""What StringLookup and IntegerLookup share: the vocabulary, the special tokens, and what is made of them."""

from pathlib import Path

import numpy as np
import torch

from torchkeras_lite.base import dtypes
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.device import default_device
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.layers import vocabulary as vocabularies
from torchkeras_lite.layers.category_encoding import encode, encoded_shape, refuse_sparse
from torchkeras_lite.layers.hashing import hash_key
from torchkeras_lite.layers.preprocessing import AdaptableLayer

OUTPUT_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")

CONFIGURED = (
    "invert",
    "max_tokens",
    "num_oov_indices",
    "oov_token",
    "mask_token",
    "output_mode",
    "sparse",
    "pad_to_max_tokens",
    "idf_weights",
    "oov_method",
    "salt",
)


class IndexLookup(AdaptableLayer):
    """Numbers the terms of a vocabulary: first the mask token, then the places of unknown terms, then terms.

    Args:
        max_tokens: Greatest size of the vocabulary, the special tokens included; `None`: no limit.
        num_oov_indices: Number of places for unknown terms; several share them by a hash; 0: an error.
        mask_token: Term that means "nothing here" and gets number 0; `None`: there is none.
        oov_token: What `invert` gives for the places of unknown terms.
        vocabulary: The terms, in the order of their numbers, or the path of a file with one a line; `None`:
            `adapt` or `set_vocabulary` gives them.
        idf_weights: With `output_mode="tf_idf"` and `vocabulary`: the weight of each term.
        invert: Whether to turn numbers into terms.
        output_mode: `"int"`: the numbers; `"one_hot"`, `"multi_hot"`, `"count"`: as `CategoryEncoding`;
            `"tf_idf"`: counts times the terms' weights.
        sparse: Must be false.
        pad_to_max_tokens: Whether encodings have `max_tokens` columns, however many terms there are.
        oov_method: How several places are shared: `"floormod"` (integers alone) or `"farmhash"`.
        salt: Key of the hash, one or two integers: SipHash instead of FarmHash.

    Raises:
        ValueError: arguments that do not go together; terms that repeat or are reserved; more than
            `max_tokens`; an unknown term where `num_oov_indices=0`.
        RuntimeError: a call before there is a vocabulary.
        TypeError: inputs of another kind than the vocabulary.
    """

    reads_text = False

    def __init__(
        self,
        max_tokens,
        num_oov_indices,
        mask_token,
        oov_token,
        vocabulary=None,
        idf_weights=None,
        invert=False,
        output_mode="int",
        sparse=False,
        pad_to_max_tokens=False,
        salt=None,
        oov_method="farmhash",
        encoding="utf-8",
        name=None,
        **kwargs,
    ):
        size = kwargs.pop("vocabulary_size", None)  # Keras writes it into configs
        super().__init__(name=name, **kwargs)
        if output_mode in ("binary", "tf-idf"):  # as older scripts call them
            output_mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}[output_mode]
        self._check(max_tokens, num_oov_indices, output_mode, invert, sparse, pad_to_max_tokens, idf_weights)
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.invert = invert
        self.output_mode = output_mode
        self.sparse = bool(sparse)
        self.pad_to_max_tokens = pad_to_max_tokens
        self.salt = hash_key(self, salt)
        self.oov_method = oov_method
        self.encoding = encoding
        self.idf_weights = None if idf_weights is None else np.asarray(idf_weights).tolist()
        self.__dict__.update(
            _size=size, _terms=None, _counts=None, _fixed=vocabulary is not None, input_vocabulary=None
        )
        self.register_buffer("_idf", None, persistent=False)
        if vocabulary is None:
            return
        if output_mode == "tf_idf" and idf_weights is None:
            raise ValueError(
                f"{describe(self)}: When specifying the `vocabulary` argument, in TF-IDF output mode, the "
                "`idf_weights` argument must also be provided."
            )
        vocabularies.refuse_files_in_safe_mode(self, vocabulary)
        if not isinstance(vocabulary, (str, Path)):
            self.__dict__["input_vocabulary"] = vocabularies.read_terms(self, vocabulary)
        self.set_vocabulary(vocabulary, idf_weights)

    def _check(self, max_tokens, num_oov_indices, output_mode, invert, sparse, pad, idf_weights):
        checks = (
            (
                max_tokens is not None and max_tokens <= 1,
                f"If set, `max_tokens` must be greater than 1, got max_tokens={max_tokens}.",
            ),
            (
                pad and max_tokens is None,
                "If `pad_to_max_tokens` is True, `max_tokens` must be set, got max_tokens=None.",
            ),
            (
                num_oov_indices < 0,
                f"`num_oov_indices` must be greater than or equal to 0, got {num_oov_indices}.",
            ),
            (
                output_mode not in OUTPUT_MODES,
                "Unknown value for `output_mode` argument. Allowed values are: "
                f"{OUTPUT_MODES}, got output_mode={output_mode!r}.",
            ),
            (
                invert and output_mode != "int",
                f"`output_mode` must be 'int' when `invert` is true, got output_mode={output_mode!r}.",
            ),
            (
                idf_weights is not None and output_mode != "tf_idf",
                "`idf_weights` should only be set if `output_mode` is 'tf_idf', got output_mode="
                f"{output_mode!r}.",
            ),
        )
        for wrong, message in checks:
            if wrong:
                raise ValueError(f"{describe(self)}: {message}")
        refuse_sparse(self, sparse)

    def get_config(self):
        """Return the constructor's arguments. A vocabulary that was learned or read is kept in files."""
        size = self._size if self._terms is None else self.vocabulary_size()
        own = {name: getattr(self, name) for name in CONFIGURED}
        return {**super().get_config(), **own, "vocabulary": self.input_vocabulary, "vocabulary_size": size}

    def get_build_config(self):
        """Return an empty config: nothing depends on the shape of the inputs."""
        return {}

    def build_from_config(self, config):
        """Build the layer, whatever the config."""
        self.build(None)

    def build(self, input_shape=None):
        """Nothing depends on the shape of the inputs."""

    @property
    def learns(self):
        """Whether `adapt` is of use: not where the vocabulary was set."""
        return not self._fixed

    @property
    def special_tokens(self):
        """The tokens before the terms: the mask token, if there is one, and one for each unknown place."""
        masks = [] if self.mask_token is None else [self.mask_token]
        return masks + [self.oov_token] * self.num_oov_indices

    @property
    def _oov_start(self):
        return 0 if self.mask_token is None or self.output_mode != "int" else 1

    @property
    def _mask_number(self):
        """Number of the mask token; in encodings it belongs to no column."""
        return 0 if self.output_mode == "int" else -1

    def _special(self):
        """Return the special tokens that have numbers: in encodings the mask token has none."""
        return self.special_tokens if self._oov_start or self.mask_token is None else self.special_tokens[1:]

    def get_vocabulary(self, include_special_tokens=True):
        """Return the vocabulary as a list in the order of the numbers.

        Args:
            include_special_tokens: Whether the mask token and the places of unknown terms are in it.
        """
        terms = list(self._terms or ())
        return self._special() + terms if include_special_tokens else terms

    def vocabulary_size(self):
        """Return the size of the vocabulary, the special tokens included."""
        return len(self._special()) + len(self._terms or ())

    def set_vocabulary(self, vocabulary, idf_weights=None):
        """Set the terms, in the order of their numbers.

        Args:
            vocabulary: A list, an array, or the path of a file with one term a line; the special tokens may
                be at its start.
            idf_weights: With `output_mode="tf_idf"`: the weight of each.

        Raises:
            ValueError: terms that repeat or are reserved, or are too many; weights that are missing, not
                wanted, or of another number.
        """
        if (idf_weights is not None) != (self.output_mode == "tf_idf"):
            raise ValueError(
                f"{describe(self)}: `idf_weights` must be set if output_mode is 'tf_idf', and only then; got "
                f"output_mode={self.output_mode!r} and idf_weights={idf_weights}."
            )
        given = [self._as_term(term) for term in vocabularies.read_terms(self, vocabulary, self.encoding)]
        special = self._special()
        has_special = bool(special) and given[: len(special)] == special
        terms = given[len(special) :] if has_special else given
        oov_token = self.oov_token if self.invert else None
        vocabularies.check_terms(self, terms, special, self.mask_token, oov_token)
        if self.max_tokens is not None and len(special) + len(terms) > self.max_tokens:
            raise ValueError(
                f"{describe(self)}: Attempted to set a vocabulary larger than the maximum vocab size. Its "
                f"size with the special tokens is {len(special) + len(terms)}; `max_tokens` is "
                f"{self.max_tokens}."
            )
        weights = None
        if idf_weights is not None:
            weights = np.asarray(idf_weights, dtype="float32").reshape(-1)
            if len(weights) != len(given):
                raise ValueError(
                    f"{describe(self)}: `idf_weights` must be the same length as vocabulary. "
                    f"len(idf_weights) is {len(weights)}; len(vocabulary) is {len(given)}"
                )
            if not has_special:
                weights = self._with_special_weights(weights)
        self._set_terms(terms, weights)
        self.__dict__["_fixed"] = True

    def _with_special_weights(self, weights):
        """Unknown terms weigh as much as the known ones do on average."""
        return np.concatenate([np.full(len(self._special()), weights.mean(), "float32"), weights])

    def _set_terms(self, terms, idf_weights):
        self.__dict__["_terms"] = terms
        self._index(terms, len(self._special()))
        if idf_weights is not None:
            if self.pad_to_max_tokens:
                idf_weights = np.pad(idf_weights, (0, self.max_tokens - len(idf_weights)))
            device = self._device or default_device()
            self._idf = torch.tensor(idf_weights, dtype=torch.float32, device=device)

    def _as_term(self, term):
        raise NotImplementedError

    def _index(self, terms, start):
        """Make what `_look_up` needs from the terms, the first of which has number `start`."""
        raise NotImplementedError

    def _rows(self, data):
        """Return a batch as a list of lists of terms."""
        raise NotImplementedError

    def adapt(self, data, steps=None):
        """Learn the vocabulary from `data`: the most frequent terms first; see `AdaptableLayer.adapt`.

        Raises:
            ValueError: the vocabulary was set.
        """
        self.require_adaptable(self)
        super().adapt(data, steps)

    def require_adaptable(self, owner):
        """Raise where `owner` cannot learn a vocabulary.

        Raises:
            ValueError: the vocabulary was set.
        """
        if not self.learns:
            raise ValueError(
                f"Cannot adapt layer '{owner.name}' after setting a static vocabulary via `vocabulary` "
                "argument or `set_vocabulary()` method. Make a layer without a vocabulary for that."
            )

    def update_state(self, data):
        """Count the terms of one batch; each row is a document."""
        self.count_rows(self._rows(data))

    def count_rows(self, rows):
        """Count terms, given as a list of them for each document."""
        if self._counts is None:
            self.__dict__["_counts"] = vocabularies.TermCounts()
        self._counts.add(rows, self.output_mode == "tf_idf")

    def finalize_state(self):
        """Make the vocabulary from the terms that were counted."""
        if self._fixed or self._counts is None:
            return
        special = self._special()
        limit = None if self.max_tokens is None else self.max_tokens - len(special)
        terms = self._counts.most_common({self.mask_token, self.oov_token}, limit)
        weights = None
        if self.output_mode == "tf_idf":
            weights = self._counts.inverse_document_frequencies(terms)
            weights = (
                self._with_special_weights(weights) if len(weights) else np.ones(len(special), "float32")
            )
        self._set_terms(terms, weights)
        self.__dict__["_counts"] = None

    def reset_state(self):
        """Forget the terms that were counted, and the vocabulary unless it was set."""
        self.__dict__["_counts"] = None
        if not self._fixed:
            self.__dict__["_terms"] = None

    @property
    def _depth(self):
        if self.pad_to_max_tokens:
            return self.max_tokens
        return self._size if self._terms is None else self.vocabulary_size()

    def require_vocabulary(self, owner):
        """Raise where `owner` is used before there is a vocabulary.

        Raises:
            RuntimeError: there is none.
        """
        if self._terms is None:
            raise RuntimeError(
                f"{describe(owner)}: you must set the layer's vocabulary before calling it. Either pass a "
                "`vocabulary` argument to the layer, call `set_vocabulary`, or call `adapt` with some sample "
                "data."
            )

    @property
    def output_dtype(self):
        """Dtype name of the outputs."""
        if self.invert:
            return "string" if self.reads_text else "int64"
        return "int64" if self.output_mode == "int" else self.dtype

    def compute_output_shape(self, input_shape):
        """Return the output shape for an input shape."""
        if self.output_mode != "int" and self._depth is None:
            self.require_vocabulary(self)
        return encoded_shape(input_shape, self._depth, self.output_mode.replace("tf_idf", "count"))

    def compute_output_spec(self, inputs):
        """Return the symbolic output for a symbolic input."""
        return KerasTensor(self.compute_output_shape(inputs.shape), self.output_dtype)

    def encode(self, indices):
        """Return numbers of terms as the output mode says; negative ones stand for nothing."""
        if self.output_mode == "int":
            return indices
        dtype = dtypes.torch_dtype(self.dtype)
        if self.output_mode != "tf_idf":
            return encode(indices, self._depth, self.output_mode, dtype)
        return encode(indices, self._depth, "count", dtype) * self._idf.to(indices.device, dtype)

    def _refuse_unknown(self, unknown):
        raise ValueError(
            f"{describe(self)}: When `num_oov_indices=0` all inputs should be in vocabulary, found OOV "
            f"values {unknown[:10]}, consider setting `num_oov_indices=1`."
        )

    def save_own_variables(self, store):
        """Write the terms' weights, where there are any, into `store`."""
        if self._idf is not None:
            store["idf_weights"] = self._idf.cpu().numpy()

    def load_own_variables(self, store):
        """Read the terms' weights from `store`; the terms come with `load_assets`."""
        if self.output_mode == "tf_idf" and "idf_weights" in store.keys():  # noqa: SIM118 - need not be a dict
            self.__dict__["_stored_weights"] = weights = np.array(store["idf_weights"])
            if self._terms is not None and len(weights) >= self.vocabulary_size():
                self._set_terms(self._terms, weights[: self.vocabulary_size()])

    def save_assets(self, dir_path):
        """Write the vocabulary into a directory, one term a line, unless it is in the config."""
        if self.input_vocabulary is None and self._terms is not None:
            vocabularies.write_file(
                Path(dir_path) / vocabularies.FILE_NAME, self.get_vocabulary(), self.encoding
            )

    def load_assets(self, dir_path):
        """Read the vocabulary from a directory, unless it was in the config."""
        path = Path(dir_path) / vocabularies.FILE_NAME
        if self.input_vocabulary is None and path.is_file():
            fixed, weights = self._fixed, None
            terms = vocabularies.read_file(path, self.encoding)
            if self.output_mode == "tf_idf":  # the weights come before the terms, or after them
                stored = self.__dict__.get("_stored_weights", ())
                weights = (
                    stored[: len(terms)] if len(stored) >= len(terms) else np.ones(len(terms), "float32")
                )
            self.set_vocabulary(terms, weights)
            self.__dict__["_fixed"] = fixed
