"""Every kind of data that `fit`, `evaluate` and `predict` take gives the numbers of plain arrays."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import keras
import numpy as np
import pandas
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import torchkeras_lite as tkl
from torchkeras_lite.training import data as batching

X = np.random.default_rng(0).standard_normal((50, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
WEIGHTS = np.random.default_rng(1).uniform(0.5, 2, 50).astype("float32")
SIZE = 10
ROOT = Path(__file__).resolve().parents[2]


def model_of(k=tkl, built=True, **compile_args):
    layers = [k.layers.Dense(3, activation="tanh"), k.layers.Dense(1)]
    model = k.Sequential([*([k.Input((4,))] if built else []), *layers])
    model.compile(**{"optimizer": "sgd", "loss": "mse", "weighted_metrics": ["mae"], **compile_args})
    return model


def parts(*arrays, size=SIZE):
    return [tuple(a[start : start + size] for a in arrays) for start in range(0, 50, size)]


class Rows(Dataset):
    def __init__(self, *arrays):
        self.arrays = arrays

    def __len__(self):
        return 50

    def __getitem__(self, index):
        return tuple(array[index] for array in self.arrays)


class Stream(IterableDataset):
    def __init__(self, *arrays):
        self.arrays = arrays

    def __iter__(self):
        return zip(*self.arrays, strict=True)


class Listed:
    """Batches that can be read again and again."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


