"""GPTQ and AWQ: Keras's weights, files and AWQ numbers; GPTQ's numbers from the paper's equations."""

import keras
import numpy as np
import pytest
import torch
from keras.src.quantizers.awq import AWQ

import torchkeras_lite
from torchkeras_lite import layers, quantizers, saving
from torchkeras_lite.quantizers.awq import AWQCalibrator
from torchkeras_lite.quantizers.gptq import GPTQCalibrator
from torchkeras_lite.quantizers.token_windows import token_windows
from torchkeras_lite.quantizers.zero_points import round_in_groups, scale_and_zero

CONFIGS = {
    "gptq": (quantizers.GPTQConfig, keras.quantizers.GPTQConfig),
    "awq": (quantizers.AWQConfig, keras.quantizers.AWQConfig),
}
LAYERS = {
    "dense": (lambda k, **own: k.layers.Dense(5, "relu", **own), (None, 12)),
    "dense without bias": (lambda k, **own: k.layers.Dense(8, use_bias=False, **own), (None, 3, 6)),
    "einsum": (lambda k, **own: k.layers.EinsumDense("abc,cd->abd", (None, 7), **own), (None, 3, 6)),
    "query": (
        lambda k, **own: k.layers.EinsumDense("abc,cde->abde", (None, 2, 4), bias_axes="de", **own),
        (None, 3, 12),
    ),
    "output": (
        lambda k, **own: k.layers.EinsumDense("abcd,cde->abe", (None, 8), bias_axes="e", **own),
        (None, 3, 2, 6),
    ),
}
POLICIES = ["gptq/4/4", "gptq/4/-1", "gptq/8/5", "gptq/3/4", "gptq/2/-1", "awq/4/4", "awq/4/-1"]


def _config(policy, place=0, data=None, tokenizer=None, **settings):
    mode, bits, size = policy.split("/")
    settings = {"weight_bits": int(bits), "group_size": int(size), **settings}
    return CONFIGS[mode][place](data, tokenizer, **settings)


def _numpy(tensor):
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def _both_signs(rng, inputs, outputs):
    """Weights whose groups all have both signs, since other zero points overflow in Keras."""
    signs = np.where(np.arange(inputs) % 2, 1, -1)[:, None]
    return (signs * np.abs(rng.normal(size=(inputs, outputs)))).astype("float32")


def _correlated(rng, samples, features):
    return (rng.normal(size=(samples, features)) @ rng.normal(size=(features, features))).astype("float32")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_and_their_files_are_kerass(name, policy, rng):
    make, shape = LAYERS[name]
    mine, built = make(torchkeras_lite), make(torchkeras_lite, dtype=f"{policy}_from_float32")
    his = make(keras, dtype=f"{policy}_from_float32")
    for layer in (mine, built, his):
        layer.build(shape)
    mine.set_weights([rng.normal(size=weight.shape).astype("float32") for weight in mine.weights])
    x = rng.normal(size=(2, *shape[1:])).astype("float32")
    exact = mine(x).detach().numpy()
    mine.quantize(config=_config(policy))
    assert mine.dtype_policy.name == built.dtype_policy.name == his.dtype_policy.name
    expected = [(w.name, tuple(w.shape), keras.backend.standardize_dtype(w.dtype)) for w in his.weights]
    for layer in (mine, built):
        found = [(w.name, tuple(w.shape), keras.backend.standardize_dtype(w.dtype)) for w in layer.weights]
        assert found == expected
    stored = {}
    mine.save_own_variables(stored)
    stored = {key: np.asarray(value) for key, value in stored.items()}
    for layer in (built, his):
        layer.load_own_variables(stored)
        assert getattr(layer, f"is_{policy.partition('/')[0]}_calibrated")
    outputs = mine(x).detach().numpy()
    np.testing.assert_allclose(_numpy(his(x)), outputs, atol=1e-6)
    np.testing.assert_array_equal(built(x).detach().numpy(), outputs)
    bits = int(policy.split("/")[1])
    assert 0 < np.abs(outputs - exact).max() < 20 / 2**bits
    for attribute in ("quantized_kernel", "kernel_scale", "kernel_zero", "g_idx"):
        np.testing.assert_array_equal(_numpy(getattr(his, attribute)), np.asarray(getattr(mine, attribute)))


