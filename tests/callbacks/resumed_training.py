"""A training that a test kills: `python resumed_training.py FOLDER DATA SAVE_FREQ KILL_AT SIGNAL`.

It writes its history and weights to `FOLDER/result.json`. After `KILL_AT` batches (0: never) it sends itself
the signal.
"""

import json
import os
import random
import signal
import sys
import time

import numpy as np
import torch

import torchkeras_lite as keras
from torchkeras_lite import callbacks, layers


class KillAt(callbacks.Callback):
    """Sends a signal after some batches of this process."""

    def __init__(self, at, number):
        super().__init__()
        self.at = at
        self.number = number

    def on_train_batch_end(self, batch, logs=None):
        """Count."""
        self.at -= 1
        if self.at == 0:
            os.kill(os.getpid(), self.number)


class Noisy(keras.utils.PyDataset):
    """Batches with noise that is drawn when they are read."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 4

    def on_epoch_begin(self):
        """Draw an order."""
        self.order = np.random.permutation(len(self.x))

    def __getitem__(self, index):
        rows = self.order[index * 4 : index * 4 + 4]
        return self.x[rows] + np.random.normal(size=(4, 3)).astype("float32") * 0.1, self.y[rows]


def endless(x, y):
    """Yield batches in an order of their own."""
    while True:
        order = torch.randperm(len(x)).numpy()
        for start in range(0, 12, 4):
            yield x[order[start : start + 4]], y[order[start : start + 4]]


def main(folder, data, save_freq, kill_at, number):
    """Train."""
    keras.utils.set_random_seed(7)
    x = np.random.normal(size=(16, 3)).astype("float32")
    y = x.sum(1, keepdims=True) + 1.0
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(8, "relu"),
            layers.Dropout(0.3),
            layers.Dropout(0.2, seed=5),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.05), "mse", metrics=["mae"])
    given = {"x": x, "y": y, "batch_size": 4}
    if data == "dataset":
        given = {"x": Noisy(x, y)}
    elif data == "generator":
        given = {"x": endless(x, y), "steps_per_epoch": 5}
    elif data == "loader":
        tensors = torch.utils.data.TensorDataset(torch.as_tensor(x), torch.as_tensor(y))
        given = {"x": torch.utils.data.DataLoader(tensors, batch_size=4, shuffle=True)}
    random.seed(1)
    history = model.fit(
        **given,
        epochs=6,
        verbose=0,
        validation_data=(x, y),
        callbacks=[
            callbacks.BackupAndRestore(os.path.join(folder, "backup"), save_freq=save_freq),
            callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
            callbacks.ReduceLROnPlateau("loss", patience=1, factor=0.5, cooldown=1),
            callbacks.CSVLogger(os.path.join(folder, "log.csv")),
            callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True),
            KillAt(kill_at, number),
        ],
    )
    result = {
        "history": history.history,
        "epochs": history.epoch,
        "weights": [w.tolist() for w in model.get_weights()],
        "draws": [random.random(), float(np.random.random()), float(torch.rand(()))],
    }
    with open(os.path.join(folder, "result.json"), "w", encoding="utf-8") as file:
        json.dump(result, file)


def kill_at_any_moment(folder):
    """Kill forked trainings at moments of the clock until one ends, and compare it with one left alone."""
    moments = random.Random(11)
    for name in ("parts", "whole"):
        os.mkdir(os.path.join(folder, name))
    main(os.path.join(folder, "whole"), "arrays", 1, 0, 0)
    kills = 0
    for number in range(13):
        child = os.fork()
        if not child:
            main(os.path.join(folder, "parts"), "arrays", 1, 0, 0)
            os._exit(0)
        if number < 12:
            time.sleep(moments.uniform(0.01, 0.12))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        kills += os.WIFSIGNALED(status)
        if os.path.exists(os.path.join(folder, "parts", "result.json")):
            break
    results = []
    for name in ("parts", "whole"):
        with open(os.path.join(folder, name, "result.json"), encoding="utf-8") as file:
            results.append(file.read())
    print(json.dumps([results[0] == results[1], kills]))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[1:] == ["kills"]:
        kill_at_any_moment(arguments[0])
        sys.exit()
    freq = arguments[2] if arguments[2] == "epoch" else int(arguments[2])
    main(arguments[0], arguments[1], freq, int(arguments[3]), getattr(signal, arguments[4]))
