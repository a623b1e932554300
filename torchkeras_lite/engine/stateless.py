"""Layers as functions of their weights, on `torch.func.functional_call`; and Keras's scopes for it."""

import contextvars
import threading

import torch
from torch import nn
from torch.func import functional_call

from torchkeras_lite.engine.weights import LayerBuffer, LayerParameter, Weight, leaf, on_assignment

_scope: contextvars.ContextVar = contextvars.ContextVar("stateless_scope", default=None)
_symbolic = threading.local()


class _Called(nn.Module):
    """A layer whose losses come with its outputs: both depend on the weights lent to the call."""

    def __init__(self, layer, function):
        super().__init__()
        self.layer = layer
        self.__dict__["function"] = function  # not a member: a layer twice would be lent to twice

    def forward(self, *args, **kwargs):
        """Return the outputs and the losses."""
        outputs = self.function(*args, **kwargs)
        return outputs, list(self.layer.losses)


def lent_call(layer, function, trainable_variables, non_trainable_variables, args, kwargs):
    """Return `function(*args, **kwargs)` as it is with other values in the weights of `layer`.

    Args:
        layer: A built layer.
        function: What is called; it uses the layer.
        trainable_variables: Values for `layer.trainable_variables`, in Keras's layouts.
        non_trainable_variables: Values for `layer.non_trainable_variables`.
        args, kwargs: Arguments of `function`.

    Returns:
        The results, the values of the weights that are not trained after the call, and the losses.

    Raises:
        ValueError: the layer is not built; another number of values than of weights.
    """
    if not layer.built:
        raise ValueError(
            f"To call stateless_call, {type(layer).__name__} must be built (i.e. its variables must "
            "have been "
            "already created). You can build it by calling it on some data."
        )
    pairs = []
    for name, values, weights in (
        ("trainable_variables", trainable_variables, layer.trainable_variables),
        ("non_trainable_variables", non_trainable_variables, layer.non_trainable_variables),
    ):
        if len(values) != len(weights):
            raise ValueError(
                f"Argument `{name}` must be a list of tensors corresponding 1:1 to {type(layer).__name__}"
                f"().{name}. Received list with length {len(values)}, but expected {len(weights)} variables."
            )
        pairs += zip(weights, values, strict=True)
    called = _Called(layer, function)
    places = {}
    for name, tensor in (
        *called.named_parameters(remove_duplicate=False),
        *called.named_buffers(remove_duplicate=False),
    ):
        places.setdefault(id(tensor), []).append(name)
    state, kept = {}, []
    for weight, value in pairs:
        stored = _stored(weight, value)
        if not weight.trainable:
            kept.append((weight, places[id(leaf(weight))][0]))
        for name in places[id(leaf(weight))]:
            state[name] = stored
    outputs, losses = functional_call(called, state, args, kwargs)
    after = [_shown(weight, state[name]) for weight, name in kept]
    return outputs, after, losses


def _stored(weight, value):
    """Return a value in Keras's layout as what stands in the place of the stored tensor of `weight`."""
    tensor = leaf(weight)
    value = value.value if isinstance(value, Weight) else torch.as_tensor(value, device=tensor.device)
    if isinstance(weight, Weight):
        value = weight.spec.from_keras(value)
    if not weight.trainable:
        value = value.clone()  # the call may write into it
    elif not value.requires_grad:
        value = value.detach().requires_grad_()  # by which weights are known to be trained
    return _dressed(value, tensor)


def _dressed(value, tensor):
    """Return `value` with the methods that `tensor`, in whose place it comes, has."""
    if isinstance(tensor, (LayerParameter, LayerBuffer)):
        value = value.as_subclass(LayerBuffer)
        value.info = tensor.info
    return value


def _shown(weight, stored):
    stored = stored.as_subclass(torch.Tensor).detach()
    return weight.spec.to_keras(stored) if isinstance(weight, Weight) else stored


