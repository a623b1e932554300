"""Two processes that train together, are interrupted, and go on: `resumed_together.py FOLDER WHAT`.

`killed` ends both in the middle of an epoch. `resumed` goes on from what they left, interrupts further
trainings in other ways and goes on with those too, and writes `FOLDER/<rank>.json` with all results beside
those of a training that was not interrupted. `regrouped` leaves backups for one process, and goes on from
those that one process left, `FOLDER/by_1_*`.
"""

import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np

import torchkeras_lite as keras
from torchkeras_lite import callbacks, layers

RANK = int(os.environ.get("RANK", "0"))
_rng = np.random.default_rng(0)
X = _rng.normal(size=(46, 6)).astype("float32")
Y = (X[:, :1] * 2 + 1).astype("float32")


class EndAt(callbacks.Callback):
    """Calls `end` after a number of batches."""

    def __init__(self, batches, end):
        super().__init__()
        self.batches = batches
        self.end = end

    def on_train_batch_end(self, batch, logs=None):
        self.batches -= 1
        if not self.batches:
            self.end()


def train(*others):
    """Return history and weights of a training with shuffling, dropout, statistics and a falling rate."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="tanh"),
            layers.Dropout(0.3),
            layers.BatchNormalization(),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    falling = callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.5)
    every = [*others[:1], falling, *others[1:]]
    history = model.fit(X, Y, batch_size=8, epochs=3, verbose=0, validation_data=(X, Y), callbacks=every)
    return history.history, [array.tolist() for array in model.get_weights()]


def train_linear(*others):
    """Return history and weights of a training that is the same with any number of processes."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse", metrics=["mae"])
    history = model.fit(X, Y, batch_size=8, epochs=3, verbose=0, callbacks=list(others))
    return history.history, [array.tolist() for array in model.get_weights()]


def interrupt(folder, count):
    """Leave backups of `count` processes, of the end of the first epoch and of the middle of the next."""
    for name, save_freq in (("end", "epoch"), ("middle", 4)):
        kept = folder / f"by_{count}_{name}"
        with contextlib.suppress(KeyboardInterrupt):
            train_linear(callbacks.BackupAndRestore(kept, save_freq), EndAt(11, fail))


def go_on(folder, count, name):
    return train_linear(callbacks.BackupAndRestore(folder / f"by_{count}_{name}", delete_checkpoint=False))


def backup(folder):
    return callbacks.BackupAndRestore(folder, save_freq=4, delete_checkpoint=False)


def checkpoint(path):
    return callbacks.ModelCheckpoint(path, save_freq=5, resume=True)


def fail():
    raise KeyboardInterrupt


def ask_one_to_end():
    """Send this process the signal to end, where it is the second one."""
    if RANK == 1:
        os.kill(os.getpid(), signal.SIGTERM)


def resumed(make, batches, end):
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        train(make(), EndAt(batches, end))
        raise AssertionError("it was not interrupted")
    return train(make())


def main(folder, what):
    if what == "killed":
        train(backup(folder / "killed"), EndAt(10, lambda: os._exit(9)))
    if what == "regrouped":
        interrupt(folder, 2)
        results = {name: go_on(folder, 1, name) for name in ("end", "middle")}
        (folder / f"regrouped_{RANK}.json").write_text(json.dumps(results))
        return
    results = {
        "whole": train(),
        "killed": train(backup(folder / "killed")),
        "checkpoint": resumed(lambda: checkpoint(folder / "model.keras"), 8, fail),
        "signal": resumed(lambda: backup(folder / "signal"), 9, ask_one_to_end),
    }
    (folder / f"{RANK}.json").write_text(json.dumps(results, default=float))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
