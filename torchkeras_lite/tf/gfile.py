"""`tf.io.gfile`: files and folders of this machine, by Python's own functions."""

import glob as python_glob
import os
import shutil

from torchkeras_lite.tf.errors import NotFoundError

exists, isdir, listdir = os.path.exists, os.path.isdir, os.listdir
mkdir, remove, rmtree, stat, walk = os.mkdir, os.remove, shutil.rmtree, os.stat, os.walk
join = os.path.join


def GFile(name, mode="r"):
    """Open a file.

    Raises:
        NotFoundError: it is not there.
    """
    try:
        return open(name, mode, encoding=None if "b" in mode else "utf-8")
    except FileNotFoundError as error:
        raise NotFoundError(f"{name}; No such file or directory") from error


def makedirs(path):
    """Make a folder and those above it, unless they are there."""
    os.makedirs(path, exist_ok=True)


def glob(pattern):
    """Return the names that fit a pattern, or several, in order."""
    patterns = [pattern] if isinstance(pattern, str) else pattern
    return sorted(name for one in patterns for name in python_glob.glob(one))


def copy(src, dst, overwrite=False):
    """Copy a file.

    Raises:
        FileExistsError: there is one already and `overwrite` is false.
    """
    _refuse(dst, overwrite)
    shutil.copyfile(src, dst)


def rename(src, dst, overwrite=False):
    """Move a file; see `copy`."""
    _refuse(dst, overwrite)
    os.replace(src, dst)


def _refuse(path, overwrite):
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{path} is there already. Pass overwrite=True.")


__all__ = [
    "GFile",
    "copy",
    "exists",
    "glob",
    "isdir",
    "join",
    "listdir",
    "makedirs",
    "mkdir",
    "remove",
    "rename",
    "rmtree",
    "stat",
    "walk",
]
