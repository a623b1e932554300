"""`tf.nn`: activations, losses on logits, normalization, embeddings, and the functions of `nn_windows`."""

import torch
import torch.nn.functional as F

from torchkeras_lite import ops
from torchkeras_lite.tf import elementwise
from torchkeras_lite.tf.conversion import convert, convert_beside, sizes
from torchkeras_lite.tf.nn_windows import *  # noqa: F403
from torchkeras_lite.tf.nn_windows import __all__ as WINDOWS
from torchkeras_lite.tf.reductions import in_top_k, top_k
from torchkeras_lite.tf.unknown import missing

sigmoid, tanh, softplus, softsign = (
    elementwise.FUNCTIONS[name] for name in ("sigmoid", "tanh", "softplus", "softsign")
)


def relu(features, name=None):
    """Return the greater of 0 and each value."""
    return ops.relu(convert(features))


def relu6(features, name=None):
    """Return each value, at least 0 and at most 6."""
    return ops.relu6(convert(features))


def leaky_relu(features, alpha=0.2, name=None):
    """Return each value, times `alpha` where negative."""
    return ops.leaky_relu(convert(features), alpha)


def crelu(features, axis=-1, name=None):
    """Return the positive and the negative parts, joined along an axis."""
    features = convert(features)
    return torch.cat([torch.relu(features), torch.relu(-features)], axis)


def elu(features, name=None):
    """Return each value, `exp(x) - 1` where negative."""
    return ops.elu(convert(features))


def selu(features, name=None):
    """Return the scaled `elu`."""
    return ops.selu(convert(features))


def gelu(features, approximate=False, name=None):
    """Return each value times the share of a normal distribution below it; `approximate`: by `tanh`."""
    return ops.gelu(convert(features), approximate)


def silu(features, beta=1.0):
    """Return `x * sigmoid(beta * x)`."""
    features = convert(features)
    return ops.silu(features) if beta == 1.0 else features * torch.sigmoid(beta * features)


swish = silu


def softmax(logits, axis=None, name=None):
    """Return exponentials that sum to 1 along an axis (`None`: the last)."""
    return ops.softmax(convert(logits), -1 if axis is None else axis)


def log_softmax(logits, axis=None, name=None):
    """Return the logarithm of `softmax`."""
    return ops.log_softmax(convert(logits), -1 if axis is None else axis)


def sigmoid_cross_entropy_with_logits(labels=None, logits=None, name=None):
    """Return the binary cross-entropy of each logit."""
    labels, logits = _pair(labels, logits)
    return F.binary_cross_entropy_with_logits(logits, labels.expand_as(logits), reduction="none")


def weighted_cross_entropy_with_logits(labels, logits, pos_weight, name=None):
    """Return the binary cross-entropy of each logit, positive labels counting `pos_weight` times."""
    labels, logits = _pair(labels, logits)
    weight = convert_beside(pos_weight, logits)
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="none", pos_weight=weight)


def softmax_cross_entropy_with_logits(labels, logits, axis=-1, name=None):
    """Return the cross-entropy of rows of logits and rows of shares."""
    labels, logits = _pair(labels, logits)
    return -(labels * torch.log_softmax(logits, axis)).sum(axis)


def sparse_softmax_cross_entropy_with_logits(labels, logits, name=None):
    """Return the cross-entropy of rows of logits and class numbers."""
    labels, logits = convert(labels).long(), convert(logits)
    return -torch.log_softmax(logits, -1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)


def _pair(labels, logits):
    logits = convert(logits)
    return convert_beside(labels, logits).to(logits.dtype), logits


def log_poisson_loss(targets, log_input, compute_full_loss=False, name=None):
    """Return the Poisson loss of each logarithm of an expected count."""
    targets, log_input = _pair(targets, log_input)
    return F.poisson_nll_loss(log_input, targets, log_input=True, full=compute_full_loss, reduction="none")


def l2_loss(t, name=None):
    """Return half the sum of squares."""
    return torch.sum(torch.square(convert(t))) / 2


def l2_normalize(x, axis=None, epsilon=1e-12, name=None):
    """Return `x` divided by its L2 norm over some axes (`None`: all)."""
    x = convert(x)
    dim = tuple(range(x.ndim)) if axis is None else sizes(axis)
    return x * torch.rsqrt(torch.sum(x * x, dim, keepdim=True).clamp(min=epsilon))


def moments(x, axes, shift=None, keepdims=False, name=None):
    """Return mean and variance over some axes."""
    x, dim = convert(x), sizes(axes)
    return torch.mean(x, dim, keepdims), torch.var(x, dim, correction=0, keepdim=keepdims)


