"""Branches, loops and maps as functions; `TensorArray`."""

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.arranging import concat, stack, unstack
from torchkeras_lite.tf.conversion import convert
from torchkeras_lite.tf.creation import zeros
from torchkeras_lite.tf.indexing import gather


def cond(pred, true_fn=None, false_fn=None, name=None):
    """Return what one of two functions without arguments returns."""
    return true_fn() if pred else false_fn()


def case(pred_fn_pairs, default=None, exclusive=False, strict=False, name="case"):
    """Return what the function of the first condition that holds returns, else what `default` returns.

    Raises:
        ValueError: no condition holds and there is no default; several hold with `exclusive=True`.
    """
    pairs = list(pred_fn_pairs.items() if isinstance(pred_fn_pairs, dict) else pred_fn_pairs)
    chosen = [function for condition, function in pairs if condition]
    if exclusive and len(chosen) > 1:
        raise ValueError(f"case: {len(chosen)} conditions hold, and exclusive=True allows one.")
    if not chosen and default is None:
        raise ValueError("case: no condition holds and there is no `default`.")
    return chosen[0]() if chosen else default()


def switch_case(branch_index, branch_fns, default=None, name="switch_case"):
    """Return what the function with a number returns, or what `default` (else the last one) returns."""
    pairs = [pair if isinstance(pair, tuple) else (number, pair) for number, pair in enumerate(branch_fns)]
    table = branch_fns if isinstance(branch_fns, dict) else dict(pairs)
    last = table[max(table)] if default is None else default
    return table.get(int(branch_index), last)()


def while_loop(
    cond,
    body,
    loop_vars,
    shape_invariants=None,
    parallel_iterations=10,
    back_prop=True,
    swap_memory=False,
    maximum_iterations=None,
    name=None,
):
    """Return the loop variables after as many steps as a condition holds.

    Args:
        cond: Function of the variables.
        body: Function of the variables that returns the new ones.
        loop_vars: The variables at the start, a list or tuple.
        shape_invariants, parallel_iterations, swap_memory, name: Accepted; nothing depends on them.
        back_prop: Whether gradients flow through the steps.
        maximum_iterations: Greatest number of steps.
    """
    values, step = [nested.map_structure(_as_loop_value, value) for value in loop_vars], 0
    limit = None if maximum_iterations is None else int(maximum_iterations)
    with torch.set_grad_enabled(torch.is_grad_enabled() and back_prop):
        while (limit is None or step < limit) and cond(*values):
            new = body(*values)
            values = list(new) if isinstance(new, (list, tuple)) else [new]
            step += 1
    return tuple(values) if isinstance(loop_vars, tuple) else values


def _as_loop_value(value):
    return value if isinstance(value, TensorArray) else convert(value)


def map_fn(
    fn,
    elems,
    dtype=None,
    parallel_iterations=None,
    back_prop=True,
    swap_memory=False,
    infer_shape=True,
    name=None,
    fn_output_signature=None,
):
    """Return what a function makes of each slice along the first axis, stacked.

    Args:
        fn: Function of a slice, or of a structure of slices.
        elems: Tensors of one length, alone or nested.
        dtype, fn_output_signature: Dtype of the results, where they are numbers.
        parallel_iterations, swap_memory, infer_shape, name: Accepted; nothing depends on them.
        back_prop: Whether gradients flow.
    """
    dtype = (
        dtype if fn_output_signature is None else getattr(fn_output_signature, "dtype", fn_output_signature)
    )
    with torch.set_grad_enabled(torch.is_grad_enabled() and back_prop):
        results = [fn(part) for part in _slices(elems)]
    kind = None if dtype is None or nested.is_nested(dtype) else dtype
    return nested.map_structure(lambda *parts: stack([convert(part, kind) for part in parts]), *results)


def _slices(elems):
    columns = [unstack(column) for column in nested.flatten(elems)]
    return [nested.pack_like(elems, row) for row in zip(*columns, strict=True)]


def vectorized_map(fn, elems, fallback_to_while_loop=True, warn=True):
    """Return what a function makes of each slice along the first axis, computed at once by `torch.vmap`.

    With `fallback_to_while_loop`, what torch cannot batch is computed slice by slice.
    """
    elems = nested.map_structure(convert, elems)
    try:
        return torch.vmap(fn)(elems)
    except RuntimeError:
        if not fallback_to_while_loop:
            raise
        return map_fn(fn, elems)


