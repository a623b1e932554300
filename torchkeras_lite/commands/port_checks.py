"""What of a script cannot be vouched for: names that are not here, older arguments, sessions."""

import ast
import importlib
import inspect
import itertools

from torchkeras_lite.base.old_names import Dropped, Renamed
from torchkeras_lite.base.old_rooms import GONE_ATTRIBUTES
from torchkeras_lite.engine import auto_config, old_arguments
from torchkeras_lite.engine.layer import SHAPE_ARGUMENTS, Layer
from torchkeras_lite.legacy.keras_names import PACKAGE, inner_room, member, old_member, room
from torchkeras_lite.models.old_methods import OldModelMethods
from torchkeras_lite.optimizers import Optimizer
from torchkeras_lite.training import old_arguments as old_of_models

OF_OPTIMIZERS = {
    "decay": "`decay` is of an older Keras; it works, with a warning. Write a `schedules.InverseTimeDecay`",
    "lr": Renamed(("learning_rate",)),
}
OF_LAYERS = {"LeakyReLU": {"alpha": Renamed(("negative_slope",))}}  # which it reads itself
OF_METHODS = {
    "compile": old_of_models.COMPILE,
    "evaluate": old_of_models.EVALUATE,
    "fit": old_of_models.FIT,
    "fit_generator": old_of_models.FIT,
    "save_weights": old_of_models.SAVE_WEIGHTS,
    "test_on_batch": old_of_models.ON_BATCH,
    "train_on_batch": old_of_models.ON_BATCH,
}
METHODS = {name for name in vars(OldModelMethods) if not name.startswith("_") and name != "add_loss"}
ATTRIBUTES = {name: text for name, text in GONE_ATTRIBUTES.items() if len(name) > 1 and name != "updates"}
NOTEBOOK = "get_ipython"


class Checks(ast.NodeVisitor):
    """Looks at every name that comes from this package.

    Attributes:
        edits: As those of `ImportEdits`: paths of modules that are not public.
        notes: `(line, text)`.
    """

    def __init__(self, bound):
        self.bound = bound
        self.edits = []
        self.notes = []

    def visit_Attribute(self, node):
        """Resolve `keras.layers.Dense` step by step."""
        chain = _chain(node)
        if chain is not None and chain[0].id in self.bound:
            self._resolve(chain)
            return
        if node.attr in METHODS:
            self._note(node, f"`.{node.attr}` is a method of an older Keras; it works, with a warning")
        elif node.attr in ATTRIBUTES:
            self._note(node, f"`.{node.attr}` is of an older Keras: {ATTRIBUTES[node.attr]}")
        self.generic_visit(node)

    def visit_Name(self, node):
        """Look at names that were imported."""
        if node.id in self.bound:
            self._resolve([node])
        elif node.id == NOTEBOOK:
            self._note(node, "`get_ipython` is there in notebooks alone")

    def visit_Call(self, node):
        """Look at the arguments of calls."""
        chain = _chain(node.func)
        if chain is not None and chain[0].id in self.bound:
            found = self._resolve(chain, quiet=True)
            self._check_arguments(node, found, chain)
            self._check_sizes(node, getattr(chain[-1], "attr", None) or chain[0].id)
        elif isinstance(node.func, ast.Attribute) and node.func.attr in OF_METHODS:
            table = OF_METHODS[node.func.attr]
            for keyword in node.keywords:
                if keyword.arg in table:
                    self._note(keyword, _told(node.func.attr, keyword, table[keyword.arg]))
        self.generic_visit(node)

    def _resolve(self, chain, quiet=False):
        """Return what a chain of attributes stands for here, `None` where that is not known."""
        place = self.bound[chain[0].id]
        owner, path = _import(place), place
        for before, node in itertools.pairwise(chain):
            if not inspect.ismodule(owner):
                return None
            if inner_room(path, node.attr) is not None:  # `keras.layers.core.Dense`
                if not quiet:
                    span = (before.end_lineno, before.end_col_offset), (node.end_lineno, node.end_col_offset)
                    self.edits.append((*span, ""))
                continue
            found, note = member(owner, node.attr)
            note = note or old_member(path, node.attr)
            if note is not None and not quiet:
                self._note(node, note)
            if found is None:
                return None
            path = f"{path}.{node.attr}".lstrip(".")
            owner = found
            if path == "tf.keras":
                path = ""
        return owner

    def _check_arguments(self, node, found, chain):
        if not callable(found):
            return
        table, known = _arguments_of(found)
        owner = getattr(found, "__name__", chain[-1])
        for keyword in node.keywords:
            name = keyword.arg
            if name is None or (known is not None and name in known):
                continue
            if name in table:
                self._note(keyword, _told(owner, keyword, table[name]))
            elif known is not None:
                self._note(keyword, f"{owner} has no argument `{name}`")

    def _check_sizes(self, node, name):
        """Tell of `Convolution2D(32, 3, 3)`, which says another thing since Keras 2."""
        if name.startswith("Convolution") and len(node.args) > 2:
            told = any(keyword.arg in old_arguments.NAMES for keyword in node.keywords)
            if not told:
                self._note(
                    node, f"{name}: the third argument is `strides`; Keras 1 took the sizes one by one"
                )

    def _note(self, node, text):
        self.notes.append((node.lineno, text))


