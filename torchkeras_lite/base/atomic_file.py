"""Files that are written whole or not at all: beside their place first, then moved there."""

import contextlib
import os
import shutil
import tempfile


@contextlib.contextmanager
def replacing(path):
    """Give the path of a new file to write, which takes the place of `path` when the block ends well.

    After an exception, a full disk or a kill, what was at `path` is untouched. A link is followed.
    """
    place = os.path.realpath(os.fspath(path))
    beside = _beside(place)
    handle, temporary = tempfile.mkstemp(**beside)
    os.close(handle)
    try:
        yield temporary
        os.chmod(temporary, _mode(place))
        _flush(temporary)
        os.replace(temporary, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise
    _flush(os.path.dirname(place))


@contextlib.contextmanager
def replacing_folder(path):
    """As `replacing`, for a folder; its new content takes the place of all that was in it."""
    place = os.path.realpath(os.fspath(path))
    temporary = tempfile.mkdtemp(**_beside(place))
    try:
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        for folder, _, names in os.walk(temporary):
            for name in names:
                _flush(os.path.join(folder, name))
        if os.path.isdir(place):
            old = tempfile.mkdtemp(**_beside(place))
            os.replace(place, old)  # an empty folder can be replaced
            os.replace(temporary, place)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(temporary, place)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _flush(os.path.dirname(place))


def _beside(place):
    folder, name = os.path.split(place)
    return {"dir": folder, "prefix": f".{name}.", "suffix": ".tmp"}


def _mode(place):
    try:
        return os.stat(place).st_mode & 0o777
    except OSError:
        return 0o666 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush(path):
    """Have the operating system put a file or folder on the disk, where it can."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
