"""A function of a model's state and a batch, traced into one graph of torch operations and compiled."""

import contextlib
import importlib
import warnings

import torch
from torch import nn
from torch._guards import TracingContext, tracing
from torch._subclasses import FakeTensor, FakeTensorMode
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx

from torchkeras_lite.base import nested
from torchkeras_lite.engine import collecting
from torchkeras_lite.engine.weights import LayerBuffer, LayerParameter
from torchkeras_lite.metrics.state import MetricVariable
from torchkeras_lite.random import SeedGenerator
from torchkeras_lite.random.state import random_state, restore_random_state

FEW_OPERATIONS = 1000  # in a longer graph it counts how the kernels are called
MOST_OPERATIONS = 6000  # a longer graph, as of a loop over hundreds of steps, takes inductor many minutes
OWN_NUMBERS = "a layer with a seed draws random numbers from a generator of its own"


class NotTraceableError(Exception):
    """Why a function cannot be one graph; the text goes on after "runs eagerly: "."""


class State:
    """The tensors that a step reads and changes, in one flat order.

    Args:
        model: A built model.
        slots: The tensors of its optimizer that the step changes as well.
        metrics: The metrics that it changes.
    """

    def __init__(self, model, slots=(), metrics=()):
        self.model = model
        self.named = dict(model.named_parameters()) | dict(model.named_buffers())
        self.slots = list(slots)
        variables = [variable for metric in metrics for variable in metric.variables]
        self.variables = [variable for variable in variables if isinstance(variable, MetricVariable)]
        self.own = [*self.named.values(), *self.slots]
        self.fixed = [_plain(tensor) for tensor in self.own]

    def form(self):
        """Return what a graph relies on: forms of the tensors, and how the modules are set."""
        tensors = [(t.shape, t.stride(), t.dtype, t.device, t.requires_grad) for t in self.own]
        modules = [(id(m), m.__dict__.get("_trainable")) for m in self.model.modules()]
        return [*self.named], tensors, modules, list(map(id, self.variables))

    def addresses(self):
        """Return where the tensors lie in memory, but for those of the metrics."""
        return [tensor.data_ptr() for tensor in self.fixed]

    @contextlib.contextmanager
    def lent_metrics(self, tensors):
        """Give the metrics the state `tensors` inside, and their own afterwards."""
        kept = [vars(variable).copy() for variable in self.variables]
        try:
            for variable, tensor in zip(self.variables, tensors, strict=True):
                variable.take(tensor)
            yield
        finally:
            for variable, state in zip(self.variables, kept, strict=True):
                vars(variable).clear()
                vars(variable).update(state)

    def call(self, function, fixed, values, *args):
        """Compute `function(places, slots, *args)` with other tensors as the state.

        Args:
            function: What is computed. `places` maps the `id` of a tensor of the model to the tensor in its
                place, `slots` are those in the place of the optimizer's.
            fixed: Tensors in the place of `self.fixed`.
            values: Tensors in the place of the values of `self.variables`.
            *args: Further arguments.

        Returns:
            What the function returned, and the values of `self.variables` after it.
        """
        number = len(self.named)
        pairs = zip(self.named.items(), fixed[:number], strict=True)
        lent = {f"model.{name}": _dressed(tensor, own) for (name, own), tensor in pairs}
        places = dict(zip(map(id, self.named.values()), lent.values(), strict=True))
        holder = _Holder(self.model, lent, function)
        collecting.clear_call_losses(self.model)
        with self.lent_metrics(values):
            try:
                result = functional_call(holder, lent, (places, fixed[number:], *args))
            finally:
                collecting.clear_call_losses(self.model)
            return result, [variable.value for variable in self.variables]


def _plain(tensor):
    """Return `tensor`, or where it is of a class of ours, a plain tensor in the same memory."""
    known = type(tensor) in (torch.Tensor, nn.Parameter)
    return tensor if known else tensor.detach().as_subclass(torch.Tensor)


class _Holder(nn.Module):
    """A function of a model as a module, to which `functional_call` lends weights."""

    def __init__(self, model, lent, function):
        super().__init__()
        self.model = model
        self.__dict__.update(lent=lent, function=function)

    def forward(self, *args):
        """Call the function, and see that no layer put another tensor in the place of a lent one."""
        result = self.function(*args)
        for name, tensor in (*self.named_parameters(), *self.named_buffers()):
            if tensor is not self.lent.get(name):
                name = name.removeprefix("model.")
                raise NotTraceableError(f"a call puts another tensor in the place of '{name}'")
        return result


class _LentWeight(LayerBuffer, FakeTensor):
    """What stands for a tensor of `add_weight` while a function is traced."""


def _dressed(value, tensor):
    """Return `value` as a leaf that is trained where `tensor` is, with the methods that `tensor` has."""
    value = value.detach()
    if isinstance(tensor, (LayerParameter, LayerBuffer)) and isinstance(value, FakeTensor):
        value.__class__ = _LentWeight
        value.info = tensor.info
    return value.requires_grad_(tensor.requires_grad)