@pytest.mark.parametrize(
    "settings",
    [
        {"group_size": -1},
        {"group_size": 4, "symmetric": True},
        {"group_size": 6, "per_channel": False},
        {"group_size": -1, "per_channel": False, "symmetric": True, "weight_bits": 3},
        {"group_size": 8, "weight_bits": 8},
    ],
    ids=["channels", "symmetric", "all-outputs", "symmetric-all-outputs", "8-bits"],
)
def test_rounding_is_kerass(settings, rng):
    """In Keras 3.15.1 the data do not reach the layers, so its `quantize` rounds to the nearest integers."""
    weights = _both_signs(rng, 16, 6)
    tokens, dense = keras.layers.Embedding(9, 16), keras.layers.Dense(6, use_bias=False)
    inner = keras.Input((None, 16))
    block = keras.Model(inner, dense(inner))
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, block(tokens(inputs)))
    dense.set_weights([weights])
    structure = {"pre_block_layers": [tokens], "sequential_blocks": [block]}
    config = _config(
        "gptq/4/4", 1, [np.arange(9)], str, num_samples=2, sequence_length=3, **settings,
        quantization_layer_structure=structure,
    )  # fmt: skip
    model.quantize("gptq", config=config)
    mine = layers.Dense(6, use_bias=False)
    mine.build((None, 16))
    mine.set_weights([weights])
    mine.quantize(config=_config("gptq/4/4", **settings))
    for attribute in ("quantized_kernel", "kernel_scale", "kernel_zero", "g_idx"):
        np.testing.assert_array_equal(
            _numpy(getattr(dense, attribute)), np.asarray(getattr(mine, attribute)), err_msg=attribute
        )


@pytest.mark.parametrize(("size", "points"), [(-1, 20), (8, 20), (6, 3), (16, 1)], ids=str)
def test_awq_numbers_are_kerass(size, points, rng):
    weights = _both_signs(rng, 32, 12)
    x = (rng.normal(size=(80, 32)) * np.geomspace(0.05, 20, 32)).astype("float32")
    x[:, 3], x[:, 4] = 0, 1e-6
    layer = keras.layers.Dense(12, use_bias=False)
    layer.build((None, 32))
    layer.set_weights([weights])
    config = _config("awq/4/4", 1, group_size=size, num_grid_points=points)
    layer.quantize("awq", config=config)
    theirs = AWQ(layer, config)
    mine = AWQCalibrator(_config("awq/4/4", group_size=size, num_grid_points=points))
    for part in np.split(x, 4):
        theirs.update_activation_magnitudes(part)
        mine.update(torch.from_numpy(part))
    theirs.quantize_layer()
    found = mine.integers(torch.from_numpy(weights.T))
    np.testing.assert_allclose(_numpy(layer.awq_scales), found.input_scales.numpy(), rtol=1e-5)
    np.testing.assert_allclose(_numpy(layer.kernel_scale), found.scale.numpy(), rtol=1e-5)
    np.testing.assert_array_equal(_numpy(layer.g_idx), found.groups.numpy())
    expected = keras.quantizers.unpack_int4(layer.quantized_kernel, 12, axis=0, dtype="uint8")
    np.testing.assert_array_equal(_numpy(expected), found.integers.numpy())
    np.testing.assert_array_equal(_numpy(layer.kernel_zero), found.zero.numpy())


def _one_by_one(weights, products, size, bits):
    """Frantar et al., equations (2) and (3): the inverse of the rows that are left, anew for each column."""
    weights, count = weights.double(), len(products)
    rounded = torch.empty_like(weights)
    for column in range(count):
        if column % size == 0:
            scale, zero = scale_and_zero(weights[:, column : column + size], bits)
        value = weights[:, column : column + 1]
        rounded[:, column : column + 1] = ((value / scale).round() + zero).clamp(0, 2**bits - 1)
        error = value - (rounded[:, column : column + 1] - zero) * scale
        inverse = torch.linalg.inv(products[column:, column:])
        weights[:, column:] -= error / inverse[0, 0] * inverse[0]
    return rounded


