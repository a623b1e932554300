"""What every layer keeps: one test a promise, run over the case table."""

import copy
import pickle

import keras
import numpy as np
import pytest
import torch

from cases import CASES
from oracle import keras_layer, plain_config
from torchkeras_lite import layers
from torchkeras_lite.base import nested
from torchkeras_lite.engine.keras_tensor import KerasTensor

RANDOM = ("Dropout", "Noise")
cases = pytest.mark.parametrize("case", CASES, ids=str)


def class_of(case):
    return getattr(layers, case.name)


def make(case, **more):
    return class_of(case)(**case.args, **more)


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
    """A config with what Keras writes as `None`, and we leave out, left out; lists and tuples are one."""
    config = {
        key: value for key, value in config.items() if not (key == "activity_regularizer" and value is None)
    }
    return nested.map_structure(lambda leaf: leaf, _listed(config))


def _listed(value):
    if isinstance(value, dict):
        return {key: _listed(part) for key, part in value.items()}
    return [_listed(part) for part in value] if isinstance(value, (list, tuple)) else value


def same(first, second):
    for a, b in zip(nested.flatten(first), nested.flatten(second), strict=True):
        assert isinstance(a, torch.Tensor)
        torch.testing.assert_close(a, b)


@cases
def test_config_equals_keras_and_round_trips(case, rng):
    layer, theirs = make(case), keras_layer(case.name, **case.args)
    assert settle(plain_config(layer.get_config())) == settle(plain_config(theirs.get_config()))
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    x = data(case, rng)
    layer(x), theirs(x)
    assert settle(plain_config(layer.get_config())) == settle(plain_config(theirs.get_config()))
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


@cases
def test_state_dict_fills_another_layer(case, rng):
    x = data(case, rng)
    layer, other = make(case), make(case)
    layer(x), other(x)
    layer(x, training=True)
    assert not other.load_state_dict(layer.state_dict()).missing_keys
    same(other(x), layer(x))


@cases
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_compute_the_same(case, duplicate, rng):
    x = data(case, rng)
    layer = make(case)
    unbuilt = duplicate(layer)
    layer(x), unbuilt(x)
    unbuilt.set_weights(layer.get_weights())
    same(unbuilt(x), layer(x))
    built = duplicate(layer)
    same(built(x), layer(x))
    assert [w.path for w in built.weights] == [w.path for w in layer.weights]
    assert all(mine is not other for mine, other in zip(layer.parameters(), built.parameters(), strict=True))


@cases
def test_shape_is_known_before_values(case, rng):
    x = data(case, rng)
    dtype = "int32" if case.ints else "float32"
    symbols = nested.map_structure(lambda t: KerasTensor((None, *t.shape[1:]), dtype), x)
    real = make(case)(x)
    outputs = make(case).compute_output_spec(symbols)
    called = make(case)(nested.map_structure(lambda t: layers.Input(tuple(t.shape[1:]), dtype=dtype), x))
    theirs = tuple(keras_layer(case.name, **case.args).compute_output_shape(unknown_batch(case)))
    for symbol in (outputs, called):
        assert symbol.shape == (None, *real.shape[1:])
        assert symbol.dtype == str(real.dtype).removeprefix("torch.")
    assert make(case).compute_output_shape(unknown_batch(case)) == (None, *real.shape[1:])
    assert len(theirs) == real.ndim
    assert all(size in (None, known) for size, known in zip(theirs, real.shape, strict=True))


@cases
def test_weights_are_named_and_counted_as_in_keras(case, rng):
    x = data(case, rng)
    layer, theirs = make(case, name="same"), getattr(keras.layers, case.name)(name="same", **case.args)
    layer(x), theirs(x)
    assert layer.count_params() == theirs.count_params()
    for kind in ("weights", "trainable_weights", "non_trainable_weights"):
        mine, his = getattr(layer, kind), getattr(theirs, kind)
        assert [(w.name, w.path, w.shape) for w in mine] == [(w.name, w.path, tuple(w.shape)) for w in his]
    for mine, his in zip(layer.weights, theirs.weights, strict=True):
        assert mine.dtype == his.dtype
    if not any(word in case.name for word in ("Embedding", "Dense", "Conv", "LSTM", "GRU", "RNN")):
        for mine, his in zip(layer.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(mine, his)


@cases
def test_get_weights_and_set_weights(case, rng):
    x = data(case, rng)
    layer = make(case)
    layer(x)
    values = [rng.normal(size=value.shape).astype(value.dtype) for value in layer.get_weights()]
    layer.set_weights(values)
    for mine, value in zip(layer.get_weights(), values, strict=True):
        np.testing.assert_array_equal(mine, value)


@cases
def test_supports_masking_and_input_spec_are_those_of_keras(case, rng):
    x = data(case, rng)
    layer, theirs = make(case), keras_layer(case.name, **case.args)
    layer(x), theirs(x)
    assert layer.supports_masking == theirs.supports_masking


@cases
@pytest.mark.parametrize("training", [False, True])
def test_export(case, training, rng):
    x = data(case, rng)
    layer = make(case)
    layer(x)
    layer.train(training)
    expected = copy.deepcopy(layer)(x)
    program = torch.export.export(layer, (x,))
    if not (training and any(word in case.name for word in RANDOM)):
        same(program.module()(x), expected)


@cases
@pytest.mark.parametrize("training", [False, True])
def test_compile_without_a_graph_break(case, training, rng):
    if training and any(word in case.name for word in RANDOM):
        pytest.skip("draws random values")
    x = data(case, rng)
    layer = make(case)
    layer(x)
    layer.train(training)
    torch._dynamo.reset()
    same(torch.compile(copy.deepcopy(layer), backend="eager", fullgraph=True)(x), layer(x))


@cases
def test_half_precision(case, rng):
    x = data(case, rng)
    for policy in ("mixed_bfloat16", "bfloat16"):
        layer = make(case, dtype=policy)
        theirs = keras_layer(case.name, dtype=policy, **case.args)
        assert [w.dtype for w in layer.weights] == [w.dtype for w in theirs.weights]
        assert layer(x).dtype == theirs(x).dtype


@cases
def test_docstring_says_what_and_from_where(case):
    text = class_of(case).__doc__
    assert "Source: Keras 3 `keras.layers." in text
    assert "Shapes:" in text
