"""`.h5` files both ways with real Keras, and what in them is refused."""

import base64
import contextlib
import json
import logging
import marshal
import struct
import sys
from unittest import mock

import h5py
import keras as real_keras
import numpy as np
import pytest
from absl import logging as absl_logging
from keras.src.legacy.saving import legacy_h5_format

import torchkeras_lite as keras
from saving.keras2_files import dense, layer, write_keras2
from saving.models_table import MODELS, inputs_for, outputs_of, randomize
from torchkeras_lite import layers
from torchkeras_lite.saving import load_model
from torchkeras_lite.saving.legacy_h5 import read_names

NAMES = list({name.partition("(")[0]: name for name in MODELS}.values())
# What Keras's own reader fails on in files of its own too: lists of axes, `score_mode="dot"`, bfloat16.
KERAS_MISREADS = ("axis=[1, 2]", "Attention(use_scale=True)", "stored_in_bfloat16")


@pytest.fixture(autouse=True)
def quiet():
    """Keras logs that the format is an old one."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_goes_both_ways(name, tmp_path, rng):
    build, shapes, ints = MODELS[name]
    close = (
        {"rtol": 2e-2, "atol": 2e-2} if "half" in name or "bfloat" in name else {"rtol": 1e-5, "atol": 1e-5}
    )
    theirs = build(real_keras)
    randomize(theirs, rng)
    theirs.save(tmp_path / "theirs.h5")
    ours = load_model(tmp_path / "theirs.h5", compile=False)
    x = inputs_for(shapes, ints, rng)
    wanted = outputs_of(theirs, x)
    for mine, his in zip(outputs_of(ours, x), wanted, strict=True):
        np.testing.assert_allclose(mine, his, **close)
    ours.save(tmp_path / "ours.h5")
    again = load_model(tmp_path / "ours.h5", compile=False)
    for mine, his in zip(outputs_of(again, x), wanted, strict=True):
        np.testing.assert_allclose(mine, his, **close)
    if not any(part in name for part in KERAS_MISREADS):
        back = real_keras.models.load_model(tmp_path / "ours.h5", compile=False)
        for mine, his in zip(outputs_of(back, x), wanted, strict=True):
            np.testing.assert_allclose(mine, his, **close)


def test_operations_in_graphs_are_told_from_layers_of_their_names(tmp_path, rng):
    i = real_keras.Input((4,))
    x = real_keras.layers.Add()([real_keras.layers.Dense(4)(i), i])
    x = real_keras.ops.relu(x * 2.0 + i) + real_keras.ops.mean(x, axis=1, keepdims=True)
    theirs = real_keras.Model(i, x)
    theirs.save(tmp_path / "m.h5")
    ours = load_model(tmp_path / "m.h5", compile=False)
    ours.save(tmp_path / "n.h5")
    data = rng.normal(size=(2, 4)).astype("float32")
    for model in (ours, load_model(tmp_path / "n.h5", compile=False)):
        np.testing.assert_allclose(model.predict(data, verbose=0), outputs_of(theirs, data)[0], rtol=1e-5)


def everything(path):
    """Return all groups and datasets of a file with their attributes; configs read."""
    found = {}

    def note(name, item):
        attributes = {
            key: json.loads(value) if key.endswith("_config") else np.asarray(value).tolist()
            for key, value in item.attrs.items()
        }
        found[name] = (getattr(item, "shape", None), str(getattr(item, "dtype", "")), attributes)

    with h5py.File(path) as file:
        note("/", file)
        file.visititems(note)
    return found


def compiled(k):
    layers, i = k.layers, k.Input((8,), name="inp")
    shared = layers.Dense(4, activation="relu", name="shared")
    inner = k.Sequential(
        [k.Input((4,)), layers.Dense(3, name="deep"), layers.Dropout(0.2, name="drop")], name="sub"
    )
    joined = layers.Concatenate(name="cat")(
        [inner(layers.BatchNormalization(name="bn")(shared(i))), shared(i)]
    )
    model = k.Model(i, layers.Dense(1, name="out")(joined), name="whole")
    return model


OPTIMIZERS = {
    "adam": lambda k: k.optimizers.Adam(0.01, clipnorm=1.0, name="adam"),
    "sgd": lambda k: k.optimizers.SGD(
        k.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9, name="decay"), momentum=0.9, name="sgd"
    ),
    "rmsprop": lambda k: k.optimizers.RMSprop(0.01, momentum=0.5, centered=True, name="rmsprop"),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_layout_is_keras_3s_own(optimizer, tmp_path, rng):
    x, y = np.ones((4, 8), "float32"), np.zeros((4, 1), "float32")
    models = {}
    for name, k in (("theirs", real_keras), ("ours", keras)):
        models[name] = model = compiled(k)
        model.compile(OPTIMIZERS[optimizer](k), loss="mse", metrics=["mae"], weighted_metrics=["mse"])
        model.fit(x, y, verbose=0)
        model.save(tmp_path / f"{name}.h5")
    mine, his = everything(tmp_path / "ours.h5"), everything(tmp_path / "theirs.h5")
    assert list(mine) == list(his)
    for name, wanted in his.items():
        assert mine[name][:2] == wanted[:2], name
        if name != "/":
            assert mine[name][2] == wanted[2], name
    ours, theirs = mine["/"][2], his["/"][2]
    assert set(ours) == set(theirs)
    for key in ("loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly", "jit_compile"):
        assert ours["training_config"][key] == theirs["training_config"][key]
    assert (
        ours["training_config"]["optimizer_config"]["class_name"] == type(models["theirs"].optimizer).__name__
    )


@pytest.mark.parametrize("log", [absl_logging, logging.getLogger("torchkeras_lite")], ids=["absl", "own"])
def test_the_older_format_is_logged(log, tmp_path, monkeypatch):
    with mock.patch.object(absl_logging, "warning") as theirs:
        compiled(real_keras).save(tmp_path / "theirs.h5")
    if log is not absl_logging:
        monkeypatch.delitem(sys.modules, "absl.logging")
    with mock.patch.object(log, "warning") as ours:
        compiled(keras).save(tmp_path / "ours.h5")
        compiled(keras).save_weights(tmp_path / "ours.weights.h5")
    assert ours.call_args_list == theirs.call_args_list
    assert len(ours.call_args_list) == 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_goes_on(optimizer, tmp_path, rng):
    x, y = rng.normal(size=(8, 8)).astype("float32"), rng.normal(size=(8, 1)).astype("float32")
    theirs = real_keras.Sequential(
        [real_keras.Input((8,)), real_keras.layers.Dense(4, "relu"), real_keras.layers.Dense(1)]
    )
    theirs.compile(OPTIMIZERS[optimizer](real_keras), "mse", metrics=["mae"])
    theirs.fit(x, y, epochs=2, verbose=0)
    theirs.save(tmp_path / "m.h5")
    ours = load_model(tmp_path / "m.h5")
    ours.save(tmp_path / "n.h5")
    again = load_model(tmp_path / "n.h5")
    again.save(tmp_path / "n.keras")
    expected = theirs.fit(x, y, epochs=2, verbose=0, shuffle=False).history
    for model in (ours, again, load_model(tmp_path / "n.keras")):
        found = model.fit(x, y, epochs=2, verbose=0, shuffle=False).history
        for key, values in expected.items():
            np.testing.assert_allclose(found[key], values, rtol=1e-4)


class Sub(keras.Model):
    """A model without a graph, with a weight of its own."""

    def __init__(self, units=2):
        super().__init__()
        self.first, self.second = layers.Dense(3), layers.Dense(units)
        self.scale = self.add_weight(shape=(units,), name="scale")

    def call(self, x):
        """Compute."""
        return self.second(self.first(x)) * self.scale


class RealSub(real_keras.Model):
    """The same in real Keras."""

    def __init__(self, units=2):
        super().__init__()
        self.first, self.second = real_keras.layers.Dense(3), real_keras.layers.Dense(units)
        self.scale = self.add_weight(shape=(units,), name="scale")

    def call(self, x):
        """Compute."""
        return self.second(self.first(x)) * self.scale


def test_weights_of_subclassed_models_go_both_ways(tmp_path, rng):
    x = rng.normal(size=(2, 5)).astype("float32")
    ours, theirs = Sub(), RealSub()
    ours(x), theirs(x)
    ours.save_weights(tmp_path / "o.h5")
    theirs.load_weights(tmp_path / "o.h5")
    np.testing.assert_allclose(outputs_of(theirs, x)[0], ours.predict(x, verbose=0), rtol=1e-5)
    randomize(theirs, rng)
    with h5py.File(tmp_path / "t.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, theirs)
    ours.load_weights(tmp_path / "t.h5")
    np.testing.assert_allclose(ours.predict(x, verbose=0), outputs_of(theirs, x)[0], rtol=1e-5)
    with pytest.raises(ValueError, match=r"No model config found.*load_weights"):
        load_model(tmp_path / "t.h5")
    (tmp_path / "t.h5").rename(tmp_path / "t.weights.h5")  # as tf.keras called them
    ours.load_weights(tmp_path / "t.weights.h5")


def stack(*units, names="abc"):
    return keras.Sequential(
        [keras.Input((4,)), *(layers.Dense(n, name=name) for n, name in zip(units, names, strict=False))]
    )


def test_layers_are_matched_by_order_or_by_name(tmp_path):
    model = stack(3, 2, 5)
    model.save_weights(tmp_path / "w.h5")
    same, other = stack(3, 2, 5, names="xyz"), stack(3, 7, 5)
    same.load_weights(tmp_path / "w.h5")
    np.testing.assert_array_equal(same.get_weights()[0], model.get_weights()[0])
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"layer #1 \(named b\) for weight .*b/kernel.*\(3, 7\).*\(3, 2\)"):
        other.load_weights(tmp_path / "w.h5")
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="`by_name=True`"):
        other.load_weights(tmp_path / "w.h5", skip_mismatch=True)
    with pytest.warns(UserWarning, match=r"Skipping.*named b"):
        other.load_weights(tmp_path / "w.h5", by_name=True, skip_mismatch=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    np.testing.assert_array_equal(other.get_weights()[2], before[2])
    with pytest.raises(ValueError, match=r"Layer count mismatch.*expected 2 layers, found 3.*by_name"):
        stack(3, 2).load_weights(tmp_path / "w.h5")
    with pytest.raises(ValueError, match="objects_to_skip"):
        keras.saving.load_weights(model, tmp_path / "w.h5", objects_to_skip=[model.layers[0]])


def test_long_lists_of_names_are_split(tmp_path):
    name = "a_layer_with_a_long_name_" * 80
    models = [
        k.Sequential([k.Input((1,)), *(k.layers.Dense(1, name=f"{name}{i}") for i in range(40))])
        for k in (keras, real_keras)
    ]
    for path, model in zip(("o.h5", "t.h5"), models, strict=True):
        model.save(tmp_path / path)
    with h5py.File(tmp_path / "o.h5") as ours, h5py.File(tmp_path / "t.h5") as theirs:
        assert sorted(ours["model_weights"].attrs) == sorted(theirs["model_weights"].attrs)
        assert "layer_names1" in ours["model_weights"].attrs
        assert read_names(theirs["model_weights"], "layer_names") == [f"{name}{i}" for i in range(40)]
    again = load_model(tmp_path / "t.h5", compile=False)
    np.testing.assert_array_equal(again.get_weights()[-2], models[1].get_weights()[-2])


@keras.saving.register_keras_serializable("legacy")
class Scaled(layers.Layer):
    """A user's layer."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        """Compute."""
        return x * self.factor


