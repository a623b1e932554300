"""A PyTorch checkpoint onto a model, by names, then by order and shape, and the reverse."""

import os
from dataclasses import dataclass

import torch
from torch import nn

from torchkeras_lite.base.checks import describe, suggestion
from torchkeras_lite.engine import collecting
from torchkeras_lite.saving.torch_files import inner_state, read_state

WRAPPERS = ("module.", "_orig_mod.")  # what DistributedDataParallel and torch.compile put before names
COUNTERS = "num_batches_tracked"
LEAVES = {
    "kernel": "weight",
    "embeddings": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


@dataclass
class Own:
    """A tensor of the model.

    Args:
        key: Key in `state_dict()`.
        names: The names that it answers to: the key, and with the layer's name Keras's and torch's name.
        shape: Its shape, in torch's layout.
        spec: The `WeightSpec` it belongs to, or `None`.
    """

    key: str
    names: tuple
    shape: tuple
    spec: object = None


@dataclass
class Match:
    """A tensor of the model and the foreign one that it gets.

    Args:
        own: The tensor of the model.
        foreign: The name of the other one.
        how: What is done to it: nothing (`""`), `"transposed"` or `"from Keras's layout"`.
    """

    own: Own
    foreign: str
    how: str


def load_torch_weights(model, source, mapping=None):
    """Read a PyTorch checkpoint of another model; see `Model.load_torch_weights`."""
    _need_built(model)
    state = _read(source)
    matches, left_own, left_foreign = match(model, state, mapping)
    own = model.state_dict()
    values = {m.own.key: _to_own(m, state[m.foreign]).to(own[m.own.key].dtype) for m in matches}
    model.load_state_dict(values, strict=False)
    text = _report(matches, left_own, left_foreign)
    print(text)
    return text


def export_torch_weights(model, target, mapping=None):
    """Put the weights of a model into another PyTorch model; see `Model.export_torch_weights`."""
    _need_built(model)
    state = _read(target)
    matches, left_own, left_foreign = match(model, state, mapping)
    own = model.state_dict()
    raw = {m.foreign: _to_foreign(m, own[m.own.key]) for m in matches}
    given = _plain_state(target)
    values = {key: tensor.detach().clone() for key, tensor in given.items()}
    for key, tensor in _unfolded(raw, given).items():
        values[key] = tensor.detach().to(values[key].dtype).clone()
    if isinstance(target, nn.Module):
        target.load_state_dict(values, strict=False)
    print(_report(matches, left_own, left_foreign))
    return values


def _need_built(model):
    if not model.built:
        raise ValueError(
            f"{describe(model)} is not built, so that it has no weights yet. Call it on data first."
        )


def _plain_state(source):
    if isinstance(source, nn.Module):
        return source.state_dict()
    if isinstance(source, (str, os.PathLike)):
        return read_state(os.fspath(source))
    return inner_state(source, "the state dict")


def _read(source):
    """Return the tensors of a checkpoint by short names, the two biases of recurrent modules as one."""
    if not isinstance(source, (nn.Module, dict, str, os.PathLike)):
        raise TypeError(
            f"Expected a state dict, a path of a file or a torch module, got {source!r} of type "
            f"{type(source).__name__}."
        )
    state = {}
    for key, tensor in _plain_state(source).items():
        if not key.endswith(COUNTERS):
            state[_short(key)] = tensor.detach()
    return _folded(state)


def _short(key):
    while key.startswith(WRAPPERS):
        key = key.partition(".")[2]
    return key


def _gates(state, prefix):
    """Return how many gates the recurrent module at `prefix` has: 4 an LSTM, 3 a GRU, 1 a plain one."""
    kernel = state.get(f"{prefix}weight_hh_l0")
    return None if kernel is None or kernel.ndim != 2 else kernel.shape[0] // kernel.shape[1]


def _folded(state):
    """Return a state with one bias a recurrent module, as layers have it.

    A GRU has two rows of one tensor; elsewhere the two are only ever added.
    """
    found = dict(state)
    for key in state:
        if not key.endswith("bias_hh_l0"):
            continue
        prefix = key.removesuffix("bias_hh_l0")
        first = found.pop(f"{prefix}bias_ih_l0", None)
        second = found.pop(key)
        if first is None:
            continue
        if _gates(state, prefix) == 3:
            found[f"{prefix}bias_l0"] = torch.stack([first, second])
        else:
            found[f"{prefix}bias_ih_l0"] = first + second
            found[f"{prefix}bias_hh_l0"] = torch.zeros_like(second)
    return found


def _unfolded(state, given):
    """Return a state under the keys of `given`, the two biases of recurrent modules apart."""
    keys = {_short(key): key for key in given}
    found = {}
    for key, tensor in state.items():
        prefix = key.removesuffix("bias_l0")
        if key not in keys and prefix != key:
            found[keys[f"{prefix}bias_ih_l0"]], found[keys[f"{prefix}bias_hh_l0"]] = tensor[0], tensor[1]
        else:
            found[keys[key]] = tensor
    return found


def own_tensors(model):
    """Return an `Own` for every tensor of `model`, in the order of its `state_dict`."""
    specs = {}
    for path, module in model.named_modules():
        if collecting.is_layer(module):
            prefix = f"{path}." if path else ""
            for spec in module.weight_specs:
                specs[f"{prefix}{spec.at}"] = prefix, spec
    found, seen = [], set()
    for key, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) in seen or key.endswith(COUNTERS):
            continue
        seen.add(id(tensor))
        prefix, spec = specs.get(key, (None, None))
        names = (key,)
        if spec is not None:
            names = (key, f"{prefix}{spec.at.rpartition('.')[2]}", f"{prefix}{spec.name}")
        found.append(Own(key, tuple(dict.fromkeys(names)), tuple(tensor.shape), spec))
    return found


