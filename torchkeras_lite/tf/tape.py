"""`GradientTape` and `ForwardAccumulator`, on torch's autograd."""

import contextlib
import weakref

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.engine.weights import Weight, leaf
from torchkeras_lite.tf import tensor as tensors
from torchkeras_lite.tf.conversion import convert
from torchkeras_lite.tf.tensor import wrap

_open: list["GradientTape"] = []  # tapes that record, the outermost first
synchronizers: list = []  # what is done to gradients of variables, the last: see `distribute.Strategy.run`


class UnconnectedGradients:
    """What a gradient is with respect to a source that the target does not depend on."""

    NONE = "none"
    ZERO = "zero"


class GradientTape:
    """Records what is computed inside, for gradients.

    torch records every operation on values that need gradients; the tape tells it which values those are, and
    where the record begins: what was computed before the outermost open tape counts as given, unless it is
    watched.

    Args:
        persistent: Whether `gradient` and its like can be called more than once.
        watch_accessed_variables: Whether trainable variables are watched without `watch`.

    Source: `tf.GradientTape`. Differs: gradients of embeddings are dense tensors, not `IndexedSlices`; a
    constant that was watched goes on needing gradients (`requires_grad`).
    """

    def __init__(self, persistent=False, watch_accessed_variables=True):
        self._persistent = persistent
        self._watches_variables = watch_accessed_variables
        self._watched = {}
        self._peers = weakref.WeakSet()
        self._recording = contextlib.ExitStack()
        self._spent = False
        self._first = 0

    def __enter__(self):
        self._recording.enter_context(torch.enable_grad())
        for other in _open:
            other._peers.add(self)
            self._peers.add(other)
        _open.append(self)
        if len(_open) == 1:
            self._first = _next_number()
            tensors.cutters.append(_cut)
        return self

    def __exit__(self, *exception):
        _open.remove(self)
        if not _open:
            tensors.cutters.clear()
        self._recording.close()

    def watch(self, tensor):
        """Make a tensor, or all in a nested structure, something that gradients can be asked for.

        Raises:
            ValueError: something that is no tensor.
        """
        for value in nested.flatten(tensor):
            stored = leaf(value)
            if not isinstance(stored, torch.Tensor):
                raise ValueError(f"Passed in object {value!r} of type {type(value).__name__}, not a tensor.")
            if stored.is_floating_point() or stored.is_complex():
                with torch._C.DisableTorchFunctionSubclass():
                    stored.requires_grad_(True)
                self._watched[id(stored)] = stored

    @contextlib.contextmanager
    def stop_recording(self):
        """Leave out of the record what is computed inside."""
        with torch.no_grad():
            yield

    def reset(self):
        """Forget what was watched."""
        self._watched.clear()
        self._first = _next_number()

    def watched_variables(self):
        """Return the variables given to `watch`.

        Differs: those that are watched without being told are not counted; `model.trainable_variables` are.
        """
        return tuple(value for value in self._watched.values() if isinstance(value, torch.nn.Parameter))

    def gradient(
        self, target, sources, output_gradients=None, unconnected_gradients=UnconnectedGradients.NONE
    ):
        """Return the gradient of the sum of `target` with respect to each of `sources`.

        Args:
            target: Tensors, alone or nested.
            sources: Tensors and variables, alone or nested; the result has the same structure.
            output_gradients: Factors for the values of the targets, alone or in a list.
            unconnected_gradients: What stands for a source that does not matter: `"none"`: `None`;
                `"zero"`: zeros.

        Raises:
            RuntimeError: a second call of a tape that is not persistent.
        """
        self._use()
        targets = [convert(value) for value in nested.flatten(target)]
        factors = [None] * len(targets) if output_gradients is None else nested.flatten(output_gradients)
        pairs = [(t, f) for t, f in zip(targets, factors, strict=True) if t.requires_grad]
        gradients = self._derivatives([t for t, _ in pairs], [_factor(t, f) for t, f in pairs], sources)
        return _packed(sources, gradients, unconnected_gradients)

    def jacobian(
        self,
        target,
        sources,
        unconnected_gradients=UnconnectedGradients.NONE,
        parallel_iterations=None,
        experimental_use_pfor=True,
    ):
        """Return the derivatives of each value of `target`, of shape `target.shape + source.shape`.

        Args:
            target: A tensor.
            sources, unconnected_gradients: As in `gradient`.
            parallel_iterations: Accepted as in TensorFlow.
            experimental_use_pfor: Whether all values are derived at once (`torch.vmap`); `False` goes through
                them one by one, for operations that cannot be batched.
        """
        self._use()
        target = convert(target)
        units = torch.eye(target.numel(), dtype=target.dtype, device=target.device)
        units = units.reshape(-1, *target.shape)
        gradients = self._rows(target, units, sources, experimental_use_pfor)
        shape = tuple(target.shape)
        gradients = [None if g is None else g.reshape(shape + tuple(g.shape[1:])) for g in gradients]
        return _packed(sources, gradients, unconnected_gradients, shape)

    def batch_jacobian(
        self,
        target,
        source,
        unconnected_gradients=UnconnectedGradients.NONE,
        parallel_iterations=None,
        experimental_use_pfor=True,
    ):
        """Return the derivatives of each row of `target` with respect to the same row of `source`.

        Shapes:
            target `(batch, ...a)`, source `(batch, ...b)` -> `(batch, ...a, ...b)`

        Args:
            target, source: Tensors whose first axis is the batch.
            unconnected_gradients, parallel_iterations, experimental_use_pfor: As in `jacobian`.
        """
        self._use()
        target = convert(target)
        batch, inner = target.shape[0], tuple(target.shape[1:])
        count = target[0].numel()
        units = torch.eye(count, dtype=target.dtype, device=target.device).reshape(count, 1, *inner)
        units = units.expand(count, batch, *inner)
        (gradient,) = self._rows(target, units, [source], experimental_use_pfor)
        if gradient is not None:
            gradient = gradient.transpose(0, 1).reshape(batch, *inner, *gradient.shape[2:])
        return _packed([source], [gradient], unconnected_gradients, inner)[0]

    def _use(self):
        if self._spent:
            raise RuntimeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients (or "
                "jacobians). Pass persistent=True for more."
            )
        self._spent = not self._persistent

    def _rows(self, target, units, sources, at_once):
        if not target.requires_grad:
            return [None] * len(nested.flatten(sources))
        if at_once:
            return self._derivatives([target], [units], sources, is_grads_batched=True)
        rows = [self._derivatives([target], [unit], sources, keep=True) for unit in units]
        return [None if parts[0] is None else torch.stack(parts) for parts in zip(*rows, strict=True)]

    def _derivatives(self, targets, factors, sources, keep=False, **options):
        """Return the flat gradients with respect to flat sources, in Keras's layout."""
        sources = nested.flatten(sources)
        stored = [leaf(source) for source in sources]
        asked = [place for place, value in enumerate(stored) if self._counts(value)]
        gradients = [None] * len(sources)
        if targets and asked:
            others = [tape for tape in _open if tape is not self]
            # The record stays where another tape needs it, or where the gradient is itself recorded.
            keeps = keep or self._persistent or bool(others) or any(not peer._spent for peer in self._peers)
            found = torch.autograd.grad(
                targets,
                [stored[place] for place in asked],
                [tensors.plain(factor) for factor in factors],  # a compiled backward pass takes no others
                retain_graph=keeps,
                create_graph=bool(others) or (self._persistent and self in _open),
                allow_unused=True,
                **options,
            )
            for place, gradient in zip(asked, found, strict=True):
                if gradient is not None:
                    if synchronizers and isinstance(stored[place], torch.nn.Parameter):
                        gradient = synchronizers[-1](gradient)
                    gradients[place] = _in_keras_layout(sources[place], gradient, options)
                    gradients[place]._recorded_at = _next_number()
        return gradients

    def _counts(self, value):
        if not isinstance(value, torch.Tensor) or not value.requires_grad:
            return False
        return self._watches_variables or id(value) in self._watched or not value.is_leaf


