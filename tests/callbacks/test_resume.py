"""A training that is killed and started again ends as one that was not."""

import json
import os
import pickle
import signal
import subprocess
import sys
import zipfile

import keras as real_keras
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
    "generator that goes on over epochs": ("generator", 3, [7, 9], "SIGKILL"),
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
def test_kills_at_any_moment(tmp_path):
    """Also in the middle of a step, of a save, of a restart: up to twelve at moments of the clock."""
    command = [sys.executable, resumed_training.__file__, str(tmp_path), "kills"]
    package = os.path.dirname(os.path.dirname(keras.__file__))
    environment = {**os.environ, "PYTHONPATH": package, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    equal, kills = json.loads(done.stdout)
    assert equal, done.stderr
    assert kills


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


def with_states_between_batches():
    keras.utils.set_random_seed(3)
    x = np.random.normal(size=(8, 4, 3)).astype("float32")
    model = keras.Sequential([keras.Input(batch_shape=(2, 4, 3)), layers.LSTM(2, stateful=True)])
    model.compile("adam", "mse")
    return model, x, x[:, 0, :2], []


class Shuffled(keras.utils.PyDataset):
    """Shuffles itself behind each epoch, and tells its order."""

    def __init__(self, x):
        super().__init__()
        self.x, self.order = x, np.arange(len(x))

    def __len__(self):
        return 4

    def __getitem__(self, index):
        rows = self.order[index * 2 : index * 2 + 2]
        return self.x[rows], self.x[rows][:, :2]

    def on_epoch_end(self):
        np.random.shuffle(self.order)

    def state_dict(self):
        return {"order": self.order.copy()}

    def load_state_dict(self, state):
        self.order = state["order"]


def with_data_that_shuffles_itself():
    model, x, _ = model_and_data()
    return model, Shuffled(x), None, []


PREPARE = [
    with_states_between_batches,
    with_data_that_shuffles_itself,
    with_metrics_of_other_packages,
    with_scheduler,
    with_schedule_and_averages,
    with_loss_scale,
    with_two_outputs,
]


@pytest.mark.parametrize("at", [3, 4, 10])
@pytest.mark.parametrize("prepare", PREPARE, ids=lambda prepare: prepare.__name__)
def test_optimizers_and_schedules_go_on(prepare, at, tmp_path):
    fit = {"epochs": 4, "verbose": 0}
    if prepare is not with_data_that_shuffles_itself:
        fit["batch_size"] = 2
    history, weights = interrupted_and_finished(tmp_path / "backup", at, prepare, **fit)
    expected, wanted = whole(prepare, **fit)
    assert history == expected
    for mine, his in zip(weights, wanted, strict=True):
        np.testing.assert_array_equal(mine, his)


def checkpointed(folder, stop, order, save_freq, data):
    """Train with a `ModelCheckpoint` that resumes, and other callbacks before or behind it."""
    model, x, y = model_and_data(keras.optimizers.Adam(0.05))
    saving = callbacks.ModelCheckpoint(
        folder / "{epoch}.keras",
        "loss",
        save_freq=save_freq,
        save_best_only=save_freq == "epoch",
        resume=True,
    )
    stateful = [
        callbacks.ReduceLROnPlateau("loss", patience=1, factor=0.5),
        callbacks.EarlyStopping("loss", patience=4),
        callbacks.CSVLogger(folder / "log.csv"),
    ]
    found = [saving, *stateful] if order == "first" else [*stateful, saving]
    batches = {"x": x, "y": y, "batch_size": 2}
    if data == "generator":
        pairs = ((x[i : i + 2], y[i : i + 2]) for _ in range(99) for i in np.random.permutation(7))
        batches = {"x": pairs, "steps_per_epoch": 3}
    try:
        history = model.fit(**batches, epochs=6, verbose=0, callbacks=[*found, StopAt(stop)])
    except KeyboardInterrupt:
        return None
    return history.history, history.epoch, model.get_weights(), (folder / "log.csv").read_text()


@pytest.mark.parametrize("data", ["arrays", "generator"])
@pytest.mark.parametrize("save_freq", ["epoch", 3, 5])
@pytest.mark.parametrize("order", ["first", "last"])
def test_a_training_goes_on_from_a_checkpoint(order, save_freq, data, tmp_path):
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    expected = checkpointed(tmp_path / "whole", 0, order, save_freq, data)
    for stop in (6, 8):
        assert checkpointed(tmp_path / "parts", stop, order, save_freq, data) is None
        assert list((tmp_path / "parts").glob("*.keras"))
    found = checkpointed(tmp_path / "parts", 0, order, save_freq, data)
    assert found[:2] == expected[:2]
    assert found[3] == expected[3]
    for mine, whole_one in zip(found[2], expected[2], strict=True):
        np.testing.assert_array_equal(mine, whole_one)
    path = max((tmp_path / "parts").glob("*.keras"), key=os.path.getmtime)
    other = real_keras.saving.load_model(path)
    for mine, theirs in zip(keras.saving.load_model(path).get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_what_cannot_be_resumed_is_told(tmp_path):
    for bad in ({"filepath": "x.h5"}, {"filepath": "x.weights.h5", "save_weights_only": True}):
        with pytest.raises(ValueError, match=r"`resume` needs whole models in `.keras` files"):
            callbacks.ModelCheckpoint(resume=True, **bad)
    model, x, y = model_and_data()
    path = tmp_path / "x.keras"
    checkpoint = callbacks.ModelCheckpoint(path, resume=path)
    with pytest.raises(ValueError, match=r"cannot be read: .*No such file"):
        model.fit(x, y, verbose=0, callbacks=[checkpoint])
    model.save(path)
    with pytest.raises(ValueError, match="has no state of a training to resume"):
        model.fit(x, y, verbose=0, callbacks=[checkpoint])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("training_state.pt", pickle.dumps(print, protocol=2))
    with pytest.raises(ValueError, match="the state of the training in it cannot be read"):
        model.fit(x, y, verbose=0, callbacks=[checkpoint])


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
