"""Symbolic tensors: a `KerasTensor` has a shape and a dtype, and remembers the call that would make it.

A call is recorded as data (`Call`), apart from running it; `graph` lowers recorded calls to torch.fx.
Layers, torch functions, operators, slices and tensor methods all end here.
"""

import itertools
import operator
import re

import numpy as np
import torch

from torchkeras_lite.base import dtypes, naming, nested
from torchkeras_lite.base.device import default_device
from torchkeras_lite.engine import einops_backend, shapes
from torchkeras_lite.engine.shapes import TensorSpec
from torchkeras_lite.engine.torch_modules import (
    ModuleReplay,
    Piece,
    enclosing_module_frame,
    recorder,
    same_statistics,
)

_creation = itertools.count()


class Call:
    """One recorded call.

    Args:
        target: An `nn.Module` or a function.
        args: Positional arguments, nested, with `KerasTensor`s for what is not known yet.
        kwargs: Keyword arguments, likewise.
        name: What the call is named after in graphs and outputs.
        is_input: Whether nothing is computed: the outputs are given from outside.
    """

    def __init__(self, target, args, kwargs, name, is_input=False):
        self.target = target
        self.args = args
        self.kwargs = kwargs
        self.name = name
        self.is_input = is_input
        self.outputs = None
        self.number = next(_creation)

    @property
    def is_module(self):
        """Whether a module (a layer or any `nn.Module`) is called."""
        return isinstance(self.target, torch.nn.Module)

    @property
    def owner(self):
        """What all calls of one thing have in common: the module or `Operation`; of a function, the call."""
        return self.target if self.is_module or hasattr(self.target, "get_config") else self

    @property
    def inputs(self):
        """The symbolic tensors among the arguments, in order."""
        return [leaf for leaf in nested.flatten((self.args, self.kwargs)) if isinstance(leaf, KerasTensor)]

    @property
    def inputs_structure(self):
        """The first argument, where it is the only one with symbolic tensors.

        Else the list of all of them.
        """
        if len(self.args) == 1 and not any_symbolic(self.kwargs):
            return self.args[0]
        inputs = self.inputs
        return inputs[0] if len(inputs) == 1 else inputs

    @property
    def tensors(self):
        """The symbolic tensors that came out, flat."""
        return [leaf for leaf in nested.flatten(self.outputs) if isinstance(leaf, KerasTensor)]

    # What packages made for Keras read of its `Node`s.

    @property
    def operation(self):
        """The layer or `Operation` that is called; of a function, the call, which has its name."""
        return self.owner

    @property
    def parent_nodes(self):
        """The calls that made the inputs, one for each."""
        return [tensor.call for tensor in self.inputs]

    @property
    def input_tensors(self):
        """The symbolic inputs."""
        return self.inputs

    @property
    def output_tensors(self):
        """The symbolic outputs."""
        return self.tensors

    def emit(self, specs, *, name=None):
        """Make the outputs from nested `TensorSpec`s, and return them."""
        pairs = nested.flatten_with_path(specs)
        made = [
            KerasTensor(spec.shape, spec.dtype, name=name, call=self, path=path)
            if isinstance(spec, TensorSpec)
            else spec
            for path, spec in pairs
        ]
        self.outputs = nested.pack_like(specs, made)
        return self.outputs


def is_symbolic(x):
    """Whether `x` is a `KerasTensor`."""
    return isinstance(x, KerasTensor)


_LEAVES = frozenset((torch.Tensor, torch.nn.Parameter, np.ndarray, int, float, bool, str, type(None)))


def any_symbolic(structure):
    """Whether a `KerasTensor` is among the leaves of `structure`."""
    if type(structure) in _LEAVES:  # first, because nearly everything that is asked for is one of them
        return False
    if isinstance(structure, dict):
        structure = structure.values()
    elif not isinstance(structure, (list, tuple)):
        return isinstance(structure, KerasTensor)
    for part in structure:  # noqa: SIM110, `any` of a generator costs three times as much
        if type(part) not in _LEAVES and any_symbolic(part):
            return True
    return False


