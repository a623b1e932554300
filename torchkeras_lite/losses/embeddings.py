"""Circle loss, for embeddings in which samples of one label lie close together."""

from contextlib import nullcontext

import torch
import torch.nn.functional as F

from torchkeras_lite.losses.arguments import on_symbols, predictions, to_tensor
from torchkeras_lite.losses.loss import FunctionLoss


@on_symbols
def circle(y_true, y_pred, ref_labels=None, ref_embeddings=None, remove_diagonal=True, gamma=80, margin=0.4):
    """Circle loss of each embedding against all others, or against reference embeddings.

    Args:
        y_true: Integer labels.
        y_pred: Embeddings of length 1.
        ref_labels: Labels of the references; `y_true` when not given.
        ref_embeddings: References; `y_pred` when not given.
        remove_diagonal: Whether to leave out the pair of a sample and the reference of the same index.
        gamma: Scale of the similarities.
        margin: How far pairs are pushed apart.

    Shapes:
        y_true `(batch,)` or `(batch, 1)`, y_pred `(batch, n)`, ref_labels `(refs,)`, ref_embeddings `(refs,
        n)`
        -> `(batch,)`; samples without a loss are masked out of the means of `Loss`

    Raises:
        ValueError: shapes that don't fit.

    Source: Keras 3 `keras.losses.circle`; Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity
    Optimization", 2020.
    """
    y_pred = predictions(y_pred)
    labels = to_tensor(y_true, device=y_pred.device).reshape(-1, 1)
    references = y_pred if ref_embeddings is None else to_tensor(ref_embeddings, y_pred.dtype, y_pred.device)
    ref_labels = labels if ref_labels is None else to_tensor(ref_labels, device=y_pred.device)
    ref_labels = ref_labels.reshape(1, -1)
    _check_shapes(labels, y_pred, ref_labels, references)
    # the exponents below need all digits; autocast knows no meta device
    exact = nullcontext() if y_pred.is_meta else torch.autocast(y_pred.device.type, enabled=False)
    with exact:
        distance = (1.0 - y_pred @ references.T).relu()  # (batch, refs)
    same = labels == ref_labels
    different = ~same
    if remove_diagonal:
        same = same & ~torch.eye(*same.shape, dtype=torch.bool, device=same.device)
    pull = gamma * (distance + margin).relu() * (distance - margin)
    push = gamma * (1.0 + margin - distance).relu() * (1.0 - margin - distance)
    minus_infinity = float("-inf")
    values = F.softplus(
        torch.logsumexp(pull.masked_fill(~same, minus_infinity), dim=1)
        + torch.logsumexp(push.masked_fill(~different, minus_infinity), dim=1)
    )
    values._keras_mask = values > 0
    return values


circle.integer_targets = True


def _check_shapes(labels, embeddings, ref_labels, references):
    fits = (
        embeddings.ndim == 2
        and references.ndim == 2
        and labels.shape[0] == embeddings.shape[0]
        and ref_labels.shape[1] == references.shape[0]
        and embeddings.shape[1] == references.shape[1]
    )
    if not fits:
        raise ValueError(
            "circle: expected embeddings of shape (batch, n) with one label each, got y_pred of shape "
            f"{tuple(embeddings.shape)} with {labels.shape[0]} labels, and references of shape "
            f"{tuple(references.shape)} with {ref_labels.shape[1]}. Flatten the embeddings to two axes."
        )


class Circle(FunctionLoss):
    """Circle loss within a batch: see `circle`, and `Loss` for the other arguments.

    Args:
        gamma: Scale of the similarities.
        margin: How far pairs are pushed apart.
        remove_diagonal: Whether to leave out the pair of a sample with itself.

    Source: Keras 3 `keras.losses.Circle`.
    """

    def __init__(
        self,
        gamma=80.0,
        margin=0.4,
        remove_diagonal=True,
        reduction="sum_over_batch_size",
        name="circle",
        dtype=None,
    ):
        arguments = {"gamma": gamma, "margin": margin, "remove_diagonal": remove_diagonal}
        super().__init__(circle, reduction, name, dtype, **arguments)
