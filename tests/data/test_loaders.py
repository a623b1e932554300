"""Loaders of folders, windows over series and splits: Keras's results on the same files, in `golden.json`."""

import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import torchkeras_lite as tkl
from data.loader_cases import LOADERS, ROWS, SHUFFLED, SPLITS, TARGETS, WINDOWS, plain, write_files
from torchkeras_lite import utils
from torchkeras_lite.data import Dataset

Image = pytest.importorskip("PIL.Image")
GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("files")
    write_files(path, Image)
    return path


def assert_same(mine, his):
    if isinstance(his, list):
        assert isinstance(mine, list)
        for one, other in zip(mine, his, strict=True):
            assert_same(one, other)
    elif isinstance(his, dict):
        assert (mine["dtype"], mine["shape"]) == (his["dtype"], his["shape"])
        np.testing.assert_allclose(mine["values"], his["values"], atol=2e-2)
    else:
        assert mine == his


@pytest.mark.parametrize("number", range(len(LOADERS)))
def test_loaders_give_kerass_batches(number, folder):
    kind, options, source = LOADERS[number]
    options = dict(options) if kind == "audio" else {**options, "format": source}
    made = getattr(utils, f"{kind}_dataset_from_directory")(folder, **options)
    made = made if isinstance(made, list) else [made]
    assert_same([plain(list(dataset)) for dataset in made], GOLDEN["loaders"][number])
    for dataset in made:
        assert len(dataset) == len(list(dataset))


def test_files_are_split_as_kerass_are(folder):
    made = utils.image_dataset_from_directory(folder, **SHUFFLED, verbose=False)
    found = [[os.path.relpath(path, folder) for path in dataset.file_paths] for dataset in made]
    assert found == GOLDEN["shuffled"]
    assert made[0].class_names == ["a", "b"]


@pytest.mark.parametrize("number", range(len(WINDOWS)))
def test_windows_are_kerass(number):
    dataset = utils.timeseries_dataset_from_array(ROWS, TARGETS, **WINDOWS[number])
    assert_same(plain(list(dataset)), GOLDEN["windows"][number])


@pytest.mark.parametrize("number", range(len(SPLITS)))
def test_splits_are_kerass(number):
    parts = utils.split_dataset((ROWS, TARGETS), **SPLITS[number])
    assert_same([plain(list(part)) for part in parts], GOLDEN["splits"][number])


def test_every_epoch_has_another_order(folder):
    load = partial(utils.text_dataset_from_directory, folder, batch_size=None, verbose=False)
    dataset = load(seed=3)
    orders = [[text for text, _ in dataset] for _ in range(4)]
    assert all(sorted(order) == sorted(orders[0]) for order in orders)
    assert len(set(map(tuple, orders))) > 1
    again = load(seed=3)
    assert [[text for text, _ in again] for _ in range(4)] == orders
    labelled = {text: int(label) for text, label in load(shuffle=False)}
    assert {text: int(label) for text, label in dataset} == labelled


def test_loaders_say_what_they_found(folder, capsys):
    utils.image_dataset_from_directory(folder, validation_split=0.3, subset="both", seed=1)
    utils.text_dataset_from_directory(folder, labels=None)
    assert capsys.readouterr().out.splitlines() == [
        "Found 8 files belonging to 2 classes.",
        "Using 6 files for training.",
        "Using 2 files for validation.",
        "Found 8 files.",
    ]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_workers_keep_the_order(folder, workers):
    options = {"shuffle": False, "image_size": (5, 5), "verbose": False}
    one, two = (
        utils.image_dataset_from_directory(folder, workers=count, **options) for count in (None, workers)
    )
    for (mine, label), (his, his_label) in zip(one, two, strict=True):
        assert torch.equal(mine, his)
        assert torch.equal(label, his_label)


