"""Weights in HDF5, in Keras's layout, with every way out of the file closed before anything is read.

A weight is the dataset `<path>/vars/<key>`. The attribute `name` of `vars` holds the name of the object,
and in files of ours `crc32` a checksum of its datasets, because HDF5 itself checks nothing.
"""

import math
import re
import zlib

import h5py
import numpy as np
import torch

from torchkeras_lite.base.dtypes import standardize_dtype
from torchkeras_lite.saving.sizes import check_expansion

NUMERIC_KINDS = "biufcV"  # "V": bfloat16 as other programs write it
CHECKSUM = "crc32"


class H5Writer:
    """Writes one weights file.

    Args:
        place: A path or a file object, open for writing.
        checksums: Whether to store checksums; a zip archive has its own.
    """

    def __init__(self, place, *, checksums):
        self.file = h5py.File(place, "w")
        self.checksums = checksums

    def write(self, path, name, values):
        """Write the state of one object.

        Args:
            path: Its path, "" for the model.
            name: Its name, or `None`.
            values: Mapping of keys to weights, tensors or arrays.
        """
        if name is None and not values:
            return
        group = self.file.create_group(f"{path}/vars".lstrip("/"))
        if name is not None:
            group.attrs["name"] = name
        running = 0
        for key in sorted(values, key=by_number):
            array, dtype = as_array(values[key])
            dataset = group.create_dataset(key, data=array)
            if dtype is not None:
                dataset.attrs["dtype"] = dtype
            running = checksum(array, running) if self.checksums else 0
        if self.checksums and values:
            group.attrs[CHECKSUM] = np.uint32(running)

    def close(self):
        """Finish the file."""
        self.file.close()


def checksum(array, running=0):
    """Return the CRC-32 of an array's bytes, going on from that of what came before."""
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view("uint8"), running)


def as_array(value):
    """Return the array that is stored for a weight, and the name of a dtype that NumPy lacks, else `None`.

    Bfloat16 is stored as Keras stores it: two opaque bytes a value, and its name beside.
    """
    tensor = getattr(value, "value", value)
    if isinstance(tensor, torch.Tensor):
        tensor = tensor.detach().cpu()
        if tensor.dtype == torch.bfloat16:
            return tensor.contiguous().view(torch.int16).numpy().view("V2"), "bfloat16"
        return tensor.numpy(), None
    if hasattr(value, "numpy"):
        value = value.numpy()
    return np.asarray(value), None


class H5Reader:
    """Reads one weights file.

    Args:
        place: A path or a file object.
        size: Bytes the file has.
        name: What messages call the file.

    Raises:
        ValueError: it is no HDF5 file, or is cut off.
    """

    fits_optimizers = True  # whether the state of an optimizer in it has today's form

    def __init__(self, place, size, name):
        self.name = name
        self.size = size
        try:
            self.file = h5py.File(place, "r")
        except (OSError, RuntimeError, ValueError) as error:
            raise ValueError(f"{name}: it cannot be read as an HDF5 file: {_first_line(error)}") from None
        self.groups = None

    def close(self):
        """Close the file."""
        self.file.close()

    def paths(self):
        """Return every path with a state, with the datasets in it by their keys, numbers in their order.

        Raises:
            ValueError: links, data kept elsewhere, data of other kinds than numbers, or sizes beyond the
            file.
        """
        if self.groups is None:
            found = {}
            try:
                _collect(self.file, "", found, self.name, set())
                declared = sum(_declared(d) for group in found.values() for d in group.values())
            except ValueError:
                raise
            except (OSError, RuntimeError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"{self.name}: the HDF5 file is damaged: {_first_line(error)}") from None
            check_expansion(self.name, "all weights together", declared, self.size)
            self.groups = _modern(found)
        return self.groups

    def read(self, path):
        """Return the stored values of one object by key, checked where the file has checksums.

        Raises:
            ValueError: the data is damaged.
        """
        group = self.paths().get(path, {})
        try:
            values = {key: read_dataset(dataset) for key, dataset in group.items()}
            stored = next(iter(group.values())).parent.attrs.get(CHECKSUM) if group else None
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self.name}: the data of '{path}' cannot be read: {_first_line(error)}"
            ) from None
        running = 0
        for value in values.values() if stored is not None else ():
            running = checksum(as_array(value)[0], running)
        if stored is not None and running != stored:
            raise ValueError(f"{self.name}: the data of '{path}' is damaged: its checksum is another one.")
        return values


