"""Functions on nested structures, under Keras's names.

Containers are lists, tuples, named tuples, deques and dicts (plain ones are walked in the order of their
sorted keys, ordered ones in their own); objects of other classes, subclasses of these included, are
leaves. `None` is a leaf.
"""

from collections import OrderedDict, defaultdict, deque

import torch

__all__ = [
    "MAP_TO_NONE",
    "assert_same_paths",
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "map_structure_up_to",
    "pack_sequence_as",
    "traverse",
]

_SEQUENCES = (list, tuple, deque, torch.Size)
_MAPPINGS = (dict, OrderedDict, defaultdict)


class MAP_TO_NONE:
    """What a function given to `traverse` returns (the class itself) to put `None` in place of a part."""


def is_nested(structure):
    """Whether `structure` is a container that these functions look into.

    Source: Keras 3 `keras.tree.is_nested`.
    """
    kind = type(structure)
    return (
        kind in _SEQUENCES
        or kind in _MAPPINGS
        or (isinstance(structure, tuple) and hasattr(structure, "_fields"))
    )


def flatten(structure):
    """Return the leaves as a flat list.

    Source: Keras 3 `keras.tree.flatten`.
    """
    return [leaf for _, leaf in flatten_with_path(structure)]


def flatten_with_path(structure):
    """Return `(path, leaf)` pairs; a path is a tuple of keys and indices.

    Source: Keras 3 `keras.tree.flatten_with_path`.
    """
    if not is_nested(structure):
        return [((), structure)]
    return [
        ((key, *path), leaf)
        for key, part in zip(_keys(structure), _parts(structure), strict=True)
        for path, leaf in flatten_with_path(part)
    ]


def map_structure(func, *structures, none_is_leaf=True):
    """Apply `func` leaf by leaf to structures of one form, and return the results in the form of the first.

    Args:
        func: Called with one leaf of every structure. Where the first structure ends in a leaf, the others
            may go on: they give their parts.
        *structures: One structure or more.
        none_is_leaf: Whether `func` is called on `None`; otherwise `None` stays.

    Raises:
        ValueError: structures of other forms.
        TypeError: `func` is not callable.

    Source: Keras 3 `keras.tree.map_structure`.
    """
    _check_callable("map_structure", func)
    if not structures:
        raise ValueError("map_structure: Must provide at least one structure, got none.")

    def apply(*leaves):
        if none_is_leaf or leaves[0] is not None:
            return func(*leaves)
        if any(leaf is not None for leaf in leaves):
            raise ValueError(
                "map_structure: Structure mismatch: some arguments are None, others are not, got "
                f"{leaves}. Pass structures "
                "with `None` in the same places."
            )
        return None

    return _map(apply, structures, ())


def map_structure_up_to(shallow_structure, func, *structures):
    """Apply `func` to the parts of `structures` that stand where `shallow_structure` has leaves.

    Args:
        shallow_structure: Says how deep to go; its leaves do not matter.
        func: Called with one part of every structure.
        *structures: Structures that go at least as deep.

    Raises:
        ValueError: a structure that does not go as deep, or has another form up to there.
        TypeError: `func` is not callable.

    Source: Keras 3 `keras.tree.map_structure_up_to`.
    """
    _check_callable("map_structure_up_to", func)
    if not structures:
        raise ValueError("map_structure_up_to: Must provide at least one structure, got none.")
    return _map(lambda _, *parts: func(*parts), (shallow_structure, *structures), ())


def map_shape_structure(func, structure):
    """Apply `func` to the shapes in a structure of shapes: tuples and lists of integers and `None`.

    Source: Keras 3 `keras.tree.map_shape_structure`.
    """
    _check_callable("map_shape_structure", func)
    if not is_nested(structure) or _is_shape(structure):
        return func(structure)
    return _rebuild(structure, [map_shape_structure(func, part) for part in _parts(structure)])


def pack_sequence_as(structure, flat_sequence):
    """Put the members of `flat_sequence` in the places of the leaves of `structure`.

    Raises:
        ValueError: another number of members than leaves.
        TypeError: `flat_sequence` is no sequence.

    Source: Keras 3 `keras.tree.pack_sequence_as`.
    """
    try:
        members = list(flat_sequence)
    except TypeError:
        raise TypeError(
            f"pack_sequence_as: expected `flat_sequence` to be a sequence, got {flat_sequence!r}. Pass a "
            "list of leaves."
        ) from None
    count = len(flatten(structure))
    if len(members) != count:
        raise ValueError(
            f"pack_sequence_as: the structure has {count} leaves, got {len(members)} values. Pass one "
            "value a leaf."
        )
    remaining = iter(members)
    return _map(lambda _: next(remaining), (structure,), ())


