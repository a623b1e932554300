"""The bar of `fit`, `evaluate` and `predict`."""

import sys
from time import perf_counter

from torchkeras_lite.base.old_names import Dropped, takes_old
from torchkeras_lite.callbacks.callback import Callback
from torchkeras_lite.callbacks.progress import Progbar, announce, is_live


class ProgbarLogger(Callback):
    """Draws a bar while `fit`, `evaluate` or `predict` run (`verbose=1`), or prints a line an epoch
    (`verbose=2`).

    The logs of a batch are read only when the bar is drawn, at most every `interval` seconds, because reading
    them waits for the device. Where the output is neither a terminal nor a notebook, the bar is printed once
    an epoch, when it is full.

    Attributes:
        interval: Least time between two drawings, in seconds.
        next_draw: Time of `perf_counter` before which the bar is not drawn.

    Source: Keras 3 `keras.callbacks.ProgbarLogger`.
    """

    first_process_only = True
    interval = 0.1

    @takes_old({"count_mode": Dropped(), "stateful_metrics": Dropped()}, "ProgbarLogger")
    def __init__(self):
        super().__init__()
        self.seen = 0
        self.progbar = None
        self.target = None
        self.verbose = 1
        self.epochs = 1
        self._in_fit = False
        self.next_draw = 0.0

    def set_params(self, params):
        """Take `verbose`, `epochs` and `steps` (`None` where the number is not known)."""
        self.params = params
        verbose = params.get("verbose", 1)
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs = params.get("epochs", 1)
        self.target = params.get("steps")

    def on_train_begin(self, logs=None):
        """Keep the validation silent from here on."""
        self._in_fit = True

    def on_train_end(self, logs=None):
        """End the silence."""
        self._in_fit = False
        self.release()

    def on_epoch_begin(self, epoch, logs=None):
        """Print the number of the epoch if there are several, and begin a bar."""
        if self.verbose and self.epochs > 1:
            announce(f"Epoch {epoch + 1}/{self.epochs}")
        self._begin()

    def on_epoch_end(self, epoch, logs=None):
        """Complete the bar."""
        self._end(logs)

    def on_train_batch_end(self, batch, logs=None):
        """Draw the bar if it is time."""
        self.update(batch + 1, logs)

    def on_test_begin(self, logs=None):
        """Begin a bar, outside of `fit`."""
        if not self._in_fit:
            self._begin()

    def on_test_batch_end(self, batch, logs=None):
        """Draw the bar if it is time, outside of `fit`."""
        if not self._in_fit:
            self.update(batch + 1, logs)

    def on_test_end(self, logs=None):
        """Complete the bar, outside of `fit`."""
        if not self._in_fit:
            self._end(logs)

    def on_predict_begin(self, logs=None):
        """Begin a bar."""
        self._begin()

    def on_predict_batch_end(self, batch, logs=None):
        """Draw the bar if it is time, without values."""
        self.update(batch + 1, None)

    def on_predict_end(self, logs=None):
        """Complete the bar."""
        self._end(None)

    def update(self, step, logs):
        """Note that `step` steps are done, and draw the bar if it is time.

        Args:
            step: Number of steps done.
            logs: A mapping, lazy or not, or `None`. It is read only if the bar is drawn.
        """
        self.seen = step
        if perf_counter() >= self.next_draw:
            self._draw(logs)

    def release(self):
        """End a bar that is still drawn."""
        if self.progbar is not None:
            self.progbar.close()

    def _begin(self):
        self.release()
        self.seen = 0
        self.progbar = Progbar(self.target, verbose=self.verbose, interval=0, stateless_metrics=())
        self.next_draw = 0.0

    def _draw(self, logs):
        if self.progbar is None:
            self._begin()
        if self.verbose == 1 and is_live(sys.stdout):
            self.progbar.update(self.seen, list((logs or {}).items()), finalize=False)
            self.next_draw = perf_counter() + self.interval
        else:
            # Only the time of the first step matters, for the rate.
            self.progbar.update(self.seen, finalize=False)
            self.next_draw = float("inf")

    def _end(self, logs):
        if self.progbar is None:
            self._begin()
        if self.target is None:
            self.target = self.progbar.target = self.seen
        done = self.seen or self.target
        self.progbar.update(done, list((logs or {}).items()), finalize=True)
