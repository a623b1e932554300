"""Every metric against real Keras: several batches, weights, masks, thresholds; values, dtypes, state,
config."""

import keras
import numpy as np
import pytest
import torch

from torchkeras_lite import metrics

BATCHES = 3


def binary(shape):
    return lambda rng: (rng.integers(0, 2, shape), rng.random(shape).astype("float32"))


def one_hot(*shape):
    def make(rng):
        labels = np.eye(shape[-1], dtype="float32")[rng.integers(0, shape[-1], shape[:-1])]
        return labels, probabilities(rng, shape)

    return make


def sparse(*shape, column=False):
    def make(rng):
        labels = rng.integers(0, shape[-1], shape[:-1])
        return labels[..., None] if column else labels, probabilities(rng, shape)

    return make


def probabilities(rng, shape):
    scores = rng.random(shape).astype("float32") + 0.01
    return scores / scores.sum(-1, keepdims=True)


def real(*shape):
    return lambda rng: (rng.normal(size=shape).astype("float32"), rng.normal(size=shape).astype("float32"))


def positive(*shape):
    return lambda rng: (rng.random(shape).astype("float32"), rng.random(shape).astype("float32"))


def classes(*shape, num=3):
    return lambda rng: (rng.integers(0, num, shape), rng.integers(0, num, shape))


def logits(*shape):
    return lambda rng: (rng.integers(0, 2, shape), 2 * rng.normal(size=shape).astype("float32"))


def sorted_ids(rng):
    return rng.integers(0, 9, (6,)), np.stack([rng.permutation(9) for _ in range(6)])


def ranks_differ(rng):
    return rng.integers(0, 2, (6,)), rng.random((6, 1)).astype("float32")


def extremes(rng):
    """Predictions on and beyond the ends and on the thresholds themselves."""
    values = np.array([-0.5, 0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5], "float32")
    return rng.integers(0, 2, (12,)), rng.choice(values, 12)


VECTOR = (None, (6,))
MATRIX = (None, (6,), (6, 1), (6, 4))
STEPS = (None, (6,), (6, 1), (6, 5), (6, 5, 1))