def traverse(func, structure, top_down=True):
    """Replace parts of a structure, containers included, by what `func` returns for them.

    Args:
        func: Called with a part; `None` keeps the part, `MAP_TO_NONE` replaces it by `None`.
        structure: Any structure.
        top_down: Whether a container is seen before its parts, which are then not seen if it is replaced;
            otherwise after.

    Raises:
        TypeError: `func` is not callable.

    Source: Keras 3 `keras.tree.traverse`.
    """
    _check_callable("traverse", func)
    if top_down or not is_nested(structure):
        replaced = func(structure)
        if replaced is not None:
            return None if replaced is MAP_TO_NONE else replaced
        if not is_nested(structure):
            return structure
        return _rebuild(structure, [traverse(func, part) for part in _parts(structure)])
    rebuilt = _rebuild(structure, [traverse(func, part, top_down=False) for part in _parts(structure)])
    replaced = func(rebuilt)
    if replaced is None:
        return rebuilt
    return None if replaced is MAP_TO_NONE else replaced


def lists_to_tuples(structure):
    """Return the structure with tuples in place of lists.

    Source: Keras 3 `keras.tree.lists_to_tuples`.
    """
    return traverse(lambda part: tuple(part) if isinstance(part, list) else None, structure, top_down=False)


def assert_same_structure(a, b, check_types=None):
    """Check that two structures have the same containers, keys and lengths; all kinds of dict count as one.

    Args:
        a, b: The structures.
        check_types: Without effect, as in Keras; `assert_same_paths` takes lists for tuples.

    Raises:
        ValueError: they differ.

    Source: Keras 3 `keras.tree.assert_same_structure`.
    """

    def check(first, second):
        if is_nested(second):
            raise ValueError(
                f"Structures don't have the same nested structure: {first!r} stands where the other has "
                f"{second!r}."
            )

    _map(check, (a, b), ())


def assert_same_paths(a, b):
    """Check that two structures have leaves at the same paths, whatever the containers are.

    Raises:
        ValueError: they differ; the text names the paths.

    Source: Keras 3 `keras.tree.assert_same_paths`.
    """
    first, second = ({path for path, _ in flatten_with_path(structure)} for structure in (a, b))
    if first == second:
        return
    message = "`a` and `b` don't have the same paths."
    for names, missing in (("`a` missing in `b`", first - second), ("`b` missing in `a`", second - first)):
        if missing:
            message += f"\nPaths in {names}:\n{missing}"
    raise ValueError(message)


def _check_callable(owner, func):
    if not callable(func):
        raise TypeError(f"{owner}: `func` must be callable, got {func!r}. Pass a function of the leaves.")


def _keys(structure):
    if type(structure) is OrderedDict:
        return list(structure)
    return sorted(structure) if isinstance(structure, dict) else range(len(structure))


def _parts(structure):
    return [structure[key] for key in _keys(structure)] if isinstance(structure, dict) else list(structure)


def _rebuild(template, parts):
    """Return a container of the kind and keys of `template` with other parts."""
    kind = type(template)
    if kind in _MAPPINGS:
        found = dict(zip(_keys(template), parts, strict=True))
        ordered = {key: found[key] for key in template}
        return defaultdict(template.default_factory, ordered) if kind is defaultdict else kind(ordered)
    if kind is torch.Size:
        return tuple(parts)
    if kind is deque:
        return deque(parts, template.maxlen)
    return kind(*parts) if hasattr(template, "_fields") else kind(parts)


def _map(func, structures, path):
    first, *others = structures
    if not is_nested(first):
        return func(*structures)
    for other in others:
        _check_alike(first, other, path)
    if isinstance(first, dict):
        keys = _keys(first)
        mapped = [_map(func, [s[key] for s in structures], (*path, key)) for key in keys]
    else:
        columns = zip(*structures, strict=True)
        mapped = [_map(func, parts, (*path, index)) for index, parts in enumerate(columns)]
    return _rebuild(first, mapped)


def _check_alike(first, other, path):
    """Raise where `other` is no container of the kind, keys and length of `first`."""
    kind, got = type(first), type(other)
    place = f" at path {path}" if path else ""
    if kind is not got and not (kind in _MAPPINGS and got in _MAPPINGS):
        raise ValueError(
            f"Structures differ{place}: node type mismatch; expected {kind.__name__}, but got {got.__name__}."
        )
    if isinstance(first, dict) and first.keys() != other.keys():
        raise ValueError(
            f"Structures differ{place}: node keys mismatch; missing key(s): "
            f"{first.keys() - other.keys()}; extra key(s): "
            f"{other.keys() - first.keys()}."
        )
    if len(first) != len(other):
        raise ValueError(
            f"Structures differ{place}: node arity mismatch; expected {len(first)}, but got {len(other)}."
        )


def _is_shape(structure):
    return isinstance(structure, (list, tuple)) and all(
        isinstance(size, (int, type(None))) for size in structure
    )
