"""Attention with heads against Keras: values, gradients, masks, scores, axes, weights, kernels, errors."""

import numpy as np
import pytest
import torch

from attention_pairs import (
    CLASSES,
    FIRST_KEPT,
    HEADED,
    HEADED_ARGS,
    LISTED,
    QUERY,
    QUERY_MASK,
    SIZES,
    VALUE,
    VALUE_MASK,
    match,
    pair,
    set_weights,
)
from oracle import as_tensors, assert_close, copy_weights
from torchkeras_lite import layers
from torchkeras_lite.base import nested
from torchkeras_lite.engine.masking import attach_mask
from torchkeras_lite.layers.attention import Attention
from torchkeras_lite.layers.einsum_dense import EinsumDense
from torchkeras_lite.layers.multi_head_attention import MultiHeadAttention

each_headed = pytest.mark.parametrize("name", HEADED)
each_listed = pytest.mark.parametrize("name", LISTED)


headed = pytest.mark.parametrize(("name", "args"), HEADED_ARGS, ids=str)


@headed
@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masks", [(), (QUERY_MASK, VALUE_MASK), (None, VALUE_MASK), (QUERY_MASK,)])
def test_heads_match_keras(name, args, scores, causal, masks, rng):
    extra = {"return_attention_scores": True} if scores else {}
    x = rng.normal(size=QUERY), rng.normal(size=VALUE)
    match(*pair(name, **args), *x, masks=masks, training=False, use_causal_mask=causal, **extra)


@headed
def test_heads_with_a_key_and_its_mask(name, args, rng):
    x = [rng.normal(size=shape) for shape in (QUERY, VALUE, (3, 5, 2))]
    last = torch.tensor([[0, 1, 1, 1, 1]] * 3).bool()
    match(*pair(name, **args), *x, training=False)
    match(*pair(name, **args), *x, masks=(QUERY_MASK, VALUE_MASK, last), training=False)


@each_headed
@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 4, 5), (4, 5)], ids=str)
@pytest.mark.parametrize("dtype", [torch.bool, torch.int32, torch.float32])
@pytest.mark.parametrize("scores", [False, True])
def test_attention_mask(name, shape, dtype, scores, rng):
    mask = torch.as_tensor(rng.random(shape) < 0.5).to(dtype)
    x = rng.normal(size=QUERY), rng.normal(size=VALUE)
    extra = {"return_attention_scores": True} if scores else {}
    match(*pair(name), *x, attention_mask=mask, training=False, **extra)
    if shape[0] != 4:
        masks = QUERY_MASK, VALUE_MASK
        match(
            *pair(name), *x, masks=masks, attention_mask=mask, use_causal_mask=True, training=False, **extra
        )


def test_attention_mask_of_each_head(rng):
    mask = torch.as_tensor(rng.random((3, 2, 4, 5)) < 0.5)
    x = rng.normal(size=QUERY), rng.normal(size=VALUE)
    match(*pair("MultiHeadAttention"), *x, attention_mask=mask)
    layer = MultiHeadAttention(2, 3)
    q, v = as_tensors(x)
    torch.testing.assert_close(
        layer(q, v, attention_mask=mask, value_mask=VALUE_MASK),
        layer(q, v, attention_mask=mask & VALUE_MASK[:, None, None]),
    )


@each_headed
def test_explicit_masks_count(name, rng):
    layer, _ = pair(name)
    q, v = as_tensors([rng.normal(size=QUERY), rng.normal(size=VALUE)])
    expected = layer(attach_mask(q.clone(), QUERY_MASK), attach_mask(v.clone(), VALUE_MASK))
    assert torch.equal(layer(q, v, query_mask=QUERY_MASK, value_mask=VALUE_MASK), expected)
    assert torch.equal(layer(q, v, v, query_mask=QUERY_MASK, key_mask=VALUE_MASK), expected)
    assert not torch.equal(layer(q, v, value_mask=VALUE_MASK), expected)


@each_headed
def test_rows_without_a_key(name):
    layer, _ = pair(name)
    x = torch.randn(2, 4, 6)
    nothing = torch.zeros(2, 4, 4, dtype=torch.bool)
    output = layer(x, x, attention_mask=nothing)
    torch.testing.assert_close(output, output[:, :1].expand(-1, 4, -1))
    assert not torch.allclose(output, torch.zeros(()))
    zeros, scores = layer(x, x, attention_mask=nothing, return_attention_scores=True)
    assert (scores == 0).all()
    assert (zeros == 0).all()
    dropping, _ = pair(name, dropout=0.1)
    assert (dropping(x, x, attention_mask=nothing, training=False) == 0).all()


