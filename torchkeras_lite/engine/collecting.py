"""What a tree of layers holds: weights in Keras's order, losses of the last call, symbolic calls."""

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine import shapes, sharding, tracking
from torchkeras_lite.engine.weights import Weight, WeightInfo, WeightSpec, set_trainable_tensor

# Grows when a layer adds a loss in a call for the first time; layers then look again whether one is inside
# them.
_adders = {"version": 0}


def is_layer(module):
    """Whether `module` keeps weights Keras's way."""
    return "_keras" in module.__dict__


def sublayers(module):
    """Return the layers directly inside `module`, in order, looking through plain torch modules."""
    found = []
    for child in module._modules.values():
        if child is None:
            continue
        found += [child] if is_layer(child) else sublayers(child)
    return found


def direct_layers(layer):
    """Return the layers directly inside `layer`, each once, those in lists as they are at the moment."""
    if layer._containers:
        tracking.register_members(layer, layer._containers)
    return list(dict.fromkeys(sublayers(layer)))


def flat_layers(layer, recursive):
    """Return what `layer` lists as `_layers`, each followed by what it lists itself, last to first; once."""
    found, waiting = {}, list(reversed(layer._layers))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found[one] = None
            waiting += one._layers if recursive else ()
    return list(found)


def modules_in(module):
    """Yield `module` and all modules inside, each once, outer ones first (as `modules()`, which is slow)."""
    waiting, seen = [module], set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            inside = one.__dict__["_modules"]
            if inside:
                waiting += reversed(inside.values())


def all_layers(layer):
    """Return `layer` and all layers inside, each once, outer ones first."""
    return [one for one in modules_in(layer) if one is layer or is_layer(one)]


def parameters(module):
    """Yield the parameters of `module` and the modules inside (as `parameters()`, which is slow)."""
    for one in modules_in(module):
        for parameter in one._parameters.values():
            if parameter is not None:
                yield parameter


def first_tensor(module):
    """Return the first parameter of `module` and the modules inside, else the first buffer, else `None`."""
    first = next(parameters(module), None)
    if first is not None:
        return first
    buffers = (buffer for one in modules_in(module) for buffer in one._buffers.values())
    return next((buffer for buffer in buffers if buffer is not None), None)


def weights(layer):
    """Return the `Weight`s of `layer` and the layers inside, each stored tensor once, in Keras's order."""
    found, seen = [], set()
    _visit(layer, found, seen)
    return found


def own_weights(layer):
    """Return the `Weight`s that `layer` itself has, without those of layers inside, trainable ones first."""
    if layer._containers:
        tracking.register_members(layer, layer._containers)
    own = [*layer._declared.values()]
    for key, info in layer._added.items():
        own.append(_view(layer, layer, key, info))
    added = layer._added
    for key in (*layer._parameters, *layer._buffers):
        if key not in added and key not in layer._non_persistent_buffers_set:
            own.append(_view(layer, layer, key, None))
    own = [w for w in own if w.tensor is not None]
    own.sort(key=lambda w: not w.born_trainable)
    return own


def governed(layer):
    """Return the names of the torch modules whose tensors the weight specs of `layer` stand for."""
    return {spec.at.partition(".")[0] for spec in layer.weight_specs if "." in spec.at}


def _visit(layer, found, seen):
    _take(own_weights(layer), found, seen)
    names = governed(layer)
    for name, child in layer._modules.items():
        # One that specs stand for has nothing else, unless another module was put in its place (by peft).
        if child is not None and (name not in names or child._modules):
            _visit_child(layer, child, name, found, seen)


def _visit_child(layer, module, path, found, seen):
    if is_layer(module):
        _visit(module, found, seen)
        return
    names = (*module._parameters.keys(), *module._buffers.keys())  # TorchScript's tables cannot be iterated
    keys = [k for k in names if k not in module._non_persistent_buffers_set]
    _take([_view(layer, module, key, None, path) for key in keys], found, seen)
    for name, child in module._modules.items():
        if child is not None:
            _visit_child(layer, child, f"{path}/{name}", found, seen)


def _take(candidates, found, seen):
    for weight in candidates:
        tensor = weight.tensor
        if tensor is not None and id(tensor) not in seen:
            seen.add(id(tensor))
            found.append(weight)


def _view(layer, owner, key, info, path=None):
    """Return the one view of a tensor that `owner` keeps under `key`."""
    views = layer._views
    at = (id(owner), key)
    view = views.get(at)
    if view is None or view.owner is not owner:
        if info is None:
            inner = f"{path}/{key}" if path else key
            info = WeightInfo(key, f"{layer.path}/{inner}", trainable=key in owner._parameters)
        view = views[at] = Weight(owner, WeightSpec(info.name, key), info)
    return view


