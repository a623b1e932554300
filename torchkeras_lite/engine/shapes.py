"""Output shapes without shape formulas: the call runs on the meta device, with two sizes for every unknown
axis.

Axes of the results that differ between the two runs are unknown too, and so are those that a third run with
the size 1 makes smaller: `x[:, :5]` takes 5 places only where there are as many. A callable that cannot run
on the meta device (it mixes in tensors it holds itself, or looks at values) runs on small real zeros instead.
"""

import contextlib
import contextvars
import itertools
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from torchkeras_lite.base import dtypes, nested, text
from torchkeras_lite.base.device import default_device
from torchkeras_lite.engine.weights import Weight

_probing: contextvars.ContextVar[bool] = contextvars.ContextVar("probing", default=False)

# (batch, other axes): both numbers of a pair are highly composite, so that strides and reshapes divide them.
# The second is three times the first, so that no window fits equally often into both.
SIZES = (((12, 128), (24, 384)), ((12, 512), (24, 1536)))
MOST_UNKNOWN = 4  # sizes that are tried out against those that are known
SMALL_SIZES = (((2, 8), (4, 12)), ((2, 64), (4, 96)))
ONE = (1, 1)
BATCH = 13  # a prime: other sizes are seldom its multiples
NO_SAMPLES = 0
LARGEST_STAND_IN = 2**26  # elements: a file may declare any size, and some kernels copy weights


@dataclass(frozen=True)
class TensorSpec:
    """Shape (with `None` for unknown sizes) and Keras dtype of a tensor that does not exist yet."""

    shape: tuple
    dtype: str = "float32"

    @property
    def ndim(self):
        """Number of axes."""
        return len(self.shape)


def is_probing():
    """Whether the code runs only to learn shapes; its values mean nothing."""
    return not torch.compiler.is_compiling() and _probing.get()


def concrete(shape, sizes):
    """Return `shape` with the sizes `(batch, other)` in place of unknown ones."""
    return tuple(sizes[axis > 0] if size is None else size for axis, size in enumerate(shape))


def probe_tensor(spec, sizes, device="meta"):
    """Return a tensor of zeros (or without values, on the meta device) as `spec` says.

    Of strings, which torch does not have, an array of empty ones.
    """
    if spec.dtype == "string":
        return np.full(concrete(spec.shape, sizes), "")
    return torch.zeros(concrete(spec.shape, sizes), dtype=dtypes.torch_dtype(spec.dtype), device=device)


def run_on_meta(module, args, kwargs, call=None):
    """Call `module`, by `call` where that is given, with meta tensors for its parameters and buffers."""
    return _run_with(lambda tensor: tensor.to("meta"), module, args, kwargs, call)


def _without_memory(tensor):
    """Return what stands for a tensor of the meta device where there are no samples to compute with."""
    plain = tensor.detach().as_subclass(torch.Tensor)
    return torch.zeros((), dtype=plain.dtype, device="cpu").expand(plain.shape) if plain.is_meta else tensor


def _run_with(replacement, module, args, kwargs, call=None):
    """Call `module`, by `call` where that is given, with replacements for its parameters and buffers.

    (`torch.func.functional_call` leaves the replacements in a module that is registered under two names.)
    """
    kept = [
        (table, key, tensor)
        for one in module.modules()
        for table in (one._parameters, one._buffers)
        for key, tensor in table.items()
        if tensor is not None
    ]
    replaced = {id(tensor): replacement(tensor) for _, _, tensor in kept}
    try:
        for table, key, tensor in kept:
            table[key] = replaced[id(tensor)]
        return (module if call is None else call)(*args, **kwargs)
    finally:
        for table, key, tensor in kept:
            table[key] = tensor


@contextlib.contextmanager
def unchanged(module):
    """Give parameters and buffers their values back that a run with real tensors overwrites."""
    kept = [(t, t.clone(), t._version) for t in (*module.parameters(), *module.buffers())]
    try:
        yield
    finally:
        for tensor, values, version in kept:
            if tensor._version != version:
                tensor.copy_(values)


