"""`tf.linalg`: products, factors, equations, norms and diagonals, by `torch.linalg`."""

import torch

from torchkeras_lite import ops
from torchkeras_lite.tf.conversion import convert, convert_beside
from torchkeras_lite.tf.creation import eye
from torchkeras_lite.tf.elementwise import global_norm
from torchkeras_lite.tf.nn import l2_normalize
from torchkeras_lite.tf.tensor import wrap
from torchkeras_lite.tf.unknown import missing


def matmul(
    a,
    b,
    transpose_a=False,
    transpose_b=False,
    adjoint_a=False,
    adjoint_b=False,
    a_is_sparse=False,
    b_is_sparse=False,
    output_type=None,
    grad_a=False,
    grad_b=False,
    name=None,
):
    """Return the product of matrices, over leading axes that broadcast.

    Args:
        a, b: Matrices.
        transpose_a, transpose_b: Whether the last two axes are swapped first.
        adjoint_a, adjoint_b: Whether they are swapped and conjugated.
        a_is_sparse, b_is_sparse, grad_a, grad_b, name: Accepted; nothing depends on them.
        output_type: Dtype of the result; `None`: that of the inputs.
    """
    a, b = convert_beside(a, b), convert_beside(b, a)
    a = a.mT if transpose_a else adjoint(a) if adjoint_a else a
    b = b.mT if transpose_b else adjoint(b) if adjoint_b else b
    product = ops.matmul(a, b)
    return product if output_type is None else convert(product, output_type)


def matvec(a, b, transpose_a=False, adjoint_a=False, a_is_sparse=False, b_is_sparse=False, name=None):
    """Return the product of matrices and vectors."""
    b = convert(b)
    return matmul(a, b.unsqueeze(-1), transpose_a, adjoint_a=adjoint_a).squeeze(-1)


def matrix_transpose(a, name="matrix_transpose", conjugate=False):
    """Return matrices with their last two axes swapped."""
    return adjoint(a) if conjugate else convert(a).mT


def adjoint(matrix, name=None):
    """Return matrices transposed and conjugated."""
    return convert(matrix).mH.resolve_conj()


def einsum(equation, *inputs, **kwargs):
    """Return the sum of products that an equation such as `"ij,jk->ik"` tells."""
    return ops.einsum(equation, *map(convert, inputs))


def tensordot(a, b, axes, name=None):
    """Return the sum of products over `axes`: a number of them, or a pair of lists."""
    a, b = convert_beside(a, b), convert_beside(b, a)
    return ops.tensordot(a, b, axes)


def cross(a, b, name=None):
    """Return the cross product along the last axis."""
    return torch.linalg.cross(convert(a), convert(b))


def norm(tensor, ord="euclidean", axis=None, keepdims=None, name=None):
    """Return the norm of vectors, or of matrices for a pair of axes.

    Args:
        tensor: The tensor.
        ord: `"euclidean"`, `"fro"`, 1, 2, a number > 0 or infinity.
        axis: An axis, a pair of them, or `None` for all values as one vector.
        keepdims: Whether axes of size 1 stay.
        name: Accepted as in TensorFlow.
    """
    tensor, keep = convert(tensor), bool(keepdims)
    if isinstance(axis, (list, tuple)) and len(axis) == 2:
        return torch.linalg.matrix_norm(tensor, "fro" if ord == "euclidean" else ord, tuple(axis), keep)
    axis = axis[0] if isinstance(axis, (list, tuple)) else axis
    return torch.linalg.vector_norm(tensor, 2 if ord in ("euclidean", "fro") else ord, axis, keep)


def normalize(tensor, ord="euclidean", axis=None, name=None):
    """Return `tensor` divided by its norm, and the norm."""
    length = norm(tensor, ord, axis, keepdims=True)
    return convert(tensor) / length, length


def trace(x, name=None):
    """Return the sums of diagonals of the last two axes."""
    return convert(x).diagonal(dim1=-2, dim2=-1).sum(-1)


def diag(diagonal, name="diag", k=0):
    """Return matrices with the last axis on their diagonal."""
    return torch.diag_embed(convert(diagonal), k)


def diag_part(input, name="diag_part", k=0):
    """Return the diagonals of matrices."""
    return convert(input).diagonal(k, -2, -1)


def tensor_diag(diagonal, name=None):
    """Return a tensor of twice the axes with `diagonal` on its diagonal."""
    diagonal = convert(diagonal)
    return torch.diag(diagonal.reshape(-1)).reshape(tuple(diagonal.shape) * 2)