def match(model, state, mapping=None):
    """Return the matches, the tensors of the model without one, and the foreign names without one.

    Args:
        model: The model.
        state: The foreign tensors by name.
        mapping: Foreign names, or the begin of such, to names in the model; or a function of a name.

    Raises:
        ValueError: a mapping to names that are not there or shapes that do not fit; nothing that fits;
            several ways to match by order.
    """
    own = own_tensors(model)
    table = {name: one for one in own for name in one.names}
    matches, taken, used = [], set(), set()
    mapped = _mapped(state, mapping, table)
    for foreign, tensor in state.items():
        explicit = foreign in mapped
        one = mapped[foreign] if explicit else table.get(foreign)
        if explicit and one is None:
            used.add(foreign)
            continue
        if one is None or one.key in taken:
            continue
        how = _fit(one, tensor)
        if how is None and explicit:
            raise ValueError(
                f"`mapping` gives '{foreign}' of shape {tuple(tensor.shape)} to '{one.key}' of shape "
                f"{one.shape}, and they do not fit."
            )
        if how is not None:
            matches.append(Match(one, foreign, how))
            taken.add(one.key)
            used.add(foreign)
    rest_own = [one for one in own if one.key not in taken]
    rest = {name: tensor for name, tensor in state.items() if name not in used}
    matches += _by_order(rest_own, rest, have_names=bool(matches))
    taken = {m.own.key for m in matches}
    used = {m.foreign for m in matches}
    if not matches:
        raise ValueError(
            f"Nothing in the checkpoint fits {describe(model)}. It has {_shapes(state)}; the model has "
            f"{_shapes({one.key: one for one in own})}. Pass `mapping`, foreign names to names of the model."
        )
    left = [name for name in state if name not in used]
    return matches, [one for one in own if one.key not in taken], left


def _shapes(named, most=5):
    shown = [f"'{name}' {tuple(value.shape)}" for name, value in list(named.items())[:most]]
    return ", ".join(shown) + (f" and {len(named) - most} more" if len(named) > most else "")


def _mapped(state, mapping, table):
    """Return the tensors of the model that `mapping` gives foreign names; `None`: the name is left out."""
    found = {}
    if mapping is None:
        return found
    if not callable(mapping) and not isinstance(mapping, dict):
        raise TypeError(f"`mapping` must be a dict of names or a function of a name, got {mapping!r}.")
    unused = set() if callable(mapping) else set(mapping)
    for foreign in state:
        if callable(mapping):
            name, known = mapping(foreign), True
        else:
            begin = _beginning(foreign, mapping)
            known = begin is not None
            unused.discard(begin)
            target = mapping.get(begin)
            name = None if target is None else f"{target}{foreign[len(begin) :]}"
        if not known:
            continue
        if name is not None and name not in table:
            raise ValueError(
                f"`mapping` gives '{foreign}' to '{name}', which the model does not have"
                f"{suggestion(name, list(table))} Its names are {list(table)[:12]}."
            )
        found[foreign] = None if name is None else table[name]
    if unused:
        raise ValueError(
            f"`mapping` has names that the checkpoint does not have: {sorted(unused)}"
            f"{suggestion(min(unused), list(state))} It has {list(state)[:12]}."
        )
    return found


