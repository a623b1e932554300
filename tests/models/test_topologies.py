"""Graphs of many forms: order and names of layers, weights and counts are those of the same Keras graph."""

import types

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite as tk
from oracle import copy_weights
from torchkeras_lite.base import naming, nested
from torchkeras_lite.layers import Dense
from torchkeras_lite.layers.merging import Add, Concatenate, Subtract

OURS = types.SimpleNamespace(
    Input=tk.Input,
    Model=tk.Model,
    Sequential=tk.Sequential,
    Layer=tk.Layer,
    Dense=Dense,
    Add=Add,
    Cat=Concatenate,
    Sub=Subtract,
)
KERAS = types.SimpleNamespace(
    Input=keras.Input,
    Model=keras.Model,
    Sequential=keras.Sequential,
    Layer=keras.Layer,
    Dense=keras.layers.Dense,
    Add=keras.layers.Add,
    Cat=keras.layers.Concatenate,
    Sub=keras.layers.Subtract,
)


def diamond(k):
    i = k.Input((4,), name="inp")
    a = k.Dense(3, name="a")(i)
    return k.Model(i, k.Add()([k.Dense(5, name="b")(a), k.Dense(5, name="c")(a)]))


def multi_input(k):
    x, y = k.Input((4,)), k.Input((2,))
    return k.Model([x, y], k.Dense(1)(k.Cat()([k.Dense(3)(x), k.Dense(3)(k.Dense(3)(y))])))


def multi_input_swapped(k):
    x, y = k.Input((4,)), k.Input((2,))
    return k.Model([y, x], k.Dense(1)(k.Cat()([k.Dense(3)(x), k.Dense(3)(k.Dense(3)(y))])))


def multi_output(k):
    x = k.Input((4,))
    h = k.Dense(3)(x)
    return k.Model(x, [k.Dense(1)(h), k.Dense(2)(h), h])


def dict_output(k):
    x = k.Input((4,))
    h = k.Dense(3)(x)
    return k.Model(x, {"z": k.Dense(1)(h), "b": k.Dense(2)(h)})


def nested_output(k):
    x = k.Input((4,))
    h = k.Dense(3)(x)
    return k.Model(x, (h, [k.Dense(2)(h), {"q": h}]))


def dict_input(k):
    i = {"z": k.Input((4,), name="z"), "a": k.Input((3,), name="a")}
    return k.Model(i, k.Cat()([k.Dense(2)(i["z"]), k.Dense(2)(i["a"])]))


def nested_input(k):
    a, b, c = (k.Input((4,), name=name) for name in "abc")
    return k.Model([a, {"b": b, "c": c}], [k.Dense(2)(a), b + c])


def lists_of_one(k):
    x = k.Input((4,))
    return k.Model([x], [k.Dense(2)(x)])


def dict_of_one(k):
    x = k.Input((4,))
    return k.Model(x, {"a": k.Dense(2)(x)})


def siamese(k):
    x, y, shared = k.Input((4,)), k.Input((4,)), k.Dense(3)
    return k.Model([x, y], k.Sub()([shared(x), shared(y)]))


def residual(k):
    x = i = k.Input((4,))
    for _ in range(3):
        x = k.Add()([x, k.Dense(4)(k.Dense(4)(x))])
    return k.Model(i, x)


def inner_model(k):
    i = k.Input((4,))
    return k.Model(i, k.Dense(3)(i))


def nested_models(k):
    stack = k.Sequential([k.Input((3,)), k.Dense(2), k.Dense(5)])
    i = k.Input((4,))
    return k.Model(i, stack(inner_model(k)(i)))


def nested_shared(k):
    inner, x, y = inner_model(k), k.Input((4,)), k.Input((4,))
    return k.Model([x, y], k.Cat()([inner(x), inner(y)]))


def nested_deep(k):
    middle = k.Sequential([inner_model(k), k.Dense(2)], name="middle")
    i = k.Input((4,))
    return k.Model(i, k.Dense(1)(middle(i)))


def shared_at_two_depths(k):
    i, shared = k.Input((4,)), k.Dense(4, name="shared")
    a = shared(i)
    c = shared(k.Dense(4, name="p")(a))
    return k.Model(i, k.Cat()([c, k.Dense(4, name="q")(a), k.Dense(4, name="r")(i), a]))


def long_and_short(k):
    x, y = k.Input((4,)), k.Input((4,))
    return k.Model([x, y], [k.Dense(4)(x), k.Add()([k.Dense(4)(k.Dense(4)(y)), k.Dense(4)(x)])])


def unused_input(k):
    x, y = k.Input((4,), name="x"), k.Input((3,), name="y")
    return k.Model([x, y], k.Dense(2)(x))


def branches(k):
    i = k.Input((4,))
    made = [k.Dense(2, name=f"b{number}")(i) for number in (3, 1, 2)]
    return k.Model(i, k.Cat()(made[::-1]))


def passes_input(k):
    i = k.Input((4,))
    return k.Model(i, [i, k.Dense(2)(i)])


