"""The results of all epochs in a CSV file."""

import csv
import os
from collections.abc import Iterable

import numpy as np

from torchkeras_lite.callbacks.callback import Callback


class CSVLogger(Callback):
    """Writes a line an epoch: the number of the epoch, then the logs in the order of their sorted names.

    Args:
        filename: Path of the file; its folder is made where there is none.
        separator: What stands between the values.
        append: Whether to go on with a file that exists, rather than to write a new one.

    Source: Keras 3 `keras.callbacks.CSVLogger`.
    """

    first_process_only = True

    def __init__(self, filename, separator=",", append=False):
        super().__init__()
        self.sep = separator
        self.filename = os.fspath(filename)
        self.append = append
        self.writer = None
        self.keys = None
        self.append_header = True
        self.csv_file = None

    def on_train_begin(self, logs=None):
        """Open the file."""
        self.on_train_end()
        self.append_header = True
        if self.append and os.path.exists(self.filename):
            self.append_header = os.path.getsize(self.filename) == 0
        os.makedirs(os.path.dirname(self.filename) or ".", exist_ok=True)
        mode = "a" if self.append else "w"
        self.csv_file = open(self.filename, mode, newline="", encoding="utf-8")  # noqa: SIM115

    def on_epoch_end(self, epoch, logs=None):
        """Write the line of the epoch; values that are missing are `NA`."""
        logs = logs or {}
        if self.writer is None:
            self.keys = sorted(logs)
            # Columns for a validation that may come later.
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]
            self._make_writer()
            if self.append_header:
                self.writer.writeheader()
        self.writer.writerow({"epoch": epoch, **{key: _cell(logs.get(key, "NA")) for key in self.keys}})
        self.csv_file.flush()

    def _make_writer(self):
        self.writer = csv.DictWriter(self.csv_file, fieldnames=["epoch", *self.keys], delimiter=self.sep)

    def state_dict(self):
        """Return the content of the file: lines that come after a backup are written again."""
        with open(self.filename, newline="", encoding="utf-8") as file:
            return {"keys": self.keys if self.writer is not None else None, "text": file.read()}

    def load_state_dict(self, state_dict):
        """Take what `state_dict` returned: the file is as it was then."""
        self.csv_file.seek(0)
        self.csv_file.truncate()
        self.csv_file.write(state_dict["text"])
        self.csv_file.flush()
        self.keys = state_dict["keys"]
        if self.keys is not None:
            self._make_writer()

    def on_train_end(self, logs=None):
        """Close the file."""
        self.release()

    def release(self):
        """Close the file."""
        if self.csv_file is not None:
            self.csv_file.close()
        self.csv_file = None
        self.writer = None


def _cell(value):
    if isinstance(value, str) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value
    if isinstance(value, Iterable) and getattr(value, "ndim", 1) != 0:
        return f'"[{", ".join(map(str, value))}]"'
    return value
