"""`ImageDataGenerator` and the functions it is made of: Keras's numbers for the same random numbers."""

import contextlib
import io
import os
import pickle
import warnings

import keras
import numpy as np
import pandas
import pytest
from keras.src.legacy.preprocessing import image as his

import torchkeras_lite as tkl
from torchkeras_lite.preprocessing import image as mine

Image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)
PICTURE = (RNG.random((9, 11, 3)) * 255).astype("float32")
PICTURES = (RNG.random((11, 8, 9, 3)) * 255).astype("float32")
LABELS = np.arange(11)
CLOSE = {"atol": 3e-3, "rtol": 1e-4}
MODES = ("nearest", "constant", "reflect", "wrap")
AXES = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
# SciPy's old namespace, which Keras's generator uses; and what both say about settings that imply others.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*ImageDataGenerator")

MOVES = [
    {"theta": 30},
    {"theta": 217, "tx": 1.3},
    {"tx": 2, "ty": -1.5},
    {"tx": 3, "ty": 20},
    {"shear": 20},
    {"zx": 0.7, "zy": 1.3},
    {"zx": 2.5, "zy": 2.5},
    {"theta": 10, "tx": 1, "shear": 5, "zx": 0.9, "zy": 0.9},
    {},
]


def flat(structure):
    return keras.tree.flatten(structure)


def assert_same(one, other):
    one, other = flat(one), flat(other)
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, **CLOSE)


@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("fill_mode", MODES)
def test_affine_transforms_are_kerass(fill_mode, order):
    for move in MOVES:
        options = {**AXES, **move, "fill_mode": fill_mode, "cval": 7.0, "order": order}
        assert_same(
            mine.apply_affine_transform(PICTURE, **options), his.apply_affine_transform(PICTURE, **options)
        )


def test_affine_transforms_with_channels_first():
    planes = PICTURE.transpose(2, 0, 1)
    for move in MOVES:
        assert_same(mine.apply_affine_transform(planes, **move), his.apply_affine_transform(planes, **move))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("random_rotation", (20,)),
        ("random_shift", (0.2, 0.3)),
        ("random_shear", (10,)),
        ("random_zoom", ((0.5, 1.5),)),
        ("random_zoom", ((1, 1),)),
        ("random_channel_shift", (30,)),
        ("random_brightness", ((0.3, 1.8),)),
    ],
)
def test_random_functions_are_kerass(name, arguments):
    axes = {} if name in ("random_channel_shift", "random_brightness") else AXES
    for seed in range(3):
        results = []
        for room in (mine, his):
            np.random.seed(seed)
            results.append(getattr(room, name)(PICTURE, *arguments, **axes))
        assert_same(*results)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("brightness", [0, 0.4, 1, 1.9])
def test_brightness_is_kerass(brightness, scale):
    for picture in (PICTURE, PICTURE * 2 - 50, PICTURE[:, :, :1], PICTURE / 300):
        results = [room.apply_brightness_shift(picture, brightness, scale) for room in (mine, his)]
        assert_same(*results)


SETTINGS = [
    {},
    {"rotation_range": 40},
    {"width_shift_range": 0.2, "height_shift_range": 0.3},
    {"width_shift_range": 3, "height_shift_range": 2},
    {"width_shift_range": 2.5},
    {"width_shift_range": [-2, 1, 3], "height_shift_range": [-0.2, 0.1]},
    {"brightness_range": (0.2, 1.5)},
    {"shear_range": 20},
    {"zoom_range": 0.4},
    {"zoom_range": [0.5, 1]},
    {"channel_shift_range": 40.0},
    {"horizontal_flip": True, "vertical_flip": True},
    {"rescale": 1 / 255},
    {"samplewise_center": True},
    {"samplewise_std_normalization": True},
    {"featurewise_center": True, "featurewise_std_normalization": True},
    {"zca_whitening": True},
    {"preprocessing_function": lambda picture: picture * 2},
    {"rotation_range": 20, "zoom_range": 0.2, "shear_range": 0.2, "fill_mode": "reflect", "rescale": 1 / 255},
    {"rotation_range": 20, "fill_mode": "constant", "cval": 3.0, "interpolation_order": 0},
    {"rotation_range": 20, "interpolation_order": 2},
    {"zoom_range": 0.3, "fill_mode": "wrap", "dtype": "float64"},
]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_flows_are_kerass(number, shuffle):
    settings = SETTINGS[number]
    flows = []
    for room in (mine, his):
        generator = room.ImageDataGenerator(**settings)
        if any(name.startswith(("featurewise", "zca")) for name in settings):
            generator.fit(PICTURES, augment=shuffle, rounds=2, seed=2)
        flows.append(generator.flow(PICTURES.copy(), LABELS, batch_size=4, seed=3, shuffle=shuffle))
    assert len(flows[0]) == len(flows[1]) == 3
    for _ in range(5):
        assert_same(*map(next, flows))
    for index in (0, 2, 1):
        assert_same(*(flow[index] for flow in flows))
    for flow in flows:
        flow.on_epoch_end()
    assert_same(*(flow[0] for flow in flows))
    for flow in flows:
        flow.reset()
    assert_same(*map(next, flows))


