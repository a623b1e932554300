"""`Dataset`: every method against plain Python, lazily, epoch after epoch."""

import threading

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import torchkeras_lite as tkl
from torchkeras_lite.data import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset


def numbers(dataset):
    """The elements as nested lists."""
    return [tkl.tree.map_structure(lambda leaf: np.asarray(leaf).tolist(), element) for element in dataset]


def stream(count):
    """Numbers that cannot be read by their places."""
    return Dataset.from_generator(lambda: iter(range(count)))


# Name, pipeline of a dataset of 0..9, and what it gives.
PIPELINES = {
    "take": (lambda d: d.take(3), [0, 1, 2]),
    "take all": (lambda d: d.take(-1), list(range(10))),
    "skip": (lambda d: d.skip(7), [7, 8, 9]),
    "skip all": (lambda d: d.skip(-1), []),
    "skip too many": (lambda d: d.skip(20), []),
    "take of skip": (lambda d: d.skip(2).take(2), [2, 3]),
    "repeat": (lambda d: d.take(2).repeat(2), [0, 1, 0, 1]),
    "repeat for ever": (lambda d: d.take(2).repeat().skip(1).take(4), [1, 0, 1, 0]),
    "repeat nothing": (lambda d: d.take(0).repeat(), []),
    "shard": (lambda d: d.shard(3, 1), [1, 4, 7]),
    "shard of repeat": (lambda d: d.take(5).repeat(2).shard(3, 0), [0, 3, 1, 4]),
    "map": (lambda d: d.take(3).map(lambda x: x * 2), [0, 2, 4]),
    "parallel map": (lambda d: d.map(lambda x: x * 2, num_parallel_calls=3).skip(8), [16, 18]),
    "filter": (lambda d: d.filter(lambda x: x % 4 == 0), [0, 4, 8]),
    "concatenate": (lambda d: d.take(2).concatenate(d.skip(9)), [0, 1, 9]),
    "enumerate": (lambda d: d.skip(8).enumerate(start=3), [(3, 8), (4, 9)]),
    "zip": (lambda d: Dataset.zip(d, d.skip(7)), [(0, 7), (1, 8), (2, 9)]),
    "zip of dict": (lambda d: Dataset.zip({"a": d.take(1), "b": d}), [{"a": 0, "b": 0}]),
    "zip of repeat": (lambda d: Dataset.zip(d.take(2).repeat(), d.take(3)), [(0, 0), (1, 1), (0, 2)]),
    "batch": (lambda d: d.batch(4), [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]),
    "batch of full size": (lambda d: d.batch(4, drop_remainder=True), [[0, 1, 2, 3], [4, 5, 6, 7]]),
    "batch of repeat": (lambda d: d.take(3).repeat(2).batch(4), [[0, 1, 2, 0], [1, 2]]),
    "batch of zip": (lambda d: Dataset.zip(d, d.skip(8)).batch(2), [([0, 1], [8, 9])]),
    "batch of map": (lambda d: d.map(lambda x: (x, x + 1)).take(2).batch(2), [([0, 1], [1, 2])]),
    "batch of batch": (lambda d: d.batch(2).batch(2).take(1), [[[0, 1], [2, 3]]]),
    "unbatch": (lambda d: d.batch(4).unbatch().skip(8), [8, 9]),
    "prefetch": (lambda d: d.prefetch(3).skip(8), [8, 9]),
    "prefetch nothing": (lambda d: d.prefetch(0).skip(8), [8, 9]),
    "cache": (lambda d: d.cache().skip(8), [8, 9]),
    "select": (lambda d: d.select([3, 1, 3]), [3, 1, 3]),
    "shuffle of one": (lambda d: d.shuffle(1), list(range(10))),
    "apply": (lambda d: d.apply(lambda e: e.take(1)), [0]),
}


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("source", [Dataset.range, stream], ids=["indexed", "stream"])
def test_pipelines(name, source):
    build, expected = PIPELINES[name]
    dataset = build(source(10))
    assert numbers(dataset) == expected
    assert numbers(dataset) == expected  # and again
    if dataset.cardinality() >= 0:
        assert len(dataset) == len(expected)
    if source is Dataset.range and name not in ("filter", "unbatch"):
        assert dataset.cardinality() == len(expected)