@pytest.mark.parametrize(
    ("features", "size", "bits"),
    [(24, -1, 4), (24, 8, 3), (24, 7, 4), (150, 150, 8), (140, 135, 4)],
    ids=["whole", "groups", "uneven", "two-blocks", "group-across-blocks"],
)
def test_gptq_is_that_of_the_paper(features, size, bits, rng):
    x = torch.from_numpy(_correlated(rng, 3 * features, features))
    weights = torch.from_numpy(rng.normal(size=(6, features)).astype("float32"))
    calibrator = GPTQCalibrator(_config("gptq/4/4", group_size=size, weight_bits=bits))
    for part in x.split(50):
        calibrator.update(part)
    products = (x.T @ x).double()
    products += 0.01 * products.diagonal().mean() * torch.eye(features)
    expected = _one_by_one(weights.clone(), products, features if size == -1 else size, bits)
    found = calibrator.integers(weights)
    differ = (found.integers.double() - expected).abs()
    assert differ.mean() < 0.01  # float32 decides ties otherwise than float64


@pytest.mark.parametrize("order", [False, True], ids=["in-order", "activation-order"])
@pytest.mark.parametrize("size", [-1, 16], ids=["whole", "groups"])
def test_gptq_errs_less_than_rounding(size, order, rng):
    x = torch.from_numpy(_correlated(rng, 400, 96)) * torch.linspace(0.1, 3, 96)
    x[:, 5] = 0
    weights = torch.from_numpy(rng.normal(size=(10, 96)).astype("float32"))
    before = weights.clone()
    calibrator = GPTQCalibrator(_config("gptq/4/4", group_size=size, activation_order=order))
    nearest = calibrator.integers(weights)
    calibrator.update(x)
    found = calibrator.integers(weights)
    errors = [((one.floats() - weights) @ x.T).square().mean() for one in (found, nearest)]
    assert errors[0] < 0.8 * errors[1]
    torch.testing.assert_close(weights, before, rtol=0, atol=0)
    assert torch.equal(found.groups, nearest.groups) != order


def test_activation_order_takes_the_groups_along():
    x = torch.diag(torch.tensor([1.0, 4.0, 2.0, 3.0]))
    calibrator = GPTQCalibrator(_config("gptq/4/4", group_size=2, activation_order=True))
    calibrator.update(x)
    weights = torch.tensor([[1.0, -3.0, -1.0, 6.0]])
    found = calibrator.integers(weights)
    assert found.groups.tolist() == [1.5, 0, 1, 0.5]
    torch.testing.assert_close(found.scale, torch.tensor([[9 / 15, 2 / 15]]))
    torch.testing.assert_close(found.floats(), weights, atol=0.07, rtol=0)


@pytest.mark.parametrize("symmetric", [False, True], ids=["asymmetric", "symmetric"])
@pytest.mark.parametrize(
    "row",
    [
        [2.0, 2.5, 3.0, 2.2],
        [-9.0, -9.001, -9.002, -9.0],
        [0.7] * 4,
        [-0.3] * 4,
        [0.0] * 4,
        [5.0, 0.0, 1.0, 0.0],
    ],
    ids=["positive", "far-below-0", "same", "same-below-0", "zeros", "from-0"],
)
def test_ranges_that_overflow_in_keras(row, symmetric):
    weights = torch.tensor([row, [-1.0, 1.0, 0.5, 0.25]])
    found = round_in_groups(weights, 4, -1, symmetric=symmetric).floats()
    step = 2 * weights.abs().amax(1, keepdim=True) / 15
    assert ((found - weights).abs() <= step + 1e-6).all()
    if len(set(row)) == 1 and not symmetric:
        torch.testing.assert_close(found[0], weights[0])


def test_inputs_that_determine_nothing_are_refused():
    calibrator = GPTQCalibrator(_config("gptq/4/4", hessian_damping=0.0))
    calibrator.update(torch.ones(2, 6))
    with pytest.raises(ValueError, match="Use a larger `hessian_damping`"):
        calibrator.integers(torch.randn(3, 6))


