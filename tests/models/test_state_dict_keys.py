"""Module trees, state_dict keys and generated code, pinned: names are a contract."""

import pytest
import torch
from torch import nn

from torchkeras_lite import Input, Layer, Model, Sequential
from torchkeras_lite.layers import Dense
from torchkeras_lite.layers.merging import Add


class Block(Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = Dense(4)
        self.many = [Dense(4), nn.Linear(4, 4)]
        self.named = {"a": Dense(4), "deep": [Dense(4)]}

    def build(self, input_shape):
        self.w = self.add_weight((4,), name="scale")
        self.count = self.add_weight((), "zeros", trainable=False, name="count")

    def call(self, x):
        for layer in (self.first, *self.many, self.named["a"], self.named["deep"][0]):
            x = layer(x)
        return x * self.w


class Branched(Model):
    def __init__(self):
        super().__init__()
        self.body, self.head = Block(), Dense(2)

    def call(self, x):
        return self.head(self.body(x))


def sequential():
    return Sequential([Input((4,)), Dense(3), nn.ReLU(), Dense(2, name="head"), nn.Linear(2, 2)])


def functional():
    x = Input((4,), name="x")
    h = Dense(4, name="first")(x)
    h = Add(name="join")([h, Dense(4, activation="relu", name="second")(h)])
    return Model(x, Dense(1, name="out")(torch.relu(h[:, :3]) * 2))


def two_inputs():
    a, b = Input((4,), name="a"), Input((2,), name="b")
    shared = Dense(2, name="shared")
    return Model({"a": a, "b": b}, {"p": shared(a[:, :2]), "q": shared(b)})


def awkward_names():
    x = Input((4,), name="class")
    names = ["forward", "my.layer", "with space", "x-1", "training", "weight", "call"]
    h = x
    for name in names:
        h = Dense(4, name=name)(h)
    return Model(x, h)


def nested():
    inner = Sequential([Input((4,)), Dense(3, name="a"), Dense(4, name="b")], name="inner")
    x = Input((4,), name="x")
    return Model(x, inner(inner(x)))


def subclassed():
    model = Branched()
    model.build((None, 4))
    return model


KEYS = {
    sequential: "dense.linear.weight dense.linear.bias head.linear.weight head.linear.bias "
    "linear.weight linear.bias",
    functional: "first.linear.weight first.linear.bias second.linear.weight second.linear.bias "
    "out.linear.weight out.linear.bias",
    two_inputs: "shared.linear.weight shared.linear.bias",
    nested: "inner.a.linear.weight inner.a.linear.bias inner.b.linear.weight inner.b.linear.bias",
    subclassed: "body.w body.count body.first.linear.weight body.first.linear.bias "
    "body.many_0.linear.weight body.many_0.linear.bias body.many_1.weight body.many_1.bias "
    "body.named_a.linear.weight body.named_a.linear.bias "
    "body.named_deep_0.linear.weight body.named_deep_0.linear.bias head.linear.weight head.linear.bias",
}
MODULES = {
    sequential: "dense dense.linear re_lu head head.linear linear",
    functional: "first first.linear second second.linear join out out.linear",
    nested: "inner inner.a inner.a.linear inner.b inner.b.linear",
}
CODE = {
    sequential: """
def forward(self, input_layer):
    dense = self.dense(input_layer);  input_layer = None
    re_lu = self.re_lu(dense);  dense = None
    head = self.head(re_lu);  re_lu = None
    linear = self.linear(head);  head = None
    return linear
""",
    functional: """
def forward(self, x):
    first = self.first(x);  x = None
    second = self.second(first)
    join = self.join([first, second]);  first = second = None
    getitem = join[(slice(None, None, None), slice(None, 3, None))];  join = None
    relu = torch.relu(getitem);  getitem = None
    mul = relu * 2;  relu = None
    out = self.out(mul);  mul = None
    return out
""",
    two_inputs: """
def forward(self, a, b):
    getitem = a[(slice(None, None, None), slice(None, 2, None))];  a = None
    shared = self.shared(getitem);  getitem = None
    shared_1 = self.shared(b);  b = None
    return {'p': shared, 'q': shared_1}
""",
    nested: """
def forward(self, x):
    inner = self.inner(x);  x = None
    inner_1 = self.inner(inner);  inner = None
    return inner_1
""",
}


def lines(text):
    return [line.rstrip() for line in text.strip().splitlines()]


@pytest.mark.parametrize("make", KEYS, ids=lambda f: f.__name__)
def test_state_dict_keys(make):
    assert list(make().state_dict()) == KEYS[make].split()
    assert list(make().state_dict()) == KEYS[make].split(), "keys depend on what was made before"


@pytest.mark.parametrize("make", MODULES, ids=lambda f: f.__name__)
def test_module_tree(make):
    assert [name for name, _ in make().named_modules() if name] == MODULES[make].split()


@pytest.mark.parametrize("make", CODE, ids=lambda f: f.__name__)
def test_generated_code(make):
    module = make().graph_module
    assert lines(module.code) == lines(CODE[make])
    module.graph.lint()


def test_generated_code_runs_on_its_own():
    model = functional()
    x = torch.randn(3, 4)
    torch.testing.assert_close(model.graph_module(x), model(x))


def test_awkward_names_become_attributes():
    model = awkward_names()
    assert len(model.state_dict()) == 14
    assert model.get_layer("my.layer").units == 4
    assert [layer.name for layer in model.layers][1:3] == ["forward", "my.layer"]
    assert model(torch.ones(2, 4)).shape == (2, 4)
    assert not model.training
    assert callable(model.call)
    other = awkward_names()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(torch.ones(2, 4)), model(torch.ones(2, 4)))


def test_layers_named_as_attributes_of_a_model_work():
    def model_with(name):
        inputs = Input((2,))
        model = Model(inputs, Dense(1, name=name)(inputs))
        model.compile("adam", "mse", metrics=["mae"])
        model.fit(torch.ones(2, 2), torch.ones(2, 1), verbose=0)
        return model

    names = [name for name in vars(model_with("plain")) if not name.startswith("_")]
    assert len(names) > 20
    for name in names:
        assert model_with(name).layers[-1].name == name
