"""What `predict` makes of the outputs of all batches."""

import numpy as np
import pytest
import torch

import torchkeras_lite as keras
from torchkeras_lite.training.collected import Collected


class Source:
    """Batches of which only the number of rows matters."""

    def __init__(self, num_rows):
        self.num_rows = num_rows


def rows(*sizes, tail=(3,), dtype=torch.float32):
    start = np.cumsum([0, *sizes])
    count = int(np.prod(tail))
    return [
        (torch.arange(begin * count, (begin + size) * count).reshape(size, *tail)).to(dtype)
        for begin, size in zip(start, sizes, strict=False)
    ]


BATCHES = {
    "even": rows(4, 4, 4),
    "ragged": rows(4, 4, 1),
    "growing": rows(1, 2, 40, 300),
    "empty ones": rows(2, 0, 3),
    "many": rows(*[3] * 50),
    "integers": rows(4, 2, dtype=torch.int64),
    "half": rows(4, 2, dtype=torch.bfloat16),
    "no axis": [torch.tensor(1.0), torch.tensor(2.0)],
    "text": [np.array(["a", "b"]), np.array(["long"])],
    "lists": [[1.0, 2.0], [3.0]],
}


@pytest.mark.parametrize("known", [False, True], ids=["stream", "rows known"])
@pytest.mark.parametrize("batches", BATCHES.values(), ids=BATCHES)
def test_batches_are_joined(batches, known):
    arrays = [
        np.atleast_1d(batch.float().numpy() if isinstance(batch, torch.Tensor) else np.asarray(batch))
        for batch in batches
    ]
    expected = np.concatenate(arrays)
    first = batches[0] if not isinstance(batches[0], list) else np.asarray(batches[0])
    collected = Collected(first, Source(len(expected) if known else None))
    for batch in batches:
        given = np.asarray(batch) if isinstance(batch, list) else batch
        collected.add(given.clone() if isinstance(given, torch.Tensor) else given)
    found = collected.arrays()
    np.testing.assert_array_equal(found, expected)
    if isinstance(batches[0], torch.Tensor):
        wanted = batches[0].dtype if batches[0].dtype != torch.bfloat16 else torch.float32
        assert found.dtype == torch.empty(0, dtype=wanted).numpy().dtype


def test_outputs_are_copied():
    output = torch.ones(2, 3)
    collected = Collected(output, Source(4))
    collected.add(output)
    collected.add(output.zero_())
    assert collected.arrays().tolist() == [[1] * 3, [1] * 3, [0] * 3, [0] * 3]


def test_results_of_streams_hold_little_more_than_themselves():
    collected = Collected(torch.ones(2, 3), Source(None))
    collected.add(torch.ones(2, 3))
    assert len(collected.parts[0].block) > 4  # room for more
    assert collected.arrays().base.untyped_storage().nbytes() <= 2 * 2 * 3 * 4


def test_streams_fill_few_blocks():
    collected = Collected(torch.ones(3), Source(None))
    for _ in range(1000):
        collected.add(torch.ones(3))
    assert collected.arrays().shape == (3000,)
    assert len(collected.parts[0].pieces) < 10


def test_tails_that_differ_are_told():
    collected = Collected(torch.ones(2, 3), Source(4))
    collected.add(torch.ones(2, 3))
    collected.add(torch.ones(2, 5))
    with pytest.raises(ValueError, match="dimension"):
        collected.arrays()


def test_nested_outputs_keep_their_form():
    outputs = {"a": torch.ones(2, 1), "b": [torch.zeros(2), torch.ones(2, 2)]}
    collected = Collected(outputs, Source(None))
    collected.add(outputs)
    collected.add(outputs)
    found = collected.arrays()
    assert [found["a"].shape, found["b"][0].shape, found["b"][1].shape] == [(4, 1), (4,), (4, 2)]


@pytest.mark.parametrize("batch_size", [3, 10, 1000, 1024])
@pytest.mark.parametrize("shuffle", [False, True, "batch"])
def test_every_row_is_seen_once_an_epoch(batch_size, shuffle):
    seen = []

    class Seeing(keras.Sequential):
        def train_step(self, data):
            seen.append(data[0].clone())
            return super().train_step(data)

    model = Seeing([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.arange(1000, dtype="float32")[:, None]
    model.fit(x, x * 0, batch_size=batch_size, shuffle=shuffle, epochs=2, verbose=0)
    epochs = torch.cat(seen).reshape(2, 1000)
    assert all(sorted(epoch.tolist()) == x[:, 0].tolist() for epoch in epochs)
    in_order = shuffle is False or (shuffle == "batch" and batch_size >= len(x))
    assert (epochs[0].tolist() == x[:, 0].tolist()) is in_order
    assert {len(batch) for batch in seen} == {min(batch_size, 1000), 1000 % batch_size or batch_size}


class CountsPositive(keras.metrics.Metric):
    """A metric whose result is an integer."""

    def __init__(self, name="positive"):
        super().__init__(name=name)
        self.count = self.add_variable((), dtype="int32")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.count.assign_add((y_true > 0).sum())

    def result(self):
        return self.count.value.int()


def test_logs_are_floats():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[CountsPositive()])
    x = np.arange(4, dtype="float32")[:, None]
    logs = model.fit(x, x, verbose=0).history
    assert logs["positive"] == [3.0]
    assert type(logs["positive"][0]) is float
    assert all(type(value) is float for value in model.train_on_batch(x, x))


@pytest.mark.parametrize("method", ["train", "test", "predict"])
def test_bars_show_the_last_batch(method, capsys):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((70, 1), "float32")
    run = {
        "train": lambda: model.fit(x, x, batch_size=1, verbose=1),
        "test": lambda: model.evaluate(x, x, batch_size=1, verbose=1),
        "predict": lambda: model.predict(x, batch_size=1, verbose=1),
    }
    run[method]()
    assert "70/70" in capsys.readouterr().out
