"""The data sets: read from files of the same make as Keras does, from a local server or the cache."""

import dataclasses
import importlib
import os
import pickle
import tarfile
import zipfile

import keras
import numpy as np
import pytest

import torchkeras_lite as tkl
from datasets.served import serving, write_files
from torchkeras_lite import datasets
from torchkeras_lite.datasets import files, unpickling
from torchkeras_lite.utils import downloads
from torchkeras_lite.utils.downloads import file_sum


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("served")
    write_files(path)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def local(folder, cache, monkeypatch):
    """Both packages read the served files, checked by their own sums, with `cache` as the home of Keras."""
    monkeypatch.setenv("KERAS_HOME", str(cache))
    monkeypatch.setattr(downloads, "PAUSE", 0)
    with serving(folder) as (address, asked):
        for name, file in files.FILES.items():
            served = file.origin.rpartition("/")[2]
            sum = (
                None
                if file.sum is None
                else file_sum(folder / served, "md5" if len(file.sum) == 32 else "sha256")
            )
            monkeypatch.setitem(
                files.FILES, name, dataclasses.replace(file, origin=f"{address}{served}", sum=sum)
            )
        yield asked


def his(name, monkeypatch):
    """Keras's module of that name, which gets its files as this package does."""
    module = importlib.import_module(f"keras.src.datasets.{name}")

    def fetch(fname=None, origin=None, **options):
        return files.fetch(fname if fname in files.FILES else origin.rpartition("/")[2])

    monkeypatch.setattr(module, "get_file", fetch)
    return module


def assert_same(mine, theirs):
    for part, other in zip(mine, theirs, strict=True):
        for array, wanted in zip(part, other, strict=True):
            assert array.dtype == wanted.dtype
            assert array.shape == wanted.shape
            np.testing.assert_array_equal(array, wanted)


