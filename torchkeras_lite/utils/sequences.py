"""Lists of different lengths to one array."""

import numpy as np

from torchkeras_lite.base.checks import one_of

SIDES = ("pre", "post")


def pad_sequences(sequences, maxlen=None, dtype="int32", padding="pre", truncating="pre", value=0.0):
    """Return sequences as one array, filled up and cut to one length.

    Args:
        sequences: Lists or arrays; their elements have one shape.
        maxlen: The length, that of the longest sequence when not given.
        dtype: Dtype of the array, `object` or `str` for strings.
        padding: `"pre"` fills before each sequence, `"post"` after it.
        truncating: `"pre"` cuts off the begin of longer sequences, `"post"` their end.
        value: What is filled in.

    Shapes:
        result `(sequences, maxlen, ...)`

    Raises:
        ValueError: something that is no sequence of sequences, elements of different shapes, strings beside a
            dtype of numbers.

    Source: Keras 3 `keras.utils.pad_sequences`.
    """
    if not hasattr(sequences, "__len__"):
        raise ValueError(f"pad_sequences: `sequences` must be iterable, got {sequences!r}.")
    for sequence in sequences:
        if not hasattr(sequence, "__len__"):
            raise ValueError(
                "pad_sequences: `sequences` must be a list of iterables, found a non-iterable: "
                f"{sequence!r}. Pass a list of lists."
            )
    one_of("pad_sequences", "padding", padding, SIDES)
    one_of("pad_sequences", "truncating", truncating, SIDES)
    if isinstance(value, str) and dtype is not object and np.dtype(dtype).kind not in "OU":
        raise ValueError(
            f"pad_sequences: `dtype` {dtype} is not compatible with `value`'s type: {type(value)}. You "
            "should "
            "set `dtype=object` for variable length strings."
        )
    length = max(map(len, sequences), default=0) if maxlen is None else maxlen
    shape = next((np.shape(sequence)[1:] for sequence in sequences if len(sequence)), ())
    padded = np.full((len(sequences), length, *shape), value, dtype=dtype)
    for row, sequence in zip(padded, sequences, strict=True):
        if not len(sequence) or not length:
            continue
        kept = np.asarray(sequence[-length:] if truncating == "pre" else sequence[:length], dtype=dtype)
        if kept.shape[1:] != shape:
            raise ValueError(
                f"pad_sequences: Shape of sample {kept.shape[1:]} of sequence is different from expected "
                "shape "
                f"{shape}. Give all elements one shape."
            )
        start = length - len(kept) if padding == "pre" else 0
        row[start : start + len(kept)] = kept
    return padded
