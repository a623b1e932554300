"""The imports of a script, changed where they stand: what is around them, and comments, stay as they are."""

import ast
import re

from torchkeras_lite.legacy.keras_names import (
    FACADE,
    PACKAGE,
    inner_room,
    is_tensorflow,
    keras_path,
    nearest_room,
    old_member,
    place_of,
    unknown,
)

# Packages that import Keras or TensorFlow themselves.
AROUND = re.compile(r"(keras|tensorflow|scikeras|tf)(_\w+)?$|autokeras$|kerastuner$|tf2onnx$|larq$")


class ImportEdits(ast.NodeVisitor):
    """Finds the edits of a script's imports.

    Attributes:
        edits: `(start, end, text)`, each position a pair of a line from 1 and a byte in it.
        notes: `(line, text)` of what it could not vouch for.
        bound: Names in the script with their place in this package.
    """

    def __init__(self, source, bound):
        self.lines = source.encode().split(b"\n")
        self.bound = bound
        self.edits = []
        self.notes = []

    def visit_Import(self, node):
        """Change `import keras`, `import tensorflow as tf` and their like."""
        for alias in node.names:
            path = keras_path(alias.name)
            if path is None and not is_tensorflow(alias.name):
                self._note_other(node, alias.name)
                continue
            first = alias.name.partition(".")[0]
            if path is None:
                place = FACADE if alias.name == "tensorflow" or not alias.asname else self._tf(alias.name)
                if ".compat" in alias.name:
                    place = FACADE
                    self.notes.append(
                        (node.lineno, "code for TensorFlow 1: the facade has TensorFlow 2's names")
                    )
            else:
                place = self._room(node, path)
                if not alias.asname:  # binds the package's name alone
                    place = FACADE if first == "tensorflow" else ""
            name = alias.asname or first
            self.bound[name] = place
            self._edit(alias, f"{PACKAGE}{'.' if place else ''}{place} as {name}")

    def _tf(self, module):
        return f"{FACADE}.{module.partition('.')[2]}"

    def _room(self, node, path):
        place = nearest_room(path)
        if path.startswith("src"):
            self.notes.append((node.lineno, f"`keras.{path}` is private to Keras; nothing stands for it"))
        return place

    def visit_ImportFrom(self, node):
        """Change `from keras.x import y` and its like."""
        module = node.module or ""
        path = keras_path(module)
        if node.level or (path is None and not is_tensorflow(module)):
            if not node.level:
                self._note_other(node, module)
            return
        places = [self._place_of(node, module, path, alias) for alias in node.names]
        for alias, (place, whole) in zip(node.names, places, strict=True):
            if alias.name != "*":
                inner = "" if whole else alias.name
                self.bound[alias.asname or alias.name] = ".".join(filter(None, (place, inner)))
        if len(set(places)) == 1 and not places[0][1]:
            self._edit_module(node, places[0][0])
        else:
            self._rewrite(node, places)

    def _place_of(self, node, module, path, alias):
        """Return the place to import `alias` from, and whether the place itself is what it means."""
        if path is None:
            if module == "tensorflow" and alias.name == "keras":
                return "", True
            if ".compat" in module or ".python" in module:
                self.notes.append(
                    (node.lineno, f"`{module}` is not there: the facade has TensorFlow 2's names")
                )
                return FACADE, False
            return (FACADE if module == "tensorflow" else self._tf(module)), False
        inner = inner_room(path, alias.name)
        if inner is not None:
            return inner, True
        place = place_of(path, alias.name)
        if place is None:
            self.notes.append((node.lineno, unknown(path, alias.name)))
            return nearest_room(path), False
        if path.split(".")[0] in ("src", "engine", "legacy") or ".src." in module:
            told = ".".join(filter(None, ("keras", place, alias.name)))
            self.notes.append(
                (node.lineno, f"`{module}` is private to Keras; `{alias.name}` is now `{told}`")
            )
        note = old_member(place, alias.name)
        if note is not None:
            self.notes.append((node.lineno, note))
        return place, False

    def _note_other(self, node, module):
        first = module.partition(".")[0]
        if AROUND.match(first):
            self.notes.append(
                (node.lineno, f"`{first}` imports Keras or TensorFlow itself: use `python -m {PACKAGE} run`")
            )

    def _edit(self, node, text):
        self.edits.append(((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset), text))

    def _edit_module(self, node, place):
        """Change the path behind `from` alone."""
        line = self.lines[node.lineno - 1]
        found = re.compile(rb"from\s+([\w.]+)").match(line, node.col_offset)
        if found is None:
            self._rewrite(node, [(place, False)] * len(node.names))
            return
        text = ".".join(filter(None, (PACKAGE, place)))
        self.edits.append(((node.lineno, found.start(1)), (node.lineno, found.end(1)), text))

    def _rewrite(self, node, places):
        """Write one import a place."""
        statements: dict = {}
        for alias, (place, whole) in zip(node.names, places, strict=True):
            full = ".".join(filter(None, (PACKAGE, place)))
            name = alias.asname or alias.name
            if whole:
                statements[f"import {full} as {name}"] = []
            else:
                named = alias.name if alias.asname is None else f"{alias.name} as {alias.asname}"
                statements.setdefault(f"from {full} import ", []).append(named)
        line = self.lines[node.lineno - 1]
        before, after = line[: node.col_offset], self.lines[node.end_lineno - 1][node.end_col_offset :]
        alone = not before.strip() and not after.split(b"#")[0].strip()
        separator = "\n" + before.decode() if alone else "; "
        self._edit(node, separator.join(head + ", ".join(names) for head, names in statements.items()))


def apply_edits(source, edits):
    """Return `source` with the edits made."""
    lines = source.encode().split(b"\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    data = source.encode()
    for (line, column), (end_line, end_column), text in sorted(edits, reverse=True):
        data = data[: starts[line - 1] + column] + text.encode() + data[starts[end_line - 1] + end_column :]
    return data.decode()