CALLS = [
    ("mnist", {}),
    ("fashion_mnist", {}),
    ("cifar100", {}),
    ("cifar100", {"label_mode": "coarse"}),
    ("imdb", {}),
    ("imdb", {"num_words": 30, "skip_top": 10, "seed": 7}),
    ("imdb", {"num_words": 30, "oov_char": None, "start_char": None, "index_from": 0}),
    ("imdb", {"maxlen": 9, "index_from": 5}),
    ("reuters", {}),
    ("reuters", {"num_words": 30, "test_split": 0.4, "maxlen": 9, "oov_char": None, "seed": 1}),
    ("boston_housing", {}),
    ("boston_housing", {"test_split": 0.5, "seed": 3}),
    ("california_housing", {}),
    ("california_housing", {"version": "small", "test_split": 0}),
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_data_is_kerass(number, local, monkeypatch):
    name, options = CALLS[number]
    mine = getattr(datasets, name).load_data(**options)
    assert_same(mine, his(name, monkeypatch).load_data(**options))


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_words_are_kerass(name, local, monkeypatch):
    assert getattr(datasets, name).get_word_index() == his(name, monkeypatch).get_word_index()


def test_topics_are_kerass():
    assert datasets.reuters.get_label_names() == keras.datasets.reuters.get_label_names()


@pytest.mark.usefixtures("local")
def test_cifar10(folder):
    """Keras reads files of 10,000 pictures only."""
    (x_train, y_train), (x_test, y_test) = datasets.cifar10.load_data()
    with tarfile.open(folder / "cifar-10-python.tar.gz") as archive:
        held = [pickle.loads(archive.extractfile(name).read()) for name in archive.getnames()]
    pictures = np.concatenate([part[b"data"] for part in held]).reshape(-1, 3, 32, 32)
    classes = np.concatenate([part[b"labels"] for part in held])
    np.testing.assert_array_equal(np.concatenate([x_train, x_test]), pictures.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(np.concatenate([y_train, y_test])[:, 0], classes)
    assert (x_train.shape, y_train.shape, y_test.shape) == ((25, 32, 32, 3), (25, 1), (5, 1))
    assert x_train.dtype == y_train.dtype == x_test.dtype == y_test.dtype == np.uint8


@pytest.mark.usefixtures("local")
def test_channels_first():
    tkl.config.set_image_data_format("channels_first")
    try:
        assert datasets.cifar100.load_data()[0][0].shape == (5, 3, 32, 32)
    finally:
        tkl.config.set_image_data_format("channels_last")


def test_files_are_fetched_once_and_kept_where_keras_keeps_them(local, cache):
    datasets.mnist.load_data()
    asked = list(local)
    datasets.mnist.load_data()
    datasets.fashion_mnist.load_data()
    datasets.fashion_mnist.load_data()
    assert len(local) - len(asked) <= 4
    assert (cache / "datasets" / "mnist.npz").is_file()
    assert (cache / "datasets" / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz").is_file()


@pytest.mark.parametrize("name", sorted(files.FILES))
def test_files_are_kerass(name, monkeypatch):
    """Address, name, checksum and folder of every file."""
    seen = {}

    def note(fname=None, origin=None, file_hash=None, cache_subdir="datasets", extract=False, **options):
        seen[fname or origin.rpartition("/")[2]] = (origin, file_hash, cache_subdir, extract)
        return "nowhere"

    room = {"cifar-10-batches-py-target": "cifar10", "cifar-100-python-target": "cifar100"}.get(name)
    room = room or ("fashion_mnist" if "ubyte" in name else name.split(".")[0].removesuffix("_word_index"))
    module = importlib.import_module(f"keras.src.datasets.{room}")
    monkeypatch.setattr(module, "get_file", note)
    monkeypatch.setattr("gzip.open", lambda *arguments: (_ for _ in ()).throw(FileNotFoundError))
    if room == "fashion_mnist":
        monkeypatch.undo()
        monkeypatch.setattr(module, "get_file", note)
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        (module.get_word_index if "index" in name else module.load_data)()
    file = files.FILES[name]
    assert seen[name] == (file.origin, file.sum, file.folder, file.extracted)


def test_offline_the_error_says_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(downloads, "PAUSE", 0)
    origin = "http://127.0.0.1:9/mnist.npz"
    monkeypatch.setitem(
        files.FILES, "mnist.npz", dataclasses.replace(files.FILES["mnist.npz"], origin=origin)
    )
    place = os.path.join(tmp_path, "datasets", "mnist.npz")
    with pytest.raises(
        OSError, match="Without a network, put the file that this address gives at "
    ) as caught:
        datasets.mnist.load_data()
    assert origin in str(caught.value)
    assert place in str(caught.value)
    assert os.listdir(tmp_path / "datasets") == []


class Harmful:
    def __reduce__(self):
        return (os.system, ("true",))


def test_files_run_no_code(tmp_path):
    path = tmp_path / "bad"
    path.write_bytes(pickle.dumps({b"data": Harmful()}))
    with path.open("rb") as file, pytest.raises(pickle.UnpicklingError, match=r"wants to call posix\.system"):
        unpickling.load(file)
    array = np.empty(1, dtype=object)
    array[0] = Harmful()
    np.savez(tmp_path / "bad.npz", x=array)
    with pytest.raises(pickle.UnpicklingError, match=r"wants to call posix\.system"):
        unpickling.load_npz(tmp_path / "bad.npz")
    with pytest.raises(ValueError, match=r"is no \.npz file"):
        unpickling.load_npz(path)
    assert zipfile.is_zipfile(tmp_path / "bad.npz")


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: datasets.cifar100.load_data("x"),
            ValueError,
            "`label_mode` must be one of 'fine', 'coarse'",
        ),
        (lambda: datasets.imdb.load_data(maxlen=2), ValueError, "no sequence was kept. Increase maxlen"),
        (lambda: datasets.imdb.load_data(words=3), TypeError, "unknown argument `words`"),
        (
            lambda: datasets.boston_housing.load_data(test_split=1),
            ValueError,
            r"must be in the range \[0, 1\)",
        ),
        (lambda: datasets.california_housing.load_data("tiny"), ValueError, "`version` must be one of"),
    ],
    ids=range(5),
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.usefixtures("local")
def test_the_old_name_of_num_words():
    with pytest.warns(DeprecationWarning, match="renamed `num_words`"):
        (x_train, _), _ = datasets.imdb.load_data(nb_words=20)
    assert max(map(max, x_train)) < 20
