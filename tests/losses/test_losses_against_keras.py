"""Values and gradients of every loss against real Keras."""

import keras
import numpy as np
import pytest
import torch

from losses import loss_cases as cases
from losses.loss_cases import CASES, IDS, SHAPES
from torchkeras_lite import losses

REDUCTIONS = ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None]
EXTRAS = ["plain", "weight", "row_weight", "trailing_weight", "mask", "mask_and_weight"]


def assert_close(ours, theirs):
    # Keras's means turn float64 to float32 on the way; `test_float64_gradients` looks at the other digits.
    torch.testing.assert_close(ours, theirs.to(ours.dtype), rtol=2e-5, atol=2e-6)


def assert_loss_matches(ours, theirs, y_true, y_pred, *weights, mask=None, dtype="float32"):
    """Equal values, shapes and dtypes, and equal gradients of the predictions."""
    results = []
    for loss in (ours, theirs):
        leaf = torch.tensor(y_pred, requires_grad=True)
        x = leaf * 1
        if mask is not None:
            x._keras_mask = torch.tensor(mask)
        value = loss(torch.tensor(y_true), x, *map(torch.tensor, weights))
        (gradient,) = torch.autograd.grad(value.square().sum() + value.sum(), leaf)
        results.append((value.detach(), gradient))
    (value, gradient), (expected, expected_gradient) = results
    assert value.dtype == getattr(torch, dtype)
    assert_close(value, expected)
    assert_close(gradient, expected_gradient)


def row_by_row(loss):
    """Flatten: Keras's sparse crossentropy of probabilities has no gradient for four axes on torch."""
    return lambda y, p: loss(y.reshape(-1), p.reshape(-1, p.shape[-1])).reshape(y.shape)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "function", "args", "kind"), CASES, ids=IDS)
def test_class(name, function, args, kind, shape, dtype, rng):
    y_true, y_pred = cases.make(kind, shape, rng, dtype)
    ours, theirs = (getattr(room, name)(**args, dtype=dtype) for room in (losses, keras.losses))
    if kind.startswith("sparse") and len(shape) > 2:
        y_true, y_pred = y_true.reshape(-1), y_pred.reshape(-1, shape[-1])
    assert_loss_matches(ours, theirs, y_true, y_pred, dtype=dtype)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", None])
@pytest.mark.parametrize(("name", "function", "args", "kind"), CASES, ids=IDS)
def test_float64_gradients(name, function, args, kind, reduction, rng):
    y_true, y_pred = map(torch.tensor, cases.make(kind, (3, 4), rng, "float64"))
    loss = getattr(losses, name)(**args, reduction=reduction, dtype="float64")
    assert torch.autograd.gradcheck(lambda x: loss(y_true, x), y_pred.requires_grad_())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "function", "args", "kind"), CASES, ids=IDS)
def test_function(name, function, args, kind, shape, rng):
    y_true, y_pred = cases.make(kind, shape, rng)

    def ours(y, p):
        return getattr(losses, function)(y, p, **args)

    def theirs(y, p):
        return getattr(keras.losses, function)(y, p, **args)

    needs_rows = kind.startswith("sparse") and len(shape) > 3
    assert_loss_matches(ours, row_by_row(theirs) if needs_rows else theirs, y_true, y_pred)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize(("name", "function", "args", "kind"), CASES, ids=IDS)
def test_weights_masks_reductions(name, function, args, kind, extra, reduction, rng):
    shape = (4, 5, 3)
    y_true, y_pred = cases.make(kind, shape, rng)
    value_shape = getattr(losses, name)(**args, reduction=None)(y_true, y_pred).shape
    weights, mask = [], None
    if "weight" in extra:
        ones = (1,) * (len(value_shape) - 1)
        weight_shape = {"row_weight": (*value_shape[:1], *ones), "trailing_weight": (*value_shape, 1)}
        weights = [rng.uniform(0.1, 2, size=weight_shape.get(extra, value_shape))]
    if "mask" in extra:
        mask = rng.uniform(size=value_shape) < 0.6
    if extra == "row_weight" and "ignore_class" in args:
        pytest.skip("Keras multiplies the mask into the weights in place, which can't broadcast")
    ours = getattr(losses, name)(**args, reduction=reduction)
    theirs = getattr(keras.losses, name)(**args, reduction=reduction)
    assert_loss_matches(ours, theirs, y_true, y_pred, *weights, mask=mask)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("cls", ["MeanSquaredError", "BinaryCrossentropy", "Huber", "Poisson", "Hinge"])
