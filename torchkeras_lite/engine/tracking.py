"""Modules that a layer keeps in lists, tuples and dicts become torch modules of the layer, as in Keras.

`self.blocks = [Dense(8), Dense(8)]` stays a list, and its members are registered as `blocks_0` and
`blocks_1`, so that torch finds them by name. (Under `blocks.0`, as in `nn.ModuleList`, `getattr(layer,
"blocks")` would have to be a module, no list.) Lists are read after `__init__`, after `build`, at the first
call, and when weights are listed.
"""

import sys
import weakref

from torch import nn

from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.variable import adopt, is_free_variable
from torchkeras_lite.engine.weights import LayerBuffer, LayerParameter

CONTAINERS = (list, tuple, dict)
_in_layers: weakref.WeakSet[nn.Module] = weakref.WeakSet()


def share_mode(layer):
    """Give what `layer` holds its mode: torch modules when they come into a layer, layers that have none."""
    for child in layer._modules.values():
        _share_mode(child, layer.training, layer._mode_was_set)


def _share_mode(module, mode, was_set):
    if module is None:
        return
    if "_keras" in module.__dict__:
        if was_set and not module._mode_was_set:
            module.train(mode)
        return
    if module not in _in_layers:
        _in_layers.add(module)
        module.training = mode
    for child in module.children():
        _share_mode(child, mode, was_set)


def has_modules(value):
    """Whether a module, parameter or `Variable` is somewhere inside the container `value`."""
    return any(
        isinstance(member, (nn.Module, nn.Parameter)) or is_free_variable(member)
        for _, member in leaves(value, "")
    )


def leaves(value, prefix, around=()):
    """Return `(key, member)` pairs for what is inside a container at any depth, and no container itself.

    A container that is inside itself (`around` are the ids of those outside) is passed over.
    """
    found = []
    if not isinstance(value, CONTAINERS) or id(value) in around:
        return found
    around = (*around, id(value))
    for key, member in value.items() if isinstance(value, dict) else enumerate(value):
        name = f"{prefix}_{key}".replace(".", "_")
        if isinstance(member, CONTAINERS):
            found += leaves(member, name, around)
        else:
            found.append((name, member))
    return found


def _members(value, prefix):
    """Return `(key, member)` pairs for the modules and plain parameters inside a container."""
    return [
        (name, member)
        for name, member in leaves(value, prefix)
        if isinstance(member, (nn.Module, nn.Parameter)) and not isinstance(member, LayerParameter)
    ]


def _adopt_variables(layer, value, prefix):
    """Make the `Variable`s inside a container weights of `layer`."""
    for name, member in leaves(value, prefix):
        if is_free_variable(member) and member.owner is not layer:
            adopt(layer, name, member)


def register_members(layer, names):
    """Register what the containers `names` of `layer` hold now.

    What was registered keeps its place; what is new comes last, in the order in which it was made: the
    order in which Keras, which follows every `append`, lists it.
    """
    for name in names:
        _adopt_variables(layer, layer.__dict__.get(name), name)
    known = {key: member for name in names for key, member in layer._containers[name].items()}
    known = {key: member for key, member in known.items() if _registered(layer, key) is member}
    taken = {*layer._modules, *layer._parameters}.difference(known)
    found = {}
    for name in names:
        members = {_free(key, taken): member for key, member in _members(layer.__dict__.get(name), name)}
        layer._containers[name] = members
        found |= members
    if list(found) == list(known) and all(found[key] is member for key, member in known.items()):
        return
    new = [pair for pair in found.items() if isinstance(pair[1], nn.Module)]
    ordered = {}
    for key, module in layer._modules.items():
        if key in taken:
            ordered[key] = module
            continue
        at = next((i for i, (_, member) in enumerate(new) if member is module), None)
        if at is not None:
            kept, _ = new.pop(at)
            ordered[kept] = module
    layer._modules.clear()
    layer._modules.update(ordered, **_by_creation(new))
    for key in known:
        layer._parameters.pop(key, None)
    layer._parameters.update(pair for pair in found.items() if isinstance(pair[1], nn.Parameter))


def _by_creation(pairs):
    """Return `(key, module)` pairs as a dict, older layers first; a torch module follows what it followed."""
    numbers, number = [], -1
    for _, module in pairs:
        number = module.__dict__.get("_created", number)
        numbers.append(number)
    return {pairs[i][0]: pairs[i][1] for i in sorted(range(len(pairs)), key=numbers.__getitem__)}


def _registered(layer, key):
    return layer._modules.get(key, layer._parameters.get(key))


def _free(key, taken):
    """Return `key`, changed where another attribute has that name."""
    while key in taken:
        key += "_"
    return key


def forget_members(layer, name):
    """Unregister what the container attribute `name` held."""
    for key, member in layer._containers.pop(name).items():
        if _registered(layer, key) is member:
            layer._modules.pop(key, None)
            layer._parameters.pop(key, None)


def refuse_in_call(layer, value=None):
    """Raise where `call` of a built layer makes a weight, or keeps a layer (`value`) that it did not have.

    Nothing is noted in calls, which would cost time in each; the frames that are running are looked through
    here, where something is made. The first call of a model, which has no `build`, may make layers.

    Raises:
        ValueError: as said.
    """
    if not layer.__dict__.get("built") or not layer.computes_itself:
        return
    frame, code = sys._getframe(2), getattr(type(layer).call, "__code__", None)
    while frame is not None and not (frame.f_code is code and _first_local(frame) is layer):
        frame = frame.f_back
    if frame is None or (value is not None and any(value is module for module in layer.modules())):
        return
    raise ValueError(
        f"You cannot add new elements of state (variables or sub-layers) to a layer that is already built: "
        f"`call` of {describe(layer)} makes "
        f"{'a weight' if value is None else f'the layer {type(value).__name__}'}. Every call would make "
        "another one, which no optimizer knows. Make it in `__init__()` or in `build()`."
    )


def _first_local(frame):
    names = frame.f_code.co_varnames
    return frame.f_locals.get(names[0]) if names else None


def make_room(layer, name):
    """Let `name` be an attribute: a container's member of that key is unregistered, to get another key."""
    for members in layer._containers.values():
        member = members.pop(name, None)
        if member is not None and _registered(layer, name) is member:
            layer._modules.pop(name, None)
            layer._parameters.pop(name, None)


def free_key(layer, name):
    """Return the key under which a new weight called `name` is kept in `layer`: the name, or `name_1`, ..."""
    base = name.replace(".", "_")
    taken = (layer._parameters, layer._buffers, layer._modules)
    key, count = base, 0
    while any(key in table for table in taken):
        count += 1
        key = f"{base}_{count}"
    return key


def rename_weight(layer, attribute, weight):
    """Keep a weight of `layer` under the attribute it is assigned to, instead of under its own name."""
    for table in (layer._parameters, layer._buffers):
        for key, value in list(table.items()):
            if value is weight and key != attribute:
                del table[key]
                added = {attribute if k == key else k: info for k, info in layer._added.items()}
                layer.__dict__["_added"] = added


def rewrap_weights(layer):
    """Give the tensors that `add_weight` made Keras's methods again, after torch replaced them."""
    for key, info in layer._added.items():
        tensor = layer._parameters.get(key)
        if tensor is not None and not isinstance(tensor, LayerParameter):
            wrapped = LayerParameter(tensor.data, info)
            layer._parameters[key] = wrapped.requires_grad_(tensor.requires_grad)
        tensor = layer._buffers.get(key)
        if tensor is not None and not isinstance(tensor, LayerBuffer):
            layer._buffers[key] = LayerBuffer(tensor, info)
