"""Going on with a training that was interrupted."""

import json
import os
import shutil
import warnings
from pathlib import Path

from torchkeras_lite.callbacks.batch_counter import BatchCounter, save_frequency
from torchkeras_lite.callbacks.callback import Callback


class BackupAndRestore(Callback):
    """Saves the weights and the epoch now and then; the next `fit` with the same folder goes on from there.

    Every file is written beside its place and then moved there, so an interruption never leaves half a file.

    Args:
        backup_dir: Folder for the backup, of this training alone.
        save_freq: `"epoch"`, or a number of batches. A backup within an epoch repeats that epoch with the
            weights saved.
        double_checkpoint: Whether to keep the backup before the last one too, which is used when the last
            cannot be read.
        delete_checkpoint: Whether to delete the folder at the end of the training.

    Raises:
        ValueError: no folder, or an unknown `save_freq`; at the begin of `fit`, a model without weights yet.

    Source: Keras 3 `keras.callbacks.BackupAndRestore`.
    """

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
        self._prev_weights_path = f"{self._weights_path}.bkp"
        self._prev_training_metadata_path = f"{self._training_metadata_path}.bkp"
        self._counter = BatchCounter()
        self._batches_since_saving = 0
        self._current_epoch = 0

    def on_train_begin(self, logs=None):
        """Take up the backup, if there is one: load the weights and set `model._initial_epoch`."""
        if not getattr(self.model, "built", True):
            raise ValueError(
                "To use the BackupAndRestore callback, your model must be built before you call `fit()`. "
                f"Model {self.model} is unbuilt. Call it on a batch of data first."
            )
        self._batches_since_saving = 0
        pairs = (
            (self._weights_path, self._training_metadata_path),
            (self._prev_weights_path, self._prev_training_metadata_path),
        )
        for weights, metadata in pairs:
            if not (os.path.exists(weights) and os.path.exists(metadata)):
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
        return epoch

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
            self._save(self._current_epoch, batch)

    def on_epoch_end(self, epoch, logs=None):
        """Save after the epoch."""
        self._current_epoch = epoch + 1
        if self.save_freq == "epoch":
            self._save(epoch + 1, 0)

    def on_train_end(self, logs=None):
        """Delete the backup."""
        if self.delete_checkpoint and os.path.isdir(self.backup_dir):
            shutil.rmtree(self.backup_dir)

    def _save(self, epoch, batch):
        os.makedirs(self.backup_dir, exist_ok=True)
        incoming_weights = os.path.join(self.backup_dir, "incoming.weights.h5")
        incoming_metadata = os.path.join(self.backup_dir, "incoming.json")
        self.model.save_weights(filepath=incoming_weights, overwrite=True)
        Path(incoming_metadata).write_text(json.dumps({"epoch": epoch, "batch": batch}), encoding="utf-8")
        if self.double_checkpoint and os.path.exists(self._weights_path):
            os.replace(self._weights_path, self._prev_weights_path)
            if os.path.exists(self._training_metadata_path):
                os.replace(self._training_metadata_path, self._prev_training_metadata_path)
        os.replace(incoming_weights, self._weights_path)
        os.replace(incoming_metadata, self._training_metadata_path)