@pytest.mark.parametrize("source", [Dataset.range, stream], ids=["indexed", "stream"])
@pytest.mark.parametrize("buffer_size", [3, 10, 50])
def test_shuffle(source, buffer_size):
    dataset = source(10).shuffle(buffer_size, seed=1)
    first, second = numbers(dataset), numbers(dataset)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert first == numbers(source(10).shuffle(buffer_size, seed=1))
    same = source(10).shuffle(buffer_size, reshuffle_each_iteration=False)
    assert numbers(same) == numbers(same)
    if buffer_size == 3:  # an element comes at most two places early
        assert all(number <= place + 2 for place, number in enumerate(first))


def test_shuffle_follows_torchs_seed():
    dataset = Dataset.range(20).shuffle()
    torch.manual_seed(3)
    first = numbers(dataset), numbers(dataset)
    torch.manual_seed(3)
    assert (numbers(dataset), numbers(dataset)) == first


def test_shuffle_of_repeat_mixes_epochs():
    assert sorted(numbers(Dataset.range(3).repeat(2).shuffle(6, seed=0))) == [0, 0, 1, 1, 2, 2]
    assert sorted(numbers(Dataset.range(3).concatenate(Dataset.range(2)).shuffle())) == [0, 0, 1, 1, 2]


def test_each_repeat_has_an_order_of_its_own():
    order = numbers(Dataset.range(10).shuffle(10, seed=0).repeat(2))
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))
    assert order[:10] != order[10:]


def test_rows_of_arrays():
    x, text = np.arange(6.0).reshape(3, 2), np.array(["a", "b", "c"])
    dataset = Dataset.from_tensor_slices({"x": x, "pair": (text, [1, 2, 3])})
    element = next(iter(dataset))
    assert element["x"].dtype == torch.float64
    assert element["pair"][0] == "a"
    batch = next(iter(dataset.batch(2)))
    assert [part.tolist() for part in batch["pair"]] == [["a", "b"], [1, 2]]
    assert batch["x"].data_ptr() == x.ctypes.data  # no copy
    assert next(iter(Dataset.from_tensor_slices([1.0, 2.0]).batch(2))).dtype == torch.float32


def test_numpy_iterator():
    values = list(Dataset.from_tensor_slices((np.arange(2), ["a", "b"])).as_numpy_iterator())
    assert [(type(number), text) for number, text in values] == [(np.ndarray, "a"), (np.ndarray, "b")]


def test_nothing_is_read_before_it_is_asked_for():
    seen = []
    dataset = (
        Dataset.range(100).map(lambda x: seen.append(int(x)) or x).filter(lambda x: x > 2).batch(2).repeat()
    )
    assert seen == []
    next(iter(dataset))
    assert seen == [0, 1, 2, 3, 4]
    seen.clear()
    assert next(iter(Dataset.range(9).map(lambda x: seen.append(int(x)) or x).skip(7))) == 7
    assert seen == [7]


def test_cache_reads_once():
    seen = []
    dataset = Dataset.range(4).map(lambda x: seen.append(int(x)) or x).cache()
    next(iter(dataset))
    assert numbers(dataset) == numbers(dataset) == [0, 1, 2, 3]
    assert seen == [0, 0, 1, 2, 3]
    assert sorted(numbers(dataset.shuffle())) == [0, 1, 2, 3]
    assert len(seen) == 5


def test_a_cache_in_a_file_outlives_the_dataset(tmp_path):
    seen = []

    def elements():
        for number in range(3):
            seen.append(number)
            row = {
                "x": torch.full((2,), float(number)),
                "text": np.array([f"row {number}", "é"], dtype=object),
            }
            yield row, (np.int64(number), number + 0.5)

    def dataset():
        return Dataset.from_generator(elements).cache(tmp_path / "deep" / "elements")

    next(iter(dataset()))
    assert not any(path.is_file() for path in tmp_path.rglob("*"))  # half a pass leaves nothing
    expected = list(dataset())
    assert seen == [0, 0, 1, 2]
    for cached in (list(dataset()), list(dataset().shuffle(3, seed=0).shuffle(1))):
        cached.sort(key=lambda element: float(element[1][1]))
        for (row, (number, half)), (his_row, (his_number, his_half)) in zip(cached, expected, strict=True):
            assert row["x"].tolist() == his_row["x"].tolist()
            assert row["text"].tolist() == his_row["text"].tolist()
            assert (int(number), float(half)) == (int(his_number), float(his_half))
    assert seen == [0, 0, 1, 2]
    loaded = torch.utils.data.DataLoader(dataset(), batch_size=None, num_workers=2)
    assert sorted(float(half) for _, (_, half) in loaded)[-1] == 2.5


