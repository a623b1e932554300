"""Weights trained on ImageNet: which file, from where, and what is said without a network."""

import json
import urllib.error

import keras
import numpy as np
import pytest
import torch

import architecture_golden as golden
import torchkeras_lite as ours
from torchkeras_lite import applications

FILES = json.loads(golden.FILE.read_text(encoding="utf-8"))["files"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache, without a network."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("torchkeras_lite.utils.downloads.PAUSE", 0)

    def fail(*args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", fail)
    (tmp_path / "models").mkdir()
    return tmp_path


@pytest.mark.parametrize("case", FILES)
def test_file_and_checksum_are_those_of_keras(case, monkeypatch):
    name, arguments = case.split(" ", 1)
    function = getattr(applications, name)
    asked = []
    monkeypatch.setitem(
        function.__globals__, "assemble", lambda body, file, **others: asked.append((file, others))
    )
    function(**json.loads(arguments))
    ((file, others),) = asked
    assert [file.name, file.origin, file.file_hash] == FILES[case]
    assert others.get("weights") == "imagenet"


def test_without_a_network_the_error_says_which_file_to_put_where(home, capsys):
    with pytest.raises(OSError, match="put the file that this address gives at") as caught:
        applications.ResNet50()
    assert str(home / "models" / "resnet50_weights_tf_dim_ordering_tf_kernels.h5") in str(caught.value)
    assert "https://storage.googleapis.com/tensorflow/keras-applications/resnet/" in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*HDF5 file")
def test_a_file_of_keras_in_the_cache_is_read(home, rng):
    theirs = keras.applications.MobileNet(weights=None, alpha=0.25, input_shape=(128, 128, 3))
    theirs.save(home / "models" / "mobilenet_2_5_128_tf.h5")
    mine = applications.MobileNet(alpha=0.25, input_shape=(128, 128, 3))
    images = rng.uniform(-1, 1, (1, 128, 128, 3)).astype("float32")
    np.testing.assert_allclose(mine.predict(images, verbose=0), theirs.predict(images, verbose=0), atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*HDF5 file")
@pytest.mark.parametrize("file", ["model.h5", "model.weights.h5"])
def test_the_path_of_a_file_as_weights(file, tmp_path, rng):
    arguments = {"alpha": 0.25, "input_shape": (32, 32, 3), "classes": 5}
    theirs = keras.applications.MobileNet(weights=None, **arguments)
    (theirs.save_weights if "weights" in file else theirs.save)(tmp_path / file)
    mine = applications.MobileNet(weights=tmp_path / file, **arguments)
    for a, b in zip(mine.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_scaling_that_goes_with_the_files_of_efficientnet(monkeypatch):
    monkeypatch.setattr("torchkeras_lite.applications.assembly.get_file", lambda *args, **kwargs: "")
    monkeypatch.setattr(ours.Model, "load_weights", lambda self, path: None)
    with torch.device("meta"):
        model = applications.EfficientNetB0()
    assert [layer.name for layer in model.layers[1:5]] == [
        "rescaling",
        "normalization",
        "rescaling_1",
        "stem_conv_pad",
    ]
    np.testing.assert_allclose(model.layers[3].scale, np.array([0.229, 0.224, 0.225]) ** -0.5)


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("MobileNet", {"alpha": 0.3}, r"alpha must be one of 0\.25, 0\.5.*Received alpha=0\.3"),
        ("MobileNet", {"depth_multiplier": 2}, "depth multiplier must be 1"),
        ("MobileNetV2", {"alpha": 0.3}, r"alpha must be one of 0\.35"),
        ("MobileNetV3Small", {"alpha": 0.75, "minimalistic": True}, "for minimalistic only.*alpha=0.75"),
    ],
    ids=["alpha", "multiplier", "alpha_v2", "minimalistic"],
)
def test_variants_without_weights(name, arguments, text):
    with pytest.raises(ValueError, match=text):
        getattr(applications, name)(**arguments)
