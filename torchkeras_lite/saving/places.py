"""Where things are saved: endings of names, questions before overwriting."""

import contextlib
import os

KERAS_VERSION = "3.15.1"  # whose formats are written


def is_file_object(place):
    """Whether `place` is an open file rather than a path."""
    return hasattr(place, "read") or hasattr(place, "write")


def may_write(filepath, overwrite):
    """Return whether `filepath` may be written: it is new, `overwrite` is true, or the user says yes."""
    if overwrite or is_file_object(filepath) or not os.path.exists(filepath):
        return True
    answer = ""
    while answer not in ("y", "n"):
        answer = input(f"[WARNING] {filepath} already exists - overwrite? [y/n] ").strip().lower()
    return answer == "y"


@contextlib.contextmanager
def told_of(name):
    """Name the file in errors of what is in it."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if type(error) in (TypeError, ValueError) and name not in str(error):
            raise type(error)(f"{name}: {error}") from error
        raise
