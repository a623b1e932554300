"""A lower learning rate when a value no longer gets better."""

import warnings

import numpy as np

from torchkeras_lite.base.checks import refuse_unknown
from torchkeras_lite.callbacks.learning_rates import note_learning_rates, rated_optimizers
from torchkeras_lite.callbacks.monitor import MonitorCallback
from torchkeras_lite.callbacks.progress import announce


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by `factor` when the monitored value has not got better for `patience`
    epochs; with a `MultiOptimizer`, that of each of its optimizers.

    Args:
        monitor: Name of an entry of the logs.
        factor: What the learning rate is multiplied by, below 1.
        patience: Epochs to wait for something better.
        verbose: 1 to print when it acts.
        mode: `"min"`, `"max"` or `"auto"`; see `MonitorCallback`.
        min_delta: Smallest change that counts as better.
        cooldown: Epochs to pass over after acting.
        min_lr: Least learning rate.
        **kwargs: tf.keras's `epsilon` is taken as `min_delta`.

    Raises:
        ValueError: a factor of 1 or more.
        TypeError: an unknown argument; an optimizer whose learning rate is a schedule.

    Source: Keras 3 `keras.callbacks.ReduceLROnPlateau`.
    """

    stateful = ("best", "cooldown_counter", "wait")

    def __init__(
        self,
        monitor="val_loss",
        factor=0.1,
        patience=10,
        verbose=0,
        mode="auto",
        min_delta=1e-4,
        cooldown=0,
        min_lr=0.0,
        **kwargs,
    ):
        min_delta = kwargs.pop("epsilon", min_delta)
        refuse_unknown(
            "ReduceLROnPlateau", kwargs, ("monitor", "factor", "patience", "mode", "min_delta", "min_lr")
        )
        super().__init__(monitor, mode, min_delta=min_delta)
        if factor >= 1.0:
            raise ValueError(
                f"ReduceLROnPlateau does not support a factor >= 1.0. Received factor={factor}. "
                "Pass the fraction to keep, for example 0.1."
            )
        self.factor = factor
        self.min_lr = min_lr
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self._reset()

    def _reset(self):
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs=None):
        """Forget the last training."""
        self._reset()

    def in_cooldown(self):
        """Whether epochs are being passed over."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch, logs=None):
        """Note the learning rate in the logs, and lower it if it is time."""
        logs = {} if logs is None else logs
        note_learning_rates(self.model.optimizer, logs)
        current = logs.get(self.monitor)
        if current is None:
            warnings.warn(
                f"Learning rate reduction is conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs)}.",
                stacklevel=2,
            )
            return
        better = self.is_improvement(current, self.best)
        if self.in_cooldown():
            self.cooldown_counter -= 1
        if better:
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._lower(epoch):
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def _lower(self, epoch):
        """Lower what is above the least learning rate; return whether there was something."""
        acted = False
        for optimizer, _, words in rated_optimizers(self.model.optimizer):
            rate = float(optimizer.learning_rate)
            if rate > np.float32(self.min_lr):
                lower = max(rate * self.factor, self.min_lr)
                optimizer.learning_rate = lower
                if self.verbose:
                    announce(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing {words} to {lower}.")
                acted = True
        return acted