@pytest.mark.parametrize(
    "shapes",
    [((6,), (6, 1)), ((6, 1), (6,)), ((6, 2), (6, 2, 1)), ((6, 2, 1), (6, 2)), ((6, 1), (6, 1))],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_ranks_are_reconciled(cls, shapes, weighted, reduction, rng):
    y_true = rng.integers(0, 2, size=shapes[0])
    y_pred = rng.uniform(0.1, 0.9, size=shapes[1]).astype("float32")
    weights = [rng.uniform(0.1, 2, size=6)[:, None] if len(shapes[0]) == 1 else rng.uniform(size=(6,))]
    weights = weights if weighted else []
    ours, theirs = (getattr(room, cls)(reduction=reduction) for room in (losses, keras.losses))
    assert_loss_matches(ours, theirs, y_true, y_pred, *weights)


@pytest.mark.parametrize("function", ["mean_squared_error", "huber", "poisson", "binary_crossentropy"])
def test_functions_do_not_spread_targets_over_a_square(function, rng):
    y_pred = rng.uniform(0.1, 0.9, size=(6, 1))
    y_true = rng.integers(0, 2, size=6)
    call = getattr(losses, function)
    torch.testing.assert_close(call(y_true, y_pred), call(y_true[:, None], y_pred))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", None])
@pytest.mark.parametrize("ignore_class", [None, 1])
@pytest.mark.parametrize("keep_axis", [False, True])
def test_sparse_class_axis(axis, from_logits, reduction, ignore_class, keep_axis, rng):
    y_true, y_pred = cases.make("sparse_logits" if from_logits else "sparse", (4, 5, 3), rng)
    y_pred = np.ascontiguousarray(np.moveaxis(y_pred, -1, axis))
    y_true = np.expand_dims(y_true, axis) if keep_axis else y_true
    args = {"axis": axis, "from_logits": from_logits, "reduction": reduction, "ignore_class": ignore_class}
    ours, theirs = (room.SparseCategoricalCrossentropy(**args) for room in (losses, keras.losses))
    assert_loss_matches(ours, theirs, y_true, y_pred)


@pytest.mark.parametrize("axis", [None, 0, (1, 2), [1, 2], (-1,)], ids=str)
@pytest.mark.parametrize("cls", ["Dice", "Tversky"])
def test_segmentation_axes(cls, axis, rng):
    y_true, y_pred = cases.make("binary", (3, 4, 5, 1), rng)
    ours, theirs = (getattr(room, cls)(axis=axis, reduction=None) for room in (losses, keras.losses))
    assert_loss_matches(ours, theirs, y_true, y_pred)


@pytest.mark.parametrize("args", [{}, {"remove_diagonal": False}, {"gamma": 16.0, "margin": 0.25}], ids=str)
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", None])
@pytest.mark.parametrize("weighted", [False, True])
def test_circle(args, reduction, weighted, rng):
    embeddings = rng.normal(size=(8, 5))
    embeddings = (embeddings / np.linalg.norm(embeddings, axis=-1, keepdims=True)).astype("float32")
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 3])
    weights = [rng.uniform(size=8)] if weighted else []
    ours, theirs = (room.Circle(**args, reduction=reduction) for room in (losses, keras.losses))
    assert_loss_matches(ours, theirs, labels, embeddings, *weights)


def test_circle_with_references(rng):
    def unit(n):
        x = rng.normal(size=(n, 5)).astype("float32")
        return x / np.linalg.norm(x, axis=-1, keepdims=True)

    y_true, y_pred, labels, refs = rng.integers(0, 3, 6), unit(6), rng.integers(0, 3, 9), unit(9)
    args = {"ref_labels": labels, "ref_embeddings": refs, "remove_diagonal": False}
    assert_close(losses.circle(y_true, y_pred, **args), keras.losses.circle(y_true, y_pred, **args))


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", None])
def test_ctc(reduction, rng):
    y_true = np.array([[1, 2, 1, 0], [3, 3, 0, 0], [1, 0, 0, 0]])
    y_pred = rng.normal(size=(3, 9, 5)).astype("float32")
    ours, theirs = losses.CTC(reduction=reduction), keras.losses.CTC(reduction=reduction)
    assert_loss_matches(ours, theirs, y_true, y_pred)
    assert_close(losses.ctc(y_true, y_pred), keras.losses.ctc(y_true, y_pred))


@pytest.mark.parametrize("kind", ["Binary", "Categorical", "SparseCategorical"])
def test_certain_predictions_stay_finite(kind):
    name = f"{kind}Crossentropy"
    y_pred = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], "float32")
    y_true = np.array([0, 0, 1]) if kind == "SparseCategorical" else np.array([[1, 0], [1, 0], [0, 1]])
    ours, theirs = (getattr(room, name)(reduction=None) for room in (losses, keras.losses))
    assert_loss_matches(ours, theirs, y_true, y_pred)


def test_per_class_alpha(rng):
    y_true, y_pred = cases.make("classes", (4, 3), rng)
    alpha = [0.2, 0.3, 0.5]
    ours = losses.categorical_focal_crossentropy(y_true, y_pred, alpha=alpha)
    assert_close(ours, keras.losses.categorical_focal_crossentropy(y_true, y_pred, alpha=alpha))


@pytest.mark.parametrize("kind", [list, np.asarray, torch.tensor])
def test_kinds_of_arrays(kind):
    y_true, y_pred = [[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]]
    assert losses.MeanSquaredError()(kind(y_true), kind(y_pred)).item() == 0.5
    assert losses.mean_squared_error(kind(y_true), kind(y_pred)).tolist() == [0.5, 0.5]
    sparse = losses.SparseCategoricalCrossentropy()(kind([1, 0]), kind([[0.25, 0.75], [0.5, 0.5]]))
    assert sparse.item() == pytest.approx(-(np.log(0.75) + np.log(0.5)) / 2)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["MeanSquaredError", "BinaryCrossentropy", "CategoricalCrossentropy"])
def test_low_precision(name, dtype):
    loss = getattr(losses, name)(dtype=dtype)(np.array([[1, 0], [1, 0]]), np.array([[0.75, 0.25], [1, 0]]))
    expected = getattr(losses, name)()(np.array([[1, 0], [1, 0]]), np.array([[0.75, 0.25], [1, 0]]))
    assert str(loss.dtype) == f"torch.{dtype}"
    assert loss.item() == pytest.approx(expected.item(), rel=2e-2)
