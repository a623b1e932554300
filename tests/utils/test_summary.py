"""`print_summary`: the text of Keras's `Model.summary`, letter by letter."""

import io
import re
import sys

import keras
import numpy as np
import pytest
import torch
from torch import nn

import torchkeras_lite
from torchkeras_lite.utils.summary import print_summary


@pytest.fixture(autouse=True)
def _fresh_names_and_a_wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    keras.utils.clear_session()


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


def sequential(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((8,)),
            layers.Dense(4, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(2, name="a_very_long_layer_name_that_is_long_and_longer_still_ok"),
        ]
    )


def large(k):
    layers = k.layers
    return k.Sequential([k.Input((3000,)), layers.Dense(2000, name="wide"), layers.Dense(30, name="narrow")])


def half(k):
    return k.Sequential([k.Input((8,)), k.layers.Dense(4, dtype="float16")])


def fixed_batch(k):
    return k.Sequential([k.Input(batch_shape=(4, 8)), k.layers.Dense(4)])


def unbuilt(k):
    return k.Sequential([k.layers.Dense(4), k.layers.Dense(2)])


def empty(k):
    return k.Sequential()


def convolutional(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((28, 28, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def chain(k):
    inputs = k.Input((8,), name="in")
    hidden = k.layers.Dense(4, name="first")(inputs)
    return k.Model(inputs, [hidden, k.layers.Dense(2, name="second")(hidden)])


def branches(k):
    layers = k.layers
    inputs = k.Input((8,), name="in")
    left, right = layers.Dense(4, name="left")(inputs), layers.Dense(4, name="right")(inputs)
    added = layers.Add(name="add")([left, right])
    return k.Model(inputs, layers.Concatenate(name="joined")([left, added, inputs]), name="branches")


def shared(k):
    layer = k.layers.Dense(8, name="shared")
    inputs = k.Input((8,), name="in")
    return k.Model(inputs, layer(layer(inputs)))


def shared_between_models(k):
    layer = k.layers.Dense(8, name="shared")
    inputs = k.Input((8,), name="in")
    once = layer(inputs)
    k.Model(inputs, layer(once))
    return k.Model(inputs, k.layers.Concatenate(name="joined")([layer(once), inputs]))


def shapes_of_a_shared_layer(k):
    layer = k.layers.Dense(8, name="shared")
    flat, deep = k.Input((8,), name="flat"), k.Input((5, 8), name="deep")
    return k.Model([flat, deep], [layer(flat), layer(deep)])


def several_inputs_and_outputs(k):
    first, second = k.Input((8,), name="first"), k.Input((8,), name="second")
    outputs = [k.layers.Dense(3, name="three")(first), k.layers.Dense(4, name="four")(second)]
    return k.Model({"first": first, "second": second}, outputs)


def unused_input(k):
    used, unused = k.Input((8,), name="used"), k.Input((3,), name="unused")
    return k.Model([used, unused], k.layers.Dense(2, name="dense")(used))


def scalars(k):
    inputs = k.Input((), name="in")
    return k.Model(inputs, k.layers.Reshape((1,), name="column")(inputs))


def long_names(k):
    layers = k.layers
    inputs = k.Input((8,), name="an_input_with_a_long_name_indeed_it_is_long")
    parts = [
        layers.Dense(n, name=f"dense_layer_{n}_with_a_long_name_indeed_it_is")(inputs) for n in (3, 4, 5)
    ]
    return k.Model(inputs, layers.Concatenate(name="joined")(parts))


def custom_layers(k):
    class Inner(k.layers.Layer):
        def build(self, input_shape):
            self.count = self.add_weight(
                shape=(3,), dtype="int32", initializer="zeros", trainable=False, name="n"
            )
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        def call(self, inputs):
            return {"b": inputs * self.scale, "a": [inputs, inputs[:, :2]]}

    class Outer(k.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = k.layers.Dense(3)

        def call(self, inputs):
            return self.dense(inputs)

    inputs = k.Input((8,), name="in")
    return k.Model(inputs, Inner(name="inner")(Outer(name="outer")(inputs)))


def inner_sequential(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((8,)),
            layers.Dense(4, name="a_layer_with_a_long_name_inside_of_another"),
            layers.Dense(4, name="okay_of_a_layer_inside_an"),
        ],
        name="inner",
    )


def nested_in_sequential(k):
    layers = k.layers
    return k.Sequential([k.Input((8,)), inner_sequential(k), layers.BatchNormalization(), layers.Dense(2)])


def nested_in_graph(k):
    layers = k.layers
    start = k.Input((8,), name="start")
    inner = k.Model(start, layers.Dense(5, name="z1")(layers.Dense(4, name="z0")(start)), name="inner")
    inputs = k.Input((8,), name="in")
    both = [inner(inputs), layers.Dense(5, name="beside")(inputs)]
    return k.Model(inputs, layers.Add(name="add")(both), name="middle")


def nested_twice(k):
    return k.Sequential([k.Input((8,)), nested_in_graph(k), k.layers.Dense(1, name="last")], name="outer")


def nested_unbuilt(k):
    inner = k.Sequential([k.layers.Dense(3, name="inside")], name="inner")
    return k.Sequential([k.layers.Dense(2, name="outside"), inner])


def frozen(k):
    model = sequential(k)
    model.layers[0].trainable = False
    model.layers[1].trainable = False
    return model


def frozen_whole(k):
    model = nested_in_graph(k)
    model.trainable = False
    return model


def compiled(k):
    model = frozen(k)
    model.compile("adam", "mse", metrics=["mae"])
    return model


def with_built_optimizer(k):
    model = compiled(k)
    model.optimizer.build(model.trainable_variables)
    return model


def with_frozen_optimizer(k):
    model = frozen_whole(k)
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def trained(k):
    model = k.Sequential([k.Input((8,)), k.layers.Dense(2)])
    model.compile(k.optimizers.SGD(momentum=0.9), "mse")
    model.fit(np.ones((4, 8), "float32"), np.ones((4, 2), "float32"), verbose=0)
    return model


def subclassed(k):
    class Subclassed(k.Model):
        def __init__(self):
            super().__init__()
            self.first = k.layers.Dense(3, name="first")
            self.second = k.layers.Dense(2, name="second")

        def call(self, inputs):
            return self.second(self.first(inputs))

    return Subclassed()


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


@pytest.mark.parametrize("columns", [30, 44, 60, 75, 80, 101, 117])
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


def test_a_called_subclass_knows_its_shapes():
    model = subclassed(torchkeras_lite)
    model(np.ones((2, 4), "float32"))
    text = text_of(model)
    theirs = subclassed(keras)
    theirs(np.ones((2, 4), "float32"))
    unknown_batch = re.sub(r"\(2, (\d)\)   ", r"(None, \1)", text_of(theirs))
    assert text == unknown_batch


def cells_of(text):
    rows = [line.strip("│┃").split("│") for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row] for row in rows]


def test_functions_are_rows():
    inputs = torchkeras_lite.Input((8,), name="in")
    hidden = torch.relu(torchkeras_lite.layers.Dense(4, name="dense")(inputs))
    outputs = torchkeras_lite.layers.Dense(4, name="last")(hidden) + hidden + hidden
    assert cells_of(text_of(torchkeras_lite.Model(inputs, outputs))) == [
        ["in (InputLayer)", "(None, 8)", "0", "-"],
        ["dense (Dense)", "(None, 4)", "36", "in[0][0]"],
        ["relu (function)", "(None, 4)", "0", "dense[0][0]"],
        ["last (Dense)", "(None, 4)", "20", "relu[0][0]"],
        ["add (function)", "(None, 4)", "0", "last[0][0], relu[0][0]"],
        ["add_1 (function)", "(None, 4)", "0", "add[0][0], relu[0][0]"],
    ]


def test_a_model_from_the_middle_names_its_input():
    inputs = torchkeras_lite.Input((8,), name="in")
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
    inputs = torchkeras_lite.Input((3,), name="in")
    module = nn.Linear(3, 3)
    model = torchkeras_lite.Model(inputs, module(module(inputs)))
    assert cells_of(text_of(model))[1] == ["linear (Linear)", "(None, 3)", "12", "in[0][0], linear[0][0]"]


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
    assert raw.getvalue().decode("ascii").splitlines()[1] == "+----------------+------------+--------+"
