"""Driven with the same logs, callbacks choose, print and write what those of real Keras do."""

import os
import re
import warnings

import keras
import numpy as np
import pytest

from callbacks.callback_fakes import FakeModel, drive
from torchkeras_lite import callbacks

NAN = float("nan")


def sequences(rng):
    """Series of one value an epoch: falling, noisy, flat, with ties, with NaN."""
    yield [1.0, 0.5, 0.6, 0.7, 0.4, 0.9, 0.9, 0.9, 0.9]
    yield [1.0] * 8
    yield [NAN, 1.0, NAN, 0.5, 0.6, 0.7]
    yield [3.0, 1.0]
    yield [1.0]
    for _ in range(6):
        yield (np.cumsum(rng.normal(-0.05, 0.2, size=16)) + 2).round(2).tolist()
    for _ in range(3):
        yield (2 - np.minimum(np.arange(16), 6) * 0.1 + rng.normal(0, 0.02, size=16)).round(2).tolist()


def both(name, arguments, epochs, capsys, batches=0, make=FakeModel):
    """Drive the callback called `name` of both packages; return model, logs, print, warnings of each."""
    results = []
    for room in (callbacks, keras.callbacks):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model, logs = drive(getattr(room, name)(**arguments), epochs, model=make(), batches=batches)
        texts = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
        results.append((model, logs, capsys.readouterr().out, texts))
    return results


EARLY_STOPPING = [
    dict(),
    dict(patience=2),
    dict(patience=3, restore_best_weights=True),
    dict(patience=1, restore_best_weights=True, start_from_epoch=3),
    dict(patience=2, baseline=1.5),
    dict(patience=3, baseline=0.1, restore_best_weights=True),
    dict(patience=2, min_delta=0.1),
    dict(patience=2, min_delta=-0.1, mode="min"),
    dict(patience=2, mode="max", min_delta=0.05, restore_best_weights=True),
    dict(patience=1, mode="max", baseline=2.1),
    dict(patience=30, restore_best_weights=True),
]


@pytest.mark.parametrize("arguments", EARLY_STOPPING, ids=str)
def test_early_stopping(arguments, capsys, rng):
    for values in sequences(rng):
        epochs = [{"loss": 1.0, "val_loss": value} for value in values]
        mine, his = both("EarlyStopping", {**arguments, "verbose": 1}, epochs, capsys)
        assert (len(mine[1]), mine[0].stop_training) == (len(his[1]), his[0].stop_training), values
        assert (mine[0].calls, mine[2]) == (his[0].calls, his[2]), values


REDUCE = [
    dict(patience=1),
    dict(patience=2, factor=0.5, cooldown=2),
    dict(patience=1, factor=0.5, min_lr=0.03),
    dict(patience=0, factor=0.5, min_delta=0.05),
    dict(patience=1, factor=0.3, cooldown=1, mode="max"),
    dict(patience=3, factor=0.9, min_delta=0.1, mode="min", cooldown=3),
]


@pytest.mark.parametrize("arguments", REDUCE, ids=str)
def test_reduce_lr_on_plateau(arguments, capsys, rng):
    for values in sequences(rng):
        epochs = [{"loss": 1.0, "val_loss": value} for value in values]
        mine, his = both("ReduceLROnPlateau", {**arguments, "verbose": 1}, epochs, capsys)
        assert mine[0].optimizer.learning_rates == his[0].optimizer.learning_rates, values
        np.testing.assert_equal(mine[1], his[1])
        assert mine[2] == his[2]


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch, rate: rate * 0.5,
        lambda epoch: 0.1 / (epoch + 1),
        lambda epoch, rate: np.float32(0.3),
        lambda epoch, rate=7: rate / 2,
    ],
)
def test_learning_rate_scheduler(schedule, capsys):
    epochs = [{"loss": 1.0}, {"loss": 0.5}]
    mine, his = both("LearningRateScheduler", dict(schedule=schedule, verbose=1), epochs, capsys)
    assert mine[0].optimizer.learning_rates == his[0].optimizer.learning_rates
    assert mine[1:3] == his[1:3]


