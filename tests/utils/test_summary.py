"""`print_summary`: the text of Keras's `Model.summary`, letter by letter."""

import io
import sys

import keras
import numpy as np
import pytest
import torch
from torch import nn

import torchkeras_lite
from torchkeras_lite.utils.summary import print_summary
from utils.summary_models import (
    branches,
    chain,
    compiled,
    convolutional,
    custom_layers,
    empty,
    fixed_batch,
    frozen,
    frozen_whole,
    half,
    large,
    long_names,
    nested_in_graph,
    nested_in_sequential,
    nested_twice,
    nested_unbuilt,
    scalars,
    sequential,
    several_inputs_and_outputs,
    shapes_of_a_shared_layer,
    shared,
    shared_between_models,
    subclassed,
    trained,
    unbuilt,
    unused_input,
    with_built_optimizer,
    with_frozen_optimizer,
)


@pytest.fixture(autouse=True)
def _fresh_names_and_a_wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    keras.utils.clear_session(free_memory=False)


def text_of(model, **options):
    collected = []
    if isinstance(model, keras.Model):
        model.summary(print_fn=collected.append, **options)
    else:
        print_summary(model, print_fn=collected.append, **options)
    assert len(collected) == 1
    return collected[0]


def assert_equal_text(build, **options):
    assert text_of(build(torchkeras_lite), **options) == text_of(build(keras), **options)


MODELS = [
    sequential,
    large,
    half,
    fixed_batch,
    unbuilt,
    empty,
    convolutional,
    chain,
    branches,
    shared,
    shared_between_models,
    shapes_of_a_shared_layer,
    several_inputs_and_outputs,
    unused_input,
    scalars,
    long_names,
    custom_layers,
    nested_in_sequential,
    nested_in_graph,
    nested_twice,
    nested_unbuilt,
    frozen,
    frozen_whole,
    compiled,
    with_built_optimizer,
    with_frozen_optimizer,
    trained,
    subclassed,
]
OPTIONS = [
    {},
    {"show_trainable": True},
    {"expand_nested": True},
    {"expand_nested": True, "show_trainable": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
def test_text_is_kerass(build, options):
    assert_equal_text(build, **options)


@pytest.mark.parametrize("columns", [44, 51, 60, 75, 80, 101, 117])
@pytest.mark.parametrize("build", [sequential, branches, nested_twice], ids=lambda build: build.__name__)
def test_text_is_kerass_on_every_terminal(build, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    for options in OPTIONS:
        assert_equal_text(build, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"line_length": 60},
        {"line_length": 131},
        {"line_length": 100, "show_trainable": True},
        {"positions": [0.5, 0.8, 1.0]},
        {"positions": [0.3, 0.6, 0.9]},
        {"positions": [20, 40, 60]},
        {"positions": [0.3, 0.6, 1.0], "line_length": 71},
        {"positions": [0.3, 0.6, 0.8, 1.0], "show_trainable": True},
    ],
    ids=str,
)
def test_widths_are_kerass(options):
    assert_equal_text(sequential, **options)


@pytest.mark.parametrize(
    "layer_range", [("dense", "dropout"), ["d", "batch.*"], ("dropout", "dense$")], ids=str
)
def test_ranges_are_kerass(layer_range):
    assert_equal_text(sequential, layer_range=layer_range)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer_range": ["dense"]}, r"layer_range must be a list or tuple of length 2"),
        ({"layer_range": [1, 2]}, r"layer_range should contain string type only"),
        ({"layer_range": ["dense", "nothing"]}, r"do not match the layer names in the model.*The names are"),
        ({"positions": [0.5, 1.0]}, r"expected 3 `positions`, one a column, got \[0.5, 1.0\]"),
    ],
)
def test_refuses_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        text_of(sequential(torchkeras_lite), **options)


def called(k):
    class Called(k.Model):
        def __init__(self):
            super().__init__()
            layers = k.layers
            self.first = layers.Dense(3, name="first")
            self.dropout = layers.Dropout(0.5, name="dropout")
            self.rest = k.Sequential([layers.Dense(5, name="second"), layers.ReLU(name="relu")], name="rest")

        def call(self, inputs):
            return {"x": self.rest(self.dropout(self.first(inputs)))}

    model = Called()
    model(np.ones((2, 4), "float32"))
    return model


def called_sequential(k):
    model = unbuilt(k)
    model(np.ones((2, 4), "float32"))
    return model


@pytest.mark.parametrize("build", [called, called_sequential])
def test_models_built_by_data_know_their_batch(build):
    for options in OPTIONS:
        assert_equal_text(build, **options)


def cells_of(text):
    rows = [line.strip("│┃").split("│") for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row] for row in rows]


