"""Scaled dot-product attention as Keras's attention layers need it: masks, causality, scores.

Everything here has the heads in front of the steps: query `(..., heads, queries, dim)`, key and value
`(..., heads, keys, dim)`; there may be fewer heads in key and value, each shared by as many query heads.
Masks are boolean, True where a query may look at a key, and broadcast to `(..., heads, queries, keys)`.
"""

import contextlib

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel


def causal_mask(queries, keys, device):
    """Return a mask by which query `i` sees the keys up to `i`."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril()  # (queries, keys)


def window_mask(queries, keys, size, device):
    """Return a mask by which query `i` sees the keys nearer than `size`, on both sides."""
    rows, columns = torch.arange(queries, device=device), torch.arange(keys, device=device)
    return (rows[:, None] - columns).abs() < size  # (queries, keys)


def both(first, second):
    """Return the masks' conjunction; `None` stands for a mask that is True everywhere."""
    if first is None or second is None:
        return second if first is None else first
    return first & second


def fused(query, key, value, mask=None, *, causal=False, scale=None, dropout=0.0, flash=False):
    """Return the attention of torch's kernels, without scores.

    A query that may look at no key averages all values equally, and passes no gradient to queries and keys.

    Args:
        query, key, value, mask: See the module.
        causal: Whether query `i` sees the keys up to `i` only; not together with `mask`.
        scale: Factor of the scores; `None`: 1 / sqrt(dim).
        dropout: Fraction of weights set to 0.
        flash: Whether only the flash kernel may run.

    Raises:
        RuntimeError: `flash` where that kernel can't run.
    """
    if mask is not None:
        # Hiding all keys by large negative scores would do forward, but the kernels' gradients are then
        # wrong: they keep the logarithm of a row's sum, and it drowns in such a score.
        sees = mask.any(-1, keepdim=True)  # (..., heads, queries, 1)
        query, mask = query.masked_fill(~sees, 0.0), mask | ~sees
    lead = query.shape[:-3]
    if len(lead) > 1:  # the fast kernels take four axes
        if mask is not None and mask.ndim > 3:
            mask = mask.expand(*lead, *mask.shape[-3:]).flatten(0, -4)
        query, key, value = query.flatten(0, -4), key.flatten(0, -4), value.flatten(0, -4)
    shared = query.shape[-3] != key.shape[-3]
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION) if flash else contextlib.nullcontext():
        output = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            dropout_p=dropout,
            is_causal=causal,
            scale=scale,
            enable_gqa=shared,
        )  # (batch, heads, queries, dim)
    return output.unflatten(0, lead) if len(lead) > 1 else output


def masked_softmax(scores, mask):
    """Return the weights for scores `(..., queries, keys)`; equal ones in a row without a true value."""
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return torch.softmax(scores, dim=-1)


def masked_weights(query, key, mask, scale):
    """Return the weights of all keys for each query: 0 where masked, so all 0 in a row without a True."""
    if key.shape[-3] != query.shape[-3]:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)
    scores = torch.matmul(query * scale, key.transpose(-2, -1))  # (..., heads, queries, keys)
    weights = masked_softmax(scores, mask)
    return (weights if mask is None else weights.masked_fill(~mask, 0.0)).to(query.dtype)


def weighted_sum(weights, value):
    """Return the values, averaged by weights `(..., heads, queries, keys)`."""
    if value.shape[-3] != weights.shape[-3]:
        value = value.repeat_interleave(weights.shape[-3] // value.shape[-3], dim=-3)
    return torch.matmul(weights, value)  # (..., heads, queries, dim)


def drop(weights, rate, draws, seed):
    """Return `weights` with a fraction set to 0 and the others raised; with a seed, `draws` says which."""
    if seed is None or rate == 1:
        return F.dropout(weights, rate)
    return weights * (draws.keep(weights, weights.shape, rate) / (1.0 - rate))