def record_function(function, args, kwargs, name=None, *, counted=False):
    """Record a call of a torch function or any other callable, and return its symbolic results.

    Args:
        function: What is called.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        name: What the call is named after; by default the function's name.
        counted: Whether the name is an automatic one: `add`, `add_1`, ...
    """
    name = name or getattr(function, "__name__", type(function).__name__)
    args, kwargs = nested.map_structure(_as_constant, (tuple(args), dict(kwargs)))
    recorded = record_inside_module(function, args, kwargs)
    if recorded is not None:
        return recorded
    return record(Call(function, args, kwargs, naming.unique_name(name) if counted else name))


def _as_constant(leaf):
    """Return NumPy's arrays as tensors and its scalars as numbers: what a graph can hold."""
    if isinstance(leaf, np.ndarray):
        device = default_device()  # the meta device, while a file is read, would lose the values
        return torch.as_tensor(leaf, device="cpu" if device.type == "meta" else device)
    return leaf.item() if isinstance(leaf, np.generic) else leaf


def record(call):
    """Give `call` its symbolic outputs, found by running it without values, and return them.

    An operation that has a `compute_output_spec` is asked instead.
    """
    specify = None if call.is_module else getattr(call.target, "compute_output_spec", None)
    try:
        if specify is None:
            specs = shapes.infer(call.target, call.args, call.kwargs, is_symbolic)
        else:
            specs = nested.map_structure(
                lambda leaf: leaf.spec if is_symbolic(leaf) else leaf, specify(*call.args, **call.kwargs)
            )
    except Exception as error:
        found = ", ".join(f"{t._shape} {t._dtype}" for t in call.inputs)
        kind = type(error) if type(error) in (TypeError, ValueError) else ValueError
        raise kind(
            f"`{call.name}` cannot be called on symbolic tensors of shapes {found}: {_reason(error)}"
        ) from error
    return call.emit(specs)


def _reason(error):
    """Return what an error says; of an axis that is not there, in Keras's words."""
    axis = re.match(r"Dimension out of range .*\[(-?\d+), (-?\d+)\], but got (-?\d+)", str(error))
    return "axis {2} is out of bounds, it must be from {0} to {1}.".format(*axis.groups()) if axis else error


def record_inside_module(target, args, kwargs):
    """Record `target` as a piece of the plain torch module around it; `None` when there is no such module."""
    frame = enclosing_module_frame(any_symbolic)
    if frame is None:
        return None
    if recorder.rehearsal is not None:
        specs = shapes.infer(target, args, kwargs, is_symbolic)
        piece = Piece(target, specs)
        recorder.rehearsal.append(piece)
        return Call(piece, args, kwargs, "piece").emit(specs)
    module, key = frame.f_locals["self"], (id(frame), id(frame.f_locals["self"]))
    if recorder.current is None or not recorder.current.expects(key, target):
        recorder.current = _rehearse(module, frame.f_locals["args"], frame.f_locals["kwargs"], key)
    replay = recorder.current
    piece, number = replay.pieces[replay.position], replay.position
    replay.position += 1
    if replay.position == len(replay.pieces):
        recorder.current = None
    inner = Call(piece, args, kwargs, "piece").emit(piece.outputs)
    leaves = [replay.returned.get((number, path), leaf) for path, leaf in nested.flatten_with_path(inner)]
    return nested.pack_like(inner, leaves)


def record_module(module, args, kwargs, name=None):
    """Record a call of a plain torch module, and return its symbolic results."""
    return record(Call(module, args, kwargs, name or naming.to_snake_case(type(module).__name__)))


