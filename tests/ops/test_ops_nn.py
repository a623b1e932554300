"""Activations, convolutions, pooling, normalization, losses, attention and CTC against real Keras."""

import itertools

import keras
import numpy as np
import pytest
import torch

from ops.operation_oracle import assert_operation_matches
from torchkeras_lite import ops

ACTIVATIONS = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "tanh_shrink",
]


def normal(rng, *shape, dtype="float32"):
    return rng.normal(size=shape).astype(dtype)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations(name, dtype, rng):
    assert_operation_matches(name, normal(rng, 3, 4, dtype=dtype) * 2)


SETTINGS = {
    "celu": dict(alpha=0.5),
    "elu": dict(alpha=0.3),
    "gelu": dict(approximate=False),
    "glu": dict(axis=0),
    "hard_shrink": dict(threshold=1.0),
    "leaky_relu": dict(negative_slope=0.7),
    "log_softmax": dict(axis=(0, 1)),
    "soft_shrink": dict(threshold=1.0),
    "softmax": dict(axis=(1, 2)),
    "sparsemax": dict(axis=0),
    "squareplus": dict(b=1),
    "threshold": dict(threshold=0.5, default_value=-1.0),
}


@pytest.mark.parametrize("name", list(SETTINGS))
def test_settings_of_activations(name, rng):
    assert_operation_matches(name, normal(rng, 4, 3, 5), **SETTINGS[name])


def test_integers_become_floats_where_keras_on_torch_fails():
    assert ops.softmax([1, 2]).dtype == torch.float32
    torch.testing.assert_close(ops.gelu(np.array([1])), ops.gelu(1.0).reshape(1))


def layouts(x, data_format):
    return x if data_format == "channels_last" else np.ascontiguousarray(np.moveaxis(x, -1, 1))


SIZES = {1: (9,), 2: (7, 8), 3: (5, 6, 4)}
FORMATS = ("channels_last", "channels_first")
WINDOWS = [
    dict(),
    dict(strides=2),
    dict(padding="same"),
    dict(padding="same", strides=2),
    dict(padding="same", dilation_rate=2),
    dict(dilation_rate=2),
]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("args", WINDOWS, ids=str)
def test_conv(rank, data_format, args, rng):
    x = layouts(normal(rng, 2, *SIZES[rank], 4), data_format)
    kernel = normal(rng, *(3, 2, 2)[:rank], 4, 6)
    assert_operation_matches("conv", x, kernel, data_format=data_format, rtol=1e-4, atol=1e-4, **args)


