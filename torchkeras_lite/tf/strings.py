"""`tf.strings`: functions on text, by Python's own."""

import builtins
import re

import numpy as np
import torch

from torchkeras_lite.layers.fingerprints import fingerprints
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.conversion import convert
from torchkeras_lite.tf.ragged import RaggedTensor
from torchkeras_lite.tf.tensor import wrap
from torchkeras_lite.tf.text import StringTensor
from torchkeras_lite.tf.unknown import missing


def _text(value):
    value = convert(value)
    if not isinstance(value, StringTensor):
        raise TypeError(f"Expected text, got a tensor of dtype {value.dtype}. Use tf.strings.as_string.")
    return value


def _numbers(array):
    return wrap(torch.from_numpy(np.asarray(array)))


def lower(input, encoding="", name=None):
    """Return text in lower case; without `encoding="utf-8"`, of ASCII letters alone."""
    return _cased(input, encoding, str.lower, bytes.lower)


def upper(input, encoding="", name=None):
    """Return text in upper case; without `encoding="utf-8"`, of ASCII letters alone."""
    return _cased(input, encoding, str.upper, bytes.upper)


def _cased(input, encoding, change, change_bytes):
    if encoding:
        return _text(input).map(change)
    return _text(input).map(lambda one: change_bytes(one.encode()).decode())


def strip(input, name=None):
    """Return text without spaces at both ends."""
    return _text(input).map(str.strip)


def length(input, unit="BYTE", name=None):
    """Return the number of bytes, or of characters with `unit="UTF8_CHAR"`."""
    measure = len if unit == "UTF8_CHAR" else lambda one: len(one.encode())
    return _numbers(_text(input).results(measure, np.int32))


def join(inputs, separator="", name=None):
    """Return texts of several tensors joined, each with that at the same place in the others."""
    parts = np.broadcast_arrays(*(_text(part).view(np.ndarray) for part in inputs))
    joined = [separator.encode().join(cells) for cells in zip(*(part.flat for part in parts), strict=True)]
    cells = np.empty(len(joined), dtype=object)
    cells[:] = joined
    return StringTensor(cells.reshape(parts[0].shape))


def reduce_join(inputs, axis=None, keepdims=False, separator="", name=None):
    """Return the texts along an axis (`None`: all) joined."""
    inputs, separator = _text(inputs).view(np.ndarray), separator.encode()
    if axis is None:
        joined = StringTensor(separator.join(inputs.reshape(-1).tolist()))
        return joined.reshape((1,) * inputs.ndim) if keepdims else joined
    if isinstance(axis, (list, tuple)):
        for one in sorted((a % inputs.ndim for a in axis), reverse=True):
            inputs = np.asarray(reduce_join(inputs, one, keepdims, separator.decode()))
        return StringTensor(inputs)
    moved = np.moveaxis(inputs, axis, -1)
    cells = np.empty(moved.shape[:-1], dtype=object)
    for place in np.ndindex(cells.shape):
        cells[place] = separator.join(moved[place].tolist())
    return StringTensor(np.expand_dims(cells, axis) if keepdims else cells)


def split(input, sep=None, maxsplit=-1, name=None):
    """Return the words of text: a vector for one text, a `RaggedTensor` for a vector of them."""
    sep = sep or None
    return _pieces(input, lambda one: one.split(sep, maxsplit))


def _pieces(input, cut):
    input = _text(input)
    if input.ndim == 0:
        return _vector(cut(input.item().decode()))
    return RaggedTensor([_pieces(one, cut) for one in input])


def _vector(pieces):
    cells = np.empty(len(pieces), dtype=object)
    cells[:] = pieces
    return StringTensor(cells)


def bytes_split(input, name=None):
    """Return the bytes of text."""
    return _pieces(input, lambda one: [bytes([byte]) for byte in one.encode()])


def unicode_split(input, input_encoding, errors="replace", replacement_char=65533, name=None):
    """Return the characters of text."""
    return _pieces(input, list)


def unicode_decode(input, input_encoding, errors="replace", replacement_char=65533, name=None):
    """Return the numbers of the characters of text."""
    input = _text(input)
    if input.ndim == 0:
        return convert([ord(one) for one in input.item().decode(input_encoding)], dtypes.int32)
    return RaggedTensor([unicode_decode(one, input_encoding) for one in input])


def unicode_encode(input, output_encoding, errors="replace", replacement_char=65533, name=None):
    """Return text from the numbers of its characters, the last axis."""
    if isinstance(input, RaggedTensor):
        return StringTensor([unicode_encode(row, output_encoding).item() for row in input])
    input = convert(input)
    if input.ndim == 1:
        return StringTensor("".join(map(chr, input.tolist())).encode(output_encoding))
    return StringTensor([unicode_encode(row, output_encoding).item() for row in input])


def ngrams(data, ngram_width, separator=" ", name=None):
    """Return runs of words, joined by `separator`."""
    widths = [ngram_width] if isinstance(ngram_width, int) else list(ngram_width)
    if isinstance(data, RaggedTensor):
        return RaggedTensor([ngrams(row, widths, separator) for row in data])
    words = [word.decode() for word in _text(data).numpy().tolist()]
    return _vector([separator.join(words[at : at + n]) for n in widths for at in range(len(words) - n + 1)])