def test_functions_are_rows():
    inputs = torchkeras_lite.Input((8,), name="inp")
    hidden = torch.relu(torchkeras_lite.layers.Dense(4, name="dense")(inputs))
    outputs = torchkeras_lite.layers.Dense(4, name="last")(hidden) + hidden + hidden
    assert cells_of(text_of(torchkeras_lite.Model(inputs, outputs))) == [
        ["inp (InputLayer)", "(None, 8)", "0", "-"],
        ["dense (Dense)", "(None, 4)", "36", "inp[0][0]"],
        ["relu (function)", "(None, 4)", "0", "dense[0][0]"],
        ["last (Dense)", "(None, 4)", "20", "relu[0][0]"],
        ["add (Add)", "(None, 4)", "0", "last[0][0], relu[0][0]"],
        ["add_1 (Add)", "(None, 4)", "0", "add[0][0], relu[0][0]"],
    ]


def test_a_model_from_the_middle_names_its_input():
    inputs = torchkeras_lite.Input((8,), name="inp")
    middle = torchkeras_lite.layers.Dense(4, name="first")(inputs)
    middle.name = "middle"
    model = torchkeras_lite.Model(middle, torchkeras_lite.layers.Dense(2, name="second")(middle))
    assert cells_of(text_of(model)) == [
        ["middle (InputLayer)", "(None, 4)", "0"],
        ["second (Dense)", "(None, 2)", "10"],
    ]


def test_plain_torch_modules_are_rows():
    layers = torchkeras_lite.layers
    frozen_module = nn.Linear(5, 5).requires_grad_(False)
    model = torchkeras_lite.Sequential(
        [
            torchkeras_lite.Input((3,)),
            nn.Linear(3, 5),
            layers.Dense(5, name="linear_2"),
            frozen_module,
            nn.Tanh(),
        ]
    )
    text = text_of(model, show_trainable=True)
    assert cells_of(text) == [
        ["linear (Linear)", "(None, 5)", "20", "Y"],
        ["linear_2 (Dense)", "(None, 5)", "30", "Y"],
        ["linear_1 (Linear)", "(None, 5)", "30", "N"],
        ["tanh (Tanh)", "(None, 5)", "0", "-"],
    ]
    assert " Trainable params: 50 (200.00 B)\n Non-trainable params: 30 (120.00 B)\n" in text


def test_torch_modules_in_a_graph_are_connected():
    inputs = torchkeras_lite.Input((3,), name="inp")
    module = nn.Linear(3, 3)
    model = torchkeras_lite.Model(inputs, module(module(inputs)))
    assert cells_of(text_of(model))[1] == ["linear (Linear)", "(None, 3)", "12", "inp[0][0], linear[0][0]"]


def test_flops_are_counted():
    model = convolutional(torchkeras_lite)
    cells = cells_of(text_of(model, show_flops=True))
    convolution = 2 * 26 * 26 * 8 * 9
    assert cells[0][-1] == f"{convolution:,}"
    assert cells[-1][-1] == f"{2 * 13 * 13 * 16 * 10:,}"
    second = 2 * 13 * 13 * 16 * 8 * 9
    assert f" FLOPs a sample: {convolution + second + 2 * 13 * 13 * 16 * 10:,}\n" in text_of(
        model, show_flops=True
    )
    assert model.training is False


def test_flops_of_models_of_unknown_inputs_are_unknown():
    assert text_of(unbuilt(torchkeras_lite), show_flops=True).endswith(" FLOPs a sample: unknown\n")


def test_flops_of_nested_models():
    text = text_of(nested_twice(torchkeras_lite), show_flops=True, expand_nested=True)
    flops = {row[0].split()[-2]: row[-1] for row in cells_of(text)}
    assert flops["z0"] == str(2 * 8 * 4)
    assert flops["middle"] == str(2 * (8 * 4 + 4 * 5 + 8 * 5))


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_prints_to_the_terminal_with_a_bold_title(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    model = chain(torchkeras_lite)
    print_summary(model)
    assert stream.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "") == text_of(model)
    assert stream.getvalue().startswith('\x1b[1mModel: "functional"\x1b[0m\n')


def test_prints_plain_characters_where_there_are_no_others(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    print_summary(chain(torchkeras_lite), line_length=40)
    sys.stdout.flush()
    assert raw.getvalue().decode("ascii").splitlines()[1] == "+-----------------+------------+-------+"


class Heads(torchkeras_lite.Layer):
    """Returns a dict of one tensor."""

    def build(self, input_shape):
        self.scale = self.add_weight(shape=input_shape[-1:])

    def call(self, inputs):
        return {"head": inputs * self.scale}


class Headed(torchkeras_lite.Model):
    """Has a dense layer and heads, made by subclassing."""

    def __init__(self):
        super().__init__()
        self.dense, self.heads = torchkeras_lite.layers.Dense(3), Heads()

    def call(self, inputs):
        return self.heads(self.dense(inputs))


@pytest.mark.parametrize("batch", [None, 5])
def test_a_built_subclass_shows_shapes(batch):
    model, lines = Headed(), []
    if batch is None:
        model.build((None, 4))
    else:
        model(np.zeros((batch, 4)))
    print_summary(model, print_fn=lines.append)
    rows = [line for line in "".join(lines).splitlines() if "dense" in line or "heads" in line]
    assert [f"│ ({batch}, 3) " in row for row in rows] == [True, True]
    assert model.dense.get_build_config() == {"input_shape": (batch, 4)}
