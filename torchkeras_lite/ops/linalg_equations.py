"""Linear equations, inverses, determinants, norms, and derivatives along a direction."""

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensor, as_tensors, to_common, to_float
from torchkeras_lite.ops.linalg_decompositions import as_matrices


@operation
def det(x):
    """Return the determinants of matrices.

    Raises:
        ValueError: matrices that are not square.

    Source: Keras 3 `keras.ops.det`; torch's `torch.linalg.det`.
    """
    return torch.linalg.det(as_matrices("det", x))


@operation
def logdet(x):
    """Return the logarithms of the determinants of positive definite matrices.

    Source: Keras 3 `keras.ops.logdet`; torch's `torch.logdet`.
    """
    return torch.logdet(as_matrices("logdet", x))


@operation
def inv(x):
    """Return the inverses of matrices.

    Raises:
        ValueError: matrices that are not square.

    Source: Keras 3 `keras.ops.inv`; torch's `torch.linalg.inv`.
    """
    return torch.linalg.inv(as_matrices("inv", x))


@operation
def pinv(x, rcond=None):
    """Return the Moore-Penrose inverses of matrices.

    Args:
        x: Matrices.
        rcond: Singular values below this part of the greatest count as 0; `None`: the larger side times the
            dtype's epsilon.

    Source: Keras 3 `keras.ops.pinv`; torch's `torch.linalg.pinv`.
    """
    return torch.linalg.pinv(as_matrices("pinv", x, square=False), rtol=rcond)


def _system(owner, a, b):
    a, b = to_common([to_float(x) for x in as_tensors([a, b])])
    a = as_matrices(owner, a)
    rows = b.shape[-2:-1] if b.ndim == a.ndim else b.shape[-1:]
    if b.ndim not in (a.ndim, a.ndim - 1) or rows != a.shape[-1:]:
        raise ValueError(
            f"{owner}: expected `b` of shape (..., n) or (..., n, k) for `a` of shape (..., n, n), got "
            f"a.shape={tuple(a.shape)} and b.shape={tuple(b.shape)}."
        )
    return a, b


@operation(tensors=2)
def solve(a, b):
    """Return `x` with `a @ x = b`.

    Args:
        a: Square matrices (..., n, n).
        b: Vectors (..., n) or matrices (..., n, k).

    Raises:
        ValueError: shapes that do not go together.

    Source: Keras 3 `keras.ops.solve`; torch's `torch.linalg.solve`.
    """
    return torch.linalg.solve(*_system("solve", a, b))


@operation(tensors=2)
def solve_triangular(a, b, lower=False):
    """Return `x` with `a @ x = b`, where one triangle of `a` counts.

    Args:
        a: Square matrices (..., n, n).
        b: Vectors (..., n) or matrices (..., n, k).
        lower: Whether the lower triangle counts.

    Raises:
        ValueError: shapes that do not go together.

    Source: Keras 3 `keras.ops.solve_triangular`; torch's `torch.linalg.solve_triangular`.
    """
    a, b = _system("solve_triangular", a, b)
    if b.ndim == a.ndim:
        return torch.linalg.solve_triangular(a, b, upper=not lower)
    return torch.linalg.solve_triangular(a, b.unsqueeze(-1), upper=not lower).squeeze(-1)


@operation(tensors=2)
def lstsq(a, b, rcond=None):
    """Return the `x` that makes `a @ x - b` smallest, the shortest of them.

    Args:
        a: Matrix (m, n).
        b: Vector (m,) or matrix (m, k).
        rcond: Singular values of `a` below this part of the greatest count as 0; `None`: the larger side
            times the dtype's epsilon.

    Raises:
        ValueError: shapes that do not go together.

    Source: Keras 3 `keras.ops.lstsq`. Differs from `torch.linalg.lstsq`: low ranks are right on every device.
    """
    a, b = to_common([to_float(x) for x in as_tensors([a, b])])
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise ValueError(
            "lstsq: expected `a` of shape (m, n) and `b` of shape (m,) or (m, k), got a.shape="
            f"{tuple(a.shape)} and b.shape={tuple(b.shape)}. Leading dimensions must be equal."
        )
    if rcond is None:
        return torch.linalg.pinv(a) @ b
    # The gradient of torch's `pinv` does not know of singular values that are left out.
    u, s, v = torch.linalg.svd(a, full_matrices=False)
    kept = s >= rcond * s[0]
    inverse = torch.where(kept, 1 / torch.where(kept, s, 1.0), 0.0)
    return (v.mT * inverse) @ (u.mT @ b)


@operation
def norm(x, ord=None, axis=None, keepdims=False):
    """Return norms of vectors or matrices.

    Args:
        x: Tensor.
        ord: `None`: the Euclidean (Frobenius) norm; `"fro"`, `"nuc"`, infinities, 1, -1, 2, -2, and for
            vectors any number.
        axis: An axis, for vectors; two, for matrices; `None`: all.
        keepdims: Whether the axes stay, with size 1.

    Raises:
        RuntimeError: an `ord` that the number of axes does not have.

    Source: Keras 3 `keras.ops.norm`; torch's `torch.linalg.norm`.
    """
    axis = tuple(axis) if isinstance(axis, list) else axis
    return torch.linalg.norm(to_float(x), ord, axis, keepdims)


@operation(tensors=("primals", "tangents"), name="JVP")
def jvp(fun, primals, tangents, has_aux=False):
    """Return `fun(*primals)` and its derivative along `tangents`.

    Args:
        fun: Function of tensors.
        primals: Its arguments, a list or tuple.
        tangents: The direction, like `primals`.
        has_aux: Whether `fun` returns a pair of what is derived and something else, which then is returned
            as a third value.

    Source: Keras 3 `keras.ops.jvp`; torch's `torch.func.jvp`.
    """
    primals, tangents = (tuple(nested.map_structure(as_tensor, x)) for x in (primals, tangents))
    return torch.func.jvp(fun, primals, tangents, has_aux=has_aux)
