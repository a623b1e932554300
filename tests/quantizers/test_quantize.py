"""Quantized layers and models: Keras's numbers, weights and files."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from quantizers.quantized_cases import CONFIGS, LAYERS
from torchkeras_lite import layers, quantizers, saving

RNG = np.random.RandomState(1)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("name", LAYERS)
def test_quantized_layers_are_kerass(name, config):
    make, shape = LAYERS[name]
    x = RNG.randint(0, 7, (3, 4)) if shape is None else RNG.normal(size=shape).astype("float32")
    mine, his = make(torchkeras_lite), make(keras)
    for layer in (mine, his):
        layer.build(x.shape)
    values = [RNG.normal(size=weight.shape).astype("float32") for weight in his.weights]
    mine.set_weights(values)
    his.set_weights(values)
    mine.quantize(config=CONFIGS[config](quantizers))
    his.quantize(config=CONFIGS[config](keras.quantizers))
    np.testing.assert_allclose(mine(x).detach().numpy(), his(x).detach().numpy(), rtol=1e-5, atol=1e-5)
    assert mine.dtype_policy.name == his.dtype_policy.name
    stored, expected = {}, {}
    mine.save_own_variables(stored)
    his.save_own_variables(expected)
    assert {key: (w.name, tuple(w.shape)) for key, w in stored.items()} == {
        key: (w.name, tuple(w.shape)) for key, w in expected.items()
    }
    for key, weight in expected.items():
        np.testing.assert_allclose(np.asarray(stored[key]), weight.numpy(), rtol=1e-6)


PARTS = {
    "dense": lambda: layers.Dense(4, "relu"),
    "einsum": lambda: layers.EinsumDense("ab,bc->ac", 4, bias_axes="c"),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("config", CONFIGS)
def test_files_go_both_ways(config, part, tmp_path):
    model = torchkeras_lite.Sequential([torchkeras_lite.Input((5,)), PARTS[part](), layers.Dense(2)])
    model.quantize(config=CONFIGS[config](quantizers))
    x = RNG.normal(size=(3, 5)).astype("float32")
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "mine.keras")
    keras_model = keras.saving.load_model(tmp_path / "mine.keras")
    keras_model.save(tmp_path / "his.keras")
    for file in ("mine", "his"):
        read = saving.load_model(tmp_path / f"{file}.keras")
        np.testing.assert_allclose(read.predict(x, verbose=0), expected, atol=1e-6)
    np.testing.assert_allclose(keras_model.predict(x, verbose=0), expected, atol=1e-6)


def test_gradients_reach_inputs_and_biases():
    layer = layers.Dense(3)
    x = torch.randn(4, 5, requires_grad=True)
    layer(x)
    kernel = layer.kernel.value.detach()
    layer.quantize("int8")
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad, kernel.sum(1).expand(4, 5), rtol=0.05, atol=0.05)
    assert layer.bias.value.grad is not None
    assert [weight.name for weight in layer.trainable_weights] == ["bias"]


def test_einsum_with_an_ellipsis():
    for equation, shape in (("...x,xy->...y", (2, 3, 5)), ("ab...,bc->ac...", (2, 5, 3))):
        layer = layers.EinsumDense(equation, 7)
        x = torch.rand(shape)
        expected = layer(x)
        layer.quantize("int8")
        torch.testing.assert_close(layer(x), expected, atol=0.02, rtol=0)


def test_models_quantize_the_layers_that_can():
    inputs = torchkeras_lite.Input((6, 4))
    x = layers.MultiHeadAttention(2, 3)(inputs, inputs)
    outputs = layers.Dense(2, name="head")(layers.ReLU()(x))
    model = torchkeras_lite.Model(inputs, outputs)
    x = np.ones((2, 6, 4), "float32")
    before = model.predict(x, verbose=0)
    model.quantize("int8", filters=lambda layer: layer.name != "head")
    assert model.get_layer("head").quantization_mode is None
    model.quantize("int8", filters="head")
    assert model.get_layer("head").quantization_mode == "int8"
    np.testing.assert_allclose(model.predict(x, verbose=0), before, atol=0.05)
    assert model.predict(x, verbose=0).tolist() == model.predict(x, verbose=0).tolist()
    assert not np.array_equal(model.predict(x, verbose=0), before)


class OwnDense(layers.Dense):
    """A subclass, which may compute otherwise."""


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: layers.Dense(2).quantize("int8"),
            ValueError,
            "Cannot quantize a layer that isn't yet built",
        ),
        (lambda: layers.ReLU().quantize("int8"), NotImplementedError, "does not have a `quantize` method"),
        (
            lambda: OwnDense(2).quantize("int8"),
            NotImplementedError,
            "OwnDense does not have a `quantize` method",
        ),
        (lambda: _built().quantize("int9"), ValueError, "Invalid quantization mode. Expected one of"),
        (lambda: _built().quantize(), ValueError, "You must provide either `mode` or `config`"),
        (
            lambda: layers.Dense(2, dtype="float8_from_float32").build((None, 3)),
            ValueError,
            "Build it with 'float32'",
        ),
        (lambda: _built().quantize("gptq"), ValueError, "you must pass a `GPTQConfig` object"),
        (
            lambda: _built().quantize("int4", config=quantizers.Int8QuantizationConfig()),
            ValueError,
            "Contradictory arguments: mode='int4' but config.mode='int8'",
        ),
        (lambda: _built("int8").quantize("int8"), ValueError, "is already quantized"),
    ],
    ids=[
        *("unbuilt", "relu", "subclass", "mode", "nothing", "float8"),
        *("gptq", "contradiction", "twice"),
    ],
)
def test_refusals(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def _built(mode=None):
    layer = layers.Dense(2)
    layer.build((None, 3))
    if mode:
        layer.quantize(mode)
    return layer


def test_a_quantized_policy_builds_a_quantized_layer():
    layer = layers.Dense(2, dtype="int8_from_float32")
    layer.build((None, 3))
    assert [weight.name for weight in layer.stored_weights()] == ["kernel", "bias", "kernel_scale"]
    own = OwnDense(2)
    own.build((None, 3))
    own.quantize("int8", type_check=False)
    assert own.quantization_mode == "int8"


def test_float8_trains_with_the_weights_there_are():
    pytest.importorskip("torchao")
    torchkeras_lite.utils.set_random_seed(0)
    inputs = torchkeras_lite.Input((16,))
    hidden = layers.Dense(32, activation="relu")(inputs)
    model = torchkeras_lite.Model(inputs, layers.Dense(16)(layers.EinsumDense("ab,bc->ac", 32)(hidden)))
    x = np.random.default_rng(0).standard_normal((64, 16)).astype("float32")
    exact, weights = model.predict(x, verbose=0), model.get_weights()
    with pytest.warns(UserWarning, match="mode 'float8' is for Dense"):
        model.quantize("float8")
    rough = model.predict(x, verbose=0)
    np.testing.assert_allclose(rough, exact, atol=0.1 * np.abs(exact).max())
    assert not np.array_equal(rough, exact)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    model.compile("adam", "mse")
    losses = model.fit(x, x, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_a_quantized_table_of_keras_s_scores_in_reverse(mode, tmp_path):
    ids = keras.Input((6,), dtype="int32")
    table = keras.layers.ReversibleEmbedding(10, 4)
    theirs = keras.Model(ids, table(table(ids), reverse=True))
    theirs.quantize(mode)
    theirs.save(tmp_path / "m.keras")
    x = RNG.randint(0, 10, (3, 6)).astype("int32")
    expected = theirs.predict(x, verbose=0)
    found = saving.load_model(tmp_path / "m.keras").predict(x, verbose=0)
    # Keras quantizes what it scores, too.
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())
