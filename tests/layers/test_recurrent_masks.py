"""Recurrent layers with masks of every kind, against Keras."""

import keras
import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from oracle import assert_close, assert_layer_matches
from torchkeras_lite import layers, models

KINDS = ("SimpleRNN", "LSTM", "GRU")
MASKS = {
    "all": np.ones((4, 6), bool),
    "right": np.arange(6)[None] < np.array([[6], [3], [1], [2]]),
    "left": np.arange(6)[None] >= np.array([[0], [3], [5], [2]]),
    "holes": np.array([[1, 0, 1, 0, 1, 1], [0, 1, 1, 0, 0, 1], [1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0]], bool),
    "empty row": np.array([[0] * 6, [1] * 6, [0, 1, 0, 1, 0, 0], [0] * 6], bool),
    "empty": np.zeros((4, 6), bool),
}
ARGUMENTS = [
    {},
    {"return_sequences": True},
    {"return_sequences": True, "return_state": True},
    {"return_state": True, "go_backwards": True},
    {"return_sequences": True, "zero_output_for_mask": True},
    {"zero_output_for_mask": True, "return_state": True},
    {"activation": "relu", "return_sequences": True, "return_state": True},
]


def start(kind, rng):
    count = 2 if kind == "LSTM" else 1
    return {
        "initial_state": [torch.as_tensor(rng.normal(size=(4, 5)).astype("float32")) for _ in range(count)]
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("args", ARGUMENTS, ids=str)
def test_masked_layers_match_keras(kind, mask, args, rng):
    ours, theirs = getattr(layers, kind)(5, **args), getattr(keras.layers, kind)(5, **args)
    x = rng.normal(size=(4, 6, 3))
    states = start(kind, rng) if len(args) != 1 else {}
    assert_layer_matches(ours, theirs, x, mask=torch.as_tensor(MASKS[mask]), **states)


@pytest.mark.parametrize("mask", ["holes", "empty row"])
def test_other_gates_match_keras(mask, rng):
    for args in ({"reset_after": False}, {"recurrent_activation": "hard_sigmoid"}):
        ours, theirs = layers.GRU(5, **args), keras.layers.GRU(5, **args)
        assert_layer_matches(ours, theirs, rng.normal(size=(4, 6, 3)), mask=torch.as_tensor(MASKS[mask]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_kernel_and_the_steps_agree(kind, rng):
    x = torch.as_tensor(rng.normal(size=(4, 6, 3)))
    args = {"return_sequences": True, "return_state": True, "dtype": "float64"}
    if kind == "SimpleRNN":
        fused, stepped = layers.SimpleRNN(5, **args), layers.SimpleRNN(5, recurrent_dropout=1e-30, **args)
        stepped.train()
    else:
        fused, stepped = (getattr(layers, kind)(5, use_cudnn=flag, **args) for flag in ("auto", False))
    fused(x), stepped(x)
    stepped.set_weights(fused.get_weights())
    for mask in map(torch.as_tensor, MASKS.values()):
        for mine, other in zip(fused(x, mask=mask), stepped(x, mask=mask), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_the_cell_state_is_held_exactly(scale, rng):
    cell = layers.LSTMCell(5)
    cell.build((None, 3))
    x = torch.as_tensor(rng.normal(size=(4, 6, 3)).astype("float32")) * scale
    states = [torch.randn(4, 5), torch.randn(4, 5) * scale]
    held = torch.arange(6) >= torch.tensor([[2], [4], [6], [1]])
    _, (_, c) = cell.run_kernel_holding(x, states, held)
    for row, length in enumerate((2, 4, 6, 1)):
        _, (_, alone) = cell.run_kernel(x[row : row + 1, :length], [s[row : row + 1] for s in states])
        torch.testing.assert_close(c[row], alone[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("kind", KINDS)
def test_kernels_take_packed_rows(kind, policy, rng):
    cell = getattr(layers, f"{kind}Cell")(5, dtype=policy)
    cell.build((None, 3))
    x = torch.randn(4, 6, 3).to(cell._compute)
    states = [torch.randn(4, 5).to(cell._compute) for _ in range(2 if kind == "LSTM" else 1)]
    lengths = torch.tensor([3, 6, 1, 4])
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    outputs, finals = cell.run_kernel(packed, states)
    outputs, _ = pad_packed_sequence(outputs, batch_first=True)
    for row, length in enumerate(lengths.tolist()):
        alone, last = cell.run_kernel(x[row : row + 1, :length], [s[row : row + 1] for s in states])
        torch.testing.assert_close(outputs[row, :length], alone[0], rtol=2e-2, atol=2e-2)
        torch.testing.assert_close([f[row] for f in finals], [f[0] for f in last], rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("masks", [MASKS["holes"], MASKS["empty row"]], ids=["holes", "empty row"])
def test_masks_travel_from_an_embedding(kind, masks, rng):
    def model(library, room):
        ids = library.Input((None,), dtype="int32")
        x = room.Embedding(10, 4, mask_zero=True)(ids)
        x = getattr(room, kind)(5, return_sequences=True)(x)
        x = room.Dropout(0.5)(x)
        return ids, getattr(room, kind)(3)(x)

    ours, theirs = models.Model(*model(layers, layers)), keras.Model(*model(keras, keras.layers))
    ours.set_weights(theirs.get_weights())
    ids = rng.integers(1, 10, (4, 6)) * masks
    assert_close(ours(ids), theirs(ids))
    stacked = models.Sequential(
        [layers.Embedding(10, 4, mask_zero=True), getattr(layers, kind)(5, return_sequences=True)]
    )
    assert torch.equal(stacked(torch.as_tensor(ids))._keras_mask, torch.as_tensor(masks))


def test_masks_that_come_out():
    mask = torch.tensor([[True, False], [True, True]])
    for sequences in (False, True):
        for state in (False, True):
            args = {"return_sequences": sequences, "return_state": state}
            mine = layers.LSTM(4, **args).compute_mask(None, mask)
            his = keras.layers.LSTM(4, **args).compute_mask(None, mask)
            assert mine is his or all(a is b for a, b in zip(mine, his, strict=True))
