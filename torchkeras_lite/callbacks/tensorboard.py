"""Logs, weights, graph and profile for TensorBoard, through `torch.utils.tensorboard`."""

import os
import time

from torchkeras_lite.base.old_names import Dropped, takes_old
from torchkeras_lite.callbacks.batch_counter import BatchCounter
from torchkeras_lite.callbacks.callback import Callback
from torchkeras_lite.callbacks.extras import extra
from torchkeras_lite.callbacks.tensorboard_records import (
    Profile,
    profile_range,
    write_embeddings,
    write_graph,
    write_weights,
)
from torchkeras_lite.engine import sharding

OLD = {
    "batch_size": Dropped(),
    "embeddings_data": Dropped(only=(None,), remedy="embeddings of all rows are written"),
    "embeddings_layer_names": Dropped(only=(None, [], ()), remedy="name the layers in `embeddings_metadata`"),
    "write_grads": Dropped(
        only=(False, None), remedy="write them in a callback of your own with `writer('train').add_histogram`"
    ),
}


class TensorBoard(Callback):
    """Writes what TensorBoard shows: `tensorboard --logdir logs`.

    Runs: `train` and `validation` inside of `log_dir`. Tags: `epoch_<name>` at every epoch, `batch_<name>` at
    batches, `evaluation_<name>_vs_iterations` after every evaluation, `<weight>/histogram` and
    `<weight>/image`.

    Args:
        log_dir: Folder of the runs.
        histogram_freq: Write histograms of the weights every that many epochs, 0 for never.
        write_graph: Whether to write the graph of the model, which runs the model once on zeros. A model that
            does not know its inputs has none.
        write_images: Whether to write weights as images whenever histograms are written.
        write_steps_per_second: Whether to write the steps a second of epochs and batches.
        update_freq: `"epoch"`, `"batch"`, or a number of batches after which to write the logs of the batch.
            Writing them waits for the device.
        profile_batch: Batch, or first and last batch as a pair or as `"10,20"`, counted from 1, to record
            with `torch.profiler`; 0 for none. The trace lies in the run `train`.
        embeddings_freq: Write the matrices of embedding layers every that many epochs, 0 for never.
        embeddings_metadata: Path of a file with a label a line (or columns with a header), or a dict of names
            of layers to such paths.

    Raises:
        ImportError: at the begin of `fit`, if the package tensorboard is not installed.
        ValueError: an unknown `update_freq` or `profile_batch`, or metadata for a layer that the model does
            not have.

    Source: Keras 3 `keras.callbacks.TensorBoard`. Differs from it: the graph is torch's, and the profile is a
    trace of `torch.profiler`.
    """

    first_process_only = True

    @takes_old(OLD, "TensorBoard")
    def __init__(
        self,
        log_dir="logs",
        histogram_freq=0,
        write_graph=True,
        write_images=False,
        write_steps_per_second=False,
        update_freq="epoch",
        profile_batch=0,
        embeddings_freq=0,
        embeddings_metadata=None,
    ):
        super().__init__()
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        is_count = (
            isinstance(self.update_freq, int)
            and not isinstance(self.update_freq, bool)
            and self.update_freq > 0
        )
        if self.update_freq != "epoch" and not is_count:
            raise ValueError(
                "TensorBoard: `update_freq` must be 'epoch', 'batch' or a number of batches of 1 or more, "
                f"got {update_freq!r}."
            )
        self.profile_batch = profile_batch
        self.embeddings_freq = embeddings_freq
        self.embeddings_metadata = embeddings_metadata
        self._profile_range = profile_range(profile_batch)
        self._profile = None
        self._writers = {}
        self._in_fit = False
        self._batches = 0
        self._counter = BatchCounter()
        self._graph_written = False

    def writer(self, run):
        """Return torch's `SummaryWriter` of the run `"train"` or `"validation"`, for summaries of your
        own."""
        if run not in self._writers:
            module = extra("torch.utils.tensorboard", "tensorboard", "TensorBoard")
            self._writers[run] = module.SummaryWriter(os.path.join(self.log_dir, run))
        return self._writers[run]

    def set_model(self, model):
        """Receive the model, and check that TensorBoard can be written."""
        extra("torch.utils.tensorboard", "tensorboard", "TensorBoard")
        super().set_model(model)

    def _steps_done(self):
        """Steps the optimizer has made over all trainings, or the batches counted here."""
        iterations = getattr(getattr(self.model, "optimizer", None), "iterations", None)
        return self._batches if iterations is None else int(iterations)

    def on_train_begin(self, logs=None):
        """Write the graph."""
        self._in_fit = True
        self._batches = self._steps_done()
        self._first_batch = self._batches
        self._last_write = (self._batches, time.perf_counter())
        is_sharded = sharding.has_shards(self.model)
        if is_sharded and (self.histogram_freq or self.write_images or self.embeddings_freq):
            raise ValueError(
                "TensorBoard: weights are sharded over the processes (`distribute='fsdp'`), and the first "
                "one cannot write histograms, images or embeddings of them. Pass 0 for `histogram_freq` "
                "and `embeddings_freq`, and `write_images=False`."
            )
        if self.write_graph and not self._graph_written and not is_sharded:
            self._graph_written = True
            write_graph(self.writer("train"), self.model)

    def on_epoch_begin(self, epoch, logs=None):
        """Note the time."""
        self._epoch_start = (self._batches, time.perf_counter())

    def on_train_batch_begin(self, batch, logs=None):
        """Begin the profile, if it is time."""
        first, last = self._profile_range
        # Batches are counted from 1 here, within this training.
        if self._profile is None and first <= self._batches - self._first_batch + 1 <= last:
            self._profile = Profile(os.path.join(self.log_dir, "train"))

    def on_train_batch_end(self, batch, logs=None):
        """Write the logs of the batch and end the profile, if it is time."""
        before = self._batches
        self._batches += self._counter.new(batch)
        if self._profile is not None and self._batches - self._first_batch >= self._profile_range[1]:
            self._end_profile()
        if self.update_freq == "epoch" or before // self.update_freq == self._batches // self.update_freq:
            return
        values = dict(logs or {})
        if self.write_steps_per_second:
            values["steps_per_second"] = self._speed(self._last_write)
            self._last_write = (self._batches, time.perf_counter())
        self._write_scalars(
            "train", {f"batch_{name}": value for name, value in values.items()}, self._batches
        )

    def _speed(self, since):
        batches, moment = since
        return (self._batches - batches) / max(time.perf_counter() - moment, 1e-9)

    def _write_scalars(self, run, values, step):
        for tag, value in values.items():
            if value is not None:
                self.writer(run).add_scalar(tag, float(value), step)

    def on_epoch_end(self, epoch, logs=None):
        """Write the logs of the epoch, and the weights if it is time."""
        logs = dict(logs or {})
        train = {name: value for name, value in logs.items() if not name.startswith("val_")}
        validation = {
            name.removeprefix("val_"): value for name, value in logs.items() if name.startswith("val_")
        }
        learning_rate = getattr(getattr(self.model, "optimizer", None), "learning_rate", None)
        if learning_rate is not None:
            train["learning_rate"] = float(learning_rate)
        if self.write_steps_per_second:
            train["steps_per_second"] = self._speed(self._epoch_start)
        self._write_scalars("train", {f"epoch_{name}": value for name, value in train.items()}, epoch)
        self._write_scalars(
            "validation", {f"epoch_{name}": value for name, value in validation.items()}, epoch
        )
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            write_weights(self.writer("train"), self.model, epoch, self.write_images)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            write_embeddings(self.writer("train"), self.model, epoch, self.embeddings_metadata)
        for writer in self._writers.values():
            writer.flush()

    def on_test_end(self, logs=None):
        """Write the results against the number of steps made."""
        steps = self._batches if self._in_fit else self._steps_done()
        values = {f"evaluation_{name}_vs_iterations": value for name, value in (logs or {}).items()}
        self._write_scalars("validation", values, steps)
        if not self._in_fit:
            self._close()

    def on_train_end(self, logs=None):
        """Close the files."""
        self.release()

    def release(self):
        """End the profile and close the files."""
        self._in_fit = False
        self._end_profile()
        self._close()

    def _end_profile(self):
        if self._profile is not None:
            self._profile.end()
            self._profile = None

    def _close(self):
        for writer in self._writers.values():
            writer.close()
        self._writers = {}