CHECKPOINTS = [
    dict(filepath="a.keras"),
    dict(filepath="a.h5"),
    dict(filepath="a{epoch:02d}-{val_loss:.2f}.keras", save_best_only=True),
    dict(filepath="deep/er/a{epoch}.weights.h5", save_weights_only=True, save_best_only=True, mode="max"),
    dict(filepath="a.keras", save_best_only=True, initial_value_threshold=0.55),
    dict(filepath="a{epoch}-{batch}-{loss}.keras", save_freq=4, monitor="loss"),
    dict(filepath="a.keras", save_freq=7, monitor="loss", save_best_only=True),
    dict(filepath="a.keras", save_freq=4, save_best_only=True, monitor="absent", mode="min"),
    dict(filepath="a.keras", save_best_only=True, monitor="list", mode="min"),
]


@pytest.mark.parametrize("arguments", CHECKPOINTS, ids=str)
def test_model_checkpoint(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = [1.0, 0.5, 0.6, 0.4, 0.4, NAN, 0.3]
    epochs = [{"loss": v + 1, "val_loss": v, "list": np.array([1.0, 2.0])} for v in values]
    mine, his = both("ModelCheckpoint", {**arguments, "verbose": 1}, epochs, capsys, batches=3)
    assert mine[0].calls == his[0].calls
    assert mine[2] == his[2]
    assert len(mine[0].calls) > 0
    # Warnings say the same, and then what to do.
    assert all(m.startswith(h.rstrip(".")) for m, h in zip(mine[3], his[3], strict=True))


CSV_EPOCHS = [
    [{"loss": 1.0, "val_loss": 2.0}, {"loss": 0.5}],
    [{"loss": 1.0}, {"loss": 0.5, "val_loss": 3.0}],
    [{"z": np.float32(0.1), "a": np.array([1, 2]), "s": "x,y"}, {"z": NAN, "a": np.array(3.0), "s": [1, 2]}],
    [{"loss": 1.0, "n": 3}, {"other": 2}, {"loss": 0.1, "n": 4, "other": 5}],
]


@pytest.mark.parametrize("arguments", [dict(), dict(separator=";"), dict(append=True)], ids=str)
@pytest.mark.parametrize("epochs", CSV_EPOCHS)
def test_csv_logger(arguments, epochs, tmp_path):
    written = []
    for room in (callbacks, keras.callbacks):
        path = tmp_path / f"{room.__name__}.csv"
        for _ in range(2):
            drive(room.CSVLogger(path, **arguments), epochs)
        written.append(path.read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("save_freq", ["epoch", 2, 3, 100])
@pytest.mark.parametrize(
    "options", [dict(), dict(double_checkpoint=True), dict(delete_checkpoint=False)], ids=str
)
def test_backup_and_restore(save_freq, options, tmp_path):
    """A training of three epochs of three batches, interrupted after every possible number of batches."""
    for stop in range(10):
        states = []
        for room in (callbacks, keras.callbacks):
            folder = tmp_path / f"{room.__name__}-{stop}"
            interrupted(room.BackupAndRestore(folder, save_freq=save_freq, **options), FakeModel(), stop)
            before = listing(folder)
            model = FakeModel()
            interrupted(room.BackupAndRestore(folder, save_freq=save_freq, **options), model, 1000)
            first = [call for call in model.calls if call[0] == "load_weights"]
            # Not what the second run wrote: Keras counts its epochs from 0 again.
            states.append((before, first, model._initial_epoch, sorted(listing(folder) or ())))
        assert states[0] == states[1], stop


def interrupted(callback, model, stop):
    callback.set_model(model)
    callback.on_train_begin()
    for epoch in range(model._initial_epoch, 3):
        callback.on_epoch_begin(epoch)
        for batch in range(3):
            if stop == 0:
                return
            callback.on_train_batch_begin(batch)
            model.time += 1
            callback.on_train_batch_end(batch, {"loss": 1.0})
            stop -= 1
        callback.on_epoch_end(epoch, {"loss": 1.0})
    callback.on_train_end()


def listing(folder):
    return {file.name: file.read_text() for file in sorted(folder.iterdir())} if folder.exists() else None


@pytest.mark.parametrize("loss", [NAN, float("inf"), -float("inf"), 1.0, None])
@pytest.mark.parametrize("raise_error", [False, True])
def test_terminate_on_nan(loss, raise_error, capsys):
    results = []
    for room in (callbacks, keras.callbacks):
        callback, model = room.TerminateOnNaN(raise_error=raise_error), FakeModel()
        callback.set_model(model)
        try:
            callback.on_train_batch_end(3, {} if loss is None else {"loss": loss})
            error = None
        except RuntimeError as raised:
            error = str(raised)
        results.append((error, model.stop_training, capsys.readouterr().out))
    assert results[0] == results[1]


@pytest.mark.parametrize("name", ["EarlyStopping", "ReduceLROnPlateau"])
def test_warning_about_a_missing_value(name, capsys):
    mine, his = both(name, {}, [{"a": 1.0, "loss": 2.0}], capsys)
    assert mine[3] == his[3] != []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("EarlyStopping", {}),
        ("ReduceLROnPlateau", {}),
        ("ModelCheckpoint", {"filepath": "a.keras", "save_best_only": True}),
    ],
)
def test_unknown_mode_warns_and_counts_as_auto(name, arguments):
    with pytest.warns(
        UserWarning, match="mode 'bad' is unknown, fallback to auto mode. Pass 'min', 'max' or 'auto'"
    ):
        callback = getattr(callbacks, name)(mode="bad", **arguments)
    with pytest.warns(UserWarning, match="mode 'bad' is unknown, fallback to auto mode."):
        theirs = getattr(keras.callbacks, name)(mode="bad", **arguments)
    assert callback.mode == theirs.mode == "auto"


