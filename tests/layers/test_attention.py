"""Attention without heads against Keras; configs, models, export and compilation of all attention layers."""

import copy
import pickle

import keras
import numpy as np
import pytest
import torch

from attention_pairs import (
    CLASSES,
    FIRST_KEPT,
    HEADED,
    HEADED_ARGS,
    LISTED,
    LISTED_ARGS,
    QUERY,
    QUERY_MASK,
    VALUE,
    VALUE_MASK,
    pair,
    set_weights,
)
from oracle import as_tensors, assert_close, assert_layer_matches, copies, copy_weights, plain_config
from torchkeras_lite import layers, models
from torchkeras_lite.base import nested
from torchkeras_lite.engine.masking import attach_mask, get_mask
from torchkeras_lite.layers.attention import Attention

each_headed = pytest.mark.parametrize("name", HEADED)
each_listed = pytest.mark.parametrize("name", LISTED)


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
    with pytest.raises(ValueError, match=r"Invalid value for argument score_mode. Expected one of {'dot', "):
        Attention(score_mode="sum")


def test_scores_of_a_subclass_count():
    class Nearest(Attention):
        def _calculate_scores(self, query, key):
            return -torch.cdist(query, key)

    q, v = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    torch.testing.assert_close(Nearest()([q, v]), torch.softmax(-torch.cdist(q, v), -1) @ v)


@pytest.mark.parametrize("name", CLASSES)
def test_long_padding_on_the_left(name):
    q, v = torch.randn(1, 3, 6), torch.randn(1, 1200, 6)
    mask = torch.arange(1200)[None] >= 1100
    layer, _ = pair(name)
    if name in LISTED:
        torch.testing.assert_close(layer([q, v], mask=[None, mask]), layer([q, v[:, 1100:]]))
    else:
        torch.testing.assert_close(layer(q, v, value_mask=mask), layer(q, v[:, 1100:]))


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
