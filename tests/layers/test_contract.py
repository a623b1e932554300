"""What every layer keeps: one test a promise, run over the case table."""

import collections
import copy
import pickle

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from cases import CASES, IMAGE_COLOR, IMAGE_GEOMETRY
from oracle import assert_close, copies, copy_weights, plain_config
from torchkeras_lite import layers
from torchkeras_lite.base import nested
from torchkeras_lite.engine.keras_tensor import KerasTensor

RANDOM = ("Dropout", "Noise", "Rand", "Mix")
AUGMENTING = {case.name for case in IMAGE_COLOR} - {
    "AutoContrast",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "Equalization",
}
# Bases, cells, what holds code of the user, and what reads strings: they have tests of their own.
WITHOUT_ROWS = {
    *("FlaxLayer", "GRUCell", "HashedCrossing", "Hashing", "InputLayer", "IntegerLookup", "JaxLayer"),
    *("LSTMCell", "Lambda", "Layer", "Pipeline", "SimpleRNNCell", "StackedRNNCells", "StringLookup"),
    *("TFSMLayer", "TextVectorization", "TorchModuleWrapper", "Wrapper"),
}


def fixes_axis_1(case):
    """Whether weights follow from the size of axis 1, so that it must be known."""
    axes = nested.flatten(case.args.get("axis", case.args.get("axes", ())))
    first = case.args.get("data_format") == "channels_first"
    return first or 1 in axes or -2 in axes or case.name in ("PReLU", "Reshape")


cases = pytest.mark.parametrize("case", CASES, ids=str)
FEW = [case for i, case in enumerate(CASES) if sum(case.name == c.name for c in CASES[:i]) < 2]
TIMED = [case for case in FEW if len(case.shape) > 2 or isinstance(case.shape[0], tuple)]
timed_cases = pytest.mark.parametrize("case", [case for case in TIMED if not fixes_axis_1(case)], ids=str)
few_cases = pytest.mark.parametrize("case", FEW, ids=str)  # two a class, where a test takes long


def class_of(case):
    return getattr(layers, case.name)


def make(case, **more):
    return case.make(layers, **more)


def keras_layer(case, **more):
    return case.make(keras.layers, **more)


def quietly(case):
    """How a layer is called that draws unless told not to, so that both compute the same."""
    return {"training": False} if case.name in AUGMENTING else {}


def apply(layer, case, x, **arguments):
    return layer(*x, **arguments) if case.spread else layer(x, **arguments)


def shapes_of(case):
    return [list(case.shape)] if not nested_shape(case) else [list(shape) for shape in case.shape]


def nested_shape(case):
    return bool(case.shape) and isinstance(case.shape[0], tuple)


def data(case, rng):
    """Inputs of the case's shapes; a list where there are several."""
    found = [
        torch.as_tensor(rng.integers(0, 10, shape) if case.ints else rng.normal(size=shape).astype("float32"))
        for shape in shapes_of(case)
    ]
    return found if nested_shape(case) else found[0]


def unknown_batch(case):
    found = [(None, *shape[1:]) for shape in shapes_of(case)]
    return found if nested_shape(case) else found[0]


def settle(config):
    """A config without what Keras writes as `None` and we leave out, and without what layers inside were
    built with; lists and tuples are one."""
    if isinstance(config, dict):
        parts = {key: settle(part) for key, part in config.items() if key != "build_config"}
        return {key: part for key, part in parts.items() if key != "activity_regularizer" or part}
    return [settle(part) for part in config] if isinstance(config, (list, tuple)) else config


def same(first, second):
    for a, b in zip(nested.flatten(first), nested.flatten(second), strict=True):
        assert isinstance(a, torch.Tensor)
        torch.testing.assert_close(a, b)


def test_every_layer_has_four_rows():
    rows = collections.Counter(class_of(case).__name__ for case in CASES)
    found = (getattr(layers, name) for name in layers.__all__)
    classes = {one.__name__ for one in found if isinstance(one, type) and issubclass(one, layers.Layer)}
    assert {name for name in classes if rows[name] < 4} == WITHOUT_ROWS
    assert len(CASES) > 300