class Pipeline:
    """What a `tf.data` pipeline looks like from outside."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        raise AssertionError("read through `as_numpy_iterator`")

    def __len__(self):
        return len(self.batches)

    def as_numpy_iterator(self):
        return iter(self.batches)


class Batches(tkl.utils.PyDataset):
    def __init__(self, *arrays, **kwargs):
        super().__init__(**kwargs)
        self.batches = parts(*arrays)

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def endless(*arrays):
    while True:
        yield from parts(*arrays)


SOURCES = {
    "iterable": lambda *a: (Listed(parts(*a)), {}),
    "DataLoader": lambda *a: (DataLoader(Rows(*a), batch_size=SIZE), {}),
    "DataLoader with workers": lambda *a: (DataLoader(Rows(*a), batch_size=SIZE, num_workers=2), {}),
    "TensorDataset": lambda *a: (TensorDataset(*map(torch.from_numpy, a)), {"batch_size": SIZE}),
    "Dataset": lambda *a: (Rows(*a), {"batch_size": SIZE}),
    "Dataset with workers": lambda *a: (Rows(*a), {"batch_size": SIZE, "workers": 2}),
    "IterableDataset": lambda *a: (Stream(*a), {"batch_size": SIZE}),
    "generator": lambda *a: (endless(*a), {"steps_per_epoch": 5}),
    "pipeline": lambda *a: (Pipeline(parts(*a)), {}),
    "PyDataset": lambda *a: (Batches(*a), {}),
    "PyDataset with threads": lambda *a: (Batches(*a, workers=3, max_queue_size=2), {}),
    "PyDataset with processes": lambda *a: (Batches(*a, workers=2, use_multiprocessing=True), {}),
}


@pytest.mark.parametrize("weighted", [False, True], ids=["x, y", "x, y, sample_weight"])
@pytest.mark.parametrize("source", SOURCES)
def test_sources_equal_arrays(source, weighted):
    arrays = (X, Y, WEIGHTS) if weighted else (X, Y)
    data, arguments = SOURCES[source](*arrays)
    ours, plain = model_of(), model_of()
    plain.set_weights(ours.get_weights())
    mine = ours.fit(data, epochs=2, verbose=0, shuffle=False, **arguments).history
    weights = {"sample_weight": WEIGHTS} if weighted else {}
    his = plain.fit(X, Y, batch_size=SIZE, shuffle=False, epochs=2, verbose=0, **weights).history
    assert mine.keys() == his.keys()
    for key in his:
        np.testing.assert_allclose(mine[key], his[key], rtol=1e-5)


@pytest.mark.parametrize("source", [s for s in SOURCES if s != "generator"])
def test_sources_for_evaluate_predict_and_validation(source):
    model = model_of()
    data, arguments = SOURCES[source](X, Y)
    expected = model.evaluate(X, Y, batch_size=SIZE, verbose=0)
    np.testing.assert_allclose(model.evaluate(data, verbose=0, **arguments), expected, rtol=1e-5)
    outputs = model.predict(data, verbose=0, **arguments)
    np.testing.assert_allclose(outputs, model.predict(X, verbose=0), rtol=1e-5)
    validation, _ = SOURCES[source](X, Y)
    size = {"validation_batch_size": SIZE} if "Dataset" in source else {}
    logs = model.fit(X, Y, epochs=2, validation_data=validation, verbose=0, **size).history
    np.testing.assert_allclose(
        [logs["val_loss"][-1], logs["val_mae"][-1]], model.evaluate(X, Y, verbose=0), rtol=1e-5
    )


NESTED = {
    "x alone": lambda: parts(X),
    "bare arrays": lambda: [batch[0] for batch in parts(X)],
    "dicts": lambda: [({"left": x[:, :2], "right": x[:, 2:]},) for (x,) in parts(X)],
    "nested": lambda: [((x[:, :2], [x[:, 2:]]),) for (x,) in parts(X)],
}


@pytest.mark.parametrize("form", NESTED)
def test_forms_of_inputs_in_batches(form):
    class Sum(tkl.Model):
        def call(self, inputs):
            flat = torch.utils._pytree.tree_leaves(inputs)
            return sum(part.sum(-1, keepdim=True) for part in flat)

    outputs = Sum().predict(Listed(NESTED[form]()), verbose=0)
    np.testing.assert_allclose(outputs, Y, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize("steps", [5, 3, None])
def test_a_generator_is_read_once_and_no_further_than_needed(built, steps):
    read = []

    def generator():
        for number, batch in enumerate(parts(X, Y) * 4):
            read.append(number)
            yield batch

    model = model_of(built=built)
    source = generator()
    model.fit(source, epochs=2, steps_per_epoch=steps, verbose=0)
    expected = 20 if steps is None else 2 * steps
    assert read == list(range(expected))
    if steps:
        assert next(source)[0].shape == (SIZE, 4)  # left open for the caller


def test_training_ends_in_order_when_a_generator_does():
    generator = (batch for batch in parts(X, Y))
    with pytest.warns(UserWarning, match="Your input ran out of data; interrupting training"):
        history = model_of().fit(generator, epochs=3, steps_per_epoch=5, verbose=0)
    assert len(history.history["loss"]) == 1
    with pytest.warns(UserWarning, match="The validation data is used up"):
        logs = model_of().fit(X, Y, epochs=2, validation_data=iter(parts(X, Y)), verbose=0).history
    assert (len(logs["loss"]), len(logs["val_loss"])) == (2, 1)


def test_batches_peeked_at_to_build_are_not_lost():
    seen = []

    class Queue(IterableDataset):
        def __iter__(self):
            while rows:
                yield rows.pop(0)

    rows = list(zip(X, Y, strict=True))
    model = model_of(built=False)
    callback = tkl.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    model.fit(DataLoader(Queue(), batch_size=SIZE), verbose=0, callbacks=[callback])
    assert seen == [0, 1, 2, 3, 4]


FRAME = pandas.DataFrame(X, columns=list("abcd")).assign(target=Y[:, 0])


def named(k, names, **outputs):
    inputs = [k.Input((1,), name=name) for name in names]
    joined = k.layers.Concatenate()(inputs) if len(inputs) > 1 else inputs[0]
    heads = [k.layers.Dense(1, name=name)(joined) for name in outputs or ["head"]]
    return k.Model(inputs, heads)


def test_columns_go_to_inputs_of_their_names():
    model = named(tkl, ["c", "a"])
    model.compile("sgd", "mse")
    columns = {name: FRAME[[name]].to_numpy() for name in ("a", "c")}
    expected = model.predict(columns, verbose=0)
    np.testing.assert_array_equal(model.predict(FRAME, verbose=0), expected)
    history = model.fit(FRAME, FRAME["target"], validation_split=0.2, verbose=0, shuffle=False).history
    assert set(history) == {"loss", "val_loss"}


def test_columns_go_to_outputs_of_their_names():
    models = [named(tkl, ["a", "b"], right=1, left=1) for _ in range(2)]
    models[1].set_weights(models[0].get_weights())
    targets = pandas.DataFrame({"left": Y[:, 0], "right": X[:, 3]})
    losses = []
    for model, y in zip(models, (targets, [X[:, 3:], Y]), strict=True):
        model.compile("sgd", "mse")
        losses.append(model.fit(FRAME, y, shuffle=False, verbose=0).history["loss"])
    assert losses[0] == losses[1]


FRAMES = {
    "frame": (FRAME[list("abcd")], FRAME["target"]),
    "frame of one column": (FRAME[list("abcd")], FRAME[["target"]]),
    "kinds of numbers": (FRAME[list("abcd")].astype({"a": "float64", "b": "float32"}), FRAME["target"]),
}


@pytest.mark.parametrize("frame", FRAMES)
def test_frames_equal_arrays(frame):
    x, y = FRAMES[frame]
    for k in (tkl, keras):
        model, plain = model_of(k), model_of(k)
        plain.set_weights(model.get_weights())
        arguments = {"epochs": 2, "shuffle": False, "verbose": 0, "validation_split": 0.2}
        mine, his = model.fit(x, y, **arguments).history, plain.fit(X, Y, **arguments).history
        for key in his:
            np.testing.assert_allclose(mine[key], his[key], rtol=1e-5)


def test_nullable_and_mixed_columns_become_numbers():
    frame = pandas.DataFrame({"a": [1, 2], "b": [True, False], "c": [0.5, 1.5]})
    frame["d"] = pandas.array([3, None], dtype="Int64")

    class Echo(tkl.Model):
        def call(self, inputs):
            return inputs

    expected = np.array([[1, 1, 0.5, 3], [2, 0, 1.5, np.nan]], "float32")
    np.testing.assert_array_equal(Echo().predict(frame, verbose=0), expected)


def test_series_as_the_input_is_one_column():
    model = tkl.Sequential([tkl.Input((1,)), tkl.layers.Dense(1)])
    assert model.predict(FRAME["a"], verbose=0).shape == (50, 1)
    assert model.predict(X[:, 0], verbose=0).shape == (50, 1)


def test_wrong_frames_are_told():
    model = named(tkl, ["a", "age"])
    with pytest.raises(ValueError, match=r"lacks the column 'age' for the input.*\['a', 'b'"):
        model.predict(FRAME, verbose=0)
    mixed = FRAME.assign(when=[object()] * 50)
    with pytest.raises(ValueError, match="column 'when' of the data holds"):
        model_of().predict(mixed, verbose=0)


class FailingRows(Rows):
    def __getitem__(self, index):
        if index == 20:
            raise KeyError("row 20 is broken")
        return super().__getitem__(index)


class FailingBatches(Batches):
    def __getitem__(self, index):
        if index == 2:
            if self.kind == "error":
                raise KeyError("batch 2 is broken")
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def failing_dataset(kind, **workers):
    dataset = FailingBatches(X, Y, **workers)
    dataset.kind = kind
    return dataset


ERRORS = {
    "DataLoader": lambda: DataLoader(FailingRows(X, Y), batch_size=SIZE, num_workers=1),
    "PyDataset": lambda: failing_dataset("error"),
    "threads": lambda: failing_dataset("error", workers=2),
    "processes": lambda: failing_dataset("error", workers=2, use_multiprocessing=True),
}


@pytest.fixture(autouse=True)
def quick_end_of_workers(monkeypatch):
    monkeypatch.setattr(torch.utils.data._utils, "MP_STATUS_CHECK_INTERVAL", 0.2)


@pytest.mark.parametrize("source", ERRORS)
def test_errors_of_the_data_come_out_as_they_are(source):
    with pytest.raises(KeyError, match="is broken"):
        model_of().fit(ERRORS[source](), verbose=0, shuffle=False)


def test_errors_of_a_generator_come_out_as_they_are():
    def generator():
        yield from parts(X, Y)
        raise LookupError("no more files")

    with pytest.raises(LookupError, match="no more files"):
        model_of().fit(generator(), verbose=0)


DIED = r"A worker process of .* died.*out of memory.*workers=0"


def test_a_dead_worker_of_a_dataset_is_told():
    data = failing_dataset("death", workers=1, use_multiprocessing=True)
    with pytest.raises(RuntimeError, match=DIED):
        model_of().fit(data, verbose=0, shuffle=False)


DEADLY = """
import os, signal, numpy, torch, torchkeras_lite as keras

