"""`keras.ops.linalg`: linear algebra, one door to the files that hold them."""

from torchkeras_lite.ops.linalg_decompositions import (
    cholesky,
    cholesky_inverse,
    eig,
    eigh,
    lu_factor,
    matrix_rank,
    qr,
    svd,
)
from torchkeras_lite.ops.linalg_equations import det, inv, jvp, lstsq, norm, pinv, solve, solve_triangular

__all__ = [
    "cholesky",
    "cholesky_inverse",
    "det",
    "eig",
    "eigh",
    "inv",
    "jvp",
    "lstsq",
    "lu_factor",
    "matrix_rank",
    "norm",
    "pinv",
    "qr",
    "solve",
    "solve_triangular",
    "svd",
]
