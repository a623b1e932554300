"""`tree`: structures are taken apart and put together as Keras does it."""

import itertools
import warnings
from collections import OrderedDict, defaultdict, deque, namedtuple

import keras
import pytest
import torch

from torchkeras_lite import tree

Point = namedtuple("Point", "x y")


def answer(call):
    """What a call returns, or the kind of error it ends in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call()
        except Exception as error:
            return ValueError if isinstance(error, ValueError) else TypeError


class OwnList(list):
    """No container for trees."""


STRUCTURES = [
    3,
    None,
    "text",
    [],
    {},
    (1, [2, None]),
    {"b": [1, (2, None)], "a": Point(3, [4])},
    OrderedDict(b=1, a=(2,)),
    defaultdict(int, {"b": 1, "a": 2}),
    deque([1, [2]]),
    {2: "x", 1: "y"},
    {1, 2},
    OwnList([1]),
    torch.Size([1, 2]),
]
OTHERS = [
    [1],
    (1,),
    1,
    {"a": 1},
    {"b": 1},
    OrderedDict(a=1),
    [1, 2],
    [[1]],
    [None],
    Point(1, 2),
    (1, 2),
    deque([1]),
]


@pytest.mark.parametrize("structure", STRUCTURES, ids=repr)
def test_trees_are_taken_apart_as_kerass(structure):
    for name in ("flatten", "flatten_with_path", "is_nested", "lists_to_tuples"):
        assert getattr(tree, name)(structure) == getattr(keras.tree, name)(structure)
    mine, his = ([], [])
    tree.traverse(mine.append, structure)
    keras.tree.traverse(his.append, structure)
    tree.traverse(mine.append, structure, top_down=False)
    keras.tree.traverse(his.append, structure, top_down=False)
    assert mine == his


@pytest.mark.parametrize("structure", STRUCTURES, ids=repr)
def test_trees_are_put_together_as_kerass(structure):
    leaves = list(range(10, 10 + len(tree.flatten(structure))))
    for name, args in (("pack_sequence_as", (structure, leaves)), ("map_structure", (str, structure))):
        mine, his = getattr(tree, name)(*args), getattr(keras.tree, name)(*args)
        assert type(mine) is type(his)
        assert mine == his
        assert str(mine) == str(his) or isinstance(mine, dict)
    for wrong in ([*leaves, 1], 5):
        args = (structure, wrong)
        assert answer(lambda args=args: tree.pack_sequence_as(*args)) == answer(
            lambda args=args: keras.tree.pack_sequence_as(*args)
        )


@pytest.mark.parametrize(
    "name", ["assert_same_structure", "assert_same_paths", "map_structure", "map_structure_up_to"]
)
def test_pairs_of_trees_are_kerass(name):
    def result(room, first, second):
        if name == "map_structure":
            return room.map_structure(lambda *leaves: leaves, first, second)
        if name == "map_structure_up_to":
            return room.map_structure_up_to(first, lambda *leaves: leaves, second, second)
        return getattr(room, name)(first, second)

    for first, second in itertools.product(OTHERS, OTHERS):
        expected = answer(lambda f=first, s=second: result(keras.tree, f, s))
        assert answer(lambda f=first, s=second: result(tree, f, s)) == expected, (first, second)


@pytest.mark.parametrize("top_down", [True, False])
@pytest.mark.parametrize("kind", [int, list, tuple, dict])
def test_traversals_are_kerass(kind, top_down):
    structure = {"b": [1, (2, [3])], "a": [[4], Point(5, {"c": 6})]}

    def replace(part):
        return (type(part).__name__,) if isinstance(part, kind) else None

    assert tree.traverse(replace, structure, top_down) == keras.tree.traverse(replace, structure, top_down)
    assert tree.traverse(
        lambda part: tree.MAP_TO_NONE if isinstance(part, kind) else None, structure, top_down
    ) == keras.tree.traverse(
        lambda part: keras.tree.MAP_TO_NONE if isinstance(part, kind) else None, structure, top_down
    )


@pytest.mark.parametrize(
    "shapes",
    [
        (1, 2),
        [1, 2],
        None,
        (),
        [None, (2,)],
        [(1, None), Point((1,), [2])],
        {"a": 1},
        Point(1, 2),
        [(1, "a")],
    ],
    ids=repr,
)
def test_shapes_are_mapped_as_kerass(shapes):
    mark = lambda shape: ("mapped", shape)
    assert tree.map_shape_structure(mark, shapes) == keras.tree.map_shape_structure(mark, shapes)


@pytest.mark.parametrize(
    "structures", [([None, 1],), ([None, 1], [None, 4]), ([2, 1], [None, 4]), ([None], [3])], ids=str
)
def test_none_may_stay(structures):
    mark = lambda *leaves: ("mapped", leaves)
    expected = answer(lambda: keras.tree.map_structure(mark, *structures, none_is_leaf=False))
    assert answer(lambda: tree.map_structure(mark, *structures, none_is_leaf=False)) == expected


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tree.map_structure(3, [1]), TypeError, "map_structure: `func` must be callable, got 3"),
        (lambda: tree.map_structure(str), ValueError, "Must provide at least one structure"),
        (lambda: tree.map_structure_up_to([1], str), ValueError, "Must provide at least one structure"),
        (
            lambda: tree.map_structure(max, {"a": [1]}, {"a": (1,)}),
            ValueError,
            r"at path \('a',\): node type mismatch; expected list, but got tuple",
        ),
        (
            lambda: tree.map_structure(max, [1], [1, 2]),
            ValueError,
            "node arity mismatch; expected 1, but got 2",
        ),
        (
            lambda: tree.map_structure(max, {"a": 1}, {"b": 1}),
            ValueError,
            r"missing key\(s\): {'a'}; extra key",
        ),
        (lambda: tree.pack_sequence_as([1], [1, 2]), ValueError, "the structure has 1 leaves, got 2 values"),
        (lambda: tree.assert_same_paths([1], [1, 2]), ValueError, r"(?s)don't have the same paths.*\(1,\)"),
    ],
)
def test_messages_of_trees(call, error, message):
    with pytest.raises(error, match=message):
        call()
