"""Batches of images written row by row: values and order of single images, errors, threads that end."""

import concurrent.futures
import itertools
import threading

import numpy as np
import pytest
import torch

from data.loader_cases import write_files
from torchkeras_lite import utils
from torchkeras_lite.data import streams
from torchkeras_lite.data.streams import ROWS_AT_ONCE
from torchkeras_lite.imaging.resize import resize
from torchkeras_lite.utils import file_readers
from torchkeras_lite.utils.file_readers import ImageReader
from torchkeras_lite.utils.image_files import COLOR_MODES

Image = pytest.importorskip("PIL.Image")
SIZE = (6, 7)
OPTIONS = [
    *({"interpolation": name} for name in ("bilinear", "nearest", "bicubic", "area", "lanczos3", "gaussian")),
    *({"color_mode": name} for name in COLOR_MODES),
    {"crop_to_aspect_ratio": True},
    {"pad_to_aspect_ratio": True},
    {"data_format": "channels_first"},
    {"data_format": "channels_first", "color_mode": "grayscale", "interpolation": "bicubic"},
    {"crop_to_aspect_ratio": True, "interpolation": "nearest", "color_mode": "rgba"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("images")
    write_files(path, Image)
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 65535, (8, 9), dtype="uint16")).save(path / "b" / "deep.png")
    Image.fromarray(rng.integers(0, 255, (*SIZE, 3), dtype="uint8")).save(path / "b" / "same.bmp")
    Image.fromarray(rng.integers(0, 255, (40, 50), dtype="uint8")).save(path / "b" / "smooth.jpg")
    return path


def load(folder, **options):
    options = {"image_size": SIZE, "shuffle": False, "verbose": False, "batch_size": 4, **options}
    return utils.image_dataset_from_directory(folder, **options)


def plainly(path, interpolation="bilinear", color_mode="rgb", data_format="channels_last", **form):
    """Return the image in a file, read and resized in whole steps."""
    image, mode = Image.open(path), COLOR_MODES[color_mode]
    if image.mode != mode and not (mode == "L" and image.mode == "I;16"):
        image = image.convert(mode)
    pixels = torch.from_numpy(np.array(image)).float().reshape(1, *image.size[::-1], -1)
    pixels = resize(pixels, SIZE, interpolation, **form)[0]
    return pixels.permute(2, 0, 1) if data_format == "channels_first" else pixels


@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_images_are_those_of_plain_steps(options, batch_size, folder):
    dataset = load(folder, batch_size=batch_size, label_mode=None, **options)
    expected = torch.stack([plainly(path, **options) for path in dataset.file_paths])
    found = list(dataset)
    found = torch.stack(found) if batch_size is None else torch.cat(found)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


