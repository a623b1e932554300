"""Stopping when a value no longer gets better."""

import warnings

from torchkeras_lite.callbacks.monitor import MonitorCallback
from torchkeras_lite.callbacks.progress import announce


class EarlyStopping(MonitorCallback):
    """Stops `fit` when the monitored value has not got better for `patience` epochs.

    Args:
        monitor: Name of an entry of the logs.
        min_delta: Smallest change that counts as better.
        patience: Epochs to wait for something better.
        verbose: 1 to print when it acts.
        mode: `"min"`, `"max"` or `"auto"`; see `MonitorCallback`.
        baseline: Value that must be bettered; epochs that do not are waited for like the others.
        restore_best_weights: Whether to go back, at the end of `fit`, to the weights of the best epoch.
        start_from_epoch: Epochs to pass over at the start.

    Attributes:
        stopped_epoch: The 0-based epoch at which it stopped, 0 if it did not.
        best: Best value.
        best_epoch: The 0-based epoch of the best value.

    Source: Keras 3 `keras.callbacks.EarlyStopping`.
    """

    stateful = ("wait", "stopped_epoch", "best", "best_weights", "best_epoch")

    def __init__(
        self,
        monitor="val_loss",
        min_delta=0,
        patience=0,
        verbose=0,
        mode="auto",
        baseline=None,
        restore_best_weights=False,
        start_from_epoch=0,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._reset()

    def _reset(self):
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_weights = None
        self.best_epoch = 0

    def on_train_begin(self, logs=None):
        """Forget the last training."""
        self._reset()

    def on_epoch_end(self, epoch, logs=None):
        """Compare the value of the epoch with the best one."""
        current = self.get_monitor_value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        better = self.is_improvement(current, self.best)
        if better:
            self.best = current
            self.best_epoch = epoch
        if self.restore_best_weights and (better or self.best_weights is None):
            self.best_weights = self.model.get_weights()
        if better:
            if self.baseline is None or self.is_improvement(current, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        """Say what happened and go back to the best weights, if asked to."""
        if self.stopped_epoch > 0 and self.verbose:
            announce(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                announce(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)

    def get_monitor_value(self, logs):
        """Return the monitored entry of `logs`; warn and return `None` if there is none."""
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is None:
            warnings.warn(
                f"Early stopping conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs)}",
                stacklevel=3,
            )
        return value