class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 50

    def __getitem__(self, index):
        if index == 20:
            os.kill(os.getpid(), signal.SIGKILL)
        return numpy.ones(4, "float32"), numpy.ones(1, "float32")

torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL = 0.2  # seconds until dead workers are given up
model = keras.Sequential([keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(torch.utils.data.DataLoader(Rows(), batch_size=10, num_workers=1), verbose=0)
"""


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
@pytest.mark.parametrize("explained", [False, True])
def test_a_worker_s_death_is_told_wherever_torch_raises_it(method, explained):
    class Dies(Listed):
        def __iter__(self):
            yield self.batches[0]
            try:
                raise RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed. ")
            except RuntimeError as error:
                if explained:
                    raise ValueError("a layer cannot be called") from error
                raise

    with pytest.raises(RuntimeError, match=DIED):
        getattr(model_of(), method)(Dies(parts(X, Y)), verbose=0)


def test_a_dead_worker_of_a_loader_is_told():
    # In a process of its own: torch raises from a signal, wherever Python is at that moment.
    run = subprocess.run(
        [sys.executable, "-c", DEADLY], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert re.search(DIED, run.stderr.splitlines()[-1])


@pytest.mark.parametrize("how", ["ends", "fails"])
@pytest.mark.parametrize(
    "source", ["DataLoader with workers", "Dataset with workers", "PyDataset with processes"]
)
def test_workers_end_with_fit(source, how):
    class Fail(tkl.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if how == "fails" and batch == 1:
                raise RuntimeError("stop here")

    data, arguments = SOURCES[source](X, Y)
    error = None
    try:
        model_of().fit(data, epochs=2, verbose=0, callbacks=[Fail()], **arguments)
    except RuntimeError as caught:
        error = caught
    assert (error is None) == (how == "ends")
    assert multiprocessing.active_children() == []


def test_threads_end_with_fit():
    before = threading.active_count()
    model = model_of()
    model.stop_training = True
    stop = tkl.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: setattr(model, "stop_training", True)
    )
    model.fit(Batches(X, Y, workers=4), verbose=0, callbacks=[stop])
    assert threading.active_count() == before


ROWS = torch.arange(6.0).reshape(3, 2)
SINGLE_BATCHES = {
    "ready": (ROWS, ROWS[:, :1], True),
    "class numbers": (ROWS, torch.tensor([0, 1, 0]), True),
    "doubles": (ROWS.double(), ROWS[:, :1], False),
    "double targets": (ROWS, ROWS[:, :1].double(), False),
    "integers": (ROWS.int(), ROWS[:, :1], False),
    "with a graph": (ROWS.clone().requires_grad_(), ROWS[:, :1], False),
    "an array": (ROWS.numpy(), ROWS[:, :1], False),
    "a parameter": (torch.nn.Parameter(ROWS, requires_grad=False), ROWS[:, :1], False),
    "no targets": (ROWS, None, False),
    "other lengths": (ROWS, ROWS[:2, :1], False),
    "no rows": (ROWS[:0], ROWS[:0, :1], False),
}


@pytest.mark.parametrize(("x", "y", "ready"), SINGLE_BATCHES.values(), ids=SINGLE_BATCHES)
def test_a_batch_is_taken_as_it_is_only_where_nothing_would_be_done_to_it(x, y, ready):
    model = tkl.Sequential([tkl.Input((2,)), tkl.layers.Dense(1)])
    found = batching.ready_batch(model, x, y, None)
    assert (found is not None) == ready
    if ready:
        batch = batching.make_batches(model, x, y, batch_size=3).only()
        assert all(one is two for one, two in zip(found, batch, strict=True))
        assert batching.ready_batch(model, x, y, torch.ones(3)) is None
        assert batching.ready_batch(model, [x], y, None) is None


def test_a_batch_on_another_device_is_moved():
    model = tkl.Sequential([tkl.Input((2,)), tkl.layers.Dense(1)])
    assert batching.ready_batch(model, ROWS.to("meta"), ROWS[:, :1], None) is None
    assert batching.ready_batch(model, ROWS, ROWS[:, :1].to("meta"), None) is None