# name, constructor's arguments, data, shapes of sample_weight
CASES = [
    ("Accuracy", {}, classes(6), VECTOR),
    ("Accuracy", {}, classes(6, 4), MATRIX),
    ("BinaryAccuracy", {}, binary((6, 1)), (None, (6,), (6, 1))),
    ("BinaryAccuracy", {"threshold": 0.7}, binary((6, 4)), MATRIX),
    ("BinaryAccuracy", {}, ranks_differ, (None, (6,), (6, 1))),
    ("BinaryAccuracy", {"dtype": "float64"}, extremes, (None,)),
    ("CategoricalAccuracy", {}, one_hot(6, 4), VECTOR),
    ("CategoricalAccuracy", {}, one_hot(6, 5, 4), STEPS),
    ("SparseCategoricalAccuracy", {}, sparse(6, 4), VECTOR),
    ("SparseCategoricalAccuracy", {}, sparse(6, 4, column=True), (None, (6,), (6, 1))),
    ("SparseCategoricalAccuracy", {}, sparse(6, 5, 4), STEPS),
    ("SparseCategoricalAccuracy", {}, sparse(6, 5, 4, column=True), STEPS),
    ("TopKCategoricalAccuracy", {"k": 2}, one_hot(6, 4), VECTOR),
    ("TopKCategoricalAccuracy", {"k": 3}, one_hot(6, 5, 4), STEPS),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, sparse(6, 4), VECTOR),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, sparse(6, 5, 4), STEPS),
    ("SparseTopKCategoricalAccuracy", {"k": 4, "from_sorted_ids": True}, sorted_ids, VECTOR),
    ("MeanSquaredError", {}, real(6, 4), (None, (6,), (6, 1))),
    ("MeanSquaredError", {}, real(6), (None,)),
    ("MeanSquaredError", {}, real(6, 5, 4), STEPS),
    ("MeanSquaredError", {"dtype": "float64"}, real(6, 4), VECTOR),
    ("MeanAbsoluteError", {}, real(6, 5, 4), STEPS),
    ("MeanAbsolutePercentageError", {}, real(6, 4), VECTOR),
    ("MeanSquaredLogarithmicError", {}, positive(6, 4), VECTOR),
    ("LogCoshError", {}, real(6, 4), VECTOR),
    ("CosineSimilarity", {}, real(6, 4), VECTOR),
    ("CosineSimilarity", {"axis": 1}, real(6, 5, 4), (None, (6,), (6, 4))),
    ("RootMeanSquaredError", {}, real(6, 4), MATRIX),
    ("RootMeanSquaredError", {}, real(6), VECTOR),
    ("RootMeanSquaredError", {}, ranks_differ, (None, (6,))),
    ("R2Score", {}, real(6, 4), MATRIX),
    ("R2Score", {}, real(6, 1), VECTOR),
    ("R2Score", {"class_aggregation": None}, real(6, 4), VECTOR),
    ("R2Score", {"class_aggregation": "variance_weighted_average"}, real(6, 4), VECTOR),
    ("R2Score", {"num_regressors": 3}, real(6, 4), VECTOR),
    ("Hinge", {}, logits(6, 4), VECTOR),
    ("SquaredHinge", {}, logits(6, 4), VECTOR),
    ("CategoricalHinge", {}, one_hot(6, 4), VECTOR),
    ("KLDivergence", {}, one_hot(6, 4), VECTOR),
    ("Poisson", {}, positive(6, 4), VECTOR),
    ("BinaryCrossentropy", {}, binary((6, 1)), (None, (6,), (6, 1))),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, logits(6, 4), VECTOR),
    ("CategoricalCrossentropy", {}, one_hot(6, 4), VECTOR),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, one_hot(6, 5, 4), STEPS),
    ("CategoricalCrossentropy", {"axis": 1}, one_hot(6, 4), VECTOR),
    ("SparseCategoricalCrossentropy", {}, sparse(6, 4), VECTOR),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, sparse(6, 5, 4), STEPS),
    ("SparseCategoricalCrossentropy", {"ignore_class": 0}, sparse(6, 4), VECTOR),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, sparse(6, 5, 4), (None, (6, 5), (6, 5, 1))),
    ("PearsonCorrelation", {}, real(6, 4), VECTOR),
    ("PearsonCorrelation", {"axis": 1}, real(6, 5, 4), (None, (6,), (6, 4))),
    ("ConcordanceCorrelation", {}, real(6, 4), VECTOR),
    ("ConcordanceCorrelation", {"axis": 0}, real(6, 4), (None, (4,))),
    *[(name, {}, binary((6, 4)), MATRIX) for name in ("TruePositives", "FalsePositives")],
    *[(name, {}, ranks_differ, VECTOR) for name in ("TrueNegatives", "FalseNegatives")],
    *[
        (name, {"thresholds": [0.1, 0.4, 0.8]}, binary((6, 4)), MATRIX)
        for name in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives")
    ],
    *[
        (name, {"thresholds": [0.0, 0.5, 1.0]}, extremes, (None, (12,)))
        for name in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives")
    ],
    *[
        (name, args, data, weights)
        for name in ("Precision", "Recall")
        for args, data, weights in [
            ({}, binary((6,)), VECTOR),
            ({}, ranks_differ, VECTOR),
            ({}, binary((6, 5, 4)), STEPS[:1] + ((6, 5), (6, 5, 1), (6, 5, 4))),
            ({"thresholds": 0.3}, binary((6, 4)), MATRIX),
            ({"thresholds": [0.2, 0.6]}, extremes, (None, (12,))),
            ({"top_k": 2}, one_hot(6, 4), MATRIX),
            ({"top_k": 2, "thresholds": 0.3}, one_hot(6, 4), VECTOR),
            ({"class_id": 1}, binary((6, 4)), (None, (6,), (6, 1))),
            ({"class_id": 1, "top_k": 2}, one_hot(6, 5, 4), (None, (6, 5))),
        ]
    ],
    *[
        (name, {first: value, **args}, data, weights)
        for name, first in [
            ("SensitivityAtSpecificity", "specificity"),
            ("SpecificityAtSensitivity", "sensitivity"),
            ("PrecisionAtRecall", "recall"),
            ("RecallAtPrecision", "precision"),
        ]
        for value, args, data, weights in [
            (0.5, {}, binary((6, 4)), MATRIX),
            (0.3, {"num_thresholds": 1}, binary((6,)), VECTOR),
            (0.6, {"num_thresholds": 7, "class_id": 2}, binary((6, 4)), VECTOR),
            (0.4, {"num_thresholds": 5}, extremes, (None, (12,))),
        ]
    ],
    *[
        ("AUC", {"curve": curve, "summation_method": method, **args}, data, weights)
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "minoring", "majoring")
        for args, data, weights in [
            ({}, binary((6, 4)), MATRIX),
            ({"num_thresholds": 5}, extremes, (None, (12,))),
            ({"thresholds": [0.7, 0.2, 0.45]}, binary((6,)), VECTOR),
            ({"multi_label": True}, binary((6, 4)), (None, (6,), (6, 1))),
        ]
    ],
    ("AUC", {"from_logits": True}, logits(6, 1), (None, (6,))),
    ("AUC", {"num_thresholds": 2}, extremes, (None,)),
    ("AUC", {"thresholds": [0.25, 0.5, 0.75]}, extremes, (None, (12,))),
    ("AUC", {"label_weights": [1.0, 0.5, 0.0, 2.0]}, binary((6, 4)), VECTOR),
    (
        "AUC",
        {"label_weights": [1.0, 0.5, 0.0, 2.0], "multi_label": True, "num_labels": 4},
        binary((6, 4)),
        VECTOR,
    ),
    ("AUC", {"multi_label": True, "thresholds": [0.3, 0.4]}, binary((6, 4)), (None, (6,))),
    *[("FBetaScore", {"average": a, "beta": 2.0}, one_hot(6, 4), VECTOR) for a in (None, "micro", "macro")],
    ("FBetaScore", {"average": "weighted", "beta": 0.5, "threshold": 0.3}, one_hot(6, 4), VECTOR),
    ("F1Score", {}, one_hot(6, 4), VECTOR),
    ("F1Score", {"average": "weighted", "threshold": 0.2}, one_hot(6, 4), VECTOR),
    ("IoU", {"num_classes": 3, "target_class_ids": [0, 2], "dtype": "float32"}, classes(6), VECTOR),
    ("IoU", {"num_classes": 3, "target_class_ids": [1], "ignore_class": 2}, classes(6, 4), (None,)),
    ("MeanIoU", {"num_classes": 2}, classes(6, num=4), (None,)),
    ("MeanIoU", {"num_classes": 3, "dtype": "float32"}, classes(6, 4), (None, (6, 4))),
    ("BinaryIoU", {"threshold": 0.4, "dtype": "float32"}, binary((6,)), VECTOR),
    ("BinaryIoU", {"target_class_ids": [1]}, binary((6, 4)), (None,)),
    ("OneHotIoU", {"num_classes": 4, "target_class_ids": [0, 3]}, one_hot(6, 4), (None,)),
    ("OneHotMeanIoU", {"num_classes": 4, "dtype": "float32"}, one_hot(6, 4), VECTOR),
]
IDS = [f"{i}-{name}-{args}" for i, (name, args, _, _) in enumerate(CASES)]


