"""Linear algebra against real Keras."""

import keras
import numpy as np
import pytest
import torch

from ops.operation_oracle import assert_operation_matches
from oracle import assert_close
from torchkeras_lite import ops


def matrices(rng, *shape, dtype="float32"):
    return rng.normal(size=shape).astype(dtype)


def positive(rng, *lead, dtype="float32"):
    x = matrices(rng, *lead, 3, 3, dtype=dtype)
    return x @ np.swapaxes(x, -1, -2) + np.eye(3, dtype=dtype)


@pytest.mark.parametrize("lead", [(), (2,), (2, 2)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_square_matrices(lead, dtype, rng):
    x, p = matrices(rng, *lead, 3, 3, dtype=dtype), positive(rng, *lead, dtype=dtype)
    loose = dict(rtol=1e-3, atol=1e-4)
    for name in ("det", "inv"):
        assert_operation_matches(name, x, **loose)
        assert_operation_matches(f"linalg.{name}", x, **loose)
    for upper in (False, True):
        assert_operation_matches("cholesky", p, upper, **loose)
        assert_operation_matches("cholesky_inverse", np.linalg.cholesky(p), **loose)
    assert_operation_matches("logdet", p, **loose)
    assert_operation_matches("eigh", p, **loose)
    assert_operation_matches("eig", p, gradient=False, **loose)
    assert_operation_matches("lu_factor", x, **loose)


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 4, 3)], ids=str)
def test_decompositions_of_any_matrix(shape, rng):
    x = matrices(rng, *shape)
    loose = dict(rtol=1e-3, atol=1e-4)
    for name, settings in (("qr", ("complete",)), ("svd", ()), ("svd", (False,))):  # signs are arbitrary
        found, expected = (getattr(room, name)(torch.as_tensor(x), *settings) for room in (ops, keras.ops))
        assert_close(found, tuple(expected))
    assert_operation_matches("qr", x, gradient=shape[-2] >= shape[-1], **loose)
    assert_operation_matches("svd", x, compute_uv=False, **loose)
    assert_operation_matches("pinv", x, **loose)
    assert_operation_matches("pinv", x, 0.4, **loose)
    assert_operation_matches("matrix_rank", x)
    assert_operation_matches("matrix_rank", x, 1.5)


def test_equations(rng):
    a, b, v = matrices(rng, 2, 3, 3), matrices(rng, 2, 3, 4), matrices(rng, 2, 3)
    for right in (b, v):
        assert_operation_matches("solve", a, right, rtol=1e-3, atol=1e-3)
        for lower in (False, True):
            assert_operation_matches("solve_triangular", a, right, lower, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5)], ids=str)
@pytest.mark.parametrize("rcond", [None, 0.4])
def test_lstsq(shape, rcond, rng):
    a = matrices(rng, *shape)
    for b in (matrices(rng, shape[0]), matrices(rng, shape[0], 2)):
        assert_operation_matches("lstsq", a, b, rcond, rtol=1e-3, atol=1e-4, gradient=rcond is None)


def test_gradient_of_lstsq_without_small_singular_values(rng):  # which Keras on torch has wrong
    a, b = torch.as_tensor(rng.normal(size=(5, 3))), torch.as_tensor(rng.normal(size=5))
    torch.autograd.gradcheck(lambda a, b: ops.lstsq(a, b, 0.4), (a.requires_grad_(), b))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1), (1, 0)], ids=str)
@pytest.mark.parametrize("ord", [None, "fro", "nuc", np.inf, -np.inf, 0, 1, -1, 2, -2, 3], ids=str)
def test_norm(ord, axis, keepdims, rng):
    x = matrices(rng, 3, 4)
    try:
        keras.ops.norm(x, ord, axis, keepdims)
    except RuntimeError:
        with pytest.raises(RuntimeError):
            ops.norm(x, ord, axis, keepdims)
        return
    assert_operation_matches("norm", x, ord, axis, keepdims, gradient=ord != 0, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own, at the first use
def test_jvp(rng):
    x, direction = torch.as_tensor(matrices(rng, 3)), torch.as_tensor(matrices(rng, 3))
    value, slope = ops.jvp(torch.sin, (x,), (direction,))
    torch.testing.assert_close((value, slope), (torch.sin(x), torch.cos(x) * direction))
    value, slope, extra = ops.jvp(lambda a: (a * a, a + 1), [x], [direction], has_aux=True)
    torch.testing.assert_close((value, slope, extra), (x * x, 2 * x * direction, x + 1))


REFUSED = [
    ("cholesky", (np.ones((2, 3)),), "square matrix"),
    ("cholesky", (-np.eye(2),), "Cholesky decomposition failed"),
    ("det", (np.ones(3),), "rank >= 2"),
    ("qr", (np.ones((2, 2)), "r"), "Expected one of"),
    ("solve", (np.eye(2), np.ones(())), "for `a` of shape"),
    ("solve", (np.eye(2), np.ones(3)), "for `a` of shape"),
    ("lstsq", (np.ones((3, 2)), np.ones(2)), "Leading dimensions"),
]


@pytest.mark.parametrize(("name", "args", "message"), REFUSED, ids=[f"{n}-{m}" for n, _, m in REFUSED])
def test_refusals(name, args, message):
    with pytest.raises(ValueError, match=message):
        getattr(ops, name)(*args)
