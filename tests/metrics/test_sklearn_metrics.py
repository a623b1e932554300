"""Functions of scikit-learn in `compile`, against the same functions on all predictions."""

import functools

import numpy as np
import pytest
import sklearn.metrics as sk
import torch

import torchkeras_lite as tkl
from torchkeras_lite import callbacks
from torchkeras_lite.metrics import EpochMetric
from training.compiled_models import A, B, X, classifier, functional

RNG = np.random.default_rng(7)
BINARY = RNG.integers(0, 2, 12)
CLASSES = np.arange(12) % 3
ONE_HOT = np.eye(3, dtype="float32")[CLASSES]
LABELS = (A > 0).astype("float32")
VALUES = RNG.standard_normal((12, 1)).astype("float32")


def rows(p):
    p = p.astype("float64")
    return p / p.sum(-1, keepdims=True)


# Function, units and activation of the output, targets, what the function is called with by hand.
CASES = {
    "accuracy, binary": (sk.accuracy_score, 1, "sigmoid", BINARY, lambda p: (BINARY, p[:, 0] > 0.5)),
    "accuracy, classes": (sk.accuracy_score, 3, "softmax", CLASSES, lambda p: (CLASSES, p.argmax(1))),
    "accuracy, one-hot": (sk.accuracy_score, 3, "softmax", ONE_HOT, lambda p: (CLASSES, p.argmax(1))),
    "f1, binary floats": (
        sk.f1_score,
        1,
        "sigmoid",
        BINARY[:, None].astype("float32"),
        lambda p: (BINARY, p[:, 0] > 0.5),
    ),
    "f1, two columns": (sk.f1_score, 2, "softmax", BINARY, lambda p: (BINARY, p.argmax(1))),
    "f1, macro": (
        functools.partial(sk.f1_score, average="macro"),
        3,
        "softmax",
        CLASSES,
        lambda p: (CLASSES, p.argmax(1)),
    ),
    "f1, several labels": (
        functools.partial(sk.f1_score, average="samples", zero_division=0),
        3,
        "sigmoid",
        LABELS,
        lambda p: (LABELS.astype(int), (p > 0.5).astype(int)),
    ),
    "f1, each": (
        functools.partial(sk.f1_score, average=None),
        3,
        "softmax",
        CLASSES,
        lambda p: (CLASSES, p.argmax(1)),
    ),
    "kappa": (sk.cohen_kappa_score, 3, "softmax", CLASSES, lambda p: (CLASSES, p.argmax(1))),
    "clusters": (sk.adjusted_rand_score, 3, "softmax", CLASSES, lambda p: (CLASSES, p.argmax(1))),
    "matrix": (sk.confusion_matrix, 3, "softmax", CLASSES, lambda p: (CLASSES, p.argmax(1))),
    "auc, binary": (sk.roc_auc_score, 1, "sigmoid", BINARY, lambda p: (BINARY, p[:, 0])),
    "auc, two columns": (sk.roc_auc_score, 2, "softmax", BINARY, lambda p: (BINARY, p[:, 1])),
    "auc, classes": (
        functools.partial(sk.roc_auc_score, multi_class="ovr"),
        3,
        "softmax",
        ONE_HOT,
        lambda p: (CLASSES, rows(p)),
    ),
    "auc, several labels": (sk.roc_auc_score, 3, "sigmoid", LABELS, lambda p: (LABELS, p)),
    "top k": (sk.top_k_accuracy_score, 3, "softmax", CLASSES, lambda p: (CLASSES, p)),
    "log loss": (sk.log_loss, 3, "softmax", CLASSES, lambda p: (CLASSES, rows(p))),
    "log loss, binary": (sk.log_loss, 1, "sigmoid", BINARY, lambda p: (BINARY, p[:, 0].astype("float64"))),
    "brier": (sk.brier_score_loss, 1, "sigmoid", BINARY, lambda p: (BINARY, p[:, 0])),
    "ranking": (sk.ndcg_score, 3, "sigmoid", np.abs(A), lambda p: (np.abs(A), p)),
    "r2": (sk.r2_score, 1, None, VALUES, lambda p: (VALUES, p)),
    "r2, flat targets": (sk.r2_score, 1, None, VALUES[:, 0], lambda p: (VALUES, p)),
    "mae, several": (sk.mean_absolute_error, 3, None, A, lambda p: (A, p)),
}


def loss_of(units, activation, y):
    if activation is None:
        return "mse"
    sparse = units > 1 and y.ndim == 1
    return "sparse_categorical_crossentropy" if sparse else "binary_crossentropy"


@pytest.mark.parametrize("name", list(CASES))
def test_values_over_an_epoch(name):
    function, units, activation, y, by_hand = CASES[name]
    model = classifier(units, activation)
    model.compile("sgd", loss_of(units, activation, y), metrics=[function])
    for _ in range(2):  # the second time starts anew
        found = model.evaluate(X, y, batch_size=5, verbose=0, return_dict=True)
    expected = function(*by_hand(model.predict(X, verbose=0)))
    np.testing.assert_allclose(found[EpochMetric(function).name], expected, rtol=1e-5)