def _in_keras_layout(source, gradient, options):
    """Return a gradient of a weight's storage in the layout of the weight; a leading axis may be of rows."""
    if isinstance(source, Weight):
        turn = torch.vmap(source.spec.to_keras) if options else source.spec.to_keras
        gradient = turn(gradient)
    return wrap(gradient)


def _factor(target, factor):
    if factor is None:
        return torch.ones_like(target)
    return convert(factor).to(target.dtype).expand(tuple(target.shape))


def _packed(sources, gradients, unconnected, leading=()):
    if unconnected not in ("none", "zero"):
        raise ValueError(f"Unknown value for unconnected_gradients: {unconnected!r}. Pass 'none' or 'zero'.")
    if unconnected == "zero":
        gradients = [
            _zeros(source, leading) if gradient is None else gradient
            for source, gradient in zip(nested.flatten(sources), gradients, strict=True)
        ]
    return nested.pack_like(sources, gradients)


def _zeros(source, leading):
    value = convert(source)
    return wrap(torch.zeros((*leading, *value.shape), dtype=value.dtype, device=value.device))


def _next_number():
    """Return the number that autograd gives the next operation it records."""
    with torch.enable_grad():
        return torch.ones((), requires_grad=True).clone().grad_fn._sequence_nr() + 1


