"""Tracing: a model runs on stand-ins, and each torch function and module that it calls becomes a statement.

torch's own modules are called in the generated code as they are, everything else is looked into. Modules with
a computation of some length become classes of their own; short ones are written out where they are called.
"""

import contextlib
import inspect

import torch
from torch import nn

from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.nested import flatten, map_structure
from torchkeras_lite.export import layout, writers
from torchkeras_lite.export.frame import Frame
from torchkeras_lite.export.functions import FunctionRecorder, map_values
from torchkeras_lite.export.literals import has_stand_ins
from torchkeras_lite.export.traced import CannotWrite, Traced

__all__ = ["Session", "Unwritten"]

OWN_LAYERS = f"{__name__.partition('.')[0]}.layers."
MOST_INLINE = 8  # statements of a layer that are written where it is called


class Session(FunctionRecorder):
    """One tracing of a model.

    Args:
        may_reshape: Whether weights may get another form than they have in the model, to become those of
            torch's modules.
    """

    def __init__(self, may_reshape=True):
        super().__init__()
        self.may_reshape = may_reshape
        self.traced = {}  # id(module) -> (signature, frame in inference mode, frame in training mode)
        self.modes = {}
        self.failures = {}

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
        if module is getattr(self.frame.owner, "torch_module", None):  # its modules are the owner's
            return module.forward(*args, **kwargs)
        policy = getattr(module, "dtype_policy", None)
        if policy is not None and module.computes_itself and policy.name.startswith("mixed_"):
            raise CannotWrite(
                f"it has the policy {policy.name}. Give it float32, and run the written module under "
                "torch.autocast"
            )
        writer = writers.writer_of(module)
        if writer is not None:
            found = writer(self, module, *args, **kwargs)
            return self._looked_into(module, args, kwargs) if found is NotImplemented else found
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
        if modules or (carries and not own) or type(module) is nn.Sequential:  # its parts keep their keys
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
        short = len(inference.statements) <= MOST_INLINE
        masks = any(getattr(leaf, "_keras_mask", None) is not None for leaf in flatten(inference.outputs))
        if masks or (own and same and short):
            return module.forward(*args, **kwargs)
        self._note_mode(module)
        tensors = _tensors(args, kwargs)
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
        held = bool(self.frames) and self.frame.training and not module.training
        return tuple(self._trace(module, args, kwargs, mode) for mode in (False, not held))

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
                given = None if len(self.frames) else getattr(leaf, "name_hint", None)
                stand_ins[id(leaf)].name_hint = given or names.get(id(leaf))
                frame.inputs.append(stand_ins[id(leaf)])
            return stand_ins[id(leaf)]

        inner_args, inner_kwargs = map_values(stand_in, (tuple(args), dict(kwargs)))
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


def _argument_names(module, args, kwargs):
    """Return the names of the parameters of `forward` that tensors are passed to, by the tensors' ids."""
    try:
        bound = inspect.signature(module.forward).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return {}
    return {id(value): name for name, value in bound.items() if isinstance(value, torch.Tensor)}


def _tensors(args, kwargs):
    """Return the tensors among the arguments, each once."""
    found = [leaf for leaf in flatten((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    return list({id(tensor): tensor for tensor in found}.values())


def _signature(args, kwargs):
    """Return a text that is equal for calls with arguments of the same kind."""
    order = [id(tensor) for tensor in _tensors(args, kwargs)]

    def describe_leaf(leaf):
        if isinstance(leaf, Traced):
            shapes_of = [tuple(probe.shape) for probe in leaf.probes]
            return f"{order.index(id(leaf))} {shapes_of} {leaf.probes[0].dtype}"
        return repr(leaf)

    return repr(map_values(describe_leaf, (tuple(args), dict(kwargs))))
