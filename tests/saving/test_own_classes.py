"""Classes of a user's own in files, with real Keras as the oracle of names, places and hooks."""

import io
import json
import os
import zipfile
from contextlib import nullcontext

import h5py
import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from saving.models_table import shared_inner_layer

PACKAGES = {"theirs": keras, "ours": torchkeras_lite}
BOTH_WAYS = pytest.mark.parametrize(
    ("writer", "reader"), [("theirs", "ours"), ("ours", "theirs"), ("ours", "ours")]
)


def classes(k):
    """Return a user's layers and model, written for the package `k`."""

    class Scale(k.layers.Layer):
        def __init__(self, factor=2.0, inner=None, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor
            self.inner = inner

        def build(self, input_shape):
            self.shift = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="shift")
            self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False, name="steps")
            super().build(input_shape)

        def call(self, inputs):
            outputs = inputs * self.factor + self.shift
            return outputs if self.inner is None else self.inner(outputs)

        def get_config(self):
            inner = k.saving.serialize_keras_object(self.inner)
            return {**super().get_config(), "factor": self.factor, "inner": inner}

        @classmethod
        def from_config(cls, config):
            config["inner"] = k.saving.deserialize_keras_object(config["inner"])
            return cls(**config)

    class Net(k.Model):
        def __init__(self, width=4, **kwargs):
            super().__init__(**kwargs)
            self.width = width
            self._hidden = k.layers.Dense(width)
            self.blocks = [k.layers.Dense(width), [k.layers.Dense(width), k.layers.LayerNormalization()]]
            self.heads = {"b": k.layers.Dense(2), "a": k.layers.Dense(2)}
            self.again = self.blocks[0]

        def call(self, inputs):
            x = self._hidden(inputs)
            x = self.blocks[1][1](self.blocks[1][0](self.again(self.blocks[0](x))))
            return self.heads["a"](x) + self.heads["b"](x)

        def get_config(self):
            return {**super().get_config(), "width": self.width}

    class Stored(k.layers.Layer):
        def build(self, input_shape):
            self.table = self.add_weight(shape=(3, 2), initializer="uniform", name="table")
            self.built = True

        def call(self, inputs):
            return inputs @ k.ops.transpose(self.table) if k is keras else inputs @ self.table.value.T

        def save_own_variables(self, store):
            store["the_table"] = self.table.numpy() if k is torchkeras_lite else np.asarray(self.table)

        def load_own_variables(self, store):
            self.table.assign(store["the_table"])

        def save_assets(self, dir_path):
            with open(os.path.join(dir_path, "note.txt"), "w") as file:
                file.write("kept")

        def load_assets(self, dir_path):
            with open(os.path.join(dir_path, "note.txt")) as file:
                self.note = file.read()

        def get_build_config(self):
            return {"made": "by hand"}

        def build_from_config(self, config):
            assert config == {"made": "by hand"}
            self.build((None, 2))

    return {"Scale": Scale, "Net": Net, "Stored": Stored}


def arrays(outputs):
    return np.asarray(outputs.detach())


def tree(path):
    archive = zipfile.ZipFile(path)
    found = {}
    with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(lambda name, item: found.update({name: item.shape} if hasattr(item, "shape") else {}))
    return found


def functional(k, own):
    i = k.Input((2,))
    return k.Model(i, own["Scale"](3.0, inner=k.layers.Dense(3))(i))


def stored(k, own):
    return k.Sequential([k.Input((2,)), own["Stored"](), k.layers.Dense(1)])


def subclassed(k, own):
    model = own["Net"](5)
    model(torch.ones(1, 2))
    return model


@BOTH_WAYS
@pytest.mark.parametrize("make", [functional, stored, subclassed])
def test_own_classes_go_both_ways(make, writer, reader, tmp_path, rng):
    own, others = classes(PACKAGES[writer]), classes(PACKAGES[reader])
    model = make(PACKAGES[writer], own)
    model.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.weights])
    path, x = tmp_path / "m.keras", torch.as_tensor(rng.normal(size=(3, 2)).astype("float32"))
    expected = arrays(model(x))
    model.save(path)
    loaded = PACKAGES[reader].saving.load_model(path, custom_objects=others)
    np.testing.assert_allclose(arrays(loaded(x)), expected, rtol=1e-5, atol=1e-6)
    if make is stored:
        assert loaded.layers[0].note == "kept"
    again = tmp_path / "again.keras"
    loaded.save(again)
    assert tree(again) == tree(path)


