"""`tf.debugging`: checks on values, shapes and dtypes."""

import torch

from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.conversion import convert, convert_beside, is_tensor
from torchkeras_lite.tf.errors import InvalidArgumentError
from torchkeras_lite.tf.unknown import missing


def _check(holds, name, message, *values):
    if not bool(torch.as_tensor(holds).all()):
        shown = "\n".join(str(value) for value in values)
        raise InvalidArgumentError(
            f"{message + chr(10) if message else ''}Condition {name} did not hold.\n{shown}"
        )


def _comparing(name, words, compare):
    def check(x, y, message=None, summarize=None, name=None):
        x, y = convert_beside(x, y), convert_beside(y, x)
        _check(compare(x, y), words, message, x, y)

    check.__name__ = check.__qualname__ = name
    check.__doc__ = f"Raise `InvalidArgumentError` unless {words} for all values."
    return check


def _testing(name, words, test):
    def check(x, message=None, summarize=None, name=None):
        x = convert(x)
        _check(test(x), words, message, x)

    check.__name__ = check.__qualname__ = name
    check.__doc__ = f"Raise `InvalidArgumentError` unless {words} for all values."
    return check


assert_equal = _comparing("assert_equal", "x == y", lambda x, y: x == y)
assert_none_equal = _comparing("assert_none_equal", "x != y", lambda x, y: x != y)
assert_greater = _comparing("assert_greater", "x > y", lambda x, y: x > y)
assert_greater_equal = _comparing("assert_greater_equal", "x >= y", lambda x, y: x >= y)
assert_less = _comparing("assert_less", "x < y", lambda x, y: x < y)
assert_less_equal = _comparing("assert_less_equal", "x <= y", lambda x, y: x <= y)
assert_negative = _testing("assert_negative", "x < 0", lambda x: x < 0)
assert_non_negative = _testing("assert_non_negative", "x >= 0", lambda x: x >= 0)
assert_positive = _testing("assert_positive", "x > 0", lambda x: x > 0)
assert_non_positive = _testing("assert_non_positive", "x <= 0", lambda x: x <= 0)


def assert_near(x, y, rtol=None, atol=None, message=None, summarize=None, name=None):
    """Raise `InvalidArgumentError` unless `|x - y| <= atol + rtol * |y|`; the limits are 10 epsilons."""
    x, y = convert_beside(x, y), convert_beside(y, x)
    epsilon = 10 * torch.finfo(x.dtype).eps if x.is_floating_point() else 0
    rtol, atol = (epsilon if limit is None else limit for limit in (rtol, atol))
    _check((x - y).abs() <= atol + rtol * y.abs(), "x and y not equal to tolerance", message, x, y)


def Assert(condition, data, summarize=None, name=None):
    """Raise `InvalidArgumentError` with `data` unless the condition holds."""
    _check(convert(condition), "assertion", None, *data)


def assert_rank(x, rank, message=None, name=None):
    """Raise `ValueError` unless `x` has `rank` axes."""
    _check_rank(x, convert(x).ndim == int(rank), f"rank {int(rank)}", message)


def assert_rank_at_least(x, rank, message=None, name=None):
    """Raise `ValueError` unless `x` has `rank` axes or more."""
    _check_rank(x, convert(x).ndim >= int(rank), f"rank {int(rank)} or more", message)


def assert_rank_in(x, ranks, message=None, name=None):
    """Raise `ValueError` unless the number of axes of `x` is among `ranks`."""
    _check_rank(x, convert(x).ndim in [int(rank) for rank in ranks], f"a rank among {list(ranks)}", message)


def assert_scalar(tensor, name=None, message=None):
    """Raise `ValueError` unless there are no axes; else return the tensor."""
    _check_rank(tensor, convert(tensor).ndim == 0, "no axes", message)
    return convert(tensor)


def _check_rank(x, holds, wanted, message):
    if not holds:
        raise ValueError(f"{message or ''} Tensor must have {wanted}, got shape {convert(x).shape}.".lstrip())


