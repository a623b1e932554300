"""Matrices taken apart. All functions take batches of matrices, in the last two axes."""

import torch

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensor, to_float


def as_matrices(owner, x, square=True):
    """Return `x` as a tensor of floats with two axes or more.

    Raises:
        ValueError: fewer axes, or matrices that are not square where they must be.
    """
    x = to_float(x)
    if x.ndim < 2:
        raise ValueError(
            f"{owner}: Expected input to have rank >= 2. Received input with shape {tuple(x.shape)}. Pass a "
            "matrix or a batch of matrices."
        )
    if square and x.shape[-1] != x.shape[-2]:
        raise ValueError(
            f"{owner}: Expected a square matrix. Received non-square input with shape {tuple(x.shape)}."
        )
    return x


@operation
def cholesky(x, upper=False):
    """Return the triangular `L` with `x = L @ L.T`, or `U` with `x = U.T @ U`.

    Args:
        x: Symmetric positive definite matrices.
        upper: Whether the upper triangle is returned.

    Raises:
        ValueError: matrices that are not square or not positive definite.

    Source: Keras 3 `keras.ops.cholesky`; torch's `torch.linalg.cholesky`.
    """
    x = as_matrices("cholesky", x)
    try:
        return torch.linalg.cholesky(x, upper=upper)
    except torch.linalg.LinAlgError as error:
        raise ValueError(f"Cholesky decomposition failed: {error}") from error


@operation
def cholesky_inverse(x, upper=False):
    """Return the inverse of the matrix whose Cholesky factor is `x`.

    Args:
        x: Triangular matrices, as `cholesky` returns them.
        upper: Whether they are upper triangles.

    Raises:
        ValueError: matrices that are not square.

    Source: Keras 3 `keras.ops.cholesky_inverse`; torch's `torch.cholesky_inverse`.
    """
    return torch.cholesky_inverse(as_matrices("cholesky_inverse", x), upper=upper)


@operation
def eig(x):
    """Return the eigenvalues and the right eigenvectors, complex and in no order.

    Raises:
        ValueError: matrices that are not square.

    Source: Keras 3 `keras.ops.eig`; torch's `torch.linalg.eig`.
    """
    return tuple(torch.linalg.eig(as_matrices("eig", x)))


@operation
def eigh(x):
    """Return the eigenvalues, ascending, and the eigenvectors of symmetric or Hermitian matrices.

    Raises:
        ValueError: matrices that are not square.

    Source: Keras 3 `keras.ops.eigh`; torch's `torch.linalg.eigh`.
    """
    return tuple(torch.linalg.eigh(as_matrices("eigh", x)))


@operation
def lu_factor(x):
    """Return the LU factors in one matrix, and the row with which each row was exchanged, from 0 on.

    Args:
        x: Matrices.

    Source: Keras 3 `keras.ops.lu_factor`. Differs from `torch.linalg.lu_factor`: rows count from 0.
    """
    factors, pivots = torch.linalg.lu_factor(as_matrices("lu_factor", x, square=False))
    return factors, pivots - 1


@operation
def qr(x, mode="reduced"):
    """Return an orthogonal `q` and an upper triangle `r` with `x = q @ r`.

    Args:
        x: Matrices.
        mode: `"reduced"`: as many columns in `q` as the smaller side of `x`; `"complete"`: a square `q`.

    Raises:
        ValueError: another mode.

    Source: Keras 3 `keras.ops.qr`; torch's `torch.linalg.qr`.
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(
            "qr: `mode` argument value not supported. Expected one of {'reduced', 'complete'}. Received: "
            f"mode={mode}"
        )
    return tuple(torch.linalg.qr(as_matrices("qr", x, square=False), mode))


@operation(name="SVD")
def svd(x, full_matrices=True, compute_uv=True):
    """Return `u`, the singular values `s`, descending, and `v` with `x = u @ diag(s) @ v`.

    Args:
        x: Matrices.
        full_matrices: Whether `u` and `v` are square.
        compute_uv: Whether `u` and `v` are computed; else `s` alone is returned.

    Source: Keras 3 `keras.ops.svd`; torch's `torch.linalg.svd`.
    """
    x = as_matrices("svd", x, square=False)
    return tuple(torch.linalg.svd(x, full_matrices)) if compute_uv else torch.linalg.svdvals(x)


@operation
def matrix_rank(x, tol=None):
    """Return the number of singular values above `tol`, as int32.

    Args:
        x: Matrices.
        tol: Number; `None`: the greatest singular value times the larger side times the dtype's epsilon.

    Source: Keras 3 `keras.ops.matrix_rank`; torch's `torch.linalg.matrix_rank`.
    """
    x = as_matrices("matrix_rank", x, square=False)
    tol = as_tensor(tol).to(x.device) if tol is not None and not isinstance(tol, (int, float)) else tol
    return torch.linalg.matrix_rank(x, atol=tol, rtol=None if tol is None else 0.0).to(torch.int32)
