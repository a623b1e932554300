"""Configs: automatic from the constructor's arguments, overridden, inherited."""

import keras
import pytest

import torchkeras_lite as tk
from torchkeras_lite import Layer
from torchkeras_lite.layers import Dense

POLICY = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "float32"},
    "registered_name": None,
}


class Automatic(Layer):
    def __init__(self, units, act="relu", inner=None, sizes=(1, 2), **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.act = act
        self.inner = inner
        self.sizes = sizes

    def call(self, inputs):
        return inputs


class NotKept(Layer):
    """Keeps its argument under no name, and calls the instance something else."""

    def __init__(this, units, **kwargs):
        super().__init__(**kwargs)
        this.doubled = 2 * units

    def call(self, inputs):
        return inputs


class Overridden(Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.count = units

    def call(self, inputs):
        return inputs

    def get_config(self):
        return {**super().get_config(), "units": self.count}


class Scaled(Dense):
    """A public layer with one argument more."""

    def __init__(self, units, scale=1.0, **kwargs):
        super().__init__(units, **kwargs)
        self.scale = scale

    def get_config(self):
        config = super().get_config()
        config["scale"] = self.scale
        return config


class Quiet(Dense):
    """The same, without a `get_config`."""

    def __init__(self, units, scale=1.0, **kwargs):
        super().__init__(units, **kwargs)
        self.scale = scale


class Fixed(Dense):
    """Passes an argument on under its own decision."""

    def __init__(self, scale=1.0, **kwargs):
        super().__init__(5, use_bias=False, **kwargs)
        self.scale = scale

    def get_config(self):
        config = Layer.get_config(self)
        return {key: config[key] for key in ("name", "trainable", "dtype", "activation") if key in config} | {
            "scale": self.scale
        }


def test_automatic_config_holds_the_arguments():
    layer = Automatic(3, act="tanh", name="n", trainable=False, dtype="float32")
    config = layer.get_config()
    assert config == {
        "name": "n",
        "trainable": False,
        "dtype": POLICY,
        "units": 3,
        "act": "tanh",
        "inner": None,
        "sizes": (1, 2),
    }
    again = Automatic.from_config(config)
    assert again.get_config() == config
    assert (again.name, again.trainable, again.units, again.sizes) == ("n", False, 3, (1, 2))


CASES = [
    (Automatic(3), {"units": 3, "act": "relu"}),
    (Automatic(3, inner=Dense(4, activation="relu")), {"units": 3}),
    (NotKept(3), {"units": 3}),
    (Overridden(3), {"units": 3}),
    (
        Scaled(3, 0.5, activation="relu", kernel_regularizer="l2"),
        {"units": 3, "scale": 0.5, "activation": "relu"},
    ),
    (Quiet(3, 0.5, activation="relu", use_bias=False), {"units": 3, "activation": "relu", "use_bias": False}),
    (Fixed(0.5, activation="relu", name="f"), {"scale": 0.5, "name": "f"}),
    (Dense(3, input_shape=(4,)), {"units": 3}),
    (Dense(3, activity_regularizer="l2", dtype="mixed_bfloat16"), {"units": 3}),
]


@pytest.mark.parametrize(("layer", "expected"), CASES, ids=lambda c: type(c).__name__)
def test_config_makes_an_equal_layer(layer, expected):
    config = layer.get_config()
    assert {key: config[key] for key in expected} == expected
    again = type(layer).from_config(config)
    assert type(again) is type(layer)
    assert again.get_config() == config
    assert again is not layer


def test_config_of_a_subclass_of_a_public_layer_is_keras_s():
    class KerasScaled(keras.layers.Dense):
        def __init__(self, units, scale=1.0, **kwargs):
            super().__init__(units, **kwargs)
            self.scale = scale

        def get_config(self):
            config = super().get_config()
            config["scale"] = self.scale
            return config

    arguments = dict(activation="relu", kernel_regularizer="l2", name="d")
    ours, theirs = Scaled(3, 0.5, **arguments).get_config(), KerasScaled(3, 0.5, **arguments).get_config()
    assert ours.keys() == theirs.keys()
    plain = ("name", "units", "activation", "use_bias", "trainable", "scale", "kernel_constraint")
    assert {key: ours[key] for key in plain} == {key: theirs[key] for key in plain}


def test_config_of_an_inner_layer_is_made_again():
    again = Automatic.from_config(Automatic(3, inner=Dense(4, activation="relu", name="x")).get_config())
    assert (type(again.inner), again.inner.units, again.inner.name) == (Dense, 4, "x")
    assert again.inner.activation is tk.activations.relu


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Automatic(object()), "argument `units` cannot be written to a config.*Override `get_config"),
        (Automatic(3, act=lambda x: x), "argument `act` cannot be written to a config"),
    ],
    ids=["object", "lambda"],
)
def test_what_cannot_be_written_is_named(layer, text):
    with pytest.raises(TypeError, match=text):
        layer.get_config()


def test_trainable_and_dtype_come_back():
    config = Dense(3, trainable=False, dtype="mixed_bfloat16").get_config()
    assert config["dtype"]["config"] == {"name": "mixed_bfloat16"}
    layer = Dense.from_config(config)
    assert (layer.trainable, layer.compute_dtype, layer.variable_dtype) == (False, "bfloat16", "float32")
