"""Order, names, paths and shapes of weights in custom and nested layers, as in the same Keras classes."""

import types

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite as tk
from torchkeras_lite.base import naming
from torchkeras_lite.layers import Dense

X = np.ones((2, 3), "float32")
OURS = types.SimpleNamespace(Layer=tk.Layer, Dense=Dense)
KERAS = types.SimpleNamespace(Layer=keras.Layer, Dense=keras.layers.Dense)


def chain(layers, x):
    for layer in layers:
        x = layer(x)
    return x


def mixed(k):
    class Mixed(k.Layer):
        def __init__(self):
            super().__init__()
            self.second = k.Dense(3)
            self.early = self.add_weight(shape=(2,), initializer="zeros", name="early")

        def build(self, input_shape):
            self.frozen = self.add_weight(shape=(1,), trainable=False, name="frozen")
            self.scale = self.add_weight(shape=(input_shape[-1],), name="scale")
            self.first = k.Dense(2)
            self.count = self.add_weight(
                shape=(), dtype="int32", initializer="zeros", trainable=False, name="n"
            )

        def call(self, x):
            return self.first(self.second(x * self.scale))

    return Mixed()


def unnamed(k):
    class Unnamed(k.Layer):
        def build(self, input_shape):
            self.a = self.add_weight(shape=(3, 2))
            self.b = self.add_weight(shape=(2,), initializer="ones")

        def call(self, x):
            return x

    return Unnamed()


def containers(k):
    class Containers(k.Layer):
        def __init__(self):
            super().__init__()
            self.grown = []
            self.pair = (k.Dense(2), k.Dense(2))
            self.named = {"b": k.Dense(2), "a": k.Dense(2)}
            for _ in range(2):
                self.grown.append(k.Dense(2))
            self.nested = [[k.Dense(2)], {"q": [k.Dense(2)]}]

        def build(self, input_shape):
            self.grown.append(k.Dense(2))
            self.named["c"] = k.Dense(2)
            self.late = [k.Dense(2)]

        def call(self, x):
            nested = [self.nested[0][0], self.nested[1]["q"][0]]
            return chain([*self.late, *self.grown, *self.pair, *self.named.values(), *nested], x)

    return Containers()


def zipped(k):
    """Two lists that grow side by side, as in most residual networks."""

    class Zipped(k.Layer):
        def __init__(self):
            super().__init__()
            self.head = k.Dense(5)
            self.wide, self.narrow = [], []
            for size in (4, 3):
                self.wide.append(k.Dense(size))
                self.narrow.append(k.Dense(size - 1))
            self.tail = k.Dense(7)

        def call(self, x):
            x = self.head(x)
            for pair in zip(self.wide, self.narrow, strict=True):
                x = chain(pair, x)
            return self.tail(x)

    return Zipped()


