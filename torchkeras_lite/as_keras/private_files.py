"""`H5IOStore`, which packages made for Keras write small files of their own with."""

import h5py

from torchkeras_lite.saving.h5_file import as_array, read_dataset


class H5IOStore:
    """A file in HDF5 that holds named weights at paths, in the layout of `.weights.h5`.

    Args:
        path: The file, a path or a file object.
        mode: `"w"` to write, `"r"` to read.
    """

    def __init__(self, path, mode="r"):
        self.file = h5py.File(path, mode)
        self.mode = mode

    def make(self, path, metadata=None):
        """Return a mapping to put weights into, at a new `path`; `metadata` become attributes."""
        group = self.file.require_group(f"{path}/vars".lstrip("/"))
        group.attrs.update(metadata or {})
        return _Entry(group)

    def get(self, path):
        """Return the mapping at `path`, an empty one where there is none."""
        return _Entry(self.file.get(f"{path}/vars".lstrip("/"), {}))

    def close(self):
        """Close the file."""
        self.file.close()


class _Entry:
    """The weights at one path, by their names."""

    def __init__(self, group):
        self.group = group

    def __setitem__(self, name, value):
        array, dtype = as_array(value)
        dataset = self.group.create_dataset(name, data=array)
        if dtype is not None:
            dataset.attrs["dtype"] = dtype

    def __getitem__(self, name):
        return read_dataset(self.group[name])

    def __contains__(self, name):
        return name in self.group

    def __len__(self):
        return len(self.group)

    def __iter__(self):
        return iter(self.group)

    def keys(self):
        """Return the names."""
        return self.group.keys()
