"""Calls that make no sense are told what came, what was expected, and what to do."""

import numpy as np
import pytest

import torchkeras_lite as tkl

X = np.random.default_rng(0).standard_normal((50, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
LABELS = np.arange(50) % 3


def model_of(units=1, loss="mse", last=None):
    model = tkl.Sequential([tkl.Input((4,)), tkl.layers.Dense(units, activation=last)])
    model.compile("sgd", loss)
    return model


COUNTS = ["batch_size", "steps_per_epoch", "validation_steps", "validation_batch_size"]


@pytest.mark.parametrize("value", [0, -2, 1.5, "8", True], ids=repr)
@pytest.mark.parametrize("name", COUNTS)
def test_counts_in_fit(name, value):
    with pytest.raises(ValueError, match=rf"`{name}` must be a positive integer, got {name}={value!r}"):
        model_of().fit(X, Y, validation_data=(X, Y), verbose=0, **{name: value})


@pytest.mark.parametrize("value", [0, -2, 1.5], ids=repr)
@pytest.mark.parametrize("method", ["evaluate", "predict"])
@pytest.mark.parametrize("name", ["batch_size", "steps"])
def test_counts_in_evaluate_and_predict(name, method, value):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer"):
        getattr(model_of(), method)(X, verbose=0, **{name: value})


@pytest.mark.parametrize("value", [-1, 2.5, "3", None], ids=repr)
@pytest.mark.parametrize("name", ["epochs", "initial_epoch"])
def test_epochs(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be an integer of 0 or more, got {name}={value!r}"):
        model_of().fit(X, Y, verbose=0, **{name: value})


def test_no_epochs_are_allowed():
    assert model_of().fit(X, Y, epochs=0, verbose=0).history == {}
    assert model_of().fit(X, Y, epochs=2, initial_epoch=5, verbose=0).history == {}


@pytest.mark.parametrize("value", [1, 1.0, -0.1, 7, "half"], ids=repr)
def test_validation_split(value):
    with pytest.raises(ValueError, match=r"`validation_split` must be between 0 and 1, got .*range \[0, 1\)"):
        model_of().fit(X, Y, validation_split=value, verbose=0)


@pytest.mark.parametrize("value", [3, -1, "loud", None, 0.5], ids=repr)
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_verbose(method, value):
    data = (X,) if method == "predict" else (X, Y)
    with pytest.raises(
        ValueError, match=rf"`verbose` must be 0 \(silent\), 1 .*, 2 .* or 'auto', got {value!r}"
    ):
        getattr(model_of(), method)(*data, verbose=value)


@pytest.mark.parametrize("value", [0, -1, 1.5, "each"], ids=repr)
def test_validation_freq(value):
    with pytest.raises(ValueError, match="`validation_freq` must be a positive integer or a list of epochs"):
        model_of().fit(X, Y, validation_split=0.2, validation_freq=value, verbose=0)


EMPTY = {"arrays": (X[:0], Y[:0]), "list": ([], []), "dict": ({}, {})}


@pytest.mark.parametrize("kind", EMPTY)
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_empty_data(kind, method):
    x, y = EMPTY[kind]
    with pytest.raises(ValueError, match="The data is empty"):
        getattr(model_of(), method)(x, y, verbose=0)


@pytest.mark.parametrize("x", [[None], {"input_layer": None}, (None, [None])], ids=repr)
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_no_array_at_all(method, x):
    data = (x,) if method == "predict" else (x, Y)
    with pytest.raises(
        ValueError, match=r"`x` has no data: got .*None.* is not optional, but None was passed"
    ):
        getattr(model_of(), method)(*data, verbose=0)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_sources_without_batches(method):
    with pytest.raises(ValueError, match=r"gave no batch.*used up"):
        getattr(model_of(), method)(iter([]), verbose=0)


LENGTHS = {
    "targets": ((X, Y[:10]), {}, "'x' sizes: 50 'y' sizes: 10"),
    "weights": ((X, Y), {"sample_weight": np.ones(7)}, "'sample_weight' sizes: 7"),
    "split": ((X, Y[:10]), {"validation_split": 0.2}, "'x' sizes: 50 'y' sizes: 10"),
    "validation": ((X, Y), {"validation_data": (X, Y[:10])}, "'x' sizes: 50 'y' sizes: 10"),
}


@pytest.mark.parametrize("case", LENGTHS)
def test_lengths_that_differ(case):
    data, arguments, text = LENGTHS[case]
    with pytest.raises(ValueError, match=f"Data cardinality is ambiguous.*{text}"):
        model_of().fit(*data, verbose=0, **arguments)


def two_inputs():
    left, right = tkl.Input((2,), name="left"), tkl.Input((2,), name="right")
    model = tkl.Model([left, right], tkl.layers.Dense(1)(tkl.layers.Concatenate()([left, right])))
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_unknown_names_of_inputs(method):
    data = {"left": X[:, :2], "rihgt": X[:, 2:]}
    text = r"no input 'rihgt'; did you mean 'right'\? Its inputs are \['left', 'right'\]"
    with pytest.raises(ValueError, match=text):
        getattr(two_inputs(), method)(*((data,) if method == "predict" else (data, Y)), verbose=0)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_unknown_arguments(method):
    data = (X,) if method == "predict" else (X, Y)
    with pytest.raises(TypeError, match="unknown argument `batchsize`; did you mean 'batch_size'"):
        getattr(model_of(), method)(*data, batchsize=3)


WIDTHS = {
    "categorical_crossentropy": (3, "softmax", np.eye(4, dtype="float32")[LABELS]),
    "binary_crossentropy": (3, "sigmoid", np.eye(4, dtype="float32")[LABELS]),
    "mse": (3, None, np.ones((50, 2), "float32")),
    "sparse_categorical_crossentropy": (3, "softmax", np.eye(3, dtype="float32")[LABELS]),
}


@pytest.mark.parametrize("loss", WIDTHS)
def test_targets_of_the_wrong_width(loss):
    units, last, y = WIDTHS[loss]
    with pytest.raises(ValueError, match=r"shape \(32, \d\)"):
        model_of(units, loss, last).fit(X, y, verbose=0)


CLASS_WEIGHTS = {
    "no such class": ({7: 2.0}, r"weights for the classes \[7\], and the targets hold none of them"),
    "names": ({"cat": 2.0}, "must map class numbers from 0 to weights, got 'cat'"),
    "negative": ({-1: 2.0}, "must map class numbers from 0"),
    "a list": ([1.0, 2.0], "must be a dict of class numbers to weights"),
    "empty": ({}, "must be a dict of class numbers to weights"),
}


@pytest.mark.parametrize("case", CLASS_WEIGHTS)
def test_class_weight(case):
    class_weight, text = CLASS_WEIGHTS[case]
    model = model_of(3, "sparse_categorical_crossentropy", "softmax")
    with pytest.raises(ValueError, match=text):
        model.fit(X, LABELS, class_weight=class_weight, verbose=0)


def test_validation_data_of_four_parts():
    with pytest.raises(
        ValueError, match=r"`validation_data` must be `\(x, y\)`.* got a tuple of 4. Put several"
    ):
        model_of().fit(X, Y, validation_data=(X, X, Y, None), verbose=0)


def test_data_inside_of_structures_that_is_none():
    with pytest.raises(ValueError, match=r"found <object .* among the data"):
        model_of().fit([(object(), Y)].__iter__(), verbose=0)
