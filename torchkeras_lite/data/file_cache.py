"""A cache of elements in a file, which later runs of the program read too."""

import io
import json
import os
import zipfile

import numpy as np
import torch

from torchkeras_lite.base import nested
from torchkeras_lite.base.atomic_file import replacing
from torchkeras_lite.data import views
from torchkeras_lite.data.stages import Stage


class FileCached(Stage):
    """Elements that are written to a file by the first pass that reaches the end, and read from it after.

    The file is a zip archive with one entry an element, in torch's format for tensors. It is written beside
    its place and then moved there, so it is whole or not there.

    Args:
        source: The stage before.
        path: The file.
    """

    def __init__(self, source, path):
        self.source, self.path = source, os.fspath(path)
        self.size = source.size

    def runs(self):
        """Return the elements of the file, where it is there."""
        if not os.path.exists(self.path):
            return None
        records = Records(self.path)
        return iter([(records, range(records.length))])

    def stream(self):
        """Return the elements and write them."""
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        with replacing(self.path) as beside, zipfile.ZipFile(beside, "w") as archive:
            for number, element in enumerate(self.source):
                archive.writestr(str(number), _packed(element))
                yield element


class Records(views.View):
    """The elements in a file that `FileCached` wrote.

    Args:
        path: The file.

    Raises:
        ValueError: it is another file.
    """

    def __init__(self, path):
        self.path = path
        self._opened = (None, None)
        try:
            self.length = len(self._archive().namelist())
        except zipfile.BadZipFile as error:
            raise ValueError(
                f"Dataset.cache: the file {path!r} is no cache of a dataset ({error}). Delete it, or name "
                "another."
            ) from None

    def one(self, index):
        """Return an element."""
        return _unpacked(self._archive().read(str(index)))

    def _archive(self):
        """Return the archive, opened by this process: one from before a fork shares its place in the file."""
        process, archive = self._opened
        if process != os.getpid():
            archive = zipfile.ZipFile(self.path)
            self._opened = os.getpid(), archive
        return archive

    def __getstate__(self):
        return {**vars(self), "_opened": (None, None)}


def _packed(element):
    """Return an element as bytes; arrays and strings are written as tensors and JSON."""
    leaves = [_written(leaf) for leaf in nested.flatten(element)]
    plain = nested.pack_like(element, [value for _, value in leaves])
    file = io.BytesIO()
    torch.save((plain, [kind for kind, _ in leaves]), file)
    return file.getvalue()


def _written(leaf):
    if isinstance(leaf, (np.ndarray, np.generic)):
        array = np.asarray(leaf)
        if array.dtype.kind in "OUS":
            return "strings", json.dumps(array.astype(str).tolist())
        return "array", torch.from_numpy(np.array(array))
    # A row that is a view would be written with the whole batch it belongs to.
    return "value", leaf.clone() if isinstance(leaf, torch.Tensor) else leaf


def _unpacked(data):
    plain, kinds = torch.load(io.BytesIO(data), weights_only=True)
    leaves = nested.flatten(plain)
    read = [_READ[kind](leaf) for kind, leaf in zip(kinds, leaves, strict=True)]
    return nested.pack_like(plain, read)


_READ = {
    "strings": lambda text: np.array(json.loads(text), dtype=object),
    "array": lambda tensor: tensor.numpy(),
    "value": lambda value: value,
}