REFUSALS = [
    ("ReduceLROnPlateau", dict(factor=1.0), ValueError),
    ("ModelCheckpoint", dict(filepath="a.txt"), ValueError),
    ("ModelCheckpoint", dict(filepath="a.keras", save_weights_only=True), ValueError),
    ("ModelCheckpoint", dict(filepath="a.keras", save_freq="bad"), ValueError),
    ("ModelCheckpoint", dict(filepath="a.keras", save_freq=2.5), ValueError),
    ("BackupAndRestore", dict(backup_dir=""), ValueError),
    ("BackupAndRestore", dict(backup_dir=None), ValueError),
    ("BackupAndRestore", dict(backup_dir="x", save_freq="batch"), ValueError),
]


@pytest.mark.parametrize(("name", "arguments", "kind"), REFUSALS, ids=str)
def test_wrong_arguments_are_refused_in_the_words_of_keras(name, arguments, kind):
    with pytest.raises(kind) as mine:
        getattr(callbacks, name)(**arguments)
    with pytest.raises(kind) as his:
        getattr(keras.callbacks, name)(**arguments)
    first_sentence = re.split(r"(?<=[a-z])\. ", str(his.value))[0].rstrip(".")
    assert first_sentence in str(mine.value)


OURS = {("ModelCheckpoint", "resume")}


def test_signatures_are_those_of_keras():
    import inspect

    for name in callbacks._PUBLIC:
        mine, his = (inspect.signature(getattr(room, name)) for room in (callbacks, keras.callbacks))
        shared = [p for p in mine.parameters.values() if (name, p.name) not in OURS]
        assert [(p.name, p.default) for p in shared] == [
            (p.name, p.default) for p in his.parameters.values()
        ], name


def test_no_file_is_left_open(tmp_path):
    callback = callbacks.CSVLogger(os.fspath(tmp_path / "a.csv"))
    drive(callback, [{"loss": 1.0}])
    assert callback.csv_file is None
