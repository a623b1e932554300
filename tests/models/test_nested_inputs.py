"""Nested dicts of inputs, lists through a Sequential, and `training=` that a graph records."""

from collections import namedtuple

import numpy as np
import pytest
import torch

import torchkeras_lite as tkl
from torchkeras_lite import layers


def test_nested_dicts_go_in_and_come_out():
    inputs = {"a": tkl.Input((1,)), "rest": {"b": tkl.Input((2,)), "c": tkl.Input((3,))}}
    outputs = {
        "a": layers.Dense(1)(inputs["a"]),
        "rest": {"b": layers.Dense(2)(inputs["rest"]["b"]), "c": layers.Dense(3)(inputs["rest"]["c"])},
    }
    model = tkl.Model(inputs, outputs)
    data = {"a": np.ones((2, 1)), "rest": {"b": np.ones((2, 2)), "c": np.ones((2, 3))}}
    found = model(data)
    assert found["rest"]["c"].shape == (2, 3)
    symbols = {"a": tkl.Input((1,)), "rest": {"b": tkl.Input((2,)), "c": tkl.Input((3,))}}
    assert model(symbols)["rest"]["b"].shape == (None, 2)
    predicted = model.predict(data, verbose=0)
    np.testing.assert_allclose(predicted["a"], found["a"].detach().numpy(), rtol=1e-6)


def test_named_tuples_come_out_of_predict():
    pair = namedtuple("pair", ["first", "second"])
    inputs = tkl.Input((2,))
    model = tkl.Model(inputs, pair(layers.Dense(1)(inputs), layers.Dense(3)(inputs)))
    found = model.predict(np.ones((4, 2)), verbose=0)
    assert isinstance(found, pair)
    assert found.second.shape == (4, 3)


def test_lists_run_through_a_sequential():
    class Both(tkl.Layer):
        def call(self, inputs):
            assert isinstance(inputs, list)
            return [2 * x for x in inputs]

    model = tkl.Sequential([Both(), layers.Add()])
    np.testing.assert_allclose(model([torch.ones(2, 3), torch.ones(2, 3)]), np.full((2, 3), 4.0))


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("called", [None, True, False])
def test_a_recorded_training_argument_holds(recorded, called):
    inputs = tkl.Input((200,))
    model = tkl.Model(inputs, layers.Dropout(0.5)(inputs, training=recorded))
    outputs = model(torch.ones(1, 200), training=called)
    assert bool((outputs == 0).any()) is recorded


def test_a_call_put_into_a_finished_class_is_followed():
    class Twice(tkl.Layer):
        def call(self, inputs, training=None):
            return inputs * 2

    layer = Twice()
    layer(torch.ones(1))
    Twice.call = lambda self, inputs: inputs * 3
    assert layer(torch.ones(1)).item() == 3
