"""Layers that hold layers: in their arguments, in containers, made in calls; real Keras as the oracle."""

import re

import keras
import numpy as np
import pytest

import torchkeras_lite

PACKAGES = {"theirs": keras, "ours": torchkeras_lite}
BOTH = pytest.mark.parametrize("package", PACKAGES)
X = np.ones((2, 4), "float32")


def classes(k):
    """Return classes of a user's own, written for the package `k`."""

    class Reads(k.layers.Layer):
        """Gets what its `get_config` wrote."""

        def __init__(self, inner, **kwargs):
            super().__init__(**kwargs)
            self.inner = inner

        def call(self, x):
            return self.inner(x)

        def get_config(self):
            return {**super().get_config(), "inner": self.inner}

    class Data(k.layers.Layer):
        """Keeps a config as data and makes a layer of it."""

        def __init__(self, spec, **kwargs):
            super().__init__(**kwargs)
            self.spec = spec
            self.inner = k.layers.Dense.from_config(dict(spec["config"]))

        def call(self, x):
            return self.inner(x)

        def get_config(self):
            return {**super().get_config(), "spec": dict(self.spec)}

    class Around(k.layers.Wrapper):
        """Adds an argument to those of a public layer."""

        def __init__(self, layer, scale=2, **kwargs):
            super().__init__(layer, **kwargs)
            self.scale = scale

        def call(self, x):
            return self.layer(x) * self.scale

        def get_config(self):
            return {**super().get_config(), "scale": self.scale}

    class Factor:
        def __init__(self, factor):
            self.factor = factor

        def __call__(self, x):
            return x * self.factor

        def get_config(self):
            return {"factor": self.factor}

    class Circle(k.Model):
        """Has lists that contain themselves."""

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.blocks = [k.layers.Dense(3)]
            self.blocks.append(self.blocks)
            self.out = k.layers.Dense(2)

        def call(self, x):
            return self.out(self.blocks[0](x))

    return {kind.__name__: kind for kind in (Reads, Data, Around, Factor, Circle)}


def saved(k, layer, path):
    k.Sequential([k.Input((4,)), layer]).save(path)
    return path


@BOTH
@pytest.mark.parametrize("name", ["Data", "Around"])
def test_what_a_class_writes_is_what_it_gets(name, package, tmp_path):
    k, path = PACKAGES[package], tmp_path / "m.keras"
    known = classes(k)
    argument = k.layers.serialize(k.layers.Dense(3)) if name == "Data" else k.layers.Dense(3)
    model = k.Sequential([k.Input((4,)), known[name](argument)])
    model.save(path)
    again = k.saving.load_model(path, custom_objects=known)
    np.testing.assert_allclose(again.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)


@BOTH
def test_a_layer_in_a_config_of_ones_own_must_be_read_there(package, tmp_path):
    k = PACKAGES[package]
    known = classes(k)
    path = saved(k, known["Reads"](k.layers.Dense(3)), tmp_path / "m.keras")
    with pytest.raises(TypeError, match="are explicitly deserialized"):
        k.saving.load_model(path, custom_objects=known)


@BOTH
def test_a_class_without_from_config_is_refused(package, tmp_path):
    k = PACKAGES[package]
    known = classes(k)
    path = saved(k, k.layers.Dense(3, activation=known["Factor"](0.5)), tmp_path / "m.keras")
    with pytest.raises(TypeError, match="Unable to reconstruct an instance of 'Factor'"):
        k.saving.load_model(path, custom_objects=known)


@pytest.mark.parametrize("ending", [".keras", ".safetensors", ".weights.h5"])
def test_lists_that_contain_themselves(ending, tmp_path):
    kind = classes(torchkeras_lite)["Circle"]
    model = kind()
    model.compile("sgd", "mse")
    model.fit(X, X[:, :2], verbose=0)
    path = tmp_path / f"m{ending}"
    if ending == ".weights.h5":
        model.save_weights(path)
        again = kind()
        again(X)
        again.load_weights(path)
        theirs = classes(keras)["Circle"]()
        theirs(X)
        theirs.load_weights(path)
        np.testing.assert_allclose(theirs.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)
    else:
        model.save(path)
        again = torchkeras_lite.saving.load_model(path, custom_objects={"Circle": kind})
    np.testing.assert_allclose(again.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)


def test_a_config_that_contains_itself_is_named(tmp_path):
    class Holds(torchkeras_lite.layers.Layer):
        def get_config(self):
            circle = []
            circle.append(circle)
            return {**super().get_config(), "circle": circle}

        def call(self, x):
            return x

    with pytest.raises(ValueError, match=r"config of Sequential '.*' cannot be written: .* contains itself"):
        saved(torchkeras_lite, Holds(), tmp_path / "m.keras")


