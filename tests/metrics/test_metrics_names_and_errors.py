"""Names that `get` and `resolve` take, and what wrong calls are told."""

import functools

import keras
import numpy as np
import pytest
import torch

from torchkeras_lite import losses, metrics

KERAS_NAMES = sorted(keras.src.metrics.ALL_OBJECTS_DICT)
NEEDS_ARGUMENTS = {
    "IoU",
    "MeanIoU",
    "MeanMetricWrapper",
    "OneHotIoU",
    "OneHotMeanIoU",
    "PrecisionAtRecall",
    "RecallAtPrecision",
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
}


@pytest.mark.parametrize("name", KERAS_NAMES)
def test_get_knows_every_name_keras_knows(name):
    expected = keras.src.metrics.ALL_OBJECTS_DICT[name].__name__
    if expected in NEEDS_ARGUMENTS:
        with pytest.raises(TypeError, match=r"missing .* required positional argument"):
            metrics.get(name)
    else:
        assert type(metrics.get(name)).__name__ == expected


def test_get_takes_more_than_names():
    metric = metrics.Mean()
    function = lambda y_true, y_pred: y_pred
    assert metrics.get(metric) is metric
    assert metrics.get(function) is function
    assert metrics.get(None) is None
    assert isinstance(metrics.get(metrics.AUC), metrics.AUC)
    assert metrics.get(metrics.serialize(metrics.BinaryAccuracy(threshold=0.3))).threshold == 0.3
    assert isinstance(metrics.deserialize("mse"), metrics.MeanSquaredError)
    assert metrics.get("huber") is metrics.huber


@pytest.mark.parametrize("name", ["acuracy", "AUROC", "mean_sqared_error"])
def test_unknown_names(name):
    with pytest.raises(ValueError, match=rf"Could not interpret metric identifier: '{name}'.*did you mean"):
        metrics.get(name)
    with pytest.raises(ValueError, match="Could not interpret metric identifier: 3"):
        metrics.get(3)


SHAPES = [
    ((8, 1), (8, 1), 0),
    ((8,), (8, 1), 0),
    ((8,), (8, 3), 1),
    ((8, 1), (8, 3), 1),
    ((8, 3), (8, 3), 2),
    ((8, 5), (8, 5, 3), 1),
    ((8, 5, 1), (8, 5, 3), 1),
    ((8, 5, 3), (8, 5, 3), 2),
    ((8, 5, 1), (8, 5, 1), 0),
]


@pytest.mark.parametrize(("true_shape", "pred_shape", "index"), SHAPES)
@pytest.mark.parametrize("name", ["accuracy", "acc", "Accuracy", "crossentropy", "ce"])
def test_names_resolved_from_shapes(name, true_shape, pred_shape, index):
    y_true, y_pred = torch.ones(true_shape), torch.ones(pred_shape)
    metric = metrics.resolve(name, y_true, y_pred)
    kind = "Accuracy" if name.lower().startswith("acc") else "Crossentropy"
    assert type(metric).__name__ == ("Binary", "SparseCategorical", "Categorical")[index] + kind
    assert metric.name == name
    if kind == "Accuracy":
        theirs = keras.src.trainers.compile_utils.get_metric(name, y_true, y_pred)
        assert type(theirs).__name__ == type(metric).__name__


def my_distance(y_true, y_pred):
    return (y_true - y_pred).abs()


