"""Weights in several HDF5 files, listed in one JSON file, as Keras writes them with `max_shard_size`."""

import contextlib
import json
import os
import re
import uuid

from torchkeras_lite.base.atomic_file import replacing
from torchkeras_lite.base.warning import warn_user
from torchkeras_lite.saving.h5_file import H5Reader, H5Writer, as_array
from torchkeras_lite.saving.sizes import readable_size

SAVE_ID = "save_id"


def _list_path(path, doing):
    """Return the path of the JSON file for `path`, which older scripts end otherwise."""
    root, ending = os.path.splitext(path)
    if ending == ".json":
        return path
    renamed = f"{root}.json"
    warn_user(
        f"{doing} sharded weights requires `*.json` as the extension. The original path: {path} will be "
        f"renamed to {renamed}."
    )
    return renamed


class ShardWriter:
    """Writes weights into as many files as are needed; all take their places in `finish`.

    Args:
        path: Path of the JSON file; the others are `<name>_00000.weights.h5`, ... beside it.
        max_shard_size: Largest size of the values in one file, in GiB.
    """

    def __init__(self, path, max_shard_size):
        self.path = _list_path(path, "Saving")
        self.folder = os.path.dirname(os.path.realpath(self.path))
        self.base = os.path.basename(self.path).removesuffix(".json").removesuffix(".weights")
        self.limit = float(max_shard_size) * 1024**3
        self.stack = contextlib.ExitStack()
        self.identity = uuid.uuid4().hex
        self.names, self.weight_map = [], {}
        self.total = self.filled = 0
        self.writer = None
        self.pending = []

    def write(self, path, name, values):
        """As `H5Writer.write`."""
        if self.writer is None:
            self._next()
        part = {}
        for key, value in values.items():
            size = as_array(value)[0].nbytes
            if size > self.limit:
                raise ValueError(
                    f"The size of '{path}' {key} is {readable_size(size)} which exceeds the maximum "
                    "shard size "
                    f"{readable_size(self.limit)}. Pass a larger `max_shard_size`."
                )
            if self.filled + size > self.limit:
                self._put(path, name, part)
                part = {}
                self._next()
            part[key] = value
            self.filled += size
            self.total += size
        self._put(path, name, part)

    def _put(self, path, name, part):
        if not part:
            return
        self.writer.write(path, name, part)
        entry = f"/{path}/vars".replace("//", "/")
        before, shard = self.weight_map.get(entry), self.names[-1]
        if before is None:
            self.weight_map[entry] = shard
        else:
            self.weight_map[entry] = [*([before] if isinstance(before, str) else before), shard]

    def _next(self):
        if self.writer is not None:
            self.writer.close()
        shard = f"{self.base}_{len(self.names):05}.weights.h5"
        place = os.path.join(self.folder, f".{shard}.{self.identity}.tmp")
        self.pending.append((place, os.path.join(self.folder, shard)))
        self.writer = H5Writer(place, checksums=True)
        self.writer.file.attrs[SAVE_ID] = self.identity
        self.names.append(shard)
        self.filled = 0

    def finish(self):
        """Move all files to their places, the list of them last."""
        if self.writer is None:
            self._next()
        self.writer.close()
        for temporary, place in self.pending:
            with replacing(place) as beside:
                os.replace(temporary, beside)
        listed = {
            "metadata": {"total_size": self.total, SAVE_ID: self.identity},
            "weight_map": self.weight_map,
        }
        with replacing(self.path) as beside, open(beside, "w", encoding="utf-8") as file:
            json.dump(listed, file, indent=4)

    def close(self):
        """Remove what was not moved to its place."""
        if self.writer is not None:
            self.writer.close()
        for temporary, _ in self.pending:
            with contextlib.suppress(FileNotFoundError):
                os.remove(temporary)


class ShardReader:
    """Reads what `ShardWriter`, or Keras, wrote; as `H5Reader`.

    Args:
        path: Path of the JSON file.

    Raises:
        ValueError: a damaged list, names that are no plain file names, missing files, or files of another
            save.
    """

    fits_optimizers = True

    def __init__(self, path):
        self.name = path
        try:
            with open(path, encoding="utf-8") as file:
                listed = json.load(file)
            weight_map = dict(listed["weight_map"])
            identity = listed["metadata"].get(SAVE_ID)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path}: the list of weights is damaged: {error}.") from None
        names = []
        for shards in weight_map.values():
            names += shards if isinstance(shards, list) else [shards]
        self.readers = {}
        try:
            for name in dict.fromkeys(names):
                self.readers[name] = self._open(name, identity)
        except ValueError:
            self.close()
            raise
        self.groups = {}
        for reader in self.readers.values():
            for at, group in reader.paths().items():
                self.groups.setdefault(at, {}).update(group)

    def _open(self, name, identity):
        if not isinstance(name, str) or not re.fullmatch(r"[^/\\:\0]+\.weights\.h5", name):
            raise ValueError(f"{self.name}: Not allowed: the list names the file {name!r}.")
        place = os.path.join(os.path.dirname(self.name), name)
        if not os.path.isfile(place):
            raise ValueError(f"{self.name}: the file '{name}' that it lists is missing.")
        reader = H5Reader(place, os.path.getsize(place), place)
        stored = reader.file.attrs.get(SAVE_ID)
        if identity is not None and stored != identity:
            reader.close()
            raise ValueError(f"{self.name}: the file '{name}' belongs to another save of these weights.")
        return reader

    def paths(self):
        """As `H5Reader.paths`, over all files."""
        return self.groups

    def read(self, path):
        """As `H5Reader.read`."""
        values = {}
        for reader in self.readers.values():
            values |= reader.read(path)
        return values

    def close(self):
        """Close all files."""
        for reader in self.readers.values():
            reader.close()