@pytest.mark.parametrize(
    "function", [sk.accuracy_score, sk.roc_auc_score, sk.log_loss], ids=lambda f: f.__name__
)
def test_sample_weights(function):
    weights = RNG.random(12).astype("float32")
    model = classifier(1, "sigmoid")
    model.compile("sgd", "binary_crossentropy", metrics=[function], weighted_metrics=[function])
    found = model.evaluate(X, BINARY, sample_weight=weights, batch_size=5, verbose=0, return_dict=True)
    p = model.predict(X, verbose=0)[:, 0].astype("float64")
    p = p > 0.5 if function is sk.accuracy_score else p
    assert found[function.__name__] == pytest.approx(function(BINARY, p), rel=1e-5)
    weighted = function(BINARY, p, sample_weight=weights)
    assert found[f"weighted_{function.__name__}"] == pytest.approx(weighted, rel=1e-5)


def test_sequences_are_rows_and_masked_steps_are_left_out():
    ids = np.array([[1, 2, 0, 0], [3, 1, 1, 0], [2, 2, 2, 2]])
    y = np.array([[0, 1, 2, 2], [2, 1, 0, 0], [0, 0, 1, 1]])
    weights = np.array([1.0, 2.0, 0.5], "float32")
    model = tkl.Sequential(
        [tkl.Input((4,)), tkl.layers.Embedding(5, 3, mask_zero=True), tkl.layers.Dense(3, "softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[sk.accuracy_score])
    found = model.evaluate(ids, y, batch_size=2, verbose=0, return_dict=True)["accuracy_score"]
    keep, p = ids != 0, model.predict(ids, verbose=0).argmax(-1)
    assert found == pytest.approx(sk.accuracy_score(y[keep], p[keep]))
    metric = EpochMetric(sk.accuracy_score)
    scores = torch.softmax(torch.randn(3, 4, 3), -1)
    metric.update_state(torch.tensor(y), scores, torch.tensor(weights))
    expected = sk.accuracy_score(
        y.ravel(), scores.argmax(-1).numpy().ravel(), sample_weight=np.repeat(weights, 4)
    )
    assert float(metric.result()) == pytest.approx(expected)


def test_it_is_computed_once_an_epoch_and_left_out_of_running_logs():
    calls, running = [], []

    def accuracy_score(y_true, y_pred, sample_weight=None):
        calls.append(len(y_true))
        return sk.accuracy_score(y_true, y_pred)

    accuracy_score.__module__ = sk.accuracy_score.__module__
    watch = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: running.append(sorted(logs)))
    model = classifier(1, "sigmoid")
    model.compile("sgd", "binary_crossentropy", metrics=[accuracy_score, "accuracy"])
    data = dict(batch_size=5, epochs=2, verbose=0, validation_data=(X, BINARY), callbacks=[watch])
    history = model.fit(X, BINARY, **data).history
    assert calls == [12, 12, 12, 12]
    assert running == [["accuracy", "loss"]] * 6
    assert history["accuracy_score"] == pytest.approx(history["accuracy"])
    assert history["val_accuracy_score"] == pytest.approx(history["val_accuracy"])


def test_a_custom_step_that_returns_all_results_does_not_compute_it():
    class Own(tkl.Model):
        def __init__(self):
            super().__init__()
            self.dense = tkl.layers.Dense(1, activation="sigmoid")

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            self.calls = getattr(self, "calls", 0) + 1
            return super().train_step(data)

    model = Own()
    model.compile("sgd", "binary_crossentropy", metrics=[sk.roc_auc_score])
    history = model.fit(X, BINARY, batch_size=5, verbose=0).history
    assert 0 <= history["roc_auc_score"][0] <= 1
    model.reset_metrics()
    model.compute_metrics(None, torch.tensor(BINARY), torch.linspace(0, 1, 12)[:, None])
    value = model.get_metrics_result()["roc_auc_score"]
    expected = sk.roc_auc_score(BINARY, np.linspace(0, 1, 12))
    assert float(value) == value.item() == float(value.numpy()) == pytest.approx(expected)
    assert f"{value:.2f}" == f"{expected:.2f}"


def test_outputs_put_their_names_before():
    model = functional(tkl, "list")
    model.compile("sgd", "mse", metrics=[[sk.r2_score], [sk.mean_absolute_error]])
    assert {"a_r2_score", "b_mean_absolute_error"} <= set(model.fit(X, [A, B], verbose=0).history)


def test_what_does_not_fit_is_told():
    def evaluated(function, y, units=1, weighted=False):
        model = classifier(units, "sigmoid")
        place = "weighted_metrics" if weighted else "metrics"
        model.compile("sgd", "mse", **{place: [function]})
        return model.evaluate(X, y, sample_weight=np.ones(12) if weighted else None, verbose=0)

    with pytest.raises(ValueError, match="f1_score compares labels, and the targets are no whole numbers"):
        evaluated(sk.f1_score, VALUES)
    with pytest.raises(ValueError, match=r"f1_score: .*multiclass.* Pass its options by functools.partial"):
        evaluated(sk.f1_score, CLASSES[:, None].astype("float32"))
    with pytest.raises(ValueError, match="roc_curve returns a tuple, and a metric must return a number"):
        evaluated(sk.roc_curve, BINARY)
    for function in (sk.auc, sk.silhouette_score, sk.make_scorer):
        with pytest.raises(ValueError, match=f"{function.__name__} of scikit-learn does not compare targets"):
            evaluated(function, BINARY)
    with pytest.raises(ValueError, match="adjusted_rand_score takes no sample weights"):
        evaluated(sk.adjusted_rand_score, BINARY, weighted=True)
    with pytest.raises(TypeError, match="cannot be written into a config"):
        EpochMetric(sk.f1_score).get_config()
