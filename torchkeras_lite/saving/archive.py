"""The parts of a saved model, in a zip archive (`.keras`) or a folder: config, metadata, weights, assets."""

import contextlib
import os
import shutil
import tempfile
import zipfile
import zlib

from torchkeras_lite.saving.sizes import check_expansion

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"
ASSETS = "assets"
IN_MEMORY = 512 * 2**20  # bytes; larger weights wait in a file beside the archive
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError)


class AssetFolder:
    """A folder in which things with a state keep files of their own, each under its path.

    Args:
        root: The folder.
    """

    def __init__(self, root):
        self.root = os.path.realpath(root)

    def make(self, path):
        """Return the folder of `path`, which is made."""
        folder = self._inside(path)
        os.makedirs(folder, exist_ok=True)
        return folder

    def get(self, path):
        """Return the folder of `path`, or `None` where there is none."""
        folder = self._inside(path)
        return folder if os.path.isdir(folder) else None

    def _inside(self, path):
        folder = os.path.realpath(os.path.join(self.root, path))
        if folder != self.root and not folder.startswith(self.root + os.sep):
            raise ValueError(f"Invalid asset path: '{path}' leads out of the folder of assets.")
        return folder

    def files(self):
        """Return `(path in the folder, path on disk)` for every file."""
        found = []
        for folder, _, names in os.walk(self.root):
            for name in names:
                place = os.path.join(folder, name)
                found.append((os.path.relpath(place, self.root).replace(os.sep, "/"), place))
        return sorted(found)


def spooled(folder=None):
    """Return a new file object that is kept in memory up to 512 MiB, then in `folder`."""
    return tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, dir=folder)


def write_archive(place, config, metadata, weights, assets, others):
    """Write a zip archive, uncompressed as Keras's.

    Args:
        place: A path or a file object.
        config, metadata: Texts.
        weights: A file object with the weights, at any position.
        assets: An `AssetFolder`.
        others: Mapping of the names of further members, which Keras passes over, to their bytes.
    """
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr(METADATA, metadata)
        archive.writestr(CONFIG, config)
        weights.seek(0)
        with archive.open(WEIGHTS, "w", force_zip64=True) as target:
            shutil.copyfileobj(weights, target, 2**20)
        for name, path in assets.files():
            archive.write(path, f"{ASSETS}/{name}")
        for name, content in others.items():
            archive.writestr(name, content)


class ArchiveReader:
    """Reads a zip archive; every member's size and name is checked before any is read, its CRC with it.

    Args:
        place: A path or a file object.
        name: What messages call the file.

    Raises:
        ValueError: no archive, a damaged one, or members that an archive of a model never has.
    """

    def __init__(self, place, name):
        self.name = name
        try:
            self.archive = zipfile.ZipFile(place)
        except FileNotFoundError:
            raise
        except DAMAGE as error:
            raise ValueError(
                f"{name}: it is no `.keras` archive, or it is damaged or cut off: {error}."
            ) from None
        try:
            self._check_members()
        except ValueError:
            self.archive.close()
            raise

    def _check_members(self):
        seen = set()
        for info in self.archive.infolist():
            parts = info.filename.replace("\\", "/").split("/")
            if info.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
                raise ValueError(
                    f"{self.name}: Not allowed: the member '{info.filename}' would be written outside."
                )
            if info.external_attr >> 16 & 0o170000 == 0o120000:
                raise ValueError(f"{self.name}: Not allowed: the member '{info.filename}' is a link.")
            if info.filename in seen:
                raise ValueError(f"{self.name}: the member '{info.filename}' is there twice.")
            seen.add(info.filename)
            check_expansion(self.name, f"the member '{info.filename}'", info.file_size, info.compress_size)

    def names(self):
        """Return the names of the members."""
        return self.archive.namelist()

    def text(self, member):
        """Return a member as text.

        Raises:
            ValueError: it is missing or damaged.
        """
        with self._reading(member):
            return self.archive.read(member).decode()

    def weights(self):
        """Return a file object with the weights, and its size."""
        copy = spooled()
        try:
            with self._reading(WEIGHTS), self.archive.open(WEIGHTS) as source:
                shutil.copyfileobj(source, copy, 2**20)
        except ValueError:
            copy.close()
            raise
        return copy, copy.tell()

    @contextlib.contextmanager
    def assets(self):
        """Give an `AssetFolder` with the assets, for as long as the block runs."""
        with tempfile.TemporaryDirectory() as folder:
            for member in self.names():
                inside = member.removeprefix(f"{ASSETS}/")
                if inside in (member, "") or member.endswith("/"):
                    continue
                place = os.path.join(folder, *inside.split("/"))
                os.makedirs(os.path.dirname(place), exist_ok=True)
                with self._reading(member), self.archive.open(member) as source, open(place, "wb") as target:
                    shutil.copyfileobj(source, target, 2**20)
            yield AssetFolder(folder)

    @contextlib.contextmanager
    def _reading(self, member):
        try:
            yield
        except KeyError:
            raise ValueError(f"{self.name}: the archive has no '{member}'; it has {self.names()}.") from None
        except DAMAGE as error:
            raise ValueError(f"{self.name}: '{member}' in the archive is damaged: {error}.") from None

    def close(self):
        """Close the archive."""
        self.archive.close()


class FolderReader:
    """Reads the parts of a model that was saved with `zipped=False`; as `ArchiveReader`.

    Args:
        place: The folder.
        name: What messages call it.
    """

    def __init__(self, place, name):
        self.place = place
        self.name = name

    def names(self):
        """Return the names in the folder."""
        return os.listdir(self.place)

    def text(self, member):
        """Return a file as text."""
        try:
            with open(os.path.join(self.place, member), encoding="utf-8") as file:
                return file.read()
        except (FileNotFoundError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.name}: '{member}' in the folder cannot be read: {error}.") from None

    def weights(self):
        """Return the weights as an open file, and its size."""
        path = os.path.join(self.place, WEIGHTS)
        if not os.path.isfile(path):
            raise ValueError(f"{self.name}: the folder has no '{WEIGHTS}'; it has {self.names()}.")
        return open(path, "rb"), os.path.getsize(path)

    @contextlib.contextmanager
    def assets(self):
        """Give the `AssetFolder` with the assets."""
        yield AssetFolder(os.path.join(self.place, ASSETS))

    def close(self):
        """Do nothing: no file is open."""
