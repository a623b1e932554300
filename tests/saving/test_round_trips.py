"""Files written by real Keras are read here, and the reverse: same predictions, paths and configs."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

import torchkeras_lite
from saving.models_table import MODELS, inputs_for, outputs_of, randomize


def parts(path):
    """Return the config of a saved model, and where its weights are, with the names of their owners."""
    archive = zipfile.ZipFile(path)
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item.shape, str(item.dtype), dict(item.attrs), dict(item.parent.attrs)

    with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(visit)
    return json.loads(archive.read("config.json")), found


@pytest.mark.parametrize("name", MODELS)
def test_a_model_goes_both_ways(name, tmp_path, rng):
    build, shapes, ints = MODELS[name]
    close = (
        {"rtol": 2e-2, "atol": 2e-2} if "half" in name or "bfloat" in name else {"rtol": 1e-5, "atol": 1e-5}
    )
    theirs = build(keras)
    randomize(theirs, rng)
    x = inputs_for(shapes, ints, rng)
    expected = outputs_of(theirs, x)
    path, again = tmp_path / "theirs.keras", tmp_path / "ours.keras"
    theirs.save(path)
    ours = torchkeras_lite.saving.load_model(path)
    for mine, his in zip(outputs_of(ours, x), expected, strict=True):
        np.testing.assert_allclose(mine, his, **close)
    ours.save(again)
    back = keras.saving.load_model(again)
    for mine, his in zip(outputs_of(back, x), expected, strict=True):
        np.testing.assert_allclose(mine, his, **close)
    assert parts(again)[1] == parts(path)[1]
    heads = [
        {key: parts(p)[0][key] for key in ("module", "class_name", "registered_name")} for p in (again, path)
    ]
    assert heads[0] == heads[1]


OPTIMIZERS = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "RMSprop": {"momentum": 0.5, "centered": True},
    "Adam": {"amsgrad": True, "clipnorm": 1.0},
    "AdamW": {"weight_decay": 0.01},
    "Adadelta": {},
    "Adagrad": {},
    "Adamax": {},
    "Nadam": {},
    "Adafactor": {},
    "Ftrl": {},
    "Lion": {},
    "Lamb": {},
    "Muon": {},
    "ScheduleFreeAdamW": {},
    "LossScaleOptimizer": {},
    "use_ema": {},
    "accumulation": {},
    "schedule": {},
}


def optimizer_of(k, name):
    options = OPTIMIZERS[name]
    if name == "LossScaleOptimizer":
        return k.optimizers.LossScaleOptimizer(k.optimizers.SGD(0.01, momentum=0.9))
    if name == "use_ema":
        return k.optimizers.Adam(use_ema=True, ema_momentum=0.9)
    if name == "accumulation":
        return k.optimizers.Adam(gradient_accumulation_steps=2)
    if name == "schedule":
        return k.optimizers.SGD(k.optimizers.schedules.ExponentialDecay(0.05, 3, 0.8), momentum=0.9)
    return getattr(k.optimizers, name)(0.01, **options)


def fit(model, x, y, epochs=1):
    return model.fit(x, y, batch_size=4, epochs=epochs, shuffle=False, verbose=0).history


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_as_it_would_have(name, tmp_path, rng):
    x = rng.normal(size=(14, 5)).astype("float32")
    y = rng.normal(size=(14, 3)).astype("float32")
    packages = {"theirs": keras, "ours": torchkeras_lite}
    for writer, reader in (("theirs", "ours"), ("ours", "theirs"), ("ours", "ours")):
        k, other = packages[writer], packages[reader]
        dense = [k.layers.Dense(4, activation="tanh"), k.layers.Dense(3)]
        model = k.Sequential([k.Input((5,)), *dense])
        weights = [rng.normal(size=w.shape) for w in model.weights]
        model.set_weights(weights)
        loss = k.losses.LogCosh(reduction="sum") if name == "Adam" else "mse"
        model.compile(optimizer_of(k, name), loss, metrics=["mae", k.metrics.MeanSquaredError(name="m")])
        fit(model, x, y, 2)
        path = tmp_path / f"{writer}-{reader}.keras"
        model.save(path)
        loaded = other.saving.load_model(path)
        assert type(loaded.optimizer).__name__ == type(model.optimizer).__name__
        assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations)
        expected, found = fit(model, x, y), fit(loaded, x, y)
        assert expected.keys() == found.keys()
        for key, values in expected.items():
            np.testing.assert_allclose(found[key], values, rtol=1e-5, err_msg=key)