@each_headed
def test_gradients_of_rows_without_a_key(name):
    layer, _ = pair(name, dtype="float64")
    q, v = torch.randn(2, 4, 6, dtype=torch.float64), torch.randn(2, 5, 6, dtype=torch.float64)
    q.requires_grad_(), v.requires_grad_()
    output = layer(q, v, attention_mask=torch.zeros(4, 5))
    of_query, of_value = torch.autograd.grad(output.square().sum(), [q, v])
    assert (of_query == 0).all()
    kernel, back = layer._value_dense.kernel, layer._output_dense
    heads = (v.mean(1, keepdim=True) @ kernel.flatten(1)).unflatten(-1, kernel.shape[1:])
    repeated = heads.repeat_interleave(back.kernel.shape[0] // heads.shape[2], 2)
    expected = back(repeated).expand_as(output)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(of_value, torch.autograd.grad(expected.square().sum(), v)[0])


@pytest.mark.parametrize("axes", [None, 1, 2, (1,), [1, 2], (2, 1), (-3,)], ids=str)
@pytest.mark.parametrize("scores", [False, True])
def test_attention_axes(axes, scores, rng):
    x = rng.normal(size=(2, 3, 4, 6)), rng.normal(size=(2, 3, 4, 6))
    ours, theirs = pair("MultiHeadAttention", attention_axes=axes, output_shape=(2, 3))
    extra = {"return_attention_scores": True} if scores else {}
    match(ours, theirs, *x, **extra)
    assert ours.get_config()["attention_axes"] == tuple(theirs.get_config()["attention_axes"])


def test_attention_axes_with_masks(rng):
    x = rng.normal(size=(2, 3, 4, 6)), rng.normal(size=(2, 3, 4, 6))
    for axes, shape in [(2, (2, 3, 1, 4, 4)), (2, (4, 4)), (1, (2, 1, 1, 3, 3)), (None, (2, 3, 4, 3, 4))]:
        mask = torch.as_tensor(rng.random(shape) < 0.5)
        match(*pair("MultiHeadAttention", attention_axes=axes), *x, attention_mask=mask)
    q, v = as_tensors(x)
    layer = MultiHeadAttention(2, 3, attention_axes=2)
    steps = torch.as_tensor(rng.random((2, 3, 4)) < 0.7)
    scores = layer(q, v, value_mask=steps, return_attention_scores=True)[1]  # (2, 3, heads, 4, 4)
    assert torch.equal((scores > 0)[:, :, 1, 0], steps)
    torch.testing.assert_close(
        layer(q, v, value_mask=steps), layer(q, v, attention_mask=steps[:, :, None, None])
    )
    whole = MultiHeadAttention(2, 3)
    scores = whole(q, v, value_mask=steps, return_attention_scores=True)[1]  # (2, heads, 3, 4, 3, 4)
    assert torch.equal((scores > 0)[:, 1, 2, 3], steps)
    rows = whole(q, v, value_mask=steps[:, :, 0], return_attention_scores=True)[1]
    assert torch.equal((rows > 0)[:, 1, 2, 3], steps[:, :, :1].expand(2, 3, 4))
    causal = layer(q, v, use_causal_mask=True, return_attention_scores=True)[1]
    assert torch.equal(causal[0, 0, 0] > 0, torch.ones(4, 4).tril().bool())
    with pytest.raises(ValueError, match=r"needs one attention axis, got attention_axes=\(1, 2\)"):
        whole(q, v, use_causal_mask=True)


@each_headed
@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16", "mixed_bfloat16"])
def test_heads_dtypes(name, dtype, rng):
    ours, theirs = pair(name, dtype=dtype, use_gate=True)
    x = as_tensors([rng.normal(size=QUERY), rng.normal(size=VALUE)], "float64")
    for scores in (False, True):
        arguments = {"value_mask": FIRST_KEPT, "return_attention_scores": scores}
        ours(*x, **arguments), theirs(*x, **arguments)
        set_weights(ours, theirs)
        tolerance = 1e-5 if dtype == "float64" else 2e-2  # Keras's scale is a float32 number
        assert_close(ours(*x, **arguments), theirs(*x, **arguments), tolerance, tolerance)
    assert [w.dtype for w in ours.weights] == [w.dtype for w in theirs.weights]


@each_headed
def test_integers_are_taken_as_floats(name):
    layer, _ = pair(name)
    x = torch.randint(0, 5, (2, 4, 6))
    assert torch.equal(layer(x, x), layer(x.float(), x.float()))


@each_headed
@pytest.mark.parametrize("more", [{}, {"use_gate": True, "use_bias": False}])
def test_weights_have_keras_names_and_places(name, more, rng):
    ours, theirs = pair(name, name="same", **more)
    x = as_tensors([rng.normal(size=QUERY), rng.normal(size=VALUE)])
    ours(*x), theirs(*x)
    described = [[(w.name, w.path, tuple(w.shape)) for w in layer.weights] for layer in (ours, theirs)]
    assert described[0] == described[1]
    assert ours.count_params() == theirs.count_params()
    assert ours.get_build_config() == nested.map_structure(lambda size: size, theirs.get_build_config())
    for attribute in ("_query_dense", "_key_dense", "_value_dense", "_output_dense"):
        mine, his = getattr(ours, attribute), getattr(theirs, attribute)
        assert isinstance(mine, EinsumDense)
        assert mine.name == his.name
        assert mine.kernel.shape == tuple(his.kernel.shape)


def test_state_dict_keys():
    layer = MultiHeadAttention(2, 3, use_gate=True)
    layer(torch.ones(2, 4, 6), torch.ones(2, 4, 6))
    denses = ["query_dense", "key_dense", "_gate_dense", "value_dense", "output_dense"]
    assert list(layer.state_dict()) == [f"{dense}.{w}" for dense in denses for w in ("kernel", "bias")]


@each_headed
def test_kernels_start_as_in_keras(name):
    ours, theirs = pair(name)
    x = torch.ones(2, 4, 64)
    ours(x, x), theirs(x, x)
    for mine, his in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.abs(mine).max() == pytest.approx(np.abs(his).max(), rel=0.05)
    assert not np.array_equal(ours.get_weights()[2], ours.get_weights()[4])  # key and value
    seeded = {"kernel_initializer": {"class_name": "HeNormal", "config": {"seed": 3}}}
    ours, theirs = pair(name, **seeded)
    ours(x, x), theirs(x, x)
    for mine, his in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, his, rtol=1e-5, atol=1e-6)


