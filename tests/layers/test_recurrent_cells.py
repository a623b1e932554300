"""Recurrent cells, of the package and of the user, alone and in `RNN`, against Keras."""

import keras
import pytest
import torch

from oracle import assert_close, assert_layer_matches, plain_config
from torchkeras_lite import layers
from torchkeras_lite.saving import deserialize_keras_object, serialize_keras_object

kinds = pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])


def both(kind, *args, **kwargs):
    return getattr(layers, kind)(*args, **kwargs), getattr(keras.layers, kind)(*args, **kwargs)


def states(kind, rng):
    count = 2 if kind == "LSTM" else 1
    return [torch.as_tensor(rng.normal(size=(4, 5)).astype("float32")) for _ in range(count)]


@kinds
@pytest.mark.parametrize("args", [{}, {"activation": "relu", "use_bias": False}], ids=str)
def test_cells_match_keras(kind, args, rng):
    ours, theirs = both(f"{kind}Cell", 5, **args)
    assert plain_config(ours.get_config()) == plain_config(theirs.get_config())
    assert_layer_matches(ours, theirs, rng.normal(size=(4, 3)), states=states(kind, rng))
    assert ours.state_size == theirs.state_size
    assert ours.output_size == theirs.output_size
    assert_close(ours.get_initial_state(2), theirs.get_initial_state(2))


@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU"])
def test_cells_take_a_bare_state(kind, rng):
    ours, theirs = both(f"{kind}Cell", 5)
    assert_layer_matches(ours, theirs, rng.normal(size=(4, 3)), states=states(kind, rng)[0])


def minimal_cell(library, matmul):
    class MinimalRNNCell(library.layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = self.state_size = units

        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
            self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel")
            self.built = True

        def call(self, inputs, states):
            output = matmul(inputs, self.kernel) + matmul(states[0], self.recurrent_kernel)
            return output, [output]

    return MinimalRNNCell


OURS = minimal_cell(type("library", (), {"layers": layers}), torch.matmul)
THEIRS = minimal_cell(keras, keras.ops.matmul)
SOME = {"return_sequences": True, "return_state": True}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("args", [{}, SOME, {"go_backwards": True, "zero_output_for_mask": True}], ids=str)
def test_cells_of_the_user(args, masked, rng):
    mask = {"mask": torch.as_tensor(rng.random((4, 6)) > 0.4)} if masked else {}
    ours = layers.RNN(OURS(5), **args, name="same")
    theirs = keras.layers.RNN(THEIRS(5), **args, name="same")
    assert_layer_matches(ours, theirs, rng.normal(size=(4, 6, 3)), **mask)
    assert ours.state_size == theirs.state_size == [5]
    assert [w.path.split("/")[0::2] for w in ours.weights] == [
        w.path.split("/")[0::2] for w in theirs.weights
    ]
    mine, his = ours(layers.Input((None, 3))), theirs(keras.Input((None, 3)))
    assert [s.shape for s in keras.tree.flatten(mine)] == [s.shape for s in keras.tree.flatten(his)]


def three_cells(library, own):
    return [library.layers.LSTMCell(5), own(4), library.layers.GRUCell(3)]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("args", [{}, SOME], ids=str)
def test_several_cells(args, masked, rng):
    mask = {"mask": torch.as_tensor(rng.random((4, 6)) > 0.4)} if masked else {}
    ours = layers.RNN(three_cells(type("library", (), {"layers": layers}), OURS), **args)
    theirs = keras.layers.RNN(three_cells(keras, THEIRS), **args)
    x = rng.normal(size=(4, 6, 3))
    assert_layer_matches(ours, theirs, x, **mask)
    assert ours.cell.state_size == theirs.cell.state_size
    assert ours.cell.output_size == 3
    symbols = ours(layers.Input((6, 3)))
    real = ours(torch.as_tensor(x.astype("float32")))
    flat = keras.tree.flatten(symbols)
    assert [s.shape[1:] for s in flat] == [tuple(r.shape[1:]) for r in keras.tree.flatten(real)]


def test_config_of_several_cells():
    ours = layers.RNN([layers.LSTMCell(5), layers.GRUCell(3)], return_state=True)
    theirs = keras.layers.RNN([keras.layers.LSTMCell(5), keras.layers.GRUCell(3)], return_state=True)
    mine, his = ours.get_config(), theirs.get_config()
    for config in (mine["cell"], his["cell"]):
        config["config"].pop("name")
        for cell in config["config"]["cells"]:
            cell["config"].pop("name")
    assert plain_config(mine) == plain_config(his)
    assert deserialize_keras_object(serialize_keras_object(ours)).get_config() == ours.get_config()
