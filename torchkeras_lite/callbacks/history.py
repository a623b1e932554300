"""The results of all epochs."""

from torchkeras_lite.callbacks.callback import Callback
from torchkeras_lite.callbacks.extras import extra
from torchkeras_lite.callbacks.old_logs import NamedValues


class History(Callback):
    """Keeps the logs of every epoch; `fit` returns it and leaves it at `model.history`.

    Attributes:
        history: Dict of names to lists with one value an epoch.
        epoch: List of the epochs' 0-based numbers.

    Source: Keras 3 `keras.callbacks.History`.
    """

    stateful = ("history", "epoch", "_rows")

    def __init__(self):
        super().__init__()
        self.history = NamedValues()
        self.epoch = []
        self._rows = []

    def on_train_begin(self, logs=None):
        """Start the list of epochs anew."""
        self.epoch = []
        self._rows = []

    def on_epoch_end(self, epoch, logs=None):
        """Append the values of the epoch."""
        logs = dict(logs or {})
        self.epoch.append(epoch)
        self._rows.append(logs)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        if self.model is not None:
            self.model.history = self

    def to_frame(self):
        """Return the last training as a pandas DataFrame, one row an epoch, indexed by `epoch`.

        Epochs without a value, such as those that `validation_freq` leaves out, have NaN.

        Raises:
            ImportError: pandas is not installed.
        """
        pandas = extra("pandas", "pandas", "History.to_frame()")
        return pandas.DataFrame(
            self._rows,
            index=pandas.Index(self.epoch, name="epoch", dtype="int64"),
            columns=list(self.history),
        )
