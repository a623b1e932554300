"""Plain functions that can be called on symbolic tensors too: what all of `keras.ops` is made of.

`@operation` leaves a function as it is for tensors, arrays and numbers. Called on a `KerasTensor` it records
one call, with the function itself as the target, so a graph's code reads like the code that made it. Keras
knows every operation as a class (`Mean`) with settings (`axis`); the names under which graphs are written
to configs are kept here.
"""

import builtins
import functools
import inspect
import operator
import types

import torch

from torchkeras_lite.base import naming
from torchkeras_lite.engine.keras_tensor import OPERATIONS, any_symbolic, record_function

FAMILIES = ("core", "image", "linalg", "math", "nn")
_PLAIN = frozenset((int, float, bool, str, type(None), torch.Tensor))
_by_keras_name: dict[tuple[str, str], object] = {}


class OperationInfo:
    """What is known of a function made by `operation`, its attribute `operation`.

    Args:
        function: The plain function.
        tensors: Which parameters are arguments of the call, as `operation` takes it; the others are settings.
        name: Keras's class name.
        family: Keras's module: `"numpy"`, `"nn"`, ...
    """

    def __init__(self, function, tensors, name, family):
        names, takes_any = _parameters(function)
        self.function = function
        self.class_name = name
        self.family = family
        self.node_name = naming.to_snake_case(name)
        self.parameters = list(names)
        self.takes_any = takes_any
        if tensors == "all":
            tensors = len(names)
        called = self.parameters[:tensors] if isinstance(tensors, int) else tensors
        self.called = tuple(name for name in names if name in called)
        self.settings = tuple(name for name in names if name not in called)

    @property
    def module(self):
        """Keras's module of the class, as configs have it."""
        return f"keras.src.ops.{self.family}"


def operation(function=None, *, tensors=1, name=None, family=None):
    """Let a plain function be called on symbolic tensors, which records one call of it.

    Args:
        function: The function.
        tensors: How many of its parameters, from the first on, are arguments of the call (tensors, arrays or
            numbers, alone or in lists); `"all"` for every one; or a tuple with the names of those that are.
            The others are settings, and no symbolic tensor may be among them.
        name: Keras's class name, which configs have; by default the function's name in camel case.
        family: Keras's module of the class: `"numpy"`, `"nn"`, `"math"`, `"linalg"`, `"image"`, `"core"`.
            By default what the name of the file begins with (`nn_pooling.py`), or its room's, else `"numpy"`.
    """
    if function is None:
        return functools.partial(operation, tensors=tensors, name=name, family=family)
    if name is None:
        name = _class_name(function.__name__)
    if family is None:
        room, _, file = function.__module__.rpartition(".")
        starts = file.partition("_")[0], room.rpartition(".")[2]
        family = next((start for start in starts if start in FAMILIES), "numpy")
    info = OperationInfo(function, tensors, name, family)
    called = functools.wraps(function)(_callable(function, info))
    called.operation = info
    # The door, not the file: what generated code and pickles refer to.
    called.__module__ = function.__module__.rpartition(".")[0] or function.__module__
    _by_keras_name.setdefault((family, name), called)
    return called


def _is_plain(function):
    """Whether a function has parameters of the usual kind alone. `inspect.signature` would take long."""
    code = getattr(function, "__code__", None)
    if code is None or hasattr(function, "__wrapped__"):
        return False
    return not code.co_kwonlyargcount and not code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)


def _parameters(function):
    """Return the names of a function's parameters, and whether it takes any number of positional ones."""
    if _is_plain(function):
        return function.__code__.co_varnames[: function.__code__.co_argcount], False
    parameters = inspect.signature(function).parameters
    return tuple(parameters), any(p.kind is p.VAR_POSITIONAL for p in parameters.values())


def _callable(function, info):
    """Return `function` behind a test for symbolic tensors."""
    if not _is_plain(function):
        return _variadic(function)
    space = {"__function": function, "__record": _record, "__any_symbolic": any_symbolic}
    space |= {"__Tensor": torch.Tensor, "__PLAIN": _PLAIN, "__builtins__": builtins}
    code = _code(tuple(info.parameters), info.called)
    space["__called"] = types.FunctionType(code, space, function.__name__, function.__defaults__)
    return space["__called"]


@functools.cache
def _code(names, called):
    """Return the code of a function with parameters `names`, of which those in `called` may be symbolic.

    Nearly every call is one on plain tensors, so exact types are looked at first, and the parameters are
    spelled out in code that is made here, as `dataclasses` makes methods: packing arguments with
    `*args, **kwargs` costs as much as a small torch call. What the code calls are its globals.
    """
    given = ", ".join(names)
    tests = [
        f"type({name}) {'is __Tensor' if place == 0 else 'in __PLAIN'}" for place, name in enumerate(called)
    ]
    asked = called[0] if len(called) == 1 else f"({given},)"
    text = (
        f"def called({given}):\n"
        f"    if {' and '.join(tests) or 'False'} or not __any_symbolic({asked}):\n"
        f"        return __function({given})\n"
        f"    return __record(__called, ({given},))\n"
    )
    module = compile(text, "<operation>", "exec")
    return next(constant for constant in module.co_consts if isinstance(constant, types.CodeType))


def _variadic(function):
    def called(*args, **kwargs):
        for argument in args:
            if type(argument) not in _PLAIN and any_symbolic(argument):
                return _recorded(called, args, kwargs)
        if kwargs and any_symbolic(kwargs):
            return _recorded(called, args, kwargs)
        return function(*args, **kwargs)

    return called


def _record(called, values):
    """Record a call with the values of all parameters; of optional ones those that are not the defaults."""
    args, kwargs = [], {}
    for parameter, value in zip(inspect.signature(called).parameters.values(), values, strict=True):
        if parameter.default is parameter.empty:
            args.append(value)
        elif value is not parameter.default:
            kwargs[parameter.name] = value
    return _recorded(called, tuple(args), kwargs)


def _recorded(called, args, kwargs):
    return record_function(called, args, kwargs, name=called.operation.node_name, counted=True)


_OPERATORS = {getattr(operator, f"__{name}__"): node_name for name, node_name in OPERATIONS.items()}
_OPERATORS[operator.getitem] = "get_item"


def operation_of(call):
    """Return the `OperationInfo` of what `call` calls, an operation or an operator; `None` for the rest."""
    target = call.target
    if not isinstance(target, torch.nn.Module) and target in _OPERATORS:
        target = find_operation("numpy", _class_name(_OPERATORS[target]))
    return getattr(target, "operation", None)


def _class_name(name):
    return "".join(part.capitalize() for part in name.split("_"))


def find_operation(module, class_name):
    """Return the function that Keras's configs call `class_name` of `module`, else `None`."""
    return _by_keras_name.get((module.rpartition(".")[2], class_name))
