"""Functions of single values or vectors, made functions of whole tensors."""

import functools
import re

import torch

from torchkeras_lite.ops.inputs import as_tensor

_SHAPE = r"\(([^()]*)\)"


def vectorize(pyfunc, *, excluded=None, signature=None):
    """Return a function that calls `pyfunc` for every place of its broadcast arguments, by `torch.vmap`.

    Args:
        pyfunc: Function of tensors without axes, or of those that `signature` says.
        excluded: Numbers and names of arguments that are handed on whole.
        signature: Axes that `pyfunc` itself takes and returns, such as `"(m,n),(n)->(m)"`.

    Raises:
        ValueError: `pyfunc` is not callable, or a signature that cannot be read.

    Source: Keras 3 `keras.ops.vectorize`.
    """
    if not callable(pyfunc):
        raise ValueError(f"vectorize: Expected argument `pyfunc` to be a callable, got {pyfunc!r}.")
    excluded = set(excluded or ())
    cores = None if signature is None else _read_signature(signature)

    @functools.wraps(pyfunc)
    def vectorized(*args, **kwargs):
        chosen = [place for place in range(len(args)) if place not in excluded]
        names = [] if cores else [name for name in kwargs if name not in excluded]
        given = [as_tensor(args[place]) for place in chosen] + [as_tensor(kwargs[name]) for name in names]
        counts = [0] * len(given) if cores is None else cores
        if len(counts) != len(given):
            raise ValueError(
                f"vectorize: signature {signature!r} names {len(counts)} arguments, got {len(given)}."
            )

        def call(*tensors):
            filled, named = list(args), dict(kwargs)
            for place, tensor in zip(chosen, tensors, strict=False):
                filled[place] = tensor
            named.update(zip(names, tensors[len(chosen) :], strict=True))
            return pyfunc(*filled, **named)

        return _map(call, given, counts)

    return vectorized


def _map(function, tensors, counts):
    """Call `function` under one `vmap` for each axis that the arguments have before their own `counts`."""
    loops = [x.shape[: x.ndim - count] for x, count in zip(tensors, counts, strict=True)]
    shape = torch.broadcast_shapes(*loops)
    expanded = [
        x.expand(*shape, *x.shape[x.ndim - count :]) for x, count in zip(tensors, counts, strict=True)
    ]
    for _ in shape:
        function = torch.vmap(function)
    return function(*expanded)


def _read_signature(signature):
    """Return how many axes each argument has in a signature such as `"(m,n),(n)->(m)"`."""
    text = signature.replace(" ", "")
    if not re.fullmatch(rf"{_SHAPE}(,{_SHAPE})*->{_SHAPE}(,{_SHAPE})*", text):
        raise ValueError(f"vectorize: expected a signature such as '(m,n),(n)->(m)', got {signature!r}.")
    inputs = re.findall(_SHAPE, text.partition("->")[0])
    return [len(axes.split(",")) if axes else 0 for axes in inputs]
