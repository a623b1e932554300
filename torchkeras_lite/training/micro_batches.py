"""Batches that don't fit into the memory of an accelerator, trained in parts with summed gradients."""

import warnings

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.training.precision import has_batch_normalization
from torchkeras_lite.training.steps import TrainStep, batch_length, call_compute_loss, no_loss_message


class MicroBatchStep:
    """A training step that is tried again in halves when the accelerator runs out of memory.

    The gradients of the parts are summed, weighted by their rows, and one update is made, so the step equals
    that of the whole batch for losses that are means (or sums) over the samples. Layers that look at a whole
    batch, such as `BatchNormalization`, see the parts: that is told once. The size that fitted is kept for
    the batches to come.

    Args:
        model: A compiled, built model in training mode.

    Raises:
        ValueError: losses of which some are sums and some are means, or an optimizer that computes the loss
            itself.
    """

    def __init__(self, model):
        self.step = TrainStep(model)
        self.model = model
        if self.step.needs_closure:
            raise ValueError(
                "compile: `auto_micro_batch=True` does not work with an optimizer that computes the loss "
                "several times a step, such as LBFGS. Leave it out, or take another optimizer."
            )

    @property
    def rows(self):
        """Rows of a part, kept with the model; `None` while whole batches fit."""
        return self.model.micro_batch_rows

    @rows.setter
    def rows(self, rows):
        self.model.__dict__["micro_batch_rows"] = rows

    def __call__(self, x, y, sample_weight):
        """Make the step, in parts where need be."""
        rows = batch_length(x)
        if self.rows is None or self.rows >= rows:
            try:
                y_pred, loss = self.step.differentiate(x, y, sample_weight)
            except torch.OutOfMemoryError:
                if rows == 1:
                    raise
                self._make_smaller(rows)
            else:
                self._finish(loss, rows, [(x, y, y_pred, sample_weight)])
                return
        while not self._in_parts(x, y, sample_weight, rows):
            self._make_smaller(self.rows)

    def _in_parts(self, x, y, sample_weight, rows):
        """Train a batch in parts, and return whether they fitted."""
        total, done = 0.0, []
        try:
            for start in range(0, rows, self.rows):
                part = [_slice(data, start, start + self.rows, rows) for data in (x, y, sample_weight)]
                y_pred, loss = self._differentiate(*part, min(self.rows, rows - start) / rows)
                total = total + loss.detach()
                done.append((*part[:2], nested.map_structure(torch.Tensor.detach, y_pred), part[2]))
        except torch.OutOfMemoryError:
            if self.rows == 1:
                raise
            return False
        self._finish(total, rows, done)
        return True

    def _differentiate(self, x, y, sample_weight, share):
        """Add the gradients of a part; return its outputs and what it adds to the loss of the batch."""
        step, model = self.step, self.model
        y_pred = model(x)
        if step.custom_loss:
            loss = call_compute_loss(model, x, y, y_pred, sample_weight, training=True) * share
        else:
            loss = step.compiled_loss(y, y_pred, sample_weight)
            if self._sums():
                added = step.with_added_losses(None)
                loss = loss if added is None else loss + added * share
            else:
                loss = step.with_added_losses(loss)
                if loss is None:
                    raise ValueError(no_loss_message(model))
                loss = loss * share
        step.backward(loss)
        return y_pred, loss

    def _make_smaller(self, rows):
        """Halve the size of a part, and free what the failed try left."""
        self.step.forget_gradients()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        hint = ""
        if has_batch_normalization(self.model):
            hint = (
                " BatchNormalization normalizes each part by itself, so the training is not exactly that of "
                "the whole batch."
            )
        first, self.rows = self.rows is None, -(-rows // 2)
        if first:
            warnings.warn(
                f"A batch of {rows} rows does not fit into the memory of the accelerator; it is trained in "
                f"parts of {self.rows} rows or fewer with summed gradients.{hint}",
                stacklevel=2,
            )

    def _sums(self):
        """Whether the losses of the parts add up to the loss of the batch; they are averaged otherwise."""
        compiled = self.model.compiled_loss
        kinds = {loss.reduction == "sum" for loss in compiled.losses} if compiled is not None else set()
        if len(kinds) > 1:
            raise ValueError(
                "compile: `auto_micro_batch=True` needs losses of one kind, and here some are sums over the "
                "batch and some are means. Give all the same `reduction`."
            )
        return kinds == {True}

    def _finish(self, loss, rows, parts):
        """Make the update, and add the batch to the running loss and its parts to the metrics."""
        self.step.optimizer.update()
        self.step.forget_gradients()
        with torch.no_grad():
            self.step.tracker.update_from_mean(loss, rows)
            for part in parts:
                self.step.update_metrics(*part)


def _slice(data, start, stop, rows):
    """Return rows `start` to `stop` of every tensor that has `rows` of them."""

    def cut(tensor):
        has_rows = isinstance(tensor, torch.Tensor) and tensor.ndim and tensor.shape[0] == rows
        return tensor[start:stop] if has_rows else tensor

    return nested.map_structure(cut, data)