def test_windows():
    found = token_windows([range(60), range(60, 100)], None, 5, 10)
    assert found.dtype == torch.int32
    assert found.shape == (5, 10)
    assert (found.diff() % 100 == 1).all()
    assert set((found[:, 0].diff() % 91).tolist()) == {18}  # equal distances over the 91 places there are
    torch.testing.assert_close(found, token_windows(iter([np.arange(100)[None]]), None, 5, 10))
    few = token_windows(["ab", "c"], lambda text: [ord(letter) for letter in text], 4, 5)
    assert set(few.flatten().tolist()) == {97, 98, 99}
    with pytest.raises(ValueError, match="Provided dataset is empty"):
        token_windows([], None, 2, 2)
    with pytest.raises(ValueError, match="Not enough tokens"):
        token_windows([[]], None, 2, 2)


class Block(layers.Layer):
    """Attention and two dense layers, as in a transformer."""

    def __init__(self):
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, 4)
        self.hidden = layers.Dense(24, "relu")
        self.out = layers.Dense(8)
        self.norm = layers.LayerNormalization()

    def call(self, x):
        """Return x with what both add."""
        x = x + self.attention(x, x)
        return self.norm(x + self.out(self.hidden(x)))


class Letters:
    """A tokenizer."""

    def tokenize(self, text):
        """Return a number for each letter."""
        return [ord(letter) % 20 for letter in text]


TEXTS = ["the quick brown fox jumps over the lazy dog", "pack my box with five dozen liquor jugs"] * 5


def _model(cls=torchkeras_lite.Model):
    torchkeras_lite.utils.set_random_seed(1)
    inputs = torchkeras_lite.Input((None,), dtype="int32")
    tokens, blocks = layers.Embedding(20, 8, embeddings_initializer="normal"), [Block(), Block()]
    model = cls(inputs, layers.Dense(3, name="head")(blocks[1](blocks[0](tokens(inputs)))))
    return model, {"pre_block_layers": [tokens], "sequential_blocks": blocks}


def _settings(structure, **settings):
    own = {"data": TEXTS, "tokenizer": Letters(), "num_samples": 12, "sequence_length": 10}
    return {**own, "quantization_layer_structure": structure, **settings}


@pytest.mark.parametrize("policy", ["gptq/3/8", "gptq/3/-1", "awq/4/8"])
def test_models_learn_from_the_data(policy, rng, tmp_path):
    mode = policy.partition("/")[0]
    x = token_windows(TEXTS, Letters(), 30, 10).numpy()
    model, structure = _model()
    exact = model.predict(x, verbose=0)
    model.train()
    model.quantize(mode, config=_config(policy, **_settings(structure)))
    assert all(part.training for part in model.modules())
    model.eval()
    learned = model.predict(x, verbose=0)
    nearest, parts = _model()
    for block in parts["sequential_blocks"]:
        nearest_layers = [*block.attention._layers, block.hidden, block.out]
        for layer in nearest_layers:
            if isinstance(layer, (layers.Dense, layers.EinsumDense)):
                layer.quantize(config=_config(policy))
    error, rounding = (np.square(one - exact).mean() for one in (learned, nearest.predict(x, verbose=0)))
    assert 0 < error < 0.8 * rounding
    for block in structure["sequential_blocks"]:
        projections = [layer for layer in block.attention._layers if isinstance(layer, layers.EinsumDense)]
        assert len(projections) == 4
        for layer in (*projections, block.hidden, block.out):
            assert getattr(layer, f"is_{mode}_calibrated")
            assert layer.dtype_policy.name == f"{policy}_from_float32"
            assert layer.quantization_config.dataset is None
            assert not layer._forward_pre_hooks
    assert model.get_layer("head").quantization_mode is None
    model.save_weights(tmp_path / "model.weights.h5")
    nearest.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(nearest.predict(x, verbose=0), learned)


@pytest.mark.parametrize("policy", ["gptq/4/4", "gptq/8/-1", "awq/4/4"])
def test_model_files_go_both_ways(policy, rng, tmp_path):
    tokens, hidden, out = layers.Embedding(20, 12), layers.Dense(16, "relu"), layers.Dense(12)
    model = torchkeras_lite.Sequential([torchkeras_lite.Input((10,)), tokens, hidden, out])
    structure = {"pre_block_layers": [tokens], "sequential_blocks": [hidden, out]}
    model.quantize(config=_config(policy, **_settings(structure)))
    x = rng.integers(0, 20, (4, 10))
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "mine.keras")
    np.testing.assert_array_equal(saving.load_model(tmp_path / "mine.keras").predict(x, verbose=0), expected)
    his = keras.saving.load_model(tmp_path / "mine.keras")
    np.testing.assert_allclose(his.predict(x, verbose=0), expected, atol=1e-6)
    stored = {str(number): weight.numpy() for number, weight in enumerate(his.layers[-1].weights)}
    again = layers.Dense(12, dtype=f"{policy}_from_float32")
    again.build((None, 10, 16))
    again.load_own_variables(stored)
    between = rng.normal(size=(2, 10, 16)).astype("float32")
    torch.testing.assert_close(again(between), out(between), rtol=0, atol=0)


