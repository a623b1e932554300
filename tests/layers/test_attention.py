"""Attention against Keras: values, gradients, masks in and out, scores, configs; and torch's tools on it."""

import copy
import pickle

import keras
import numpy as np
import pytest
import torch

from oracle import as_tensors, assert_close, assert_layer_matches, copies, copy_weights, plain_config
from torchkeras_lite import layers, models
from torchkeras_lite.base import nested
from torchkeras_lite.engine.masking import attach_mask, get_mask
from torchkeras_lite.layers.attention import AdditiveAttention, Attention
from torchkeras_lite.layers.einsum_dense import EinsumDense
from torchkeras_lite.layers.grouped_query_attention import GroupedQueryAttention
from torchkeras_lite.layers.multi_head_attention import MultiHeadAttention

CLASSES = {
    "Attention": Attention,
    "AdditiveAttention": AdditiveAttention,
    "MultiHeadAttention": MultiHeadAttention,
    "GroupQueryAttention": GroupedQueryAttention,
}
LISTED = ["Attention", "AdditiveAttention"]
HEADED = ["MultiHeadAttention", "GroupQueryAttention"]
SIZES = {
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 3},
    "GroupQueryAttention": {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2},
}
QUERY, VALUE = (3, 4, 6), (3, 5, 6)
QUERY_MASK = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 1, 0]]).bool()
FIRST_KEPT = torch.tensor([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [1, 0, 1, 1, 0]]).bool()
VALUE_MASK = torch.tensor([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 1, 1]]).bool()
each_headed = pytest.mark.parametrize("name", HEADED)
each_listed = pytest.mark.parametrize("name", LISTED)


def pair(kind, **args):
    args = {**SIZES.get(kind, {}), **args}
    return CLASSES[kind](**args), getattr(keras.layers, kind)(**args)


def gradients(output, variables, counted):
    first, *rest = nested.flatten(output)
    first = first if counted is None else first * counted.reshape(*counted.shape, *[1] * (first.ndim - 2))
    loss = sum(t.double().square().sum() for t in [first, *rest])
    return torch.autograd.grad(loss, variables, allow_unused=True)


def set_weights(ours, theirs):
    """Give `ours` the weights of `theirs`, of any dtype."""
    ours.set_weights([w.value.detach() for w in theirs.weights])


