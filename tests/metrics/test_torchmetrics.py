"""Metrics of torchmetrics in `compile`, against the metrics themselves in a plain loop."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import torchkeras_lite as tkl
from torchkeras_lite.metrics import TorchMetric
from training.compiled_models import A, B, C, X, classifier, functional

torchmetrics = pytest.importorskip("torchmetrics")
RNG = np.random.default_rng(7)
BINARY = RNG.integers(0, 2, 12)
CLASSES = RNG.integers(0, 3, 12)
VALUES = RNG.standard_normal(12).astype("float32")
# The metric, units of the output, targets for Keras, what the metric itself is called with.
CASES = {
    "binary": (lambda: torchmetrics.Accuracy(task="binary"), 1, BINARY, lambda p: p[:, 0]),
    "binary floats": (
        lambda: torchmetrics.AUROC(task="binary"),
        1,
        BINARY[:, None].astype("float32"),
        lambda p: p[:, 0],
    ),
    "classes": (lambda: torchmetrics.Accuracy(task="multiclass", num_classes=3), 3, CLASSES, lambda p: p),
    "one-hot": (
        lambda: torchmetrics.F1Score(task="multiclass", num_classes=3, average="macro"),
        3,
        np.eye(3, dtype="float32")[CLASSES],
        lambda p: p,
    ),
    "several labels": (
        lambda: torchmetrics.F1Score(task="multilabel", num_labels=3),
        3,
        (A > 0).astype("float32"),
        lambda p: p,
    ),
    "values": (torchmetrics.MeanAbsoluteError, 1, VALUES, lambda p: p[:, 0]),
    "pearson": (torchmetrics.PearsonCorrCoef, 1, VALUES[:, None], lambda p: p[:, 0]),
    "matrix": (
        lambda: torchmetrics.ConfusionMatrix(task="multiclass", num_classes=3),
        3,
        CLASSES,
        lambda p: p,
    ),
}
TARGETS = {"one-hot": CLASSES, "several labels": (A > 0).astype("int64")}


@pytest.mark.parametrize("name", list(CASES))
def test_values_over_an_epoch(name):
    make, units, y, form = CASES[name]
    model = classifier(units, "sigmoid" if units == 1 else "softmax")
    loss = "binary_crossentropy" if y.ndim == 2 or units == 1 else "sparse_categorical_crossentropy"
    loss = "mse" if make in (torchmetrics.MeanAbsoluteError, torchmetrics.PearsonCorrCoef) else loss
    metric = make()
    model.compile("sgd", loss, metrics=[metric])
    for _ in range(2):  # the second time starts anew
        found = model.evaluate(X, y, batch_size=5, verbose=0, return_dict=True)
    plain = make()
    target = TARGETS.get(name, y)
    target = target[:, 0] if target.ndim == 2 and target.shape[1] == 1 else target
    if target.dtype == "float32" and loss != "mse":
        target = target.astype("int64")
    plain.update(form(torch.tensor(model.predict(X, verbose=0))), torch.tensor(target))
    (key,) = set(found) - {"loss"}
    assert key == TorchMetric(plain).name
    np.testing.assert_allclose(found[key], plain.compute().numpy(), rtol=1e-5)
    torch.testing.assert_close(metric.compute(), plain.compute())


def test_history_has_values_of_training_and_validation():
    model = classifier(1, "sigmoid")
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy", torchmetrics.Accuracy(task="binary")])
    history = model.fit(X, BINARY, batch_size=5, epochs=3, verbose=0, validation_data=(X, BINARY)).history
    assert history["binary_accuracy"] == pytest.approx(history["accuracy"])
    assert history["val_binary_accuracy"] == pytest.approx(history["val_accuracy"])


def test_steps_of_sequences_and_masks():
    ids = torch.tensor([[1, 2, 0, 0], [3, 1, 1, 0]])
    y = torch.tensor([[0, 1, 2, 2], [2, 1, 0, 0]])
    model = tkl.Sequential(
        [tkl.Input((4,)), tkl.layers.Embedding(5, 3, mask_zero=True), tkl.layers.Dense(3, "softmax")]
    )
    metric = torchmetrics.Accuracy(task="multiclass", num_classes=3, average="micro")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[metric, "accuracy"])
    found = model.evaluate(ids, y, verbose=0, return_dict=True)
    assert found["multiclass_accuracy"] == pytest.approx(found["accuracy"])
    unmasked = TorchMetric(metric)
    unmasked.reset_state()
    predicted = torch.softmax(torch.randn(2, 4, 3), -1)
    unmasked.update_state(y, predicted)
    assert float(unmasked.result()) == pytest.approx(float((predicted.argmax(-1) == y).float().mean()))


def test_collections_name_their_members():
    members = [
        torchmetrics.Accuracy(task="binary"),
        torchmetrics.AUROC(task="binary"),
        torchmetrics.MeanSquaredError(),
    ]
    collection = torchmetrics.MetricCollection(members, prefix="tm/")
    model = classifier(1, "sigmoid")
    model.compile("sgd", "binary_crossentropy", metrics=[collection])
    found = model.fit(X, BINARY, verbose=0).history
    assert set(found) == {"loss", "tm/BinaryAccuracy", "tm/BinaryAUROC", "tm/MeanSquaredError"}


def test_outputs_put_their_names_before():
    model = functional(tkl, "list of three")
    binary = torchmetrics.MetricCollection({"error": torchmetrics.MeanSquaredError()})
    model.compile(
        "sgd",
        ["mse", "mse", "sparse_categorical_crossentropy"],
        metrics=[[torchmetrics.MeanSquaredError()], binary, []],
    )
    found = model.fit(X, [A, B, C], verbose=0).history
    assert found["a_mean_squared_error"] == pytest.approx(found["a_loss"], rel=1e-5)
    assert found["b_error"] == pytest.approx(found["b_loss"], rel=1e-5)


def test_weights_are_refused():
    model = classifier(1, "sigmoid")
    model.compile("sgd", "mse", weighted_metrics=[torchmetrics.MeanSquaredError()])
    model.evaluate(X, B, verbose=0)
    with pytest.raises(
        ValueError, match="mean_squared_error: metrics of torchmetrics take no sample weights"
    ):
        model.evaluate(X, B, sample_weight=np.ones(12), verbose=0)
    with pytest.raises(TypeError, match="cannot be written into a config"):
        TorchMetric(torchmetrics.MeanSquaredError()).get_config()


class CountChecks(TorchDispatchMode):
    """Counts the searches for unexpected values, which wait for the device."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function is torch.ops.aten._unique2.default
        return function(*args, **(kwargs or {}))


def test_values_are_checked_in_the_first_batch_alone():
    metric = TorchMetric(torchmetrics.Accuracy(task="binary"))
    y, y_pred, counts = torch.tensor(BINARY), torch.rand(12, 1), []
    for _ in range(3):
        with CountChecks() as checks:
            metric.update_state(y, y_pred)
        counts.append(checks.count)
    assert counts == [1, 0, 0]
    metric.reset_state()
    with pytest.raises(RuntimeError, match="Detected the following values"):
        metric.update_state(y + 5, y_pred)
    assert float(TorchMetric(torchmetrics.MeanSquaredError()).result()) == 0


def test_a_metric_written_by_hand_counts_as_one():
    class Largest(nn.Module):
        def reset(self):
            self.value = torch.zeros(())

        def update(self, preds, target):
            self.value = torch.maximum(self.value, (preds - target).abs().max())

        def compute(self):
            return self.value

    metric = Largest()
    metric.reset()
    model = classifier(1, None)
    model.compile("sgd", "mse", metrics=[metric])
    found = model.evaluate(X, VALUES, verbose=0, return_dict=True)
    assert found["largest"] == pytest.approx(
        np.abs(model.predict(X, verbose=0)[:, 0] - VALUES).max(), rel=1e-5
    )
