"""`_flatten_layers`, which packages made for Keras walk: the order of Keras."""

import keras
import pytest
import torch

import torchkeras_lite


def graph(k, name):
    inputs = k.Input((3,), name=f"{name}_in")
    x = k.layers.Dense(3, name=f"{name}_1")(inputs)
    return k.Model(inputs, k.layers.Dense(3, name=f"{name}_2")(x), name=name)


def nested_graphs(k):
    inputs = k.Input((3,), name="in")
    x = graph(k, "b")(graph(k, "a")(inputs)) + 1.0
    return k.Model(inputs, k.layers.Dense(2, name="out")(x), name="model")


def sequential_with_graph(k):
    layers = [k.Input((3,), name="in"), graph(k, "a"), k.layers.Dense(2, name="out")]
    return k.Sequential(layers, name="model")


def unbuilt(k):
    return k.Sequential([k.layers.Dense(2, name="a"), k.layers.Dense(2, name="b")], name="model")


def shared(k):
    inputs, dense = k.Input((3,), name="in"), k.layers.Dense(3, name="dense")
    return k.Model(inputs, dense(dense(inputs)), name="model")


def recurrent(k):
    cells = [k.layers.LSTMCell(2, name="a"), k.layers.GRUCell(2, name="b")]
    return k.layers.RNN(k.layers.StackedRNNCells(cells, name="cells"), name="rnn")


def wrapped(k):
    return k.layers.Bidirectional(k.layers.LSTM(3, name="lstm"), name="both")


def beside_the_graph(k):
    class Task(k.Model):
        def __init__(self, backbone):
            decoder = k.layers.Dense(2, name="decoder")
            super().__init__(backbone.input, decoder(backbone.output), name="task")
            self.backbone, self.decoder = backbone, decoder
            self.spare = k.layers.Dense(1, name="spare")

    return Task(graph(k, "backbone"))


def subclass(k):
    class Own(k.Model):
        def __init__(self):
            super().__init__(name="own")
            self.z = k.layers.Dense(1, name="z")
            self.blocks = [unbuilt(k), k.layers.Dense(1, name="q")]
            self.by_name = {"k": k.layers.Dense(1, name="k")}
            self.a = self.z
            self.blocks.append(k.layers.Dense(1, name="late"))

        def call(self, x):
            return x

    return Own()


MODELS = [
    nested_graphs,
    sequential_with_graph,
    unbuilt,
    shared,
    recurrent,
    wrapped,
    beside_the_graph,
    subclass,
]


def names(layers):
    return [layer.name for layer in layers]


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("recursive", [True, False], ids=["all", "direct"])
def test_order_is_keras_s(make, recursive):
    ours, theirs = make(torchkeras_lite), make(keras)
    for include_self in (True, False):
        found = names(ours._flatten_layers(include_self, recursive))
        assert found == names(theirs._flatten_layers(include_self, recursive))


def test_plain_torch_modules_are_looked_through():
    model = torchkeras_lite.Sequential([torch.nn.Sequential(torchkeras_lite.layers.Dense(2, name="inner"))])
    assert names(model._flatten_layers(include_self=False)) == ["inner"]
