"""Going on with a training that was interrupted."""

import json
import os
import shutil
import signal
import threading
import warnings
from pathlib import Path

from torchkeras_lite.base import processes
from torchkeras_lite.base.atomic_file import replacing
from torchkeras_lite.callbacks.batch_counter import BatchCounter, save_frequency
from torchkeras_lite.callbacks.callback import Callback
from torchkeras_lite.callbacks.point_file import read_point, write_point


class BackupAndRestore(Callback):
    """Saves the whole state of a training now and then; the next `fit` with the folder goes on from there.

    A training that was killed at any moment and started again ends with the weights and the history of one
    that was not: kept are weights, optimizer, schedules and the scale of the loss; the states of the other
    callbacks, of metrics, of stateful layers, and of the random generators of Python, NumPy, torch and Keras;
    epoch and batch, and the place in the data, whose order follows again from the random state in which its
    pass began. A generator is read again up to that place, so it must begin anew when it is made. A
    `PyDataset` that changes itself (shuffles in `on_epoch_end`) needs `state_dict()` and
    `load_state_dict(state)`, which are called where it has them. What cannot be exact: random numbers drawn
    in workers or threads, data that changes by itself, and operations that are not deterministic on a GPU.
    Another number of processes than saved it repeats an epoch that was interrupted, with a warning.
    On SIGTERM it saves after the batch that is going on and ends the program with
    status 143, or calls the handler that was there before.

    Every file is written beside its place and then moved there, so an interruption never leaves half a file.

    Args:
        backup_dir: Folder for the backup, of this training alone.
        save_freq: `"epoch"`, or a number of batches.
        double_checkpoint: Whether to keep the backup before the last one too, which is used when the last
            cannot be read.
        delete_checkpoint: Whether to delete the folder at the end of the training.

    Raises:
        ValueError: no folder, or an unknown `save_freq`; at the begin of `fit`, a model without weights yet.

    Source: Keras 3 `keras.callbacks.BackupAndRestore`. Differs: Keras keeps weights, optimizer and epoch
    alone, and repeats the epoch that was interrupted; this acts after all other callbacks.
    """

    takes_points = True  # `fit` keeps track of its place
    reads_batch_logs = False
    # What one process asks for, and where several note that all have heard of it: a signal that comes in the
    # middle of a step must not have one of them save alone.
    requests = {"_signalled": "_agreed"}
    acts_last = True

    def __init__(self, backup_dir, save_freq="epoch", double_checkpoint=False, delete_checkpoint=True):
        super().__init__()
        if not backup_dir:
            raise ValueError(
                "BackupAndRestore: Empty `backup_dir` argument passed. Pass the path of a folder."
            )
        self.save_freq = save_frequency("BackupAndRestore", save_freq)
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self.backup_dir = os.fspath(backup_dir)
        self._weights_path = os.path.join(self.backup_dir, "latest.weights.h5")
        self._training_metadata_path = os.path.join(self.backup_dir, "training_metadata.json")
        self._point_path = os.path.join(self.backup_dir, "training_state.pt")
        self._prev_weights_path = f"{self._weights_path}.bkp"
        self._prev_training_metadata_path = f"{self._training_metadata_path}.bkp"
        self._prev_point_path = f"{self._point_path}.bkp"
        self._counter = BatchCounter()
        self._batches_since_saving = 0
        self._current_epoch = 0
        self._signalled = False
        self._agreed = None
        self._handler = None

    def on_train_begin(self, logs=None):
        """Take up the backup, if there is one: load the weights and set `model._initial_epoch`."""
        if not getattr(self.model, "built", True):
            raise ValueError(
                "To use the BackupAndRestore callback, your model must be built before you call `fit()`. "
                f"Model {self.model} is unbuilt. Call it on a batch of data first."
            )
        self._batches_since_saving = 0
        self._listen()
        pairs = (
            (self._weights_path, self._training_metadata_path),
            (self._prev_weights_path, self._prev_training_metadata_path),
        )
        for weights, metadata in pairs:
            if not os.path.exists(weights):
                continue
            remedy = "Trying the one before." if weights == self._weights_path else "Training starts anew."
            try:
                epoch = self._restore(weights, metadata)
            except (OSError, ValueError, KeyError) as error:
                warnings.warn(
                    f"BackupAndRestore: the backup {weights} cannot be read ({error}). {remedy}",
                    stacklevel=3,
                )
                continue
            self.model._initial_epoch = epoch
            self._current_epoch = epoch
            return

    def _restore(self, weights, metadata):
        """Load the weights, hand the rest to `fit`, and return the epoch to go on with."""
        # An interruption between two files leaves a state beside weights that it does not belong to.
        point = read_point((self._point_path, self._prev_point_path), weights)
        if point is None:
            epoch = int(json.loads(Path(metadata).read_text(encoding="utf-8"))["epoch"])
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None and not getattr(optimizer, "built", True):
            optimizer.build(self.model.trainable_variables)
        if weights.endswith(".bkp"):
            # The ending tells the format, so the older file is read under a name that has it.
            readable = os.path.join(self.backup_dir, "previous.weights.h5")
            shutil.copyfile(weights, readable)
            try:
                self.model.load_weights(filepath=readable)
            finally:
                os.remove(readable)
        else:
            self.model.load_weights(filepath=weights)
        if point is None:
            return epoch
        point = self._training_point().accept(point)
        self._counter.last = point["step"] - 1
        return point["epoch"]

    def _training_point(self):
        return getattr(self.model, "training_point", None)

    def on_epoch_begin(self, epoch, logs=None):
        """Note the epoch."""
        self._current_epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Save after `save_freq` batches, and on SIGTERM."""
        if self._must_end():
            self._save(self._current_epoch, batch, step=batch + 1)
            self._end()
        if self.save_freq == "epoch":
            return
        self._batches_since_saving += self._counter.new(batch)
        if self._batches_since_saving >= self.save_freq:
            self._batches_since_saving = 0
            self._save(self._current_epoch, batch, step=batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        """Save after the epoch."""
        self._current_epoch = epoch + 1
        ending = self._must_end()
        if self.save_freq == "epoch" or ending:
            self._save(epoch + 1, 0)
        if ending:
            self._end()

    def on_train_end(self, logs=None):
        """Delete the backup."""
        if self.delete_checkpoint and self._writes() and os.path.isdir(self.backup_dir):
            shutil.rmtree(self.backup_dir)

    def release(self):
        """Give SIGTERM back to whoever had it."""
        if self._handler is not None:
            signal.signal(signal.SIGTERM, self._handler)
            self._handler = None

    def state_dict(self):
        """Return the batches since the last backup."""
        return {"_batches_since_saving": self._batches_since_saving}

    def _listen(self):
        """Take SIGTERM, which only the main thread of a program can."""
        self._signalled, self._agreed = False, None
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and self._handler is None and self._training_point() is not None:
            self._handler = signal.signal(signal.SIGTERM, self._note_signal)

    def _note_signal(self, number, frame):
        self._signalled = True

    def _must_end(self):
        return self._signalled if self._agreed is None else self._agreed

    def _end(self):
        handler = self._handler
        self.release()
        if callable(handler):
            handler(signal.SIGTERM, None)
        raise SystemExit(128 + signal.SIGTERM)

    def _writes(self):
        """Whether this process writes the files: the first of several that train together."""
        return processes.is_first() or getattr(self.model, "distribute", None) is False

    def _save(self, epoch, batch, step=0):
        os.makedirs(self.backup_dir, exist_ok=True)
        incoming = os.path.join(self.backup_dir, "incoming.weights.h5")
        self.model.save_weights(filepath=incoming, overwrite=True)
        point = self._training_point()
        taken = None if point is None else point.take(epoch, step)
        if not self._writes():
            return
        if point is not None:
            if os.path.exists(self._point_path):
                os.replace(self._point_path, self._prev_point_path)
            write_point(self._point_path, taken, incoming)
        if self.double_checkpoint and os.path.exists(self._weights_path):
            os.replace(self._weights_path, self._prev_weights_path)
            if os.path.exists(self._training_metadata_path):
                os.replace(self._training_metadata_path, self._prev_training_metadata_path)
        os.replace(incoming, self._weights_path)
        with replacing(self._training_metadata_path) as place:
            Path(place).write_text(json.dumps({"epoch": epoch, "batch": batch}), encoding="utf-8")
