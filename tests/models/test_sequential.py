"""`Sequential`: add and pop, deferred build, shapes given to layers, what it refuses."""

import types

import keras
import numpy as np
import pytest
import torch
from torch import nn

import torchkeras_lite as tk
from torchkeras_lite import Input, Sequential
from torchkeras_lite.base import naming
from torchkeras_lite.layers import Dense, InputLayer
from torchkeras_lite.layers.core import Embedding

X = np.ones((5, 4), "float32")
OURS = types.SimpleNamespace(Sequential=Sequential, Input=Input, InputLayer=InputLayer, Dense=Dense)
KERAS = types.SimpleNamespace(
    Sequential=keras.Sequential,
    Input=keras.Input,
    InputLayer=keras.layers.InputLayer,
    Dense=keras.layers.Dense,
)


def state(model):
    names = [layer.name for layer in model.layers]
    return names, [(w.path, tuple(w.shape)) for w in model.weights], bool(model.built), len(model.layers)


def deferred(k):
    model = k.Sequential([k.Dense(3), k.Dense(2)])
    yield state(model)
    model(X)
    yield state(model)


def deferred_build(k):
    model = k.Sequential([k.Dense(3), k.Dense(2)])
    model.build((None, 4))
    yield state(model), model.input_shape, model.output_shape


def deferred_then_add(k):
    model = k.Sequential([k.Dense(3)])
    model(X)
    model.add(k.Dense(2))
    yield state(model)
    model(X)
    yield state(model)


def deferred_nested(k):
    model = k.Sequential([k.Sequential([k.Dense(3), k.Dense(2)]), k.Dense(2)])
    model(X)
    yield state(model), [state(layer) for layer in model.layers[:1]]


def add_and_pop(k):
    model = k.Sequential()
    yield state(model)
    model.add(k.Input((4,)))
    model.add(k.Dense(3, name="a"))
    yield state(model), model.output_shape
    model.add(k.Dense(2))
    model.pop()
    yield state(model), model.output_shape
    model.add(k.Dense(5))
    yield state(model), model.output_shape
    model.pop()
    model.pop()
    yield state(model)[0]


def input_layer(k):
    model = k.Sequential([k.InputLayer(shape=(4,), batch_size=2), k.Dense(3)], name="s", trainable=False)
    yield state(model), model.input_shape, model.trainable, len(model.trainable_weights)


def nested_names(k):
    inner = k.Sequential([k.Input((4,)), k.Dense(3)], name="inner")
    model = k.Sequential([inner, k.Dense(2)], name="outer")
    yield state(model), model.layers[0].path, model.layers[1].path
    outer = k.Sequential([k.Input((4,)), model, inner.__class__([k.Dense(1)], name="late")])
    yield state(outer)


@pytest.mark.parametrize(
    "story",
    [deferred, deferred_build, deferred_then_add, deferred_nested, add_and_pop, input_layer, nested_names],
    ids=lambda f: f.__name__,
)
def test_stories_go_as_in_keras(story):
    told = []
    for k in (OURS, KERAS):
        keras.utils.clear_session(free_memory=False)
        naming.reset_names()
        told.append(list(story(k)))
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (dict(input_shape=(4,)), (None, 4)),
        (dict(input_dim=4), (None, 4)),
        (dict(batch_input_shape=(6, 4)), (6, 4)),
        (dict(input_shape=(7, 4)), (None, 7, 4)),
        (dict(input_shape=(None, 4), batch_size=3), (3, None, 4)),
    ],
    ids=str,
)
def test_shapes_given_to_the_first_layer_build_the_model_and_warn(given, expected):
    with pytest.warns(UserWarning, match=r"Do not pass an `input_shape`/`input_dim`.*`Input\(shape\)`"):
        model = Sequential([Dense(2, **given), Dense(1)])
    assert model.built
    assert model.input_shape == expected
    assert model.output_shape == (*expected[:-1], 1)
    assert [layer.name for layer in model.layers] == ["dense", "dense_1"]