@cases
def test_config_equals_keras_and_round_trips(case, rng):
    layer, theirs = make(case), keras_layer(case)
    assert settle(plain_config(layer.get_config())) == settle(plain_config(theirs.get_config()))
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    x = data(case, rng)
    apply(layer, case, x), apply(theirs, case, x)
    assert settle(plain_config(layer.get_config())) == settle(plain_config(theirs.get_config()))
    again = type(layer).from_config(layer.get_config())
    assert settle(again.get_config()) == settle(layer.get_config())


@cases
def test_state_dict_fills_another_layer(case, rng):
    x = data(case, rng)
    layer, other = make(case), make(case)
    apply(layer, case, x), apply(other, case, x)
    apply(layer, case, x, training=True)
    assert not other.load_state_dict(layer.state_dict()).missing_keys
    mode = quietly(case)
    same(apply(other, case, x, **mode), apply(layer, case, x, **mode))


@cases
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_compute_the_same(case, duplicate, rng):
    x = data(case, rng)
    layer = make(case)
    unbuilt = duplicate(layer)
    apply(layer, case, x), apply(unbuilt, case, x)
    unbuilt.set_weights(layer.get_weights())
    same(apply(unbuilt, case, x), apply(layer, case, x))
    built = duplicate(layer)
    same(apply(built, case, x), apply(layer, case, x))
    assert [w.path for w in built.weights] == [w.path for w in layer.weights]
    assert all(mine is not other for mine, other in zip(layer.parameters(), built.parameters(), strict=True))


@cases
def test_shape_is_known_before_values(case, rng):
    x = data(case, rng)
    dtype = "int32" if case.ints else "float32"
    symbols = nested.map_structure(lambda t: KerasTensor((None, *t.shape[1:]), dtype), x)
    real = apply(make(case), case, x)
    outputs = make(case).compute_output_spec(*(symbols if case.spread else (symbols,)))
    inputs = nested.map_structure(lambda t: layers.Input(tuple(t.shape[1:]), dtype=dtype), x)
    called = apply(make(case), case, inputs)
    shapes = unknown_batch(case) if case.spread else (unknown_batch(case),)
    theirs = tuple(keras_layer(case).compute_output_shape(*shapes))
    for symbol in (outputs, called):
        assert symbol.shape == (None, *real.shape[1:])
        assert symbol.dtype == str(real.dtype).removeprefix("torch.")
    assert make(case).compute_output_shape(*shapes) == (None, *real.shape[1:])
    assert len(theirs) == real.ndim
    assert all(size in (None, known) for size, known in zip(theirs, real.shape, strict=True))


@cases
def test_values_and_gradients_are_those_of_keras(case, rng):
    x = data(case, rng)
    layer, theirs, mode = make(case), keras_layer(case), quietly(case)
    if case not in IMAGE_GEOMETRY:  # of which nothing is left to chance
        layer.eval()
    apply(layer, case, x), apply(theirs, case, x, **mode)
    copy_weights(layer, theirs)
    mine, his = copies(x), copies(x)
    y, expected = apply(layer, case, mine), apply(theirs, case, his, **mode)
    assert_close(y, expected)
    if not y.requires_grad:
        return
    weights, values = layer.trainable_weights, [v.value for v in theirs.trainable_weights]
    mine, his = ([t for t in nested.flatten(side) if t.requires_grad] for side in (mine, his))
    found = torch.autograd.grad(y.double().square().sum(), [*mine, *weights], allow_unused=True)
    wanted = torch.autograd.grad(expected.double().square().sum(), [*his, *values], allow_unused=True)
    for a, b in zip(found, wanted, strict=True):
        if b is not None:
            scale = max(1.0, b.abs().max().item())
            torch.testing.assert_close(a.detach() / scale, b / scale, rtol=1e-4, atol=1e-5)


@cases
def test_a_model_takes_batches_of_any_size(case, rng):
    x = data(case, rng)
    inputs = nested.map_structure(lambda t: layers.Input(tuple(t.shape[1:]), dtype=t.dtype), x)
    layer = make(case).eval()
    model = torchkeras_lite.Model(inputs, apply(layer, case, inputs))
    for part in (x, nested.map_structure(lambda t: t[:1], x)):
        same(model(part), apply(layer, case, part))