def _chain(node):
    """Return the nodes of `a.b.c`, the name first, or `None` where it is no such chain."""
    nodes = []
    while isinstance(node, ast.Attribute):
        nodes.append(node)
        node = node.value
    return [node, *reversed(nodes)] if isinstance(node, ast.Name) else None


def _import(place):
    """Return what is at a place, or `None`."""
    found = room(place)
    if found is not None:
        return found
    if place == "tf" or place.startswith("tf."):
        found, parts = importlib.import_module(f"{PACKAGE}.tf"), place.split(".")[1:]
    else:
        home, _, name = place.rpartition(".")
        found, parts = room(home), [name]
    for part in parts:
        found = None if found is None else member(found, part)[0]
    return found


def _arguments_of(found):
    """Return the old arguments of a callable, and the names that it has (`None`: it takes any)."""
    try:
        parameters = inspect.signature(found).parameters
    except (TypeError, ValueError):
        return {}, None
    names = set(parameters)
    if isinstance(found, type) and issubclass(found, Layer):
        table = {**old_arguments.SHARED, **old_arguments.CLASSES.get(found.__name__, {})}
        kernel = (
            {name for sizes in old_arguments.SIZES for name in sizes} if "kernel_size" in names else set()
        )
        table |= OF_LAYERS.get(found.__name__, {}) | dict.fromkeys(kernel, Renamed(("kernel_size",)))
        return table, {*names, *auto_config.BASE_ARGUMENTS, *SHAPE_ARGUMENTS, "weights", "inputs", "outputs"}
    if isinstance(found, type) and issubclass(found, Optimizer):
        return OF_OPTIMIZERS, names | {"clipnorm", "clipvalue"}
    table = getattr(found, "old_arguments", None) or getattr(
        getattr(found, "__init__", None), "old_arguments", {}
    )
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return table, None if takes_any else names


def _told(owner, keyword, entry):
    """Return what is said of an old argument."""
    name = keyword.arg
    if isinstance(entry, str):
        return f"{owner}: {entry}"
    if isinstance(entry, Renamed):
        return f"{owner}: `{name}` is an older name of `{entry.names[0]}`; it works, with a warning"
    value = keyword.value.value if isinstance(keyword.value, ast.Constant) else ...
    if isinstance(entry, Dropped) and (entry.only is None or value in entry.only):
        return f"{owner}: `{name}` has no effect; leave it out"
    return f"{owner}: `{name}` is of an older Keras: {entry.remedy}"
