"""Modules that a layer keeps in lists, tuples and dicts become torch modules of the layer, as in Keras.

`self.blocks = [Dense(8), Dense(8)]` stays a list, and its members are registered as `blocks_0` and `blocks_1`, so that torch finds
them by name. (Under `blocks.0`, as in `nn.ModuleList`, `getattr(layer, "blocks")` would have to be a module, no list.) Lists are
read after `__init__`, after `build`, at the first call, and when weights are listed.
"""

from torch import nn

from torchkeras_lite.engine.weights import LayerBuffer, LayerParameter


def has_modules(value):
    """Whether a module or parameter is somewhere inside the container `value`."""
    if isinstance(value, (nn.Module, nn.Parameter)):
        return True
    if isinstance(value, dict):
        return any(map(has_modules, value.values()))
    return isinstance(value, (list, tuple)) and any(map(has_modules, value))


def _members(value, prefix):
    """Return `(key, member)` pairs for the modules and plain parameters inside a container."""
    found = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in pairs:
        name = f"{prefix}_{key}".replace(".", "_")
        if isinstance(member, (list, tuple, dict)):
            found += _members(member, name)
        elif isinstance(member, (nn.Module, nn.Parameter)) and not isinstance(member, LayerParameter):
            found.append((name, member))
    return found


def register_members(layer, names):
    """Register what the attributes `names` (containers) of `layer` hold now, in the place of what they held before."""
    for name in names:
        value = layer.__dict__.get(name)
        members = _members(value, name) if isinstance(value, (list, tuple, dict)) else []
        known = layer._containers[name]
        if [key for key, _ in members] == known and all(
            layer._modules.get(key, layer._parameters.get(key)) is member for key, member in members
        ):
            continue
        modules = {key: member for key, member in members if isinstance(member, nn.Module)}
        ordered, placed = {}, False
        for key, module in layer._modules.items():
            if key in known:
                if not placed:
                    ordered |= modules
                    placed = True
            else:
                ordered[key] = module
        layer._modules.clear()
        layer._modules.update(ordered | modules)
        for key in known:
            layer._parameters.pop(key, None)
        layer._parameters.update((key, member) for key, member in members if key not in modules)
        layer._containers[name] = [key for key, _ in members]


def forget_members(layer, name):
    """Unregister what the container attribute `name` held."""
    for key in layer._containers.pop(name):
        layer._modules.pop(key, None)
        layer._parameters.pop(key, None)


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
