"""Evaluating with the moving averages of the weights."""

import torch

from torchkeras_lite.callbacks.callback import Callback


class SwapEMAWeights(Callback):
    """Puts the optimizer's moving averages in the place of the weights for evaluation and prediction, then
    the weights back.

    Needs an optimizer with `use_ema=True`.

    Args:
        swap_on_epoch: Whether the averages are also in place from the end of an epoch to the begin of the
            next, for callbacks such as `ModelCheckpoint` that come later in the list.

    Raises:
        ValueError: an optimizer that keeps no averages.

    Source: Keras 3 `keras.callbacks.SwapEMAWeights`. Differs from it: the averages stay in the optimizer
    meanwhile.
    """

    def __init__(self, swap_on_epoch=False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._kept = None

    def _averages(self):
        """Return the pairs of weights and averages, none before the first step."""
        optimizer = getattr(self.model, "optimizer", None)
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        averaging = [
            one for one in getattr(optimizer, "optimizers", [optimizer]) if getattr(one, "use_ema", 0)
        ]
        if not averaging:
            raise ValueError(
                "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer. "
                "Received: use_ema=False. Make the optimizer with use_ema=True."
            )
        pairs = []
        for one in averaging:
            averages = getattr(one, "_model_variables_moving_average", None)
            if averages and int(one.iterations):
                pairs += zip(one._trainable_variables, averages, strict=True)
        return pairs

    @torch.no_grad()
    def _swap_in(self):
        if self._kept is None:
            self._kept = []
            for weight, average in self._averages():
                self._kept.append((weight, weight.value.detach().clone()))
                weight.assign(average.value)

    @torch.no_grad()
    def _swap_out(self):
        for weight, value in self._kept or ():
            weight.assign(value)
        self._kept = None

    def on_train_begin(self, logs=None):
        """Check the optimizer."""
        self._kept = None
        self._averages()

    def on_epoch_begin(self, epoch, logs=None):
        """Put the weights back."""
        if self.swap_on_epoch:
            self._swap_out()

    def on_epoch_end(self, epoch, logs=None):
        """Put the averages in place."""
        if self.swap_on_epoch:
            self._swap_in()

    def release(self):
        """Put the weights back where an evaluation or a prediction did not end."""
        self._swap_out()

    def on_train_end(self, logs=None):
        """Leave what is in place."""
        self._kept = None

    def on_test_begin(self, logs=None):
        """Put the averages in place."""
        self._swap_in()

    def on_test_end(self, logs=None):
        """Put the weights back."""
        self._swap_out()

    def on_predict_begin(self, logs=None):
        """Put the averages in place."""
        self._swap_in()

    def on_predict_end(self, logs=None):
        """Put the weights back."""
        self._swap_out()
