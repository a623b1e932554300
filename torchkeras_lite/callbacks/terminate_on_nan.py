"""Stopping when the loss is no number."""

import math

from torchkeras_lite.callbacks.callback import Callback
from torchkeras_lite.callbacks.progress import announce


class TerminateOnNaN(Callback):
    """Ends `fit` at the first batch with a loss of NaN or infinity.

    It reads the loss after every batch, so every step waits for the device.

    Args:
        raise_error: Whether to raise instead of ending in order, so that nothing that runs at the end (such
            as deleting a backup) happens.

    Raises:
        RuntimeError: such a loss, with `raise_error`.

    Source: Keras 3 `keras.callbacks.TerminateOnNaN`.
    """

    def __init__(self, raise_error=False):
        super().__init__()
        self.raise_error = raise_error

    def on_train_batch_end(self, batch, logs=None):
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"NaN or Inf loss encountered at batch {batch}. Loss value: {loss}. "
                "Terminating training immediately."
            )
        announce(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
