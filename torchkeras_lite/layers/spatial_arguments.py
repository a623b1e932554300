"""Checks of what layers over images and sequences are given, in Keras's words."""

from torchkeras_lite.base.checks import describe, int_tuple, positive_int


def sizes(layer, argument, value, length, *, allow_zero=False):
    """Return `value`, an int or a sequence of `length` ints, as a tuple of `length` ints.

    Raises:
        ValueError: another number of values, no integers, or values below 1 (below 0 with `allow_zero`).
    """
    try:
        return int_tuple(layer, argument, value, length, allow_zero=allow_zero)
    except ValueError:
        least, sign = (0, ">=") if allow_zero else (1, ">")
        wrong = {v for v in _as_sequence(value) if isinstance(v, int) and v < least}
        why = f", including values {wrong} that do not satisfy `value {sign} 0`" if wrong else ""
        raise ValueError(
            f"{describe(layer)}: The `{argument}` argument must be a tuple of {length} integers. Received "
            f"{argument}={value}{why}. Pass {length} integers of {least} or more, or one for all axes."
        ) from None


def _as_sequence(value):
    return value if isinstance(value, (list, tuple)) else (value,)


def count(layer, argument, value):
    """Return `value` as an int, which must be 1 or more.

    Raises:
        ValueError: it is not.
    """
    try:
        return positive_int(layer, argument, value)
    except ValueError:
        raise ValueError(
            f"{describe(layer)}: Invalid value for argument `{argument}`. Expected a strictly positive "
            f"value. Received {argument}={value}. Pass an integer of 1 or more."
        ) from None


def padding_mode(layer, value, modes=("same", "valid")):
    """Return `value` in lower case, which must be one of `modes`.

    Raises:
        ValueError: it is not.
    """
    mode = value.lower() if isinstance(value, str) else value
    if mode in modes:
        return mode
    remedy = "Causal padding exists in `Conv1D` only; use 'same' or 'valid'." if mode == "causal" else ""
    raise ValueError(
        f"{describe(layer)}: The `padding` argument must be one of {{{', '.join(map(repr, modes))}}}. "
        f"Received: padding={value!r}. {remedy or 'Pass one of these.'}"
    )


def pairs(layer, argument, value, rank):
    """Return `value` as `rank` pairs `(before, after)` of ints that are 0 or more.

    Args:
        layer: The layer, for messages.
        argument: Name of its argument.
        value: One int for both ends of all axes, or one entry (an int or a pair) for each axis; with one axis
            a pair.
        rank: Number of axes.

    Raises:
        ValueError: another form, or negative values.
    """
    if isinstance(value, int) and value < 0:
        raise ValueError(
            f"{describe(layer)}: `{argument}` cannot be negative. Received: {argument}={value}. Cropping "
            "makes an input smaller, ZeroPadding larger; both take integers of 0 or more."
        )
    if rank == 1:
        return (sizes(layer, argument, value, 2, allow_zero=True),)
    entries = (value,) * rank if hasattr(value, "__index__") else value
    if not isinstance(entries, (list, tuple)) or len(entries) != rank:
        elements = {2: "two"}.get(rank, rank)
        raise ValueError(
            f"{describe(layer)}: `{argument}` should have {elements} elements. Received: {argument}={value}. "
            f"Pass one integer, or for each of the {rank} axes an integer or a pair (before, after)."
        )
    ordinals = ("1st", "2nd", "3rd")
    return tuple(
        sizes(layer, f"{ordinal} entry of {argument}", entry, 2, allow_zero=True)
        for ordinal, entry in zip(ordinals, entries, strict=False)
    )


def refuse_strided_dilation(
    layer, words="`strides > 1` not supported in conjunction with `dilation_rate > 1`"
):
    """Raise when the layer has both strides and dilation rates above 1; `words` say so as Keras does.

    Raises:
        ValueError: it has.
    """
    if max(layer.strides) > 1 and max(layer.dilation_rate) > 1:
        raise ValueError(
            f"{describe(layer)}: {words}. Received: strides={layer.strides} and "
            f"dilation_rate={layer.dilation_rate}. Set one of them to 1."
        )
