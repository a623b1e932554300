"""TimeDistributed, against Keras."""

import keras
import numpy as np
import pytest
import torch

from oracle import assert_close, assert_layer_matches, plain_config
from torchkeras_lite import layers, models

INSIDE = [
    ("Dense", {"units": 4, "activation": "relu"}, (3,)),
    ("Conv2D", {"filters": 2, "kernel_size": 3, "padding": "same"}, (5, 4, 3)),
    ("MaxPooling2D", {}, (4, 4, 3)),
    ("Flatten", {}, (2, 3)),
    ("LayerNormalization", {}, (3,)),
    ("BatchNormalization", {}, (3,)),
    ("GRU", {"units": 4, "return_sequences": True}, (5, 3)),
    ("LSTM", {"units": 4}, (5, 3)),
]


@pytest.mark.parametrize(("name", "args", "step"), INSIDE, ids=str)
def test_layers_inside_match_keras(name, args, step, rng):
    ours = layers.TimeDistributed(getattr(layers, name)(**args), name="same")
    theirs = keras.layers.TimeDistributed(getattr(keras.layers, name)(**args), name="same")
    shape = (2, 6, *step)
    assert ours.compute_output_shape((None, None, *step)) == theirs.compute_output_shape((None, None, *step))
    assert_layer_matches(ours, theirs, rng.normal(size=shape), training=False)
    assert [w.path.split("/")[-1] for w in ours.weights] == [w.path.split("/")[-1] for w in theirs.weights]
    assert ours.supports_masking


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_masks_are_cut_into_steps(name, rng):
    ours = layers.TimeDistributed(getattr(layers, name)(4))
    theirs = keras.layers.TimeDistributed(getattr(keras.layers, name)(4))
    mask = torch.as_tensor(rng.random((2, 6, 5)) > 0.4)
    assert_layer_matches(ours, theirs, rng.normal(size=(2, 6, 5, 3)), mask=mask)


def test_masks_travel_on():
    x = torch.randn(2, 3, 4)
    x._keras_mask = torch.tensor([[True, False, True], [True, True, False]])
    assert layers.TimeDistributed(layers.Dense(2))(x)._keras_mask is x._keras_mask


def test_statistics_move_once_a_step(rng):
    ours = layers.TimeDistributed(layers.BatchNormalization(momentum=0.5))
    theirs = keras.layers.TimeDistributed(keras.layers.BatchNormalization(momentum=0.5))
    assert_layer_matches(ours, theirs, rng.normal(size=(4, 6, 3)), training=True, rtol=1e-4, atol=1e-4)
    assert not np.allclose(ours.get_weights()[2], 0)


def counting(room):
    class Counting(room.Layer):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def call(self, inputs):
            self.calls += 1
            return inputs - inputs.mean(0)

    return Counting()


def test_layers_of_the_user_are_called_for_every_step(rng):
    ours = layers.TimeDistributed(counting(layers))
    theirs = keras.layers.TimeDistributed(counting(keras.layers))
    x = torch.randn(4, 6, 3)
    assert_close(ours(x), theirs(x))
    ours.layer.calls = 0
    ours(x)
    assert ours.layer.calls == 6


def test_models_of_frames(rng):
    def make(library, room):
        return room.TimeDistributed(
            library.Sequential(
                [room.Conv2D(3, 3), room.BatchNormalization(), room.Flatten(), room.Dropout(0.5)]
            )
        )

    ours, theirs = make(models, layers), make(keras, keras.layers)
    x = rng.normal(size=(2, 3, 6, 6, 2))
    assert_layer_matches(ours, theirs, x, training=False)
    assert ours.steps_are_independent(False)
    assert not ours.steps_are_independent(True)
    symbol = ours(layers.Input((None, 6, 6, 2)))
    assert symbol.shape == (None, None, 48)


def test_dropout_differs_from_step_to_step():
    layer = layers.TimeDistributed(layers.Dropout(0.5))
    y = layer(torch.ones(4, 6, 50), training=True)
    assert not torch.equal(y[:, 0], y[:, 1])


def test_configs_are_those_of_keras():
    ours, theirs = (
        layers.TimeDistributed(layers.Dense(3)),
        keras.layers.TimeDistributed(keras.layers.Dense(3)),
    )
    mine, his = ours.get_config(), theirs.get_config()
    assert layers.TimeDistributed.from_config(mine).get_config() == mine
    for config in (mine, his):
        config["layer"]["config"].pop("name")
    assert plain_config(mine) == plain_config(his)


def test_export_and_compilation():
    layer = layers.TimeDistributed(layers.Conv2D(2, 3))
    x = torch.randn(2, 4, 5, 5, 3)
    expected = layer(x)
    batch, steps = torch.export.Dim("batch"), torch.export.Dim("steps")
    program = torch.export.export(layer, (x,), dynamic_shapes=({0: batch, 1: steps},))
    assert_close(program.module()(x), expected)
    assert_close(program.module()(x[:1].repeat(3, 2, 1, 1, 1)), layer(x[:1].repeat(3, 2, 1, 1, 1)))
    torch._dynamo.reset()
    assert_close(torch.compile(layer, backend="eager", fullgraph=True)(x), expected)


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="Please initialize `TimeDistributed`"):
        layers.TimeDistributed(3)
    with pytest.raises(ValueError, match="at least 3 dimensions"):
        layers.TimeDistributed(layers.Dense(3))(torch.randn(2, 5))
    with pytest.raises(ValueError, match="incompatible with the input shape"):
        layers.TimeDistributed(layers.Dense(3))(torch.randn(2, 5, 3), mask=torch.ones(2, 4, dtype=torch.bool))
