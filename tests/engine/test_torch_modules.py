"""Torch modules called on symbolic tensors: one call of the graph each, with mode and parameters."""

import pytest
import torch
from torch import nn

import torchkeras_lite as tk
from torchkeras_lite import Input, Model, Sequential
from torchkeras_lite.base import nested
from torchkeras_lite.layers import Dense


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x, y=None):
        return self.a(x) + self.b(x if y is None else y)


class Structured(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        h = self.linear(x)
        return {"h": h, "rest": [h.relu(), x]}


class HoldsOurs(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense, self.linear = Dense(3), nn.Linear(3, 2)

    def forward(self, x):
        return self.linear(self.dense(x))


class ReadsSizes(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)
        self.scale = nn.Parameter(torch.ones(2))
        self.register_buffer("shift", torch.ones(2))

    def forward(self, x):
        batch, steps, features = x.shape
        y = self.linear(x.reshape(batch * steps, features)).view(batch, x.size(1), -1)
        return y * self.scale + self.shift + torch.zeros(steps, 2, dtype=x.dtype, device=x.device)


class Flagged(nn.Module):
    def forward(self, x, flag=False):
        return 2 * x if flag else -x


class Unchanged(nn.Module):
    def forward(self, x):
        return x


class ValueDependent(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def same(module):
    return lambda x: module(x)


def attention():
    module = nn.MultiheadAttention(4, 2, batch_first=True)
    return lambda x: module(x, x, x)


def cross_attention():
    module = nn.MultiheadAttention(4, 2, batch_first=True)
    return lambda x, y: module(x, y, y, need_weights=False)[0]


def block():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.BatchNorm1d(8))


def convolutional():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )


def twice():
    module = nn.Linear(4, 4)
    return lambda x: module(module(x))


def on_two():
    module = nn.Linear(4, 4)
    return lambda x, y: module(x) - module(y)


def between():
    first, second = nn.Linear(4, 4), nn.Linear(4, 2)
    return lambda x: second(torch.relu(first(x)) + x)


def flagged():
    module = Flagged()
    return lambda x: [module(x, True), module(x, flag=False), module(x)]


def several():
    modules = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
    return lambda x: [module(x) for module in modules]


def by_keyword():
    module = nn.Linear(4, 2)
    return lambda x: module(input=x)


def two_inputs():
    module = TwoInputs()
    return lambda x, y: module(x, y=y) + module(x)


# what it is -> (maker, shapes, names of the called modules, parameters)
CASES = {
    "Linear": (lambda: same(nn.Linear(4, 3)), [(4,)], "linear", 15),
    "Sequential": (lambda: same(block()), [(4,)], "sequential", 40 + 16 + 17),
    "Conv2d": (lambda: same(nn.Conv2d(3, 4, 3)), [(3, None, None)], "conv2d", 112),
    "conv net": (lambda: same(convolutional()), [(3, 16, 16)], "sequential", 112 + 17 + 10),
    "LayerNorm": (lambda: same(nn.LayerNorm(4)), [(None, 4)], "layer_norm", 8),
    "GRU": (lambda: same(nn.GRU(4, 3, batch_first=True)), [(None, 4)], "gru", 81),
    "LSTM": (lambda: same(nn.LSTM(4, 3, batch_first=True)), [(None, 4)], "lstm", 108),
    "LSTM, 2 layers": (
        lambda: same(nn.LSTM(4, 3, 2, bidirectional=True, batch_first=True)),
        [(5, 4)],
        "lstm",
        480,
    ),
    "RNN": (lambda: same(nn.RNN(4, 3, batch_first=True)), [(5, 4)], "rnn", 27),
    "MultiheadAttention": (attention, [(5, 4)], "multihead_attention", 80),
    "cross attention": (cross_attention, [(None, 4), (None, 4)], "multihead_attention", 80),
    "encoder": (
        lambda: same(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)),
        [(None, 4)],
        "transformer_encoder_layer",
        172,
    ),
    "user's module": (lambda: same(ReadsSizes()), [(None, 4)], "reads_sizes", 14),
    "two inputs": (two_inputs, [(4,), (4,)], "two_inputs two_inputs", 40),
    "structured": (lambda: same(Structured()), [(4,)], "structured", 15),
    "our layer inside": (lambda: same(HoldsOurs()), [(4,)], "holds_ours", 23),
    "flags": (flagged, [(4,)], "flagged flagged flagged", 0),
    "twice": (twice, [(4,)], "linear linear", 20),
    "on two inputs": (on_two, [(4,), (4,)], "linear linear", 20),
    "functions between": (between, [(4,)], "linear linear_1", 30),
    "several": (several, [(4,)], "linear linear_1 linear_2", 60),
    "by keyword": (by_keyword, [(4,)], "linear", 10),
    "returns its input": (lambda: same(Unchanged()), [(4,)], "", 0),
    "no parameters": (lambda: same(nn.Softmax(-1)), [(4,)], "softmax", 0),
}


@pytest.mark.parametrize("name", CASES)
def test_a_module_is_one_call(name):
    make, shapes, called, parameters = CASES[name]
    function = make()
    inputs = [Input(shape) for shape in shapes]
    symbolic = function(*inputs)
    model = Model(inputs if len(inputs) > 1 else inputs[0], symbolic)
    nodes = model.graph_module.graph.nodes
    assert [n.target for n in nodes if n.op == "call_module"] == called.split()
    model.graph_module.graph.lint()
    assert model.count_params() == parameters
    model.eval()
    values = [torch.randn(3, *(6 if size is None else size for size in shape)) for shape in shapes]
    expected = function(*values)
    torch.testing.assert_close(model(values if len(values) > 1 else values[0]), expected)
    for tensor, real in zip(nested.flatten(symbolic), nested.flatten(expected), strict=True):
        assert len(tensor.shape) == real.ndim
        assert all(a is None or a == b for a, b in zip(tensor.shape, real.shape, strict=True))