class Scaled(torchkeras_lite.Model):
    """A model with arguments and no `get_config`, which Keras refuses to save."""

    def __init__(self, units, scale=1.0, inner=None, **kwargs):
        super().__init__(**kwargs)
        self.dense = torchkeras_lite.layers.Dense(units)
        self.scale = scale
        self.inner = inner

    def call(self, x):
        return (x if self.inner is None else self.inner(x)) * 0 + self.scale * self.dense(x)[:, :1]


class Wide(torchkeras_lite.Model):
    """A graph that is made from arguments."""

    def __init__(self, units=3, **kwargs):
        inputs = torchkeras_lite.Input((4,))
        super().__init__(inputs, torchkeras_lite.layers.Dense(units)(inputs), **kwargs)


MADE = {
    "arguments": lambda: Scaled(3, scale=2.0),
    "a layer": lambda: Scaled(3, inner=torchkeras_lite.layers.Dense(4)),
    "a graph": lambda: Wide(5),
}


@pytest.mark.parametrize("what", MADE)
def test_models_with_arguments_come_back(what, tmp_path):
    model = MADE[what]()
    model(X)
    model.save(tmp_path / "m.keras")
    again = torchkeras_lite.saving.load_model(
        tmp_path / "m.keras", custom_objects={type(model).__name__: type(model)}
    )
    assert type(again) is type(model)
    np.testing.assert_allclose(again.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)


def test_a_model_s_argument_that_cannot_be_written_is_named_when_it_is_saved(tmp_path):
    model = Scaled(3, scale=object())
    model.built = True
    with pytest.raises(
        TypeError, match=r"Scaled 'scaled.*': the constructor argument `scale` cannot be written"
    ):
        model.save(tmp_path / "m.keras")
    assert not (tmp_path / "m.keras").exists()


def stack_of_known_input(k):
    return k.Sequential([k.Input((4,)), k.layers.Dense(3)])


@torchkeras_lite.saving.register_keras_serializable("partly_built")
class PartlyBuilt(torchkeras_lite.Model):
    """A subclass of which one part knows its input."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = stack_of_known_input(torchkeras_lite)
        self.last = torchkeras_lite.layers.Dense(2)

    def call(self, inputs):
        return self.last(self.first(inputs))


@pytest.mark.parametrize("built", ["nothing", "a part"])
def test_an_h5_file_of_a_subclass_says_how_to_read_it(built, tmp_path):
    model = PartlyBuilt() if built == "a part" else classes(torchkeras_lite)["Circle"]()
    model(X)
    model.save(tmp_path / "m.h5")
    with pytest.raises(ValueError, match=r"has no weights to load into, or not all.*or save it as `\.keras`"):
        torchkeras_lite.saving.load_model(tmp_path / "m.h5", classes(torchkeras_lite), compile=False)


@pytest.mark.parametrize("ending", ["h5", "safetensors"])
def test_vocabularies_that_a_format_has_no_place_for_are_told(ending, tmp_path, recwarn):
    k = torchkeras_lite
    adapted = k.layers.TextVectorization(name="learned")
    adapted.adapt(["a b", "b c"])
    given = k.layers.StringLookup(vocabulary=["a", "b"], name="given")
    for layer in (given, adapted):
        k.Sequential([k.Input((), dtype="string"), layer]).save(tmp_path / f"m.{ending}")
    told = [str(warning.message) for warning in recwarn if "is not saved" in str(warning.message)]
    assert len(told) == 1
    assert re.search(r"what TextVectorization 'learned' learned is not saved.*`\.keras`", told[0])


def in_calls(k):
    """Return layers that make state in calls."""

    class Weight(k.layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(shape=(4,))

        def call(self, x):
            self.other = self.add_weight(shape=(4,))
            return x * self.scale

    class Layer(k.layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = k.layers.Dense(4)

        def call(self, x):
            self.again = k.layers.Dense(4)
            return self.again(self.dense(x))

    class Known(k.layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = k.layers.Dense(4)

        def call(self, x):
            self.last = self.dense
            return self.last(x)

    class First(k.Model):
        def __init__(self):
            super().__init__()
            self.before = k.layers.Dense(4, use_bias=False)

        def call(self, x):
            if not hasattr(self, "dense"):
                self.dense = k.layers.Dense(4, use_bias=False)
            return self.dense(self.before(x))

    return {"weight": Weight, "layer": Layer, "known": Known, "first call of a model": First}


@BOTH
@pytest.mark.parametrize("what", ["weight", "layer", "known", "first call of a model"])
def test_state_that_is_made_in_calls(what, package):
    layer = in_calls(PACKAGES[package])[what]()
    if what in ("weight", "layer"):
        with pytest.raises(
            ValueError, match=re.escape("cannot add new elements of state (variables or sub-")
        ):
            layer(X)
    else:
        layer(X)
        layer(X)
        assert len(layer.weights) == 2
