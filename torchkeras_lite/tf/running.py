"""What scripts say about how they run: eagerly, in which order, printing what."""

import builtins
import contextlib
import logging
import sys
import time

import torch

from torchkeras_lite.tf.conversion import convert


def executing_eagerly():
    """Return whether operations run at once, as they do unless torch traces."""
    return not torch.compiler.is_compiling()


def inside_function():
    """Return whether torch traces."""
    return torch.compiler.is_compiling()


def print(*inputs, output_stream=None, summarize=3, sep=" ", end="\n", name=None):
    """Print values, tensors without what is around them.

    Args:
        *inputs: Values, alone or nested.
        output_stream: `sys.stderr` (`None`), `sys.stdout`, or `"file://..."` with a path to add to.
        summarize: Accepted; NumPy's own settings shorten long arrays.
        sep, end: As in Python's `print`.
        name: Accepted as in TensorFlow.
    """
    text = sep.join(_shown(value) for value in inputs)
    if isinstance(output_stream, str) and output_stream.startswith("file://"):
        with open(output_stream.removeprefix("file://"), "a", encoding="utf-8") as file:
            file.write(text + end)
        return
    builtins.print(text, end=end, file=output_stream or sys.stderr)


def _shown(value):
    if hasattr(value, "numpy"):
        value = (
            value.numpy() if not isinstance(value, torch.Tensor) else convert(value).detach().cpu().numpy()
        )
        return value.decode() if isinstance(value, bytes) else str(value)
    if isinstance(value, (list, tuple)):
        return f"{'[' if isinstance(value, list) else '('}{', '.join(map(_shown, value))}" + (
            "]" if isinstance(value, list) else ")"
        )
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_shown(part)}" for key, part in value.items()) + "}"
    return str(value)


def get_logger():
    """Return the logger `"tensorflow"`, whose level scripts set."""
    return logging.getLogger("tensorflow")


def timestamp(name=None):
    """Return the seconds since 1970, a `float64` tensor."""
    return convert(time.time(), torch.float64)


def group(*inputs, **kwargs):
    """Return nothing: what was passed has run already."""


def no_op(name=None):
    """Return nothing."""


def control_dependencies(control_inputs):
    """Return a context manager: lines run in their order."""
    return contextlib.nullcontext()


def init_scope():
    """Return a context manager: nothing is traced."""
    return contextlib.nullcontext()


__all__ = [
    "control_dependencies",
    "executing_eagerly",
    "get_logger",
    "group",
    "init_scope",
    "inside_function",
    "no_op",
    "print",
    "timestamp",
]
