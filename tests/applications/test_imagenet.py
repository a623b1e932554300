"""`preprocess_input` and `decode_predictions`, as in real Keras."""

import json

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite as ours
from torchkeras_lite import applications

MODULES = [name for name in applications.__all__ if name[0].islower()]
MODES = ["caffe", "tf", "torch"]


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_images_are_scaled_as_in_keras(name, dtype, rng):
    images = rng.uniform(0, 255, (2, 4, 5, 3)).astype(dtype)
    mine = getattr(applications, name).preprocess_input(images)
    theirs = getattr(keras.applications, name).preprocess_input(images.copy())
    assert mine.dtype == theirs.dtype
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 4, 5)], ids=str)
def test_channels_first(mode, shape, rng):
    images = rng.uniform(0, 255, shape).astype("float32")
    arguments = {"data_format": "channels_first", "mode": mode}
    mine = applications.imagenet_utils.preprocess_input(images, **arguments)
    theirs = keras.applications.imagenet_utils.preprocess_input(images.copy(), **arguments)
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)
    tensor = applications.imagenet_utils.preprocess_input(torch.as_tensor(images), **arguments)
    np.testing.assert_allclose(tensor, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_passed_in_is_not_written_to(mode, rng):
    images = rng.uniform(0, 255, (2, 4, 5, 3)).astype("float32")
    tensor = torch.as_tensor(images.copy())
    before = images.copy()
    applications.imagenet_utils.preprocess_input(images, mode=mode)
    applications.imagenet_utils.preprocess_input(tensor, mode=mode)
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(tensor, before)


@pytest.mark.parametrize("mode", MODES)
def test_integer_tensors_become_floats(mode):
    images = torch.arange(24, dtype=torch.uint8).reshape(1, 2, 4, 3)
    found = applications.imagenet_utils.preprocess_input(images, mode=mode)
    assert found.dtype == torch.float32
    expected = applications.imagenet_utils.preprocess_input(images.numpy(), mode=mode)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_in_a_model_and_its_file(mode, dtype, rng, tmp_path):
    inputs = ours.Input((4, 5, 3), dtype=dtype)
    model = ours.Model(inputs, applications.imagenet_utils.preprocess_input(inputs, mode=mode))
    images = rng.uniform(0, 255, (2, 4, 5, 3)).astype(dtype)
    expected = keras.applications.imagenet_utils.preprocess_input(images.copy(), mode=mode)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, rtol=1e-5, atol=1e-5)
    model.save(tmp_path / "model.keras")
    for room in (ours, keras):
        again = room.models.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(again.predict(images, verbose=0), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"mode": "keras"}, r"Expected mode to be one of `caffe`, .* Received: mode=keras"),
        ({"data_format": "last"}, "Expected data_format to be one of .* Received: data_format=last"),
        (
            {"mode": "torch", "data_format": "channels_first"},
            r"3 channels along axis -3, got shape \(1, 4, 5",
        ),
    ],
    ids=["mode", "data_format", "channels"],
)
def test_preprocess_input_refuses(arguments, text):
    with pytest.raises(ValueError, match=text):
        applications.imagenet_utils.preprocess_input(np.zeros((1, 4, 5, 3)), **arguments)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A list of names of the form of ImageNet's, in the cache under another checksum."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    names = {str(i): [f"n{i:08}", f"thing_{i}"] for i in range(1000)}
    (tmp_path / "models" / "imagenet_class_index.json").write_text(json.dumps(names))
    monkeypatch.setattr("torchkeras_lite.utils.downloads.has_hash", lambda *args: True)


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("as_tensor", [False, True], ids=["array", "tensor"])
def test_decode_predictions(as_tensor, rng):
    scores = rng.random((2, 1000)).astype("float32")
    given = torch.as_tensor(scores).requires_grad_() if as_tensor else scores
    found = applications.resnet50.decode_predictions(given, top=3)
    for row, likeliest in zip(scores, found, strict=True):
        order = np.argsort(row)[::-1][:3]
        assert likeliest == [(f"n{i:08}", f"thing_{i}", row[i]) for i in order]
    assert len(applications.vgg16.decode_predictions(given)[0]) == 5


@pytest.mark.parametrize("shape", [(2, 10), (1000,)], ids=str)
def test_decode_predictions_refuses(shape):
    with pytest.raises(ValueError, match=r"2D array of shape \(samples, 1000\)\)\. Received array"):
        applications.resnet50.decode_predictions(np.zeros(shape))