def test_flows_without_a_seed_use_numpys_state():
    results = []
    for room in (mine, his):
        np.random.seed(5)
        flow = room.ImageDataGenerator(rotation_range=30).flow(PICTURES.copy(), LABELS, batch_size=4)
        results.append([next(flow) for _ in range(4)])
    assert_same(*results)


@pytest.mark.parametrize(
    ("settings", "given", "options"),
    [
        (
            {"data_format": "channels_first", "rotation_range": 30, "channel_shift_range": 3.0},
            PICTURES.transpose(0, 3, 1, 2),
            {},
        ),
        ({"rotation_range": 3}, (PICTURES, [LABELS, LABELS * 2]), {"sample_weight": np.arange(11.0)}),
        ({"validation_split": 0.3}, PICTURES, {"subset": "validation", "ignore_class_split": True}),
        ({"validation_split": 0.3}, PICTURES, {"subset": "training", "ignore_class_split": True}),
    ],
    ids=["channels first", "further arrays", "validation", "training"],
)
def test_forms_of_flows_are_kerass(settings, given, options):
    flows = [
        room.ImageDataGenerator(**settings).flow(given, LABELS, batch_size=5, seed=1, **options)
        for room in (mine, his)
    ]
    assert_same(*map(next, flows))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures")
    for name, count in (("a", 5), ("b", 4), ("c", 3)):
        os.makedirs(path / name / "inner")
        for number in range(count):
            pixels = RNG.integers(0, 255, (9 + number, 12, 3), dtype="uint8")
            place = path / name / ("inner" if number == 2 else "") / f"{number}.png"
            Image.fromarray(pixels).save(place)
    (path / "a" / "notes.txt").write_text("")
    return str(path)


