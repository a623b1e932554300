"""Argument checks, one a kind, that name the object, what was expected, what came and what to do."""

import difflib
import numbers
import operator


def describe(owner):
    """`Dense 'dense_1'` for a named object, else the class name; a string stays as it is."""
    if isinstance(owner, str):
        return owner
    name = getattr(owner, "name", None)
    kind = type(owner).__name__
    return f"{kind} '{name}'" if isinstance(name, str) else kind


def _as_int(value):
    if isinstance(value, (bool, float)):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def positive_int(owner, argument, value):
    """Return `value` as an int, which must be 1 or more."""
    number = _as_int(value)
    if number is None or number <= 0:
        raise ValueError(
            f"{describe(owner)}: argument `{argument}` must be a positive integer, got {argument}={value!r}. "
            f"Pass an integer of 1 or more."
        )
    return number


def int_tuple(owner, argument, value, length, *, allow_zero=False):
    """Return `value`, an int or a sequence of `length` ints, as a tuple of `length` ints."""
    number = _as_int(value)
    if number is not None:
        values = (number,) * length
    else:
        values = tuple(_as_int(v) for v in value) if isinstance(value, (list, tuple)) else (None,)
    least = 0 if allow_zero else 1
    if len(values) != length or any(v is None or v < least for v in values):
        raise ValueError(
            f"{describe(owner)}: `{argument}` must be an integer or {length} integers of {least} or more, "
            f"got {argument}={value!r}."
        )
    return values


def unit_interval(owner, argument, value, *, open_end=False):
    """Return `value`, a number in [0, 1] (or [0, 1) with `open_end`)."""
    inside = (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and value >= 0
        and (value < 1 if open_end else value <= 1)
    )
    if not inside:
        end = ")" if open_end else "]"
        raise ValueError(
            f"{describe(owner)}: expected `{argument}` in the range [0, 1{end}, got {argument}={value!r}. "
            "Pass the fraction as a number, for example 0.25."
        )
    return value


def one_of(owner, argument, value, choices):
    """Return `value`, which must be one of `choices`."""
    if value not in choices:
        raise ValueError(
            f"{describe(owner)}: `{argument}` must be one of {', '.join(map(repr, choices))}, "
            f"got {argument}={value!r}."
        )
    return value


def refuse_unknown(owner, kwargs, known=()):
    """Raise for keyword arguments nobody knows, with the nearest known name."""
    if kwargs:
        from_name = next(iter(kwargs))
        raise TypeError(
            f"{describe(owner)}: unknown argument `{from_name}`{suggestion(from_name, known)}"
            f"{' Known: ' + ', '.join(known) + '.' if known else ''}"
        )


def suggestion(name, known):
    """` Did you mean 'adam'?` where a known name is near, else an empty string."""
    lowered = {str(k).lower(): k for k in known}
    near = difflib.get_close_matches(str(name).lower(), list(lowered), n=1, cutoff=0.6)
    return f"; did you mean {lowered[near[0]]!r}?" if near else "."