@each_headed
def test_penalties_are_those_of_keras(name, rng):
    ours, theirs = pair(name, activity_regularizer="l2", kernel_regularizer="l1")
    x = as_tensors([rng.normal(size=QUERY), rng.normal(size=VALUE)])
    theirs(*x), ours(*x)
    copy_weights(ours, theirs)
    theirs(*x), ours(*x)
    assert len(ours.losses) == len(theirs.losses)
    torch.testing.assert_close(sum(ours.losses), sum(theirs.losses))


@each_headed
def test_dropout_in_training(name, rng):
    x = as_tensors([rng.normal(size=(2, 30, 6)), rng.normal(size=(2, 40, 6))])
    layer, _ = pair(name, dropout=0.25)
    output, scores = layer(*x, training=True, return_attention_scores=True)
    torch.testing.assert_close(scores, layer(*x, training=False, return_attention_scores=True)[1])
    assert not torch.equal(output, layer(*x, training=False))
    mean = torch.stack([layer(*x, training=True) for _ in range(400)]).mean(0)
    assert (mean - layer(*x, training=False)).abs().max() < 0.1
    mean = torch.stack([layer(*x, training=True, return_attention_scores=True)[0] for _ in range(400)]).mean(
        0
    )
    assert (mean - layer(*x, training=False)).abs().max() < 0.1
    first, second = (pair(name, dropout=0.5, seed=7)[0] for _ in range(2))
    first(*x), second(*x)
    second.set_weights(first.get_weights())
    one, two = first(*x, training=True), first(*x, training=True)
    assert not torch.equal(one, two)
    assert torch.equal(one, second(*x, training=True))