def shapeless(k):
    """Return a layer whose `build` takes what it is given, and one that builds such a layer inside."""

    class Shapeless(k.layers.Layer):
        def build(self, input_shape=None):
            self.scale = self.add_weight(shape=(3,), name="scale")
            self.built = True

        def call(self, inputs):
            return inputs * self.scale

    class Owner(k.layers.Layer):
        def __init__(self, given=(), **kwargs):
            super().__init__(**kwargs)
            self.given = given
            self.inner = Shapeless()

        def build(self, input_shape):
            self.inner.build(*self.given)
            self.built = True

        def call(self, inputs):
            return self.inner(inputs)

        def get_config(self):
            return {**super().get_config(), "given": list(self.given)}

    return {"Shapeless": Shapeless, "Owner": Owner}


@BOTH_WAYS
@pytest.mark.parametrize("inside", [False, True], ids=["itself", "inside"])
@pytest.mark.parametrize("given", [(), (None,), ({"a": None},), ([None],), ([None, [None, 3]],)], ids=str)
def test_a_layer_built_without_a_shape(given, inside, writer, reader, tmp_path):
    own, others = shapeless(PACKAGES[writer]), shapeless(PACKAGES[reader])
    layer = own["Owner"](given) if inside else own["Shapeless"]()
    if not inside:
        layer.build(*given)
    k = PACKAGES[writer]
    model, x = k.Sequential([k.Input((3,)), layer]), torch.ones(2, 3)
    model.save(tmp_path / "m.keras")
    loaded = PACKAGES[reader].saving.load_model(tmp_path / "m.keras", custom_objects=others)
    np.testing.assert_array_equal(arrays(loaded(x)), arrays(model(x)))


@pytest.mark.parametrize("given", [(), (None,), ({"a": None},)], ids=str)
def test_a_layer_built_without_a_shape_begins_a_model(given):
    layer = shapeless(torchkeras_lite)["Shapeless"]()
    layer.build(*given)
    model = torchkeras_lite.Sequential([layer, torchkeras_lite.layers.Dense(2)])
    assert not model.built
    assert model(torch.ones(2, 3)).shape == (2, 2)


def test_a_layer_built_without_a_shape_has_no_input_shape():
    layer = shapeless(torchkeras_lite)["Shapeless"]()
    layer.build(None)
    with pytest.raises(AttributeError, match="was built without a shape"):
        _ = layer.input_shape


@BOTH_WAYS
def test_weights_of_a_subclassed_model_and_its_optimizer(writer, reader, tmp_path, rng):
    models = []
    for name in (writer, reader):
        k = PACKAGES[name]
        model = subclassed(k, classes(k))
        model.compile("adam", "mse")
        model.fit(np.zeros((4, 2), "float32"), np.ones((4, 2), "float32"), verbose=0)
        models.append(model)
    path = tmp_path / "m.weights.h5"
    models[0].save_weights(path)
    models[1].load_weights(path)
    for mine, his in zip(models[1].get_weights(), models[0].get_weights(), strict=True):
        np.testing.assert_array_equal(mine, his)
    for mine, his in zip(models[1].optimizer.variables, models[0].optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(his))


@BOTH_WAYS
def test_shards_go_both_ways(writer, reader, tmp_path):
    def make(k):
        return k.Sequential([k.Input((20,)), *(k.layers.Dense(20) for _ in range(4))])

    model, other = make(PACKAGES[writer]), make(PACKAGES[reader])
    path = tmp_path / "m.weights.json"
    model.save_weights(path, max_shard_size=1.7e-6)
    assert len(list(tmp_path.glob("m_*.weights.h5"))) >= 4
    other.load_weights(path)
    for mine, his in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, his)


def test_unknown_classes_are_named(tmp_path):
    own = classes(torchkeras_lite)
    path = tmp_path / "m.keras"
    functional(torchkeras_lite, own).save(path)
    with pytest.raises(TypeError, match=r"Could not locate class 'Scale'.*custom_objects"):
        torchkeras_lite.saving.load_model(path)
    with torchkeras_lite.saving.CustomObjectScope(own):
        torchkeras_lite.saving.load_model(path)


def test_a_layer_in_two_wrappers_stays_one(tmp_path, rng):
    model = shared_inner_layer(torchkeras_lite)
    path = tmp_path / "m.keras"
    model.save(path)
    loaded = torchkeras_lite.saving.load_model(path)
    inner = [layer.layer for layer in loaded.layers if hasattr(layer, "layer")]
    assert len(inner) == 2
    assert inner[0] is inner[1]
    x = torch.as_tensor(rng.normal(size=(3, 4, 5)).astype("float32"))
    torch.testing.assert_close(loaded(x), model(x))


