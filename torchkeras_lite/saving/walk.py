"""Where each thing with a state stands in a weights file: Keras's paths, which follow attributes.

A layer held as `self.encoder` is at `encoder`, layers in lists and dicts at `<attribute>/<class>[_<n>]`,
those of a model that is a graph at `layers/...` first. Public attributes come before private ones, in
alphabetical order, and what is held twice is stored once.
"""

from collections import Counter

from torch import nn

from torchkeras_lite.base import naming
from torchkeras_lite.engine import collecting
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.stored_weights import check_state_dict, compared_by, read_state_dict

CONTAINERS = (list, tuple, dict)
# Attributes of a model that hold nothing of its own to save.
NOT_SAVED = (
    "compiled_loss",
    "compiled_metrics",
    "loss_tracker",
    "_compile_arguments",
    "_batch_step",
    "_compiled_call_impl",
    "_graph_module",
    "_input_layer",
    "_recording",
    "_stack",
)
_class_names: dict[type, tuple[str, ...]] = {}
_base_names: set[str] = set()


class TorchState:
    """A plain torch module as a thing with a state of its own: its `state_dict`, without the layers inside.

    Args:
        module: The module.
    """

    def __init__(self, module):
        self.module = module
        self.name = naming.to_snake_case(type(module).__name__)

    def _own(self):
        inside = [
            f"{name}." for name, child in self.module.named_modules() if collecting.is_layer(child) and name
        ]
        return {
            key: value
            for key, value in self.module.state_dict().items()
            if not key.startswith(tuple(inside)) or not inside
        }

    def save_own_variables(self, store):
        """Write the tensors by their keys."""
        for key, tensor in self._own().items():
            store[key] = tensor

    @compared_by(lambda state, shapes: check_state_dict(state.module, state._own(), shapes))
    def load_own_variables(self, store):
        """Read the tensors by their keys."""
        if len(self._own()) == len(self.module.state_dict()):
            read_state_dict(self.module, store)
        else:
            for key, tensor in self._own().items():
                tensor.copy_(store[key])


def walk(root, skip=(), aliases=None):
    """Yield `(path, thing)` for `root` (at the path "") and everything in it that may have a state, once.

    Args:
        root: The model, or another thing with a state.
        skip: Objects that are passed over, with all in them.
        aliases: A dict that gets, for the path of a thing, the list of its further ones.
    """
    visited: dict[int, object] = {id(thing): thing for thing in skip}
    first_paths: dict[int, str] = {}
    stack = [("", root)]
    while stack:
        path, thing = stack.pop()
        if id(thing) in visited:
            if aliases is not None and id(thing) in first_paths:
                aliases.setdefault(first_paths[id(thing)], []).append(path)
            continue
        first_paths[id(thing)] = path
        visited[id(thing)] = thing
        yield path, thing if not _is_plain_module(thing) else TorchState(thing)
        stack += reversed([(f"{path}/{name}".lstrip("/"), child) for name, child in children(thing)])


def _is_plain_module(thing):
    return isinstance(thing, nn.Module) and not collecting.is_layer(thing)


def _has_state(thing):
    """Whether `thing` can have a state of its own; classes and functions have not."""
    return not isinstance(thing, type) and (
        isinstance(thing, nn.Module) or hasattr(type(thing), "save_own_variables")
    )


def children(thing):
    """Return `(relative path, child)` pairs for what `thing` holds, in the order of visits."""
    if _is_plain_module(thing):
        return [(name, child) for name, child in thing._modules.items() if child is not None]
    found, seen = [], set()
    is_graph = getattr(thing, "_recording", None) is not None or hasattr(thing, "_stack")
    if is_graph:
        found += _in_container(thing.layers, "layers", seen)
    for name in sorted(_names(thing), key=lambda name: f"~{name}" if name.startswith("_") else name):
        try:
            child = getattr(thing, name)
        except Exception:
            continue
        if _has_state(child):
            found.append((name, child))
        elif isinstance(child, CONTAINERS):
            found += _in_container(child, name, seen)
    return found


def _in_container(container, prefix, seen):
    if id(container) in seen:
        return []
    seen = seen | {id(container)}
    found, used = [], Counter()
    for member in container.values() if isinstance(container, dict) else container:
        if _has_state(member):
            found.append((f"{prefix}/{_numbered(_class_name(member), used)}", member))
        elif isinstance(member, CONTAINERS):
            found += _in_container(member, f"{prefix}/{_numbered('container', used)}", seen)
    return found


def _class_name(member):
    """Return the snake-case class of a member; Keras wraps plain torch modules."""
    return "torch_module_wrapper" if _is_plain_module(member) else naming.to_snake_case(type(member).__name__)


def _numbered(name, used):
    used[name] += 1
    return f"{name}_{used[name] - 1}" if used[name] > 1 else name


def _names(thing):
    """Return the names of attributes of `thing` that are not those of every layer."""
    if not _base_names:
        layer = Layer(name="any")
        _base_names.update(dir(layer), vars(layer), NOT_SAVED)
    names = {name for name in vars(thing) if name not in _base_names and not name.startswith("__")}
    names.difference_update(getattr(thing, "saved_elsewhere", ()))
    names.update(_of_class(type(thing)))
    if isinstance(thing, nn.Module):
        hidden = collecting.governed(thing).union(thing.stored_modules)
        if getattr(thing, "_keys", None):  # the layers of a graph, by their keys in `state_dict`
            hidden.update(thing._keys.values())
        for members in thing._containers.values():  # in a list or dict, so found under its name
            hidden.update(members)
        names.update(name for name, child in thing._modules.items() if child is not None)
        names -= hidden
    return names


def _of_class(cls):
    """Return the names of properties and class attributes of a user's class that may hold states.

    Of the package's own classes only the models' `layers` is such a property.
    """
    names = _class_names.get(cls)
    if names is None:
        members = {
            key: value
            for base in reversed(cls.__mro__)
            if base.__module__.partition(".")[0] not in ("torchkeras_lite", "torch")
            for key, value in vars(base).items()
        }
        names = _class_names[cls] = (
            *(["layers"] if isinstance(getattr(cls, "layers", None), property) else []),
            *(
                key
                for key, value in members.items()
                if key not in _base_names
                and not key.startswith("__")
                and (isinstance(value, (property, *CONTAINERS)) or _has_state(value))
            ),
        )
    return names
