"""Bidirectional, against Keras."""

import keras
import numpy as np
import pytest
import torch

from oracle import assert_close, assert_layer_matches, copy_weights, plain_config
from torchkeras_lite import layers, models

MERGES = ("concat", "sum", "ave", "mul", None)
MASK = np.array([[1, 0, 1, 0, 1, 1], [0, 1, 1, 0, 0, 1], [1, 0, 0, 0, 0, 0], [0] * 6], bool)


def both(kind, args, **kwargs):
    ours = layers.Bidirectional(getattr(layers, kind)(5, **args), **kwargs)
    return ours, keras.layers.Bidirectional(getattr(keras.layers, kind)(5, **args), **kwargs)


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "args", [{}, {"return_sequences": True}, {"return_sequences": True, "return_state": True}], ids=str
)
def test_merges_match_keras(merge, args, masked, rng):
    for kind in ("LSTM", "GRU"):
        extra = {"mask": torch.as_tensor(MASK)} if masked else {}
        if args:
            count = 4 if kind == "LSTM" else 2
            extra["initial_state"] = [torch.randn(4, 5) for _ in range(count)]
        ours, theirs = both(kind, args, merge_mode=merge)
        assert_layer_matches(ours, theirs, rng.normal(size=(4, 6, 3)), **extra)


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("state", [False, True])
def test_shapes_and_masks_are_known_before_values(merge, sequences, state):
    args = {"return_sequences": sequences, "return_state": state}
    ours, theirs = both("LSTM", args, merge_mode=merge)
    mine, his = ours(layers.Input((None, 3))), theirs(keras.Input((None, 3)))
    flat = keras.tree.flatten
    assert [s.shape for s in flat(mine)] == [s.shape for s in flat(his)]
    x = torch.randn(4, 6, 3)
    x._keras_mask = torch.as_tensor(MASK)
    for a, b in zip(flat(ours(x)), flat(theirs(x)), strict=True):
        assert (getattr(a, "_keras_mask", None) is None) == (getattr(b, "_keras_mask", None) is None)


@pytest.mark.parametrize("args", [{}, {"return_sequences": True}], ids=str)
def test_names_and_configs_are_those_of_keras(args):
    ours, theirs = both("LSTM", {**args, "name": "inner"}, name="same")
    mine, his = ours.get_config(), theirs.get_config()
    for config in (his["layer"], his["backward_layer"]):
        config["config"].pop("activity_regularizer")
    for layer in (ours, theirs):
        layer.build((None, 6, 3))
    assert plain_config(mine) == plain_config(his)
    assert layers.Bidirectional.from_config(mine).get_config() == mine
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]


def test_layers_of_each_direction(rng):
    def make(room):
        backward = room.GRU(4, go_backwards=True, return_sequences=True, name="own")
        return room.Bidirectional(room.LSTM(5, return_sequences=True), backward_layer=backward)

    ours, theirs = make(layers), make(keras.layers)
    assert_layer_matches(ours, theirs, rng.normal(size=(4, 6, 3)), mask=torch.as_tensor(MASK))
    assert ours.backward_layer.name == "own"
    assert ours.backward_layer.zero_output_for_mask
    custom = layers.Bidirectional(layers.RNN(layers.LSTMCell(5)))
    theirs = keras.layers.Bidirectional(keras.layers.RNN(keras.layers.LSTMCell(5)))
    assert_layer_matches(custom, theirs, rng.normal(size=(4, 6, 3)))


def test_states_are_kept_and_reset(rng):
    ours, theirs = both("GRU", {"stateful": True})
    x = rng.normal(size=(4, 6, 3))
    assert ours.states is None
    x = torch.as_tensor(x.astype("float32"))
    ours(x), theirs(x)
    copy_weights(ours, theirs)
    ours.reset_state(), theirs.reset_state()
    for _ in range(2):
        assert_close(ours(x), theirs(x))
    assert len(ours.states) == 2
    ours.reset_states()
    assert not any(state.any() for state in ours.states)


def test_initial_weights_and_a_frozen_layer(rng):
    x = torch.randn(4, 6, 3)
    first = layers.Bidirectional(layers.LSTM(5))
    first(x)
    second = layers.Bidirectional(layers.LSTM(5), weights=first.get_weights())
    assert_close(second(x), first(x))
    frozen = layers.Bidirectional(layers.LSTM(5, trainable=False))
    frozen(x)
    assert not frozen.trainable_weights
    assert len(frozen.weights) == 6


def test_in_a_sequential_model_with_export(rng):
    model = models.Sequential(
        [layers.Input((6, 3)), layers.Bidirectional(layers.LSTM(4, return_sequences=True)), layers.Dense(2)]
    )
    x = torch.randn(5, 6, 3)
    program = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    assert_close(program.module()(x[:3]), model(x[:3]))
    torch._dynamo.reset()
    assert_close(torch.compile(model, backend="eager", fullgraph=True)(x), model(x))


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match=r"Invalid merge mode\. Received: mean"):
        layers.Bidirectional(layers.LSTM(4), merge_mode="mean")
    with pytest.raises(TypeError, match="expected a recurrent layer"):
        layers.Bidirectional(layers.Dense(4))
    with pytest.raises(ValueError, match="should have different `go_backwards`"):
        layers.Bidirectional(layers.LSTM(4), backward_layer=layers.LSTM(4))
    other = layers.LSTM(4, go_backwards=True, return_sequences=True)
    with pytest.raises(ValueError, match='same value for attribute "return_sequences"'):
        layers.Bidirectional(layers.LSTM(4), backward_layer=other)
    with pytest.raises(ValueError, match="expected an even number of initial states"):
        layers.Bidirectional(layers.GRU(4))(torch.randn(2, 5, 3), initial_state=[torch.zeros(2, 4)])