def _cut(value):
    """Return an argument of an operation without its history from before the tapes, unless it is watched."""
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(map(_cut, value))
    if type(value) is tensors.Tensor:
        with torch._C.DisableTorchFunctionSubclass():
            return value.detach() if _precedes(value) else value
    return value


def _precedes(value):
    made_by = value.grad_fn
    # What a backward pass records on an accelerator is numbered by another thread: gradients carry a number.
    if made_by is None or getattr(value, "_recorded_at", made_by._sequence_nr()) >= _open[0]._first:
        return False
    return not any(id(value) in tape._watched for tape in _open)


class ForwardAccumulator:
    """Derivatives along a direction, of what is computed inside.

    Args:
        primals: Tensors or variables, alone or nested.
        tangents: The direction, tensors of the same structure.

    Source: `tf.autodiff.ForwardAccumulator`. The derivative is taken by two backward passes, so `jvp` works
    for all that a tape does.
    """

    def __init__(self, primals, tangents):
        self._primals = nested.flatten(primals)
        self._tangents = [convert(tangent) for tangent in nested.flatten(tangents)]
        self._tape = GradientTape(persistent=True)

    def __enter__(self):
        self._tape.__enter__()
        self._tape.watch(self._primals)
        return self

    def __exit__(self, *exception):
        self._tape.__exit__(*exception)

    def jvp(self, primals, unconnected_gradients=UnconnectedGradients.NONE):
        """Return the derivatives of results, alone or nested, along the direction."""
        results = [self._along(convert(result)) for result in nested.flatten(primals)]
        return _packed(primals, results, unconnected_gradients)

    def _along(self, result):
        if not result.requires_grad:
            return None
        factor = torch.zeros_like(result, requires_grad=True)
        stored = [leaf(primal) for primal in self._primals]
        gradients = torch.autograd.grad(result, stored, factor, create_graph=True, allow_unused=True)
        turned = [
            (primal.spec.to_keras(gradient) if isinstance(primal, Weight) else gradient, tangent)
            for primal, gradient, tangent in zip(self._primals, gradients, self._tangents, strict=True)
            if gradient is not None and gradient.requires_grad
        ]
        if not turned:
            return None
        found = torch.autograd.grad(
            [gradient for gradient, _ in turned],
            factor,
            [tangent for _, tangent in turned],
            retain_graph=True,
        )
        return wrap(found[0])


__all__ = ["ForwardAccumulator", "GradientTape", "UnconnectedGradients"]
