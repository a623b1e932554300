"""Values, functions and calls as Python text."""

import math
import operator
import re

import torch
from torch.overrides import resolve_name

from torchkeras_lite.base.nested import flatten
from torchkeras_lite.export.traced import CannotWrite, Operation, Size, Traced

__all__ = ["call_text", "literal", "plain_name"]

OPERATORS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "matmul": "@",
    "and": "&",
    "or": "|",
    "xor": "^",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
}
UNARY = {"neg": "-", "invert": "~", "pos": "+"}
# Methods behind operators have names of their own, too.
METHODS = {
    torch.Tensor.add: "add",
    torch.Tensor.mul: "mul",
    torch.Tensor.sub: "sub",
    torch.Tensor.div: "truediv",
    torch.Tensor.true_divide: "truediv",
    torch.Tensor.matmul: "matmul",
    torch.Tensor.neg: "neg",
    torch.Tensor.__pow__: "pow",
    **{getattr(torch.Tensor, name): name for name in ("eq", "ne", "lt", "le", "gt", "ge")},
}


def literal(value, text_of, device=None):
    """Return Python text for a value.

    Args:
        value: A number, string, dtype, slice, `None`, a stand-in, or a nested list, tuple or dict of them.
        text_of: Gives the text of a `Traced`.
        device: Text for the device of the model's tensors.

    Raises:
        CannotWrite: there is no text for it.
    """

    def write(one):
        return literal(one, text_of, device)

    if isinstance(value, torch.Tensor):
        return text_of(value)
    if isinstance(value, Size):
        return size_text(value, text_of)
    if isinstance(value, bool) or value is None or value is Ellipsis:
        return "..." if value is Ellipsis else repr(value)
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else f'float("{value}")'
    if isinstance(value, (int, str, complex)):
        return quoted(value) if isinstance(value, str) else repr(value)
    if isinstance(value, (torch.dtype, torch.memory_format, torch.layout)):
        return str(value)
    if isinstance(value, torch.device):
        return device if value.type == "meta" and device else f'"{value}"'
    if isinstance(value, slice):
        return f"slice({write(value.start)}, {write(value.stop)}, {write(value.step)})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{write(key)}: {write(part)}" for key, part in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        parts = ", ".join(map(write, value))
        if isinstance(value, list):
            return f"[{parts}]"
        return f"({parts},)" if len(value) == 1 else f"({parts})"
    raise CannotWrite(f"it uses {type(value).__name__} {value!r}, for which there is no text in torch alone")


def quoted(text):
    """Return a string between double quotes."""
    return repr(text) if '"' in text or "\\" in text else f'"{text}"'


def size_text(size, text_of):
    """Return the expression of a `Size` (or number)."""
    if not isinstance(size, Size):
        return repr(size)
    if size.source is not None:
        tensor, axis = size.source
        return f"{text_of(tensor)}.shape[{axis}]"
    operation: Operation = size.text
    return operation.pattern.format(*(size_text(one, text_of) for one in operation.operands))


def index_text(index, text_of, device=None):
    """Return what stands between square brackets."""

    def write(one):
        if not isinstance(one, slice):
            return literal(one, text_of, device)
        start, stop = ("" if end is None else literal(end, text_of, device) for end in (one.start, one.stop))
        return f"{start}:{stop}" + ("" if one.step is None else f":{literal(one.step, text_of, device)}")

    if isinstance(index, tuple) and index:
        return ", ".join(map(write, index)) + ("," if len(index) == 1 else "")
    return write(index)


def plain_name(function):
    """Return the name of a function without underscores around it: `add` for `__radd__`, too."""
    name = getattr(function, "__name__", "")
    return name.strip("_")


def _operator_of(function):
    if function in METHODS:
        return METHODS[function], False
    name = plain_name(function)
    dunder = getattr(function, "__name__", "").startswith("__") or hasattr(operator, name)
    is_method = getattr(torch.Tensor, getattr(function, "__name__", ""), None) is function
    if not dunder or not (is_method or getattr(operator, name, None) is function):
        return None, False
    if is_method and not function.__name__.startswith("__"):
        return None, False
    if name == "rdiv":
        return "truediv", True
    reflected = name.startswith("r") and name[1:] in OPERATORS
    return (name[1:] if reflected else name), reflected


def call_text(function, args, kwargs, text_of, device=None):
    """Return the text of a call of a torch function.

    Raises:
        CannotWrite: an argument without text, or a function that is not torch's.
    """

    def write(one):
        return literal(one, text_of, device)

    name, reflected = _operator_of(function)
    if name in OPERATORS and len(args) == 2 and not kwargs:
        left, right = map(write, reversed(args) if reflected else args)
        return f"{left} {OPERATORS[name]} {right}"
    if name in UNARY and len(args) == 1 and not kwargs:
        return f"{UNARY[name]}{write(args[0])}"
    if name == "getitem":
        return f"{write(args[0])}[{index_text(args[1], text_of, device)}]"
    if name == "abs" and len(args) == 1:
        return f"{write(args[0])}.abs()"
    if plain_name(function) == "get":  # a property of tensors
        return f"{write(args[0])}.{function.__self__.__name__}"
    path = function_path(function)
    arguments = [write(one) for one in args] + [f"{key}={write(one)}" for key, one in kwargs.items()]
    if path.startswith("torch.Tensor."):
        return f"{arguments[0]}.{path.removeprefix('torch.Tensor.')}({', '.join(arguments[1:])})"
    return f"{path}({', '.join(arguments)})"


def function_path(function):
    """Return where generated code finds a torch function: `torch.relu`, `F.gelu`.

    Raises:
        CannotWrite: it is not one of torch's public functions.
    """
    name = getattr(function, "__name__", "")
    for module, prefix in ((torch, "torch"), (torch.nn.functional, "F"), (torch.Tensor, "torch.Tensor")):
        if getattr(module, name, None) is function:
            return f"{prefix}.{name}"
    found = resolve_name(function)
    if found is None or not re.fullmatch(r"torch(\.\w+)+", found):
        raise CannotWrite(f"it calls {name or function!r}, which is none of torch's public functions")
    return found.replace("torch.nn.functional.", "F.")


def has_stand_ins(structure):
    """Whether a `Traced` or `Size` is among the leaves (slices looked into)."""
    return any(map(_is_stand_in, flatten(structure)))


def _is_stand_in(leaf):
    if isinstance(leaf, slice):
        return any(isinstance(end, (Size, Traced)) for end in (leaf.start, leaf.stop, leaf.step))
    return isinstance(leaf, (Size, Traced))
