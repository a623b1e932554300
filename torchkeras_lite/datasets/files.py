"""Which files the data sets are made of: where they come from, and their checksums."""

import dataclasses

from torchkeras_lite.utils.downloads import get_file

TENSORFLOW = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
TORONTO = "https://www.cs.toronto.edu/~kriz/"


@dataclasses.dataclass(frozen=True)
class DataFile:
    """A file.

    Args:
        origin: URL.
        sum: MD5 or SHA-256 sum, `None` where Keras has none.
        folder: Folder in the cache.
        extracted: Whether it is an archive to be unpacked.
    """

    origin: str
    sum: str | None = None
    folder: str = "datasets"
    extracted: bool = False


FILES = {
    "mnist.npz": DataFile(
        f"{TENSORFLOW}mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
    ),
    **{
        name: DataFile(f"{TENSORFLOW}{name}", folder="datasets/fashion-mnist")
        for name in (
            "train-labels-idx1-ubyte.gz",
            "train-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz",
            "t10k-images-idx3-ubyte.gz",
        )
    },
    "cifar-10-batches-py-target": DataFile(
        f"{TORONTO}cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        extracted=True,
    ),
    "cifar-100-python-target": DataFile(
        f"{TORONTO}cifar-100-python.tar.gz",
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        extracted=True,
    ),
    "imdb.npz": DataFile(
        f"{TENSORFLOW}imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
    ),
    "imdb_word_index.json": DataFile(f"{TENSORFLOW}imdb_word_index.json", "bfafd718b763782e994055a2d397834f"),
    "reuters.npz": DataFile(
        f"{TENSORFLOW}reuters.npz", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
    ),
    "reuters_word_index.json": DataFile(
        f"{TENSORFLOW}reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921"
    ),
    "boston_housing.npz": DataFile(
        f"{TENSORFLOW}boston_housing.npz", "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"
    ),
    "california_housing.npz": DataFile(
        f"{TENSORFLOW}california_housing.npz",
        "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
    ),
}


def fetch(name, path=None):
    """Return the path of a file or an unpacked folder, from the cache or the network.

    Args:
        name: A key of `FILES`.
        path: Another name for it in the cache.

    Raises:
        OSError: it is not in the cache and there is no network; the message says which file to put where.
    """
    file = FILES[name]
    return get_file(
        name if path is None else path,
        origin=file.origin,
        file_hash=file.sum,
        cache_subdir=file.folder,
        extract=file.extracted,
    )
