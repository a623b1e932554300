"""The text of one class: an `__init__` with its modules and tensors, a `forward` with its statements."""

import builtins
import keyword
import re

import torch
from torch import nn

from torchkeras_lite.base.nested import flatten
from torchkeras_lite.export.literals import literal
from torchkeras_lite.export.traced import CannotWrite, Traced
from torchkeras_lite.export.writers import constructor_of, state_of

__all__ = ["ClassText"]

MARK = re.compile(r"«[mtv]\d+»")
INDENT = " " * 4


class ClassText:
    """One class, with the attributes that its `forward` uses.

    Args:
        session: The `Session` that traced it.
        frames: Its frames in inference and in training mode.
        short: Whether attributes are called after their layer alone where that is enough, or exactly as in
            the model.
        class_of: Function `(module, short) -> (class name, ClassText)` for modules with a class of their own.
    """

    def __init__(self, session, frames, short, class_of):
        self.session = session
        self.owner = frames[0].owner
        self.frames = frames
        self.class_of = class_of
        self.statements = [_needed(frame) for frame in frames]
        used = {
            mark
            for statements, frame in zip(self.statements, frames, strict=True)
            for mark in _marks(statements, frame)
        }
        used |= {mark for frame in frames for mark in frame.held}
        self.paths = self._paths({mark for mark in used if mark[1] != "v"})
        self.names = _short_names(self.paths) if short else {m: _dotted(p) for m, p in self.paths.items()}
        self.inside = self._name_parts_of_modules()
        self.state = {}
        self.children = []

    def _paths(self, marks):
        """Return the path in the owner of everything that is used, in the owner's order."""
        owner, things = self.owner, self.session.objects
        places = {}
        for found in (
            owner.named_modules(remove_duplicate=False),
            owner.named_parameters(remove_duplicate=False),
            owner.named_buffers(remove_duplicate=False),
        ):
            for path, thing in found:
                places.setdefault(id(thing), path)
        order = list(places)
        paths, constants = {}, 0
        for mark in sorted(marks, key=lambda m: order.index(i) if (i := id(things[m])) in places else -1):
            thing = things[mark]
            if id(thing) in places:
                paths[mark] = places[id(thing)]
            elif isinstance(thing, (nn.Module, nn.Parameter)):
                raise CannotWrite(f"it uses a {type(thing).__name__} that is none of its own attributes")
            else:
                paths[mark] = f"constant_{constants}"
                constants += 1
        return paths

    def _name_parts_of_modules(self):
        """Name tensors that are parts of modules with a name, and return their marks."""
        modules = {path: mark for mark, path in self.paths.items() if mark[1] == "m"}
        inside = set()
        for mark, path in self.paths.items():
            owner, _, last = path.rpartition(".")
            if mark[1] == "t" and owner in modules:
                self.names[mark] = f"{self.names[modules[owner]]}.{last}"
                inside.add(mark)
        return inside

    def init_lines(self):
        """Return the lines of `__init__` that make the attributes; fills `state` and `children`."""
        lines, containers = [], set()
        for mark, path in self.names.items():
            if mark in self.inside:
                continue
            parts = path.split(".")
            for count in range(1, len(parts)):
                container = ".".join(parts[:count])
                if container not in containers:
                    containers.add(container)
                    lines.append(f"{_attribute(container)} = {self._container(container)}")
            thing = self.session.objects[mark]
            if isinstance(thing, nn.Module):
                lines.append(f"{_attribute(path)} = {self._module_text(thing, path)}")
                lines += self._frozen_lines(thing, path)
            else:
                lines.append(self._tensor_line(thing, path))
                self.state[path] = thing
        return lines

    def _container(self, path):
        """Return the text of a module that holds others under their names, numbers among them."""
        inside = (
            name.removeprefix(f"{path}.") for name in self.names.values() if name.startswith(f"{path}.")
        )
        plain = all(name.partition(".")[0].isidentifier() for name in inside)
        return "nn.Module()" if plain else "nn.ModuleDict()"

    def _ties(self):
        """Return the lines that make one parameter of those that stand under several keys."""
        first, lines = {}, []
        for key, tensor in self.state.items():
            place = first.setdefault(id(tensor), key)
            if place != key and isinstance(tensor, nn.Parameter):
                lines.append(f"{_attribute(key)} = {_attribute(place)}")
        return lines

    def _module_text(self, module, path):
        constructor = constructor_of(module)
        if constructor is None:
            name, text = self.class_of(module)
            self.children.append(text)
            self.state |= {f"{path}.{key}": tensor for key, tensor in text.state.items()}
            return f"{name}()"
        state = state_of(module)
        self.state |= {f"{path}.{key}": tensor for key, tensor in state.items()}
        kinds = {tensor.dtype for key, tensor in state.items() if tensor.is_floating_point()}
        if len(kinds) > 1:
            raise CannotWrite(f"its weights are of several dtypes, {sorted(map(str, kinds))}")
        return constructor + "".join(f".to({kind})" for kind in kinds if kind is not torch.float32)

    def _frozen_lines(self, module, path):
        if constructor_of(module) is None:
            return []
        buffers = {key for key, _ in module.named_buffers()}
        trained = {key: t.requires_grad for key, t in state_of(module).items() if key not in buffers}
        if not trained or all(trained.values()):
            return []
        if not any(trained.values()):
            return [f"{_attribute(path)}.requires_grad_(False)"]
        return [f"{_attribute(path)}.{key}.requires_grad_(False)" for key, on in trained.items() if not on]

    def _tensor_line(self, tensor, path):
        shape = literal(tuple(tensor.shape), None)
        dtype = "" if tensor.dtype is torch.float32 else f", dtype={tensor.dtype}"
        if isinstance(tensor, nn.Parameter):
            frozen = "" if tensor.requires_grad else ", requires_grad=False"
            return f"{_attribute(path)} = nn.Parameter(torch.empty({shape}{dtype}){frozen})"
        container, _, name = path.rpartition(".")
        holder = _attribute(container) if container else "self"
        return f'{holder}.register_buffer("{name}", torch.empty({shape}{dtype}))'

    def text(self, name, docstring):
        """Return the class."""
        lines = [f"class {name}(nn.Module):", f'{INDENT}"""{docstring}"""', ""]
        lines += [f"{INDENT}def __init__(self):", f"{INDENT * 2}super().__init__()"]
        lines += [INDENT * 2 + line for line in (*self.init_lines(), *self._ties())]
        bodies = [self.body(index) for index in (0, 1)]
        arguments = ", ".join(["self", *self._inputs(0).values()])
        lines += ["", f"{INDENT}def forward({arguments}):"]
        if bodies[0] == bodies[1]:
            lines += [INDENT * 2 + line for line in bodies[0]]
        else:
            lines.append(f"{INDENT * 2}if self.training:")
            lines += [INDENT * 3 + line for line in bodies[1]]
            lines += [INDENT * 2 + line for line in bodies[0]]
        lines += self._train_lines()
        return "\n".join(lines)

    def _train_lines(self):
        held = [mark for mark in self.frames[1].held if mark in self.names]
        if not held:
            return []
        return [
            "",
            f"{INDENT}def train(self, mode=True):",
            f'{INDENT * 2}"""Set the mode; what is named here stays in inference mode."""',
            f"{INDENT * 2}super().train(mode)",
            *(f"{INDENT * 2}{_attribute(self.names[mark])}.eval()" for mark in held),
            f"{INDENT * 2}return self",
        ]

    def _inputs(self, index):
        """Return the names of the arguments of `forward`, by their marks."""
        names, inputs = {}, self.frames[index].inputs
        for number, tensor in enumerate(inputs):
            wanted = getattr(tensor, "name_hint", None) or ("x" if len(inputs) == 1 else f"x{number}")
            names[tensor.text] = _free(_identifier(wanted), names.values())
        return names

    def body(self, index):
        """Return the lines of `forward` in one mode."""
        statements, frame = self.statements[index], self.frames[index]
        names = self._inputs(index)
        chain = next(name for name in ("x", "h", "y", "z") if name not in names.values())
        outputs = literal(frame.outputs, lambda tensor: tensor.text)
        uses = [statement.text for statement in statements] + [outputs]
        lines = []
        for number, statement in enumerate(statements):
            text = self._named(statement.text, names)
            for result in statement.results:
                where = [i for i, use in enumerate(uses) if result.text in use]
                once = where == [number + 1] and uses[number + 1].count(result.text) == 1
                if not where:
                    names[result.text] = "_"
                elif once and all(names.get(one.text) != chain for one in statement.results):
                    names[result.text] = chain
                else:
                    taken = {*names.values(), chain, *self._argument_names()}
                    names[result.text] = _free(_identifier(self._hint(statement)), taken)
            shown = [result.comment for result in statement.results if names[result.text] != "_"]
            target = "" if statement.targets is None else f"{_targets(statement.targets, names)} = "
            comment = f"  # {', '.join(shown)}" if shown and text != "None" else ""
            lines.append(f"{target}{text}{comment}")
        return [*lines, f"return {self._named(outputs, names)}"]

    def _argument_names(self):
        return {"self", "torch", "nn", "F", "None"}

    def _hint(self, statement):
        hint = statement.hint
        return self.names[hint].rpartition(".")[2] if hint in self.names else hint

    def _named(self, text, names):
        def replace(match):
            mark = match.group()
            return _attribute(self.names[mark]) if mark in self.names else names[mark]

        return MARK.sub(replace, text)