def test_an_unbuilt_model(tmp_path):
    k = torchkeras_lite
    path = tmp_path / "m.keras"
    with pytest.warns(UserWarning, match="not yet been built"):
        k.Sequential([k.layers.Dense(2)]).save(path)
    loaded = k.saving.load_model(path)
    assert not loaded.built
    with pytest.raises(ValueError, match="not yet been built"):
        loaded.save_weights(tmp_path / "m.weights.h5")
    assert loaded(torch.ones(1, 3)).shape == (1, 2)


def test_file_objects_and_plain_torch_modules(tmp_path, rng):
    k = torchkeras_lite
    model = k.Sequential([k.Input((2,)), k.layers.Dense(3)])
    memory = io.BytesIO()
    model.save(memory)
    memory.seek(0)
    loaded = k.saving.load_model(memory)
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])

    class Holder(k.Model):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
            self.last = k.layers.Dense(1)

        def call(self, inputs):
            return self.last(self.net(inputs))

    first, second = Holder(), Holder()
    x = torch.as_tensor(rng.normal(size=(4, 2)).astype("float32"))
    first(x), second(x)
    first.save_weights(tmp_path / "m.weights.h5")
    second.load_weights(tmp_path / "m.weights.h5")
    torch.testing.assert_close(second(x), first(x))
    with h5py.File(tmp_path / "m.weights.h5") as file:
        assert "running_mean" in " ".join(file["layers/torch_module_wrapper/vars"])


def test_to_json_is_keras_json(rng):
    made = {}
    for name, k in PACKAGES.items():
        model = k.Sequential([k.Input((2,), name="i"), k.layers.Dense(3, name="d")], name="m")
        made[name] = json.loads(model.to_json())
    assert made["ours"]["config"]["layers"] == made["theirs"]["config"]["layers"]
    text = json.dumps(made["theirs"])
    assert [layer.name for layer in torchkeras_lite.models.model_from_json(text).layers] == ["d"]


def test_lambdas_go_both_ways_without_safe_mode(tmp_path):
    for writer, reader in (("theirs", "ours"), ("ours", "theirs")):
        k, other = PACKAGES[writer], PACKAGES[reader]
        path = tmp_path / f"{writer}.keras"
        model = k.Sequential([k.Input((2,)), k.layers.Lambda(lambda x: x * 3)])
        with pytest.warns(UserWarning, match="includes a `lambda`") if k is not keras else nullcontext():
            model.save(path)
        loaded = other.saving.load_model(path, safe_mode=False)
        np.testing.assert_array_equal(arrays(loaded(torch.ones(1, 2))), [[3, 3]])


def test_checkpoints_and_backups(tmp_path, rng):
    k = torchkeras_lite
    x, y = rng.normal(size=(8, 2)).astype("float32"), rng.normal(size=(8, 1)).astype("float32")

    def make():
        model = k.Sequential([k.Input((2,)), k.layers.Dense(1, kernel_initializer="ones")])
        model.compile(k.optimizers.Adam(0.1), "mse")
        return model

    class Stop(k.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    whole = make()
    checkpoint = k.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    weights = k.callbacks.ModelCheckpoint(
        tmp_path / "best.weights.h5", "loss", save_best_only=True, save_weights_only=True
    )
    expected = whole.fit(x, y, epochs=4, verbose=0, shuffle=False, callbacks=[checkpoint, weights]).history
    after_two = k.saving.load_model(tmp_path / "2.keras")
    history = after_two.fit(x, y, epochs=4, initial_epoch=2, verbose=0, shuffle=False).history
    np.testing.assert_allclose(history["loss"], expected["loss"][2:], rtol=1e-6)
    best = make()
    best.optimizer.build(best.trainable_variables)
    best.load_weights(tmp_path / "best.weights.h5")
    np.testing.assert_array_equal(best.get_weights()[0], whole.get_weights()[0])

    backup = k.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(KeyboardInterrupt):
        make().fit(x, y, epochs=4, verbose=0, shuffle=False, callbacks=[backup, Stop()])
    resumed = make()
    history = resumed.fit(x, y, epochs=4, verbose=0, shuffle=False, callbacks=[backup]).history
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-6)
    np.testing.assert_array_equal(resumed.get_weights()[0], whole.get_weights()[0])
