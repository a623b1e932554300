"""`clone_model`: the same layers anew, on new inputs, with new weights."""

import copy
import inspect

from torchkeras_lite.base import nested, registry
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.serialization import deserialize_keras_object, serialize_keras_object
from torchkeras_lite.engine import collecting
from torchkeras_lite.engine.keras_tensor import KerasTensor, record_function
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.layers import Lambda
from torchkeras_lite.layers.input_layer import Input
from torchkeras_lite.models.mask_config import without_travelling_masks, written_calls
from torchkeras_lite.models.model import Functional, Model
from torchkeras_lite.models.sequential import Sequential

OURS = ("torchkeras_lite", "torch")


def clone_model(
    model, input_tensors=None, clone_function=None, call_function=None, recursive=False, **kwargs
):
    """Return a model of the same layers, made anew with new weights; compiled alike.

    Args:
        model: The model. One with a `call` of its own is made anew from its config.
        input_tensors: Symbolic inputs in the form of the model's, to be used instead of new ones.
        clone_function: Called as `clone_function(layer)` for every layer but inputs, returns the layer to
        use;
            by default the layer is made anew from its config.
        call_function: Called as `call_function(layer, *args, **kwargs)` instead of the layer, in models from
            symbolic tensors.
        recursive: Whether models inside are cloned in the same way, instead of by `clone_function`.
        **kwargs: Keras's `cache`, a dict of what was cloned already by the `id` of the layer.

    Raises:
        ValueError: arguments that this kind of model does not take, inputs of another form.

    Source: Keras 3 `keras.models.clone_model`.
    """
    cache = kwargs.pop("cache", None)
    if kwargs:
        raise ValueError(f"Unexpected keyword argument(s): {tuple(kwargs)}")
    is_sequential = isinstance(model, Sequential)
    if is_sequential and call_function is not None:
        raise ValueError(
            "`call_function` argument is not supported with Sequential models, whose layers are "
            "listed rather "
            f"than called. Received model {describe(model)} with call_function={call_function}. Make a "
            "functional model."
        )
    cloner = _Cloner(clone_function, call_function, recursive, {} if cache is None else cache)
    if is_sequential:
        clone = _clone_sequential(model, cloner, input_tensors)
    elif _is_graph(model) and (not _has_own_config(model) or clone_function or input_tensors):
        clone = _clone_functional(model, cloner, input_tensors)
    else:
        return _clone_custom(model, clone_function, call_function, input_tensors)
    if model.compiled:
        with registry.CustomObjectScope(_of_user(model._compile_arguments)):
            clone.compile_from_config(model.get_compile_config())
    return clone


def _of_user(arguments):
    """Return the functions, and the classes of the objects, among arguments of `compile`, by name."""
    found = {}
    for leaf in nested.flatten(arguments):
        kind = leaf if inspect.isfunction(leaf) or inspect.isclass(leaf) else type(leaf)
        if registry.public_name(kind) is None and kind.__module__ != "builtins":
            found[kind.__name__] = kind
    return found


def _is_graph(model):
    return isinstance(model, Model) and model._recording is not None


def _has_own_config(model):
    return type(model).get_config is not Model.get_config


def _clone_custom(model, clone_function, call_function, input_tensors):
    given = {"clone_function": clone_function, "input_tensors": input_tensors, "call_function": call_function}
    for name, value in given.items():
        if value:
            raise ValueError(
                f"Argument `{name}` is only supported for Sequential models or Functional models. Received "
                f"model {describe(model)} with {name}={value}. Make it anew in code."
            )
    with registry.CustomObjectScope({type(model).__name__: type(model)}):
        return deserialize_keras_object(serialize_keras_object(model))


def _functions_of(layer):
    """Return the functions of the user's that a layer and those inside keep as arguments, by name."""
    kept = [value for one in collecting.all_layers(layer) for value in vars(one).values()]
    named = [value for value in kept if inspect.isfunction(value) and value.__name__.isidentifier()]
    return {one.__name__: one for one in named if one.__module__.partition(".")[0] not in OURS}


