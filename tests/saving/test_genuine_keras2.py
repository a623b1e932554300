"""Files of real Keras 2.15 and 2.12 (`fixtures/write_keras2.py`): predictions, training, saving anew."""

import io
import warnings
import zipfile
from pathlib import Path

import keras as real_keras
import numpy as np
import pytest

import torchkeras_lite as keras
from saving.models_table import outputs_of
from torchkeras_lite.__main__ import main

FILES = zipfile.ZipFile(Path(__file__).parent / "fixtures" / "keras2.zip")
# What real Keras cannot read from files of its own too: numbers in operations on bits.
KERAS_MISREADS = ("bits-2.15.1.keras",)
NAMES = [name for name in FILES.namelist() if not name.endswith(".npz")]


def unpacked(name, folder):
    """Return the path of a file, its inputs, predictions and targets, and the losses of one more epoch."""
    arrays = np.load(io.BytesIO(FILES.read(name + ".npz")))
    parts = {
        kind: [arrays[key] for key in sorted(arrays) if key[0] == kind and key != "loss"] for kind in "xpy"
    }
    x, y = (found[0] if len(found) == 1 else found or None for found in (parts["x"], parts["y"]))
    return FILES.extract(name, folder), x, parts["p"], y, arrays.get("loss")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_keras2(name, tmp_path):
    path, x, expected, y, losses = unpacked(name, tmp_path)
    close = {"rtol": 1e-2, "atol": 1e-2} if name.startswith("half") else {"rtol": 1e-5, "atol": 1e-6}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*(deprecated|No training configuration|of an older Keras)")
        model = keras.saving.load_model(path)
    for mine, his in zip(outputs_of(model, x), expected, strict=True):
        np.testing.assert_allclose(mine, his, **close)
    again = tmp_path / "again.keras"
    model.save(again)
    reader = keras if name in KERAS_MISREADS else real_keras
    for mine, his in zip(outputs_of(reader.saving.load_model(again), x), expected, strict=True):
        np.testing.assert_allclose(mine, his, **close)
    assert model.compiled == (losses is not None)
    if losses is not None:
        history = model.fit(x, y, batch_size=2, shuffle=False, verbose=0).history
        np.testing.assert_allclose(history["loss"], losses, rtol=1e-5)


@pytest.mark.parametrize("name", ["sequential-2.12.1.keras", "recurrent-2.15.1.keras", "cells-2.15.1.h5"])
def test_weights_and_commands(name, tmp_path, capsys):
    path, x, expected, *_ = unpacked(name, tmp_path)
    model = keras.saving.load_model(path, compile=False)
    again = keras.models.clone_model(model)
    again.compile("adam", "mse")
    again.load_weights(path)
    np.testing.assert_allclose(outputs_of(again, x)[0], expected[0], rtol=1e-5, atol=1e-6)
    assert main(["inspect", str(path)]) == 0
    assert "dense" in capsys.readouterr().out
    assert main(["convert", str(path), str(tmp_path / "m.keras")]) == 0
    converted = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(outputs_of(converted, x)[0], expected[0], rtol=1e-5, atol=1e-6)


def test_a_training_configuration_that_says_nothing_is_told(tmp_path):
    path = FILES.extract("half-2.15.1.keras", tmp_path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = parts["config.json"].decode()
    parts["config.json"] = config[:-1] + ', "compile_config": {"optimizer": 3, "loss": "mse"}}'
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    with pytest.warns(UserWarning, match="training configuration cannot be used.*names no optimizer"):
        assert not keras.saving.load_model(path).compiled