def set_weights(layer, values):
    """Overwrite all weights of `layer`; everything is checked before anything changes."""
    own = weights(layer)
    values = list(values)
    if len(values) != len(own):
        raise ValueError(
            f"You called `set_weights(weights)` on layer '{layer.name}' with a weight list of length "
            f"{len(values)}, but the "
            f"layer was expecting {len(own)} weights."
            + ("" if getattr(layer, "built", True) else " It is not built yet: call it on data first.")
        )
    for weight, value in zip(own, values, strict=True):
        shape = tuple(getattr(value, "shape", None) or torch.as_tensor(value).shape)
        if shape != weight.shape:
            raise ValueError(
                f"Layer '{layer.name}' weight shape {weight.shape} is not compatible with provided weight "
                f"shape {shape} "
                f"(weight '{weight.path}'). Pass arrays in the order and shapes of `get_weights()`."
            )
    for weight, value in zip(own, values, strict=True):
        weight.assign(value)


def set_trainable(layer, value):
    """Set `trainable` in all layers inside, and `requires_grad` of what was made to be trained."""
    for one in all_layers(layer):
        one.__dict__["_trainable"] = value
    for weight in weights(layer):
        if not value or weight.born_trainable:
            set_trainable_tensor(weight.tensor, value)


def loss_version():
    """Return a number that grows whenever a further layer begins to add losses in its calls."""
    return _adders["version"]


def adds_losses(layer):
    """Whether `layer`, or a layer inside, has ever added a loss in a call."""
    return any(one._adds_losses for one in all_layers(layer))


def add_losses(layer, loss):
    """Keep the loss (or losses) of a forward pass with the layer that computed them."""
    if shapes.is_probing() or torch.compiler.is_exporting():
        return
    for one in nested.flatten(loss):
        if callable(one):
            one = one()
        if not isinstance(one, torch.Tensor):
            one = torch.as_tensor(one)
        if one.ndim:
            raise ValueError(
                f"{describe(layer)}: `add_loss` takes scalars, got a tensor of shape {tuple(one.shape)}. "
                "Take its mean or sum "
                "first."
            )
        if not layer._adds_losses:
            layer.__dict__["_adds_losses"] = True
            _adders["version"] += 1
        layer._call_losses.append(one)


def clear_call_losses(layer):
    """Forget the losses of earlier forward passes, in `layer` and all layers inside."""
    for one in all_layers(layer):
        one._call_losses.clear()


def call_losses(layer):
    """Return the losses that layers added in the last forward pass."""
    return [loss for one in all_layers(layer) for loss in one._call_losses]


def losses(layer):
    """Return the losses of the last forward pass, then those of the weights' regularizers."""
    found = call_losses(layer)
    for weight in weights(layer):
        if weight.regularizer is not None and weight.trainable:
            found.append(sharding.whole(weight.regularizer(weight.value)))
    return found


def metrics(layer):
    """Return the metrics that `layer` and the layers inside keep, in attributes or lists, each once."""
    found = []
    for one in modules_in(layer):
        own = one.__dict__
        if "_keras" in own and (own["_metric_attributes"] or own["_containers"]):
            kept = [own.get(name) for name in (*own["_metric_attributes"], *own["_containers"])]
            members = (member for _, member in tracking.leaves(kept, ""))
            found += [m for m in members if hasattr(m, "update_state") and m not in found]
    return found


def only_call(layer, what):
    """Return the first symbolic call of `layer`.

    Raises:
        AttributeError: it was never called on a symbolic tensor.
    """
    if not layer._calls:
        raise AttributeError(
            f"{describe(layer)} has never been called on a symbolic tensor and thus has no defined {what}. "
            "Call it on an "
            "`Input`, or call the layer on data and look at `input_shape` and `output_shape`."
        )
    return layer._calls[0]


def random_sources(layer):
    """Return the generators, and generators of seeds, that `layer` and the layers inside keep."""
    found = []
    for one in all_layers(layer):
        for value in vars(one).values():
            if hasattr(value, "restore_random_state") and value not in found:
                found.append(value)
    return found


def built_shape(layer):
    """Return the shape `layer` was built with, its batch size unknown.

    Raises:
        AttributeError: it is not built, or not for a shape.
    """
    config = layer.get_build_config()
    if not config or not config.get("input_shape"):
        why = "was built without a shape" if layer.built else "is not built"
        raise AttributeError(
            f"{describe(layer)} {why}, so its input shape is unknown. Call it on data first."
        )
    return without_batch(config["input_shape"])


def without_batch(shape):
    """Return a shape, or nested shapes, with an unknown number of samples."""
    if isinstance(shape, dict):
        return {key: without_batch(value) for key, value in shape.items()}
    if not shape or not isinstance(shape, (list, tuple)):
        return shape
    if any(isinstance(part, (list, tuple, dict)) for part in shape):
        return type(shape)(without_batch(part) for part in shape)
    return (None, *shape[1:])
