"""Archives that are unpacked into a folder, and never outside of it."""

import os
import shutil
import stat
import tarfile
import zipfile

from torchkeras_lite.base.atomic_file import replacing_folder

FORMATS = ("tar", "zip")


def extract_archive(path, folder, archive_format="auto"):
    """Unpack an archive into `folder`, whose former content goes.

    Args:
        path: The archive.
        folder: Where to; it appears when everything was unpacked.
        archive_format: `"tar"` (also compressed by gzip, bzip2 or xz), `"zip"`, a list of them, `"auto"` for
            both, or `None` to unpack nothing.

    Raises:
        ValueError: an unknown format; a file of another format; an entry with an absolute path, with `..`,
            or that is a link or a device.
    """
    formats = _formats(archive_format)
    for name in formats:
        if (tarfile.is_tarfile if name == "tar" else zipfile.is_zipfile)(path):
            os.makedirs(os.path.dirname(os.path.abspath(folder)), exist_ok=True)
            with replacing_folder(folder) as temporary:
                (_untar if name == "tar" else _unzip)(path, temporary)
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


def _untar(path, folder):
    with tarfile.open(path) as archive:
        for entry in archive:
            place = _inside(path, folder, entry.name)
            if entry.isdir():
                os.makedirs(place, exist_ok=True)
            elif entry.isreg():
                _write(archive.extractfile(entry), place)
            else:
                raise _refused(path, entry.name, "it is a link or a device")


def _unzip(path, folder):
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            place = _inside(path, folder, entry.filename)
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise _refused(path, entry.filename, "it is a link")
            if entry.is_dir():
                os.makedirs(place, exist_ok=True)
            else:
                with archive.open(entry) as source:
                    _write(source, place)


def _write(source, place):
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as file:
        shutil.copyfileobj(source, file)