def infer(target, args, kwargs, is_symbolic):
    """Return the `TensorSpec`s, nested as the results are, of calling `target` (a module or function).

    Args:
        target: `nn.Module` or callable.
        args: Positional arguments; leaves for which `is_symbolic` holds stand for tensors.
        kwargs: Keyword arguments, likewise.
        is_symbolic: Tells a stand-in (with a `spec`) from a value.

    Raises:
        ValueError: the call fails on inputs of these shapes.
    """
    stand_ins = [leaf for leaf in nested.flatten((args, kwargs)) if is_symbolic(leaf)]
    unknown = any(size is None for leaf in stand_ins for size in leaf.spec.shape)
    is_module = isinstance(target, nn.Module)

    def run(sizes, device):
        def fill(leaf):
            if is_symbolic(leaf):
                return probe_tensor(settled.get(id(leaf), leaf.spec), sizes, device)
            if isinstance(leaf, (torch.Tensor, Weight)):
                return getattr(leaf, "value", leaf).to(device)
            return leaf

        filled_args, filled_kwargs = nested.map_structure(fill, (tuple(args), dict(kwargs)))
        if is_module and device == "meta":
            return run_on_meta(target, filled_args, filled_kwargs)
        changes = is_module and sizes[0] != NO_SAMPLES
        with unchanged(target) if changes else contextlib.nullcontext():
            if is_module and _device_of(target).type == "meta":
                return _run_with(_without_memory, target, filled_args, filled_kwargs)
            return target(*filled_args, **filled_kwargs)

    # A layer seldom cuts its batch; in all models but few, no other axis is unknown.
    cuts = any(None in leaf.spec.shape[is_module:] for leaf in stand_ins)
    given = {leaf.spec.shape for leaf in stand_ins}

    def run_both(pair, device):
        first = run(pair[0], device)
        specs = compare(first, run(pair[1], device) if unknown else first)
        if cuts and any(_may_be_cut(leaf, given) for leaf in nested.flatten(specs)):
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _where_equal(specs, run(ONE, device))
        return specs

    attempts = [(pair, "meta") for pair in (SIZES if unknown else SIZES[:1])]
    if not (is_module and _is_too_large(target)):
        device = _real(default_device())
        attempts += [(pair, device) for pair in (SMALL_SIZES if unknown else SMALL_SIZES[:1])]
    settled, error = {}, None
    with probing(), torch.no_grad():
        if is_module and getattr(target, "keeps_batch", False) and _has_one_batch(stand_ins):
            quick = [(BATCH, "meta")]
            if _is_inert(target, kwargs) and not _is_too_large(target):
                quick.insert(0, (NO_SAMPLES, _real(_device_of(target))))
            known = stand_ins[0].spec.shape[0]
            for leaf in stand_ins if known is not None else ():
                settled[id(leaf)] = TensorSpec((None, *leaf.spec.shape[1:]), leaf.spec.dtype)
            for batch, device in quick:
                with contextlib.suppress(Exception):  # the runs below tell what is wrong
                    specs = _with_batch(run((batch, batch), device), batch, known)
                    if specs is not None:
                        return specs
            settled.clear()
        for pair, device in attempts:
            try:
                return run_both(pair, device)
            except Exception as failure:
                error = failure
        if unknown and not is_module and len(stand_ins) > 1:
            for sizes in _settlements(stand_ins):
                settled.update(sizes)
                with contextlib.suppress(Exception):
                    return run_both(SIZES[0], "meta")
    raise error


def _has_one_batch(stand_ins):
    """Whether all sizes are known but perhaps that of the batch, which is the same of all."""
    shapes = [leaf.spec.shape for leaf in stand_ins]
    return (
        bool(shapes)
        and all(shape and None not in shape[1:] for shape in shapes)
        and len({shape[0] for shape in shapes}) == 1
    )


