"""LoRA on quantized layers: Keras's numbers, gradients, weights and files."""

import copy

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from oracle import assert_close
from quantizers.quantized_cases import CONFIGS, LAYERS
from torchkeras_lite import layers, quantizers, saving

table = pytest.mark.parametrize("name", LAYERS)
modes = pytest.mark.parametrize("config", CONFIGS)
orders = pytest.mark.parametrize("lora_first", [True, False], ids=["lora-first", "quantized-first"])


def pair(name, config, rng, lora_first=True):
    """Return a layer of each package, quantized and with the same low-rank weights, and inputs."""
    make, shape = LAYERS[name]
    x = rng.integers(0, 7, (3, 4)) if shape is None else rng.normal(size=shape).astype("float32")
    pair = make(torchkeras_lite), make(keras)
    values = None
    for layer, package in zip(pair, (quantizers, keras.quantizers), strict=True):
        layer.build(x.shape)
        values = values or [rng.normal(size=weight.shape).astype("float32") for weight in layer.weights]
        layer.set_weights(values)
        if lora_first:
            layer.enable_lora(2, lora_alpha=3)
        layer.quantize(config=CONFIGS[config](package))
        if not lora_first:
            layer.enable_lora(2, lora_alpha=3)
    low_rank = {
        weight.name: rng.normal(size=weight.shape).astype("float32")
        for weight in pair[0].weights
        if weight.name.startswith("lora_")
    }
    for layer in pair:
        for weight in layer.weights:
            if weight.name in low_rank:
                weight.assign(low_rank[weight.name])
    return *pair, torch.as_tensor(x)


@table
@modes
@orders
def test_values_gradients_and_files_are_those_of_keras(name, config, lora_first, rng):
    mine, his, x = pair(name, config, rng, lora_first)
    for kind in ("trainable_weights", "non_trainable_weights"):
        shapes = {w.name: tuple(w.shape) for w in getattr(his, kind)}
        assert {w.name: tuple(w.shape) for w in getattr(mine, kind)} == shapes
    ours, theirs = mine(x), his(x)
    assert_close(ours, theirs, 1e-5, 2e-5)
    trained = sorted(mine.trainable_weights, key=lambda w: w.name)
    gradients = torch.autograd.grad(ours.square().sum(), trained)
    variables = sorted(his.trainable_weights, key=lambda w: w.name)
    expected = torch.autograd.grad(theirs.square().sum(), [v.value for v in variables])
    for a, b in zip(gradients, expected, strict=True):
        torch.testing.assert_close(a / b.abs().max(), b / b.abs().max(), rtol=1e-5, atol=1e-5)
    stored, kept = {}, {}
    mine.save_own_variables(stored)
    his.save_own_variables(kept)
    assert list(stored) == list(kept)
    for key, value in kept.items():
        value = value.value if hasattr(value, "value") else value
        value = value.detach() if isinstance(value, torch.Tensor) else value
        np.testing.assert_allclose(np.asarray(stored[key]), np.asarray(value), rtol=1e-5, atol=1e-6)


@table
@modes
def test_a_layer_read_from_what_was_saved_starts_anew(name, config, rng):
    *pairs, x = pair(name, config, rng)
    stored = {}
    pairs[0].save_own_variables(stored)
    read = []
    for layer in pairs:
        again = type(layer).from_config(layer.get_config())
        again.build(tuple(x.shape))
        assert again.lora_enabled
        assert again.quantization_mode == layer.quantization_mode
        again.load_own_variables({key: np.asarray(value) for key, value in stored.items()})
        read.append(again(x))
    assert_close(*read, 1e-5, 2e-5)


@modes
def test_files_go_both_ways(config, rng, tmp_path):
    def make():
        middle = layers.EinsumDense("ab,bc->ac", 3, bias_axes="c")
        return torchkeras_lite.Sequential(
            [torchkeras_lite.Input((5,)), layers.Dense(4), middle, layers.Dense(2)]
        )

    model = make()
    for layer in model.layers[:2]:
        layer.enable_lora(2)
        layer.lora_kernel_b.assign(rng.normal(size=layer.lora_kernel_b.shape))
    model.quantize(config=CONFIGS[config](quantizers))
    model.save(tmp_path / "mine.keras")
    x = rng.normal(size=(3, 5)).astype("float32")
    keras.saving.load_model(tmp_path / "mine.keras").save(tmp_path / "his.keras")
    for file in ("his", "mine"):
        expected = keras.saving.load_model(tmp_path / f"{file}.keras").predict(x, verbose=0)
        read = saving.load_model(tmp_path / f"{file}.keras")
        assert read.layers[0].lora_enabled
        np.testing.assert_allclose(read.predict(x, verbose=0), expected, atol=1e-5)
    model.save_weights(tmp_path / "mine.weights.h5")
    plain = make()
    plain.quantize(config=CONFIGS[config](quantizers))
    plain.load_weights(tmp_path / "mine.weights.h5")
    np.testing.assert_allclose(plain.predict(x, verbose=0), expected, atol=1e-5)


@table
def test_copies_compute_the_same(name, rng):
    layer, _, x = pair(name, "int8", rng)
    other = copy.deepcopy(layer)
    other.load_state_dict(layer.state_dict())
    assert_close(other(x), layer(x))


def test_fit_trains_the_low_rank_weights_and_the_bias(rng):
    model = torchkeras_lite.Sequential([torchkeras_lite.Input((4,)), layers.Dense(3, lora_rank=2)])
    model.quantize("int8")
    names = [weight.name for weight in model.weights]
    before = model.get_weights()
    model.compile("sgd", "mse")
    x = rng.normal(size=(32, 4)).astype("float32")
    losses = model.fit(x, x[:, :3], epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    changed = {n for n, a, b in zip(names, before, model.get_weights(), strict=True) if (a != b).any()}
    assert changed == {"bias", "lora_kernel_a", "lora_kernel_b"}


def test_a_mixed_policy_keeps_the_low_rank_weights_floats():
    layer = layers.Dense(3, dtype="mixed_bfloat16")
    layer.build((None, 4))
    layer.enable_lora(2)
    layer.quantize("int8")
    assert layer.lora_kernel_a.dtype == "float32"
    outputs = layer(torch.ones(2, 4))
    assert outputs.dtype is torch.bfloat16
    outputs.float().sum().backward()
    assert layer.lora_kernel_b.value.grad.abs().sum() > 0


def test_float8_and_lora_are_refused_together():
    layer = layers.Dense(3, lora_rank=2)
    layer.build((None, 4))
    with pytest.raises(NotImplementedError, match=r"mode 'float8' does not support it\. Quantize to 'int8'"):
        layer.quantize("float8")