def test_embedding_takes_integers():
    embedding, ids = nn.Embedding(10, 3), Input((5,), dtype="int64")
    model = Model(ids, embedding(ids).mean(1))
    x = torch.randint(0, 10, (2, 5))
    torch.testing.assert_close(model(x), embedding(x).mean(1))
    assert [n.target for n in model.graph_module.graph.nodes if n.op == "call_module"] == ["embedding"]


@pytest.mark.parametrize("training_from_start", [False, True])
@pytest.mark.parametrize(
    "make", [block, lambda: nn.ModuleDict({"b": block()})["b"]], ids=["plain", "in a dict"]
)
def test_mode_reaches_dropout_and_batch_normalization(make, training_from_start):
    module = make().train(training_from_start)
    inputs = Input((4,))
    model = Model(inputs, module(inputs))
    x = torch.randn(64, 4)
    statistics = dict(module.named_buffers())["3.running_mean"]
    torch.testing.assert_close(model(x), model(x))  # Keras: a call means inference
    assert float(statistics.abs().sum()) == 0
    model.train()
    assert all(part.training for part in module.modules())
    assert not torch.equal(model(x), model(x))
    assert float(statistics.abs().sum()) > 0
    model.eval()
    before = statistics.clone()
    assert not torch.equal(model(x, training=True), model(x, training=True))
    assert not torch.equal(before, statistics)
    assert not any(part.training for part in module.modules())
    torch.testing.assert_close(model(x), model(x))


def test_modules_are_found_and_trained_as_they_are():
    module = nn.Linear(4, 1)
    inputs = Input((4,))
    model = Model(inputs, Dense(2)(module(inputs)))
    assert module in list(model.modules())
    assert [type(m).__name__ for m in model.layers] == ["InputLayer", "Linear", "Dense"]
    assert model.get_layer("linear") is module
    assert [w.path for w in model.weights][:2] == ["functional/linear/weight", "functional/linear/bias"]
    model.get_layer("dense").trainable = False
    assert [w.name for w in model.trainable_weights] == ["weight", "bias"]
    model.trainable = False
    assert not module.weight.requires_grad


def test_modules_in_sequential_and_around_layers():
    model = Sequential([Input((4,)), nn.Linear(4, 8), Dense(3), nn.Dropout(0.5), nn.Linear(3, 3)])
    assert list(model.state_dict()) == [
        "linear.weight",
        "linear.bias",
        "dense.linear.weight",
        "dense.linear.bias",
        "linear_1.weight",
        "linear_1.bias",
    ]
    x = torch.randn(5, 4)
    torch.testing.assert_close(model(x), model(x))
    assert not torch.equal(model(x, training=True), model(x, training=True))
    deferred = Sequential([nn.Linear(4, 8), Dense(3)])
    assert deferred(x).shape == (5, 3)
    outer = nn.Sequential(Dense(6), nn.ReLU(), model.__class__([Dense(2)]))
    assert outer(x).shape == (5, 2)
    assert [tuple(p.shape) for p in outer.parameters()] == [(6, 4), (6,), (2, 6), (2,)]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (
            ValueDependent(),
            "ValueDependent cannot be called on a symbolic tensor.*Sequential.*TorchModuleWrapper",
        ),
        (nn.Linear(5, 2), r"cannot be called on symbolic tensors of shapes \(None, 4\) float32"),
    ],
    ids=["value", "size"],
)
def test_what_cannot_be_recorded_is_told(module, text):
    with pytest.raises(ValueError, match=text):
        module(Input((4,)))
    assert tk.Input((4,)).mean(1).shape == (None,)  # the recorder is usable afterwards


def test_a_wrapped_module_is_a_layer():
    from torchkeras_lite.layers.core import TorchModuleWrapper

    layer = TorchModuleWrapper(ValueDependent(), name="w")
    inputs = Input((4,))
    model = Model(inputs, layer(inputs))
    torch.testing.assert_close(model(-torch.ones(2, 4)), torch.ones(2, 4))


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("form", ["sequential", "deferred", "functional", "wrapped"])
@pytest.mark.parametrize("kind", ["scripted", "loaded"])
def test_modules_of_torchscript(kind, form, tmp_path):
    plain = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
    module = torch.jit.script(plain)
    if kind == "loaded":
        torch.jit.save(module, tmp_path / "module.pt")
        module = torch.jit.load(tmp_path / "module.pt")
    dense, inputs = Dense(1), Input((4,))
    model = {
        "sequential": lambda: Sequential([inputs, module, dense]),
        "deferred": lambda: Sequential([module, dense]),
        "functional": lambda: Model(inputs, dense(module(inputs))),
        "wrapped": lambda: Model(inputs, dense(tk.layers.TorchModuleWrapper(module)(inputs))),
    }[form]()
    x = torch.randn(6, 4)
    torch.testing.assert_close(model(x), dense(plain.eval()(x)))
    assert not torch.equal(model(x, training=True), model(x, training=True))
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(x, torch.ones(6, 1), verbose=0)
    assert len(before) == 9
    assert all((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))
    model.trainable = False
    assert not model.trainable_weights