@timed_cases
def test_a_model_takes_any_number_of_steps(case, rng):
    x = data(case, rng)

    def unknown_steps(t):
        steps = 1 if t.shape[1] == 1 else None
        return layers.Input(((steps, *t.shape[2:]) if t.ndim > 2 else t.shape[1:]), dtype=t.dtype)

    inputs = nested.map_structure(unknown_steps, x)
    layer = make(case).eval()
    model = torchkeras_lite.Model(inputs, apply(layer, case, inputs))

    def longer(t):
        return t if t.ndim < 3 or t.shape[1] == 1 else torch.cat([t, t[:, :2]], 1)

    for part in (x, nested.map_structure(longer, x)):
        y = model(part)
        same(y, apply(layer, case, part))
        assert all(size in (None, known) for size, known in zip(model.output_shape, y.shape, strict=True))


@cases
def test_weights_are_named_and_counted_as_in_keras(case, rng):
    x = data(case, rng)
    layer, theirs = make(case, name="same"), keras_layer(case, name="same")
    apply(layer, case, x), apply(theirs, case, x)
    assert layer.count_params() == theirs.count_params()
    for kind in ("weights", "trainable_weights", "non_trainable_weights"):
        mine, his = getattr(layer, kind), getattr(theirs, kind)
        assert [(w.name, w.path, w.shape) for w in mine] == [(w.name, w.path, tuple(w.shape)) for w in his]
    for mine, his in zip(layer.weights, theirs.weights, strict=True):
        assert mine.dtype == his.dtype
    if not any(
        word in case.name
        for word in (
            "Embedding",
            "Dense",
            "Conv",
            "LSTM",
            "GRU",
            "RNN",
            "Attention",
            "Bidirectional",
            "Distributed",
            "Spectral",
        )
    ):
        for mine, his in zip(layer.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(mine, his)


@cases
def test_get_weights_and_set_weights(case, rng):
    x = data(case, rng)
    layer = make(case)
    apply(layer, case, x)
    values = [rng.normal(size=value.shape).astype(value.dtype) for value in layer.get_weights()]
    layer.set_weights(values)
    for mine, value in zip(layer.get_weights(), values, strict=True):
        np.testing.assert_array_equal(mine, value)


@cases
def test_supports_masking_and_input_spec_are_those_of_keras(case, rng):
    x = data(case, rng)
    layer, theirs = make(case), keras_layer(case)
    apply(layer, case, x), apply(theirs, case, x)
    assert layer.supports_masking == theirs.supports_masking


@few_cases
@pytest.mark.parametrize("training", [False, True])
def test_export(case, training, rng):
    x = data(case, rng)
    layer = make(case)
    apply(layer, case, x)
    layer.train(training)
    expected = apply(copy.deepcopy(layer), case, x)
    program = torch.export.export(layer, tuple(x) if case.spread else (x,))
    if not (training and any(word in case.name for word in RANDOM)):
        same(apply(program.module(), case, x), expected)


@few_cases
@pytest.mark.parametrize("training", [False, True])
def test_compile_without_a_graph_break(case, training, rng):
    if training and any(word in case.name for word in RANDOM):
        pytest.skip("draws random values")
    x = data(case, rng)
    layer = make(case)
    apply(layer, case, x)
    layer.train(training)
    torch._dynamo.reset()
    same(
        apply(torch.compile(copy.deepcopy(layer), backend="eager", fullgraph=True), case, x),
        apply(layer, case, x),
    )


@cases
def test_half_precision(case, rng):
    if case.name in ("AveragePooling3D", "STFTSpectrogram"):
        pytest.skip("Keras cannot compute it in bfloat16 on torch")
    x = data(case, rng)
    for policy in ("mixed_bfloat16", "bfloat16"):
        layer = make(case, dtype=policy)
        theirs = keras_layer(case, dtype=policy)
        assert [w.dtype for w in layer.weights] == [w.dtype for w in theirs.weights]
        assert apply(layer, case, x).dtype == apply(theirs, case, x, **quietly(case)).dtype


@cases
def test_docstring_says_what_and_from_where(case):
    text = class_of(case).__doc__
    assert "Source: Keras 3 `keras.layers." in text
    assert "Shapes:" in text
