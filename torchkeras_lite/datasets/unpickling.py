"""Pickles that may hold numbers and text, and run nothing."""

import io
import pickle
import zipfile

import numpy as np

HARMLESS = {
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
}


class _Reader(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in HARMLESS:
            raise pickle.UnpicklingError(
                f"This file wants to call {module}.{name}, which data has no use for. It is not the file of "
                "the "
                "data set: delete it, and it will be downloaded anew."
            )
        return super().find_class(module, name)


def load(file, encoding="bytes"):
    """Return what a pickle holds: numbers, text, lists, dicts and arrays.

    Args:
        file: File object opened for bytes.
        encoding: How text of Python 2 is read.

    Raises:
        pickle.UnpicklingError: it would call anything else.
    """
    return _Reader(file, encoding=encoding).load()


def load_npz(path):
    """Return the arrays in an .npz file by name, also arrays of lists.

    Args:
        path: The file.

    Raises:
        pickle.UnpicklingError: it would run code.
        ValueError: it is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.namelist()}
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"{path} is no .npz file ({error}). Delete it, and it will be downloaded."
        ) from error


def _array(data):
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read_header = (
        np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read_header(file)
    if dtype.hasobject:
        return np.asarray(load(file, "latin1"), dtype=object).reshape(shape)
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)