class _Cloner:
    """Clones layers, each once."""

    def __init__(self, clone_function, call_function, recursive, cache):
        self.clone_function = clone_function
        self.call_function = call_function
        self.recursive = recursive
        self.cache = cache

    def clone(self, layer):
        """Return the clone of `layer`."""
        if id(layer) not in self.cache:
            self.cache[id(layer)] = self._make(layer)
        return self.cache[id(layer)]

    def _make(self, layer):
        inner = isinstance(layer, (Sequential, Functional))
        if self.recursive and inner:
            call_function = None if isinstance(layer, Sequential) else self.call_function
            return clone_model(
                layer,
                clone_function=self.clone,
                call_function=call_function,
                recursive=True,
                cache=self.cache,
            )
        if self.clone_function is not None:
            return self.clone_function(layer)
        if isinstance(layer, Lambda) or not isinstance(layer, Layer):
            return copy.deepcopy(layer)  # the code of a function is not read from a config
        with registry.CustomObjectScope(_functions_of(layer)):
            return type(layer).from_config(layer.get_config())

    def call(self, layer, args, kwargs):
        """Call a cloned layer."""
        if self.call_function is not None:
            return self.call_function(layer, *args, **kwargs)
        return layer(*args, **kwargs)


def _clone_sequential(model, cloner, input_tensors):
    layers = [cloner.clone(layer) for layer in model.layers]
    reference = model._input_layer
    if input_tensors is not None:
        tensors = input_tensors if isinstance(input_tensors, (list, tuple)) else [input_tensors]
        if len(tensors) != 1:
            raise ValueError("Argument `input_tensors` must contain a single tensor.")
        if not isinstance(tensors[0], KerasTensor):
            raise ValueError(
                f"Argument `input_tensors` must be a KerasTensor. Received invalid value: {input_tensors}"
            )
        name = reference.name if reference is not None else None
        layers.insert(0, Input(tensor=tensors[0], name=name))
    elif reference is not None:
        inputs = Input(
            batch_shape=reference.batch_shape,
            dtype=reference.dtype,
            name=reference.name,
            optional=reference.optional,
        )
        layers.insert(0, inputs)
    return Sequential(layers, name=model.name, trainable=model.trainable)


def _clone_functional(model, cloner, input_tensors):
    recording = model._recording
    inputs = _inputs(recording.inputs, input_tensors)
    made = {
        id(old): new
        for old, new in zip(nested.flatten(recording.inputs), nested.flatten(inputs), strict=True)
    }

    def renew(leaf):
        return made[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

    written = written_calls(recording)
    for call in recording.calls:
        if id(call) not in written:
            continue
        kwargs = without_travelling_masks(call, dict(call.kwargs))
        args, kwargs = nested.map_structure(renew, (tuple(call.args), kwargs))
        if call.is_module:
            outputs = cloner.call(cloner.clone(call.target), args, kwargs)
        else:
            outputs = record_function(call.target, args, kwargs, name=call.name)
        new = [leaf for leaf in nested.flatten(outputs) if isinstance(leaf, KerasTensor)]
        made.update({id(old): tensor for old, tensor in zip(call.tensors, new, strict=True)})
    outputs = nested.map_structure(renew, recording.outputs)
    cls = type(model) if model.takes_tensors else Functional
    return cls(inputs=inputs, outputs=outputs, name=model.name)


def _inputs(recorded, given):
    if given is None:
        return nested.map_structure(
            lambda t: Input(batch_shape=t.shape, dtype=t.dtype, name=t.name), recorded
        )
    if not all(isinstance(leaf, KerasTensor) for leaf in nested.flatten(given)):
        raise ValueError(
            f"All entries in `input_tensors` must be KerasTensors. Received invalid values: {given}"
        )
    if not nested.same_structure(recorded, given):
        raise ValueError(
            "`input_tensors` must have the same structure as model.input. Reference structure: "
            f"{recorded}. Received structure: {given}."
        )
    return given