def _rehearse(module, args, kwargs, key):
    """Record `module(*args, **kwargs)` as one call and learn the pieces it runs."""
    outputs = record_module(module, args, kwargs)

    stand_ins = {}  # one for each tensor: modules ask `query is key`

    def stand_in(leaf):
        if not isinstance(leaf, KerasTensor):
            return leaf
        if id(leaf) not in stand_ins:
            shape = shapes.concrete(leaf._shape, shapes.SIZES[0][0])
            stand_ins[id(leaf)] = KerasTensor(shape, leaf._dtype, name=leaf.name)
        return stand_ins[id(leaf)]

    try:
        with same_statistics(module), recorder.rehearse() as pieces:
            returned = module(*nested.map_structure(stand_in, args), **nested.map_structure(stand_in, kwargs))
    except Exception as error:
        raise ValueError(
            f"{type(module).__name__} cannot be called on a symbolic tensor: {error} Put it in a "
            "`Sequential`, or wrap it "
            "as `layers.TorchModuleWrapper(module)` and call that."
        ) from error
    numbers = {id(piece): number for number, piece in enumerate(pieces)}
    places = {}
    for inner, outer in zip(nested.flatten(returned), nested.flatten(outputs), strict=True):
        if isinstance(inner, KerasTensor) and inner.call is not None:
            places[numbers[id(inner.call.target)], inner.path] = outer
    return ModuleReplay(key, pieces, places)


def _checked_shape(shape):
    try:
        sizes = tuple([None if size is None else operator.index(size) for size in shape])
    except TypeError:
        sizes = None
    if sizes is None or any([size is not None and size < 0 for size in sizes]):
        raise ValueError(
            f"KerasTensor: cannot convert {shape!r} to a shape; expected a tuple of sizes of 0 or more, with "
            "`None` for unknown ones."
        )
    return sizes


