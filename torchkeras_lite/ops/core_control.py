"""Loops and branches over tensors: plain Python, which `torch.compile` and `torch.export` unroll or refuse.

The functions that they are given may return nested tensors.
"""

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.engine import shapes
from torchkeras_lite.engine.keras_tensor import KerasTensor, any_symbolic
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensor


def _check_callable(owner, name, function):
    if not callable(function):
        raise TypeError(f"{owner}: `{name}` should be a callable. Received: {name}={function}.")


def _tensors(structure):
    return nested.map_structure(as_tensor, structure)


def cond(pred, true_fn, false_fn):
    """Return what one of two functions returns.

    Args:
        pred: Boolean, a number or a tensor of one element. Where it is symbolic, both functions run and
            their tensors are selected.
        true_fn, false_fn: Functions without arguments.

    Source: Keras 3 `keras.ops.cond`.
    """
    if isinstance(pred, KerasTensor):
        first, second = true_fn(), false_fn()
        if any_symbolic((first, second)):
            return nested.map_structure(lambda a, b: torch.where(pred, a, b), first, second)
    return _cond(pred, true_fn, false_fn)


@operation(tensors=3, name="Cond", family="core")
def _cond(pred, true_fn, false_fn):
    if not shapes.is_probing():
        return true_fn() if pred else false_fn()
    first, second = true_fn(), false_fn()
    found = [[tuple(getattr(leaf, "shape", ())) for leaf in nested.flatten(x)] for x in (first, second)]
    if found[0] != found[1]:
        raise ValueError(
            f"cond: `true_fn` and `false_fn` must return the same shapes, got {found[0]} and {found[1]}."
        )
    return first


@operation(tensors="all")
def switch(index, branches, *operands):
    """Return what one of several functions returns.

    Args:
        index: Which of them, an integer; numbers outside count as the first or the last.
        branches: Functions.
        *operands: Their arguments.

    Source: Keras 3 `keras.ops.switch`.
    """
    index = 0 if shapes.is_probing() else int(index)
    return branches[min(max(index, 0), len(branches) - 1)](*operands)


@operation(tensors=("loop_vars",))
def while_loop(cond, body, loop_vars, maximum_iterations=None):
    """Return the loop variables after as many steps as a condition holds.

    Args:
        cond: Function of the variables that returns whether another step is made.
        body: Function of the variables that returns the new ones.
        loop_vars: A tuple or list of variables, or a single one.
        maximum_iterations: Largest number of steps.

    Returns:
        The variables as tensors, a tuple, or a single one.

    Source: Keras 3 `keras.ops.while_loop`.
    """
    single = not isinstance(loop_vars, (tuple, list))
    variables = _tensors((loop_vars,) if single else tuple(loop_vars))
    if shapes.is_probing():  # without values there may be no end, and shapes stay as they are
        return variables[0] if single else variables
    steps = 0
    while (maximum_iterations is None or steps < maximum_iterations) and cond(*variables):
        variables = body(*variables)
        variables = tuple(variables) if isinstance(variables, (tuple, list)) else (variables,)
        steps += 1
    variables = _tensors(variables)
    return variables[0] if single else variables


@operation(tensors=("init_val",))
def fori_loop(lower, upper, body_fun, init_val):
    """Return a value after the steps `lower`, `lower + 1`, ... up to but not including `upper`.

    Args:
        lower, upper: Integers.
        body_fun: Function of the number of the step and the value, that returns the new value.
        init_val: The value at the start.

    Source: Keras 3 `keras.ops.fori_loop`.
    """
    value = init_val
    if shapes.is_probing():
        return _tensors(value)
    for step in range(int(lower), int(upper)):
        value = body_fun(step, value)
    return value


@operation(tensors=("init", "xs"))
def scan(f, init, xs=None, length=None, reverse=False, unroll=1):
    """Run a function over the slices of tensors, each with what the one before handed on.

    Args:
        f: Function of the carry and the slices, that returns the new carry and an output (or `None`).
        init: The carry at the start, nested tensors.
        xs: Nested tensors, sliced along the first axis; `None`: `f` gets `None`.
        length: How many steps; needed without `xs`.
        reverse: Whether the last slices come first. Outputs stay in the order of the slices.
        unroll: A positive integer or a boolean, for Keras on JAX: there is nothing to unroll here.

    Returns:
        The last carry, and the outputs, stacked along a new first axis.

    Raises:
        TypeError: `f` is no function.
        ValueError: neither `xs` nor `length`, sizes that differ, another `unroll`.

    Source: Keras 3 `keras.ops.scan`.
    """
    _check_callable("scan", "f", f)
    if not isinstance(unroll, bool) and (not isinstance(unroll, int) or unroll < 1):
        raise ValueError(f"scan: `unroll` must be an positive integer or boolean. Received: unroll={unroll}.")
    if xs is None and length is None:
        raise ValueError("scan: Got no `xs` to scan over and `length` not provided. Pass one of them.")
    carry = _tensors(init)
    leaves = [as_tensor(x) for x in nested.flatten(xs)] if xs is not None else []
    sizes = {x.shape[0] for x in leaves} | ({int(length)} if length is not None else set())
    if len(sizes) != 1:
        raise ValueError(
            f"scan: expected `xs` of one size on the first axis, `length` if that is given, got {sizes}."
        )
    steps, outputs = range(sizes.pop()), []
    for step in reversed(steps) if reverse else steps:
        x = nested.pack_like(xs, [leaf[step] for leaf in leaves]) if leaves else None
        carry, output = f(carry, x)
        outputs.append(output)
    return carry, _stack(outputs[::-1] if reverse else outputs)


