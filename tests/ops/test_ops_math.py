"""Segments, largest values, special functions and Fourier transforms against real Keras."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite as tk
from ops.operation_oracle import assert_operation_matches
from torchkeras_lite import ops
from torchkeras_lite.engine.keras_tensor import KerasTensor


def normal(rng, *shape, dtype="float32"):
    return rng.normal(size=shape).astype(dtype)


@pytest.mark.parametrize("name", ["segment_sum", "segment_max", "segment_min", "segment_prod"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("shape", [(6,), (6, 2, 3)], ids=str)
def test_segments(name, dtype, shape, rng):
    data = (normal(rng, *shape) * 4).astype(dtype)
    if (name, dtype) != ("segment_min", "int32"):  # Keras on torch has the wrong neutral value there
        assert_operation_matches(name, data, np.array([0, 1, 1, 3, -1, 9]), 4, gradient=False)
    assert_operation_matches(name, data, np.array([0, 1, 2, 2, 1, 0]), shapes=False)
    assert_operation_matches(name, data, np.array([0, 0, 1, 1, 2, 2]), 3, sorted=True)


def test_empty_segments_of_integers_hold_the_neutral_value():
    found = ops.segment_min(np.array([3, 4], "int32"), np.array([0, 2]), 3)
    assert found.tolist() == [3, 2**31 - 1, 4]


SEGMENTS = {
    "number": ((None, 4), (10,), 5),
    "no number": ((None, 4), (10,), None),
    "vectors": ((10,), (10,), None),
    "both unknown": ((None, 2, 3), (None,), 4),
}


@pytest.mark.parametrize("case", SEGMENTS)
@pytest.mark.parametrize("name", ["segment_sum", "segment_max"])
def test_symbolic_segments(name, case):
    rows, numbers, count = SEGMENTS[case]
    found = getattr(ops, name)(KerasTensor(rows), KerasTensor(numbers, "int32"), count)
    theirs = getattr(keras.ops, name)(keras.KerasTensor(rows), keras.KerasTensor(numbers, "int32"), count)
    assert (found.shape, found.dtype) == (theirs.shape, theirs.dtype)


def test_models_count_segments_when_they_run():
    rows, numbers = tk.Input((2,)), tk.Input((), dtype="int32")
    model = tk.Model([rows, numbers], ops.segment_sum(rows, numbers))
    found = model([np.ones((3, 2), "float32"), np.array([0, 2, 2])])
    assert found.tolist() == [[1, 1], [0, 0], [2, 2]]


def test_segments_that_do_not_fit_are_refused():
    x = keras.ops.convert_to_tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="pass `num_segments`"):
        tk.layers.Lambda(lambda part: ops.segment_sum(part, [0, 1]))(KerasTensor((2, 2)))
    with pytest.raises(ValueError, match="same leading dimension"):
        ops.segment_sum(KerasTensor((2,)), KerasTensor((3,), "int32"))
    with pytest.raises(ValueError, match="1-D vector"):
        ops.segment_sum(x, np.zeros((2, 1), int))
    with pytest.raises(ValueError, match="same leading dimension"):
        ops.segment_sum(x, np.zeros(3, int))


@pytest.mark.parametrize("axis", [None, 0, (0, 2), -1], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp(axis, keepdims, rng):
    assert_operation_matches("logsumexp", normal(rng, 2, 3, 4), axis, keepdims)


def test_largest_values(rng):
    x = normal(rng, 4, 6)
    assert_operation_matches("top_k", x, 3)
    for k in (1, 3):
        assert_operation_matches("in_top_k", np.array([1, 5, 0, 2]), x, k)
        ties = np.array([[1.0, 1, 1], [0, 1, np.inf], [np.nan, 1, 2]])
        assert_operation_matches("in_top_k", np.array([0, 2, 0]), ties, k)
    assert ops.in_top_k(np.array([-1, 7]), np.ones((2, 3)), 3).tolist() == [False, False]


def test_special_functions(rng):
    x = rng.uniform(0.05, 0.95, size=(3, 4)).astype("float32")
    for name in ("erf", "erfc", "erfinv", "rsqrt"):
        assert_operation_matches(name, x)
    assert_operation_matches("cdist", normal(rng, 2, 3, 4), normal(rng, 2, 5, 4))
    assert_operation_matches("extract_sequences", normal(rng, 2, 10), 4, 3)


def test_fourier_transforms(rng):
    real, imaginary = normal(rng, 3, 6), normal(rng, 3, 6)
    for name in ("fft", "fft2", "ifft2"):
        assert_operation_matches(name, (real, imaginary))
    for length in (None, 4, 9):
        assert_operation_matches("rfft", real, length)
        assert_operation_matches("irfft", (real, imaginary), length)


WINDOWS = ["hann", "hamming", None, np.linspace(0.1, 1.0, 8)]


@pytest.mark.parametrize("window", WINDOWS, ids=["hann", "hamming", "none", "values"])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)], ids=str)
def test_stft(window, center, lead, rng):
    x = normal(rng, *lead, 40, dtype="float64")
    assert_operation_matches("stft", x, 8, 4, 16, window, center, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("window", WINDOWS, ids=["hann", "hamming", "none", "values"])
@pytest.mark.parametrize("length", [None, 30, 40])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)], ids=str)
def test_istft(window, length, lead, rng):
    x = normal(rng, *lead, 40, dtype="float64")
    parts = tuple(keras.ops.stft(x, 8, 4, 16, window))
    assert_operation_matches("istft", parts, 8, 4, 16, length, window, rtol=1e-4, atol=1e-4)


def test_istft_without_centres_is_right_where_windows_reach(rng):
    x = normal(rng, 40)
    found = ops.istft(ops.stft(x, 8, 4, 16, center=False), 8, 4, 16, center=False)
    np.testing.assert_allclose(found[5:35], x[5:35], atol=1e-5)


def test_complex_views(rng):
    assert_operation_matches("view_as_complex", normal(rng, 3, 2))
    assert_operation_matches("view_as_real", normal(rng, 3) + 1j * normal(rng, 3))


REFUSED = [
    ("fft", (np.ones(4),), ValueError, "tuple of two tensors"),
    ("fft", ((np.arange(4), np.arange(4)),), ValueError, "not of type float"),
    ("fft", ((np.ones(4), np.ones(3)),), ValueError, "same shape"),
    ("stft", (np.arange(20), 4, 2, 8), TypeError, "float32"),
    ("stft", (np.ones(20), 8, 2, 4), ValueError, "fft_length"),
    ("stft", (np.ones(20), 8, 0, 8), ValueError, "positive integer"),
    ("stft", (np.ones(20), 8, 2, 8, "kaiser"), ValueError, "hamming"),
    (
        "istft",
        ((np.ones((3, 5)), np.ones((3, 5))), 8, 2, 8, None, np.ones(3)),
        ValueError,
        "shape of `window`",
    ),
    ("view_as_complex", (np.ones(3),), ValueError, "size 2"),
    ("view_as_real", (np.ones(3),), TypeError, "complex"),
    ("cdist", (np.ones((2, 3)), np.ones((2, 4))), ValueError, "must match"),
]


@pytest.mark.parametrize(
    ("name", "args", "kind", "message"), REFUSED, ids=[f"{n}-{m}" for n, _, _, m in REFUSED]
)
def test_refusals(name, args, kind, message):
    with pytest.raises(kind, match=message):
        getattr(ops, name)(*args)


def test_gradients_reach_segments(rng):
    data = torch.as_tensor(normal(rng, 5)).requires_grad_()
    ops.segment_max(data, [0, 0, 1, 1, -1], 2).sum().backward()
    assert data.grad.sum() == 2
    assert data.grad[4] == 0
