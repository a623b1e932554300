"""`PyDataset`: order of its calls, its arguments, its length."""

import keras
import numpy as np
import pytest

import torchkeras_lite as tkl

X = np.random.default_rng(0).standard_normal((50, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def model_of(k=tkl):
    model = k.Sequential([k.Input((4,)), k.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def dataset_of(k, log, count=5, **kwargs):
    class Noted(k.utils.PyDataset):
        def __len__(self):
            return count

        def __getitem__(self, index):
            log.append(index)
            return X[index * 10 : index * 10 + 10], Y[index * 10 : index * 10 + 10]

        def on_epoch_begin(self):
            log.append("begin")

        def on_epoch_end(self):
            log.append("end")

    return Noted(**kwargs)


def calls(k, method, **kwargs):
    log = []
    getattr(model_of(k), method)(dataset_of(k, log), verbose=0, **kwargs)
    peek = ["begin", 0, "end"]  # Keras reads a batch beforehand, to learn its shape
    return log[3:] if k is keras and log[:3] == peek else log


CALLS = {
    "fit": ("fit", {"epochs": 2, "shuffle": False}),
    "evaluate": ("evaluate", {}),
    "predict": ("predict", {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_order_of_calls_is_keras_s(name):
    method, arguments = CALLS[name]
    assert calls(tkl, method, **arguments) == calls(keras, method, **arguments)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_batch_is_read_once_an_epoch(workers):
    log = []
    model_of().fit(dataset_of(tkl, log, workers=workers), epochs=2, verbose=0)
    assert (log[0], log[6], log[7], log[13]) == ("begin", "end", "begin", "end")
    assert sorted(log[1:6]) == sorted(log[8:13]) == [0, 1, 2, 3, 4]


def test_shuffle_takes_batches_in_a_new_order_every_epoch():
    tkl.utils.set_random_seed(0)
    log = []
    model_of().fit(dataset_of(tkl, log), epochs=3, verbose=0)
    orders = [tuple(log[start + 1 : start + 6]) for start in (0, 7, 14)]
    assert len(set(orders)) == 3


def test_a_dataset_without_an_end_goes_on_in_the_next_epoch():
    log = []

    class Endless(tkl.utils.PyDataset):
        num_batches = None

        def __getitem__(self, index):
            log.append(index)
            return X[:10], Y[:10]

    model_of().fit(Endless(), epochs=2, steps_per_epoch=3, verbose=0)
    assert log == [0, 1, 2, 3, 4, 5]


def test_workers_are_never_further_ahead_than_max_queue_size():
    log, seen = [], []
    note = tkl.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: seen.append(len(log)))
    model_of().fit(dataset_of(tkl, log, workers=2, max_queue_size=2), verbose=0, callbacks=[note])
    assert all(read <= batch + 1 + 1 + 2 for batch, read in enumerate(seen))  # with "begin"


def test_a_class_that_forgets_its_base_works():
    class Forgets(tkl.utils.PyDataset):
        def __init__(self):
            pass

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return X[:10], Y[:10]

    assert len(model_of().fit(Forgets(), verbose=0).history["loss"]) == 1


def test_fit_s_arguments_count_instead_of_the_dataset_s(monkeypatch):
    import concurrent.futures

    started = []
    original = concurrent.futures.ThreadPoolExecutor
    monkeypatch.setattr(concurrent.futures, "ThreadPoolExecutor", lambda n: started.append(n) or original(n))
    model_of().fit(dataset_of(tkl, []), workers=3, verbose=0)
    assert started == [3]


def test_a_dataset_can_be_iterated_by_hand():
    assert [len(x) for x, _ in dataset_of(tkl, [])] == [10] * 5
    log = []
    for index, _ in enumerate(type("Endless", (type(dataset_of(tkl, log)),), {"num_batches": None})()):
        if index == 3:
            break
    assert log == [0, 1, 2, 3]


def test_sequence_is_the_older_name():
    assert tkl.utils.Sequence is tkl.utils.PyDataset


WRONG = {
    "workers": (lambda: dataset_of(tkl, [], workers=-1), "`workers` must be an integer of 0 or more, got -1"),
    "queue": (lambda: dataset_of(tkl, [], max_queue_size=-1), "`max_queue_size` must be an integer of 0 or"),
    "targets": (lambda: model_of().fit(dataset_of(tkl, []), Y), "`y` should not be passed"),
    "weights": (
        lambda: model_of().fit(dataset_of(tkl, []), sample_weight=Y),
        "`sample_weight` should not be passed",
    ),
    "no length": (lambda: model_of().fit(tkl.utils.PyDataset()), "PyDataset has no end: .*`steps_per_epoch`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_datasets_are_told(case):
    call, text = WRONG[case]
    with pytest.raises(ValueError, match=text):
        call()