def _marks(statements, frame):
    texts = [statement.text for statement in statements]
    texts += [leaf.text for leaf in flatten(frame.outputs) if isinstance(leaf, Traced)]
    return {mark for text in texts for mark in MARK.findall(text)}


def _needed(frame):
    """Return the statements that the outputs depend on, and those that are there for their effect."""
    wanted = set()
    for leaf in flatten(frame.outputs):
        if isinstance(leaf, Traced):
            wanted.update(MARK.findall(leaf.text))
    kept = []
    for statement in reversed(frame.statements):
        if statement.targets is None or any(result.text in wanted for result in statement.results):
            kept.append(statement)
            wanted.update(MARK.findall(statement.text))
    return kept[::-1]


def _targets(targets, names):
    if isinstance(targets, Traced):
        return names[targets.text]
    if all(names[one.text] == "_" for one in flatten(targets)):
        return "_"
    parts = [
        part_text if part_text == "_" or isinstance(part, Traced) else f"({part_text})"
        for part in targets
        for part_text in [_targets(part, names)]
    ]
    return ", ".join(parts) + ("," if len(parts) == 1 else "")


def _identifier(name):
    """Return `name` as an identifier that hides nothing of Python's."""
    cleaned = re.sub(r"\W", "_", name)
    cleaned = cleaned if cleaned[:1].isalpha() or cleaned[:1] == "_" else f"_{cleaned}"
    return f"{cleaned}_" if keyword.iskeyword(cleaned) or hasattr(builtins, cleaned) else cleaned


