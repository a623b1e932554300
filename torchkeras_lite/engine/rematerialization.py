"""Rematerialization: what a layer computes on the way is forgotten, and computed again for the gradients."""

import contextlib
import contextvars
import functools

import torch
from torch.utils.checkpoint import checkpoint

from torchkeras_lite.base import nested
from torchkeras_lite.engine.shapes import probing

MODES = (None, "full", "activations", "larger_than", "list_of_layers")
_scope: contextvars.ContextVar = contextvars.ContextVar("remat_scope", default=None)


class RematScope:
    """Layers that are made inside trade time for memory: what they compute is not kept for the gradients.

    Args:
        mode: `"full"`: all layers; `"activations"`: those that have an `activation`; `"larger_than"`: those
            whose outputs hold more than `output_size_threshold` values; `"list_of_layers"`: those named in
            `layer_names`; `None`: none.
        output_size_threshold: See `mode`.
        layer_names: See `mode`.

    Raises:
        ValueError: an unknown mode.

    Source: Keras 3 `keras.RematScope`; `torch.utils.checkpoint`. Differs from Keras: `"activations"`
    computes the whole layer again, and statistics that a call moves move once.
    """

    def __init__(self, mode="full", output_size_threshold=1024, layer_names=None):
        if mode not in MODES:
            raise ValueError(
                f"RematScope: Invalid mode '{mode}'. Supported modes are: 'full', 'activations', "
                "'larger_than', 'list_of_layers', or None."
            )
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = list(layer_names or ())
        self._tokens = []

    def __enter__(self):
        self._tokens.append(_scope.set(self))
        return self

    def __exit__(self, *exception):
        _scope.reset(self._tokens.pop())

    def __getstate__(self):
        return {**self.__dict__, "_tokens": []}


def current_scope():
    """Return the innermost `RematScope` that asks for something, or `None`."""
    scope = _scope.get()
    return scope if scope is not None and scope.mode else None


def remat(f):
    """Return `f` so that what it computes on the way is computed again for the gradients, and not kept.

    Args:
        f: A function of torch tensors without side effects. Draws from torch's global generator are repeated.

    Source: Keras 3 `keras.remat`; `torch.utils.checkpoint.checkpoint`.
    """

    @functools.wraps(f)
    def wrapped(*args, **kwargs):
        return _checkpointed(f, args, kwargs)

    return wrapped


def call_layer(layer, scope, function, args, kwargs):
    """Call `function`, what `layer` computes, as `scope` says (`None`: plainly)."""
    if scope is None or not torch.is_grad_enabled() or not _applies(scope, layer, args, kwargs):
        return function(*args, **kwargs)
    if torch.compiler.is_compiling():  # its checkpoint takes no contexts
        return _checkpointed(function, args, kwargs)
    contexts = functools.partial(_contexts, layer)
    return _checkpointed(function, args, kwargs, context_fn=contexts)


def _checkpointed(function, args, kwargs, **options):
    return checkpoint(functools.partial(function, **kwargs), *args, use_reentrant=False, **options)


def _contexts(layer):
    return contextlib.nullcontext(), _second_time(layer, [(one, one.training) for one in layer.modules()])


@contextlib.contextmanager
def _second_time(layer, modes):
    """Compute in the modes of the first time; statistics that move, as of batch normalization, move back."""
    kept = [(buffer, buffer.clone()) for buffer in layer.buffers()]
    before = [(module, module.training) for module, _ in modes]
    try:
        for module, mode in modes:
            module.training = mode
        yield
    finally:
        for module, mode in before:
            module.training = mode
        with torch.no_grad():
            for buffer, values in kept:
                buffer.copy_(values)


def _applies(scope, layer, args, kwargs):
    if scope.mode == "list_of_layers":
        return layer.name in scope.layer_names
    if scope.mode == "activations":
        return getattr(layer, "activation", None) is not None
    if scope.mode == "larger_than":
        return _output_size(layer, args, kwargs) > scope.output_size_threshold
    return True


def _output_size(layer, args, kwargs):
    """Return how many values the outputs hold; looked at once for inputs of the same shapes."""
    shapes = tuple(tuple(t.shape) for t in nested.flatten((args, kwargs)) if isinstance(t, torch.Tensor))
    known = layer.__dict__.setdefault("_output_sizes", {})
    if shapes not in known:
        with probing(), torch.no_grad():
            outputs = nested.flatten(layer(*args, **kwargs))
        known[shapes] = sum(leaf.numel() for leaf in outputs if isinstance(leaf, torch.Tensor))
    return known[shapes]