REFUSED = [
    ({"labels": "x"}, "`labels` argument should be a list/tuple of integer labels"),
    ({"labels": [1, 2]}, r"len\(labels\) is 2 while we found 8 files"),
    ({"labels": None, "class_names": ["a"]}, "argument `class_names` cannot be specified"),
    ({"labels": [0] * 8, "class_names": ["a"]}, 'You can only pass `class_names` if `labels="inferred"`'),
    ({"label_mode": "integer"}, '`label_mode` argument must be one of "int"'),
    ({"class_names": ["aa"]}, r"there is no folder 'aa'; did you mean 'a'"),
    ({"validation_split": 2, "subset": "training"}, "`validation_split` must be between 0 and 1"),
    ({"validation_split": 0.2}, "If `subset` is set, `validation_split` must be set, and inversely"),
    (
        {"validation_split": 0.2, "subset": "train"},
        '`subset` must be either "training", "validation" or "both"',
    ),
    ({"validation_split": 0.2, "subset": "training"}, "you must provide a `seed` argument"),
    ({"color_mode": "bgr"}, "`color_mode` must be one of"),
    ({"interpolation": "linear"}, "`interpolation` must be one of"),
    ({"format": "x"}, "`format` should be either 'tf' or 'grain'"),
    ({"image_size": (3, 0)}, "`image_size` must be"),
    ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "Only one of `pad_to_aspect_ratio`"),
    ({"label_mode": "binary", "class_names": ["a"]}, "there must be exactly 2 class_names"),
    ({"labels": [0] * 7 + [5], "label_mode": "categorical"}, "one-hot labels need the class numbers 0 to 1"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=range(len(REFUSED)))
def test_loaders_refuse(options, message, folder):
    with pytest.raises(ValueError, match=message):
        utils.image_dataset_from_directory(folder, verbose=False, **options)


def test_folders_without_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"No images found in directory .*Allowed formats: \('.bmp', "):
        utils.image_dataset_from_directory(tmp_path, verbose=False)
    with pytest.raises(ValueError, match="there is no folder"):
        utils.text_dataset_from_directory(tmp_path / "none")


def test_sounds_keep_their_lengths(folder):
    dataset = utils.audio_dataset_from_directory(
        folder, ragged=True, shuffle=False, batch_size=5, verbose=False
    )
    sounds, labels = next(iter(dataset))
    assert sounds.is_nested
    assert labels.tolist() == [0] * 5
    assert [len(sound) for sound in sounds.unbind()] == [8, 11, 17, 20, 14]


def test_sounds_are_resampled(folder):
    options = {"shuffle": False, "batch_size": None, "label_mode": None, "verbose": False}
    lengths = [
        len(sound) for sound in utils.audio_dataset_from_directory(folder, sampling_rate=16000, **options)
    ]
    assert lengths == [16, 22, 34, 40, 28, 16, 22, 28]
    for wrong in ({"sampling_rate": 0}, {"ragged": True, "output_sequence_length": 3}):
        with pytest.raises(ValueError, match=r"should be higher than 0|Cannot set both"):
            utils.audio_dataset_from_directory(folder, **options, **wrong)


@pytest.mark.parametrize("rate", [4000, 6000, 11025, 16000])
def test_resampling_keeps_tones(rate):
    from torchkeras_lite.utils.sounds import resample

    tone = lambda count, rate: torch.sin(2 * torch.pi * 440 / rate * torch.arange(count))[:, None]
    result = resample(tone(4000, 8000), 8000, rate)
    assert len(result) == rate // 2 + rate % 2
    torch.testing.assert_close(result[100:-100], tone(len(result), rate)[100:-100], atol=4e-3, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequence_length": 40}, "no window fits: 30 rows and 30 targets"),
        ({"sampling_rate": 0}, "`sampling_rate` must be higher than 0"),
        ({"sequence_stride": 30}, "`sequence_stride` must be lower than the length of the data"),
        ({"start_index": -1}, "`start_index` must be 0 or greater"),
        ({"start_index": 30}, "`start_index` must be lower than the length of the data"),
        ({"end_index": 31}, "`end_index` must be lower than the length of the data"),
        ({"start_index": 5, "end_index": 5}, "`end_index` must be higher than `start_index`"),
    ],
)
def test_windows_refuse(options, message):
    with pytest.raises(ValueError, match=message):
        utils.timeseries_dataset_from_array(ROWS, TARGETS, **{"sequence_length": 4, **options})