def trace(function, inputs, objects):
    """Return the graph module of `function`, a function of flat tensors that returns a flat list of them.

    Args:
        function: What is traced; it sees stand-ins for the tensors, and nothing is computed.
        inputs: Tensors like those that the graph will be given.
        objects: Objects whose attributes the function must leave as they are.

    Raises:
        NotTraceableError: it does something that a graph of torch operations cannot do again.
    """
    numbers, before = random_state(), [vars(one).copy() for one in objects]
    try:
        with compiling():
            graph = make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)(*inputs)
    except NotTraceableError:
        raise
    except Exception as error:
        raise NotTraceableError(f"torch cannot trace it ({first_line(error)})") from error
    finally:
        changed = [_restored(*pair) for pair in zip(objects, before, strict=True)]
        draws = _differ(numbers, random_state())
        restore_random_state(numbers)
    for one, names in zip(objects, changed, strict=True):
        if isinstance(one, nn.RNNBase):  # lists its weights anew where others stand for them
            names = [name for name in names if not name.startswith("_flat_weight")]
        if names:
            raise NotTraceableError(f"a step changes `{names[0]}` of {type(one).__name__} in Python")
    if draws:
        raise NotTraceableError("a step draws random numbers from Python or NumPy")
    _require_known_operations(graph)
    number = len(graph.graph.nodes)
    if number > MOST_OPERATIONS:
        raise NotTraceableError(
            f"its graph has {number} operations, and more than {MOST_OPERATIONS} take long to compile"
        )
    return graph


@contextlib.contextmanager
def compiling():
    """Let `torch.compiler.is_compiling()` be true inside, by which layers leave out what is not computed."""
    before = torch.compiler._is_compiling_flag
    torch.compiler._is_compiling_flag = True
    try:
        yield
    finally:
        torch.compiler._is_compiling_flag = before


