"""Functions on each value: a table of TensorFlow's names over `torchkeras_lite.ops` and torch."""

import torch

from torchkeras_lite import ops
from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.conversion import convert, convert_beside
from torchkeras_lite.tf.tensor import wrap
from torchkeras_lite.tf.text import StringTensor

UNARY = {
    "abs": ops.abs,
    "acos": ops.arccos,
    "acosh": ops.arccosh,
    "angle": ops.angle,
    "asin": ops.arcsin,
    "asinh": ops.arcsinh,
    "atan": ops.arctan,
    "atanh": ops.arctanh,
    "bessel_i0": torch.special.i0,
    "bessel_i0e": torch.special.i0e,
    "bessel_i1": torch.special.i1,
    "bessel_i1e": torch.special.i1e,
    "ceil": torch.ceil,
    "conj": ops.conj,
    "cos": ops.cos,
    "cosh": ops.cosh,
    "digamma": torch.digamma,
    "erf": ops.erf,
    "erfc": ops.erfc,
    "erfinv": ops.erfinv,
    "exp": ops.exp,
    "expm1": ops.expm1,
    "floor": torch.floor,
    "imag": ops.imag,
    "is_finite": ops.isfinite,
    "is_inf": ops.isinf,
    "is_nan": ops.isnan,
    "lgamma": torch.lgamma,
    "log": ops.log,
    "log1p": ops.log1p,
    "log_sigmoid": ops.log_sigmoid,
    "logical_not": ops.logical_not,
    "ndtri": torch.special.ndtri,
    "negative": ops.negative,
    "real": ops.real,
    "reciprocal": ops.reciprocal,
    "rint": torch.round,
    "round": torch.round,
    "rsqrt": ops.rsqrt,
    "sigmoid": ops.sigmoid,
    "sign": ops.sign,
    "sin": ops.sin,
    "sinh": ops.sinh,
    "softplus": ops.softplus,
    "softsign": ops.softsign,
    "sqrt": ops.sqrt,
    "square": ops.square,
    "tan": ops.tan,
    "tanh": ops.tanh,
}


BINARY = {
    "add": ops.add,
    "atan2": ops.arctan2,
    "divide": ops.divide,
    "divide_no_nan": ops.divide_no_nan,
    "equal": ops.equal,
    "floordiv": ops.floor_divide,
    "floormod": ops.mod,
    "greater": ops.greater,
    "greater_equal": ops.greater_equal,
    "igamma": torch.special.gammainc,
    "igammac": torch.special.gammaincc,
    "less": ops.less,
    "less_equal": ops.less_equal,
    "logical_and": ops.logical_and,
    "logical_or": ops.logical_or,
    "logical_xor": ops.logical_xor,
    "maximum": ops.maximum,
    "minimum": ops.minimum,
    "multiply": ops.multiply,
    "multiply_no_nan": lambda x, y: torch.where(y == 0, torch.zeros_like(x), x * y),
    "nextafter": ops.nextafter,
    "not_equal": ops.not_equal,
    "pow": ops.power,
    "squared_difference": lambda x, y: torch.square(x - y),
    "subtract": ops.subtract,
    "truediv": ops.true_divide,
    "xdivy": lambda x, y: torch.where(x == 0, torch.zeros_like(x), x / y),
    "xlog1py": torch.special.xlog1py,
    "xlogy": torch.special.xlogy,
    "zeta": torch.special.zeta,
}
_TEXT = {"add", "equal", "not_equal"}


def _unary(name, function):
    def called(x, name=None):
        return function(convert(x))

    return _named(called, name)


def _binary(name, function):
    takes_text = name in _TEXT

    def called(x, y, name=None):
        x, y = convert_beside(x, y), convert_beside(y, x)
        if takes_text and (isinstance(x, StringTensor) or isinstance(y, StringTensor)):
            return x + y if function is ops.add else (x == y) if function is ops.equal else (x != y)
        return function(x, y)

    return _named(called, name)


def _named(function, name):
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"TensorFlow's `tf.math.{name}`."
    return function


FUNCTIONS = {name: _unary(name, function) for name, function in UNARY.items()}
FUNCTIONS.update({name: _binary(name, function) for name, function in BINARY.items()})


def cast(x, dtype, name=None):
    """Return `x` in another dtype. Booleans become 0 and 1, the real part of complex numbers is kept."""
    x, dtype = convert(x), dtypes.as_dtype(dtype)
    return ops.cast(x, "bool" if dtype is torch.bool else dtype)


def saturate_cast(value, dtype, name=None):
    """Return `value` in another dtype, with what it cannot hold set to its limits."""
    return ops.saturate_cast(convert(value), dtype)


def complex(real, imag, name=None):
    """Return the complex tensor with these two parts."""
    return torch.complex(convert(real), convert(imag))


def add_n(inputs, name=None):
    """Return the sum of a list of tensors of one shape."""
    return torch.stack([convert(part) for part in inputs]).sum(0)


def accumulate_n(inputs, shape=None, tensor_dtype=None, name=None):
    """Return the sum of a list of tensors of one shape."""
    return add_n(inputs)


def clip_by_value(t, clip_value_min, clip_value_max, name=None):
    """Return `t` with values outside the limits set to them."""
    t = convert(t)
    low, high = convert_beside(clip_value_min, t), convert_beside(clip_value_max, t)
    return torch.minimum(torch.maximum(t, low), high)


def clip_by_norm(t, clip_norm, axes=None, name=None):
    """Return `t` scaled down, where need be, to an L2 norm of `clip_norm` over `axes` (`None`: all)."""
    t = convert(t)
    dim = tuple(range(t.ndim)) if axes is None else axes
    square = torch.sum(t * t, dim, keepdim=True)
    norm = torch.sqrt(torch.where(square > 0, square, torch.ones_like(square)))
    return t * clip_norm / torch.clamp(torch.where(square > 0, norm, square), min=float(clip_norm))


def global_norm(t_list, name=None):
    """Return the L2 norm of all values of a list of tensors; `None` in it counts nothing."""
    return wrap(torch.sqrt(sum(torch.sum(convert(t) ** 2) for t in t_list if t is not None)))


def clip_by_global_norm(t_list, clip_norm, use_norm=None, name=None):
    """Return a list of tensors scaled down to a common L2 norm of `clip_norm`, and the norm before."""
    norm = global_norm(t_list) if use_norm is None else convert(use_norm)
    scale = clip_norm / torch.clamp(norm, min=float(clip_norm))
    return [None if t is None else convert(t) * scale.to(convert(t).dtype) for t in t_list], norm


def approximate_equal(x, y, tolerance=1e-5, name=None):
    """Return where the difference of `x` and `y` is below `tolerance`."""
    return torch.abs(convert(x) - convert_beside(y, x)) < tolerance


def polyval(coeffs, x, name=None):
    """Return the polynomial with these coefficients, the highest power first, at `x`."""
    x, value = convert(x), 0
    for coefficient in coeffs:
        value = value * x + convert_beside(coefficient, x)
    return value


def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    """Return `x` with what is no finite number replaced."""
    return ops.nan_to_num(convert(x), nan, posinf, neginf)


def bitcast(input, type, name=None):
    """Return the same bytes as another dtype."""
    return ops.view(convert(input), torch_dtype(type))


__all__ = [
    "FUNCTIONS",
    "accumulate_n",
    "add_n",
    "approximate_equal",
    "bitcast",
    "cast",
    "clip_by_global_norm",
    "clip_by_norm",
    "clip_by_value",
    "complex",
    "global_norm",
    "nan_to_num",
    "polyval",
    "saturate_cast",
]
