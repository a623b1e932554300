"""Connectionist temporal classification: label sequences shorter than the sequence of predictions."""

import torch
import torch.nn.functional as F

from torchkeras_lite.losses.arguments import on_symbols, predictions, to_tensor
from torchkeras_lite.losses.loss import FunctionLoss


@on_symbols
def ctc(y_true, y_pred):
    """Minus the log likelihood of each label sequence under the predictions, over all alignments.

    Args:
        y_true: Integer labels from 1 to `classes - 1`, padded with 0 at the end. Class 0 is the blank.
        y_pred: Logits of the classes at each step. All steps count.

    Shapes:
        y_true `(batch, max_length)`, y_pred `(batch, steps, classes)` -> `(batch,)`

    Raises:
        ValueError: other ranks.

    Source: Keras 3 `keras.losses.ctc`. Differs from `F.ctc_loss`: takes logits, batch first, and finds the
    lengths.
    """
    y_pred = predictions(y_pred)
    y_true = to_tensor(y_true, device=y_pred.device)
    if y_true.ndim != 2 or y_pred.ndim != 3 or y_true.shape[0] != y_pred.shape[0]:
        raise ValueError(
            "ctc: expected `y_true` of shape (batch, max_length) and `y_pred` of shape (batch, steps, "
            f"classes), got y_true {tuple(y_true.shape)} and y_pred {tuple(y_pred.shape)}. Pad the labels "
            "with 0 to one length."
        )
    batch, steps, _ = y_pred.shape
    if y_pred.dtype in (torch.float16, torch.bfloat16):
        y_pred = y_pred.float()
    return F.ctc_loss(
        F.log_softmax(y_pred, dim=-1).transpose(0, 1),
        y_true.long(),
        torch.full((batch,), steps, device=y_true.device),
        (y_true != 0).sum(dim=-1),
        reduction="none",
    )


ctc.integer_targets = True


class CTC(FunctionLoss):
    """Loss of label sequences without alignment: see `ctc`, and `Loss` for the arguments.

    Source: Keras 3 `keras.losses.CTC`. Differs from `torch.nn.CTCLoss`: takes logits, batch first, finds the
    lengths, and does not divide by them.
    """

    def __init__(self, reduction="sum_over_batch_size", name="ctc", dtype=None):
        super().__init__(ctc, reduction, name, dtype)