def assert_type(tensor, tf_type, message=None, name=None):
    """Raise `TypeError` unless the dtype is `tf_type`."""
    if convert(tensor).dtype != dtypes.as_dtype(tf_type):
        raise TypeError(
            f"{message or ''} Tensor must be of type {tf_type}, got {convert(tensor).dtype}.".lstrip()
        )


def assert_same_float_dtype(tensors=None, dtype=None):
    """Raise `ValueError` unless all tensors have one floating-point dtype; else return it."""
    kinds = {convert(tensor).dtype for tensor in tensors or ()} | (
        {dtypes.as_dtype(dtype)} if dtype else set()
    )
    if len(kinds) > 1 or not all(kind.is_floating_point for kind in kinds):
        raise ValueError(f"Expected one floating-point dtype, got {sorted(map(str, kinds))}.")
    return kinds.pop() if kinds else dtypes.float32


def assert_shapes(shapes, data=None, summarize=None, message=None, name=None):
    """Raise `ValueError` unless the shapes fit, where a letter stands for one size throughout.

    Args:
        shapes: Pairs of a tensor and its shape, a list of sizes, names, `None` and a leading or trailing
            `...`; or a dict of them.
        data, summarize, name: Accepted as in TensorFlow.
        message: Said first.
    """
    known = {}
    for tensor, wanted in shapes.items() if isinstance(shapes, dict) else shapes:
        tensor = tensor.deref() if hasattr(tensor, "deref") else tensor
        given = tuple(convert(tensor).shape)
        wanted = [wanted] if isinstance(wanted, (int, str)) and len(str(wanted)) == 1 else list(wanted)
        if wanted and wanted[0] in (Ellipsis, "..."):
            given, wanted = given[len(given) - len(wanted) + 1 :], wanted[1:]
        elif wanted and wanted[-1] in (Ellipsis, "..."):
            given, wanted = given[: len(wanted) - 1], wanted[:-1]
        fits = len(given) == len(wanted) and all(
            size
            == (known.setdefault(name, size) if isinstance(name, str) else size if name is None else name)
            for size, name in zip(given, wanted, strict=True)
        )
        if not fits:
            raise ValueError(f"{message or ''} Shape {given} does not fit {wanted} ({known}).".lstrip())


def assert_all_finite(x, message, name=None):
    """Raise `InvalidArgumentError` where a value is not finite; else return the tensor."""
    return check_numerics(x, message)


def check_numerics(tensor, message, name=None):
    """Raise `InvalidArgumentError` where a value is not finite; else return the tensor."""
    tensor = convert(tensor)
    if not bool(torch.isfinite(tensor).all()):
        kind = "NaN" if bool(torch.isnan(tensor).any()) else "Inf"
        raise InvalidArgumentError(f"{message} : Tensor had {kind} values")
    return tensor


def is_numeric_tensor(tensor):
    """Return whether `tensor` is a tensor of numbers."""
    return is_tensor(tensor) and tensor.dtype not in (dtypes.string, torch.bool)


def enable_check_numerics(stack_height_limit=30, path_length_limit=50):
    """Let backward passes raise where a gradient is NaN (`torch.autograd.set_detect_anomaly`)."""
    torch.autograd.set_detect_anomaly(True)


def disable_check_numerics():
    """Undo `enable_check_numerics`."""
    torch.autograd.set_detect_anomaly(False)


def set_log_device_placement(enabled):
    """Accepted: a tensor tells where it is by its `device`."""


__all__ = [
    "Assert",
    "assert_all_finite",
    "assert_equal",
    "assert_greater",
    "assert_greater_equal",
    "assert_less",
    "assert_less_equal",
    "assert_near",
    "assert_negative",
    "assert_non_negative",
    "assert_non_positive",
    "assert_none_equal",
    "assert_positive",
    "assert_rank",
    "assert_rank_at_least",
    "assert_rank_in",
    "assert_same_float_dtype",
    "assert_scalar",
    "assert_shapes",
    "assert_type",
    "check_numerics",
    "disable_check_numerics",
    "enable_check_numerics",
    "is_numeric_tensor",
    "set_log_device_placement",
]
__getattr__ = missing("tf.debugging", {"experimental": "torch.profiler and torch.autograd.detect_anomaly"})