def scan(
    fn,
    elems,
    initializer=None,
    parallel_iterations=10,
    back_prop=True,
    swap_memory=False,
    infer_shape=True,
    reverse=False,
    name=None,
):
    """Return all results of `fn(result before, slice)` along the first axis, stacked.

    Args:
        fn: The function.
        elems: Tensors of one length, alone or nested.
        initializer: The result before the first slice; `None`: the first slice.
        parallel_iterations, swap_memory, infer_shape, name: Accepted; nothing depends on them.
        back_prop: Whether gradients flow.
        reverse: Whether the last slice comes first. Results stay in the order of the slices.
    """
    with torch.set_grad_enabled(torch.is_grad_enabled() and back_prop):
        results = _running(fn, elems, initializer, reverse)
    results = results[::-1] if reverse else results
    return nested.map_structure(lambda *parts: stack(parts), *results)


def foldl(fn, elems, initializer=None, **options):
    """Return the last result of `fn(result before, slice)` along the first axis; see `scan`."""
    return _running(fn, elems, initializer, reverse=False)[-1]


def foldr(fn, elems, initializer=None, **options):
    """Return the last result of `fn(result before, slice)` from the last slice on; see `scan`."""
    return _running(fn, elems, initializer, reverse=True)[-1]


def _running(fn, elems, initializer, reverse):
    parts = _slices(elems)
    parts = parts[::-1] if reverse else parts
    if initializer is None:
        results, parts = [parts[0]], parts[1:]
        value = results[0]
    else:
        results, value = [], nested.map_structure(convert, initializer)
    for part in parts:
        value = fn(value, part)
        results.append(value)
    return results


class TensorArray:
    """A list of tensors that is written at places and stacked.

    Args:
        dtype: Dtype of what is written as numbers.
        size: How many places there are.
        dynamic_size: Whether writing past the end makes more.
        clear_after_read, tensor_array_name, handle, flow, infer_shape, colocate_with_first_write_call, name:
            Accepted; nothing depends on them.
        element_shape: Shape of places that were not written.

    Source: `tf.TensorArray`. `write` changes the array and returns it.
    """

    def __init__(
        self,
        dtype,
        size=None,
        dynamic_size=None,
        clear_after_read=None,
        tensor_array_name=None,
        handle=None,
        flow=None,
        infer_shape=True,
        element_shape=None,
        colocate_with_first_write_call=True,
        name=None,
    ):
        self.dtype = dtypes.as_dtype(dtype)
        self.dynamic_size = bool(dynamic_size)
        self.element_shape = element_shape
        self._parts = [None] * int(size or 0)

    def write(self, index, value, name=None):
        """Put a value at a place, and return the array.

        Raises:
            IndexError: the place is past the end and the size is not dynamic.
        """
        index = int(index)
        if index >= len(self._parts):
            if not self.dynamic_size:
                raise IndexError(
                    f"TensorArray: tried to write to index {index}, but the size is {len(self._parts)} and "
                    "dynamic_size is False."
                )
            self._parts += [None] * (index + 1 - len(self._parts))
        self._parts[index] = convert(value, self.dtype)
        return self

    def read(self, index, name=None):
        """Return the value at a place.

        Raises:
            IndexError: nothing was written there.
        """
        value = self._parts[int(index)]
        if value is None:
            raise IndexError(f"TensorArray: nothing was written at index {int(index)}.")
        return value

    def _all(self):
        written = next((part for part in self._parts if part is not None), None)
        if written is None and self.element_shape is None:
            raise ValueError("TensorArray: nothing was written, and there is no `element_shape`.")
        shape = tuple(self.element_shape) if written is None else tuple(written.shape)
        return [zeros(shape, self.dtype) if part is None else part for part in self._parts]

    def stack(self, name=None):
        """Return all values, stacked along a new first axis; places not written are zeros."""
        return stack(self._all())

    def concat(self, name=None):
        """Return all values, joined along their first axis."""
        return concat(self._all(), 0)

    def gather(self, indices, name=None):
        """Return the values at several places, stacked."""
        return gather(self.stack(), indices)

    def unstack(self, value, name=None):
        """Put the slices of a tensor at the places from 0 on, and return the array."""
        self._parts = unstack(value)
        return self

    def scatter(self, indices, value, name=None):
        """Put the slices of a tensor at several places, and return the array."""
        for index, part in zip(convert(indices).tolist(), unstack(value), strict=True):
            self.write(index, part)
        return self

    def split(self, value, lengths, name=None):
        """Put pieces of a tensor of several lengths at the places from 0 on, and return the array."""
        self._parts = list(torch.split(convert(value), convert(lengths).tolist()))
        return self

    def identity(self):
        """Return a copy."""
        copied = TensorArray(self.dtype, 0, self.dynamic_size, element_shape=self.element_shape)
        copied._parts = list(self._parts)
        return copied

    def size(self, name=None):
        """Return the number of places, a tensor."""
        return convert(len(self._parts))

    def __len__(self):
        return len(self._parts)


__all__ = [
    "TensorArray",
    "case",
    "cond",
    "foldl",
    "foldr",
    "map_fn",
    "scan",
    "switch_case",
    "vectorized_map",
    "while_loop",
]
