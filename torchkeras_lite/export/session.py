"""Tracing: a model runs on stand-ins, and each torch function and module that it calls becomes a statement.

A `Session` sees every torch function (as a `TorchFunctionMode`) and every call of a module (torch's own
modules are called in the generated code as they are, everything else is looked into). Modules with a
computation of some length become classes of their own; short ones are written out where they are called.
"""

import contextlib
import inspect
import math

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.nested import flatten, map_structure, pack_like
from torchkeras_lite.engine import shapes
from torchkeras_lite.engine.weights import Weight
from torchkeras_lite.export import layout, writers
from torchkeras_lite.export.literals import call_text, has_stand_ins, index_text, literal, plain_name
from torchkeras_lite.export.traced import CannotWrite, Size, Traced, combined

__all__ = ["Frame", "Session", "Statement"]

OWN_LAYERS = f"{__name__.partition('.')[0]}.layers."
CASTS = ("to", "bool", "int", "long", "float", "double", "half", "bfloat16", "type", "type_as")
# Arguments that torch hands on although they are its defaults.
DEFAULTS = {
    "mode": "constant",
    "value": None,
    "padding": 0,
    "dilation": 1,
    "ceil_mode": False,
    "return_indices": False,
    "inplace": False,
}
MOST_INLINE = 8  # statements of a layer that are written where it is called


class Statement:
    """One line: what it computes, and what it is called after.

    Args:
        text: An expression, with marks for variables, modules and tensors.
        targets: The `Traced` that it makes, nested as they are unpacked; `None` for what is called for its
            effect.
        hint: Name for the results.
    """

    def __init__(self, text, targets, hint):
        self.text = text
        self.targets = targets
        self.hint = hint

    @property
    def results(self):
        """The `Traced` that it makes, flat."""
        return [] if self.targets is None else flatten(self.targets)


