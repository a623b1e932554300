"""Architectures: layers, names, shapes and counts of real Keras, and its predictions with its weights."""

import inspect
import json
import warnings

import keras
import numpy as np
import pytest
import torch

import architecture_golden as golden
import torchkeras_lite as ours
from oracle import copy_weights
from torchkeras_lite import applications

GOLDEN = json.loads(golden.FILE.read_text(encoding="utf-8"))
ARCHITECTURES = sorted(GOLDEN["architectures"])
# one of each family, with the least size of its images; those that take long are compared by layers alone
SMALL = {
    "ConvNeXtTiny": 32,
    "DenseNet121": 32,
    "EfficientNetB0": 33,
    "EfficientNetV2B0": 32,
    "InceptionV3": 75,
    "MobileNet": 32,
    "MobileNetV2": 33,
    "MobileNetV3Small": 33,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "Xception": 71,
}


def without_values(name, /, **arguments):
    """Make an architecture on the meta device, in no time."""
    with torch.device("meta"):
        return getattr(applications, name)(weights=None, **arguments)


def theirs_without_values(name, /, **arguments):
    """Make Keras's architecture on the meta device, from fresh automatic names."""
    keras.utils.clear_session(free_memory=False)
    with keras.device("meta"):
        return getattr(keras.applications, name)(weights=None, **arguments)


def test_all_of_keras_is_there():
    assert sorted(name for name in applications.__all__ if name[0].isupper()) == ARCHITECTURES
    theirs = {name for name in vars(keras.applications) if name[0] != "_"} - {"keras"}
    assert theirs <= set(applications.__all__)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_arguments_are_those_of_keras(name):
    theirs = inspect.signature(getattr(keras.applications, name))
    mine = inspect.signature(getattr(applications, name))
    assert [(p.name, p.default) for p in mine.parameters.values()] == [
        (p.name, p.default) for p in theirs.parameters.values()
    ]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_layers_names_shapes_configs_and_counts(name):
    assert golden.describe(without_values(name)) == GOLDEN["architectures"][name]


@pytest.mark.parametrize("name", SMALL)
def test_weights_of_keras_give_its_predictions(name, rng):
    arguments = {"weights": None, "input_shape": (SMALL[name], SMALL[name], 3), "classes": 5}
    theirs = getattr(keras.applications, name)(**arguments)
    theirs.set_weights([w + rng.uniform(0, 0.1, w.shape) if w.ndim == 1 else w for w in theirs.get_weights()])
    mine = getattr(applications, name)(**arguments)
    copy_weights(mine, theirs)
    images = rng.uniform(0, 1, (2, SMALL[name], SMALL[name], 3)).astype("float32")
    np.testing.assert_allclose(
        mine.predict(images, verbose=0), theirs.predict(images, verbose=0), atol=1e-5, rtol=1e-4
    )


SHAPED = [
    ("MobileNet", {"alpha": 0.3, "depth_multiplier": 2, "dropout": 0.3, "input_shape": (64, 96, 3)}),
    ("MobileNet", {"alpha": 0.25, "include_top": False, "pooling": "avg", "name": "mine"}),
    ("MobileNetV2", {"alpha": 1.3, "input_shape": (65, 65, 3), "classifier_activation": None}),
    ("MobileNetV2", {"alpha": 0.35, "include_top": False, "pooling": "max", "input_shape": (96, 65, 3)}),
    ("MobileNetV3Small", {"alpha": 1.5, "minimalistic": True, "dropout_rate": 0, "classes": 3}),
    ("MobileNetV3Small", {"include_preprocessing": False, "include_top": False, "pooling": "avg"}),
    ("VGG16", {"input_shape": (48, 32, 1), "classes": 2, "classifier_activation": "sigmoid"}),
    ("VGG16", {"include_top": False, "pooling": "max"}),
    ("ResNet50", {"include_top": False, "pooling": "avg"}),
    ("ResNet50", {"include_top": False, "pooling": "max", "input_shape": (40, 40, 3)}),
    ("ConvNeXtTiny", {"include_top": False, "pooling": "avg", "include_preprocessing": False}),
    ("ConvNeXtTiny", {"include_top": False, "input_shape": (64, 64, 1), "name": "short"}),
    ("EfficientNetB0", {"include_top": False, "pooling": "max", "input_shape": (65, 67, 3)}),
    ("EfficientNetV2B0", {"include_preprocessing": False, "include_top": False, "pooling": "avg"}),
    ("EfficientNetV2B0", {"input_shape": (64, 64, 1), "classes": 4}),
    ("InceptionV3", {"include_top": False, "pooling": "avg"}),
    ("Xception", {"include_top": False, "pooling": "max"}),
]


@pytest.mark.parametrize(("name", "arguments"), SHAPED, ids=[f"{n}-{i}" for i, (n, _) in enumerate(SHAPED)])
def test_arguments_change_the_layers_as_in_keras(name, arguments):
    mine = golden.describe(without_values(name, **arguments))
    assert mine == golden.describe(theirs_without_values(name, **arguments))


def test_second_model_counts_automatic_names_on():
    for name in ("MobileNetV3Small", "Xception"):
        keras.utils.clear_session(free_memory=False)
        ours.utils.clear_session(free_memory=False)
        theirs, mine = [], []
        for _ in range(2):
            with keras.device("meta"):
                theirs += [layer.name for layer in getattr(keras.applications, name)(weights=None).layers]
            mine += [layer.name for layer in without_values(name).layers]
        assert mine == theirs


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    ours.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")
    ours.config.set_image_data_format("channels_last")