def batch_normalization(x, mean, variance, offset, scale, variance_epsilon, name=None):
    """Return `(x - mean) / sqrt(variance + variance_epsilon) * scale + offset`; `None` leaves a part out."""
    x = convert(x)
    factor = torch.rsqrt(convert(variance) + variance_epsilon)
    factor = factor if scale is None else factor * convert(scale)
    shift = -convert(mean) * factor
    return x * factor + (shift if offset is None else shift + convert(offset))


def local_response_normalization(input, depth_radius=5, bias=1, alpha=1, beta=0.5, name=None):
    """Return `input` divided by a power of the sum of squares of the channels around each."""
    size = 2 * depth_radius + 1
    x = convert(input).movedim(-1, 1)
    return F.local_response_norm(x, size, alpha * size, beta, bias).movedim(1, -1)


lrn = local_response_normalization


def dropout(x, rate, noise_shape=None, seed=None, name=None):
    """Return `x` with a share `rate` of the values set to 0 and the others scaled up."""
    x = convert(x)
    shape = tuple(x.shape) if noise_shape is None else sizes(noise_shape)
    keep = torch.rand(shape, device=x.device, generator=_generator(seed, x.device)) >= rate
    return x * keep / (1 - rate)


def _generator(seed, device):
    return None if seed is None else torch.Generator(device).manual_seed(int(seed))


def bias_add(value, bias, data_format=None, name=None):
    """Return `value` with a bias added to each channel, the last axis, or the second with `"NC..."`."""
    value, bias = convert(value), convert(bias)
    if data_format and data_format.startswith("NC"):
        bias = bias.reshape(-1, *[1] * (value.ndim - 2))
    return value + bias


def embedding_lookup(params, ids, max_norm=None, name=None):
    """Return the rows of `params` at `ids`, cut to an L2 norm of `max_norm`."""
    rows = F.embedding(convert(ids).long(), convert(params))
    return rows if max_norm is None else elementwise.clip_by_norm(rows, max_norm, -1)


def zero_fraction(value, name=None):
    """Return the share of zeros."""
    return (convert(value) == 0).float().mean()


def compute_average_loss(per_example_loss, sample_weight=None, global_batch_size=None):
    """Return the sum of losses divided by the number of samples over all replicas (`None`: their number)."""
    losses = convert(per_example_loss)
    if sample_weight is not None:
        losses = losses * convert_beside(sample_weight, losses)
    return losses.sum() / (losses.numel() if global_batch_size is None else global_batch_size)


def scale_regularization_loss(regularization_loss):
    """Return the sum of regularization losses."""
    return convert(regularization_loss).sum()


def ctc_loss(
    labels,
    logits,
    label_length,
    logit_length,
    logits_time_major=True,
    unique=None,
    blank_index=None,
    name=None,
):
    """Return the CTC loss of each sequence.

    Args:
        labels: Class numbers `(batch, length)`.
        logits: Tensor `(time, batch, classes)`, or `(batch, time, classes)` without `logits_time_major`.
        label_length, logit_length: Lengths of each sequence.
        logits_time_major: Whether time is the first axis.
        unique, name: Accepted and unused.
        blank_index: Class number of the blank; `None`: 0.
    """
    logits = convert(logits)
    logits = logits if logits_time_major else logits.transpose(0, 1)
    blank = (blank_index or 0) % logits.shape[-1]
    lengths = [convert(length).long() for length in (logit_length, label_length)]
    return F.ctc_loss(torch.log_softmax(logits, -1), convert(labels).long(), *lengths, blank, "none")


__all__ = [
    *WINDOWS,
    "batch_normalization",
    "bias_add",
    "compute_average_loss",
    "crelu",
    "ctc_loss",
    "dropout",
    "elu",
    "embedding_lookup",
    "gelu",
    "in_top_k",
    "l2_loss",
    "l2_normalize",
    "leaky_relu",
    "local_response_normalization",
    "log_poisson_loss",
    "log_softmax",
    "lrn",
    "moments",
    "relu",
    "relu6",
    "scale_regularization_loss",
    "selu",
    "sigmoid",
    "sigmoid_cross_entropy_with_logits",
    "silu",
    "softmax",
    "softmax_cross_entropy_with_logits",
    "softplus",
    "softsign",
    "sparse_softmax_cross_entropy_with_logits",
    "swish",
    "tanh",
    "top_k",
    "weighted_cross_entropy_with_logits",
    "zero_fraction",
]
__getattr__ = missing(
    "tf.nn",
    {
        "nce_loss": "sigmoid_cross_entropy_with_logits on sampled classes, as word2vec does",
        "sampled_softmax_loss": "sparse_softmax_cross_entropy_with_logits on all classes",
        "safe_embedding_lookup_sparse": "torch.nn.functional.embedding_bag",
        "ctc_greedy_decoder": "torchkeras_lite.ops.ctc_decode",
        "ctc_beam_search_decoder": "torchkeras_lite.ops.ctc_decode(strategy='beam_search')",
    },
)