class KerasTensor:
    """A tensor without values: shape, dtype, and the call that makes it.

    Layers, torch functions, operators, indexing and tensor methods can be applied to it; `Model(inputs,
    outputs)` turns what was applied into a model.

    Args:
        shape: Tuple with `None` for unknown sizes, the batch first.
        dtype: Keras's dtype name.
        sparse, ragged: Only `False`: there are no such tensors here.
        record_history: Without effect: a tensor that no call made has no history.
        name: Name, an automatic one when not given.

    Source: Keras 3 `keras.KerasTensor`.
    """

    __array_ufunc__ = None
    sparse = ragged = False
    _same = None  # of the result of `==`: whether both are one symbolic tensor

    def __init__(
        self,
        shape,
        dtype="float32",
        sparse=False,
        ragged=False,
        record_history=True,
        name=None,
        *,
        call=None,
        path=(),
    ):
        if sparse or ragged:
            raise ValueError(
                "KerasTensor: sparse and ragged tensors have no counterpart here; pass dense ones."
            )
        self._shape = _checked_shape(shape)
        self._dtype = dtypes.standardize_dtype(dtype)
        self.name = name or naming.auto_name(self)
        einops_backend.offer(KerasTensor)
        self.call = call
        self.path = path

    @property
    def shape(self):
        """The shape; inside the `forward` of a plain torch module, unknown sizes show a number."""
        if None in self._shape and enclosing_module_frame(any_symbolic) is not None:
            return torch.Size(shapes.concrete(self._shape, shapes.SIZES[0][0]))
        return self._shape

    @property
    def dtype(self):
        """Keras's dtype name; inside the `forward` of a plain torch module, the torch dtype."""
        if enclosing_module_frame(any_symbolic) is not None:
            return dtypes.torch_dtype(self._dtype)
        return self._dtype

    @property
    def device(self):
        """Where the model will be: tensors made for the graph belong there."""
        return default_device()

    @property
    def spec(self):
        """Shape and dtype alone."""
        return TensorSpec(self._shape, self._dtype)

    @property
    def ndim(self):
        """Number of axes."""
        return len(self._shape)

    @property
    def _keras_history(self):
        """`(operation, node index, tensor index)`, as Keras has it."""
        operation = self.call.target
        made = getattr(operation, "_calls", [self.call])
        node = next((i for i, call in enumerate(made) if call is self.call), 0)
        return operation, node, next(i for i, t in enumerate(self.call.tensors) if t is self)

    def dim(self):
        """Number of axes, as torch spells it."""
        return len(self._shape)

    def size(self, dim=None):
        """Shape, or the size of axis `dim`."""
        return self.shape if dim is None else self.shape[dim]

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function is torch.Tensor.dim or function is torch.Tensor.size:
            return getattr(args[0], function.__name__)(*args[1:])
        return record_function(function, args, kwargs or {})

    def __getattr__(self, name):
        attribute = None if name.startswith("_") else getattr(torch.Tensor, name, None)
        if attribute is not None and name.endswith("_"):
            raise AttributeError(
                f"`{name}` changes a tensor in place, and a symbolic tensor stands for the user's data. Use "
                f"`{name.rstrip('_')}`."
            )
        if attribute is None:
            raise AttributeError(f"'KerasTensor' object has no attribute '{name}'")
        if not callable(attribute):
            if name in ("T", "mT", "H", "mH", "real", "imag"):
                return record_function(getattr, (self, name), {}, name=name)
            return getattr(shapes.probe_tensor(self.spec, shapes.SIZES[0][0]), name)

        def method(*args, **kwargs):
            return record_function(attribute, (self, *args), kwargs, name=name)

        return method

    def __getitem__(self, index):
        return record_function(operator.getitem, (self, index), {}, name="get_item", counted=True)

    def __len__(self):
        size = self.shape[0] if self._shape else None
        if size is None:
            raise TypeError(
                f"KerasTensor '{self.name}' of shape {self._shape} has no known length and cannot be "
                "iterated over. "
                "Slice it, or split it with `torch.unbind` along an axis of known size."
            )
        return size

    def __iter__(self):
        return iter([self[index] for index in range(len(self))])

    def _no_values(self, *args, **kwargs):
        raise TypeError(
            f"KerasTensor '{self.name}' of shape {self._shape} is symbolic: it has no values to convert or "
            "branch on, and cannot be used as a boolean. Use torch functions on it, or put the code in the "
            "`call` of a Layer (or a `Lambda`)."
        )

    def __eq__(self, other):
        """Record a comparison of values; as a boolean, it tells as in Keras whether both are one tensor."""
        try:
            equal = record_function(operator.eq, (self, other), {}, name=OPERATIONS["eq"], counted=True)
        except (TypeError, ValueError):
            if isinstance(other, KerasTensor):  # of shapes that cannot be compared
                return False
            raise
        if isinstance(other, KerasTensor):
            equal._same = self is other
        return equal

    def __bool__(self):
        return self._no_values() if self._same is None else self._same

    __float__ = __int__ = __index__ = __array__ = numpy = item = tolist = _no_values

    def __deepcopy__(self, memo):
        return self

    def __repr__(self):
        return f"<KerasTensor shape={self._shape}, dtype={self._dtype}, name={self.name}>"

    __hash__ = object.__hash__


# Python's operators, by the name that Keras gives the operation in graphs.
OPERATIONS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "mod",
    "pow": "power",
    "matmul": "matmul",
    "and": "logical_and",
    "or": "logical_or",
    "xor": "logical_xor",
    "lshift": "left_shift",
    "rshift": "right_shift",
    "neg": "negative",
    "pos": "pos",
    "abs": "absolute",
    "invert": "logical_not",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
_REFLECTED = list(OPERATIONS)[: list(OPERATIONS).index("neg")]  # those of two operands, without comparisons


def _operator(name, reflected=False):
    function, node_name = getattr(operator, f"__{name}__"), OPERATIONS[name]

    def method(self, *others):
        args = (*others, self) if reflected else (self, *others)
        return record_function(function, args, {}, name=node_name, counted=True)

    return method


for _name in OPERATIONS.keys() - {"eq"}:
    setattr(KerasTensor, f"__{_name}__", _operator(_name))
for _name in _REFLECTED:
    setattr(KerasTensor, f"__r{_name}__", _operator(_name, reflected=True))