def number(value):
    return value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def assert_same_state(ours, theirs):
    assert [v.name for v in ours.variables] == [v.name for v in theirs.variables]
    for mine, his in zip(ours.variables, theirs.variables, strict=True):
        assert mine.dtype == his.dtype, mine.name
        np.testing.assert_allclose(mine.numpy(), his.numpy(), rtol=1e-5, atol=1e-5, err_msg=mine.name)


@pytest.mark.parametrize(("name", "args", "make", "weight_shapes"), CASES, ids=IDS)
def test_metric_matches_keras(name, args, make, weight_shapes, rng):
    for weight_shape in weight_shapes:
        ours, theirs = getattr(metrics, name)(**args), getattr(keras.metrics, name)(**args)
        for _ in range(BATCHES):
            y_true, y_pred = make(rng)
            weight = None if weight_shape is None else rng.random(weight_shape).astype("float32")
            theirs.update_state(y_true, y_pred, sample_weight=weight)
            ours.update_state(
                torch.tensor(y_true), torch.tensor(y_pred), None if weight is None else torch.tensor(weight)
            )
            mine, his = ours.result(), theirs.result()
            # Keras on torch gives float32 for the mean of a float64 metric.
            assert mine.dtype == his.dtype or mine.dtype == torch.float64
            np.testing.assert_allclose(
                number(mine), number(his), rtol=1e-5, atol=1e-6, err_msg=f"weight {weight_shape}"
            )
        assert_same_state(ours, theirs)
        ours.reset_state(), theirs.reset_state()
        assert_same_state(ours, theirs)