class CallableObject:
    def __call__(self, y_true, y_pred):
        return y_true


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("mse", "mse"),
        ("MAE", "MAE"),
        ("AUC", "AUC"),
        ("top_k_categorical_accuracy", "top_k_categorical_accuracy"),
        ("huber", "huber"),
        (my_distance, "my_distance"),
        (lambda y_true, y_pred: y_true, "lambda"),
        (functools.partial(my_distance), "partial"),
        (CallableObject(), "callable_object"),
        (losses.mean_absolute_error, "mean_absolute_error"),
        (losses.Huber(name="my_huber"), "my_huber"),
        (metrics.Mean(name="given"), "given"),
        (metrics.AUC, "auc"),
        (metrics.serialize(metrics.AUC(name="area")), "area"),
    ],
)
def test_resolved_metrics_have_the_name_that_was_typed(identifier, name):
    metric = metrics.resolve(identifier, torch.ones(8, 3), torch.ones(8, 3))
    assert isinstance(metric, metrics.Metric)
    assert metric.name == name
    if isinstance(identifier, metrics.Metric):
        assert metric is identifier


def test_a_function_and_a_loss_become_means(rng):
    y_true, y_pred = (torch.tensor(rng.normal(size=(6, 3)).astype("float32")) for _ in range(2))
    for function in (my_distance, losses.mean_squared_error, losses.MeanSquaredError()):
        metric = metrics.resolve(function, y_true, y_pred)
        torch.testing.assert_close(metric(y_true, y_pred), function(y_true, y_pred).mean())


def test_resolve_refuses_none():
    with pytest.raises(ValueError, match=r"Expected a metric, got None\. Pass"):
        metrics.resolve(None, torch.ones(2), torch.ones(2))


CONSTRUCTORS = [
    (
        lambda: metrics.FalsePositives(thresholds=[-1, 0.5, 2]),
        r"must be in \[0, 1\]. Received: \[-1, 2\]. Pass",
    ),
    (lambda: metrics.Precision(thresholds=1.5), r"must be in \[0, 1\]. Received: \[1.5\]"),
    (lambda: metrics.AUC(num_thresholds=1), "`num_thresholds` must be an integer > 1. .*num_thresholds=1"),
    (lambda: metrics.AUC(curve="RC"), 'Invalid AUC curve value: "RC". Expected one of ROC, PR, PRGAIN'),
    (lambda: metrics.AUC(summation_method="x"), 'Invalid AUC summation method value: "x". Expected one of'),
    (lambda: metrics.AUC(num_labels=3), "`num_labels` is needed only when `multi_label` is True. Got"),
    (lambda: metrics.PrecisionAtRecall(-1), r"`recall` must be in the range \[0, 1\]. Received: recall=-1"),
    (lambda: metrics.SensitivityAtSpecificity(2), r"`specificity` must be in the range \[0, 1\]"),
    (lambda: metrics.RecallAtPrecision(0.5, num_thresholds=0), "`num_thresholds` must be an integer > 0"),
    (lambda: metrics.FBetaScore(average="x"), "Invalid `average` argument value.*average=x"),
    (lambda: metrics.FBetaScore(beta=1), "`beta`.*should be a Python float. Received: beta=1 of type"),
    (lambda: metrics.F1Score(threshold=0.0), "0 < threshold <= 1. Received: threshold=0.0"),
    (lambda: metrics.IoU(2, [2]), r"Target class id 2 is out of range, which is \[0, 2\). Pass"),
    (lambda: metrics.R2Score(class_aggregation="x"), "Invalid value for argument `class_aggregation`"),
    (lambda: metrics.R2Score(num_regressors=-1), "Invalid value for argument `num_regressors`"),
    (lambda: metrics.Mean(dtype="float33"), "Invalid dtype: 'float33'"),
]


@pytest.mark.parametrize(("make", "message"), CONSTRUCTORS, ids=[case[1] for case in CONSTRUCTORS])
def test_constructors_say_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()


