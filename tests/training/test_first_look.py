"""What `fit` says of the first batch, and what it says of indices and labels out of range afterwards."""

import warnings

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import torchkeras_lite as tkl
from torchkeras_lite import layers, losses

RNG = np.random.default_rng(0)
X = RNG.standard_normal((64, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
LABELS = np.arange(64) % 3


def model_of(*stack, loss, **compile_args):
    model = tkl.Sequential([tkl.Input((4,)), *stack])
    model.compile("sgd", loss, **compile_args)
    return model


def with_nan():
    x = X.copy()
    x[3, 2] = np.nan
    return x


class OwnLoss(losses.Loss):
    def call(self, y_true, y_pred):
        return (y_true - y_pred).square()


def frozen():
    model = model_of(layers.Dense(1), loss="mse")
    model.trainable = False
    model.compile("sgd", "mse")
    return model


def two_outputs(loss):
    inputs = tkl.Input((4,))
    model = tkl.Model(inputs, [layers.Dense(1, name=name)(inputs) for name in ("value", "label")])
    model.compile("sgd", loss)
    return model


def logits(name, units=3, last=None, **kwargs):
    return lambda: model_of(layers.Dense(units, activation=last), loss=getattr(losses, name)(**kwargs))


SUSPICIOUS = {
    "logits as probabilities": (
        logits("SparseCategoricalCrossentropy"),
        X * 9,
        LABELS,
        r"takes probabilities, and the output has values outside of \[0, 1\].*from_logits=True.*a softmax",
    ),
    "binary logits": (
        logits("BinaryCrossentropy", 1),
        X * 9,
        LABELS % 2,
        "takes probabilities.*logits.*from_logits=True.*a sigmoid",
    ),
    "softmax twice": (
        logits("CategoricalCrossentropy", last="softmax", from_logits=True),
        X,
        np.eye(3)[LABELS],
        "from_logits=True, and the output ends with a softmax already.*Leave",
    ),
    "sigmoid twice": (
        logits("BinaryCrossentropy", 1, last="sigmoid", from_logits=True),
        X,
        LABELS % 2,
        "from_logits=True, and the output ends with a sigmoid already",
    ),
    "binary labels": (
        logits("BinaryCrossentropy", 1, last="sigmoid"),
        X,
        LABELS,
        r"targets of the output outside of \[0, 1\].*sparse_categorical_crossentropy",
    ),
    "softmax twice in torch": (
        lambda: model_of(layers.Dense(3, activation="softmax"), loss=torch.nn.CrossEntropyLoss()),
        X,
        LABELS,
        "CrossEntropyLoss takes logits, and the output ends with a softmax.*Leave out the softmax",
    ),
    "sigmoid twice in torch": (
        lambda: model_of(layers.Dense(1, activation="sigmoid"), loss=torch.nn.BCEWithLogitsLoss()),
        X,
        LABELS % 2,
        "BCEWithLogitsLoss takes logits, and the output ends with a sigmoid.*Leave out the sigmoid",
    ),
    "one class in torch": (
        lambda: model_of(layers.Dense(1), loss=torch.nn.CrossEntropyLoss()),
        X,
        (LABELS % 2)[:, None],
        "CrossEntropyLoss compares classes, and the output has one.*Use BCEWithLogitsLoss",
    ),
    "NaN": (lambda: model_of(layers.Dense(1), loss="mse"), with_nan(), Y, "the input holds NaN or infinity"),
    "NaN in the targets": (
        lambda: model_of(layers.Dense(1), loss="mse"),
        X,
        np.where(np.arange(64)[:, None] == 3, np.nan, Y),
        "the targets hold NaN or infinity",
    ),
    "(n,) and (n, 1)": (
        lambda: model_of(layers.Dense(1), loss=OwnLoss()),
        X,
        Y[:, 0],
        r"output has shape \(32, 1\) and its targets have shape \(32,\). In OwnLoss.*y\[:, None\]",
    ),
    "nothing to train": (frozen, X, Y, "does not have any trainable weights"),
}


@pytest.mark.parametrize("case", SUSPICIOUS)
def test_one_clear_line_about_the_first_batch(case):
    build, x, y, text = SUSPICIOUS[case]
    with pytest.warns(UserWarning, match=text) as caught:
        build().fit(x, y, verbose=0, shuffle=False)
    assert len(caught) == 1
    assert caught[0].filename == __file__  # told at the line that calls `fit`


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_an_output_without_a_loss_is_told_unless_it_is_meant():
    with pytest.warns(UserWarning, match=r"The output 'label' gets no loss.*Add it, or name it with None"):
        two_outputs({"value": "mse"}).fit(X, {"value": Y, "label": Y}, verbose=0)
    two_outputs({"value": "mse", "label": None}).fit(X, {"value": Y, "label": Y}, verbose=0)


USUAL = {
    "flat binary targets": (logits("BinaryCrossentropy", 1, last="sigmoid"), LABELS % 2),
    "logits": (logits("SparseCategoricalCrossentropy", from_logits=True), LABELS),
    "probabilities": (logits("SparseCategoricalCrossentropy", last="softmax"), LABELS),
    "a function of one's own": (
        lambda: model_of(layers.Dense(1), loss=lambda y_true, y_pred: (y_true - y_pred).square()),
        Y[:, 0],
    ),
    "torch's loss": (lambda: model_of(layers.Dense(3), loss=torch.nn.CrossEntropyLoss()), LABELS),
}


@pytest.mark.parametrize("case", USUAL)
def test_usual_trainings_are_silent(case):
    build, y = USUAL[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build().fit(X, y, verbose=0)


def test_the_look_runs_no_forward_pass_of_its_own_and_leaves_nothing_behind():
    calls = []

    class Count(layers.Layer):
        def call(self, inputs):
            calls.append(len(inputs))
            return inputs

    model = model_of(Count(), layers.Dense(1), loss="mse")
    calls.clear()
    model.fit(X, Y, batch_size=32, epochs=2, verbose=0)
    assert calls == [32] * 4
    assert not model._forward_hooks


class CountOperations(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


def test_later_batches_cost_nothing():
    model = model_of(layers.Dense(1, activation="sigmoid"), loss="binary_crossentropy")
    y = LABELS % 2
    model.fit(X, y, verbose=0)
    counts = []
    for epochs in (1, 2, 3):
        with CountOperations() as counter:
            model.fit(X, y, batch_size=64, epochs=epochs, shuffle=False, verbose=0)
        counts.append(counter.count)
    first, second, third = counts
    assert third - second == second - first < first


def ids(wrong):
    found = RNG.integers(0, 10, (64, 5))
    found[40, 2] = wrong
    return found


def embedding_model(embedding):
    model = tkl.Sequential([tkl.Input((5,), dtype="int32"), embedding, layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("wrong", [10, -1])
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_an_index_out_of_range_in_the_middle_of_an_epoch(method, wrong):
    model = embedding_model(torch.nn.Embedding(10, 3))
    arguments = {"shuffle": False} if method == "fit" else {}
    data = (ids(wrong),) if method == "predict" else (ids(wrong), Y)
    text = rf"Embedding 'embedding': expected indices from 0 to 9.*got {wrong} at \[8, 2\] of the batch"
    with pytest.raises(ValueError, match=text):
        getattr(model, method)(*data, verbose=0, **arguments)
    with pytest.raises(IndexError, match=r"Embedding 'embedding.*': expected ids from 0 to 9 .*got ids from"):
        getattr(embedding_model(layers.Embedding(10, 3)), method)(*data, verbose=0, **arguments)


LABEL_LOSSES = {
    "keras": (layers.Activation("softmax"), "sparse_categorical_crossentropy", "expected labels from 0 to 2"),
    "torch": (layers.Activation("linear"), torch.nn.CrossEntropyLoss(), r"expected labels .*got 7 at \[8\]"),
}


@pytest.mark.parametrize("kind", LABEL_LOSSES)
def test_a_label_out_of_range_in_the_middle_of_an_epoch(kind):
    last, loss, text = LABEL_LOSSES[kind]
    labels = LABELS.copy()
    labels[40] = 7
    with pytest.raises(ValueError, match=text):
        model_of(layers.Dense(3), last, loss=loss).fit(X, labels, shuffle=False, verbose=0)


def test_other_index_errors_stay_as_they_are():
    class Wrong(layers.Layer):
        def call(self, inputs):
            if inputs.device.type == "meta" or not self.training:
                return inputs
            raise IndexError("index out of range: a mistake of my own")

    with pytest.raises(IndexError, match="a mistake of my own"):
        model_of(Wrong(), layers.Dense(1), loss="mse").fit(X, Y, verbose=0)
