"""Which way is better, and what the single callbacks do beyond Keras."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
import torch

from callbacks.callback_fakes import FakeModel, drive
from torchkeras_lite import callbacks, metrics
from torchkeras_lite.callbacks.batch_counter import BatchCounter
from torchkeras_lite.callbacks.monitor import direction


class Named:
    """A metric as the callbacks see it."""

    def __init__(self, name, **attributes):
        self.name = name
        vars(self).update(attributes)


METRICS = [
    metrics.MeanSquaredError(name="err"),
    metrics.AUC(name="q"),
    metrics.MeanIoU(2),
    metrics.BinaryAccuracy(name="hits"),
    metrics.Mean(name="mm"),
    Named("score", higher_is_better=True),
    Named("distance", higher_is_better=False),
    Named("undecided", higher_is_better=None),
    Named("holder", metrics=[Named("inner", _direction="up")]),
]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("loss", "min"),
        ("val_loss", "min"),
        ("head_loss", "min"),
        ("err", "min"),
        ("val_head_err", "min"),
        ("val_q", "max"),
        ("mean_io_u", "max"),
        ("weighted_hits", "max"),
        ("score", "max"),
        ("val_distance", "min"),
        ("val_inner", "max"),
        ("acc", "max"),
        ("val_accuracy", "max"),
        ("val_auc", "max"),
        ("fmeasure_2", "max"),
    ],
)
def test_auto_finds_the_direction(name, mode):
    callback = callbacks.EarlyStopping(monitor=name, patience=1)
    values = [1.0, 2.0, 3.0] if mode == "max" else [3.0, 2.0, 1.0]
    model, logs = drive(callback, [{name: value} for value in values], model=FakeModel(METRICS))
    assert (callback.best, model.stop_training, len(logs)) == (values[-1], False, 3)


@pytest.mark.parametrize("name", ["mm", "val_undecided", "nothing_known"])
@pytest.mark.parametrize("kind", ["EarlyStopping", "ReduceLROnPlateau"])
def test_auto_that_cannot_know_says_what_to_pass(name, kind):
    with pytest.raises(
        ValueError, match=rf"{kind} callback received monitor={name}, but .*Pass `mode='max'`"
    ):
        drive(getattr(callbacks, kind)(monitor=name), [{name: 1.0}], model=FakeModel(METRICS))


def test_a_metric_that_does_not_know_leaves_it_to_the_next():
    assert direction("head_score", [Named("head_score"), Named("score", _direction="down")]) == "min"


def test_the_longest_name_that_fits_is_meant():
    known = [Named("score", _direction="up"), Named("head_score", _direction="down")]
    assert [direction(name, known) for name in ("head_score", "x_head_score", "x_score")] == [
        "min",
        "min",
        "max",
    ]


@pytest.mark.parametrize("kind", ["EarlyStopping", "ReduceLROnPlateau"])
def test_a_second_training_starts_anew(kind):
    callback = getattr(callbacks, kind)(patience=1)
    epochs = [{"val_loss": v} for v in (1.0, 2.0, 2.0)]
    first, again = (drive(callback, epochs)[0] for _ in range(2))
    assert first.stop_training == again.stop_training
    assert first.optimizer.learning_rates == again.optimizer.learning_rates


def test_best_weights_are_read_once_an_improvement():
    class Counting(FakeModel):
        reads = 0

        def get_weights(self):
            self.reads += 1
            return super().get_weights()

    model, _ = drive(
        callbacks.EarlyStopping(restore_best_weights=True, patience=9),
        [{"val_loss": v} for v in (3, 2, 4, 1, 5)],
        model=Counting(),
    )
    assert (model.reads, model.calls) == (3, [("set_weights", 3)])


def test_reduce_lr_takes_epsilon_and_refuses_the_unknown():
    assert callbacks.ReduceLROnPlateau(epsilon=0.5).min_delta == 0.5
    with pytest.raises(
        TypeError, match="ReduceLROnPlateau: unknown argument `patiense`; did you mean 'patience'"
    ):
        callbacks.ReduceLROnPlateau(patiense=1)


@pytest.mark.parametrize("value", ["a", 1, None])
def test_schedule_must_return_a_float(value):
    with pytest.raises(
        ValueError, match=r"The output of the `schedule` function should be a float. Got: .*Return float"
    ):
        drive(callbacks.LearningRateScheduler(lambda epoch: value), [{}])


def test_error_inside_of_a_schedule_is_not_hidden():
    def schedule(epoch, rate):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        drive(callbacks.LearningRateScheduler(schedule), [{}])


def test_scheduler_needs_a_learning_rate():
    model = FakeModel()
    model.optimizer = object()
    with pytest.raises(ValueError, match=r'Optimizer must have a "learning_rate" attribute. .*compile'):
        drive(callbacks.LearningRateScheduler(lambda epoch: 0.1), [{}], model=model)


def test_lambda_callback_calls_functions_and_keeps_the_rest():
    calls = []
    callback = callbacks.LambdaCallback(
        lambda epoch, logs: calls.append(("begin", epoch)),
        on_predict_end=lambda logs: calls.append(("predicted", logs)),
        on_test_batch_begin=None,
        custom_argument=3,
    )
    drive(callback, [{}, {}], batches=1)
    callback.on_predict_end({"a": 1})
    callback.on_test_batch_begin(0)
    assert calls == [("begin", 0), ("begin", 1), ("predicted", {"a": 1})]
    assert callback.custom_argument == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(on_epoch_ends=print), "there is no hook `on_epoch_ends`; did you mean 'on_epoch_end'"),
        (dict(on_epoch_end=3), "`on_epoch_end` must be a function, got 3"),
    ],
)
def test_lambda_callback_refuses_what_is_no_hook(arguments, message):
    with pytest.raises(TypeError, match=message):
        callbacks.LambdaCallback(**arguments)


def test_checkpoint_names_what_a_path_can_name(tmp_path):
    with pytest.raises(
        KeyError, match=r"Failed to format this callback filepath: .*Reason: .*foo.*Known here: epoch, loss"
    ):
        drive(callbacks.ModelCheckpoint(tmp_path / "{foo}.keras"), [{"loss": 1.0}])


def test_checkpoint_refuses_a_folder(tmp_path):
    (tmp_path / "a.keras").mkdir()
    with pytest.raises(OSError, match="Please specify a non-directory filepath for ModelCheckpoint"):
        drive(callbacks.ModelCheckpoint(tmp_path / "a.keras"), [{}])


def test_checkpoint_reads_lazy_logs_only_when_it_saves(tmp_path):
    reads = []
    callback = callbacks.ModelCheckpoint(tmp_path / "{loss}.keras", save_freq=5, verbose=0)
    callback.set_model(FakeModel())
    every = callbacks.CallbackList([callback])
    every.on_epoch_begin(0)
    for batch in range(10):
        every.on_train_batch_begin(batch)
        every.on_train_batch_end(batch, lambda batch=batch: reads.append(batch) or {"loss": batch})
    assert reads == [4, 9]


def test_backup_is_never_half_written(tmp_path):
    class Failing(FakeModel):
        def save_weights(self, filepath, overwrite=True):
            super().save_weights(filepath)
            if self.time == 1:
                raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        drive(callbacks.BackupAndRestore(tmp_path), [{}, {}], model=Failing())
    assert (tmp_path / "latest.weights.h5").read_text() == "save_weights 0"
    assert json.loads((tmp_path / "training_metadata.json").read_text()) == {"epoch": 1, "batch": 0}


@pytest.mark.parametrize("file", ["latest.weights.h5", "training_metadata.json"])
@pytest.mark.parametrize("double", [False, True])
def test_damaged_backup_falls_back(file, double, tmp_path):
    def backup():
        return callbacks.BackupAndRestore(tmp_path, double_checkpoint=double, delete_checkpoint=False)

    drive(backup(), [{}, {}])
    (tmp_path / file).write_text("damaged")
    model = FakeModel()
    callback = backup()
    callback.set_model(model)
    with pytest.warns(UserWarning, match="cannot be read .*Trying the one before"):
        callback.on_train_begin()
    assert model._initial_epoch == (1 if double else 0)
    assert model.calls == ([("load_weights", "save_weights 0")] if double else [])


def test_backup_needs_a_built_model(tmp_path):
    model = FakeModel()
    model.built = False
    with pytest.raises(
        ValueError, match=r"must be built before you call `fit.*Call it on a batch of data first"
    ):
        drive(callbacks.BackupAndRestore(tmp_path), [{}], model=model)


class Variable:
    def __init__(self, value):
        self.value = torch.tensor(value)

    def assign(self, value):
        self.value = torch.as_tensor(value).clone()


class AveragingOptimizer:
    use_ema = True
    built = True
    iterations = 1

    def __init__(self):
        self._trainable_variables = [Variable(1.0)]
        self._model_variables_moving_average = [Variable(10.0)]


@pytest.mark.parametrize("mode", ["test", "predict"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_averages_are_in_place_while_evaluating(mode, wrapped):
    callback, model, inner = callbacks.SwapEMAWeights(), FakeModel(), AveragingOptimizer()
    model.optimizer = type("Wrapper", (), {"inner_optimizer": inner})() if wrapped else inner
    callback.set_model(model)
    getattr(callback, f"on_{mode}_begin")()
    assert inner._trainable_variables[0].value == 10.0
    getattr(callback, f"on_{mode}_end")()
    assert inner._trainable_variables[0].value == 1.0


def test_averages_are_in_place_between_epochs():
    callback, model = callbacks.SwapEMAWeights(swap_on_epoch=True), FakeModel()
    model.optimizer = AveragingOptimizer()
    weight = model.optimizer._trainable_variables[0]
    callback.set_model(model)
    callback.on_train_begin()
    seen = []
    for epoch in range(2):
        callback.on_epoch_begin(epoch)
        seen.append(float(weight.value))
        callback.on_test_begin()
        callback.on_test_end()
        seen.append(float(weight.value))
        callback.on_epoch_end(epoch)
        seen.append(float(weight.value))
    callback.on_train_end()
    assert seen == [1.0, 1.0, 10.0] * 2
    assert (float(weight.value), callback._kept) == (10.0, None)


def test_there_are_no_averages_before_the_first_step():
    callback, model = callbacks.SwapEMAWeights(), FakeModel()
    model.optimizer = AveragingOptimizer()
    model.optimizer.iterations = 0
    callback.set_model(model)
    callback.on_test_begin()
    assert model.optimizer._trainable_variables[0].value == 1.0


def test_swapping_needs_averages():
    with pytest.raises(
        ValueError, match=r"SwapEMAWeights must be used when `use_ema=True` is set .*use_ema=False"
    ):
        drive(callbacks.SwapEMAWeights(), [{}])


@pytest.fixture
def server():
    """A web server on this machine that writes down what it is sent."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((self.path, self.headers["Content-Type"], self.headers["Extra"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