@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV2", "MobileNetV3Small", "EfficientNetB0"])
@pytest.mark.usefixtures("channels_first")
def test_channels_first(name, rng):
    arguments = {"weights": None, "input_shape": (3, 33, 33), "classes": 5}
    theirs, mine = (getattr(room, name)(**arguments) for room in (keras.applications, applications))
    copy_weights(mine, theirs)
    images = rng.uniform(0, 1, (2, 3, 33, 33)).astype("float32")
    np.testing.assert_allclose(
        mine.predict(images, verbose=0), theirs.predict(images, verbose=0), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("name", ["ConvNeXtTiny", "DenseNet121", "NASNetMobile"])
@pytest.mark.usefixtures("channels_first")
def test_families_of_one_data_format_say_so(name):
    with pytest.raises(ValueError, match=r"does not support the `channels_first` image data format\. Call"):
        without_values(name)


def test_starts_from_a_symbolic_tensor():
    inputs = ours.Input((64, 64, 1), name="grey")
    colored = ours.layers.Conv2D(3, 1, name="color")(inputs)
    model = applications.MobileNetV2(weights=None, include_top=False, input_tensor=colored, alpha=0.35)
    assert [layer.name for layer in model.layers[:3]] == ["grey", "color", "Conv1"]
    assert model.input_shape == (None, 64, 64, 1)
    assert model.output_shape == (None, 2, 2, 1280)


def test_layers_in_the_middle_are_found_by_name(rng):
    base = applications.MobileNet(weights=None, include_top=False, alpha=0.25, input_shape=(64, 64, 3))
    features = ours.Model(base.input, base.get_layer("conv_pw_6_relu").output)
    assert features(torch.zeros(2, 64, 64, 3)).shape == (2, 4, 4, 128)


REFUSED = [
    ({"weights": "nowhere.h5"}, ValueError, r"The `weights` argument should be either `None`.*nowhere\.h5"),
    (
        {"weights": "imagenet", "classes": 5},
        ValueError,
        r"should be 1000\. Received classes=5\. Pass",
    ),
    ({"weights": "imagenet", "classifier_activation": "sigmoid"}, ValueError, "Only `None` and `softmax`"),
    (
        {"weights": "imagenet", "input_shape": (96, 96, 3)},
        ValueError,
        r"should be \(224, 224, 3\)",
    ),
    (
        {"weights": "imagenet", "include_top": False, "input_shape": (96, 96, 1)},
        ValueError,
        "must have 3 channels; Received",
    ),
    ({"input_shape": (31, 64, 3)}, ValueError, r"at least 32x32; Received: input_shape=\(31, 64, 3\)"),
    ({"input_shape": (64, 64)}, ValueError, "must be a tuple of three integers"),
    ({"input_shape": (None, 64, 3)}, ValueError, "you should specify a static `input_shape`"),
    ({"input_tensor": np.zeros((1, 64, 64, 3))}, ValueError, r"must be a KerasTensor.*Make one with"),
    ({"include_top": False, "pooling": "mean"}, ValueError, "pooling.*'avg'.*'max'.*'mean'"),
]


@pytest.mark.parametrize(("arguments", "error", "text"), REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_refuses(arguments, error, text):
    with pytest.raises(error, match=text):
        applications.ResNet50(**{"weights": None, **arguments})


def test_refuses_a_shape_that_contradicts_the_tensor():
    tensor = ours.Input((64, 64, 3))
    with pytest.raises(ValueError, match=r"must be equal.*Leave `input_shape` out"):
        applications.ResNet50(weights=None, input_tensor=tensor, input_shape=(32, 32, 3))


@pytest.mark.parametrize(
    ("name", "size"), [("InceptionV3", 75), ("InceptionResNetV2", 75), ("Xception", 71)], ids=str
)
def test_least_sizes(name, size):
    with pytest.raises(ValueError, match=f"at least {size}x{size}"):
        without_values(name, include_top=False, input_shape=(size - 1, size, 3))


def test_warns_of_unusual_channels():
    with pytest.warns(UserWarning, match="expects 1 or 3 input channels.*with 4 input channels"):
        without_values("MobileNet", alpha=0.25, input_shape=(64, 64, 4))


@pytest.mark.parametrize("name", ["MobileNetV3Small", "ConvNeXtTiny"])
def test_files_go_both_ways(name, rng, tmp_path):
    arguments = {"weights": None, "input_shape": (32, 32, 3), "classes": 5}
    images = rng.uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    theirs = getattr(keras.applications, name)(**arguments)
    expected = theirs.predict(images, verbose=0)
    theirs.save(tmp_path / "model.keras")
    mine = ours.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(mine.predict(images, verbose=0), expected, atol=1e-5)
    mine.save(tmp_path / "back.keras")
    back = keras.models.load_model(tmp_path / "back.keras")
    np.testing.assert_allclose(back.predict(images, verbose=0), expected, atol=1e-5)


def test_custom_layer_of_inception_resnet_is_known_by_keras_files():
    theirs = {"module": "keras.src.applications.inception_resnet_v2", "class_name": "CustomScaleLayer"}
    config = {**theirs, "config": {"scale": 0.5}, "registered_name": "CustomScaleLayer"}
    layer = ours.saving.deserialize_keras_object(config)
    assert layer([torch.ones(2, 3), torch.ones(2, 3)]).tolist() == [[1.5] * 3] * 2


@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV2"])
def test_warns_which_weights_are_loaded(name, monkeypatch):
    monkeypatch.setattr("torchkeras_lite.applications.assembly.get_file", lambda *args, **kwargs: "")
    monkeypatch.setattr(ours.Model, "load_weights", lambda self, path: None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(applications, name)(include_top=False, input_shape=(128, 128, 3))
    with pytest.warns(UserWarning, match=r"Weights for input shape \(224, 224\) will be loaded"):
        getattr(applications, name)(include_top=False, input_shape=(100, 100, 3))