class Unregistered(layers.Layer):
    """A user's layer, given by name."""

    def call(self, x):
        """Compute."""
        return x + 1


def test_custom_layers_and_losses(tmp_path):
    def my_loss(y_true, y_pred):
        return (y_true - y_pred) ** 2

    model = keras.Sequential([keras.Input((2,)), Scaled(3.0), Unregistered(), layers.Dense(1)])
    model.compile("sgd", my_loss)
    model.save(tmp_path / "m.h5")
    mine = {"Unregistered": Unregistered, "my_loss": my_loss}
    again = load_model(tmp_path / "m.h5", custom_objects=mine)
    assert again.layers[0].factor == 3.0
    assert again.loss is my_loss
    with pytest.raises(TypeError, match="'Unregistered'"):
        load_model(tmp_path / "m.h5")


def test_without_the_optimizer(tmp_path):
    model = stack(2)
    model.compile("adam", "mse")
    model.save(tmp_path / "m.h5", include_optimizer=False)
    with pytest.warns(UserWarning, match="No training configuration"):
        assert not load_model(tmp_path / "m.h5").compiled


@pytest.mark.parametrize("form", ["new", "old"])
def test_lambdas_run_only_where_that_was_allowed(form, tmp_path):
    code = base64.encodebytes(marshal.dumps((lambda x: x * 3).__code__)).decode()
    old = layer(
        "Lambda",
        "code",
        function=[code, None, None],
        function_type="lambda",
        output_shape=None,
        output_shape_type="raw",
        arguments={},
        batch_input_shape=[None, 2],
    )
    value = {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": None}}
    new = layer("Lambda", "code", function=value, arguments={}, batch_input_shape=[None, 2])
    entry = old if form == "old" else new
    write_keras2(tmp_path / "m.h5", {"class_name": "Sequential", "config": [entry]}, {})
    with pytest.raises(ValueError, match="arbitrary code execution"):
        load_model(tmp_path / "m.h5", compile=False)
    model = load_model(tmp_path / "m.h5", compile=False, safe_mode=False)
    np.testing.assert_array_equal(model.predict(np.ones((1, 2)), verbose=0), [[3.0, 3.0]])


CONFIGS = {
    "a class by its path": ({"class_name": "os.system", "config": {"command": "x"}}, TypeError, "os.system"),
    "a downloader": ({"class_name": "get_file", "config": {"origin": "x"}}, TypeError, "get_file"),
    "too deep": ("deep", ValueError, "nested"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_are_checked(name, tmp_path):
    entry, kind, text = CONFIGS[name]
    if entry == "deep":
        entry = layer("Dense", "d", units=2)
        for _ in range(300):
            entry = layer("TimeDistributed", "t", layer=entry)
    write_keras2(tmp_path / "m.h5", {"class_name": "Sequential", "config": [entry]}, {})
    with pytest.raises(kind, match=text):
        load_model(tmp_path / "m.h5", compile=False)


def good_file(path):
    config = {"class_name": "Sequential", "config": [dense("d", 2, batch_input_shape=[None, 3])]}
    write_keras2(
        path, config, {"d": [("d/kernel:0", np.ones((3, 2), "float32")), ("d/bias:0", np.ones(2, "float32"))]}
    )


def _external_link(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["secret"] = np.ones((3, 2), "float32")
    file["model_weights/d/d"].move("kernel:0", "old")
    file["model_weights/d/d/kernel:0"] = h5py.ExternalLink(str(folder / "other.h5"), "/secret")


def _soft_link(file, folder):
    file["model_weights/d/d"].move("kernel:0", "old")
    file["model_weights/d/d/kernel:0"] = h5py.SoftLink("/model_weights/d/d/old")


def _external_storage(file, folder):
    (folder / "raw").write_bytes(bytes(24))
    del file["model_weights/d/d/kernel:0"]
    file["model_weights/d/d"].create_dataset(
        "kernel:0", (3, 2), "f4", external=[(str(folder / "raw"), 0, 24)]
    )


def _bomb(file, folder):
    del file["model_weights/d/d/kernel:0"]
    file["model_weights/d/d"].create_dataset(
        "kernel:0", (10**6, 10**5), "f4", chunks=(1000, 1000), compression="gzip"
    )


def _missing(file, folder):
    del file["model_weights/d/d/kernel:0"]


def _text(file, folder):
    del file["model_weights/d/d/kernel:0"]
    file["model_weights/d/d/kernel:0"] = "text"


def _no_json(file, folder):
    file.attrs["model_config"] = "{"


BAD = {
    _external_link: "link",
    _soft_link: "link",
    _external_storage: "another file",
    _bomb: "bomb",
    _missing: "'d/kernel:0' of 'd'.*missing",
    _text: "no numbers",
    _no_json: "no valid JSON",
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_bad_files_are_refused(spoil, tmp_path):
    good_file(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "a") as file:
        spoil(file, tmp_path)
    with pytest.raises(ValueError, match=BAD[spoil]):
        load_model(tmp_path / "m.h5", compile=False)
    if spoil is not _no_json:
        model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
        with pytest.raises(ValueError, match=BAD[spoil]):
            model.load_weights(tmp_path / "m.h5")


def test_cut_or_flipped_files_raise_one_kind_of_error(tmp_path, rng):
    good_file(tmp_path / "m.h5")
    content = (tmp_path / "m.h5").read_bytes()
    for trial in range(60):
        spoiled = bytearray(content)
        if trial % 2:
            spoiled = spoiled[: rng.integers(1, len(content))]
        else:
            for place in rng.integers(0, len(content), 4):
                spoiled[place] ^= struct.unpack("B", rng.bytes(1))[0]
        (tmp_path / "bad.h5").write_bytes(spoiled)
        with contextlib.suppress(ValueError, TypeError):
            load_model(tmp_path / "bad.h5", compile=False)


def test_a_failed_save_leaves_the_old_file(tmp_path):
    model = stack(2)
    model.save(tmp_path / "m.h5")
    before = (tmp_path / "m.h5").read_bytes()

    class Broken(layers.Layer):
        def call(self, x):
            return x

        def get_config(self):
            raise TypeError("no config")

    bad = keras.Sequential([keras.Input((2,)), layers.Dense(1), Broken()])
    with pytest.raises(TypeError, match="no config"):
        bad.save(tmp_path / "m.h5")
    assert (tmp_path / "m.h5").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.h5"]
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "none.h5")
