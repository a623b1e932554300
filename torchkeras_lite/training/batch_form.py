"""The form of one batch: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`."""


def unpack_x_y_sample_weight(data):
    """Return `(x, y, sample_weight)` from a batch `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    Raises:
        ValueError: a tuple of another length.

    Source: Keras 3 `keras.utils.unpack_x_y_sample_weight`.
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if 1 <= len(data) <= 3:
        return (*data, *(None,) * (3 - len(data)))
    raise ValueError(
        "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`, got a tuple of "
        f"{len(data)} elements."
    )


def pack_x_y_sample_weight(x, y=None, sample_weight=None):
    """Return the parts of a batch as the shortest tuple that holds them.

    Source: Keras 3 `keras.utils.pack_x_y_sample_weight`.
    """
    if y is None:
        return x if not isinstance(x, (list, tuple)) else (x,)
    return (x, y) if sample_weight is None else (x, y, sample_weight)
