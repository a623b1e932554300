"""Files that are written whole or not at all: beside their place first, then moved there.

What a killed program has left beside a place, `.name.xxxxxxxx.tmp`, goes with a later writing to that place.
"""

import contextlib
import os
import re
import shutil
import tempfile
import time

LEFT_BEHIND = 24 * 3600  # seconds; what was touched since then may still be written by another program


@contextlib.contextmanager
def replacing(path):
    """Give the path of a new file to write, which takes the place of `path` when the block ends well.

    After an exception, a full disk or a kill, what was at `path` is untouched. A link is followed.
    """
    place = os.path.realpath(os.fspath(path))
    _clear_beside(place)
    handle, temporary = tempfile.mkstemp(**_beside(place))
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
    _clear_beside(place)
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


def _clear_beside(place):
    """Remove what was left beside `place` more than a day ago."""
    folder, name = os.path.split(place)
    pattern = re.compile(rf"\.{re.escape(name)}\.[a-z0-9_]{{8}}\.tmp")
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in [entry for entry in entries if pattern.fullmatch(entry.name)]:
            with contextlib.suppress(OSError):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime < LEFT_BEHIND:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.remove(entry.path)


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