class StatelessScope:
    """Variables read inside have the values given, and what is assigned to them does not outlast the scope.

    Args:
        state_mapping: Pairs `(variable, value)`.
        collect_losses: Whether `losses` keeps the losses that layers add inside.
        initialize_variables: Whether variables may be made inside.

    Attributes: `losses`. `get_current_value(variable)` gives what a variable had at the end.

    Raises:
        ValueError: a pair whose first member is no variable, a value of another shape.

    Source: Keras 3 `keras.StatelessScope`. Differs from Keras: gradients reach the values given for a
    `Variable` and for the weights of layers that wrap torch modules; a weight made by `add_weight` gets a
    copy. To compute with other weights, `stateless_call` is the way.
    """

    def __init__(self, state_mapping=None, collect_losses=False, initialize_variables=True):
        self.collect_losses = collect_losses
        self.initialize_variables = initialize_variables
        self.losses = []
        self.state_mapping = {}
        for variable, value in state_mapping or ():
            if not isinstance(variable, (Weight, LayerParameter, LayerBuffer)):
                raise ValueError(
                    "Invalid reference variable in StatelessScope: all keys in argument `mapping` must be "
                    f"Variable instances, got {variable!r}."
                )
            tensor = leaf(variable)
            value = torch.as_tensor(value, device=tensor.device).to(tensor.dtype)
            if tuple(value.shape) != tuple(variable.shape):
                raise ValueError(
                    f"Invalid variable value in StatelessScope: variable '{variable.path}' expects a "
                    "value of "
                    f"shape {tuple(variable.shape)}, got {tuple(value.shape)}."
                )
            self.state_mapping[id(variable)] = (variable, value)
        self._kept = {}
        self._after = {}

    def __enter__(self):
        self._tokens = _scope.set(self), on_assignment.set(self._keep)
        for variable, value in self.state_mapping.values():
            self._lend(variable, value)
        return self

    def _lend(self, variable, value):
        tensor = leaf(variable)
        if isinstance(variable, Weight) and isinstance(variable.owner, nn.Module):
            *path, key = variable.spec.at.split(".")
            owner = variable.owner.get_submodule(".".join(path))
            table = owner._parameters if key in owner._parameters else owner._buffers
            self._kept[id(tensor)] = (variable, tensor, (table, key))
            table[key] = _dressed(variable.spec.from_keras(value), tensor)
        else:
            self._keep(tensor)
            with torch.no_grad():
                tensor.copy_(value)

    def _keep(self, tensor):
        """Remember what `tensor` holds, before it is written into."""
        if id(tensor) not in self._kept:
            self._kept[id(tensor)] = (tensor, tensor.detach().clone(), None)

    def __exit__(self, *exception):
        scope, hook = self._tokens
        on_assignment.reset(hook)
        _scope.reset(scope)
        self._after = {}
        with torch.no_grad():
            for variable, before, place in reversed(self._kept.values()):
                if place is None:
                    self._after[id(variable)] = variable.detach().as_subclass(torch.Tensor).clone()
                    variable.copy_(before)
                else:
                    table, key = place
                    self._after[id(before)] = table[key].as_subclass(torch.Tensor)
                    table[key] = before
        self._kept = {}

    def add_loss(self, loss):
        """Keep a loss."""
        self.losses.append(loss)

    def add_update(self, update):
        """Take `(variable, value)` as the value that `variable` has from now on inside the scope."""
        variable, value = update
        variable.assign(value)

    def get_current_value(self, variable):
        """Return the value that a variable has inside, or had at the end; `None` where nothing changed it."""
        tensor = leaf(variable)
        if id(tensor) in self._after:
            stored = self._after[id(tensor)]
            return variable.spec.to_keras(stored) if isinstance(variable, Weight) else stored
        if any(tensor is kept or tensor is variable for kept, *_ in self._kept.values()):
            return variable.value.detach().clone()
        _, value = self.state_mapping.get(id(variable), (None, None))
        return value


def in_stateless_scope():
    """Return whether a `StatelessScope` is open."""
    return _scope.get() is not None


def get_stateless_scope():
    """Return the innermost open `StatelessScope`, or `None`."""
    return _scope.get()


class SymbolicScope:
    """Marks that what runs inside is only traced; layers infer their shapes in such a scope.

    Source: Keras 3 `keras.SymbolicScope`. Differs from Keras: nothing here asks for it, since symbolic
    tensors say by themselves what they are.
    """

    def __enter__(self):
        self._outer = getattr(_symbolic, "scope", None)
        _symbolic.scope = self
        return self

    def __exit__(self, *exception):
        _symbolic.scope = self._outer


def in_symbolic_scope():
    """Return whether a `SymbolicScope` is open."""
    return getattr(_symbolic, "scope", None) is not None
