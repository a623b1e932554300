"""Dot-product attention over sequences of heads."""

import math

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensor, as_tensors, to_common


@operation(tensors=6)
def dot_product_attention(
    query,
    key,
    value,
    bias=None,
    mask=None,
    scale=None,
    is_causal=False,
    flash_attention=None,
    attn_logits_soft_cap=None,
):
    """Return the average of values, weighted by how well their keys fit each query.

    Args:
        query: Tensor (batch, queries, heads, dim).
        key, value: Tensors (batch, keys, heads, dim); fewer heads are shared by as many query heads each.
        bias: Tensor added to the scores, broadcast to (batch, heads, queries, keys).
        mask: Booleans, likewise, True where a query may look at a key. Where it may look at none, the result
            is the mean of all values.
        scale: Factor of the scores; `None`: 1 / sqrt(dim).
        is_causal: Whether query `i` sees the keys up to `i` only.
        flash_attention: `True`: only torch's flash kernel may run; `False`: it may not; `None`: torch
            decides.
        attn_logits_soft_cap: Scores are kept within this by tanh.

    Returns:
        A tensor (batch, queries, heads, dim).

    Raises:
        ValueError: another number of axes, flash attention with a cap.
        RuntimeError: `flash_attention=True` where that kernel cannot run.

    Source: Keras 3 `keras.ops.dot_product_attention`; torch's `F.scaled_dot_product_attention`, which has the
    heads before the steps.
    """
    query, key, value = to_common(as_tensors([query, key, value]))
    if any(x.ndim != 4 for x in (query, key, value)):
        shapes = ", ".join(str(tuple(x.shape)) for x in (query, key, value))
        raise ValueError(
            "dot_product_attention: expected query, key and value of 4 axes (batch, steps, heads, dim), got "
            f"shapes {shapes}."
        )
    q, k, v = (x.transpose(1, 2) for x in (query, key, value))  # (batch, heads, steps, dim)
    if not q.is_floating_point():
        q, k, v = q.float(), k.float(), v.float()
    mask = None if mask is None else as_tensors([q, mask])[1].bool()
    bias = None if bias is None else as_tensors([q, bias])[1]
    if mask is not None and mask.ndim == 3:
        mask = mask.unsqueeze(1)
    if is_causal and (mask is not None or bias is not None or attn_logits_soft_cap is not None):
        seen = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril()
        mask, is_causal = seen if mask is None else mask & seen, False
    if attn_logits_soft_cap is not None:
        if flash_attention:
            raise ValueError(
                "dot_product_attention: flash attention knows no `attn_logits_soft_cap`. Leave "
                "`flash_attention` out."
            )
        return _capped(q, k, v, bias, mask, scale, attn_logits_soft_cap).transpose(1, 2)
    if flash_attention is None:
        return _fused(q, k, v, bias, mask, scale, is_causal).transpose(1, 2)
    with _kernels(flash_attention):
        return _fused(q, k, v, bias, mask, scale, is_causal).transpose(1, 2)


def _kernels(flash_attention):
    if flash_attention:
        return sdpa_kernel(SDPBackend.FLASH_ATTENTION)
    return sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.MATH])


def _fused(q, k, v, bias, mask, scale, is_causal):
    """Return torch's attention. Queries that see no key see all of them equally, without a gradient."""
    if mask is not None:
        sees = mask.any(-1, keepdim=True)  # (..., queries, 1)
        q, mask = q.masked_fill(~sees, 0.0), mask | ~sees
        if bias is not None:
            bias = torch.where(sees, bias, 0.0)
    added = mask
    if bias is not None:
        added = bias.to(q.dtype)
        added = added if mask is None else added.masked_fill(~mask, -torch.inf)
    return F.scaled_dot_product_attention(
        q,
        k,
        v,
        attn_mask=added,
        is_causal=is_causal,
        scale=None if scale is None else float(scale),
        enable_gqa=q.shape[1] != k.shape[1],
    )


def _capped(q, k, v, bias, mask, scale, cap):
    if k.shape[1] != q.shape[1]:
        k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else as_tensor(scale)
    scores = torch.matmul(q, k.transpose(-2, -1)) * scale  # (batch, heads, queries, keys)
    scores = cap * torch.tanh(scores / cap)
    if bias is not None:
        scores = scores + bias
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return torch.matmul(torch.softmax(scores, -1).to(v.dtype), v)
