"""Nested structures of lists, tuples, named tuples and dicts.

Dicts are walked in sorted key order, ordered dicts in their own, as in Keras.
"""

from collections import OrderedDict


def is_nested(structure):
    """Whether `structure` is a container that these functions look into."""
    return isinstance(structure, (list, tuple, dict))


def _sorted_keys(mapping):
    if isinstance(mapping, OrderedDict):
        return list(mapping)
    try:
        return sorted(mapping)
    except TypeError:
        return list(mapping)


def flatten(structure):
    """Return the leaves of `structure` as a flat list. `None` is a leaf."""
    if isinstance(structure, dict):
        return [leaf for key in _sorted_keys(structure) for leaf in flatten(structure[key])]
    if isinstance(structure, (list, tuple)):
        return [leaf for part in structure for leaf in flatten(part)]
    return [structure]


def flatten_with_path(structure, path=()):
    """Return `(path, leaf)` pairs; a path is a tuple of keys and indices."""
    if isinstance(structure, dict):
        parts = [(key, structure[key]) for key in _sorted_keys(structure)]
    elif isinstance(structure, (list, tuple)):
        parts = list(enumerate(structure))
    else:
        return [(path, structure)]
    return [pair for key, part in parts for pair in flatten_with_path(part, (*path, key))]


def like(template, parts):
    """Return `parts`, a list, in the kind of list or tuple that `template` is."""
    if isinstance(template, tuple) and hasattr(template, "_fields"):
        return type(template)(*parts)
    if hasattr(template, "n_sequence_fields"):  # torch.return_types, as `torch.max(x, dim)` gives
        return type(template)(parts)
    return (
        type(template)(parts)
        if type(template) in (list, tuple)
        else (tuple(parts) if isinstance(template, tuple) else list(parts))
    )


def map_structure(function, *structures):
    """Apply `function` leaf by leaf to structures of one form and return the results in that form."""
    first = structures[0]
    if isinstance(first, dict):
        mapped = {key: map_structure(function, *(s[key] for s in structures)) for key in _sorted_keys(first)}
        kind = OrderedDict if isinstance(first, OrderedDict) else dict
        return kind((key, mapped[key]) for key in first)
    if isinstance(first, (list, tuple)):
        if any(len(s) != len(first) for s in structures[1:]):
            raise ValueError(
                f"Structures differ: lengths {[len(s) for s in structures]}. Pass structures of one form."
            )
        return like(first, [map_structure(function, *parts) for parts in zip(*structures, strict=True)])
    return function(*structures)


def unpack_single(structure):
    """Return what a list or tuple of length 1 holds; everything else as it is."""
    single = isinstance(structure, (list, tuple)) and len(structure) == 1
    return structure[0] if single else structure


def pack_like(template, leaves):
    """Put `leaves`, in the order of `flatten(template)`, into the form of `template`."""
    remaining = iter(leaves)
    packed = map_structure(lambda _: next(remaining), template)
    return packed


def same_structure(first, second):
    """Whether both structures have the same containers, keys and lengths (lists and tuples count as one)."""
    if isinstance(first, dict) or isinstance(second, dict):
        return (
            isinstance(first, dict)
            and isinstance(second, dict)
            and first.keys() == second.keys()
            and all(same_structure(first[key], second[key]) for key in first)
        )
    if isinstance(first, (list, tuple)) or isinstance(second, (list, tuple)):
        return (
            isinstance(first, (list, tuple))
            and isinstance(second, (list, tuple))
            and len(first) == len(second)
            and all(map(same_structure, first, second))
        )
    return True
