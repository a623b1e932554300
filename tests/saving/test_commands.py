"""`python -m torchkeras_lite convert` and `inspect`."""

import subprocess
import sys

import keras as real_keras
import numpy as np
import pytest

import torchkeras_lite as keras
from torchkeras_lite import layers
from torchkeras_lite.__main__ import main


@pytest.fixture
def saved(tmp_path):
    """The path of a compiled model, and the model."""
    i = keras.Input((5,), name="i")
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="deep")], name="inner")
    x = inner(layers.Dense(4, "relu", name="first")(i))
    model = keras.Model(
        i, layers.Bidirectional(layers.LSTM(2), name="bi")(layers.Reshape((1, 3))(x)), name="net"
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    model.fit(np.ones((2, 5)), np.ones((2, 4)), verbose=0)
    model.save(tmp_path / "m.keras")
    return str(tmp_path / "m.keras"), model


def outputs(model):
    return np.asarray(model.predict(np.ones((2, 5), "float32"), verbose=0))


CHAINS = [
    ["a.h5", "b.keras"],
    ["a.safetensors", "b.h5", "c.keras"],
    ["a.keras", "b.safetensors", "c.keras"],
]


@pytest.mark.parametrize("chain", CHAINS, ids=" ".join)
def test_convert_through_whole_models(chain, saved, tmp_path, capsys):
    source, model = saved
    for name in chain:
        assert main(["convert", source, str(tmp_path / name)]) == 0
        source = str(tmp_path / name)
    assert "parameters)" in capsys.readouterr().out
    np.testing.assert_allclose(outputs(real_keras.models.load_model(source)), outputs(model), rtol=1e-5)


@pytest.mark.parametrize("ending", ["weights.h5", "weights.json", "pt", "pth", "safetensors", "h5"])
def test_convert_to_weights_and_back(ending, saved, tmp_path):
    source, model = saved
    weights, again = str(tmp_path / f"w.{ending}"), str(tmp_path / "again.keras")
    blank = keras.models.clone_model(model)
    blank.save(tmp_path / "blank.keras")
    assert main(["convert", source, weights, "--weights-only"]) == 0
    assert main(["convert", weights, again, "--model", str(tmp_path / "blank.keras")]) == 0
    np.testing.assert_allclose(outputs(keras.saving.load_model(again)), outputs(model), rtol=1e-6)


def test_convert_says_what_is_wrong(saved, tmp_path, capsys):
    source, _ = saved
    assert main(["convert", source, str(tmp_path / "m.onnx")]) == 1
    assert "unknown format" in capsys.readouterr().err
    assert main(["convert", source, source]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "none.keras"), str(tmp_path / "x.h5")]) == 1
    assert "File not found" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["konvert"])


@pytest.mark.parametrize("ending", ["keras", "h5", "safetensors"])
def test_inspect_shows_the_layers(ending, saved, tmp_path, capsys):
    _source, model = saved
    path = str(tmp_path / f"x.{ending}")
    model.save(path)
    assert main(["inspect", path]) == 0
    text = capsys.readouterr().out
    for part in (
        "3.15.1",
        "net",
        "Functional",
        "first",
        "units=4",
        "deep",
        "Bidirectional",
        "LSTM",
        "(None, 5)",
    ):
        assert part in text
    if ending != "safetensors":
        assert "Adam, learning rate 0.0" in text
        assert "mse" in text
    assert main(["inspect", path, "--config"]) == 0
    assert '"class_name": "Bidirectional"' in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["weights.h5", "weights.json", "pt", "safetensors", "h5"])
def test_inspect_shows_weights_alone(ending, saved, tmp_path, capsys):
    _, model = saved
    path = str(tmp_path / f"w.{ending}")
    model.save_weights(path, max_shard_size=1 if ending == "weights.json" else None)
    assert main(["inspect", path]) == 0
    text = capsys.readouterr().out
    assert "float32" in text
    assert "values" in text


def test_inspect_runs_nothing(tmp_path, capsys):
    """A model of classes that nobody knows, and with a lambda, is shown all the same."""

    class Mine(layers.Layer):
        def call(self, inputs):
            return inputs

    model = keras.Sequential([keras.Input((2,)), Mine(name="mine"), layers.Lambda(lambda x: x, name="code")])
    with pytest.warns(UserWarning, match="lambda"):
        model.save(tmp_path / "m.keras")
    assert main(["inspect", str(tmp_path / "m.keras")]) == 0
    assert "Mine" in capsys.readouterr().out
    (tmp_path / "broken.keras").write_bytes(b"no archive")
    assert main(["inspect", str(tmp_path / "broken.keras")]) == 1
    assert "no `.keras` archive" in capsys.readouterr().err


def test_the_program_runs():
    command = [sys.executable, "-m", "torchkeras_lite", "--version"]
    assert keras.__version__ in subprocess.run(command, check=True, capture_output=True, text=True).stdout
