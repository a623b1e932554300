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


def additive(mask, dtype, lowest=None):
    """Return what is added to scores: 0 where `mask` is true, else `lowest`, far below any score.

    It is finite, so that a row without a true value gives equal weights and finite gradients.
    """
    lowest = 0.7 * torch.finfo(dtype).min if lowest is None else lowest
    return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, lowest)


def fused(query, key, value, bias=None, *, causal=False, scale=None, dropout=0.0, flash=False):
    """Return the attention of torch's kernels, without scores.

    Args:
        query, key, value: See the module.
        bias: Added to the scores.
        causal: Whether query `i` sees the keys up to `i` only; not together with `bias`.
        scale: Factor of the scores; `None`: 1 / sqrt(dim).
        dropout: Fraction of weights set to 0.
        flash: Whether only the flash kernel may run.

    Raises:
        RuntimeError: `flash` where that kernel can't run.
    """
    lead = query.shape[:-3]
    if len(lead) > 1:  # the fast kernels take four axes
        if bias is not None:
            bias = bias.expand(*lead, *bias.shape[-3:]).flatten(0, -4)
        query, key, value = query.flatten(0, -4), key.flatten(0, -4), value.flatten(0, -4)
    shared = query.shape[-3] != key.shape[-3]
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION) if flash else contextlib.nullcontext():
        output = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=bias,
            dropout_p=dropout,
            is_causal=causal,
            scale=scale,
            enable_gqa=shared,
        )  # (batch, heads, queries, dim)
    return output.unflatten(0, lead) if len(lead) > 1 else output


def masked_weights(query, key, mask, scale):
    """Return the weights of all keys for each query: 0 where masked, so all 0 in a row without a True."""
    if key.shape[-3] != query.shape[-3]:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)
    scores = torch.matmul(query * scale, key.transpose(-2, -1))  # (..., heads, queries, keys)
    if mask is None:
        return torch.softmax(scores, dim=-1).to(query.dtype)
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return torch.softmax(scores, dim=-1).masked_fill(~mask, 0.0).to(query.dtype)


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