def test_filters_and_a_model_that_knows_its_blocks():
    class Known(torchkeras_lite.Model):
        def get_quantization_layer_structure(self, mode):
            return self.structure

    model, structure = _model(Known)
    model.__dict__["structure"] = structure
    first, second = structure["sequential_blocks"]
    model.quantize(
        "awq", config=_config("awq/4/4", **_settings(None)), filters=lambda one: one is not first.out
    )
    assert first.out.quantization_mode is None
    assert not hasattr(first.out, "quantized_kernel")
    assert {first.hidden.quantization_mode, second.out.quantization_mode} == {"awq"}


class OwnDense(layers.Dense):
    """A subclass, which may compute otherwise."""


def test_layers_that_cannot_are_named():
    inner = torchkeras_lite.Input((4, 8))
    parts = [
        OwnDense(8, name="own"),
        layers.EinsumDense("abc,bcd->abd", (4, 6), name="each"),
        layers.Dense(3),
    ]
    block = torchkeras_lite.Model(inner, parts[2](parts[1](parts[0](inner))))
    tokens = layers.Embedding(20, 8)
    model = torchkeras_lite.Sequential([torchkeras_lite.Input((4,)), tokens, block])
    structure = {"pre_block_layers": [tokens], "sequential_blocks": [block]}
    config = _config("gptq/4/4", **_settings(structure, sequence_length=4))
    with (
        pytest.warns(UserWarning, match="Layer OwnDense does not have a `quantize` method"),
        pytest.warns(UserWarning, match="kernel that is one matrix"),
    ):
        model.quantize("gptq", config=config)
    assert [part.quantization_mode for part in parts] == [None, None, "gptq"]


REFUSALS = {
    "no structure": (ValueError, "a valid quantization structure must be provided", {"structure": None}),
    "no blocks": (ValueError, "No sequential blocks found", {"structure": {}}),
    "list": (TypeError, "must be a dictionary", {"structure": [1]}),
    "no tokenizer": (ValueError, "requires a dataset and a tokenizer", {"tokenizer": None}),
    "no data": (ValueError, "requires a dataset and a tokenizer", {"data": None}),
    "text": (TypeError, "must be an iterable .* Got type: str", {"data": "wikitext2"}),
}


@pytest.mark.parametrize("mode", CONFIGS)
@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_change_nothing(case, mode):
    kind, message, settings = REFUSALS[case]
    model, structure = _model()
    structure = settings.get("structure", structure)
    settings = {key: value for key, value in settings.items() if key != "structure"}
    with pytest.raises(kind, match=message):
        model.quantize(mode, config=_config(f"{mode}/4/4", **_settings(structure, **settings)))
    assert {getattr(part, "quantization_mode", None) for part in model.modules()} == {None}


def test_layers_without_these_modes():
    table = layers.Embedding(4, 3)
    table.build()
    with pytest.raises(NotImplementedError, match=r"Invalid quantization mode\. Expected one of"):
        table.quantize(config=_config("gptq/4/4"))
    dense = layers.Dense(3)
    dense.build((None, 4))
    dense.enable_lora(2)
    with pytest.raises(NotImplementedError, match="mode 'awq' does not support it"):
        dense.quantize(config=_config("awq/4/4"))
    dense = layers.Dense(3)
    dense.build((None, 4))
    dense.quantize(config=_config("gptq/4/4"))
    with pytest.raises(ValueError, match="already quantized with dtype_policy='gptq/4/4_from_float32'"):
        dense.quantize("int8")
    with pytest.raises(NotImplementedError, match="lora is not supported with GPTQ"):
        dense.enable_lora(2)
