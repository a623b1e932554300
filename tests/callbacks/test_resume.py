"""A training that is killed and started again ends as one that was not."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

import torchkeras_lite as keras
from callbacks import resumed_training
from torchkeras_lite import callbacks, layers

KILLS = {
    "array, in an epoch": ("arrays", 3, [7], "SIGKILL"),
    "array, twice": ("arrays", 2, [3, 12], "SIGKILL"),
    "array, between epochs": ("arrays", "epoch", [6], "SIGTERM"),
    "dataset": ("dataset", 3, [9], "SIGTERM"),
    "generator that goes on over epochs": ("generator", 3, [13], "SIGKILL"),
    "loader, backups of epochs alone": ("loader", "epoch", [10], "SIGKILL"),
}


def killed(folder, data, save_freq, at, number):
    """Run the training in a process of its own and return how it ended."""
    package = os.path.dirname(os.path.dirname(keras.__file__))
    environment = {**os.environ, "PYTHONPATH": package, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, resumed_training.__file__, str(folder), data, str(save_freq), str(at), number]
    return subprocess.run(command, env=environment, check=False, capture_output=True).returncode


def finished(folder, data, save_freq):
    resumed_training.main(str(folder), data, save_freq, 0, signal.SIGKILL)
    return json.loads((folder / "result.json").read_text())


@pytest.mark.parametrize("name", KILLS)
def test_a_killed_training_ends_like_one_that_was_not(name, tmp_path):
    data, save_freq, kills, number = KILLS[name]
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    for at in kills:
        ended = killed(tmp_path / "parts", data, save_freq, at, number)
        assert ended == (-signal.SIGKILL if number == "SIGKILL" else 128 + signal.SIGTERM)
        assert (tmp_path / "parts" / "backup" / "training_state.pt").exists()
    assert finished(tmp_path / "parts", data, save_freq) == finished(tmp_path / "whole", data, save_freq)
    assert not (tmp_path / "parts" / "backup").exists()
    assert (tmp_path / "parts" / "log.csv").read_text() == (tmp_path / "whole" / "log.csv").read_text()


def model_and_data(optimizer="adam"):
    keras.utils.set_random_seed(3)
    x = np.random.normal(size=(8, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.Dropout(0.5)])
    model.compile(optimizer, "mse", metrics=["mae"], lr_scheduler=None)
    return model, x, x[:, :2]


class StopAt(callbacks.Callback):
    """Raises after some batches, as Ctrl-C does."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def on_train_batch_end(self, batch, logs=None):
        """Count."""
        self.at -= 1
        if self.at == 0:
            raise KeyboardInterrupt


def interrupted_and_finished(folder, at, prepare, **fit):
    """Return the history and weights of a training that stops after `at` batches and is started again."""
    for stop in (at, 0):
        model, x, y, more = prepare()
        backup = callbacks.BackupAndRestore(folder, save_freq=1)
        try:
            history = model.fit(x, y, callbacks=[StopAt(stop), *more, backup], **fit)
        except KeyboardInterrupt:
            assert stop
    return history.history, model.get_weights()


def whole(prepare, **fit):
    model, x, y, more = prepare()
    return model.fit(x, y, callbacks=more, **fit).history, model.get_weights()


def with_scheduler():
    model, x, y = model_and_data()
    model.compile(
        torch.optim.AdamW,
        "mse",
        lr_scheduler=lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5),
    )
    return model, x, y, []


def with_schedule_and_averages():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
    optimizer = keras.optimizers.SGD(schedule, momentum=0.9, use_ema=True, gradient_accumulation_steps=3)
    return *model_and_data(optimizer), []


def with_loss_scale():
    return *model_and_data(
        keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(), dynamic_growth_steps=2)
    ), []


def with_two_outputs():
    keras.utils.set_random_seed(3)
    x = np.random.normal(size=(8, 3)).astype("float32")
    i = keras.Input((3,))
    model = keras.Model(i, [layers.Dense(1, name="a")(i), layers.Dense(1, name="b")(i)])
    model.compile("sgd", ["mse", "mae"], metrics=[["mae"], ["mse"]])
    return model, x, [x[:, :1], x[:, 1:2]], []


def with_metrics_of_other_packages():
    keras.utils.set_random_seed(3)
    torchmetrics, sklearn = pytest.importorskip("torchmetrics"), pytest.importorskip("sklearn.metrics")
    x = np.random.normal(size=(8, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    metrics = [torchmetrics.MeanAbsoluteError(), torchmetrics.PearsonCorrCoef(), sklearn.r2_score]
    model.compile("sgd", "mse", metrics=metrics)
    return model, x, x[:, :1], []


PREPARE = [
    with_metrics_of_other_packages,
    with_scheduler,
    with_schedule_and_averages,
    with_loss_scale,
    with_two_outputs,
]


@pytest.mark.parametrize("at", [3, 4])
@pytest.mark.parametrize("prepare", PREPARE, ids=lambda prepare: prepare.__name__)
def test_optimizers_and_schedules_go_on(prepare, at, tmp_path):
    fit = {"epochs": 4, "batch_size": 2, "verbose": 0}
    history, weights = interrupted_and_finished(tmp_path / "backup", at, prepare, **fit)
    expected, wanted = whole(prepare, **fit)
    assert history == expected
    for mine, his in zip(weights, wanted, strict=True):
        np.testing.assert_array_equal(mine, his)


def test_a_state_beside_other_weights_is_not_taken(tmp_path):
    """As after a kill between the two files: the older state belongs to the weights, and is still there."""
    model, x, y = model_and_data()
    backup = callbacks.BackupAndRestore(tmp_path, save_freq="epoch", delete_checkpoint=False)
    model.fit(x, y, epochs=1, verbose=0, callbacks=[backup])
    old = (tmp_path / "latest.weights.h5").read_bytes()
    model.fit(x, y, epochs=2, initial_epoch=1, verbose=0, callbacks=[backup])
    (tmp_path / "latest.weights.h5").write_bytes(old)
    (tmp_path / "training_metadata.json").unlink()
    again, x, y = model_and_data()
    history = again.fit(x, y, epochs=3, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    assert history.epoch == [0, 1, 2]


def test_a_stopped_training_stays_stopped(tmp_path):
    """Early stopping acts in the epoch whose backup is the last one: nothing is trained after that."""

    class Interrupted(callbacks.Callback):
        def on_train_end(self, logs=None):
            raise KeyboardInterrupt

    def parts(*more):
        model, x, y = model_and_data("sgd")
        stopping = callbacks.EarlyStopping("loss", patience=0, min_delta=1e9)
        backup = callbacks.BackupAndRestore(tmp_path)
        return model.fit(x, y, epochs=9, verbose=0, callbacks=[*more, stopping, backup])

    with pytest.raises(KeyboardInterrupt):
        parts(Interrupted())
    assert parts().epoch == [0, 1]


def test_callbacks_of_users_have_a_state_by_names(tmp_path):
    class Counting(callbacks.Callback):
        stateful = ("seen",)

        def __init__(self):
            super().__init__()
            self.seen = 0

        def on_train_batch_end(self, batch, logs=None):
            self.seen += 1

    counting = []

    def prepare():
        counting.append(Counting())
        return *model_and_data(), [counting[-1]]

    interrupted_and_finished(tmp_path, 3, prepare, epochs=2, batch_size=2, verbose=0)
    assert counting[-1].seen == 8