def _beginning(foreign, mapping):
    """Return the longest key of `mapping` that is `foreign` or the name of a module around it."""
    parts = foreign.split(".")
    places = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((place for place in places if place in mapping), None)


def _fit(own, tensor):
    """Return how `tensor` becomes a value of `own`, `None` where it cannot."""
    shape = tuple(tensor.shape)
    if shape == own.shape:
        return ""
    axes = None if own.spec is None else own.spec.keras_axes
    if axes is not None and shape == tuple(own.shape[axis] for axis in axes):
        return "from Keras's layout" if len(shape) != 2 else "transposed"
    return "transposed" if len(shape) == 2 and shape == own.shape[::-1] else None


def _to_own(found, tensor):
    if found.how == "transposed":
        return tensor.t()
    return found.own.spec.from_keras(tensor) if found.how else tensor


def _to_foreign(found, tensor):
    if found.how == "transposed":
        return tensor.t()
    return found.own.spec.to_keras(tensor) if found.how else tensor


def _groups(named):
    """Return the members of each module, by the names of their leaves, in order."""
    groups = {}
    for name, value in named:
        module, _, leaf = name.rpartition(".")
        groups.setdefault(module, {})[LEAVES.get(leaf, leaf)] = value
    return groups


def _signature(group):
    return tuple(sorted((leaf, tuple(sorted(value[1]))) for leaf, value in group.items()))


def _by_order(own, state, *, have_names):
    """Match what no name decides, module by module, where the order of shapes leaves one way."""
    mine = _groups((one.key, (one, one.shape)) for one in own)
    theirs = _groups((name, (name, tuple(tensor.shape))) for name, tensor in state.items())
    ours = [(module, group, _signature(group)) for module, group in mine.items()]
    others = [(module, group, _signature(group)) for module, group in theirs.items()]
    kinds = {signature for *_, signature in ours} & {signature for *_, signature in others}
    ours = [entry for entry in ours if entry[2] in kinds]
    others = [entry for entry in others if entry[2] in kinds]
    if [s for *_, s in ours] != [s for *_, s in others]:
        _refuse_ambiguous(ours, others)
        others = [next(o for o in others if o[2] == entry[2]) for entry in ours]
    elif have_names and len(ours) > 1 and len({s for *_, s in ours}) < len(ours):
        _refuse_ambiguous(ours, others)  # some names agree, so the others say that they mean something else
    found = []
    for (_, group, _), (_, foreign, _) in zip(ours, others, strict=True):
        for leaf, (one, _) in group.items():
            name = foreign[leaf][0]
            how = _fit(one, state[name])
            if how is None:
                raise ValueError(
                    f"'{name}' of shape {tuple(state[name].shape)} does not fit '{one.key}' of shape "
                    f"{one.shape}."
                )
            found.append(Match(one, name, how))
    return found


def _refuse_ambiguous(ours, others):
    """Raise where modules of equal shapes are several, and their order does not decide which is which."""
    for signature in {s for *_, s in ours}:
        left = [module for module, _, s in ours if s == signature]
        right = [module for module, _, s in others if s == signature]
        if len(left) > 1 or len(right) > 1:
            shapes = ", ".join(f"{leaf} {shape}" for leaf, shape in signature)
            raise ValueError(
                f"It is ambiguous which weights go where: the modules {left} of the model and {right} of the "
                f"checkpoint have the same shapes ({shapes}), other names, and another order. Pass "
                f"`mapping`, for example {{{right[0]!r}: {left[0]!r}}}."
            )


def _report(matches, left_own, left_foreign):
    """Return what was matched and what was left as text."""
    lines = [f"{len(matches)} weights matched:"]
    lines += [f"  {m.foreign} -> {m.own.key} {m.own.shape}{f' ({m.how})' if m.how else ''}" for m in matches]
    if left_own:
        lines.append(f"{len(left_own)} weights of the model were left as they are:")
        lines += [f"  {one.key} {one.shape}" for one in left_own]
    if left_foreign:
        lines.append(f"{len(left_foreign)} weights of the other side were not used:")
        lines += [f"  {name}" for name in left_foreign]
    return "\n".join(lines)