@pytest.mark.parametrize(("name", "args", "make", "weight_shapes"), CASES, ids=IDS)
def test_arrays_and_lists_do_as_well(name, args, make, weight_shapes, rng):
    y_true, y_pred = make(rng)
    weight = None if weight_shapes[-1] is None else rng.random(weight_shapes[-1]).astype("float32")
    results = []
    for convert in (torch.tensor, np.asarray, lambda array: array.tolist()):
        metric = getattr(metrics, name)(**args)
        sample_weight = None if weight is None else convert(weight)
        results.append(number(metric(convert(y_true), convert(y_pred), sample_weight)))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6)
    np.testing.assert_allclose(results[0], results[2], rtol=1e-5, atol=1e-6)


def plain(value):
    if isinstance(value, torch.Tensor):
        return value.tolist()
    return value


@pytest.mark.parametrize(("name", "args", "make", "weight_shapes"), CASES, ids=IDS)
def test_config_matches_keras_and_round_trips(name, args, make, weight_shapes, rng):
    args = {**args, "name": "given"}
    ours, theirs = getattr(metrics, name)(**args), getattr(keras.metrics, name)(**args)
    expected = {key: plain(value) for key, value in theirs.get_config().items()}
    if name == "CosineSimilarity" and "axis" in args:
        expected["axis"] = args["axis"]  # Keras loses it
    assert ours.get_config() == expected
    config = metrics.serialize(ours)
    assert {key: config[key] for key in ("module", "class_name", "registered_name")} == {
        "module": "keras.metrics",
        "class_name": name,
        "registered_name": None,
    }
    again = metrics.deserialize(config)
    assert type(again) is type(ours)
    assert again.get_config() == ours.get_config()
    y_true, y_pred = make(rng)
    np.testing.assert_array_equal(number(again(y_true, y_pred)), number(ours(y_true, y_pred)))


@pytest.mark.parametrize("name", sorted({case[0] for case in CASES}))
def test_direction_matches_keras(name):
    args = next(args for case, args, _, _ in CASES if case == name)
    ours, theirs = getattr(metrics, name)(**args), getattr(keras.metrics, name)(**args)
    assert getattr(ours, "_direction", None) == getattr(theirs, "_direction", None)
    assert ours.name == theirs.name or theirs.name.startswith(ours.name)


def test_every_public_name_is_here_and_tested():
    public = {name for name in dir(keras.metrics) if not name.startswith("_")}
    assert public <= set(metrics.__all__)
    assert set(metrics.__all__) - public == {"EpochMetric", "TorchMetric", "resolve"}
    classes = {name for name in public if isinstance(getattr(keras.metrics, name), type)}
    assert classes - {case[0] for case in CASES} == {"Metric", "Mean", "Sum", "MeanMetricWrapper"}


MASKED = [
    ("BinaryAccuracy", {}, binary((6, 5))),
    ("SparseCategoricalAccuracy", {}, sparse(6, 5, 4)),
    ("MeanSquaredError", {}, real(6, 5, 4)),
    ("SparseCategoricalCrossentropy", {"ignore_class": 2}, sparse(6, 5, 4)),
    ("RootMeanSquaredError", {}, real(6, 5)),
    ("Precision", {}, binary((6, 5))),
]


@pytest.mark.parametrize(("name", "args", "make"), MASKED, ids=[case[0] for case in MASKED])
@pytest.mark.parametrize("weight_shape", [None, (6, 1), (6, 5)])
def test_masks_match_keras(name, args, make, weight_shape, rng):
    ours, theirs = getattr(metrics, name)(**args), getattr(keras.metrics, name)(**args)
    for _ in range(BATCHES):
        y_true, y_pred = map(torch.tensor, make(rng))
        y_pred._keras_mask = torch.tensor(rng.random((6, 5)) > 0.4)
        weight = None if weight_shape is None else torch.tensor(rng.random(weight_shape).astype("float32"))
        # Keras on torch can't spread a column of weights over a mask; its other backends can.
        spread = weight.expand(6, 5).clone() if weight_shape == (6, 1) and name != "Precision" else weight
        theirs.update_state(y_true, y_pred, spread)
        ours.update_state(y_true, y_pred, weight)
    np.testing.assert_allclose(number(ours.result()), number(theirs.result()), rtol=1e-5)
    assert_same_state(ours, theirs)