def _free(name, taken):
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


def _dotted(path):
    """Return a path whose first part is an attribute; later parts may be keys, such as `0`."""
    first, dot, rest = path.partition(".")
    return f"{first if first.isidentifier() else _identifier(first)}{dot}{rest}"


def _attribute(path):
    """Return the expression for what is at a path of the module: `self.blocks["0"].weight`."""
    parts = (f".{part}" if part.isidentifier() else f'["{part}"]' for part in path.split("."))
    return "self" + "".join(parts)


def _short_names(paths):
    """Return an attribute's name for each path: that of the layer, and what tells its parts apart."""
    groups, names = {}, {}
    for mark, path in paths.items():
        groups.setdefault(path.partition(".")[0], []).append(mark)
    for first, marks in groups.items():
        for mark in marks:
            rest = paths[mark].split(".")[1:]
            others = [paths[other].split(".")[1:] for other in marks if other != mark]
            telling = next((part for part in rest if all(part not in other for other in others)), None)
            parts = [first] if not others else [first, telling] if telling else [first, *rest]
            names[mark] = _free(_identifier_of_attribute("_".join(parts)), names.values())
    return names


def _identifier_of_attribute(name):
    cleaned = _identifier(name)
    return f"{cleaned}_" if hasattr(nn.Module, cleaned) or cleaned in ("training",) else cleaned