def test_a_deferred_model_takes_other_batch_sizes_and_dtypes():
    model = Sequential([Dense(2)])
    model(np.ones((5, 4), "int64"))
    half = model(np.full((3, 4), 0.5))
    assert half.dtype is torch.float32
    torch.testing.assert_close(half, 0.5 * model(np.ones((3, 4))))
    embedded = Sequential([Embedding(2**25 + 10, 1)]).to("meta")
    assert embedded(torch.zeros(2, 3, dtype=torch.int64, device="meta")).shape == (2, 3, 1)


def test_sequential_calls_what_it_holds():
    a, b = Dense(3, activation="relu"), Dense(2)
    model = Sequential([a, nn.Tanh(), b])
    torch.testing.assert_close(model(X), b(torch.tanh(a(X))))
    assert model.layers[0] is a
    assert [type(layer).__name__ for layer in model.layers] == ["Dense", "Tanh", "Dense"]
    assert model.pop() is b
    torch.testing.assert_close(model(X), torch.tanh(a(X)))


def test_a_layer_in_two_models_is_shared():
    shared = Dense(3)
    one = Sequential([Input((4,)), shared, Dense(2)])
    two = Sequential([Input((4,)), shared])
    two.set_weights([np.zeros((4, 3)), np.ones(3)])
    np.testing.assert_array_equal(one.get_weights()[1], np.ones(3))
    assert one.layers[0] is two.layers[0]


def test_mode_of_layers_added_late():
    model = Sequential([Input((4,)), Dense(3)]).train()
    model.add(nn.Dropout(0.5))
    assert all(module.training for module in model.modules())
    model.eval()
    assert not any(module.training for module in model.modules())


def test_config_round_trip():
    model = Sequential([Input((4,), name="i"), Dense(3, activation="relu"), Dense(2)], name="s")
    again = Sequential.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]
    late = Sequential([Dense(3)])
    assert not Sequential.from_config(late.get_config()).built
    late(X)
    assert Sequential.from_config(late.get_config()).built


def add(*layers):
    return lambda: Sequential(list(layers))


def built_otherwise(*first):
    def build():
        model = Sequential([*first, Dense(2)])
        model.build((None, 4))
        model.build((None, 7))

    return build


WRONG = [
    (add(Dense(2), 3), "Only instances of `keras.Layer`.*Received: 3"),
    (add(torch.relu), "Only instances of `keras.Layer`.*Received: <built-in"),
    (add(Dense(2, name="a"), Dense(2, name="a")), "unique names. Name 'a'.*Update the `name`"),
    (add(Input((3,)), Input((3,))), "already been configured to use input shape.*must come first"),
    (add(Dense(2), Input((3,))), "already been configured.*must come first"),
    (lambda: Sequential()(X), "cannot be built because it has no layers.*model.add"),
    (lambda: Sequential().pop(), "no layers to pop"),
    (lambda: Sequential([Dense(2)]).count_params(), "isn't built. Build it first"),
    (
        built_otherwise(Input((4,))),
        r"already been configured to use input shape \(None, 4\).*input_shape \(None, 7\)",
    ),
    (built_otherwise(), r"already been configured to use input shape \(None, 4\)"),
    (
        lambda: Sequential([Input((4,)), Dense(2)])(X[:, :3]),
        "expected shape=.*found shape=|axis -1 of input shape",
    ),
    (lambda: Sequential([Dense(2)])(np.ones(3)), "expected min_ndim=2, found ndim=1"),
]


@pytest.mark.parametrize(("wrong", "text"), WRONG, ids=[text[:25] for _, text in WRONG])
def test_wrong_calls_are_told(wrong, text):
    with pytest.raises(ValueError, match=text):
        wrong()


def test_a_pop_of_the_first_layer_and_a_new_one():
    model = Sequential([Dense(3)])
    model(X)
    model.pop()
    model.add(Dense(2, name="other"))
    assert model(torch.ones(2, 9)).shape == (2, 2)
    assert tk.Sequential(layers=[Dense(1)], name="n").name == "n"
