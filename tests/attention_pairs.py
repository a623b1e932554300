"""Attention layers beside those of Keras, and their comparison: what the tests of attention share."""

import keras
import torch

from oracle import as_tensors, assert_close, copies, copy_weights
from torchkeras_lite.base import nested
from torchkeras_lite.engine.masking import attach_mask, get_mask
from torchkeras_lite.layers.attention import AdditiveAttention, Attention
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


LISTED_ARGS = [
    ("Attention", {}),
    ("Attention", {"use_scale": True}),
    ("Attention", {"score_mode": "concat"}),
    ("Attention", {"score_mode": "concat", "use_scale": True}),
    ("Attention", {"dropout": 0.5}),
    ("AdditiveAttention", {}),
    ("AdditiveAttention", {"use_scale": False}),
]

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