# Places between rows, on rows, and on either side; edges at the sides, and above and below.
@pytest.mark.parametrize(("height", "width"), [(900, 800), (906, 800), (907, 1600)])
@pytest.mark.parametrize("form", [{}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}], ids=str)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic", "lanczos3"])
def test_rows_that_count_are_read_of_large_images(interpolation, form, height, width, tmp_path, monkeypatch):
    pixels = np.random.default_rng(height).integers(0, 255, (height, width, 3), dtype="uint8")
    Image.fromarray(pixels).save(tmp_path / "large.bmp")
    monkeypatch.setattr(file_readers, "_kept", threading.local())
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *shape, **options: empty(*shape, **options).fill_(torch.nan))
    (found,) = load(tmp_path, labels=None, batch_size=1, interpolation=interpolation, **form)
    expected = plainly(tmp_path / "large.bmp", interpolation=interpolation, **form)
    assert torch.equal(found[0], expected)


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
@pytest.mark.parametrize("batch_size", [1, 3, ROWS_AT_ONCE, 50])
def test_order_stays_whatever_the_threads(batch_size, workers, folder):
    singles = list(load(folder, batch_size=None, shuffle=True, seed=7))
    dataset = load(folder, batch_size=batch_size, workers=workers, shuffle=True, seed=7)
    images, labels = (torch.cat(parts) for parts in zip(*dataset, strict=True))
    assert torch.equal(images, torch.stack([image for image, _ in singles]))
    assert torch.equal(labels, torch.stack([label for _, label in singles]))
    assert len(dataset) == -(-len(singles) // batch_size)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"no image", "cannot identify", id="other"),
        pytest.param(None, "truncated", id="truncated"),
        pytest.param("gone", "No such file", id="gone"),
    ],
)
@pytest.mark.parametrize("batch_size", [None, 2])
def test_bad_files_are_named_when_their_turn_comes(batch_size, content, why, tmp_path):
    for number in range(9):
        pixels = np.random.default_rng(number).integers(0, 255, (60, 60, 3), dtype="uint8")
        Image.fromarray(pixels).save(tmp_path / f"{number}.jpg")
    bad = tmp_path / "5.jpg"
    dataset = load(tmp_path, labels=None, batch_size=batch_size)
    before = threading.active_count()
    if content == "gone":
        bad.unlink()
    else:
        bad.write_bytes(bad.read_bytes()[:-2000] if content is None else content)
    batches = iter(dataset)
    for _ in range(5 if batch_size is None else 2):
        next(batches)
    with pytest.raises(OSError, match=rf"(?s)(?=.*5\.jpg).*{why}"):
        next(batches)
    assert threading.active_count() == before


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_end_when_reading_stops(workers, folder):
    before = threading.active_count()
    dataset = load(folder, batch_size=2, workers=workers)
    for _ in range(2):
        iterator = iter(dataset)
        next(iterator)
        assert before < threading.active_count() <= before + workers
        iterator.close()
        assert threading.active_count() == before
    for _ in dataset:
        break
    assert len(list(dataset)) == len(dataset)
    assert threading.active_count() == before


def test_threads_leave_images_that_are_no_more_wanted(folder, monkeypatch):
    filled, begun, closing = [], threading.Event(), threading.Event()
    shutdown = concurrent.futures.ThreadPoolExecutor.shutdown

    def fill(self, row, path):
        filled.append(path)
        if len(filled) > ROWS_AT_ONCE:
            begun.set()
            closing.wait()

    def close(self, **options):
        closing.set()
        shutdown(self, **options)

    monkeypatch.setattr(ImageReader, "fill", fill)
    monkeypatch.setattr(concurrent.futures.ThreadPoolExecutor, "shutdown", close)
    iterator = iter(load(folder, batch_size=ROWS_AT_ONCE, workers=1))
    next(iterator)
    begun.wait()
    iterator.close()
    assert len(filled) == ROWS_AT_ONCE + 1


@pytest.mark.parametrize(("batch_size", "workers", "ahead"), [(1, 1, 4), (3, 1, 2), (5, 1, 1), (4, 2, 2)])
def test_reading_ahead_gives_all_threads_work_and_has_a_bound(
    batch_size, workers, ahead, folder, monkeypatch
):
    begun = []
    empty = ImageReader.empty
    monkeypatch.setattr(streams, "LEAST_AHEAD", 1)
    monkeypatch.setattr(ImageReader, "empty", lambda self, count: begun.append(count) or empty(self, count))
    dataset = load(folder, batch_size=batch_size, workers=workers)
    for used, _ in enumerate(dataset, start=1):
        assert len(begun) == min(used + ahead, len(dataset))
    assert sum(begun) == len(dataset.file_paths)


def test_two_readers_of_one_dataset_do_not_mix(folder):
    dataset = load(folder, batch_size=2, label_mode=None, workers=2)
    for one, two in itertools.zip_longest(dataset, dataset):
        assert torch.equal(one, two)


def test_batches_are_the_readers_own(folder):
    dataset = load(folder)
    first = [(images.clone(), labels.clone()) for images, labels in dataset]
    for images, labels in dataset:
        images.zero_()
        labels.fill_(-1)
    for (images, labels), (again, again_labels) in zip(first, dataset, strict=True):
        assert torch.equal(images, again)
        assert torch.equal(labels, again_labels)


def test_batches_of_images_are_split_by_images(folder):
    left, right = utils.split_dataset(load(folder, batch_size=4), left_size=5)
    assert [len(images) for images, _ in left] == [4, 1]
    assert sum(len(images) for images, _ in right) == 6
