"""Archives that are unpacked into a folder, and never outside of it."""

import lzma
import os
import stat
import tarfile
import zipfile
import zlib

from torchkeras_lite.base.atomic_file import replacing_folder

FORMATS = ("tar", "zip")
MAX_EXPANSION = 200  # times the size of the archive; data that anybody trains on hardly reaches 20
FLOOR = 64 * 2**20  # bytes; less than this never hurts
CHUNK = 1 << 20
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError)


def extract_archive(path, folder, archive_format="auto"):
    """Unpack an archive into `folder`, whose former content goes.

    Args:
        path: The archive.
        folder: Where to; it appears when everything was unpacked.
        archive_format: `"tar"` (also compressed by gzip, bzip2 or xz), `"zip"`, a list of them, `"auto"` for
            both, or `None` to unpack nothing.

    Raises:
        ValueError: an unknown format; a file of another format; an entry with an absolute path, with `..`,
            or that is a link or a device; a damaged archive; one whose content, as it says or as it turns
            out, takes more than 64 MiB and more than 200 times its own size.
    """
    formats = _formats(archive_format)
    for name in formats:
        if (tarfile.is_tarfile if name == "tar" else zipfile.is_zipfile)(path):
            os.makedirs(os.path.dirname(os.path.abspath(folder)), exist_ok=True)
            try:
                with replacing_folder(folder) as temporary:
                    (_untar if name == "tar" else _unzip)(path, temporary)
            except DAMAGE as error:
                raise ValueError(
                    f"The archive {path} is damaged or cut off: {error}. Delete it, or call `get_file` with "
                    "`force_download=True`."
                ) from error
            return
    if formats:
        raise ValueError(f"get_file: {path} is no archive of the formats {', '.join(formats)}.")


def _formats(archive_format):
    if archive_format is None:
        return ()
    if archive_format == "auto":
        return FORMATS
    names = (archive_format,) if isinstance(archive_format, str) else tuple(archive_format)
    for name in names:
        if name not in FORMATS:
            raise ValueError(
                "get_file: `archive_format` must be 'auto', 'tar', 'zip', a list of them or None, got "
                f"{name!r}."
            )
    return names


def _inside(path, folder, name):
    """Return the place of an entry in `folder`.

    Raises:
        ValueError: a name that leads out of it.
    """
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
        raise _refused(path, name, "its path leads out of the folder")
    return os.path.join(folder, *(part for part in parts if part not in ("", ".")))


def _refused(path, name, why):
    return ValueError(
        f"The archive {path} is not unpacked: the entry {name!r} is refused because {why}. Get the archive "
        "from "
        "a place that you trust, or unpack it yourself."
    )


class _Writer:
    """Writes the entries of an archive, no more than it may sensibly hold.

    Args:
        path: The archive.
    """

    def __init__(self, path):
        self.path = path
        self.left = max(FLOOR, MAX_EXPANSION * os.path.getsize(path))

    def write(self, name, declared, source, place):
        """Write the entry `name`, which says that it has `declared` bytes, from `source` to `place`."""
        if declared > self.left:
            raise self._bomb(name)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            while chunk := source.read(CHUNK):
                self.left -= len(chunk)
                if self.left < 0:
                    raise self._bomb(name)
                file.write(chunk)

    def _bomb(self, name):
        size = os.path.getsize(self.path)
        why = f"with it the {size} bytes of the archive become more than {max(FLOOR, MAX_EXPANSION * size)}"
        return _refused(self.path, name, why)


def _untar(path, folder):
    writer = _Writer(path)
    with tarfile.open(path) as archive:
        for entry in archive:
            place = _inside(path, folder, entry.name)
            if entry.isdir():
                os.makedirs(place, exist_ok=True)
            elif entry.isreg():
                writer.write(entry.name, entry.size, archive.extractfile(entry), place)
            else:
                raise _refused(path, entry.name, "it is a link or a device")


def _unzip(path, folder):
    writer = _Writer(path)
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            place = _inside(path, folder, entry.filename)
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise _refused(path, entry.filename, "it is a link")
            if entry.is_dir():
                os.makedirs(place, exist_ok=True)
            else:
                with archive.open(entry) as source:
                    writer.write(entry.filename, entry.file_size, source, place)