def _is_inert(layer, kwargs):
    """Whether a call of `layer` draws no random numbers and changes no state: in inference mode."""
    return not (layer.training or kwargs.get("training") or layer._call_signature.training_default)


def _is_too_large(layer):
    """Whether `layer` has no values yet and could take much memory for some."""
    return any(tensor.is_meta and tensor.numel() > LARGEST_STAND_IN for tensor in layer.parameters())


def _device_of(layer):
    tensor = next(itertools.chain(layer.parameters(), layer.buffers()), None)
    return default_device() if tensor is None else tensor.device


def _real(device):
    """Return `device`, or the CPU for the meta device, where the weights are while a file is read.

    Without samples it costs neither time nor memory there either; but the first call of many operations on
    the meta device makes torch import its compiler, which takes most of a second.
    """
    return torch.device("cpu") if device.type == "meta" else device


def _with_batch(outputs, batch, known):
    """Return the specs, with `known` samples, of a run with `batch`.

    `None` where another axis may depend on the number of samples.
    """
    for leaf in nested.flatten(outputs):
        if not isinstance(leaf, torch.Tensor) or not leaf.ndim or leaf.shape[0] != batch:
            return None
        if any(size == batch or (batch and size % batch == 0) for size in leaf.shape[1:]):
            return None
    return nested.map_structure(
        lambda leaf: TensorSpec((known, *leaf.shape[1:]), dtypes.standardize_dtype(leaf.dtype)), outputs
    )


def _settlements(stand_ins):
    """Yield specs, by `id` of the stand-in, in which unknown sizes are what other inputs know or allow.

    `(None, 3)` and `(2, None)` can be added only where the unknown sizes are 2 or 1 and 3 or 1. As few
    sizes as possible are settled.
    """
    known = sorted({size for leaf in stand_ins for size in leaf.spec.shape if size is not None} - {1})
    places = [
        (leaf, axis)
        for leaf in {id(leaf): leaf for leaf in stand_ins}.values()
        for axis, size in enumerate(leaf.spec.shape)
        if size is None
    ]
    count = len(places)
    combinations = itertools.product((None, 1, *known), repeat=count) if count <= MOST_UNKNOWN else ()
    for sizes in sorted(combinations, key=lambda sizes: count - sizes.count(None)):
        shapes = {id(leaf): list(leaf.spec.shape) for leaf, _ in places}
        for (leaf, axis), size in zip(places, sizes, strict=True):
            shapes[id(leaf)][axis] = size
        yield {id(leaf): TensorSpec(tuple(shapes[id(leaf)]), leaf.spec.dtype) for leaf, _ in places}


@contextlib.contextmanager
def probing():
    """Mark the code inside as run only for its shapes."""
    token = _probing.set(True)
    try:
        yield
    finally:
        _probing.reset(token)


def _may_be_cut(spec, given):
    """Whether a known size of `spec`, of a result for inputs of the shapes `given`, could be smaller."""
    if not isinstance(spec, TensorSpec) or given == {spec.shape}:
        return False
    return any(size is not None and size > 1 for size in spec.shape)


def _where_equal(specs, results):
    """Return `specs` with `None` for sizes that are others in `results`.

    Raises:
        ValueError: other numbers of axes.
    """

    def merge(spec, tensor):
        if not isinstance(spec, TensorSpec):
            return spec
        shape = (a if a == int(b) else None for a, b in zip(spec.shape, tensor.shape, strict=True))
        return TensorSpec(tuple(shape), spec.dtype)

    return nested.map_structure(merge, specs, results)


def compare(first, second):
    """Return the specs of a result from two runs: sizes that differ become `None`.

    Other leaves stay as they are.
    """

    def merge(a, b):
        if not isinstance(a, torch.Tensor) and not text.is_text(a):
            return a
        shape = tuple(int(x) if int(x) == int(y) else None for x, y in zip(a.shape, b.shape, strict=True))
        return TensorSpec(shape, "string" if text.is_text(a) else dtypes.standardize_dtype(a.dtype))

    return nested.map_structure(merge, first, second)
