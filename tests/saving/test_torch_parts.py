"""Models with parts of torch in them go through files: modules, losses, optimizers, schedulers, metrics."""

import functools
import inspect
import json
import zipfile

import keras as real_keras
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import torchkeras_lite as keras
from torchkeras_lite import layers
from torchkeras_lite.base import torch_modules

ARGUMENTS = {
    **dict.fromkeys(("in_features", "in1_features", "input_size", "in_channels"), 4),
    **dict.fromkeys(("num_features", "embed_dim"), 4),
    **dict.fromkeys(("out_features", "in2_features", "hidden_size", "out_channels", "num_channels"), 4),
    **dict.fromkeys(("kernel_size", "num_heads", "num_groups", "output_size", "groups", "norm_type"), 2),
    **dict.fromkeys(("upscale_factor", "downscale_factor", "padding", "dim"), 2),
    **{"num_embeddings": 5, "embedding_dim": 3, "normalized_shape": (3,), "value": 0.5, "threshold": 0.1},
    **{"size": 2, "unflattened_size": (2, 2)},
}
FURTHER = {
    "no bias": nn.Linear(3, 2, bias=False),
    "padding": nn.Conv2d(2, 4, (3, 1), padding="same", groups=2, padding_mode="reflect"),
    "frozen": nn.Linear(3, 2).requires_grad_(False),
    "bfloat16": nn.Linear(3, 2, dtype=torch.bfloat16),
    "deep LSTM": nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True, dropout=0.1, proj_size=2),
    "relu RNN": nn.RNN(3, 4, nonlinearity="relu", bias=False),
    "attention": nn.MultiheadAttention(4, 2, 0.2, bias=False, add_bias_kv=True, kdim=3, batch_first=True),
    "norm": nn.BatchNorm1d(3, affine=False, momentum=None),
    "nested": nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.ReLU(), nn.LayerNorm(2, bias=False))),
    "weights of classes": nn.CrossEntropyLoss(torch.tensor([1.0, 2.0]), ignore_index=1, label_smoothing=0.1),
}


def made(name):
    cls = torch_modules.CLASSES[name]
    if name in ("LSTM", "GRU", "RNN"):
        return cls(3, 2)
    needed = [p.name for p in inspect.signature(cls).parameters.values() if p.default is p.empty]
    return cls(**{key: ARGUMENTS[key] for key in needed if key in ARGUMENTS})


MODULES = {name: made(name) for name in torch_modules.NAMES} | FURTHER


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_made_again_from_its_config(name):
    module = MODULES[name]
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(module)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(module)
    assert repr(again) == repr(module)
    again.load_state_dict(module.state_dict())
    assert [p.requires_grad for p in again.parameters()] == [p.requires_grad for p in module.parameters()]
    for key, value in vars(module).items():
        if isinstance(value, (bool, int, float, str, tuple)) and key != "training":
            assert vars(again)[key] == value, key


def bare(k):
    return k.Sequential([k.Input((3,)), nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), layers.Dense(2)])


def graph(k):
    i, shared = k.Input((3,)), nn.Linear(3, 3)
    x = nn.Sequential(nn.Linear(3, 3), nn.GELU())(shared(shared(i)))
    return k.Model(i, layers.Dense(2)(x + i))


def wrapped(k):
    return k.Sequential([k.Input((3,)), layers.TorchModuleWrapper(nn.Linear(3, 2), name="w")])


def around(k):
    return k.Model.from_module(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)))


SCHEDULER = functools.partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
WAYS = {
    "class": dict(optimizer=torch.optim.AdamW, loss=nn.MSELoss),
    "object": dict(optimizer="adam", loss=nn.HuberLoss(delta=0.3)),
    "function": dict(optimizer="sgd", loss=functional.l1_loss, metrics=["mae"]),
    "scheduler": dict(optimizer=torch.optim.SGD, loss="mse", lr_scheduler=SCHEDULER),
}


@pytest.mark.parametrize("ending", [".keras", ".safetensors", ""])
@pytest.mark.parametrize("build", [bare, graph, wrapped, around], ids=lambda build: build.__name__)
def test_a_model_with_modules_comes_back(build, ending, tmp_path, rng):
    model = build(keras)
    x = rng.normal(size=(4, 3)).astype("float32")
    expected = model.predict(x, verbose=0)
    path = tmp_path / f"m{ending}"
    model.save(path, **({} if ending else {"zipped": False}))
    loaded = keras.saving.load_model(path)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)
    assert list(loaded.state_dict()) == list(model.state_dict())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("build", [bare, around], ids=lambda build: build.__name__)
