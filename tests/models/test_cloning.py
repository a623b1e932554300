"""`clone_model` against real Keras."""

import keras as real_keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from torchkeras_lite import layers

PACKAGES = {"ours": torchkeras_lite, "theirs": real_keras}


def graph(k):
    a, b = k.Input((2,), name="a"), k.Input((2,), name="b")
    shared = k.layers.Dense(3, name="shared")
    x = k.layers.Concatenate(name="join")([shared(a), shared(b)])
    inner = k.Sequential([k.Input((6,)), k.layers.Dense(4, name="inner")], name="stack")
    return k.Model({"a": a, "b": b}, {"out": k.layers.Dense(1, name="last")(inner(x))}, name="graph")


def masked(k):
    i = k.Input((5,), dtype="int32", name="tokens")
    x = k.layers.Embedding(7, 3, mask_zero=True)(i)
    return k.Model(i, k.layers.Dense(1)(k.layers.LSTM(4)(x)))


def stack(k):
    return k.Sequential(
        [k.Input((2,), name="i"), k.layers.Dense(3, name="d"), k.layers.Dropout(0.5)], name="s"
    )


def described(model):
    return model.name, [(layer.name, type(layer).__name__) for layer in model.layers], len(model.weights)


@pytest.mark.parametrize("make", [graph, masked, stack])
@pytest.mark.parametrize("recursive", [False, True])
def test_clones_are_keras_clones(make, recursive):
    found = {}
    for name, k in PACKAGES.items():
        k.utils.clear_session(free_memory=False)
        model = make(k)
        model.compile("sgd", "mse")
        clone = k.models.clone_model(model, recursive=recursive)
        assert clone.compiled
        assert not {id(w) for w in clone.weights} & {id(w) for w in model.weights}
        clone.set_weights(model.get_weights())
        found[name] = described(clone)
    assert found["ours"] == found["theirs"]


def test_a_masked_clone_computes_the_same():
    model = masked(torchkeras_lite)
    clone = torchkeras_lite.models.clone_model(model)
    clone.set_weights(model.get_weights())
    x = torch.tensor([[1, 2, 0, 0, 0], [3, 0, 0, 0, 0]])
    torch.testing.assert_close(clone(x), model(x))


def test_functions_for_layers_and_calls():
    k = torchkeras_lite
    model = graph(k)
    wider = k.models.clone_model(
        model,
        clone_function=lambda layer: layer,
        call_function=lambda layer, *args, **kwargs: layer(*args, **kwargs),
    )
    assert wider.get_layer("shared") is model.get_layer("shared")

    def add_dropout(layer, *args, **kwargs):
        outputs = layer(*args, **kwargs)
        return layers.Dropout(0.5)(outputs) if layer.name == "last" else outputs

    longer = k.models.clone_model(model, call_function=add_dropout)
    assert sum(isinstance(layer, layers.Dropout) for layer in longer.layers) == 1
    inputs = {"a": k.Input((2,), batch_size=7), "b": k.Input((2,), batch_size=7)}
    assert k.models.clone_model(model, input_tensors=inputs).outputs[0].shape == (7, 1)


def tripled(x):
    return x * 3


def lost(y_true, y_pred):
    return (y_true - y_pred) ** 2


def ones(shape, dtype=None):
    return torch.ones(tuple(shape))


FUNCTIONS = {
    "lambda": lambda factor: layers.Lambda(lambda x: x * factor),
    "function": lambda factor: layers.Lambda(tripled),
    "activation": lambda factor: layers.Dense(2, activation=tripled),
    "initializer": lambda factor: layers.Dense(2, kernel_initializer=ones),
    "inside": lambda factor: layers.TimeDistributed(layers.Dense(2, activation=tripled)),
}


@pytest.mark.parametrize("what", FUNCTIONS)
@pytest.mark.parametrize("graph", [False, True], ids=["stack", "graph"])
def test_functions_of_the_user_s_are_cloned_where_keras_needs_them_registered(graph, what):
    inputs = torchkeras_lite.Input((3, 4))
    layer = FUNCTIONS[what](2.0)
    k = torchkeras_lite
    model = k.Model(inputs, layer(inputs)) if graph else k.Sequential([inputs, layer])
    model.compile("sgd", lost)
    clone = torchkeras_lite.models.clone_model(model)
    clone.set_weights(model.get_weights())
    assert clone.layers[-1] is not layer
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    np.testing.assert_array_equal(clone.predict(x, verbose=0), model.predict(x, verbose=0))


def test_refusals():
    k = torchkeras_lite

    class Own(k.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="`call_function` argument is not supported with Sequential"):
        k.models.clone_model(stack(k), call_function=print)
    with pytest.raises(ValueError, match="Argument `clone_function` is only supported"):
        k.models.clone_model(Own(), clone_function=print)
    with pytest.raises(ValueError, match="must have the same structure"):
        k.models.clone_model(graph(k), input_tensors=[k.Input((2,))])
    with pytest.raises(ValueError, match="must be KerasTensors"):
        k.models.clone_model(graph(k), input_tensors={"a": np.ones(2), "b": np.ones(2)})
    assert type(k.models.clone_model(Own())) is Own