def test_windows_are_shuffled_with_their_targets():
    dataset = utils.timeseries_dataset_from_array(ROWS, TARGETS, 3, shuffle=True, seed=1, batch_size=7)
    windows, targets = (torch.cat(parts) for parts in zip(*dataset, strict=True))
    assert torch.equal(windows[:, 0, 0], targets * 2.0)
    assert targets.tolist() != sorted(targets.tolist())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "At least one of the `left_size` or `right_size` must be specified"),
        ({"left_size": 1.0}, ValueError, "`left_size` should be either a positive integer smaller than 30"),
        ({"right_size": 30}, ValueError, "`right_size` should be either a positive integer smaller than 30"),
        ({"left_size": 0.6, "right_size": 0.6}, ValueError, "is greater than 1"),
        ({"left_size": 20, "right_size": 11}, ValueError, "should be smaller than the 30"),
        ({"left_size": "a"}, TypeError, "Invalid `left_size` Type"),
        ({"left_size": 0.01}, ValueError, "left side dataset split will be empty"),
        ({"left_size": 0, "right_size": 0}, ValueError, "are zero"),
    ],
)
def test_splits_refuse_sizes(options, error, message):
    with pytest.raises(error, match=message):
        utils.split_dataset(ROWS, **options)


@pytest.mark.parametrize("given", [3, None, "abc"])
def test_splits_refuse_other_things(given):
    with pytest.raises(TypeError, match="The `dataset` argument must be a `Dataset`"):
        utils.split_dataset(given, left_size=0.5)


SOURCES = {
    "array": lambda: ROWS,
    "tensor": lambda: torch.tensor(ROWS),
    "dict": lambda: {"a": ROWS, "b": TARGETS},
    "torch dataset": lambda: torch.utils.data.TensorDataset(torch.tensor(ROWS)),
    "loader": lambda: torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(ROWS)), 4),
    "shuffled batches": lambda: Dataset.from_tensor_slices(ROWS).shuffle(30).batch(4).prefetch(),
    "generator": lambda: Dataset.from_generator(lambda: iter(ROWS)),
    "filtered": lambda: Dataset.from_tensor_slices(ROWS).filter(lambda row: row[0] >= 0),
}


@pytest.mark.parametrize("name", SOURCES)
def test_both_sides_of_a_split_are_all(name):
    sides = utils.split_dataset(SOURCES[name](), left_size=0.4, shuffle=True, seed=0)

    def firsts(side):
        leaves = [tkl.tree.flatten(element)[0] for element in side]
        return np.sort(np.concatenate([np.asarray(leaf).reshape(-1, 2)[:, 0] for leaf in leaves]))

    left, right = map(firsts, sides)
    np.testing.assert_array_equal(np.sort(np.concatenate([left, right])), ROWS[:, 0])
    np.testing.assert_array_equal(firsts(sides[0]), left)  # the sides stay what they are in later epochs
    assert len(left) == 12


def test_loaders_go_into_fit(folder):
    train, held_out = utils.image_dataset_from_directory(
        folder, image_size=(8, 8), batch_size=2, validation_split=0.25, subset="both", seed=1, verbose=False
    )
    model = tkl.Sequential([tkl.layers.Rescaling(1 / 255), tkl.layers.Flatten(), tkl.layers.Dense(2)])
    model.compile("adam", tkl.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(train, validation_data=held_out, epochs=2, verbose=0)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert model.predict(held_out, verbose=0).shape == (2, 2)


def test_without_pillow_loaders_tell_what_to_install(folder, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ImportError, match="pip install pillow"):
        utils.image_dataset_from_directory(folder, verbose=False)
