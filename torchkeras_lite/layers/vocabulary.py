"""Vocabularies: the terms that lookup layers number, where they come from and what is refused."""

from collections import Counter
from pathlib import Path

import numpy as np
import torch

from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.safe_mode import in_safe_mode

FILE_NAME = "vocabulary.txt"


def refuse_files_in_safe_mode(owner, vocabulary):
    """Raise where a config that is being loaded names a vocabulary file outside of what is loaded.

    Raises:
        ValueError: `vocabulary` is a path, and the load was not told `safe_mode=False`.
    """
    if isinstance(vocabulary, (str, Path)) and in_safe_mode():
        raise ValueError(
            f"{describe(owner)}: the config names the vocabulary file {str(vocabulary)!r}, which is not part "
            "of what is loaded; a file that names others can make a program read what it should not. If you "
            "trust where it comes from, pass `safe_mode=False` to the loading function."
        )


def read_terms(owner, vocabulary, encoding="utf-8"):
    """Return a vocabulary as a list: from a file (one term a line), an array, a tensor or a list.

    Raises:
        ValueError: no such file, or no terms.
    """
    if isinstance(vocabulary, (str, Path)):
        path = Path(vocabulary)
        if not path.is_file():
            raise ValueError(
                f"{describe(owner)}: Vocabulary file {vocabulary} does not exist. Pass the path of a text "
                "file with one term a line, or the terms as a list."
            )
        return read_file(path, encoding)
    if isinstance(vocabulary, torch.Tensor):
        vocabulary = vocabulary.detach().cpu().numpy()
    terms = vocabulary.tolist() if isinstance(vocabulary, np.ndarray) else list(vocabulary)
    if not terms:
        raise ValueError(
            f"{describe(owner)}: Cannot set an empty vocabulary, got vocabulary={vocabulary!r}. Pass at "
            "least one term, or call `adapt`."
        )
    return terms


def read_file(path, encoding="utf-8"):
    """Return the lines of a file as a list, without their ends."""
    lines = Path(path).read_bytes().decode(encoding).split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def write_file(path, terms, encoding="utf-8"):
    """Write terms to a file, one a line."""
    Path(path).write_bytes("\n".join(map(str, terms)).encode(encoding))


def check_terms(owner, terms, special, mask_token, oov_token):
    """Raise where terms repeat, or are tokens that are reserved.

    Args:
        owner: The layer.
        terms: The terms, without the special tokens at their start.
        special: The special tokens, in their order.
        mask_token: The token of masked inputs, or `None`.
        oov_token: The token of unknown terms where it must not be among the terms, else `None`.

    Raises:
        ValueError: a term that is there twice, or that is one of the special tokens.
    """
    repeated = [term for term, count in Counter(terms).items() if count > 1]
    if repeated:
        raise ValueError(
            f"{describe(owner)}: The passed vocabulary has at least one repeated term. Pass each term once. "
            f"The repeated terms are: {repeated[:20]}"
        )
    for kind, argument, token in (("mask", "mask_token", mask_token), ("OOV", "oov_token", oov_token)):
        if token is not None and token in terms:
            raise ValueError(
                f"{describe(owner)}: Found reserved {kind} token at unexpected location in `vocabulary`. "
                "Note that passed `vocabulary` does not need to include the OOV and mask tokens. Either "
                "remove all mask and OOV tokens, or include them only at the start of the vocabulary in "
                f"precisely this order: {special}. Got {argument}={token!r} at vocabulary index "
                f"{terms.index(token)}."
            )


class TermCounts:
    """How often terms are in the data seen so far, and in how many documents.

    A document is a row of the data: an element of the first axis.
    """

    def __init__(self):
        self.terms = Counter()
        self.documents = Counter()
        self.num_documents = 0

    def add(self, rows, count_documents):
        """Take in rows, each a list of terms."""
        for row in rows:
            self.terms.update(row)
        if count_documents:
            for row in rows:
                self.documents.update(set(row))
        self.num_documents += len(rows)

    def most_common(self, without, limit=None):
        """Return the terms by falling count, those of one count in reverse order of the terms.

        Args:
            without: Terms to leave out.
            limit: How many to return; `None`: all.
        """
        counted = [(count, term) for term, count in self.terms.items() if term not in without]
        return [term for _, term in sorted(counted, reverse=True)[:limit]]

    def inverse_document_frequencies(self, terms):
        """Return `log(1 + documents / (1 + documents with the term))` for each term, as float32."""
        found = np.array([self.documents[term] for term in terms], dtype="float64")
        return np.log(1 + self.num_documents / (1 + found)).astype("float32")