def match(ours, theirs, *args, masks=(), **kwargs):
    """Equal outputs, masks of the first output and gradients, for any number of tensor arguments.

    Gradients leave out queries that see no key: there Keras has those of torch's kernel, which are wrong.
    """
    args = as_tensors(list(args))
    masks = [*masks, *[None] * (len(args) - len(masks))]
    theirs(*args, **kwargs), ours(*args, **kwargs)
    copy_weights(ours, theirs)
    mine, his = copies(args), copies(args)
    leaves, his_leaves = list(mine), list(his)
    for tensors in (mine, his):
        for tensor, mask in zip(tensors, masks, strict=True):
            attach_mask(tensor, mask)
    counted = None
    if args[0].ndim == 3:
        scores = ours(*mine, **{**kwargs, "return_attention_scores": True})[
            1
        ]  # (batch, heads, queries, keys)
        counted = (scores > 0).any(-1).any(1)
    y, expected = ours(*mine, **kwargs), theirs(*his, **kwargs)
    assert_close(y, expected)
    first, his_first = nested.flatten(y)[0], nested.flatten(expected)[0]
    assert (get_mask(first) is None) == (get_mask(his_first) is None)
    if get_mask(first) is not None:
        assert torch.equal(get_mask(first), get_mask(his_first))
    found = gradients(y, [*leaves, *ours.trainable_weights], counted)
    wanted = gradients(expected, [*his_leaves, *[w.value for w in theirs.trainable_weights]], counted)
    for a, b in zip(found, wanted, strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    return y


# ---------------------------------------------------------------- Attention and AdditiveAttention


LISTED_ARGS = [
    ("Attention", {}),
    ("Attention", {"use_scale": True}),
    ("Attention", {"score_mode": "concat"}),
    ("Attention", {"score_mode": "concat", "use_scale": True}),
    ("Attention", {"dropout": 0.5}),
    ("AdditiveAttention", {}),
    ("AdditiveAttention", {"use_scale": False}),
]


@pytest.mark.parametrize(("name", "args"), LISTED_ARGS, ids=str)
@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masks", [None, [QUERY_MASK, FIRST_KEPT], [None, FIRST_KEPT], [QUERY_MASK, None]])
def test_attention_matches_keras(name, args, scores, causal, masks, rng):
    ours, theirs = pair(name, **args)
    x = [rng.normal(size=QUERY), rng.normal(size=VALUE)]
    extra = {"return_attention_scores": True} if scores else {}
    assert_layer_matches(ours, theirs, x, training=False, use_causal_mask=causal, mask=masks, **extra)


@pytest.mark.parametrize(("name", "args"), LISTED_ARGS, ids=str)
def test_attention_takes_a_key_and_values_of_another_size(name, args, rng):
    ours, theirs = pair(name, **args)
    x = [rng.normal(size=shape) for shape in (QUERY, (3, 5, 2), VALUE)]
    assert_layer_matches(ours, theirs, x, training=False)
    assert_layer_matches(*pair(name, **args), x, training=False, mask=[QUERY_MASK, FIRST_KEPT, None])


@each_listed
def test_attention_over_further_axes(name, rng):
    x = [rng.normal(size=(2, 3, 4, 6)), rng.normal(size=(2, 3, 5, 6))]
    assert_layer_matches(*pair(name), x)
    assert_layer_matches(*pair(name), x, use_causal_mask=True)
    assert_layer_matches(*pair(name), [rng.normal(size=(4, 6)), rng.normal(size=(5, 6))])


@each_listed
@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_rows_without_a_value_average_all(name, scores, causal, rng):
    ours, theirs = pair(name)
    x = as_tensors([rng.normal(size=QUERY), rng.normal(size=VALUE)])
    arguments = {"mask": [None, VALUE_MASK], "return_attention_scores": scores, "use_causal_mask": causal}
    ours(x), theirs(x)
    copy_weights(ours, theirs)
    mine = copies(x)
    y = ours(mine, **arguments)
    assert_close(y, theirs(x, **arguments))
    output = nested.flatten(y)[0]
    torch.testing.assert_close(output[1], x[1][1].mean(0).expand(4, 6))
    of_query, of_value = torch.autograd.grad(output[1].sum(), mine)
    assert (of_query == 0).all()
    torch.testing.assert_close(of_value[1], torch.full((5, 6), 4 / 5))


@each_listed
@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16", "mixed_bfloat16"])
def test_attention_dtypes(name, dtype, rng):
    ours, theirs = pair(name, dtype=dtype, use_scale=True)
    x = as_tensors([rng.normal(size=QUERY), rng.normal(size=VALUE)], "float64")
    for scores in (False, True):
        arguments = {"mask": [QUERY_MASK, FIRST_KEPT], "return_attention_scores": scores}
        ours(x, **arguments), theirs(x, **arguments)
        set_weights(ours, theirs)
        mine, his = ours(x, **arguments), theirs(x, **arguments)
        assert {t.dtype for t in nested.flatten(mine)} == {getattr(torch, ours.compute_dtype)}
        if dtype == "float64":  # Keras on torch computes parts in float32
            floats = [[t.float() for t in nested.flatten(y)] for y in (mine, his)]
            assert_close(*floats)
        else:
            assert_close(mine, his, 2e-2, 2e-2)
        empty = ours(x, mask=[None, VALUE_MASK])
        torch.testing.assert_close(empty[1].double(), x[1][1].mean(0).expand(4, 6), rtol=2e-2, atol=2e-2)


@each_listed
def test_attention_masks_travel(name, rng):
    ours, theirs = pair(name)
    ids, others = np.array([[1, 2, 0], [0, 0, 0]]), np.array([[1, 0, 0, 0], [1, 2, 3, 0]])
    embedding = layers.Embedding(5, 6, mask_zero=True)
    q, v = embedding(ids), embedding(others)
    his = [attach_mask(t.detach().clone(), get_mask(t)) for t in (q, v)]
    theirs(his)
    ours([q, v])
    copy_weights(ours, theirs)
    output, scores = ours([q, v], return_attention_scores=True)
    expected, his_scores = theirs(his, return_attention_scores=True)
    assert_close((output.detach(), scores.detach()), (expected.detach(), his_scores.detach()))
    assert torch.equal(get_mask(output), get_mask(expected))
    assert get_mask(scores) is None
    assert (output[1] == 0).all()
    assert ours.compute_mask([q, v], [None, None]) is None


@each_listed
def test_attention_dropout(name, rng):
    x = as_tensors([rng.normal(size=(2, 30, 6)), rng.normal(size=(2, 40, 6))])
    layer = CLASSES[name](dropout=0.25)
    _, scores = layer(x, training=True, return_attention_scores=True)
    plain = layer(x, return_attention_scores=True, training=False)[1]
    assert abs((scores == 0).float().mean().item() - 0.25) < 0.05
    torch.testing.assert_close(scores[scores != 0], (plain / 0.75)[scores != 0])
    mean = torch.stack([layer(x, training=True) for _ in range(400)]).mean(0)
    assert (mean - layer(x, training=False)).abs().mean() < 0.05
    first, second = (CLASSES[name](dropout=0.5, seed=7, use_scale=False) for _ in range(2))
    one, two = first(x, training=True), first(x, training=True)
    assert not torch.equal(one, two)
    assert torch.equal(one, second(x, training=True))
    nothing = CLASSES[name](dropout=1.0, seed=7)
    assert (nothing(x, training=True) == 0).all()


@each_listed
def test_attention_refuses(name):
    x = torch.ones(2, 3, 4)
    for inputs, message in [
        (x, "must be called on a list"),
        ([x], "length 2 or 3"),
        ([x] * 4, "length 2 or 3"),
    ]:
        with pytest.raises(ValueError, match=message):
            CLASSES[name]()(inputs)
    with pytest.raises(ValueError, match=r"layer mask must be a list.*Pass None"):
        CLASSES[name]()([x, x], mask=x[..., 0].bool())
    with pytest.raises(ValueError, match="mask list of length 2 or 3"):
        CLASSES[name]()([x, x], mask=[x[..., 0].bool()])
    with pytest.raises(ValueError, match=r"dropout.*between 0 and 1"):
        CLASSES[name](dropout=1.5)
    with pytest.raises(ValueError, match="`score_mode` must be one of 'dot', 'concat'"):
        Attention(score_mode="sum")


def test_scores_of_a_subclass_count():
    class Nearest(Attention):
        def _calculate_scores(self, query, key):
            return -torch.cdist(query, key)

    q, v = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    torch.testing.assert_close(Nearest()([q, v]), torch.softmax(-torch.cdist(q, v), -1) @ v)


# ---------------------------------------------------------------- heads

HEADED_ARGS = [
    ("MultiHeadAttention", {}),
    ("MultiHeadAttention", {"value_dim": 5, "use_bias": False}),
    ("MultiHeadAttention", {"use_gate": True, "value_dim": 2}),
    ("MultiHeadAttention", {"output_shape": 7}),
    ("MultiHeadAttention", {"output_shape": (2, 3), "dropout": 0.5}),
    ("MultiHeadAttention", {"sliding_window": 2}),
    ("MultiHeadAttention", {"bias_initializer": "ones", "seed": 3, "dropout": 0.1, "use_gate": True}),
    ("GroupQueryAttention", {}),
    ("GroupQueryAttention", {"use_bias": False, "dropout": 0.5}),
    ("GroupQueryAttention", {"use_gate": True, "num_key_value_heads": 1}),
    ("GroupQueryAttention", {"sliding_window": 2, "num_key_value_heads": 4}),
]
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


@pytest.mark.parametrize("name", CLASSES)
def test_long_padding_on_the_left(name):
    q, v = torch.randn(1, 3, 6), torch.randn(1, 1200, 6)
    mask = torch.arange(1200)[None] >= 1100
    layer, _ = pair(name)
    if name in LISTED:
        torch.testing.assert_close(layer([q, v], mask=[None, mask]), layer([q, v[:, 1100:]]))
    else:
        torch.testing.assert_close(layer(q, v, value_mask=mask), layer(q, v[:, 1100:]))


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


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("causal", [False, True])
def test_float64_is_exact(name, causal):
    layer, _ = pair(name, dtype="float64")
    q, v = torch.randn(2, 3, 4, dtype=torch.float64), torch.randn(2, 3, 4, dtype=torch.float64)
    q.requires_grad_(), v.requires_grad_()
    masks = torch.tensor([[1, 1, 0]] * 2).bool(), torch.tensor([[0, 1, 1], [0, 0, 0]]).bool()

    def call(q, v):
        if name in LISTED:
            return layer([q, v], mask=list(masks), use_causal_mask=causal)
        return layer(q, v, query_mask=masks[0], value_mask=masks[1], use_causal_mask=causal)

    call(q, v)
    assert torch.autograd.gradcheck(call, (q, v))


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


CONFIGS = [
    *HEADED_ARGS,
    ("MultiHeadAttention", {"attention_axes": [1], "output_shape": [4], "flash_attention": False}),
    ("MultiHeadAttention", {"kernel_regularizer": "l2", "activity_regularizer": "l1", "name": "a"}),
    ("GroupQueryAttention", {"kernel_regularizer": "l2", "activity_regularizer": "l1", "name": "a"}),
    ("GroupQueryAttention", {"bias_constraint": "non_neg", "kernel_constraint": "max_norm"}),
    *LISTED_ARGS,
    ("AdditiveAttention", {"seed": 3, "dropout": 0.1}),
]


def settled(config):
    return {k: tuple(v) if isinstance(v, list) else v for k, v in plain_config(config).items()}


@pytest.mark.parametrize(("name", "args"), CONFIGS, ids=str)
def test_configs_equal_those_of_keras(name, args, rng):
    ours, theirs = pair(name, **args)
    assert settled(ours.get_config()) == settled(theirs.get_config())
    x = as_tensors([rng.normal(size=QUERY), rng.normal(size=QUERY)])
    for layer in (ours, theirs):
        layer(x) if name in LISTED else layer(*x)
    assert settled(ours.get_config()) == settled(theirs.get_config())
    again = type(ours).from_config(ours.get_config())
    assert again.get_config() == ours.get_config()
    again.build_from_config(ours.get_build_config())
    assert [w.shape for w in again.weights] == [w.shape for w in ours.weights]


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


def tokens(rng, rows=3, steps=5):
    return rng.integers(0, 4, (rows, steps))


@each_headed
def test_functional_model_with_masks(name, rng):
    def model(rooms, made, layer):
        ids, others = rooms.Input((None,), dtype="int32"), rooms.Input((5,), dtype="int32")
        embedding = rooms.Embedding(10, 6, mask_zero=True)
        q, v = embedding(ids), embedding(others)
        output = layer(q, v, use_causal_mask=True)
        return made([ids, others], rooms.Dense(2)(output))

    one, two = pair(name)
    ours, theirs = model(layers, models.Model, one), model(keras.layers, keras.Model, two)
    copy_weights(ours, theirs)
    for steps in (3, 5):
        x = [tokens(rng, steps=steps), tokens(rng)]
        mine, his = ours(x), theirs(x)
        assert_close(mine.detach(), his.detach())
        assert torch.equal(get_mask(mine), get_mask(his))


@each_listed
def test_functional_model_with_listed_inputs(name, rng):
    def model(rooms, made, layer):
        ids, others = rooms.Input((None,), dtype="int32"), rooms.Input((5,), dtype="int32")
        embedding = rooms.Embedding(10, 6, mask_zero=True)
        output, scores = layer([embedding(ids), embedding(others)], return_attention_scores=True)
        return made([ids, others], [output, scores])

    one, two = pair(name)
    ours, theirs = model(layers, models.Model, one), model(keras.layers, keras.Model, two)
    copy_weights(ours, theirs)
    x = [tokens(rng, steps=3), tokens(rng)]
    mine, his = ours(x), theirs(x)
    assert_close([t.detach() for t in mine], [t.detach() for t in his])
    assert torch.equal(get_mask(mine[0]), get_mask(his[0]))


class Block(torch.nn.Module):
    """One tensor in, whatever the layer takes."""

    def __init__(self, layer, **arguments):
        super().__init__()
        self.layer = layer
        self.arguments = arguments

    def forward(self, x):
        if isinstance(self.layer, Attention):
            return self.layer([x, x], **self.arguments)
        return self.layer(x, x, **self.arguments)


TORCH_CASES = [
    (name, arguments)
    for name in CLASSES
    for arguments in ({}, {"use_causal_mask": True}, {"return_attention_scores": True})
]


@pytest.mark.parametrize(("name", "arguments"), TORCH_CASES, ids=str)
@pytest.mark.parametrize("training", [False, True])
def test_export_with_dynamic_batch_and_steps(name, arguments, training):
    block = Block(pair(name)[0], **arguments)
    block(torch.randn(2, 4, 6))
    block.train(training)
    batch, steps = torch.export.Dim("batch"), torch.export.Dim("steps")
    program = torch.export.export(block, (torch.randn(3, 5, 6),), dynamic_shapes={"x": {0: batch, 1: steps}})
    x = torch.randn(5, 7, 6)
    assert_close(program.module()(x), block(x))


@pytest.mark.parametrize(("name", "arguments"), TORCH_CASES, ids=str)
@pytest.mark.parametrize("training", [False, True])
def test_compile_without_a_graph_break(name, arguments, training):
    block = Block(pair(name)[0], **arguments)
    x = torch.randn(3, 5, 6)
    block(x)
    block.train(training)
    torch._dynamo.reset()
    assert_close(torch.compile(copy.deepcopy(block), backend="eager", fullgraph=True)(x), block(x))


@each_headed
def test_compile_with_masks(name):
    layer, _ = pair(name)
    q, v = torch.randn(QUERY), torch.randn(VALUE)
    expected = layer(q, v, query_mask=QUERY_MASK, value_mask=VALUE_MASK, use_causal_mask=True)
    torch._dynamo.reset()
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    torch.testing.assert_close(
        compiled(q, v, query_mask=QUERY_MASK, value_mask=VALUE_MASK, use_causal_mask=True), expected
    )


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_compute_the_same(name, duplicate):
    x = torch.randn(3, 5, 6)
    block = Block(pair(name)[0])
    unbuilt = duplicate(block)
    block(x), unbuilt(x)
    unbuilt.load_state_dict(block.state_dict())
    assert torch.equal(unbuilt(x), block(x))
    assert torch.equal(duplicate(block)(x), block(x))
    assert [w.path for w in duplicate(block).layer.weights] == [w.path for w in block.layer.weights]


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
    ("MultiHeadAttention", {"output_shape": 2.5}, "`output_shape` must be a positive integer"),
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
    with pytest.raises(ValueError, match="must have the same rank"):
        pair(name)[0](x, x[None])
    with pytest.raises(ValueError, match=r"`attention_axes` must be different axes from 1 to 1"):
        MultiHeadAttention(2, 3, attention_axes=2)(x, x)
    with pytest.raises(ValueError, match="expected a query of shape"):
        pair("GroupQueryAttention")[0](x[None], x[None])