class Frame:
    """The statements of one `forward`.

    Args:
        owner: The module.
        training: The mode it is traced in.
    """

    def __init__(self, owner, training):
        self.owner = owner
        self.training = training
        self.statements = []
        self.inputs = []
        self.outputs = None
        self.held = {}  # modules that stay in inference mode
        self.device_of = None

    def normalized(self):
        """The text of all statements, which is equal for equal computations."""
        names = {one.text: f"input{number}" for number, one in enumerate(self.inputs)}
        lines = []
        for statement in self.statements:
            for result in statement.results:
                names.setdefault(result.text, f"v{len(names)}")
            lines.append(f"{[names[one.text] for one in statement.results]} = {statement.text}")
        outputs = [one.text if isinstance(one, Traced) else repr(one) for one in flatten(self.outputs)]
        text = "\n".join([*lines, repr(outputs), repr(sorted(self.held))])
        for mark, name in sorted(names.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(mark, name)
        return text


class Session(TorchFunctionMode):
    """One tracing of a model."""

    def __init__(self):
        super().__init__()
        self.frames = []
        self.active = True
        self.count = 0
        self.objects = {}  # mark -> module or tensor
        self.traced = {}  # id(module) -> (signature, frame in inference mode, frame in training mode)
        self.modes = {}
        self.failures = {}

    @property
    def frame(self):
        """The frame that statements go to."""
        return self.frames[-1]

    def mark(self, thing):
        """Return the mark that stands for a module or tensor until its attribute has a name."""
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

    # functions

    def __torch_function__(self, function, types, args=(), kwargs=None):
        """Take a torch function down, and return stand-ins for its results."""
        kwargs = kwargs or {}
        if not self.active or not self.frames:
            return function(*args, **kwargs)
        args, kwargs = _map(self._without_views, (tuple(args), dict(kwargs)))
        kwargs = {key: one for key, one in kwargs.items() if key not in DEFAULTS or one != DEFAULTS[key]}
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
            with self._at_rest(), torch.no_grad():
                filled_args, filled_kwargs = _map(fill, (tuple(args), dict(kwargs)))
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
    def _at_rest(self):
        """Let torch run as it does without a session."""
        before, self.active = self.active, False
        try:
            with torch._C.DisableTorchFunction(), shapes.probing():
                yield
        finally:
            self.active = before

    def _call(self, function, args, kwargs):
        if not has_stand_ins((args, kwargs)) and any(_has_no_text(leaf) for leaf in flatten((args, kwargs))):
            with self._at_rest():  # a constant from an array, for example
                return function(*args, **kwargs)
        if getattr(function, "__name__", "") == "__setitem__":
            index = index_text(args[1], self.text_of, self._device_text())
            text = f"{self.write(args[0])}[{index}] = {self.write(args[2])}"
            self.frame.statements.append(Statement(text, None, ""))
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
            self.frame.statements.append(Statement(text, None, ""))
            return changed
        return self.emit(text, results, plain_name(function))

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

    # modules

    def call_module(self, module, args, kwargs, original):
        """Take a call of a module down, and return stand-ins for its results."""
        if not self.active or not self.frames or not has_stand_ins((args, kwargs)):
            return original(module, *args, **kwargs)
        try:
            return self._called(module, args, kwargs)
        except Exception as error:
            if isinstance(error, Unwritten):
                raise
            return self._failed(module, args, kwargs, error)

    def _failed(self, module, args, kwargs, error):
        """Note why a module cannot be written, and go on, so that all such modules are named."""
        self.failures.setdefault(id(module), (module, error))
        try:
            results = [self._evaluate(module, args, kwargs, run) for run in (0, 1)]
        except Exception:
            raise Unwritten from error
        return self.emit("None", results, "unwritten")

    def _called(self, module, args, kwargs):
        writer = writers.writer_of(module)
        if writer is not None:
            found = writer(self, module, *args, **kwargs)
            if found is not NotImplemented:
                return found
        tensors = (*module.parameters(), *module.buffers())
        if any(isinstance(tensor, Traced) for tensor in tensors):  # put there for this call
            return module.forward(*args, **kwargs)
        if self.is_leaf(module):
            return self.leaf(module, args, kwargs)
        return self._looked_into(module, args, kwargs)

    def is_leaf(self, module):
        """Whether one constructor makes a module like this one."""
        before, self.active = self.active, False
        try:
            return writers.constructor_of(module) is not None
        finally:
            self.active = before

    def leaf(self, module, args, kwargs, pointwise=False):
        """Write a call of a module that is made by one constructor."""
        if pointwise and isinstance(args[0], Traced) and args[0].base is not None:
            inner = self.leaf(module, (args[0].base,), kwargs)
            return layout.permuted(inner, args[0].order)
        self._note_mode(module)
        results = [self._evaluate(module, args, kwargs, run) for run in (0, 1)]
        return self.emit(self.module_call(module, args, kwargs), results, self.mark(module))

    def module_call(self, module, args, kwargs):
        """Return the text of a call of a module."""
        arguments = [self.write(one) for one in args]
        arguments += [f"{key}={self.write(one)}" for key, one in kwargs.items()]
        return f"{self.mark(module)}({', '.join(arguments)})"

    def _note_mode(self, module):
        """Remember modules that stay in inference mode while the model is trained."""
        frame = self.frame
        if not frame.training or not frame.owner.training or not writers.depends_on_mode(module):
            return
        if self.modes.setdefault(id(module), module.training) is not module.training:
            raise CannotWrite("it is called in training and in inference mode while the model trains")
        if not module.training:
            frame.held[self.mark(module)] = module

    def _looked_into(self, module, args, kwargs):
        if id(module) in [id(frame.owner) for frame in self.frames]:
            raise CannotWrite("it calls itself")
        own = type(module).__module__.startswith(OWN_LAYERS)
        carries = any(getattr(leaf, "_keras_mask", None) is not None for leaf in flatten((args, kwargs)))
        modules = any(isinstance(leaf, nn.Module) for leaf in flatten((args, kwargs)))
        if modules or (carries and not own):
            return module.forward(*args, **kwargs)
        signature = _signature(args, kwargs)
        known = self.traced.get(id(module))
        if known is None or known[0] != signature:
            frames = self.trace_modes(module, args, kwargs)
            if known is not None and known[1].normalized() != frames[0].normalized():
                return module.forward(*args, **kwargs)
            self.traced[id(module)] = known = (signature, *frames)
        _, inference, training = known
        same = inference.normalized() == training.normalized()
        short = len(inference.statements) <= MOST_INLINE and not training.held
        masks = any(getattr(leaf, "_keras_mask", None) is not None for leaf in flatten(inference.outputs))
        if masks or (own and same and short):
            return module.forward(*args, **kwargs)
        self._note_mode(module)
        tensors = [leaf for leaf in flatten((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        results = [self._outputs_of(inference, run) for run in (0, 1)]
        return self.emit(self.module_call(module, tensors, {}), results, self.mark(module))

    def _outputs_of(self, frame, run):
        return map_structure(
            lambda leaf: leaf.probes[run] if isinstance(leaf, Traced) else leaf, frame.outputs
        )

    def trace_modes(self, module, args, kwargs):
        """Return frames of `module.forward(*args, **kwargs)` in inference and in training mode.

        Where the module is held in inference mode, both are that.
        """
        modes = (False, False if self.frames and self.frame.training and not module.training else True)
        return tuple(self._trace(module, args, kwargs, mode) for mode in modes)

    def _trace(self, module, args, kwargs, training):
        frame = Frame(module, training)
        names = _argument_names(module, args, kwargs)
        kept = [(one, one.training) for one in module.modules()]
        stand_ins = {}

        def stand_in(leaf):
            if not isinstance(leaf, torch.Tensor):
                return leaf
            if id(leaf) not in stand_ins:
                probes = leaf.probes if isinstance(leaf, Traced) else (leaf.detach().to("meta"),) * 2
                stand_ins[id(leaf)] = Traced(probes, self.fresh())
                stand_ins[id(leaf)].name_hint = getattr(leaf, "name_hint", None) or names.get(id(leaf))
                frame.inputs.append(stand_ins[id(leaf)])
            return stand_ins[id(leaf)]

        inner_args, inner_kwargs = _map(stand_in, (tuple(args), dict(kwargs)))
        self.frames.append(frame)
        try:
            for one, _ in kept:
                one.training = training
            frame.outputs = module.forward(*inner_args, **inner_kwargs)
            frame.outputs = map_structure(self._finished, frame.outputs)
        finally:
            self.frames.pop()
            for one, mode in kept:
                one.training = mode
        return frame

    def _finished(self, leaf):
        if isinstance(leaf, torch.Tensor) and not isinstance(leaf, Traced):
            probes = (leaf.detach().to("meta"),) * 2
            return Traced(probes, self.mark(leaf))
        if isinstance(leaf, Traced):
            self.text_of(leaf)
        return leaf

    @contextlib.contextmanager
    def watching(self):
        """See torch functions and calls of modules."""
        original = nn.Module.__call__

        def __call__(module, *args, **kwargs):
            return self.call_module(module, args, kwargs, original)

        nn.Module.__call__ = __call__
        try:
            with self, torch.no_grad():
                yield
        finally:
            nn.Module.__call__ = original

    def reasons(self):
        """Return a line for everything that cannot be written."""
        return [f"{describe(module)}: {error}" for module, error in self.failures.values()]


class Unwritten(Exception):
    """Tracing cannot go on behind a module that was noted as a failure."""


def _map(function, structure):
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


def _argument_names(module, args, kwargs):
    """Return the names of the parameters of `forward` that tensors are passed to, by the tensors' ids."""
    try:
        bound = inspect.signature(module.forward).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return {}
    return {id(value): name for name, value in bound.items() if isinstance(value, torch.Tensor)}


def _signature(args, kwargs):
    def describe_leaf(leaf):
        if isinstance(leaf, Traced):
            return repr([tuple(probe.shape) for probe in leaf.probes]) + str(leaf.probes[0].dtype)
        return repr(leaf)

    return repr(_map(describe_leaf, (tuple(args), dict(kwargs))))
