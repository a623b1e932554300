"""`tf.function` and what else wraps a function."""

import functools

import numpy as np
import torch
from torch.utils.checkpoint import checkpoint

from torchkeras_lite.base import nested
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.conversion import convert
from torchkeras_lite.tf.shapes import TensorSpec
from torchkeras_lite.tf.tensor import plain, wrap

_eager = {"always": False}


class Function:
    """A function as `tf.function` returns it. Called, it runs as plain Python, or as torch compiled it.

    Args:
        function: The function.
        input_signature: `TensorSpec`s of the arguments; `None`: arguments stay what they are, but NumPy
            arrays become tensors.
        jit_compile: Whether `torch.compile` compiles it.
        bound: The object whose method it is.
        compiled: What torch compiled, where that is done.
    """

    def __init__(self, function, input_signature=None, jit_compile=False, bound=None, compiled=None):
        functools.update_wrapper(self, function)
        self.python_function = function
        self.input_signature = input_signature
        self.jit_compile = bool(jit_compile)
        self._owner = () if bound is None else (bound,)
        self._compiled = compiled or (torch.compile(function) if self.jit_compile else None)

    def __call__(self, *args, **kwargs):
        """Call it.

        Raises:
            ValueError: arguments that do not fit the signature.
        """
        args, kwargs = self._arguments(args, kwargs)
        if self._compiled is None or _eager["always"]:
            return self.python_function(*self._owner, *args, **kwargs)
        args, kwargs = nested.map_structure(plain, args), nested.map_structure(plain, kwargs)
        return nested.map_structure(wrap, self._compiled(*self._owner, *args, **kwargs))

    def _arguments(self, args, kwargs):
        if self.input_signature is not None:
            if len(args) + len(kwargs) > len(self.input_signature):
                raise ValueError(
                    f"{self.__name__}: input_signature has {len(self.input_signature)} arguments, got "
                    f"{len(args) + len(kwargs)}."
                )
            pairs = zip(args, self.input_signature, strict=False)
            args = tuple(nested.map_structure(self._fitting, spec, arg) for arg, spec in pairs)
        convert_arrays = lambda leaf: convert(leaf) if isinstance(leaf, np.ndarray) else leaf
        return nested.map_structure(convert_arrays, tuple(args)), nested.map_structure(convert_arrays, kwargs)

    def _fitting(self, spec, value):
        if not isinstance(spec, TensorSpec):
            return value
        # A Python number takes the dtype of the signature; a tensor must have it.
        tensor = convert(value, None if hasattr(value, "dtype") else spec.dtype)
        if not spec.is_compatible_with(tensor):
            raise ValueError(
                f"{self.__name__}: an argument of shape {tuple(tensor.shape)} and dtype {tensor.dtype} does "
                f"not fit {spec} of input_signature."
            )
        return tensor

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        return Function(
            self.python_function, self.input_signature, self.jit_compile, instance, self._compiled
        )

    def get_concrete_function(self, *args, **kwargs):
        """Return the function; there is one for all arguments."""
        return self

    def experimental_get_tracing_count(self):
        """Return 1: nothing is traced anew."""
        return 1


def function(
    func=None,
    input_signature=None,
    autograph=True,
    jit_compile=None,
    reduce_retracing=False,
    experimental_implements=None,
    experimental_autograph_options=None,
    experimental_attributes=None,
    experimental_relax_shapes=None,
    experimental_compile=None,
    experimental_follow_type_hints=None,
):
    """Return a function that runs as it stands, or compiled.

    Args:
        func: The function; left out, a decorator is returned.
        input_signature: `TensorSpec`s that arguments must fit.
        autograph: Accepted; Python's own `if`, `for` and `while` run on tensors here.
        jit_compile, experimental_compile: Whether `torch.compile` compiles the function.
        reduce_retracing, experimental_implements, experimental_autograph_options, experimental_attributes,
            experimental_relax_shapes, experimental_follow_type_hints: Accepted; nothing is traced.

    Source: `tf.function`. Differs: Python side effects happen at every call.
    """
    if func is None:
        return lambda func: function(
            func, input_signature, jit_compile=jit_compile, experimental_compile=experimental_compile
        )
    signature = None if input_signature is None else tuple(input_signature)
    return Function(func, signature, bool(jit_compile or experimental_compile))


def run_functions_eagerly(run_eagerly):
    """Let functions with `jit_compile=True` run as plain Python, too."""
    _eager["always"] = bool(run_eagerly)


def functions_run_eagerly():
    """Return whether no function is compiled."""
    return _eager["always"]


def py_function(func=None, inp=None, Tout=None, name=None):
    """Call a function with tensors and return its results as tensors of the dtypes `Tout`."""
    return _typed(func(*map(convert, inp)), Tout)


def numpy_function(func=None, inp=None, Tout=None, stateful=True, name=None):
    """Call a function with NumPy arrays and return its results as tensors of the dtypes `Tout`."""
    return _typed(func(*(convert(value).numpy() for value in inp)), Tout)


def _typed(results, kinds):
    if isinstance(kinds, (list, tuple)):
        results = results if isinstance(results, (list, tuple)) else [results]
        return [_typed(result, kind) for result, kind in zip(results, kinds, strict=True)]
    if kinds is None:
        return results
    return convert(results, dtypes.as_dtype(getattr(kinds, "dtype", kinds)))


def stop_gradient(input, name=None):
    """Return `input`, through which no gradient flows."""
    return convert(input).detach()


def custom_gradient(f=None):
    """Let a function have a gradient of its own.

    Args:
        f: Function of tensors that returns its result and a function from the gradient of the result to those
            of the arguments. It may take `variables`, the variables it uses, as TensorFlow's does: then the
            second function returns a pair, whose second part is not used.

    Source: `tf.custom_gradient`. Differs: gradients of variables that `f` uses are not its own.
    """

    @functools.wraps(f)
    def called(*args):
        return _single(_CustomGradient.apply(f, *map(convert, args)))

    return called


class _CustomGradient(torch.autograd.Function):
    @staticmethod
    def forward(context, function, *args):
        """Compute the results, and keep the function of the gradient."""
        results, context.gradient = function(*(wrap(arg.detach()) for arg in args))
        return tuple(results) if isinstance(results, (tuple, list)) else (results,)

    @staticmethod
    def backward(context, *upstream):
        """Compute the gradients of the arguments."""
        gradients = context.gradient(*map(wrap, upstream))
        return None, *(gradients if isinstance(gradients, (tuple, list)) else (gradients,))


def _single(results):
    return wrap(results[0]) if len(results) == 1 else tuple(map(wrap, results))


def recompute_grad(f):
    """Let a function be computed again in the backward pass instead of keeping what is inside it."""

    @functools.wraps(f)
    def called(*args, **kwargs):
        return checkpoint(f, *args, use_reentrant=False, **kwargs)

    return called


def do_not_convert(func=None):
    """Return the function: no function is converted."""
    return func if func is not None else do_not_convert


__all__ = [
    "custom_gradient",
    "function",
    "numpy_function",
    "py_function",
    "recompute_grad",
    "stop_gradient",
]
