"""Weights in the older `.h5` layout: a group a layer, named after it, with a list of the names in it."""

import contextlib
import os
import re

import h5py
import numpy as np
import torch

from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine import collecting
from torchkeras_lite.saving.h5_file import H5Reader, as_array, read_dataset
from torchkeras_lite.saving.sizes import check_expansion

LIMIT = 64512  # bytes of an attribute's values that surely fit into an HDF5 header
TOP = "top_level_model_weights"


def is_legacy_path(path):
    """Whether `path` ends as files of the older layout do."""
    return path.endswith((".h5", ".hdf5")) and not path.endswith(".weights.h5")


def has_legacy_layout(path):
    """Whether the file at `path` is an HDF5 file of the older layout, whatever its name says."""
    try:
        with h5py.File(path, "r") as file:
            listed = [key for key in file.attrs if re.fullmatch(r"layer_names\d*", key)]
            return bool(listed) or "model_weights" in file
    except (OSError, RuntimeError, ValueError):
        return False


def layers_with_names(model):
    """Return `(name, weights)` for every layer of `model`, and the model's own weights.

    Raises:
        ValueError: plain torch modules among the layers, which the layout has no place for.
    """
    found = []
    for layer in model.layers:
        if not collecting.is_layer(layer):
            raise ValueError(
                f"{describe(model)}: the older `.h5` layout holds Keras layers alone, and the model has a "
                f"{type(layer).__name__}. Use a `.keras`, `.weights.h5` or `.safetensors` file."
            )
        found.append((layer.name, ordered(layer.weights)))
    return found, ordered(collecting.own_weights(model))


def ordered(weights):
    """Return weights as the layout lists them: those that are trained first."""
    return [w for w in weights if w.trainable] + [w for w in weights if not w.trainable]


def write_weights(group, model):
    """Write all weights of `model` into an HDF5 group."""
    layers, own = layers_with_names(model)
    write_names(group, "layer_names", [name for name, _ in layers])
    for name, weights in [*layers, (TOP, own)]:
        write_values(group.create_group(name), [(w.path, w) for w in weights])


def write_values(group, named):
    """Write `(name, value)` pairs into an HDF5 group, with the list of names that gives their order."""
    used = set()
    names = []
    for name, _ in named:
        unique = next(n for n in _variants(name) if n not in used)
        used.add(unique)
        names.append(unique)
    write_names(group, "weight_names", names)
    for name, (_, value) in zip(names, named, strict=True):
        array, dtype = as_array(value)
        dataset = group.create_dataset(name, data=array)
        if dtype is not None:
            dataset.attrs["dtype"] = dtype


def _variants(name):
    yield name
    number = 0
    while True:
        number += 1
        yield f"{name}_{number}"


def write_names(group, key, names):
    """Write a list of names as an attribute, in parts `<key>0`, `<key>1`, ... where it is long.

    Raises:
        ValueError: a single name that does not fit.
    """
    too_long = [name for name in names if len(name.encode()) > LIMIT]
    if too_long:
        raise ValueError(
            f"The name {too_long[0][:60]!r}... is too long for an HDF5 attribute. Give the layer a "
            "shorter one."
        )
    array = np.asarray([name.encode() for name in names])
    count = 1
    parts = np.array_split(array, count)
    while any(part.nbytes > LIMIT for part in parts):
        count += 1
        parts = np.array_split(array, count)
    if count == 1:
        group.attrs[key] = list(names)
    else:
        for number, part in enumerate(parts):
            group.attrs[f"{key}{number}"] = [name.decode() for name in part.tolist()]