def _require_known_operations(graph):
    """Raise where a graph writes into a tensor that is neither given to it nor made by it, waits for a value,
    or has a kernel that runs nowhere else than in torch's own backward pass."""
    for node in graph.graph.nodes:
        if "mkldnn_rnn" in str(node.target):
            raise NotTraceableError("torch's recurrent kernels for the CPU cannot be part of a graph")
        if node.target is torch.ops.aten._local_scalar_dense.default:
            raise NotTraceableError("a step reads a number out of a tensor")
        if node.op == "get_attr" and isinstance(getattr(graph, node.target), torch.Generator):
            raise NotTraceableError(OWN_NUMBERS)
        schema = getattr(node.target, "_schema", None)
        if schema is None or not schema.is_mutable:
            continue
        written = [
            value
            for argument, value in zip(schema.arguments, node.args, strict=False)
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
        if any(getattr(value, "op", None) == "get_attr" for value in nested.flatten(written)):
            raise NotTraceableError("a step changes a tensor that is no weight and no buffer")


def _differ(first, second):
    """Whether random numbers of Python or NumPy were drawn between two states."""
    keys = [state["numpy"][1] for state in (first, second)]
    places = [(state["python"], state["numpy"][2:]) for state in (first, second)]
    return places[0] != places[1] or not torch.equal(*keys)


def _restored(one, before):
    """Give `one` the attributes that it had `before`; return the names of those that had changed."""
    now = vars(one)
    names = [name for name in {**before, **now} if now.get(name, one) is not before.get(name, one)]
    if names:
        now.clear()
        now.update(before)
    return names


def require_traceable(model):
    """Raise where a model has what a graph would leave out without a word.

    Raises:
        NotTraceableError: hooks of the user's, which torch calls while a graph is traced and never again;
            seeds that are counted in Python.
    """
    if seed_generators(model):
        raise NotTraceableError(OWN_NUMBERS)
    for path, module in model.named_modules():
        if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks:
            raise NotTraceableError(f"the module '{path or type(module).__name__}' has hooks")
    for path, parameter in model.named_parameters():
        if parameter._backward_hooks or parameter._post_accumulate_grad_hooks:
            raise NotTraceableError(f"the weight '{path}' has hooks")


def stateful_objects(model):
    """Return the objects of Python that a step could change: layers, metrics, losses, the optimizer."""
    metrics = [*model.metrics, *model.compiled_metrics.metrics] if model.compiled else []
    losses = model.compiled_loss.losses if model.compiled_loss is not None else []
    optimizers = [model.optimizer] if model.optimizer is not None else []
    return [*model.modules(), *metrics, *losses, *optimizers]


def seed_generators(model):
    """Return the `SeedGenerator`s among the attributes of the model's layers."""
    values = [value for module in model.modules() for value in vars(module).values()]
    return [value for value in values if isinstance(value, SeedGenerator)]


def keep_numbers_out_of_loops(graph, first, count):
    """Let what a graph computes from a step's numbers alone be computed once, not beside every element.

    Inductor would compute a power of the step's number again wherever an update over many elements uses it;
    `as_strided` makes it write the result down.

    Args:
        graph: What `trace` returned; it is changed.
        first, count: Which of its inputs are the numbers.
    """
    inputs = graph.graph.find_nodes(op="placeholder")
    alone = set(inputs[first : first + count])
    for node in graph.graph.nodes:
        if node.op == "call_function" and node.all_input_nodes and alone.issuperset(node.all_input_nodes):
            alone.add(node)
    for node in [node for node in graph.graph.nodes if node in alone and node.op == "call_function"]:
        users = [user for user in node.users if user not in alone]
        if users:
            with graph.graph.inserting_after(node):
                kept = graph.graph.call_function(torch.ops.aten.as_strided.default, (node, [], []))
            kept.meta.update(node.meta)
            for user in users:
                user.replace_input_with(node, kept)
    graph.recompile()


def compile_graph(graph, inputs, options):
    """Return a function of flat tensors that computes a graph.

    Args:
        graph: What `trace` returned.
        inputs: Tensors like those that it will be given.
        options: Those of `torch.compile`: `backend`, `mode`, `options`.

    Raises:
        NotTraceableError: the compiler failed.
    """
    backend = options.get("backend") or "inductor"
    # Inductor keeps graphs on disk from run to run only where it finds an environment of symbolic shapes,
    # whose module (with sympy) would make the import of this package slower by a quarter of a second.
    shapes = importlib.import_module("torch.fx.experimental.symbolic_shapes")
    mode = FakeTensorMode(shape_env=shapes.ShapeEnv())
    try:
        inputs = [mode.from_tensor(tensor, static_shapes=True) for tensor in inputs]
        with torch.no_grad(), tracing(TracingContext(mode)), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch's own, when it imports inductor
            if backend == "inductor":
                return _by_inductor(graph, inputs, inductor_options(options))
            found = torch._dynamo.lookup_backend(backend) if isinstance(backend, str) else backend
            return found(graph, inputs)
    except Exception as error:
        raise NotTraceableError(f"torch cannot compile it ({first_line(error)})") from error


def _by_inductor(graph, inputs, settings):
    """Return the graph compiled by inductor: of many small operations, as of a loop over steps, all in C++.

    What calls the kernels is Python otherwise, and takes as long as such operations.
    """
    operations = sum(node.op == "call_function" for node in graph.graph.nodes)
    on_cpu = all(tensor.device.type == "cpu" for tensor in inputs)
    if operations > FEW_OPERATIONS and on_cpu and "cpp_wrapper" not in settings:
        with contextlib.suppress(Exception):  # what is in the way there may not be in Python
            return torch._inductor.compile(graph, inputs, options={**settings, "cpp_wrapper": True})
    return torch._inductor.compile(graph, inputs, options=settings)


def inductor_options(options):
    """Return the settings of inductor for options of `torch.compile`.

    Random numbers are torch's own, so that a compiled step draws what an eager one draws. Sizes and strides
    of inputs are not checked, because the caller does. CUDA graphs are left to the caller.
    """
    given = options.get("options") or {}
    mode = torch._inductor.list_mode_options(options.get("mode") or "default")
    ours = {"fallback_random": True, "size_asserts": False}
    return {**ours, **mode, **given, "triton.cudagraphs": False}


def first_line(error):
    """Return kind and first line of an error, for a message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def gradients_of(loss, tensors):
    """Return the gradients of `loss`, laid out as the tensors, `None` where it does not depend on one."""
    gradients = torch.autograd.grad(loss, tensors, allow_unused=True)
    return [
        gradient
        if gradient is None or gradient.stride() == tensor.stride()
        else torch.empty_like(tensor).copy_(gradient)
        for gradient, tensor in zip(gradients, tensors, strict=True)
    ]


class Flattened:
    """How a nested structure of tensors is laid out in a flat list; other leaves are kept here.

    Args:
        structure: Tensors and `None`s, nested.

    Raises:
        NotTraceableError: a leaf of another kind.
    """

    def __init__(self, structure):
        self.structure = structure
        leaves = nested.flatten(structure)
        for leaf in leaves:
            if leaf is not None and type(leaf) is not torch.Tensor and not isinstance(leaf, FakeTensor):
                raise NotTraceableError(f"it works on values of type {type(leaf).__name__}")
        self.places = [place for place, leaf in enumerate(leaves) if leaf is not None]
        self.number = len(leaves)
        self.structure = nested.map_structure(lambda leaf: None, structure)

    def pack(self, tensors):
        """Return `tensors` in the form of the structure."""
        leaves = [None] * self.number
        for place, tensor in zip(self.places, tensors, strict=True):
            leaves[place] = tensor
        return nested.pack_like(self.structure, leaves)


def tensors_in(structure):
    """Return the tensors of a nested structure, flat."""
    return [leaf for leaf in nested.flatten(structure) if leaf is not None]
