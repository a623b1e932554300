"""Torch functions as statements: every one that runs on stand-ins is written down, and gives stand-ins."""

import contextlib
import math

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from torchkeras_lite.base.nested import flatten, map_structure, pack_like
from torchkeras_lite.engine import shapes
from torchkeras_lite.engine.weights import Weight
from torchkeras_lite.export import layout
from torchkeras_lite.export.frame import Statement
from torchkeras_lite.export.literals import call_text, has_stand_ins, index_text, literal, plain_name
from torchkeras_lite.export.traced import CannotWrite, Size, Traced, combined

__all__ = ["FunctionRecorder", "map_values"]

CASTS = ("to", "bool", "int", "long", "float", "double", "half", "bfloat16", "type", "type_as")
# Arguments that torch hands on although they are its defaults.
DEFAULTS = {
    "mode": "constant",
    "approximate": "none",
    "dropout_p": 0.0,
    "is_causal": False,
    "enable_gqa": False,
    "padding": 0,
    "dilation": 1,
    "ceil_mode": False,
    "return_indices": False,
    "inplace": False,
}
# Functions whose results are used again where the same is computed twice.
REPEATABLE = frozenset(
    ("reshape", "expand", "flatten", "unsqueeze", "flip", "bool", "any", "invert", "ne", "eq", "to", "long")
)


class FunctionRecorder(TorchFunctionMode):
    """Takes torch functions down, in the frame that is open."""

    def __init__(self):
        super().__init__()
        self.frames = []
        self.active = True
        self.count = 0
        self.objects = {}  # mark -> module or tensor

    @property
    def frame(self):
        """The frame that statements go to."""
        return self.frames[-1]

    def mark(self, thing):
        """Return the mark that stands for a module or tensor until its attribute has a name."""
        if isinstance(thing, torch.Tensor) and thing.is_meta:
            raise CannotWrite("it makes new weights while it is called")
        mark = f"«{'m' if isinstance(thing, nn.Module) else 't'}{id(thing)}»"
        self.objects[mark] = thing
        return mark

    def fresh(self):
        """Return the mark of a new variable."""
        self.count += 1
        return f"«v{self.count}»"

    def text_of(self, tensor):
        """Return the text of a tensor; a pending permutation is written down."""
        if not isinstance(tensor, Traced):
            return self.mark(tensor)
        if tensor.text is None:
            inner = self.text_of(tensor.base)
            order = ", ".join(map(str, tensor.order))
            tensor.text = self.fresh()
            self.frame.statements.append(Statement(f"{inner}.permute({order})", tensor, "permuted"))
        return tensor.text

    def write(self, value):
        """Return the text of an argument."""
        return literal(value, self.text_of, self._device_text())

    def _device_text(self):
        source = self.frame.device_of
        if source is None and self.frame.inputs:
            source = self.frame.inputs[0]
        return None if source is None else f"{self.text_of(source)}.device"

    def __torch_function__(self, function, types, args=(), kwargs=None):
        """Take a torch function down, and return stand-ins for its results."""
        kwargs = kwargs or {}
        if not self.active or not self.frames:
            return function(*args, **kwargs)
        args, kwargs = map_values(self._without_views, (tuple(args), dict(kwargs)))
        kwargs = {key: one for key, one in kwargs.items() if not _is_default(key, one)}
        name = getattr(function, "__name__", "")
        if name == "__get__":
            known = self._property(function.__self__.__name__, args[0])
            if known is not None:
                return known
        if name in ("sym_max", "sym_min"):
            chosen = max if name == "sym_max" else min
            return combined(chosen, f"{chosen.__name__}({{}}, {{}})", args)
        if args and isinstance(args[0], Traced):
            known = self._about(name, args, kwargs)
            if known is not None:
                return known
        found = layout.permutation(function, args, kwargs)
        if found is not None:
            return layout.permuted(*found)
        moved = layout.below(function, args, kwargs)
        if moved is not None:
            inner_args, inner_kwargs, order = moved
            result = self._call(function, inner_args, inner_kwargs)
            return layout.permuted(result, order)
        return self._call(function, args, kwargs)

    def _without_views(self, leaf):
        if isinstance(leaf, Weight):
            with self:
                return leaf.spec.to_keras(leaf.tensor)
        return leaf

    def _property(self, name, tensor):
        traced = isinstance(tensor, Traced)
        if name == "shape":
            sizes = tensor.sizes if traced else tensor.size()
            return sizes if any(isinstance(size, Size) for size in sizes) else torch.Size(sizes)
        if name == "device":
            if traced:
                self.frame.device_of = tensor
            return torch.device("meta")
        constants = {"is_meta": False, "is_cuda": False, "is_cpu": True, "requires_grad": False}
        return constants.get(name)

    def _about(self, name, args, kwargs):
        """Return what a method tells of a tensor's form, else `None`."""
        tensor, rest = args[0], args[1:]
        sizes = tensor.sizes
        if name == "size":
            dim = rest[0] if rest else kwargs.get("dim")
            return sizes if dim is None else sizes[dim]
        if name in ("numel", "nelement"):
            return math.prod(sizes)
        if name == "__len__":
            return sizes[0]
        if name == "__iter__":
            with self:
                return iter([tensor[index] for index in range(sizes[0])])
        if name == "contiguous":
            return tensor
        if name in CASTS:
            probes = [self._evaluate(getattr(torch.Tensor, name), args, kwargs, run) for run in (0, 1)]
            return tensor if probes[0].dtype is tensor.probes[0].dtype else None
        return None

    def _evaluate(self, function, args, kwargs, run):
        def fill(leaf):
            if isinstance(leaf, Traced):
                return leaf.probes[run]
            if isinstance(leaf, Size):
                return leaf.values[run]
            return leaf.detach().to("meta") if isinstance(leaf, torch.Tensor) else leaf

        try:
            with self.at_rest(), torch.no_grad():
                filled_args, filled_kwargs = map_values(fill, (tuple(args), dict(kwargs)))
                if isinstance(function, nn.Module):
                    return shapes.run_on_meta(function, filled_args, filled_kwargs)
                return function(*filled_args, **filled_kwargs)
        except (NotImplementedError, RuntimeError) as error:
            if "meta" in str(error):
                raise CannotWrite(
                    f"it looks at values ({getattr(function, '__name__', type(function).__name__)})"
                ) from error
            raise

    @contextlib.contextmanager
    def at_rest(self):
        """Let torch run as it does without a session."""
        before, self.active = self.active, False
        try:
            with torch._C.DisableTorchFunction(), shapes.probing():
                yield
        finally:
            self.active = before

    def _call(self, function, args, kwargs):
        if not has_stand_ins((args, kwargs)) and any(_has_no_text(leaf) for leaf in flatten((args, kwargs))):
            with self.at_rest():  # a constant from an array, for example
                return function(*args, **kwargs)
        if getattr(function, "__name__", "") == "__setitem__":
            index = index_text(args[1], self.text_of, self._device_text())
            text = f"{self.write(args[0])}[{index}] = {self.write(args[2])}"
            self.frame.effect(text)
            return None
        results = [self._evaluate(function, args, kwargs, run) for run in (0, 1)]
        leaves = flatten(results[0])
        if not any(isinstance(leaf, torch.Tensor) for leaf in leaves):
            if leaves != flatten(results[1]):
                raise CannotWrite("it asks for something that depends on a size that is unknown")
            return results[0]
        text = call_text(function, args, kwargs, self.text_of, self._device_text())
        name = getattr(function, "__name__", "")
        changed = kwargs.get("out") if "out" in kwargs else args[0] if _in_place(name) else None
        if changed is not None:
            self.frame.effect(text)
            return changed
        if plain_name(function) not in REPEATABLE:
            return self.emit(text, results, plain_name(function))
        known = self.frame.known
        if text not in known:
            known[text] = self.emit(text, results, plain_name(function))
        return known[text]

    def emit(self, text, results, hint):
        """Add a statement, and return stand-ins in the form of its results.

        Args:
            text: The expression.
            results: What both runs gave: a tensor, or a structure of tensors and other values.
            hint: Name for the variables.
        """
        first, second = results
        if _is_unpacked(first):
            pairs = zip(flatten(first), flatten(second), strict=True)
            made = pack_like(first, [Traced(pair, self.fresh()) for pair in pairs])
            self.frame.statements.append(Statement(text, made, hint))
            return made
        whole = Traced((torch.empty((), device="meta"),) * 2, self.fresh())
        self.frame.statements.append(Statement(text, whole, hint))
        return _parts(first, second, whole.text)