@each_headed
def test_kernel_of_torch_is_used(name, monkeypatch):
    calls = []
    real = torch.nn.functional.scaled_dot_product_attention

    def spy(*args, **kwargs):
        calls.append(kwargs)
        return real(*args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", spy)
    x = torch.randn(2, 4, 6)
    layer, _ = pair(name, dropout=0.5)
    layer(x, x, training=False)
    layer(x, x, use_causal_mask=True, training=True)
    assert [call["is_causal"] for call in calls] == [False, True]
    assert [call["dropout_p"] for call in calls] == [0.0, 0.5]
    assert all(call["attn_mask"] is None for call in calls)
    layer(x, x, return_attention_scores=True, training=False)
    assert len(calls) == 2
    Attention()([x, x], use_causal_mask=True)
    assert len(calls) == 3


@each_headed
def test_a_subclass_that_computes_itself_gets_the_causal_mask(name):
    class Uniform(CLASSES[name]):
        def _compute_attention(
            self, query, key, value, attention_mask=None, training=None, return_attention_scores=False
        ):
            assert torch.equal(attention_mask, torch.ones(4, 4).tril().bool())
            assert value.shape[:2] == (2, 4)
            return query * 0.0, None

    x = torch.ones(2, 4, 6)
    layer = Uniform(**SIZES[name])
    assert torch.equal(layer(x, x, use_causal_mask=True), torch.zeros(2, 4, 6))


@each_headed
def test_flash_attention(name):
    x = torch.randn(2, 4, 6)
    plain, _ = pair(name, name="same")
    layer, _ = pair(name, flash_attention=True, name="same")
    plain(x, x), layer(x, x)
    layer.set_weights(plain.get_weights())
    torch.testing.assert_close(layer(x, x), plain(x, x))
    assert layer.get_config() == plain.get_config()
    with pytest.raises(
        ValueError, match=r"Returning attention scores is not supported.*Make the layer without"
    ):
        layer(x, x, return_attention_scores=True)
    with pytest.raises(ValueError, match="Dropout is not supported when flash attention is enabled"):
        pair(name, flash_attention=True, dropout=0.1)
    other = x.double().requires_grad_()
    values_of_another_size = MultiHeadAttention(2, 3, value_dim=5, flash_attention=True, dtype="float64")
    with pytest.raises(
        RuntimeError, match=r"Flash attention is not supported with the provided inputs.*Make"
    ):
        values_of_another_size(other, other)


@each_headed
@pytest.mark.parametrize("lengths", [(4, 5), (None, None)])
def test_shapes_are_known_before_values(name, lengths):
    ours, theirs = pair(name, use_gate=True)
    q, v = (layers.Input((length, 6)) for length in lengths)
    output, scores = ours(q, v, return_attention_scores=True)
    heads = 2 if name == "MultiHeadAttention" else 4
    assert output.shape == (None, lengths[0], 6)
    assert scores.shape == (None, heads, *lengths)
    fresh, _ = pair(name)
    shapes = (None, lengths[0], 6), (None, lengths[1], 6)
    assert fresh.compute_output_shape(*shapes) == tuple(theirs.compute_output_shape(*shapes))
    assert not fresh.built
    assert fresh.compute_output_spec(q, v).dtype == "float32"


def test_trainable_and_inner_layers():
    layer = MultiHeadAttention(2, 3, trainable=False)
    x = torch.ones(2, 4, 6)
    layer(x, x)
    assert not layer.trainable_weights
    layer.trainable = True
    assert len(layer.trainable_weights) == 8
    config = layer.query_dense.get_config()
    assert config["equation"] == "abc,cde->abde"
    assert EinsumDense.from_config(config).bias_axes == "de"


def test_gradients_in_inference_mode_do_not_warn_without_dropout():
    layer = MultiHeadAttention(2, 3)
    x = torch.ones(2, 4, 6)
    layer(x, x).sum().backward()
    dropping = MultiHeadAttention(2, 3, dropout=0.1)
    with pytest.warns(UserWarning, match="inference mode"):
        dropping(x, x).sum().backward()


REFUSED = [
    ("MultiHeadAttention", {"num_heads": 0}, "`num_heads` must be a positive integer"),
    ("MultiHeadAttention", {"key_dim": 2.0}, "`key_dim` must be a positive integer"),
    ("MultiHeadAttention", {"value_dim": 0}, "`value_dim` must be a positive integer"),
    ("MultiHeadAttention", {"output_shape": 2.5}, "Invalid `output_shape`"),
    ("MultiHeadAttention", {"attention_axes": "2"}, "`attention_axes` must be an int, list, or tuple"),
    ("MultiHeadAttention", {"dropout": -1.0}, "`dropout`. Expected a float value between 0 and 1"),
    ("MultiHeadAttention", {"sliding_window": 0}, "`sliding_window` must be a positive integer"),
    ("GroupQueryAttention", {"head_dim": 0}, "`head_dim` must be a positive integer"),
    ("GroupQueryAttention", {"num_key_value_heads": 3}, "must be divisible by `num_key_value_heads`"),
    ("GroupQueryAttention", {"seed": 1.5}, "`seed` must be an integer"),
]


@pytest.mark.parametrize(("name", "args", "message"), REFUSED, ids=str)
def test_arguments_are_checked(name, args, message):
    with pytest.raises(ValueError, match=message):
        CLASSES[name](**{**SIZES[name], **args})


@each_headed
def test_shapes_are_checked(name):
    x = torch.ones(2, 4, 6)
    with pytest.raises(ValueError, match="All dimensions of `value` and `key`, except the last one"):
        pair(name)[0](x, x, torch.ones(2, 5, 6))
    with pytest.raises(ValueError, match="ranks of query, value and key must be equal"):
        pair(name)[0](x, x[None])
    with pytest.raises(ValueError, match=r"`attention_axes` must be different axes from 1 to 1"):
        MultiHeadAttention(2, 3, attention_axes=2)(x, x)
    with pytest.raises(ValueError, match="expected a query of shape"):
        pair("GroupQueryAttention")[0](x[None], x[None])