@pytest.mark.parametrize("groups", [2, 4])
def test_conv_in_groups(groups, rng):
    kernel = normal(rng, 3, 2, 4 // groups, 8)
    assert_operation_matches("conv", normal(rng, 2, 6, 7, 4), kernel, padding="same", atol=1e-4)


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("args", WINDOWS, ids=str)
def test_depthwise_and_separable_conv(rank, data_format, args, rng):
    x = layouts(normal(rng, 2, *SIZES[rank], 3), data_format)
    depthwise = normal(rng, *(3, 3)[:rank], 3, 2)
    pointwise = normal(rng, *(1, 1)[:rank], 6, 5)
    args = dict(args, data_format=data_format, rtol=1e-4, atol=1e-4)
    assert_operation_matches("depthwise_conv", x, depthwise, **args)
    assert_operation_matches("separable_conv", x, depthwise, pointwise, **args)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize(
    "args",
    [
        dict(),
        dict(strides=2),
        dict(padding="same", strides=2),
        dict(padding="same", strides=3),
        dict(strides=2, output_padding=1),
        dict(padding="same", strides=2, output_padding=1),
        dict(dilation_rate=2),
    ],
    ids=str,
)
def test_conv_transpose(rank, data_format, args, rng):
    x = layouts(normal(rng, 2, *(4, 3, 3)[:rank], 3), data_format)
    kernel = normal(rng, *(3, 3, 3)[:rank], 2, 3)
    assert_operation_matches("conv_transpose", x, kernel, data_format=data_format, atol=1e-4, **args)


@pytest.mark.parametrize("name", ["max_pool", "average_pool"])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize(
    "args",
    [dict(), dict(strides=1), dict(padding="same"), dict(padding="same", strides=1), dict(strides=3)],
    ids=str,
)
def test_pooling(name, rank, data_format, args, rng):
    x = layouts(normal(rng, 2, *SIZES[rank], 3), data_format)
    assert_operation_matches(name, x, 2, data_format=data_format, **args)


@pytest.mark.parametrize("name", ["adaptive_max_pool", "adaptive_average_pool"])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("data_format", FORMATS)
def test_adaptive_pooling(name, rank, data_format, rng):
    x = layouts(normal(rng, 2, *SIZES[rank], 3), data_format)
    assert_operation_matches(name, x, (3, 2, 2)[:rank], data_format=data_format)


def test_average_pool_does_not_count_what_lies_outside():
    x = np.ones((1, 3, 3, 1), "float32")
    assert torch.equal(ops.average_pool(x, 2, 1, "same"), torch.ones(1, 3, 3, 1))


@pytest.mark.parametrize("args", [dict(), dict(padding=1), dict(stride=2), dict(dilation=2)], ids=str)
def test_unfold_and_fold(args, rng):
    x = torch.as_tensor(normal(rng, 2, 3, 5, 6))
    assert_operation_matches("unfold", x, 2, **args)
    assert_operation_matches("fold", ops.unfold(x, 2, **args), (5, 6), 2, **args)


@pytest.mark.parametrize("data_format", FORMATS)
def test_depth_to_space_and_back(data_format, rng):
    x = layouts(normal(rng, 2, 4, 6, 8), data_format)
    assert_operation_matches("depth_to_space", x, 2, data_format=data_format)
    assert_operation_matches("space_to_depth", x, 2, data_format=data_format)


@pytest.mark.parametrize("axis", [0, 1, (0, 2), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_moments(axis, keepdims, dtype, rng):
    rough = 2e-3 if dtype == "float16" else 1e-5
    x = normal(rng, 3, 4, 5, dtype=dtype)
    assert_operation_matches("moments", x, axis, keepdims, rtol=rough, atol=rough)


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("given", list(itertools.product([False, True], repeat=2)), ids=str)
def test_batch_normalization(axis, given, rng):
    x = normal(rng, 3, 4, 5)
    size = x.shape[axis]
    offset, scale = (normal(rng, size) if there else None for there in given)
    variance = np.abs(normal(rng, size)) + 0.5
    assert_operation_matches("batch_normalization", x, normal(rng, size), variance, axis, offset, scale)


@pytest.mark.parametrize("axis", [-1, (1, 2), (-2, -1)], ids=str)
@pytest.mark.parametrize("epsilon", [None, 1e-2])
def test_layer_and_rms_normalization(axis, epsilon, rng):
    x = normal(rng, 3, 4, 5)
    shape = (5,) if axis == -1 else (4, 5)
    gamma, beta = normal(rng, *shape), normal(rng, *shape)
    args = dict(axis=axis, epsilon=epsilon, atol=1e-4)
    assert_operation_matches("layer_normalization", x, gamma, beta, **args)
    assert_operation_matches("layer_normalization", x, **args)
    assert_operation_matches("rms_normalization", x, gamma, **args)
    assert_operation_matches("rms_normalization", x, **args)


def test_layer_normalization_over_the_first_axis(rng):
    x = torch.as_tensor(normal(rng, 4, 5))
    gamma = torch.as_tensor(normal(rng, 4))
    expected = torch.nn.functional.layer_norm(x.T, (4,), gamma, None, 1e-7).T
    torch.testing.assert_close(ops.layer_normalization(x, gamma, axis=0), expected)


def test_rms_scaling_of_layer_normalization(rng):
    x = normal(rng, 3, 4)
    with pytest.warns(UserWarning, match="rms_scaling"):
        ours = ops.layer_normalization(x, rms_scaling=True)
    with pytest.warns(UserWarning, match="rms_scaling"):
        theirs = keras.ops.layer_normalization(x, rms_scaling=True)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("args", [dict(), dict(axis=0), dict(order=1), dict(order=3, epsilon=0.5)], ids=str)
def test_normalize(args, rng):
    assert_operation_matches("normalize", normal(rng, 3, 4), **args)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_crossentropies(from_logits, dtype, rng):
    scores = normal(rng, 4, 3, dtype=dtype)
    shares = scores if from_logits else np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    targets = rng.uniform(size=(4, 3)).astype(dtype)
    labels = rng.integers(0, 3, size=(4, 1))
    assert_operation_matches("binary_crossentropy", targets, shares, from_logits)
    for axis in (-1, 0):
        assert_operation_matches("categorical_crossentropy", targets, shares, from_logits, axis)
    assert_operation_matches("sparse_categorical_crossentropy", labels, shares, from_logits)
    assert_operation_matches("sparse_categorical_crossentropy", labels[:3, 0], shares, from_logits, 0)


def test_crossentropies_of_certain_probabilities():
    target, output = np.array([0.0, 1.0, 1.0]), np.array([1.0, 0.0, 1.0])
    assert_operation_matches("binary_crossentropy", target, output, gradient=False)
    assert_operation_matches("categorical_crossentropy", target, output, gradient=False)


@pytest.mark.parametrize(
    "args", [dict(), dict(axis=0), dict(axis=1, dtype="int32"), dict(dtype="bool")], ids=str
)
def test_one_hot_and_multi_hot(args):
    x = np.array([[0, -1, 2], [1, 1, 0]])
    assert_operation_matches("one_hot", x, 3, **args)
    assert_operation_matches("multi_hot", x, 3, **args)


def test_one_hot_of_numbers_outside():
    assert torch.equal(ops.one_hot([0, 7], 2), torch.tensor([[1.0, 0.0], [0.0, 0.0]]))


def test_psnr_and_polar(rng):
    x, y = normal(rng, 3, 4), normal(rng, 3, 4)
    assert_operation_matches("psnr", x, y, 2.0)
    assert_operation_matches("polar", np.abs(x), y)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("args", [dict(), dict(is_causal=True), dict(scale=0.3)], ids=str)
def test_dot_product_attention(masked, biased, args, rng):
    if ((masked or biased) and args.get("is_causal")) or (masked and biased):
        pytest.skip("Keras on torch cannot")
    q, k, v = (normal(rng, 2, 5, 4, 8) for _ in range(3))
    mask = np.tril(np.ones((2, 1, 5, 5), bool)) if masked else None
    bias = normal(rng, 2, 4, 5, 5) if biased else None
    assert_operation_matches("dot_product_attention", q, k, v, bias, mask, atol=1e-4, **args)


@pytest.mark.parametrize("cap", [None, 2.0])
def test_attention_of_all_kinds_equals_plain_arithmetic(cap, rng):
    q, k, v = (torch.as_tensor(normal(rng, 2, 5, 4, 8)) for _ in range(3))
    mask = torch.as_tensor(rng.uniform(size=(2, 1, 5, 5)) > 0.4) | torch.eye(5, dtype=torch.bool)
    bias = torch.as_tensor(normal(rng, 4, 5, 5))
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / 8**0.5
    scores = scores if cap is None else cap * torch.tanh(scores / cap)
    scores = (scores + bias).masked_fill(~mask, -torch.inf)
    seen = torch.ones(5, 5, dtype=torch.bool).tril()
    expected = torch.einsum("bhqk,bkhd->bqhd", scores.masked_fill(~seen, -torch.inf).softmax(-1), v)
    found = ops.dot_product_attention(
        q, k, v, bias, mask, is_causal=True, attn_logits_soft_cap=cap, flash_attention=False
    )
    torch.testing.assert_close(found, expected)


def test_ctc_loss(rng):
    target, lengths, steps = np.array([[1, 2, 3], [1, 1, 0]]), np.array([3, 2]), np.array([6, 5])
    assert_operation_matches("ctc_loss", target, normal(rng, 2, 6, 4), lengths, steps, atol=1e-4)


@pytest.mark.parametrize(
    "args",
    [
        dict(),
        dict(merge_repeated=False),
        dict(mask_index=2),
        dict(strategy="beam_search", top_paths=3, beam_width=40),
        dict(strategy="beam_search", top_paths=2, beam_width=40, mask_index=1),
    ],
    ids=str,
)
def test_ctc_decode(args, rng):
    inputs = normal(rng, 3, 6, 4) * 3
    assert_operation_matches("ctc_decode", inputs, np.array([6, 4, 1]), gradient=False, atol=1e-3, **args)


def test_softmax_over_one_value_warns():
    with pytest.warns(UserWarning, match="Did you mean to use a sigmoid"):
        ops.softmax(np.ones((2, 1)))


REFUSED = [
    ("softmax", (np.ones((2, 3)), 10), "out of bounds"),
    ("conv", (np.ones((2, 5, 3)), np.ones((3, 2, 4))), "evenly divisible"),
    ("conv", (np.ones((5, 3)), np.ones((3, 3, 4))), "Add a batch axis"),
    ("conv", (np.ones((2, 5, 3)), np.ones((3, 3, 4)), 1, "causal"), "'valid', 'same'"),
    ("depthwise_conv", (np.ones((2, 5, 3)), np.ones((3, 2, 4))), "must match the kernel"),
    ("conv_transpose", (np.ones((2, 5, 3)), np.ones((3, 4, 2))), "must match the kernel"),
    ("max_pool", (np.ones((2, 5, 3)), 0), "pool_size"),
    ("unfold", (np.ones((2, 5, 3)), 2), "4D"),
    ("fold", (np.ones((2, 5)), (3, 3), 2), "3D"),
    ("depth_to_space", (np.ones((1, 2, 2, 3)), 2), "divisible"),
    ("space_to_depth", (np.ones((1, 3, 2, 3)), 2), "divisible"),
    ("batch_normalization", (np.ones((2, 3)), np.ones(2), np.ones(3), -1), "vector of length 3"),
    ("normalize", (np.ones(3), -1, 0), "int >= 1"),
    ("binary_crossentropy", (np.ones(3), np.ones(2)), "same shape"),
    ("sparse_categorical_crossentropy", (np.ones(3), np.ones((2, 3))), "same shape"),
    ("one_hot", (np.ones(3), 2, -1, None, True), "sparse"),
    ("multi_hot", (np.ones(3),), "num_classes"),
    ("psnr", (np.ones(3), np.ones(2), 1.0), "must match"),
    ("ctc_loss", (np.ones(3), np.ones(2), 1, 1), "max_length"),
    ("ctc_decode", (np.ones((1, 2, 3)), np.ones(1), "best"), "Invalid strategy"),
    ("dot_product_attention", (np.ones((1, 2, 3)),) * 3, "4 axes"),
]


@pytest.mark.parametrize(("name", "args", "message"), REFUSED, ids=[f"{n}-{m}" for n, _, m in REFUSED])
def test_refusals(name, args, message):
    with pytest.raises(ValueError, match=message):
        getattr(ops, name)(*args)
