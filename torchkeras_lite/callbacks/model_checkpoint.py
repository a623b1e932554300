"""Saving the model while it trains."""

import glob
import os
import re

import numpy as np

from torchkeras_lite.base.checks import positive_int
from torchkeras_lite.base.old_names import Renamed, takes_old
from torchkeras_lite.base.warning import warn_user
from torchkeras_lite.callbacks.batch_counter import BatchCounter, save_frequency
from torchkeras_lite.callbacks.monitor import MonitorCallback
from torchkeras_lite.callbacks.old_logs import NamedValues
from torchkeras_lite.callbacks.point_file import MEMBER, point_bytes, point_in_archive
from torchkeras_lite.callbacks.progress import announce

MODEL_SUFFIXES = (".keras", ".h5", ".hdf5", ".safetensors")
WEIGHT_SUFFIXES = (".weights.h5", ".h5", ".hdf5")  # the last two as Keras 2 wrote them


class Epochs(str):
    """A `save_freq` of `"epoch"` that is due every `period` epochs: Keras 2's argument `period`."""

    def __new__(cls, period):
        """Return `"epoch"` with a period."""
        made = super().__new__(cls, "epoch")
        made.period = positive_int("ModelCheckpoint", "period", period)
        return made


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or its weights, after every epoch or every so many batches.

    A `.keras` file has, beside layers, weights, compilation and the optimizer's state, all that the training
    needs to go on as if it had not been interrupted: the states of schedules, of the scale of the loss, of
    the other callbacks and of metrics, the random generators, the history, and the place in the data (see
    `BackupAndRestore`). Keras reads such a file as any other. The script that is run again with
    `resume=True` goes on from there. Callbacks behind this one that keep a state get the end of the epoch
    (or batch) at which it was saved once more.

    Args:
        filepath: Path of the file, ending in `.keras` (or `.weights.h5` with `save_weights_only`). It may
            name values: `"{epoch:02d}-{val_loss:.2f}.keras"`, where `epoch` and `batch` count from 1.
        monitor: Name of an entry of the logs, for `save_best_only`.
        verbose: 1 to print when it acts.
        save_best_only: Whether to save only when the monitored value got better.
        save_weights_only: Whether to call `model.save_weights` instead of `model.save`.
        mode: `"min"`, `"max"` or `"auto"`; see `MonitorCallback`.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: Value that the first one must better.
        resume: Whether `fit` begins with the state in the file (the newest one, where `filepath` names
            values), if there is one; or the path of a file that it begins with. Not in Keras. Needs
            `.keras` and whole models. A backup of a `BackupAndRestore` behind it goes before.

    Raises:
        ValueError: another ending of `filepath`, an unknown `save_freq`, `resume` for another kind of file;
            at the begin of `fit`, a file to resume from that is damaged, is of another model or has no state.
        KeyError: at the first saving, if `filepath` names a value that the logs do not have.
        IsADirectoryError: at the first saving, if there is a folder of that name.

    Source: Keras 3 `keras.callbacks.ModelCheckpoint`. Differs: Keras keeps model and optimizer alone.
    """

    stateful = ("best", "_batches_since_saving", "_epochs_since_saving")

    @takes_old({"period": Renamed(("save_freq",), Epochs)}, "ModelCheckpoint")
    def __init__(
        self,
        filepath,
        monitor="val_loss",
        verbose=0,
        save_best_only=False,
        save_weights_only=False,
        mode="auto",
        save_freq="epoch",
        initial_value_threshold=None,
        *,
        resume=False,
    ):
        super().__init__(monitor, mode, initial_value_threshold)
        self.verbose = verbose
        self.filepath = os.fspath(filepath)
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_frequency("ModelCheckpoint", save_freq)
        if save_weights_only and not self.filepath.endswith(WEIGHT_SUFFIXES):
            raise ValueError(
                "When using `save_weights_only=True` in `ModelCheckpoint`, the filepath provided must end in "
                f"`.weights.h5` (Keras weights format). Received: filepath={filepath}"
            )
        if not save_weights_only and not self.filepath.endswith(MODEL_SUFFIXES):
            raise ValueError(
                "The filepath provided must end in `.keras` (Keras model format). "
                f"Received: filepath={filepath}. Also known: {', '.join(MODEL_SUFFIXES[1:])}."
            )
        self.takes_points = not save_weights_only and self.filepath.endswith(".keras")
        if resume and not self.takes_points:
            raise ValueError(
                "ModelCheckpoint: `resume` needs whole models in `.keras` files, which have the state of the "
                f"training. Received: filepath={filepath}, save_weights_only={save_weights_only}."
            )
        self.resume = resume
        self._counter = BatchCounter()
        self._batches_since_saving = 0
        self._epochs_since_saving = 0
        self._current_epoch = 0

    def on_train_begin(self, logs=None):
        """Take up the training that `resume` names."""
        point = getattr(self.model, "training_point", None)
        path = self._resumed_file() if self.resume and point is not None else None
        if path is None or point.pending is not None:
            return
        found = point_in_archive(path)
        if found is None:
            raise ValueError(
                f"ModelCheckpoint: {path} has no state of a training to resume. Load it with `load_model`, "
                "and pass `initial_epoch` to `fit`."
            )
        self.model.load_weights(path)
        point.accept(found)
        self.model._initial_epoch = found["epoch"]

    def _resumed_file(self):
        """Return the path of the file to go on from, `None` where there is none yet."""
        if self.resume is not True:
            return os.fspath(self.resume)
        pattern = re.sub(r"\{[^{}]*\}", "*", glob.escape(self.filepath))
        return max(glob.glob(pattern), key=os.path.getmtime, default=None)

    def state_dict(self):
        """Return what was best, and what was saved when."""
        return {**super().state_dict(), "last_batch": self._counter.last}

    def load_state_dict(self, state_dict):
        """Take what `state_dict` returned."""
        self._counter.last = state_dict["last_batch"]
        super().load_state_dict({key: state_dict[key] for key in self.stateful})

    def on_epoch_begin(self, epoch, logs=None):
        """Note the epoch."""
        self._current_epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Save after `save_freq` batches."""
        if self.save_freq == "epoch":
            return
        self._batches_since_saving += self._counter.new(batch)
        if self._batches_since_saving >= self.save_freq:
            self._batches_since_saving = 0
            self._save(self._current_epoch, batch, logs or {})

    def on_epoch_end(self, epoch, logs=None):
        """Save after the epoch."""
        if self.save_freq == "epoch":
            self._epochs_since_saving += 1
            if self._epochs_since_saving >= getattr(self.save_freq, "period", 1):
                self._epochs_since_saving = 0
                self._save(epoch, None, logs or {})

    def _save(self, epoch, batch, logs):
        path = self._path(epoch, batch, logs)
        if self.save_best_only:
            if not self._is_best(epoch, logs, path):
                return
        elif self.verbose:
            announce(f"\nEpoch {epoch + 1}: saving model to {path}")
        if os.path.isdir(path):
            raise IsADirectoryError(
                "Please specify a non-directory filepath for ModelCheckpoint. "
                f"Filepath used is an existing directory: {path}"
            )
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self._save_model(path, epoch, batch, logs)
        if self.verbose:
            announce(f"\nEpoch {epoch + 1}: finished saving model to {path}")

    def _save_model(self, path, epoch, batch, logs):
        point = getattr(self.model, "training_point", None)
        if point is None or not self.takes_points:
            self.model.save(path, overwrite=True)
            return
        if batch is None:
            taken = point.take(epoch + 1, 0, (self, "on_epoch_end", epoch, logs))
        else:
            taken = point.take(epoch, batch + 1, (self, "on_train_batch_end", batch, logs))
        point.members[MEMBER] = point_bytes(taken)
        try:
            self.model.save(path, overwrite=True)
        finally:
            del point.members[MEMBER]

    def _is_best(self, epoch, logs, path):
        current = logs.get(self.monitor)
        if current is None:
            warn_user(
                f"Can save best model only with {self.monitor} available. The logs have {', '.join(logs)}; "
                "saving the model as it is."
            )
            return True
        if np.ndim(current) > 0:
            warn_user(
                f"Can save best model only when `monitor` is a scalar value. Received: {current}. "
                "Falling back to `save_best_only=False`."
            )
            return True
        best = self.best
        if not self.is_improvement(current, best):
            if self.verbose:
                announce(f"\nEpoch {epoch + 1}: {self.monitor} did not improve from {best:.5f}")
            return False
        self.best = current
        if self.verbose:
            before = "None" if best is None else f"{best:.5f}"
            change = f"{self.monitor} improved from {before} to {current:.5f}"
            announce(f"\nEpoch {epoch + 1}: {change}, saving model to {path}")
        return True

    def _path(self, epoch, batch, logs):
        values = {"epoch": epoch + 1} if batch is None else {"epoch": epoch + 1, "batch": batch + 1}
        if "{" not in self.filepath:
            return self.filepath
        values |= dict(logs)
        try:
            return self.filepath.format_map(NamedValues(values))
        except KeyError as error:
            raise KeyError(
                f'Failed to format this callback filepath: "{self.filepath}". Reason: {error}. '
                f"Known here: {', '.join(values)}."
            ) from None
