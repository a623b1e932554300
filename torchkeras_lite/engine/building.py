"""Building: shapes are handed to `build`, and declared weights are made, initialized and viewed."""

import torch
from torch import nn

from torchkeras_lite.base import dtypes, nested
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.naming import current_path
from torchkeras_lite.engine.call_signature import signature_of
from torchkeras_lite.engine.weights import Weight, WeightInfo

MODE_DEPENDENT = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase)


def shape_of(value):
    """Return the shape of a tensor as a tuple; what has none stays."""
    return tuple(value.shape) if hasattr(value, "shape") else value


def build_shapes(layer, given):
    """Return the arguments of the `build` of `layer`, by name, for the arguments of a call.

    Of `<argument>_shape` the shape of that argument; of a single one that of the first argument.

    Raises:
        ValueError: several arguments of `build`, one of which is the shape of no argument of `call`.
        TypeError: several, one of which has no default, and its argument was not given.
    """
    wanted, called = signature_of(type(layer).build), layer._call_signature
    names = wanted.names or ["input_shape"]
    found = {}
    for name in names:
        argument = name.removesuffix("_shape").removesuffix("_shapes")
        if argument in given and given[argument] is not None:
            found[name] = nested.map_structure(shape_of, given[argument])
    first = given.get(called.first, next(iter(given.values()), None))
    if names[0] not in found and first is not None:
        found[names[0]] = nested.map_structure(shape_of, first)
    if not wanted.names:  # the base's `build(*input_shapes)`
        return {}
    if len(names) > 1:
        _check_build_arguments(layer, wanted, called)
        for name in names:
            if name not in found and name not in wanted.defaults:
                needed = [one.removesuffix("_shape") for one in names if one not in wanted.defaults]
                raise TypeError(
                    f"{describe(layer)}: missing a required argument: '{name.removesuffix('_shape')}'. Call "
                    f"the layer with {', '.join(needed)}."
                )
    return found


def _check_build_arguments(layer, wanted, called):
    for name in wanted.names:
        if name in wanted.defaults:
            continue
        if not name.endswith(("_shape", "_shapes")):
            raise ValueError(
                f"{describe(layer)}: for layers whose `build()` method has several arguments, all of them "
                f"must end in `_shape`; it has the argument `{name}`, which does not end in `_shape`. Name "
                "them after the arguments of `call()`: `build(self, query_shape, value_shape)`."
            )
        argument = name.removesuffix("_shape").removesuffix("_shapes")
        if argument not in called.keywords and not called.takes_any:
            raise ValueError(
                f"{describe(layer)}: the `build()` method has the argument `{name}`, but `call()` does not "
                f"have argument `{argument}`. Its arguments are {sorted(called.keywords)}."
            )


def draw(initializer, shape, dtype, device):
    """Return a new tensor of values from `initializer`, a callable of Keras's kind, on `device`.

    Raises:
        ValueError: it returned values of another shape.
    """
    dtype = dtypes.torch_dtype(dtype)
    with torch.device(device):  # also where another default device is in force
        try:
            value = initializer(shape, dtype=dtypes.standardize_dtype(dtype), device=device)
        except TypeError:
            value = initializer(shape, dtype=dtypes.standardize_dtype(dtype))
        value = torch.as_tensor(value).to(device=device, dtype=dtype).detach()
    if tuple(value.shape) != tuple(shape):
        raise ValueError(
            f"Initializer {initializer!r} returned values of shape {tuple(value.shape)} for a weight of "
            "shape "
            f"{tuple(shape)}."
        )
    return value


def make_declared_weights(layer, device):
    """Give every weight that `layer.weight_specs` declares its initial values and its view `layer.<name>`.

    The torch modules were made on the meta device, so nothing was drawn twice; here their tensors become
    real.
    """
    path = current_path()
    for spec in layer.weight_specs:
        module, _, attribute = spec.at.rpartition(".")
        owner = (
            layer.get_submodule(module) if hasattr(layer, module.partition(".")[0]) or not module else None
        )
        tensor = getattr(owner, attribute, None) if owner is not None else None
        if tensor is None:
            layer.__dict__[spec.name] = None
            continue
        info = WeightInfo(
            name=spec.name,
            path=f"{path}/{spec.name}",
            initializer=getattr(layer, f"{spec.name}_initializer", None),
            regularizer=getattr(layer, f"{spec.name}_regularizer", None),
            constraint=getattr(layer, f"{spec.name}_constraint", None),
            trainable=spec.trainable,
        )
        stored = _initial(spec, tensor, info.initializer, layer.variable_dtype, device)
        _store(owner, attribute, stored, spec.trainable)
        layer.declare(Weight(layer, spec, info))
    _fill_the_rest(layer, device)


def _initial(spec, tensor, initializer, dtype, device):
    """Return the first values of the weight that `tensor` stands for, in torch's layout."""
    if device.type == "meta":
        return tensor.detach().to(dtypes.torch_dtype(dtype))
    values = draw(initializer, spec.keras_shape(tensor), dtype, device)
    return spec.from_keras(values).contiguous(memory_format=spec.memory_format)


def _store(owner, attribute, values, trainable):
    if attribute in owner._parameters:
        owner._parameters[attribute] = nn.Parameter(values, requires_grad=trainable)
    else:
        owner._buffers[attribute] = values


def _fill_the_rest(layer, device):
    """Tensors that no weight stands for (the second bias of `nn.LSTM`) are zeros that nothing trains."""
    for module in layer.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None and tensor.is_meta and device.type != "meta":
                    # Modules are made in torch's default dtype, whatever the layer's is.
                    floats = tensor.is_floating_point()
                    dtype = dtypes.torch_dtype(layer.variable_dtype) if floats else tensor.dtype
                    values = torch.zeros(tensor.shape, dtype=dtype, device=device)
                    _store(module, name, values, False)


def depends_on_mode(layer):
    """Whether plain torch modules in `layer`, outside the layers inside, behave differently in training."""
    plain = [child for child in layer.children() if "_keras" not in child.__dict__]
    return any(isinstance(child, MODE_DEPENDENT) or depends_on_mode(child) for child in plain)
