"""`tf.nest`: nested structures."""

from torchkeras_lite import tree
from torchkeras_lite.base import nested
from torchkeras_lite.tf.unknown import missing

flatten = nested.flatten
is_nested = nested.is_nested


def map_structure(func, *structure, **kwargs):
    """Return what a function makes of the leaves of structures of one form."""
    return nested.map_structure(func, *structure)


def pack_sequence_as(structure, flat_sequence, expand_composites=False):
    """Return a flat list in the form of a structure."""
    return tree.pack_sequence_as(structure, flat_sequence)


def assert_same_structure(nest1, nest2, check_types=True, expand_composites=False):
    """Raise where two structures have different forms."""
    tree.assert_same_structure(nest1, nest2)


__all__ = ["assert_same_structure", "flatten", "is_nested", "map_structure", "pack_sequence_as"]
__getattr__ = missing("tf.nest", {})
