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


CONFIGS = {
    "int8": lambda q: q.Int8QuantizationConfig(),
    "int8-weights": lambda q: q.Int8QuantizationConfig(activation_quantizer=None),
    "int4": lambda q: q.Int4QuantizationConfig(block_size=2),
    "int4-inputs": lambda q: q.Int4QuantizationConfig(
        block_size=None, activation_quantizer=q.AbsMaxQuantizer(axis=-1)
    ),
    "int4-without-blocks": lambda q: q.Int4QuantizationConfig(block_size=-1),
}


@pytest.mark.parametrize("config", list(CONFIGS))
@pytest.mark.parametrize("case", ["tied", "untied", "capped"])
def test_quantized_ones_are_those_of_keras(case, config, rng, tmp_path):
    ours = layers.ReversibleEmbedding(6, 5, **ARGUMENTS[case])
    theirs = keras.layers.ReversibleEmbedding(6, 5, **ARGUMENTS[case])
    ours.build(), theirs.build()
    values = [rng.normal(size=w.shape).astype("float32") for w in theirs.weights]
    ours.set_weights(values), theirs.set_weights(values)
    ours.quantize(config=CONFIGS[config](torchkeras_lite.quantizers))
    theirs.quantize(config=CONFIGS[config](keras.quantizers))
    ids = torch.as_tensor(rng.integers(0, 6, (2, 4)))
    x = torch.as_tensor(rng.normal(size=(2, 4, 5)).astype("float32"))
    assert_close(ours(ids), theirs(ids), 1e-5, 1e-5)
    assert_close(ours(x, reverse=True), theirs(x, reverse=True), 1e-5, 1e-5)
    assert ours.dtype_policy.name == theirs.dtype_policy.name
    mine, his = {}, {}
    ours.save_own_variables(mine), theirs.save_own_variables(his)
    assert list(mine) == list(his)
    for key, value in his.items():
        np.testing.assert_allclose(mine[key].numpy(), value.numpy(), rtol=1e-6)
    model = torchkeras_lite.Sequential([torchkeras_lite.Input((4,), dtype="int32"), ours])
    model.save(tmp_path / "mine.keras")
    keras.saving.load_model(tmp_path / "mine.keras").save(tmp_path / "his.keras")
    for file in ("mine", "his"):
        read = torchkeras_lite.saving.load_model(tmp_path / f"{file}.keras").layers[-1]
        assert_close(read(ids), ours(ids))
        assert_close(read(x, reverse=True), ours(x, reverse=True))


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_a_low_rank_product_counts_in_both_directions(mode, rng):
    layer = layers.ReversibleEmbedding(6, 4)
    layer.build()
    layer.quantize(mode)
    rows, scores = layer(np.arange(6)), layer(np.eye(4, dtype="float32"), reverse=True)
    layer.enable_lora(2)
    layer.lora_embeddings_b.assign(rng.normal(size=(2, 4)))
    product = layer.low_rank_product()
    assert_close(layer(np.arange(6)), rows + product, 1e-5, 1e-6)
    assert_close(layer(np.eye(4, dtype="float32"), reverse=True), scores + product.t(), 1e-5, 1e-6)


def test_a_quantized_one_keeps_its_reverse_dtype():
    layer = layers.ReversibleEmbedding(6, 4, dtype="mixed_bfloat16", reverse_dtype="float32")
    layer.build()
    layer.quantize("int8")
    assert layer(torch.ones(2, 4), reverse=True).dtype is torch.float32
    assert layer(torch.tensor([1, 2])).dtype is torch.bfloat16
