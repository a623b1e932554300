"""`KerasFileEditor`: looking at the weights in a file, and changing which there are, without the model."""

import os

import numpy as np

from torchkeras_lite.base.atomic_file import replacing
from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.callbacks.progress import announce
from torchkeras_lite.saving import archive
from torchkeras_lite.saving.config_checks import parse_json
from torchkeras_lite.saving.h5_file import H5Writer, as_array
from torchkeras_lite.saving.state import save_state
from torchkeras_lite.saving.weight_files import weights_reader


class KerasFileEditor:
    """The weights of a file by path, to be inspected, compared with a model, renamed, removed and saved.

    Objects are named by their path (`"layers/dense_3"`), or by its last part where that is the only one.

    Args:
        filepath: A `.keras`, `.weights.h5` or `.weights.json` file. Nothing in it is run.

    Raises:
        ValueError: another ending, a damaged file, links in it.

    Source: Keras 3 `keras.saving.KerasFileEditor`.
    """

    def __init__(self, filepath):
        self.filepath = os.fspath(filepath)
        self.metadata = self.config = self.model = None
        if not self.filepath.endswith((".keras", ".weights.h5", ".weights.json")):
            raise ValueError(
                "Invalid filename: expected a `.keras`, `.weights.h5` or `.weights.json` extension. "
                "Received: "
                f"filepath={self.filepath}"
            )
        if self.filepath.endswith(".keras"):
            reader = archive.ArchiveReader(self.filepath, self.filepath)
            try:
                self.config = parse_json(reader.text(archive.CONFIG), self.filepath)
                self.metadata = reader.text(archive.METADATA)
            finally:
                reader.close()
        with weights_reader(self.filepath) as weights:
            self._objects = {path: weights.read(path) for path in weights.paths()}

    @property
    def weights_dict(self):
        """The weights as nested dicts, by the parts of their paths and their numbers."""
        nested = {}
        for path, weights in self._objects.items():
            place = nested
            for part in filter(None, path.split("/")):
                place = place.setdefault(part, {})
            place.update(weights)
        return nested

    def summary(self):
        """Print the paths, and shape and dtype of every weight."""
        lines = [f"Weights of {self.filepath}"]
        for path, weights in self._objects.items():
            lines.append(f"  {path or 'the model'}")
            lines += [f"    {key}: shape={tuple(v.shape)}, dtype={v.dtype}" for key, v in weights.items()]
        announce("\n".join(lines))

    def compare(self, reference_model):
        """Print how the file differs from the weights of a model.

        Returns:
            `{"status": "success"}`, or `{"status": "error", "error_count": ...}`.
        """
        wanted = _StateInMemory()
        save_state(reference_model, wanted)
        told = []
        for path in dict.fromkeys([*wanted.objects, *self._objects]):
            expected, found = wanted.objects.get(path), self._objects.get(path)
            if found is None:
                told.append(f"Object {path} is missing in the file")
            elif expected is None:
                told.append(f"Object {path} is in the file and not in the model")
            else:
                told += _differences(path, expected, found)
        announce("\n".join(["Comparison", *told, f"{len(told)} difference(s)"]))
        return {"status": "error", "error_count": len(told)} if told else {"status": "success"}

    def rename_object(self, object_name, new_name):
        """Give an object, with all in it, another last part of its path."""
        path = self._find(object_name)
        renamed = f"{path.rpartition('/')[0]}/{new_name}".lstrip("/")
        if renamed in self._objects:
            raise ValueError(f"The file already has an object '{renamed}'. Delete it first.")
        self._objects = {
            f"{renamed}{old[len(path) :]}" if _is_in(old, path) else old: weights
            for old, weights in self._objects.items()
        }

    def delete_object(self, object_name):
        """Remove an object with all in it."""
        path = self._find(object_name)
        self._objects = {old: weights for old, weights in self._objects.items() if not _is_in(old, path)}

    def add_object(self, object_path, weights):
        """Add an object with its weights, a dict of arrays by their numbers."""
        if object_path in self._objects:
            raise ValueError(f"The file already has an object '{object_path}'. Use `add_weights`.")
        self._objects[object_path] = _checked(weights)

    def delete_weight(self, object_name, weight_name):
        """Remove one weight of an object."""
        weights = self._objects[self._find(object_name, exact=True)]
        if weight_name not in weights:
            raise ValueError(f"'{object_name}' has no weight '{weight_name}'; it has {list(weights)}.")
        del weights[weight_name]

    def add_weights(self, object_name, weights):
        """Add weights to an object, a dict of arrays by their numbers."""
        self._objects[self._find(object_name, exact=True)].update(_checked(weights))

    def save(self, filepath):
        """Write the weights to a `.weights.h5` file."""
        path = os.fspath(filepath)
        if not path.endswith(".weights.h5"):
            raise ValueError(f"The filename must end in `.weights.h5`. Received: filepath={path}")
        with replacing(path) as place:
            writer = H5Writer(place, checksums=True)
            try:
                for where, weights in self._objects.items():
                    writer.write(where, None, weights)
            finally:
                writer.close()

    def resave_weights(self, filepath):
        """Alias of `save`."""
        self.save(filepath)

    def _find(self, name, *, exact=False):
        """Return the path of the object `name`, its path or the last part of it."""
        paths = dict.fromkeys(self._objects if exact else _with_parents(self._objects))
        if name in paths:
            return name
        found = [path for path in paths if path.rpartition("/")[2] == name]
        if len(found) != 1:
            last = [path.rpartition("/")[2] for path in paths]
            reason = (
                f"stands for several: {found}" if found else f"is not in the file{suggestion(name, last)}"
            )
            raise ValueError(f"The object '{name}' {reason} Pass a full path, such as 'layers/dense'.")
        return found[0]


class _StateInMemory:
    """Takes what `save_state` writes."""

    def __init__(self):
        self.objects = {}

    def write(self, path, name, values):
        """Keep the weights of one object."""
        if values:
            self.objects[path] = {key: as_array(value)[0] for key, value in values.items()}


def _with_parents(paths):
    for path in paths:
        parts = path.split("/")
        yield from ("/".join(parts[:end]) for end in range(1, len(parts) + 1))


def _is_in(path, outer):
    return path == outer or path.startswith(f"{outer}/")


def _checked(weights):
    if not isinstance(weights, dict):
        raise ValueError(f"Argument `weights` should be a dict of arrays by their numbers, got {weights!r}.")
    return {str(key): np.asarray(value) for key, value in weights.items()}


def _differences(path, expected, found):
    told = []
    for key in dict.fromkeys([*expected, *found]):
        if key not in found:
            told.append(f"Weight {key} of {path} is missing in the file")
        elif key not in expected:
            told.append(f"Weight {key} of {path} is in the file and not in the model")
        elif tuple(expected[key].shape) != tuple(found[key].shape):
            told.append(
                f"Weight {key} of {path} has shape {tuple(found[key].shape)} in the file and shape "
                f"{tuple(expected[key].shape)} in the model"
            )
    return told