def test_training_with_parts_of_torch_goes_on(build, way, tmp_path, rng):
    x, y = (rng.normal(size=(8, size)).astype("float32") for size in (3, 2))
    model = build(keras)
    model.compile(**WAYS[way])
    fit = {"batch_size": 4, "shuffle": False, "verbose": 0}
    model.fit(x, y, epochs=2, **fit)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.fit(x, y, **fit).history == model.fit(x, y, **fit).history


def test_losses_of_torch_in_the_older_format_and_for_keras(tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    for loss in (nn.SmoothL1Loss(reduction="sum", beta=0.5), functional.mse_loss):
        model.compile("sgd", loss)
        for name in ("m.h5", "m.keras"):
            model.save(tmp_path / name)
            found = keras.saving.load_model(tmp_path / name).loss
            assert repr(found) == repr(loss)
            real_keras.saving.load_model(tmp_path / name, compile=False)


def test_a_scheduler_that_cannot_be_written_leaves_the_rest(tmp_path, rng):
    x = rng.normal(size=(4, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(3)])
    model.compile(torch.optim.SGD, "mse", lr_scheduler=lambda optimizer: SCHEDULER(optimizer))
    model.fit(x, x, verbose=0)
    with pytest.warns(UserWarning, match="`lr_scheduler` of compile.* is not saved"):
        model.save(tmp_path / "m.keras")
    assert keras.saving.load_model(tmp_path / "m.keras").optimizer.iterations == 1


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 2)

    def forward(self, x):
        return self.inner(x)


class Changed(nn.Linear):
    pass


def patched():
    module = nn.Linear(3, 2)
    module.extra = nn.Linear(2, 2)
    return module


@pytest.mark.parametrize("make", [Own, lambda: Changed(3, 2), patched], ids=["own", "subclass", "patched"])
def test_other_modules_are_refused_with_what_to_do(make, tmp_path):
    message = r"(?s)Cannot write the torch module .* into a config.*save_weights"
    for model in (
        keras.Sequential([keras.Input((3,)), make()]),
        keras.Sequential([keras.Input((3,)), layers.TorchModuleWrapper(make())]),
        keras.Model.from_module(make()),
    ):
        with pytest.raises(TypeError, match=message):
            model.save(tmp_path / "m.keras")
        assert not list(tmp_path.iterdir())


INNER = {"module": "torch.nn", "class_name": "Module", "config": {}}
BAD = {
    "unknown class": ("DataParallel", {}, "Could not locate class 'DataParallel' of module 'torch.nn'"),
    "unknown argument": ("Linear", {"in_features": 3, "out_features": 2, "code": 1}, "cannot be made of"),
    "wrong value": ("Linear", {"in_features": "3", "out_features": []}, "cannot be made of"),
    "inside": ("Sequential", {"modules": [["0", INNER]]}, "'Module'"),
    "path": ("modules.linear.Linear", {}, "Could not locate class"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_names_nothing_else_of_torch(name, tmp_path):
    class_name, settings, message = BAD[name]
    path = tmp_path / "m.keras"
    keras.Sequential([keras.Input((3,)), nn.Linear(3, 2)]).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {member: archive.read(member) for member in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["config"]["layers"][1] |= {"class_name": class_name, "config": settings}
    parts["config.json"] = json.dumps(config)
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in parts.items():
            archive.writestr(member, data)
    with pytest.raises(TypeError, match=message):
        keras.saving.load_model(path)
    with pytest.raises(TypeError, match="Could not locate function 'unfold' of module 'torch"):
        keras.saving.deserialize_keras_object(
            {"module": "torch.nn.functional", "class_name": "function", "config": "unfold"}
        )


def test_a_module_cannot_claim_memory(tmp_path):
    path = tmp_path / "m.keras"
    keras.Sequential([keras.Input((3,)), nn.Linear(3, 2)]).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {member: archive.read(member) for member in archive.namelist()}
    parts["config.json"] = parts["config.json"].replace(b'features": 2', b'features": 1099511627776')
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in parts.items():
            archive.writestr(member, data)
    with pytest.raises(ValueError, match=r"does not fit the torch module.*\(1099511627776, 3\), stored \(2,"):
        keras.saving.load_model(path)