def map_values(function, structure):
    """Apply `function` to the leaves of a structure, and inside slices."""

    def apply(leaf):
        if isinstance(leaf, slice):
            return slice(*(function(end) for end in (leaf.start, leaf.stop, leaf.step)))
        return function(leaf)

    return map_structure(apply, structure)


def _is_unpacked(result):
    """Whether assignments take a result apart: a tensor, or nested tuples and lists of nothing else."""
    if isinstance(result, (list, tuple)):
        return bool(result) and all(map(_is_unpacked, result))
    return isinstance(result, torch.Tensor)


def _is_default(name, value):
    return value is None or (name in DEFAULTS and type(value) is not Size and value == DEFAULTS[name])


def _in_place(name):
    return name.endswith("_") and not name.startswith("__")


def _has_no_text(leaf):
    try:
        literal(leaf, lambda tensor: "")
    except CannotWrite:
        return True
    return False


def _parts(first, second, text):
    """Return stand-ins for the parts of a nested result that is in one variable."""
    if isinstance(first, torch.Tensor):
        return Traced((first, second), text)
    if isinstance(first, dict):
        return {key: _parts(part, second[key], f"{text}[{key!r}]") for key, part in first.items()}
    if isinstance(first, (list, tuple)):
        parts = [_parts(part, second[i], f"{text}[{i}]") for i, part in enumerate(first)]
        return map_structure(lambda part: part, type(first)(parts)) if type(first) in (list, tuple) else parts
    return first