CALLS = [
    (
        "BinaryAccuracy",
        (4, 2),
        (4, 3),
        None,
        r"y_true.shape=\(4, 2\) and y_pred.shape=\(4, 3\). Pass one target",
    ),
    ("SparseCategoricalAccuracy", (5,), (4, 3), None, r"y_true.shape=\(5,\) and y_pred.shape=\(4,\)"),
    ("Precision", (4, 2), (4, 3), None, r"Precision 'precision': .*\(4, 2\).*\(4, 3\). Pass one label"),
    (
        "Precision",
        (4, 3),
        (4, 3),
        (2,),
        r"`sample_weight` of shape \(2, 1\) does not fit .*\(4, 3\). Pass one",
    ),
    ("Mean", (4, 3), (3,), None, r"Mean 'mean': `sample_weight` of shape \(3,\) does not fit .*\(4,\)"),
    ("AUC", (4, 3), (4, 2), None, r"AUC 'auc': expected `y_true` and `y_pred` of one shape"),
    ("FBetaScore", (4, 2, 3), (4, 2, 3), None, r"expects 2D inputs with shape.*y_pred.shape=\(4, 2, 3\)"),
    ("R2Score", (4,), (4,), None, r"R2Score expects 2D inputs with shape.*y_pred.shape=\(4,\)"),
    ("MeanSquaredError", (4, 2), (4, 3), None, r"\(4, 2\).*\(4, 3\)"),
]


@pytest.mark.parametrize(("name", "first", "second", "weight", "message"), CALLS, ids=[c[4] for c in CALLS])
def test_updates_say_what_is_wrong(name, first, second, weight, message):
    metric = getattr(metrics, name)()
    arguments = [np.ones(shape, "float32") for shape in (first, second, weight) if shape is not None]
    with pytest.raises(ValueError, match=message):
        metric.update_state(*arguments)


def test_more_updates_that_are_refused():
    with pytest.raises(
        ValueError, match=r"class_id is provided, y_pred must be a 2D array.*Leave out class_id"
    ):
        metrics.Recall(class_id=0)([1, 0], [0.2, 0.8])
    with pytest.raises(ValueError, match=r"must have rank 2 when `multi_label=True`. Found rank 1.*\(4,\)"):
        metrics.AUC(multi_label=True)(np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match="as many labels as predictions, got 3 labels and 4 predictions"):
        metrics.MeanIoU(2)([0, 1, 1], [0, 1, 1, 0])
    y_pred = torch.ones(4, 3)
    y_pred._keras_mask = torch.ones(4, 3, dtype=torch.bool)
    with pytest.raises(
        ValueError, match=r"shape \(4,\) does not fit the mask of the predictions.*\(4, 3\). Pass"
    ):
        metrics.BinaryAccuracy()(torch.ones(4, 3), y_pred, torch.ones(4))


def test_warnings():
    with pytest.warns(UserWarning, match=r"weight as `float`, but dtype is `int`.*Pass dtype='float32'"):
        metrics.MeanIoU(2)([0, 1], [0, 1], np.array([0.5, 1.0]))
    metric = metrics.R2Score(num_regressors=10)
    metric.update_state([[0.0], [1.0]], [[0.0], [1.0]])
    with pytest.warns(UserWarning, match=r"more independent variables than samples.*Add data"):
        assert float(metric.result()) == 1.0


def test_before_the_first_batch_results_are_zero():
    for name in metrics.__all__:
        kind = getattr(metrics, name)
        if isinstance(kind, type) and name not in NEEDS_ARGUMENTS | {"EpochMetric", "Metric", "TorchMetric"}:
            assert float(kind().result()) == 0.0, name


@pytest.mark.parametrize("name", ["MeanSquaredError", "BinaryCrossentropy", "mean_squared_error"])
@pytest.mark.parametrize("room", ["losses", "metrics"])
def test_a_config_without_a_module_is_looked_up_in_its_room(room, name):
    config = {"class_name": name, "config": {}}
    theirs = getattr(keras, room).get(dict(config))
    ours = {"losses": losses, "metrics": metrics}[room].get(config)
    assert isinstance(ours, metrics.Metric) == isinstance(theirs, keras.metrics.Metric)
    assert (type(ours).__name__, getattr(ours, "name", None)) == (
        type(theirs).__name__,
        getattr(theirs, "name", None),
    )