def changed(k):
    class Changed(k.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [k.Dense(2), k.Dense(3)]
            self.gone = [k.Dense(8)]

        def call(self, x):
            return chain(self.parts, x)

    layer = Changed()
    layer.parts += [k.Dense(4)]
    layer.parts.insert(0, k.Dense(5))
    layer.parts.pop(1)
    layer.gone = None
    return layer


def shared(k):
    inner = k.Dense(3)

    class Shared(k.Layer):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.listed = inner, inner, [inner, inner]

        def call(self, x):
            return self.one(self.two(x))

    return Shared()


def deep(k):
    class Block(k.Layer):
        def __init__(self, units):
            super().__init__()
            self.blocks = [mixed(k), k.Dense(units)]

        def call(self, x):
            return chain(self.blocks, x)

    class Deep(k.Layer):
        def __init__(self):
            super().__init__()
            self.b = Block(3)
            self.a = Block(2)

        def build(self, input_shape):
            self.w = self.add_weight(shape=(1,), name="w")

        def call(self, x):
            return self.a(self.b(x)) * self.w

    return Deep()


def builds_inner(k):
    class BuildsInner(k.Layer):
        def __init__(self):
            super().__init__()
            self.inner = k.Dense(3)

        def build(self, input_shape):
            self.inner.build(input_shape)
            self.w = self.add_weight(shape=(3,), name="w")

        def call(self, x):
            return self.inner(x) * self.w

    return BuildsInner()


MADE = [mixed, unnamed, containers, zipped, changed, shared, deep, builds_inner]


def facts(layer):
    def of(weights):
        return [(w.name, w.path, tuple(w.shape), w.dtype, w.trainable) for w in weights]

    lists = (layer.weights, layer.trainable_weights, layer.non_trainable_weights)
    return [of(each) for each in lists], layer.count_params(), [np.shape(w) for w in layer.get_weights()]


@pytest.mark.filterwarnings("ignore:.*build.*was called on layer")
@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("make", MADE, ids=lambda f: f.__name__)
def test_weights_are_keras_s(make, symbolic):
    found = []
    for k, x in ((OURS, tk.Input((3,))), (KERAS, keras.Input((3,)))):
        keras.utils.clear_session(free_memory=False)
        naming.reset_names()
        layer = make(k)
        layer(x if symbolic else X)
        states = [facts(layer)]
        layer.trainable = False
        states.append(facts(layer))
        layer.trainable = True
        states.append(facts(layer))
        found.append(states)
    assert found[0] == found[1]


@pytest.mark.parametrize("make", MADE, ids=lambda f: f.__name__)
def test_weights_go_out_and_in(make):
    layer = make(OURS)
    layer(X)
    assert layer.variables == layer.weights
    assert layer.trainable_variables == layer.trainable_weights
    assert layer.non_trainable_variables == layer.non_trainable_weights
    values = [np.full(w.shape, number, w.dtype) for number, w in enumerate(layer.weights)]
    layer.set_weights(values)
    for value, read, weight in zip(values, layer.get_weights(), layer.weights, strict=True):
        np.testing.assert_array_equal(read, value)
        np.testing.assert_array_equal(weight.numpy(), value)
    parameters = {id(p) for p in [*layer.parameters(), *layer.buffers()]}
    assert parameters == {id(w.tensor) for w in layer.weights}
    assert sorted(layer.state_dict()) == sorted({key: 0 for key in layer.state_dict()})


def test_containers_do_not_hide_attributes_of_like_names():
    class Clash(tk.Layer):
        def __init__(self):
            super().__init__()
            self.block = [Dense(1), Dense(2)]
            self.block_0 = Dense(3)
            self.block_1 = 5

        def call(self, x):
            return chain([*self.block, self.block_0], x)

    layer = Clash()
    layer(X)
    assert layer.block_0.units == 3
    assert layer.block_1 == 5
    assert layer.count_params() == sum(np.size(w) for w in layer.get_weights()) == 4 + 4 + 9


def test_two_orders_of_add_weight_and_all_its_arguments():
    class Many(tk.Layer):
        def build(self, input_shape):
            self.a = self.add_weight("a", (3, 2), "float64", "ones")
            self.b = self.add_weight((3, 2), "ones", "float64", name="b")
            self.c = self.add_weight(None, (2,), name=None, regularizer="l2", constraint="non_neg")
            self.d = self.add_weight(shape=3, initializer=lambda shape, dtype: torch.full(shape, 7.0))
            self.e = self.add_weight(
                shape=[2], dtype="int32", trainable=True, aggregation="mean", autocast=False
            )
            self.f = self.add_weight()

        def call(self, x):
            return x

    layer = Many(dtype="float32")
    layer(X)
    assert (layer.a.dtype, layer.b.dtype) == ("float64", "float64") or layer.a.dtype is torch.float64
    np.testing.assert_array_equal(layer.a.numpy(), layer.b.numpy())
    assert [type(part).__name__ for part in (layer.c.regularizer, layer.c.constraint)] == ["L2", "NonNeg"]
    assert layer.d.numpy().tolist() == [7, 7, 7]
    assert not layer.e.trainable
    assert layer.e.numpy().dtype == np.int32
    assert tuple(layer.f.shape) == ()
    assert list(layer.state_dict()) == ["a", "b", "c", "d", "f", "e"]
    with pytest.raises(ValueError, match=r"the shape \(None, 2\) of a weight has unknown sizes"):
        layer.add_weight((None, 2))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([np.ones((3, 2))], "weight list of length 1, but the layer was expecting 2 weights"),
        (
            [np.ones((2, 3)), np.ones(2)],
            r"weight shape \(3, 2\) is not compatible with .* \(2, 3\).*'dense/kernel'",
        ),
        (
            [np.ones((3, 2)), np.ones(3)],
            r"weight shape \(2,\) is not compatible with .* \(3,\).*'dense/bias'",
        ),
    ],
)
def test_set_weights_changes_all_or_nothing(values, text):
    layer = Dense(2)
    layer(X)
    before = layer.get_weights()
    with pytest.raises(ValueError, match=text):
        layer.set_weights(values)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_trainable_is_recursive_and_agrees_with_requires_grad():
    layer = deep(OURS)
    layer(X)
    trained = [w.path for w in layer.trainable_weights]
    layer.b.trainable = False
    assert layer.trainable
    assert not layer.b.blocks[0].trainable
    assert all(not p.requires_grad for p in layer.b.parameters())
    left = ["deep/w", *(path for path in trained if "/block_1/" in path or path == "mixed_1/early")]
    assert [w.path for w in layer.trainable_weights] == left
    layer.requires_grad_(False)
    assert not layer.trainable
    assert not layer.a.trainable
    assert layer.trainable_weights == []
    layer.requires_grad_(True)
    assert layer.trainable
    assert [w.path for w in layer.trainable_weights] == trained
    inner = layer.a.blocks[1]
    for parameter in inner.parameters():
        parameter.requires_grad_(False)
    frozen = {w.path for w in inner.weights}
    assert [w.path for w in layer.trainable_weights] == [path for path in trained if path not in frozen]


@pytest.mark.parametrize("late", [False, True])
def test_trainable_false_holds_for_weights_made_later(late):
    layer = Dense(2, trainable=late)
    layer.trainable = False
    layer(X)
    assert layer.trainable_weights == []
    assert not any(p.requires_grad for p in layer.parameters())
    layer.trainable = True
    assert len(layer.trainable_weights) == 2


def test_one_frozen_weight_keeps_its_place():
    layer = unnamed(OURS)
    layer(X)
    layer.a.trainable = False
    assert [w.path for w in layer.weights] == ["unnamed/variable", "unnamed/variable_1"]
    assert [w.path for w in layer.trainable_weights] == ["unnamed/variable_1"]
    layer.trainable = True
    assert len(layer.trainable_weights) == 2


def test_attributes_that_are_none_until_build_become_weights():
    class Late(tk.Layer):
        def __init__(self):
            super().__init__()
            self.kernel = self.count = None

        def build(self, input_shape):
            self.kernel = self.add_weight((2,), name="kernel")
            self.count = self.add_weight((), "zeros", trainable=False, name="count")

    layer = Late()
    layer.build((None, 2))
    assert [w.path for w in layer.weights] == ["late/kernel", "late/count"]
    assert list(layer.state_dict()) == ["kernel", "count"]
