"""`port`: a script or notebook for Keras or TensorFlow with its imports changed to this package."""

import ast
import json
import re
import sys
import tokenize
import warnings

from torchkeras_lite.commands.port_checks import Checks
from torchkeras_lite.commands.port_imports import ImportEdits, apply_edits

NAME = "port"
HELP = "Write a Keras script or notebook with its imports changed, and list what could not be vouched for."
MAGIC = re.compile(r"^(\s*)([%!?].*)$", re.M)


def add_arguments(parser):
    """Add the arguments of the command to a parser."""
    parser.add_argument("script", help="a file .py or .ipynb")
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "-o", "--output", metavar="FILE", help="where to write; without it, the standard output"
    )
    group.add_argument("--in-place", action="store_true", help="write over the script")


def run(arguments):
    """Port; return 0, or 1 after a message."""
    path = arguments.script
    try:
        with open(path, "rb") as file:
            encoding = "utf-8" if path.endswith(".ipynb") else tokenize.detect_encoding(file.readline)[0]
        with open(path, encoding=encoding, newline="") as file:
            text = file.read()
        port = port_notebook if path.endswith(".ipynb") else port_script
        ported, notes = port(text)
    except (OSError, SyntaxError, ValueError) as error:
        print(f"port: {path}: {error}", file=sys.stderr)
        return 1
    target = path if arguments.in_place else arguments.output
    if target is None:
        print(ported, end="")
    else:
        with open(target, "w", encoding=encoding, newline="") as file:
            file.write(ported)
    for place, note in notes:
        print(f"{path}:{place}: {note}", file=sys.stderr)
    return 0


def port_script(text):
    """Return a script with its imports changed, and `(place, text)` for what could not be vouched for.

    Raises:
        SyntaxError: the script is no Python (lines that begin with `%` or `!` are passed over).
    """
    ported, notes = _port(text, {})
    return ported, [(str(line), note) for line, note in notes]


def port_notebook(text):
    """Return a notebook with the imports of its cells changed, and notes; see `port_script`.

    Raises:
        ValueError: no notebook.
    """
    book = json.loads(text)
    if not isinstance(book, dict) or not isinstance(book.get("cells"), list):
        raise ValueError("no notebook: it has no list of cells")
    bound: dict = {}
    notes = []
    for number, cell in enumerate(book["cells"], 1):
        if cell.get("cell_type") != "code":
            continue
        source = cell.get("source", "")
        code = source if isinstance(source, str) else "".join(source)
        if code.lstrip().startswith("%%"):
            notes.append((f"cell {number}", "a cell magic, left as it is"))
            continue
        try:
            ported, found = _port(code, bound)
        except SyntaxError as error:
            notes.append((f"cell {number}, line {error.lineno}", f"no Python, left as it is: {error.msg}"))
            continue
        notes += [(f"cell {number}, line {line}", note) for line, note in found]
        cell["source"] = ported if isinstance(source, str) else ported.splitlines(keepends=True)
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n", notes


def _port(text, bound):
    """Port one piece of code; `bound` collects the names that it imports."""
    tree, magics = _parse(text)
    imports = ImportEdits(text, bound)
    imports.visit(tree)
    checks = Checks({name: place for name, place in bound.items() if name not in _assigned(tree)})
    checks.visit(tree)
    notes = sorted({*imports.notes, *checks.notes, *magics})
    return apply_edits(text, {*imports.edits, *checks.edits}), notes


def _parse(text):
    """Return the syntax tree, and notes of the lines that only notebooks understand."""
    with warnings.catch_warnings():  # of escapes in the script's own strings
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return ast.parse(text), []
        except SyntaxError:
            tree = ast.parse(MAGIC.sub(lambda found: f"{found[1]}pass", text))
    return tree, [
        (text[: found.start(2)].count("\n") + 1, f"`{found[2].strip()}` works in notebooks alone")
        for found in MAGIC.finditer(text)
    ]


def _assigned(tree):
    """Return the names that the code gives another meaning."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
    return names