def outcome(call):
    """What a call returns or raises, and what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call(), printed.getvalue()
        except Exception as error:
            return type(error), ""


def compare_iterators(make):
    """Make an iterator in both packages and compare all that scripts read from it."""
    (one, said), (other, said_there) = (outcome(lambda room=room: make(room)) for room in (mine, his))
    if isinstance(other, type):
        assert one is other
        return
    assert said == said_there
    for name in ("filenames", "filepaths", "samples", "n", "image_shape"):
        assert getattr(one, name) == getattr(other, name)
    assert getattr(one, "class_indices", None) == getattr(other, "class_indices", None)
    for _ in range(3):
        assert_same(next(one), next(other))


FOLDERS = [
    {},
    {"class_mode": "binary", "classes": ["a", "c"]},
    {"class_mode": "sparse"},
    {"class_mode": "input"},
    {"class_mode": None},
    {"class_mode": "x"},
    {"color_mode": "grayscale"},
    {"color_mode": "rgba"},
    {"color_mode": "x"},
    {"interpolation": "bilinear"},
    {"interpolation": "lanczos", "keep_aspect_ratio": True},
    {"subset": "training"},
    {"subset": "validation"},
    {"subset": "x"},
]


@pytest.mark.parametrize("number", range(len(FOLDERS)))
def test_flow_from_directory_is_kerass(number, folder):
    options = {"target_size": (6, 7), "batch_size": 5, "seed": 4, **FOLDERS[number]}
    for settings in ({}, {"rotation_range": 20, "horizontal_flip": True, "rescale": 1 / 255}):
        compare_iterators(
            lambda room, settings=settings: room.ImageDataGenerator(
                validation_split=0.3, **settings
            ).flow_from_directory(folder, **options)
        )


TABLE = pandas.DataFrame(
    {
        "filename": ["a/0.png", "b/1.png", "missing.png", "c/0.png"],
        "class": ["x", "y", "x", "y"],
        "value": [1.0, 2, 3, 4],
        "weight": [1, 2, 1, 1],
        "names": [["p"], ["p", "q"], ["q"], ["q"]],
    }
)
TABLES = [
    {},
    {"class_mode": "binary"},
    {"class_mode": "sparse"},
    {"class_mode": "raw", "y_col": "value"},
    {"class_mode": "raw", "y_col": ["value", "weight"]},
    {"class_mode": "multi_output", "y_col": ["value", "weight"]},
    {"class_mode": "multi_output", "y_col": "value"},
    {"class_mode": "input"},
    {"class_mode": None},
    {"class_mode": "x"},
    {"weight_col": "weight"},
    {"weight_col": "class"},
    {"y_col": "names"},
    {"y_col": "value"},
    {"x_col": "value"},
    {"x_col": "none"},
    {"classes": ["y"]},
    {"classes": ["y"], "class_mode": "binary"},
    {"subset": "training"},
    {"subset": "validation"},
]


@pytest.mark.parametrize("number", range(len(TABLES)))
def test_flow_from_dataframe_is_kerass(number, folder):
    options = {"target_size": (6, 7), "batch_size": 2, "seed": 1, **TABLES[number]}
    compare_iterators(
        lambda room: room.ImageDataGenerator(validation_split=0.5, rotation_range=10).flow_from_dataframe(
            TABLE, folder, **options
        )
    )


def test_flow_from_dataframe_says_what_is_missing(folder):
    with pytest.warns(UserWarning, match=r"Found 1 invalid image filename\(s\)"):
        mine.ImageDataGenerator().flow_from_dataframe(TABLE, folder)
    with pytest.raises(KeyError, match="no column 'classes'; did you mean 'class'"):
        mine.ImageDataGenerator().flow_from_dataframe(TABLE.drop([2]), folder, y_col="classes")
    with pytest.raises(TypeError, match="unknown argument `batchsize`"):
        mine.ImageDataGenerator().flow_from_dataframe(TABLE, folder, batchsize=3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: g(zoom_range=[1]), "`zoom_range` should be a float or a tuple or list of two floats"),
        (lambda g: g(brightness_range=3), "`brightness_range` should be tuple or list of two floats"),
        (lambda g: g(validation_split=2), "`validation_split` must be strictly between 0 and 1"),
        (lambda g: g(data_format="x"), "`data_format` should be"),
        (lambda g: g().flow(PICTURE), "should have rank 4"),
        (lambda g: g().flow(PICTURES, LABELS[:3]), "should have the same length"),
        (lambda g: g().flow(PICTURES, sample_weight=LABELS[:3]), "should have the same length"),
        (lambda g: g(validation_split=0.3).flow(PICTURES, LABELS, subset="training"), "different number of"),
        (lambda g: g().flow(PICTURES, subset="train"), "`subset` must be one of"),
        (lambda g: g().fit(PICTURE), "should have rank 4"),
        (lambda g: next(g(rotation_range=9, fill_mode="x").flow(PICTURES)), "`fill_mode` must be one of"),
    ],
    ids=range(11),
)
def test_generators_refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call(mine.ImageDataGenerator)


def test_reading_past_the_end():
    with pytest.raises(
        IndexError, match="Asked to retrieve element 3, but the NumpyArrayIterator has length 3"
    ):
        mine.ImageDataGenerator().flow(PICTURES, batch_size=4)[3]


@pytest.mark.filterwarnings("error")
def test_settings_that_are_not_fitted_say_so():
    with pytest.warns(UserWarning, match="hasn't been fit on any training data"):
        mine.ImageDataGenerator(featurewise_center=True).standardize(PICTURE)
    with pytest.warns(UserWarning, match="which sets `samplewise_center` too"):
        mine.ImageDataGenerator(samplewise_std_normalization=True)


def test_changed_pictures_are_written(tmp_path):
    flow = mine.ImageDataGenerator().flow(PICTURES, batch_size=3, save_to_dir=tmp_path, save_prefix="p")
    next(flow)
    names = sorted(os.listdir(tmp_path))
    assert len(names) == 3
    assert all(name.startswith("p_") and name.endswith(".png") for name in names)


def test_a_seed_leaves_numpys_state():
    np.random.seed(1)
    expected = np.random.random()
    np.random.seed(1)
    next(mine.ImageDataGenerator(rotation_range=9).flow(PICTURES, batch_size=3, seed=3))
    assert np.random.random() == expected


def test_iterators_can_be_pickled():
    flow = mine.ImageDataGenerator(rotation_range=9).flow(PICTURES, LABELS, batch_size=4, seed=1)
    assert_same(next(pickle.loads(pickle.dumps(flow))), next(flow))


@pytest.mark.parametrize("workers", [1, 2])
def test_flows_go_into_fit(workers):
    model = tkl.Sequential([tkl.layers.Flatten(), tkl.layers.Dense(2)])
    model.compile("sgd", tkl.losses.SparseCategoricalCrossentropy(from_logits=True))
    flow = mine.ImageDataGenerator(rescale=1 / 255).flow(PICTURES, LABELS % 2, batch_size=4, seed=0)
    history = model.fit(flow, epochs=2, validation_data=flow, verbose=0, workers=workers)
    assert len(history.history["val_loss"]) == 2
