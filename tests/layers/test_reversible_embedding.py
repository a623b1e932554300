"""`ReversibleEmbedding` against Keras."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from oracle import assert_close, copy_weights, plain_config
from torchkeras_lite import layers

ARGUMENTS = {
    "tied": {},
    "untied": {"tie_weights": False},
    "capped": {"logit_soft_cap": 0.5},
    "masked": {"mask_zero": True, "embeddings_initializer": "normal"},
    "mixed": {"dtype": "mixed_bfloat16", "tie_weights": False},
    "reverse-dtype": {"dtype": "mixed_bfloat16", "reverse_dtype": "float32"},
}


@pytest.mark.parametrize("case", list(ARGUMENTS))
def test_both_directions_are_those_of_keras(case, rng):
    ours = layers.ReversibleEmbedding(5, 3, **ARGUMENTS[case])
    theirs = keras.layers.ReversibleEmbedding(5, 3, **ARGUMENTS[case])
    ids = torch.as_tensor(rng.integers(0, 5, (2, 4)))
    ours(ids), theirs(ids)
    assert [tuple(w.shape) for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    copy_weights(ours, theirs)
    assert_close(ours(ids), theirs(ids))
    x = torch.as_tensor(rng.normal(size=(2, 4, 3)).astype("float32"))
    assert_close(ours(x, reverse=True), theirs(x, reverse=True))
    assert plain_config(ours.get_config()) == plain_config(theirs.get_config())


def test_a_language_model_ties_its_ends(rng):
    table = layers.ReversibleEmbedding(7, 4, mask_zero=True)
    inputs = torchkeras_lite.Input((None,), dtype="int32")
    outputs = table(layers.Dense(4)(table(inputs)), reverse=True)
    assert outputs.shape == (None, None, 7)
    model = torchkeras_lite.Model(inputs, outputs)
    assert model.count_params() == 7 * 4 + 4 * 4 + 4
    ids = rng.integers(1, 7, (8, 5))
    model.compile("adam", torchkeras_lite.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = table.embeddings.numpy()
    model.fit(ids, ids, verbose=0)
    assert not np.array_equal(before, table.embeddings.numpy())


def test_a_cap_is_above_zero():
    with pytest.raises(ValueError, match=r"`logit_soft_cap` must be above 0, got 0.0. Pass None"):
        layers.ReversibleEmbedding(5, 3, logit_soft_cap=0.0)