def _python_pattern(pattern):
    """Return a pattern of RE2 as Python writes it: the POSIX classes differ."""
    pattern = pattern.decode() if isinstance(pattern, bytes) else str(pattern)
    for name, characters in _CLASSES.items():
        pattern = pattern.replace(f"[:{name}:]", characters)
    return pattern


_CLASSES = {
    "punct": r"!-/:-@\[-`{-~",
    "digit": "0-9",
    "alpha": "A-Za-z",
    "alnum": "0-9A-Za-z",
    "space": r"\s",
    "upper": "A-Z",
    "lower": "a-z",
}


def _one(value):
    """Return a pattern or the like, which may be a tensor, as `str`."""
    value = convert(value).item()
    return value.decode() if isinstance(value, bytes) else value


def regex_replace(input, pattern, rewrite, replace_global=True, name=None):
    r"""Return text with what a pattern fits replaced; `\1` stands for its first group.

    Args:
        input: Text.
        pattern: Regular expression, as Python's `re` and RE2 both know it.
        rewrite: What takes its place.
        replace_global: Whether every place is replaced, or the first alone.
        name: Accepted as in TensorFlow.
    """
    compiled, new = re.compile(_python_pattern(_one(pattern))), _one(rewrite).replace("\\0", "\\g<0>")
    return _text(input).map(lambda one: compiled.sub(new, one, count=0 if replace_global else 1))


def regex_full_match(input, pattern, name=None):
    """Return whether a pattern fits each text as a whole."""
    compiled = re.compile(_python_pattern(_one(pattern)))
    return _numbers(_text(input).results(lambda one: compiled.fullmatch(one) is not None, bool))


def substr(input, pos, len, unit="BYTE", name=None):
    """Return pieces of text from `pos` on, of `len` bytes, or characters with `unit="UTF8_CHAR"`."""
    start, count = int(convert(pos)), int(convert(len))

    def cut(one):
        one = one if unit == "UTF8_CHAR" else one.encode()
        first = start if start >= 0 else max(one.__len__() + start, 0)
        piece = one[first : first + count]
        return piece if unit == "UTF8_CHAR" else piece.decode(errors="surrogateescape")

    return _text(input).map(cut)


def to_number(input, out_type=dtypes.float32, name=None):
    """Return the numbers that texts tell."""
    dtype = dtypes.as_dtype(out_type)
    read = float if dtype.is_floating_point else int
    return _numbers(_text(input).results(read, np.float64 if read is float else np.int64)).to(dtype)


def as_string(input, precision=-1, scientific=False, shortest=False, width=-1, fill="", name=None):
    """Return numbers as text.

    Args:
        input: Numbers, booleans or text.
        precision: Digits after the point; -1: 6, as in C.
        scientific, shortest: Whether floats are written as `1e+00`, or the shorter way.
        width: Least width.
        fill: What fills it up, `" "` or `"0"`.
        name: Accepted as in TensorFlow.
    """
    input = convert(input)
    if isinstance(input, StringTensor):
        return input
    if input.dtype is torch.bool:
        cells = np.where(input.numpy(), "true", "false")
        return StringTensor(np.asarray(cells, dtype=object))
    kind = ("e" if scientific else "g" if shortest else "f") if input.is_floating_point() else "d"
    digits = f".{precision}" if precision >= 0 and kind != "d" else ""
    spec = f"{'0' if fill == '0' else '>' if width > 0 else ''}{width if width > 0 else ''}{digits}{kind}"
    flat = [builtins.format(value, spec) for value in np.asarray(input.numpy()).reshape(-1).tolist()]
    return _vector(flat).reshape(tuple(input.shape))


def format_text(template, inputs, placeholder="{}", summarize=3, name=None):
    """Return a template with tensors in the place of `placeholder`."""
    inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    text = template
    for value in inputs:
        shown = convert(value).numpy()
        text = text.replace(placeholder, str(shown.decode() if isinstance(shown, bytes) else shown), 1)
    return StringTensor(text)


format = format_text


def to_hash_bucket_fast(input, num_buckets, name=None):
    """Return a number below `num_buckets` for each text, TensorFlow's (FarmHash)."""
    input = _text(input)
    cells = [one.decode() for one in input.reshape(-1).view(np.ndarray).tolist()]
    places = (fingerprints(cells) % np.uint64(num_buckets)).astype(np.int64)
    return _numbers(places.reshape(tuple(input.shape)))


__all__ = [
    "as_string",
    "bytes_split",
    "format",
    "join",
    "length",
    "lower",
    "ngrams",
    "reduce_join",
    "regex_full_match",
    "regex_replace",
    "split",
    "strip",
    "substr",
    "to_hash_bucket_fast",
    "to_number",
    "unicode_decode",
    "unicode_encode",
    "unicode_split",
    "upper",
]
__getattr__ = missing("tf.strings", {"to_hash_bucket_strong": "torchkeras_lite.layers.Hashing(salt=...)"})
