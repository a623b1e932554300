"""Axes moved, split and joined as a pattern says."""

import math
import re

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensor

_TOKENS = re.compile(r"\.\.\.|[A-Za-z_]\w*|1|\(|\)|\S")


@operation(family="einops")
def rearrange(tensor, pattern, **axes_lengths):
    """Return a tensor with its axes moved, split and joined, as in the library einops.

    Args:
        tensor: Tensor.
        pattern: `"b (h block) c -> b h (block c)"`: the axes before and after by name, those in parentheses
            joined to one; `...` stands for any axes, `1` for one of size 1.
        **axes_lengths: Sizes of axes, of which one in each pair of parentheses may be left out.

    Raises:
        ValueError: a pattern that cannot be read or does not fit the shape.

    Source: Keras 3 `keras.ops.rearrange`, which lacks `...` and `1`; the notation of einops (Rogozhnikov,
    ICLR 2022).
    """
    tensor = as_tensor(tensor)
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError(f"rearrange: expected a pattern with one '->', got {pattern!r}.")
    left, right = (_parse(side, pattern) for side in sides)
    rest = [f"...{i}" for i in range(tensor.ndim - len(left) + 1)] if "..." in left else []
    left, right = _without_ellipsis(left, rest), _without_ellipsis(right, rest)
    if len(left) != tensor.ndim:
        raise ValueError(
            f"rearrange: the pattern {pattern!r} has {len(left)} axes on the left, and the tensor has shape "
            f"{tuple(tensor.shape)}."
        )
    sizes = _sizes(left, tuple(tensor.shape), axes_lengths, pattern)
    before, after = [n for group in left for n in group], [n for group in right for n in group]
    if len(set(before)) != len(before) or sorted(before) != sorted(after):
        raise ValueError(
            f"rearrange: every axis must be once on each side of the pattern, got {pattern!r}. Nothing is "
            "repeated or reduced here."
        )
    unknown = set(axes_lengths) - set(before)
    if unknown:
        raise ValueError(f"rearrange: the sizes {sorted(unknown)} are of no axis in {pattern!r}.")
    split = tensor.reshape([sizes[name] for name in before])
    moved = split.permute([before.index(name) for name in after])
    return moved.reshape([math.prod([sizes[name] for name in group]) for group in right])


def _parse(side, pattern):
    """Return one side of a pattern as a list of groups of names, and `"..."` where that is in no group."""
    groups, open_group = [], None
    for token in _TOKENS.findall(side):
        if token == "(" and open_group is None:
            open_group = []
        elif token == ")" and open_group is not None:
            groups.append(open_group)
            open_group = None
        elif token == "1":
            groups += [[]] if open_group is None else []
        elif open_group is not None and (token == "..." or token.isidentifier()):
            open_group.append(token)
        elif token == "..." or token.isidentifier():
            groups.append(token if token == "..." else [token])
        else:
            raise ValueError(f"rearrange: cannot read {token!r} in the pattern {pattern!r}.")
    if open_group is not None:
        raise ValueError(f"rearrange: a parenthesis is not closed in the pattern {pattern!r}.")
    return groups


def _without_ellipsis(groups, rest):
    replaced = []
    for group in groups:
        if group == "...":
            replaced += [[name] for name in rest]
        else:
            replaced.append([n for name in group for n in (rest if name == "..." else [name])])
    return replaced


def _sizes(groups, shape, given, pattern):
    """Return the size of every name on the left."""
    sizes = {}
    for group, size in zip(groups, shape, strict=True):
        open_names = [name for name in group if name not in given]
        known = math.prod([given[name] for name in group if name in given])
        if len(open_names) > 1:
            raise ValueError(
                f"rearrange: the sizes of {open_names} in {pattern!r} are unknown. Pass all but one, for "
                f"example {open_names[0]}=2."
            )
        if size % known or (not open_names and size != known):
            raise ValueError(
                f"rearrange: an axis of size {size} cannot be ({' '.join(group)}) with the sizes {given}, in "
                f"the pattern {pattern!r}."
            )
        sizes.update({name: given.get(name, size // known) for name in group})
    return sizes