def by_number(key):
    """Return what sorts the keys of weights by their numbers, "10" behind "9"."""
    return (0, int(key), "") if key.isdecimal() else (1, 0, key)


def _collect(group, path, found, name, seen):
    """Gather the datasets of `group` and of the groups in it; nothing is read but the headers."""
    address = h5py.h5o.get_info(group.id).addr
    if address in seen or path.count("/") > 128:
        raise ValueError(f"{name}: Not allowed: the group '{path[:100]}' is in two places, or too deep.")
    seen.add(address)
    owner, _, last = path.rpartition("/")
    links = group.id.links
    for key in group:
        if links.get_info(key.encode()).type != h5py.h5l.TYPE_HARD:
            kind = type(group.get(key, getlink=True)).__name__
            raise ValueError(
                f"{name}: Not allowed: '{path}/{key}' is a link ({kind}), which could lead anywhere."
            )
        item, inner = group[key], f"{path}/{key}".lstrip("/")
        if isinstance(item, h5py.Group):
            _collect(item, inner, found, name, seen)
        elif isinstance(item, h5py.Dataset):
            check_dataset(item, inner, name)
            if last == "vars":
                found.setdefault(owner, {})[key] = item
        else:
            raise ValueError(f"{name}: Not allowed: '{inner}' is neither a group nor a dataset.")
    if last == "vars" and owner in found:
        found[owner] = {key: found[owner][key] for key in sorted(found[owner], key=by_number)}


def check_dataset(dataset, path, name):
    """Raise where a dataset is kept elsewhere, holds no numbers, or declares more than it stores.

    Raises:
        ValueError: see above.
    """
    if dataset.external:
        raise ValueError(f"{name}: Not allowed: '{path}' keeps its data in another file (external storage).")
    if dataset.is_virtual:
        raise ValueError(f"{name}: Not allowed: '{path}' is a virtual dataset, made of other files' data.")
    if dataset.dtype.kind not in NUMERIC_KINDS or dataset.dtype.hasobject or dataset.dtype.names:
        raise ValueError(f"{name}: Not allowed: '{path}' holds no numbers but {dataset.dtype}.")
    if dataset.shape is None:
        raise ValueError(f"{name}: '{path}' has no shape.")
    declared = _declared(dataset)
    stored = dataset.id.get_storage_size()
    if dataset.chunks is None and stored < declared:
        raise ValueError(
            f"{name}: '{path}' of shape {dataset.shape} needs {declared} bytes, and the file has {stored}."
        )
    check_expansion(name, f"'{path}'", declared, stored)


def _declared(dataset):
    return math.prod(dataset.shape) * dataset.dtype.itemsize


def read_dataset(dataset):
    """Return the values of a dataset in this machine's byte order: an array, or a tensor of bfloat16.

    Raises:
        ValueError: values of a kind that no weight has.
    """
    array = np.asarray(dataset[()])
    if array.dtype.kind == "V":
        if dataset.attrs.get("dtype") != "bfloat16" or array.dtype.itemsize != 2:
            raise ValueError(f"values of the unknown kind {array.dtype}")
        return torch.from_numpy(np.ascontiguousarray(array).view("int16").copy()).view(torch.bfloat16)
    standardize_dtype(array.dtype)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _modern(groups):
    """Return groups by their paths, those of Keras 2.13 in today's form.

    It kept the layers of a model under another name, and counted layers that have weights twice: `dense`,
    `dense_2`, `dense_4` are the first three.
    """
    old = "_layer_checkpoint_dependencies"
    names = {}
    for path in groups:
        parts = path.split("/")
        for place, part in enumerate(parts[:-1]):
            if part == old:
                base, number = re.fullmatch(r"(.+?)(?:_(\d+))?", parts[place + 1]).groups()
                names.setdefault((*parts[:place], base), {})[int(number or 0)] = parts[place + 1]
    renamed = {}
    for (*parent, base), numbered in names.items():
        for count, number in enumerate(sorted(numbered)):
            today = f"{base}_{count}" if count else base
            renamed[(*parent, old, numbered[number])] = today

    def modern(path):
        parts = path.split("/")
        found = [renamed.get(tuple(parts[: end + 1]), part) for end, part in enumerate(parts)]
        return "/".join("layers" if part == old else part for part in found)

    return {modern(path): group for path, group in groups.items()} if names else groups


def _first_line(error):
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
