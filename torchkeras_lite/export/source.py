"""Models as standalone PyTorch: a file that imports torch alone, and the module that it defines."""

import copy
import importlib.util
import inspect
import itertools
import os
import re
from importlib.abc import InspectLoader

import torch

from torchkeras_lite.base.checks import describe, one_of
from torchkeras_lite.base.nested import flatten, pack_like
from torchkeras_lite.engine import shapes
from torchkeras_lite.export import parts
from torchkeras_lite.export.class_text import ClassText
from torchkeras_lite.export.session import Session, Unwritten
from torchkeras_lite.export.signature import symbolic_inputs
from torchkeras_lite.export.traced import CannotWrite, Traced
from torchkeras_lite.saving.torch_files import save_state

__all__ = ["to_source", "to_torch"]

KEYS = ("short", "model")
_number = itertools.count(1)


class Written:
    """A model as text.

    Args:
        text: The source of the file.
        class_name: Name of the model's class in it.
        state: Keys and tensors of the module that it makes.
    """

    def __init__(self, text, class_name, state):
        self.text = text
        self.class_name = class_name
        self.state = {key: tensor.detach().as_subclass(torch.Tensor) for key, tensor in state.items()}

    def state_dict(self):
        """Return the state, every tensor in memory of its own."""
        return {key: tensor.clone() for key, tensor in self.state.items()}

    def module(self):
        """Return the module, with the weights."""
        loader = _Text(self.text)
        spec = importlib.util.spec_from_loader(f"ejected_{next(_number)}", loader)
        made = importlib.util.module_from_spec(spec)
        loader.exec_module(made)
        net = getattr(made, self.class_name)()
        net.load_state_dict(self.state)
        return net


class _Text(InspectLoader):
    """Makes a Python module from text; tracebacks and `inspect.getsource` find the lines."""

    def __init__(self, text):
        self.text = text

    def get_source(self, fullname):
        """Return the text."""
        return self.text


def to_torch(model, input_signature=None):
    """Return an `nn.Module` of torch's classes alone that computes what `model` computes.

    Its weights are copies under the same `state_dict` keys, wherever torch has the same module; its mode and
    device are the model's. In training mode it does what the model does in training: dropout, and batch
    statistics whose running variance is the biased one (by a small subclass of torch's batch normalization
    that the returned module brings along; torch's own keeps the unbiased one). Losses of regularizers, what
    `compile` was given, and the reading of other input dtypes and shapes stay behind.

    Args:
        model: A built model.
        input_signature: Inputs to trace a model without a graph with; see `export_model`.

    Raises:
        ValueError: layers that cannot be written with torch alone, all of them named.
    """
    net = written(model, "model", input_signature).module()
    tensor = next(iter(model.parameters()), None)
    net = net if tensor is None else net.to(tensor.device)
    return net.train(model.training)