def _stack(outputs):
    """Return nested tensors, stacked along a new first axis; `None` stays `None`."""

    def stack(*parts):
        return None if parts[0] is None else torch.stack([as_tensor(part) for part in parts])

    return nested.map_structure(stack, *outputs) if outputs else None


@operation(tensors=("elems",))
def associative_scan(f, elems, reverse=False, axis=0):
    """Combine slices from the first up to each: sums so far, products so far, and their like.

    Args:
        f: Associative function of two nested tensors of slices, which keeps their shapes.
        elems: Nested tensors.
        reverse: Whether slices are combined from the last on.
        axis: The axis of the slices.

    Returns:
        Nested tensors like `elems`.

    Raises:
        TypeError: `f` is no function.
        ValueError: sizes that differ.

    Source: Keras 3 `keras.ops.associative_scan`; Blelloch 1990. `f` runs on many slices at once, about 2
    log2(n) times.
    """
    _check_callable("associative_scan", "f", f)
    leaves = [as_tensor(x) for x in nested.flatten(elems)]
    axis = axis % leaves[0].ndim
    sizes = [x.shape[axis] for x in leaves]
    if len(set(sizes)) != 1:
        raise ValueError(
            "associative_scan: Array inputs must have the same first dimension, or that of `axis`. (saw: "
            f"{[tuple(x.shape) for x in leaves]}, axis {axis})"
        )
    if reverse:
        leaves = [x.flip(axis) for x in leaves]

    def combine(first, second):
        return nested.flatten(f(nested.pack_like(elems, first), nested.pack_like(elems, second)))

    scanned = _scan_pairs(combine, leaves, axis)
    return nested.pack_like(elems, [x.flip(axis) for x in scanned] if reverse else scanned)


def _scan_pairs(combine, leaves, axis):
    """Combine neighbours, scan the pairs, and combine what is between."""

    def every_second(tensors, start, stop=None):
        part = (*(slice(None) for _ in range(axis)), slice(start, stop, 2))
        return [x[part] for x in tensors]

    size = leaves[0].shape[axis]
    if size < 2:
        return leaves
    pairs = combine(every_second(leaves, 0, size - size % 2), every_second(leaves, 1))
    odd = _scan_pairs(combine, pairs, axis)
    count = (size - 1) // 2
    first = [x.narrow(axis, 0, 1) for x in leaves]
    if count:
        between = combine([x.narrow(axis, 0, count) for x in odd], every_second(leaves, 2))
        even = [torch.cat(parts, axis) for parts in zip(first, between, strict=True)]
    else:
        even = first
    outputs = []
    for a, b in zip(even, odd, strict=True):
        joined = torch.stack([a.narrow(axis, 0, b.shape[axis]), b], axis + 1).flatten(axis, axis + 1)
        outputs.append(torch.cat([joined, a.narrow(axis, size // 2, 1)], axis) if size % 2 else joined)
    return outputs


@operation(tensors=("xs",))
def map(f, xs):
    """Run a function on every slice along the first axis, one after the other, and stack the results.

    Args:
        f: Function of the slices.
        xs: Nested tensors.

    Source: Keras 3 `keras.ops.map`. `vectorized_map` runs on all slices at once.
    """
    _check_callable("map", "f", f)
    return scan(lambda carry, x: (carry, f(x)), (), xs)[1]


@operation(tensors=("elements",))
def vectorized_map(function, elements):
    """Run a function on all slices along the first axis at once.

    Args:
        function: Function of the slices.
        elements: Nested tensors.

    Source: Keras 3 `keras.ops.vectorized_map`; torch's `torch.func.vmap`. Random numbers differ between the
    slices.
    """
    return torch.func.vmap(function, randomness="different")(_tensors(elements))