VALUES = [
    ((), [None, ()]),
    ((6,), [None, (), (6,), (6, 1), (1,)]),
    ((6, 4), [None, (), (6,), (6, 1), (6, 4), (1, 4), (6, 4, 1)]),
    ((6, 4, 3), [None, (6,), (6, 4), (6, 1, 1), (6, 4, 3), (6, 4, 1)]),
    ((6, 1), [None, (6,), (6, 1)]),
]


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize(
    ("shape", "weight_shape"), [(shape, weight) for shape, weights in VALUES for weight in weights], ids=str
)
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_sum_and_mean_match_keras(name, shape, weight_shape, dtype, rng):
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    for _ in range(BATCHES):
        values = torch.tensor(np.asarray(4 * rng.normal(size=shape)).astype(dtype))
        weight = None if weight_shape is None else np.asarray(rng.normal(size=weight_shape), "float32")
        theirs.update_state(values, weight)
        ours.update_state(values, weight)
        np.testing.assert_allclose(number(ours.result()), number(theirs.result()), rtol=1e-4, atol=1e-5)
    assert_same_state(ours, theirs)


def test_mean_weighs_every_sample_alike_when_lengths_change(rng):
    ours, theirs = metrics.Mean(), keras.metrics.Mean()
    for length in (3, 7):
        values = torch.tensor(rng.normal(size=(4, length)).astype("float32"))
        ours.update_state(values), theirs.update_state(values)
    np.testing.assert_allclose(number(ours.result()), number(theirs.result()), rtol=1e-5)


FUNCTIONS = [
    ("binary_accuracy", binary((6, 4)), {"threshold": 0.3}),
    ("binary_accuracy", ranks_differ, {}),
    ("categorical_accuracy", one_hot(6, 5, 4), {}),
    ("sparse_categorical_accuracy", sparse(6, 5, 4), {}),
    ("sparse_categorical_accuracy", sparse(6, 4, column=True), {}),
    ("top_k_categorical_accuracy", one_hot(6, 5, 4), {"k": 2}),
    ("sparse_top_k_categorical_accuracy", sparse(6, 5, 4), {"k": 2}),
    ("sparse_top_k_categorical_accuracy", sorted_ids, {"k": 3, "from_sorted_ids": True}),
    ("pearson_correlation", real(6, 4), {}),
    ("concordance_correlation", real(6, 4), {"axis": 0}),
    ("mean_squared_error", real(6, 4), {}),
    ("huber", real(6, 4), {"delta": 0.5}),
]


@pytest.mark.parametrize(("name", "make", "args"), FUNCTIONS, ids=[str(case[0]) for case in FUNCTIONS])
def test_function_matches_keras(name, make, args, rng):
    y_true, y_pred = make(rng)
    theirs = getattr(keras.metrics, name)(y_true, y_pred, **args)
    ours = getattr(metrics, name)(torch.tensor(y_true), torch.tensor(y_pred), **args)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_top_k_of_ties_nan_and_unknown_classes():
    y_pred = torch.tensor([[0.2, 0.2, 0.2, 0.1], [float("nan"), 0.5, 0.1, 0.2], [0.1, 0.2, 0.3, 0.4]])
    for labels, expected in ([2, 1, 3], [1, 0, 1]), ([0, 0, 2], [1, 0, 0]), ([3, 2, -1], [0, 0, 0]):
        ours = metrics.sparse_top_k_categorical_accuracy(torch.tensor(labels), y_pred, k=1)
        assert ours.tolist() == expected


def test_zero_vectors_have_cosine_zero(rng):
    y_true, y_pred = np.zeros((2, 3), "float32"), np.ones((2, 3), "float32")
    assert float(metrics.CosineSimilarity()(y_true, y_pred)) == 0.0
    assert float(keras.metrics.CosineSimilarity()(y_true, y_pred)) == 0.0