def to_source(model, path, weights="pt", keys="short", input_signature=None):
    """Write `model` as a Python file that imports torch alone, and its weights beside it.

    The file has a class with torch's modules and a `forward` with a line for each computation, and a function
    `load()` that returns the module with its weights. See `to_torch` for what it computes.

    Args:
        model: A built model.
        path: Path of the file, `net.py`.
        weights: `"pt"` writes `net.pt`, `"safetensors"` `net.safetensors`, `None` no weights.
        keys: `"short"`: attributes are called after their layers, `dense.weight`; `"model"`: the keys of
            `state_dict` are the model's, `dense.linear.weight`.
        input_signature: Inputs to trace a model without a graph with; see `export_model`.

    Raises:
        ValueError: layers that cannot be written with torch alone, all of them named.
    """
    path = os.fspath(path)
    if not path.endswith(".py"):
        raise ValueError(f"to_source: expected a path that ends with .py, got {path!r}.")
    one_of("to_source", "keys", keys, KEYS)
    one_of("to_source", "weights", weights, ("pt", "safetensors", None))
    found = written(model, keys, input_signature, weights)
    if weights is not None:
        save_state(found, f"{path.removesuffix('.py')}.{weights}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(found.text)


def written(model, keys, input_signature=None, weights="pt"):
    """Return `model` as `Written`."""
    twin = _twin(model)
    structure, names = symbolic_inputs(twin, input_signature)
    session, frames, error = None, None, None
    for pair in shapes.SIZES:
        try:
            session, frames = _traced(twin, structure, names, pair, keys == "short")
            break
        except (Unwritten, ValueError) as failure:
            error = failure
    if frames is None or session.failures:
        reasons = session.reasons() if session is not None and session.failures else [str(error)]
        raise ValueError(
            f"{describe(model)} cannot be written with torch alone:\n- " + "\n- ".join(reasons)
        ) from None
    return _File(session, frames, keys == "short", model, weights).written()


def _twin(model):
    """Return a copy of `model` with the same tensors, on which tracing leaves its marks."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    twin = copy.deepcopy(model, memo=shared)
    for one in twin.modules():
        if "_mode_was_set" in one.__dict__:
            one.__dict__["_mode_was_set"] = True
    return twin


def _traced(model, structure, names, pair, may_reshape):
    """Trace `model` with two sizes for unknown axes; return the session and the frames in both modes."""
    session = Session(may_reshape)
    stand_ins = []
    for tensor, name in zip(flatten(structure), names, strict=True):
        probes = tuple(shapes.probe_tensor(tensor.spec, sizes) for sizes in pair)
        stand_ins.append(Traced(probes, session.fresh()))
        stand_ins[-1].name_hint = name
    with session.watching():
        try:
            frames = session.trace_modes(model, (pack_like(structure, stand_ins),), {})
        except CannotWrite as error:
            session.failures[id(model)] = (model, error)
            frames = None
        except Unwritten:
            frames = None
    return session, frames


class _File:
    """The classes of one file."""

    def __init__(self, session, frames, short, model, weights):
        self.session = session
        self.frames = frames
        self.short = short
        self.model = model
        self.weights = weights
        self.classes = {}  # text without its name -> name
        self.texts = []
        self.made = {}
        self.taken = {"BatchNorm", "load"}

    def written(self):
        """Return the file as `Written`."""
        kind = type(getattr(self.model, "torch_module", self.model)).__name__
        name = "Net" if kind in ("Functional", "Sequential", "Model") else kind
        try:
            name, whole = self._class(self.frames, name, f"{describe(self.model)}.")
        except CannotWrite as error:
            raise ValueError(f"{describe(self.model)} cannot be written with torch alone: {error}.") from None
        body = "\n\n\n".join(self.texts)
        text = "\n\n\n".join([self._head(body, name), *_parts_in(body), body, *self._load(name)]) + "\n"
        return Written(text, name, whole.state)

    def _class_of(self, module):
        if id(module) not in self.made:
            _, *frames = self.session.traced[id(module)]
            kind = type(module).__name__.lstrip("_")
            kind = "Block" if kind in ("Functional", "Sequential") else kind
            self.made[id(module)] = self._class(frames, kind, f"{describe(module)}.")
        return self.made[id(module)]

    def _class(self, frames, wanted, docstring):
        text = ClassText(self.session, frames, self.short, self._class_of)
        body = text.text("«name»", "«doc»")
        if body not in self.classes:
            name, number = wanted, 1
            while name in self.taken:
                number += 1
                name = f"{wanted}{number}"
            self.taken.add(name)
            self.classes[body] = name
            self.texts.append(body.replace("«name»", name).replace("«doc»", docstring))
        return self.classes[body], text

    def _head(self, body, name):
        inputs = ", ".join(self.frames[0].inputs[i].comment for i in range(len(self.frames[0].inputs)))
        lines = [
            f'"""{describe(self.model)} in plain PyTorch, from inputs of shape {inputs}.',
            "",
            "Written by torchkeras_lite; needs torch alone.",
            '"""',
            "",
        ]
        lines += ["from pathlib import Path", ""] if self.weights else []
        lines.append("import torch")
        everything = "".join([body, *_parts_in(body)])
        if "F." in everything:
            lines.append("import torch.nn.functional as F")
        lines.append("from torch import nn")
        if "pack_padded_sequence" in everything:
            lines.append("from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence")
        return "\n".join(lines)

    def _load(self, name):
        if not self.weights:
            return []
        place = f'Path(__file__).with_suffix(".{self.weights}")'
        if self.weights == "pt":
            lines = [f"    state = torch.load({place}, weights_only=True)"]
        else:
            lines = ["    from safetensors.torch import load_file", "", f"    state = load_file({place})"]
        return [
            "\n".join(
                [
                    "def load():",
                    f'    """Return `{name}` with its weights, in inference mode."""',
                    *lines,
                    f"    net = {name}()",
                    "    net.load_state_dict(state)",
                    "    return net.eval()",
                ]
            )
        ]


def _parts_in(body):
    """Return the sources of the pieces that the classes use."""
    used = [name for name in parts.__all__ if re.search(rf"\b{name}\(", body)]
    return [inspect.getsource(getattr(parts, name)).rstrip() for name in used]
