"""The bar looks like Keras's, is drawn rarely, and is one line where it cannot be drawn over."""

import io
import re
import sys

import keras
import numpy as np
import pytest
from tqdm import tqdm

from torchkeras_lite.base import switches
from torchkeras_lite.callbacks import (
    CallbackList,
    LambdaCallback,
    Progbar,
    ProgbarLogger,
    progbar_logger,
    progress,
)
from torchkeras_lite.callbacks.progress import announce, format_eta, format_rate, format_value

CODES = re.compile(r"\x1b\[\d*m")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def __enter__(self):
        self.before, sys.stdout = sys.stdout, self
        return self

    def __exit__(self, *exception):
        sys.stdout = self.before

    def isatty(self):
        return True

    def lines(self):
        """What stands on the screen at the end, without colours and filling spaces."""
        plain = CODES.sub("", self.getvalue()).replace("\b", "")
        return [line.split("\r")[-1].rstrip() for line in plain.split("\n")][:-1]


class Clock:
    """Time that only moves when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress.time, "perf_counter", clock)
    monkeypatch.setattr(progbar_logger, "perf_counter", clock)
    monkeypatch.setattr(progress.time, "time", clock)  # the one that Keras reads
    return clock


def run_fit(logger, clock, *, epochs, steps, verbose, known=True, validation=False, seconds=0.5):
    logger.set_params({"verbose": verbose, "epochs": epochs, "steps": steps if known else None})
    logger.on_train_begin()
    for epoch in range(epochs):
        logger.on_epoch_begin(epoch)
        for batch in range(steps):
            clock.now += seconds * (3 if batch == 0 else 1)
            logger.on_train_batch_end(batch, {"accuracy": 0.1 * batch, "loss": 0.0005 * (batch + 1)})
        if validation:
            logger.on_test_begin()
            logger.on_test_batch_end(0, {"loss": 1.0})
            logger.on_test_end({"loss": 1.0})
        logger.on_epoch_end(
            epoch, {"accuracy": 0.5, "loss": 0.25, **({"val_loss": 4e-4} if validation else {})}
        )
    logger.on_train_end()


def run_other(logger, clock, mode, *, steps, verbose, seconds=0.5):
    logger.set_params({"verbose": verbose, "epochs": 1, "steps": steps})
    getattr(logger, f"on_{mode}_begin")()
    for batch in range(steps):
        clock.now += seconds
        getattr(logger, f"on_{mode}_batch_end")(batch, {"loss": 0.1 * batch})
    getattr(logger, f"on_{mode}_end")(None if mode == "predict" else {"loss": 0.2})


FITS = [
    dict(epochs=2, steps=3, verbose=1, validation=True),
    dict(epochs=1, steps=12, verbose=1),
    dict(epochs=1, steps=1, verbose=1),
    dict(epochs=2, steps=120, verbose=1, seconds=40),
    dict(epochs=1, steps=7, verbose=1, seconds=0.002),
    dict(epochs=1, steps=7, verbose=1, seconds=2e-5),
    dict(epochs=2, steps=3, verbose=1, known=False),
    dict(epochs=2, steps=3, verbose="auto"),
    dict(epochs=2, steps=3, verbose=0),
]


@pytest.mark.parametrize("case", FITS, ids=str)
def test_bar_of_fit_ends_like_keras(case, clock):
    with Terminal() as theirs:
        run_fit(keras.callbacks.ProgbarLogger(), clock, **case)
    with Terminal() as terminal:
        run_fit(ProgbarLogger(), clock, **case)
    assert terminal.lines() == theirs.lines()
    assert len(terminal.lines()) == (
        0 if case["verbose"] == 0 else case["epochs"] * (1 + (case["epochs"] > 1))
    )


@pytest.mark.parametrize("mode", ["test", "predict"])
def test_bar_of_evaluate_and_predict_ends_like_keras(mode, clock):
    with Terminal() as theirs:
        run_other(keras.callbacks.ProgbarLogger(), clock, mode, steps=3, verbose=1)
    with Terminal() as terminal:
        run_other(ProgbarLogger(), clock, mode, steps=3, verbose=1)
    assert terminal.lines() == theirs.lines()
    assert ("loss" in terminal.lines()[0]) == (mode == "test")


@pytest.mark.parametrize("steps", [3, 100])
def test_each_drawing_has_the_colours_and_numbers_of_keras(steps, clock):
    drawings = []
    for kind in (Progbar, keras.utils.Progbar):
        with Terminal() as stream:
            bar = kind(steps, stateful_metrics=["b"])
            for step in range(1, steps + 1):
                clock.now += 90.0
                bar.update(step, [("a", 1.0 * step), ("b", -2e-4 * step)])
        drawings.append(re.split(r"[\r\n]+", stream.getvalue().replace("\b", "")))
    mine, his = ([line.rstrip() for line in lines if line.strip()] for lines in drawings)
    assert mine == his
    assert len(mine) == steps


@pytest.mark.parametrize(
    "options", [dict(), dict(stateful_metrics=["b"]), dict(stateless_metrics=["b"]), dict(width=5)], ids=str
)
@pytest.mark.parametrize("target", [6, None])
def test_progbar_averages_like_keras(options, target, clock, rng):
    steps, values = [1, 2, 4, 5, 6], rng.normal(size=(5, 2)).round(4)
    lines = []
    for kind in (Progbar, keras.utils.Progbar):
        with Terminal() as stream:
            bar = kind(target, **options)
            for step, (a, b) in zip(steps, values, strict=True):
                clock.now += 1.0
                bar.update(step, [("a", float(a)), ("b", float(b))], finalize=step == 6)
        # What was drawn before the last line, too.
        lines.append([line.rstrip() for line in re.split(r"[\r\n]+", stream.getvalue().replace("\b", ""))])
    assert lines[0] == lines[1]


def test_progbar_adds_and_takes_arrays(clock):
    with Terminal() as terminal:
        bar = Progbar(4, unit_name="sample")
        for _ in range(2):
            clock.now += 1.0
            bar.add(2, values=[("a", np.array([1.0, 2.0])), ("note", "text")])
        assert terminal.lines() == ["4/4 ━━━━━━━━━━━━━━━━━━━━ 2s 500ms/sample - a: 1.5000 - note: text"]


def test_progbar_refuses_both_kinds_of_names():
    with pytest.raises(
        ValueError,
        match=r"Only one of `stateful_metrics` and `stateless_metrics` can be given, got both. Name",
    ):
        Progbar(1, stateful_metrics=[], stateless_metrics=[])


@pytest.mark.parametrize("verbose", [1, 2])
def test_output_to_a_file_is_one_plain_line_an_epoch(verbose, clock, capsys):
    run_fit(ProgbarLogger(), clock, epochs=2, steps=30, verbose=verbose, validation=True, seconds=1.0)
    out = capsys.readouterr().out
    values = "accuracy: 0.5000 - loss: 0.2500 - val_loss: 4.0000e-04"
    line = {
        1: f"30/30 ━━━━━━━━━━━━━━━━━━━━ 32s 1s/step - {values}",
        2: f"30/30 - 32s - 1s/step - {values}",
    }[verbose]
    assert out == f"Epoch 1/2\n{line}\nEpoch 2/2\n{line}\n"


@pytest.mark.parametrize("case", [dict(epochs=2, steps=3), dict(epochs=1, steps=12, known=False)], ids=str)
def test_line_of_verbose_2_is_that_of_keras(case, clock, capsys):
    run_fit(ProgbarLogger(), clock, verbose=2, **case)
    mine = capsys.readouterr().out
    run_fit(keras.callbacks.ProgbarLogger(), clock, verbose=2, **case)
    rate = re.compile(r"- \S+/step")  # Keras counts the first step in, here
    assert rate.sub("", mine) == rate.sub("", capsys.readouterr().out)
    assert "- 500ms/step -" in mine


def test_bar_is_drawn_rarely_and_only_then_reads_the_logs(clock):
    with Terminal():
        reads = []

        def read():
            reads.append(round(clock.now - 100, 3))
            return {"loss": 1.0}

        callbacks = CallbackList([], add_progbar=True, verbose=1, epochs=1, steps=1000)
        callbacks.on_train_begin()
        callbacks.on_epoch_begin(0)
        for batch in range(1000):
            callbacks.on_train_batch_begin(batch)
            clock.now += 0.001
            callbacks.on_train_batch_end(batch, read)
        callbacks.on_epoch_end(0, {"loss": 1.0})
        callbacks.on_train_end()
        assert len(reads) == 10
        assert reads[0] == 0.001
        assert min(np.diff(reads)) >= 0.0999


@pytest.mark.parametrize("verbose", [1, 2])
def test_logs_are_never_read_for_a_bar_that_is_not_drawn(verbose, clock, capsys):
    callbacks = CallbackList([], add_progbar=True, verbose=verbose, epochs=1, steps=3)
    callbacks.on_epoch_begin(0)
    for batch in range(3):
        clock.now += 10
        callbacks.on_train_batch_end(batch, lambda: pytest.fail("read"))
    callbacks.on_epoch_end(0, {"loss": 1.0})
    assert capsys.readouterr().out.count("\n") == 1


def test_epoch_that_stops_early_shows_how_far_it_came(clock, capsys):
    logger = ProgbarLogger()
    logger.set_params({"verbose": 1, "epochs": 1, "steps": 10})
    logger.on_epoch_begin(0)
    logger.on_train_batch_end(3, {})
    logger.on_epoch_end(0, {})
    assert capsys.readouterr().out.startswith(" 4/10 ━")


def test_messages_stand_on_lines_of_their_own(clock):
    with Terminal() as terminal:
        says = LambdaCallback(on_epoch_end=lambda epoch, logs: announce("a message"))
        callbacks = CallbackList([says], add_progbar=True, verbose=1, epochs=1, steps=1)
        callbacks.on_epoch_begin(0)
        callbacks.on_train_batch_end(0, {"loss": 1.0})
        callbacks.on_epoch_end(0, {"loss": 1.0})
        assert [line.split(" ")[0] for line in terminal.lines()] == ["a", "1/1"]


def test_interrupted_bar_is_let_go_by_close(clock):
    with Terminal() as terminal:
        callbacks = CallbackList([], add_progbar=True, verbose=1, epochs=1, steps=9)
        callbacks.on_epoch_begin(0)
        callbacks.on_train_batch_end(0, {"loss": 1.0})
        assert len(tqdm._instances) == 1
        callbacks.close()
        callbacks.close()
        assert len(tqdm._instances) == 0
        assert terminal.getvalue().endswith("\n")


def test_running_line_is_cut_to_the_width_of_the_terminal(clock, monkeypatch):
    with Terminal() as terminal:
        monkeypatch.setattr(progress, "columns_of", lambda stream: 40)
        bar = Progbar(10)
        clock.now += 1
        bar.update(1, [("a_long_name", 1.0), ("another_long_name", 2.0)])
        assert max(len(CODES.sub("", line)) for line in re.split(r"[\r\n]", terminal.getvalue())) == 39
        bar.update(10, finalize=True)
        assert terminal.lines()[0].endswith("another_long_name: 2.0000")


def test_stream_without_the_character_gets_another(clock, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    Progbar(2).update(2)
    stream.flush()
    assert stream.buffer.getvalue().startswith(b"2/2 ====================")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59.9, "59s"), (187, "3:07"), (3753, "1:02:33")])
def test_eta(seconds, text):
    assert format_eta(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (2.4, "2s"), (0.0064, "6ms"), (6.4e-5, "64us")])
def test_rate(seconds, text):
    assert format_rate(seconds, "step") == f"{text}/step"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.08134, "0.0813"), (9e-4, "9.0000e-04"), (-9e-4, "-9.0000e-04"), (-0.25, "-0.2500"), (3, "3.0000")],
)
def test_value(value, text):
    assert format_value(value) == text


def test_without_interactive_logging_lines_are_logged(capsys, caplog):
    switches.disable_interactive_logging()
    try:
        with caplog.at_level("INFO", logger="torchkeras_lite"):
            bar = Progbar(2)
            bar.update(1, [("loss", 0.5)])
            bar.update(2, [("loss", 0.5)], finalize=True)
    finally:
        switches.enable_interactive_logging()
    assert capsys.readouterr().out == ""
    assert "loss: 0.5000" in caplog.text