def identity(k):
    i = k.Input((4,))
    return k.Model(i, i)


def sub_model(k):
    i = k.Input((4,))
    model = k.Model(i, k.Dense(1)(k.Dense(2, name="x")(k.Dense(3)(i))))
    return k.Model(model.input, model.get_layer("x").output)


def operators(k):
    i = k.Input((4,))
    return k.Model(i, k.Dense(2)(2 * k.Dense(4)(i) + 1))


def sequential(k):
    return k.Sequential([k.Input((4,)), k.Dense(3), k.Dense(2)])


def sequential_of_model(k):
    return k.Sequential([inner_model(k), k.Dense(2)])


def sequential_added(k):
    model = k.Sequential(name="added")
    model.add(k.Input((4,)))
    for units in (3, 2, 5):
        model.add(k.Dense(units))
    model.pop()
    return model


def sequential_then_model(k):
    sequential(k)
    return inner_model(k)


def deferred_in_graph(k):
    i = k.Input((4,))
    return k.Model(i, k.Sequential([k.Dense(3), k.Dense(2)])(i))


def custom_layer_inside(k):
    class Block(k.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [k.Dense(3), k.Dense(2)]

        def build(self, input_shape):
            self.scale = self.add_weight(shape=(2,), initializer="ones", name="scale")

        def call(self, x):
            return self.parts[1](self.parts[0](x)) * self.scale

    i = k.Input((4,))
    return k.Model(i, k.Dense(1)(Block()(i)))


def subclassed_inside(k):
    class Inner(k.Model):
        def __init__(self):
            super().__init__()
            self.a, self.rest = k.Dense(3), {"b": k.Dense(2)}

        def call(self, x):
            return self.rest["b"](self.a(x))

    i = k.Input((4,))
    return k.Model(i, Inner()(i))


def made_in_constructor(k):
    class Made(k.Model):
        def __init__(self, units):
            i = k.Input((4,))
            super().__init__(inputs=i, outputs=k.Dense(units)(i), name="made")
            self.units = units

    return Made(3)


def subclass_of_graph(k):
    class Custom(k.Model):
        def train_step(self, data):
            return {}

    i = k.Input((4,))
    return Custom(i, k.Dense(2)(i))


MADE = [
    diamond,
    multi_input,
    multi_input_swapped,
    multi_output,
    dict_output,
    nested_output,
    dict_input,
    nested_input,
    lists_of_one,
    dict_of_one,
    siamese,
    residual,
    nested_models,
    nested_shared,
    nested_deep,
    shared_at_two_depths,
    long_and_short,
    unused_input,
    branches,
    passes_input,
    identity,
    sub_model,
    operators,
    sequential,
    sequential_of_model,
    sequential_added,
    sequential_then_model,
    deferred_in_graph,
    custom_layer_inside,
    subclassed_inside,
    made_in_constructor,
    subclass_of_graph,
]


def facts(model):
    return {
        "name": model.name,
        "layers": [layer.name for layer in model.layers],
        "classes": [type(layer).__name__ for layer in model.layers],
        "weights": [(w.path, tuple(w.shape)) for w in model.weights],
        "counts": [model.count_params(), *(layer.count_params() for layer in model.layers)],
        "shapes": (model.input_shape, model.output_shape),
        "names": getattr(model, "output_names", None) if type(model).__name__ != "Sequential" else None,
        "inputs": len(model.inputs),
        "outputs": len(model.outputs),
    }


@pytest.mark.parametrize("make", MADE, ids=lambda f: f.__name__)
def test_graph_is_keras_s(make):
    models = []
    for k in (OURS, KERAS):
        keras.utils.clear_session(free_memory=False)
        naming.reset_names()
        models.append(make(k))
    ours, theirs = models
    assert facts(ours) == facts(theirs)
    copy_weights(ours, theirs)
    rng = np.random.default_rng(0)
    shapes = [t.shape[1:] for t in ours.inputs]
    values = [torch.tensor(rng.normal(size=(5, *shape)), dtype=torch.float32) for shape in shapes]
    x = nested.pack_like(ours.input, values)
    mine, his = ours(x), theirs(x)
    assert type(mine) is type(his)
    torch.testing.assert_close(nested.flatten(mine), nested.flatten(his))
    ours.graph_module.graph.lint()
    assert len(list(ours.parameters())) == len({id(p) for p in ours.parameters()})
    assert {id(p) for p in ours.parameters()} == {id(w.tensor) for w in ours.weights}


def test_model_from_the_middle_of_another():
    i = tk.Input((4,))
    x = Dense(3)(i)
    y = Dense(2, name="y")(x)
    whole = tk.Model(i, Dense(1)(y))
    tail = tk.Model(x, whole.output)
    data = torch.randn(5, 4)
    head = tk.Model(i, x)
    torch.testing.assert_close(tail(head(data)), whole(data))
    assert tail.count_params() == 8 + 3
    assert [layer.name for layer in tail.layers if layer.weights] == ["y", "dense_1"]
    assert tail.input_shape == (None, 3)