def tensor_diag_part(input, name=None):
    """Return the diagonal of a tensor whose axes come twice."""
    input = convert(input)
    shape = tuple(input.shape[: input.ndim // 2])
    count = int(torch.Size(shape).numel())
    return input.reshape(count, count).diagonal().reshape(shape)


def set_diag(input, diagonal, name="set_diag", k=0):
    """Return matrices with another diagonal."""
    return torch.diagonal_scatter(convert(input), convert(diagonal), k, -2, -1)


def band_part(input, num_lower, num_upper, name=None):
    """Return matrices with 0 outside so many diagonals below and above the main one; -1 keeps all."""
    input = convert(input)
    low, high = int(num_lower), int(num_upper)
    input = input if low < 0 else torch.triu(input, -low)
    return input if high < 0 else torch.tril(input, high)


def inv(input, adjoint=False, name=None):
    """Return the inverse of matrices."""
    inverse = torch.linalg.inv(convert(input))
    return inverse.mH if adjoint else inverse


def pinv(a, rcond=None, validate_args=False, name=None):
    """Return the pseudo-inverse of matrices; singular values below `rcond` times the greatest count as 0."""
    a = convert(a)
    cut = 10 * max(a.shape[-2:]) * torch.finfo(a.dtype).eps if rcond is None else rcond
    return torch.linalg.pinv(a, rtol=cut)


def det(input, name=None):
    """Return the determinant of matrices."""
    return torch.linalg.det(convert(input))


def slogdet(input, name=None):
    """Return sign and logarithm of the determinant of matrices."""
    return torch.linalg.slogdet(convert(input))


def logdet(matrix, name=None):
    """Return the logarithm of the determinant of positive definite matrices."""
    return torch.logdet(convert(matrix))


def cholesky(input, name=None):
    """Return the lower triangular root of positive definite matrices."""
    return torch.linalg.cholesky(convert(input))


def cholesky_solve(chol, rhs, name=None):
    """Return the solutions for matrices of which the Cholesky factor is given."""
    return torch.cholesky_solve(convert(rhs), convert(chol))


def qr(input, full_matrices=False, name=None):
    """Return an orthogonal and a triangular factor."""
    return torch.linalg.qr(convert(input), "complete" if full_matrices else "reduced")


def svd(tensor, full_matrices=False, compute_uv=True, name=None):
    """Return singular values, left and right singular vectors (`s`, `u`, `v`), or the values alone."""
    if not compute_uv:
        return torch.linalg.svdvals(convert(tensor))
    u, s, vh = torch.linalg.svd(convert(tensor), full_matrices)
    return s, u, vh.mH


def eigh(tensor, name=None):
    """Return eigenvalues, ascending, and eigenvectors of symmetric matrices."""
    return torch.linalg.eigh(convert(tensor))


def eigvalsh(tensor, name=None):
    """Return the eigenvalues, ascending, of symmetric matrices."""
    return torch.linalg.eigvalsh(convert(tensor))


def eig(tensor, name=None):
    """Return complex eigenvalues and eigenvectors of matrices."""
    return torch.linalg.eig(convert(tensor))


def eigvals(tensor, name=None):
    """Return the complex eigenvalues of matrices."""
    return torch.linalg.eigvals(convert(tensor))


def solve(matrix, rhs, adjoint=False, name=None):
    """Return `x` of `matrix @ x = rhs`."""
    matrix = convert(matrix)
    return torch.linalg.solve(matrix.mH if adjoint else matrix, convert(rhs))


def triangular_solve(matrix, rhs, lower=True, adjoint=False, name=None):
    """Return `x` of `matrix @ x = rhs` for triangular matrices."""
    matrix = convert(matrix)
    if adjoint:
        matrix, lower = (matrix.tril() if lower else matrix.triu()).mH, not lower
    return torch.linalg.solve_triangular(matrix, convert(rhs), upper=not lower)


def lstsq(matrix, rhs, l2_regularizer=0.0, fast=True, name=None):
    """Return the least-squares solutions; `l2_regularizer` is the weight of their squares."""
    matrix, rhs = convert(matrix), convert(rhs)
    if not l2_regularizer:
        return torch.linalg.lstsq(matrix, rhs)[0]
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    return torch.linalg.solve(matrix.mH @ matrix + l2_regularizer * identity, matrix.mH @ rhs)


def expm(input, name=None):
    """Return the exponential of matrices."""
    return torch.linalg.matrix_exp(convert(input))


def matrix_rank(a, tol=None, validate_args=False, name=None):
    """Return the number of singular values above `tol`."""
    return wrap(torch.linalg.matrix_rank(convert(a), tol=tol)).to(torch.int32)


__all__ = [
    "adjoint",
    "band_part",
    "cholesky",
    "cholesky_solve",
    "cross",
    "det",
    "diag",
    "diag_part",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "einsum",
    "expm",
    "eye",
    "global_norm",
    "inv",
    "l2_normalize",
    "logdet",
    "lstsq",
    "matmul",
    "matrix_rank",
    "matrix_transpose",
    "matvec",
    "norm",
    "normalize",
    "pinv",
    "qr",
    "set_diag",
    "slogdet",
    "solve",
    "svd",
    "tensor_diag",
    "tensor_diag_part",
    "tensordot",
    "trace",
    "triangular_solve",
]
__getattr__ = missing("tf.linalg", {"logm": "scipy.linalg.logm", "sqrtm": "scipy.linalg.sqrtm"})