class LegacyReader:
    """Reads a file of the older layout; everything in it is checked before anything is read.

    Args:
        path: Path of the file.

    Raises:
        ValueError: no HDF5 file, a damaged one, links, data kept elsewhere, sizes beyond the file.
    """

    def __init__(self, path):
        self.name = path
        self.size = os.path.getsize(path)
        self.reader = H5Reader(path, self.size, path)
        try:
            self.reader.paths()
            self.file = self.reader.file
            weights = self.file.get("model_weights")
            self.group = weights if isinstance(weights, h5py.Group) else self.file
        except ValueError:
            self.reader.close()
            raise

    def close(self):
        """Close the file."""
        self.reader.close()

    def text(self, key):
        """Return an attribute of the file as text, `None` where there is none.

        Raises:
            ValueError: it is no text.
        """
        with self._telling(f"the attribute '{key}'"):
            value = self.file.attrs.get(key)
            if value is None:
                return None
            value = value.decode() if isinstance(value, bytes) else value
        if not isinstance(value, str):
            raise ValueError(f"{self.name}: the attribute '{key}' is no text.")
        return value

    def layers(self):
        """Return `{name: {weight name: dataset}}` for every layer in the file, in its order.

        Raises:
            ValueError: the file is of another layout, or lists what it does not have.
        """
        with self._telling("the list of layers"):
            names = read_names(self.group, "layer_names")
            if names is None:
                raise ValueError(
                    "it holds no weights in the older `.h5` layout: there is no list `layer_names`. Files of "
                    "`save_weights` end in `.weights.h5`"
                )
            found = {name: self._values(self.group, name) for name in names}
            if isinstance(self.group.get(TOP), h5py.Group):
                found[TOP] = self._values(self.group, TOP)
        declared = sum(d.dtype.itemsize * d.size for values in found.values() for d in values.values())
        check_expansion(self.name, "all weights together", declared, self.size)
        return found

    def optimizer(self):
        """Return names and values of what the file has of the optimizer, `None` where it has nothing."""
        if not isinstance(self.file.get("optimizer_weights"), h5py.Group):
            return None
        with self._telling("the state of the optimizer"):
            values = self._values(self.file, "optimizer_weights")
            check_expansion(
                self.name, "the optimizer", sum(d.dtype.itemsize * d.size for d in values.values()), self.size
            )
            return list(values), [read_values(dataset) for dataset in values.values()]

    def _values(self, parent, name):
        group = parent.get(name)
        if not isinstance(group, h5py.Group):
            raise ValueError(f"the layer '{name}' that it lists is missing")
        found = {}
        for weight in read_names(group, "weight_names") or ():
            dataset = group.get(weight)
            if not isinstance(dataset, h5py.Dataset):
                raise ValueError(f"the weight '{weight}' of '{name}' that it lists is missing")
            found[weight] = dataset
        return found

    @contextlib.contextmanager
    def _telling(self, what):
        try:
            yield
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{self.name}: {what} cannot be read: {error}.") from None


def read_names(group, key):
    """Return the list of names in an attribute, or in its parts; `None` where there is none."""
    if key in group.attrs:
        parts = [group.attrs[key]]
    else:
        count = next(n for n in range(len(group.attrs) + 1) if f"{key}{n}" not in group.attrs)
        parts = [group.attrs[f"{key}{number}"] for number in range(count)]
        if not parts:
            return None
    names = [name for part in parts for name in np.asarray(part).ravel().tolist()]
    return [name.decode() if isinstance(name, bytes) else _text(name) for name in names]


def _text(name):
    if not isinstance(name, str):
        raise ValueError(f"a list of names holds {name!r}")
    return name


def read_values(dataset):
    """Return the values of a dataset; Keras writes bfloat16 here without saying so, as two bytes a value.

    Raises:
        ValueError: values of a kind that no weight has.
    """
    if dataset.dtype == np.dtype("V2") and "dtype" not in dataset.attrs:
        return torch.from_numpy(np.asarray(dataset[()]).view("int16").copy()).view(torch.bfloat16)
    return read_dataset(dataset)


def adapted(layer, shapes):
    """Return a function of the stored arrays that gives those of today's layer, `None` where they are equal.

    The CuDNN layers of Keras 2 kept their kernels transposed gate by gate, and two biases.

    Args:
        layer: The layer.
        shapes: The stored shapes, in their order.
    """
    kinds = [re.sub(r"[^A-Za-z]", "", type(one).__name__) for one in collecting.all_layers(layer)]
    gates = 4 if "LSTM" in kinds else 3 if "GRU" in kinds else None
    weights = ordered(layer.weights)
    if gates is None or len(shapes) != len(weights) or len(shapes) % 3:
        return None
    if all(shape == tuple(w.shape) for shape, w in zip(shapes, weights, strict=True)):
        return None

    def convert(arrays):
        return [
            array
            for start in range(0, len(arrays), 3)
            for array in _from_cudnn(arrays[start : start + 3], gates)
        ]

    probes = [np.broadcast_to(np.float32(0), shape) for shape in shapes]
    try:
        converted = convert(probes)
    except ValueError:
        return None
    fits = all(a.shape == tuple(w.shape) for a, w in zip(converted, weights, strict=True))
    return convert if fits else None


def _from_cudnn(arrays, gates):
    kernel, recurrent, bias = arrays
    units = recurrent.shape[0]
    if bias.shape != (2 * gates * units,):
        raise ValueError("these are no weights of a CuDNN layer")
    kernel = np.concatenate([_turned(part) for part in np.split(kernel, gates, axis=1)], 1)
    recurrent = np.concatenate([part.T for part in np.split(recurrent, gates, axis=1)], 1)
    return kernel, recurrent, bias.reshape(2, -1).sum(0) if gates == 4 else bias.reshape(2, -1)


def _turned(part):
    return part.T.reshape(part.shape, order="F")