@pytest.mark.parametrize(
    "ahead", [lambda d: d.prefetch(2), lambda d: d.map(lambda x: 6 // x, num_parallel_calls=2)]
)
def test_threads_pass_on_errors_and_end(ahead):
    before = threading.active_count()
    dataset = ahead(Dataset.from_generator(lambda: (6 // x for x in (3, 2, 1, 0))))
    iterator = iter(dataset)
    next(iterator)
    iterator.close()
    assert threading.active_count() == before
    with pytest.raises(ZeroDivisionError):
        list(dataset)
    assert threading.active_count() == before


def test_cardinality():
    assert Dataset.range(3).repeat().cardinality() == INFINITE_CARDINALITY
    assert stream(3).cardinality() == UNKNOWN_CARDINALITY
    for dataset, message in ((Dataset.range(3).repeat(), "no end"), (stream(3), "no known length")):
        assert dataset
        assert message[:7] in repr(dataset) or "unknown" in repr(dataset)
        with pytest.raises(TypeError, match=message):
            len(dataset)


@pytest.mark.parametrize("count", [0, 2])
def test_worker_processes_share_the_elements(count):
    dataset = Dataset.range(20).shuffle(20, seed=3).batch(3)
    loader = DataLoader(dataset, batch_size=None, num_workers=count)
    orders = [torch.cat(list(loader)).tolist() for _ in range(2)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(20))
    assert orders[0] != orders[1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Dataset.from_tensor_slices((np.ones(2), np.ones(3))), ValueError, "different lengths"),
        (lambda: Dataset.from_tensor_slices(3), ValueError, "whose first axis runs over the elements"),
        (lambda: Dataset.from_generator(iter([1])), TypeError, "a function that returns an iterator"),
        (lambda: Dataset.zip(Dataset.range(2), [1]), TypeError, "expected datasets"),
        (lambda: Dataset.range(2).batch(0), ValueError, "`batch_size` must be a positive integer"),
        (lambda: Dataset.range(2).shuffle(0), ValueError, "`buffer_size` must be a positive integer"),
        (lambda: Dataset.range(2).repeat().shuffle(), ValueError, "needs a `buffer_size`"),
        (lambda: Dataset.range(2).shard(2, 2), ValueError, "`index` must be one of"),
        (lambda: list(Dataset.range(2).cache(__file__)), ValueError, "is no cache of a dataset"),
        (lambda: Dataset.range(2).repeat().select([0]), ValueError, "has no end"),
        (lambda: list(Dataset.range(2).unbatch()), ValueError, "all have a first axis"),
        (lambda: list(Dataset.range(2).map(object.__class__).batch(2)), TypeError, "has no batches"),
        (
            lambda: list(Dataset.from_generator(lambda: [np.ones(2), np.ones(3)]).batch(2)),
            ValueError,
            r"must have one shape to be put into a batch, got \(2,\) and \(3,\)",
        ),
    ],
    ids=range(13),
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()


X = np.random.default_rng(0).standard_normal((30, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def fitted(*data, **options):
    tkl.utils.set_random_seed(0)
    model = tkl.Sequential([tkl.Input((4,)), tkl.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(*data, epochs=2, verbose=0, shuffle=False, **options)
    return history.history["loss"], model


def test_fit_takes_a_dataset_for_its_arrays():
    expected, _ = fitted(X, Y, batch_size=10)
    dataset = Dataset.from_tensor_slices((X, Y)).batch(10)
    losses, model = fitted(dataset, validation_data=dataset)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    assert model.evaluate(dataset, verbose=0) == pytest.approx(model.evaluate(X, Y, batch_size=10, verbose=0))
    np.testing.assert_allclose(fitted(dataset, workers=2, use_multiprocessing=True)[0], expected, rtol=1e-6)


def test_fit_on_a_dataset_without_an_end_needs_steps():
    dataset = Dataset.from_tensor_slices((X, Y)).repeat().batch(10)
    assert len(fitted(dataset, steps_per_epoch=3)[0]) == 2
    with pytest.raises(ValueError, match="no end: it was repeated without a `count`"):
        fitted(dataset)