def test_remote_monitor_sends_a_form_or_json(server):
    root, received = server
    logs = {"a": 1.5, "b": np.float32(0.5), "c": np.array([1, 2])}
    for arguments in ({}, {"send_as_json": True, "headers": {"Extra": "e"}, "path": "/p"}):
        callbacks.RemoteMonitor(root, **arguments).on_epoch_end(3, logs)
    text = '{"epoch": 3, "a": 1.5, "b": 0.5, "c": [1, 2]}'
    form = "data=%7B%22epoch%22%3A+3%2C+%22a%22%3A+1.5%2C+%22b%22%3A+0.5%2C+%22c%22%3A+%5B1%2C+2%5D%7D"
    assert received == [
        ("/publish/epoch/end/", "application/x-www-form-urlencoded", None, form),
        ("/p", "application/json", "e", text),
    ]


def test_remote_monitor_without_a_server_warns():
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        root = f"http://127.0.0.1:{closed.server_port}"
    with pytest.warns(UserWarning, match="Could not reach RemoteMonitor root server at"):
        callbacks.RemoteMonitor(root).on_epoch_end(0, {"a": 1})


def test_batches_are_counted_over_epochs_and_jumps():
    counter = BatchCounter()
    assert [counter.new(batch) for batch in (0, 1, 2, 0, 3, 7, 1)] == [1, 1, 1, 1, 3, 4, 2]
