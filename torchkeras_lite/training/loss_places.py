"""Where the losses that `compile` was given stand: each on one output, or on a structure of outputs."""

from typing import Any, NamedTuple

import torch

from torchkeras_lite import losses
from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.training.outputs import Outputs
from torchkeras_lite.training.torch_loss import TorchLoss


class Place(NamedTuple):
    """A loss and what it is computed of.

    `path` leads to it among the outputs; `node` is the number of a flat output, or a structure of such
    numbers; `loss` is what was given, number `number` among the flattened losses.
    """

    path: tuple
    node: Any
    loss: Any
    number: int

    @property
    def outputs(self):
        """Numbers of the flat outputs that the loss is computed of."""
        return tuple(nested.flatten(self.node))


def place_losses(outputs, given):
    """Return a `Place` for every loss; `None` among them leaves its outputs without a loss.

    Args:
        outputs: The `Outputs` of the model.
        given: One loss for each output, or a structure. In it, a loss stands for the part of the outputs at
            its place, be it one output or a structure of them. A flat list with as many entries as that part
            has outputs gives one to each, and so does a list or tuple of the form of that part; any other is
            several losses of the same part. A dict names outputs.

    Raises:
        ValueError: names or a form that the outputs do not have.
    """
    numbered = nested.flatten(given)
    numbers = nested.pack_like(given, range(len(numbered)))
    walk = _Walk(outputs, numbered, numbers)
    if not nested.is_nested(given):
        found = [(path, node, 0) for node, path in enumerate(outputs.paths)]
    elif outputs.is_by_name(given):
        found = [
            place
            for index, part in outputs.by_name("loss", numbers)
            for place in walk.places(part, index, outputs.paths[index])
        ]
    else:
        found = walk.places(numbers, outputs.tree, ())
    places = [Place(path, node, numbered[number], number) for path, node, number in found]
    return [place for place in places if place.loss is not None]


class _Walk:
    """Walks losses, in whose stead their numbers stand, together with the outputs."""

    def __init__(self, outputs, losses, numbers):
        self.names = outputs.names
        self.flat_paths = outputs.paths
        self.losses = losses
        self.whole = numbers

    def places(self, given, node, path):
        """Yield `(path, node, number)` of every loss in `given`, which is for the outputs in `node`."""
        if not nested.is_nested(given):
            yield path, node, given
        elif isinstance(given, dict):
            for key, part in given.items():
                yield from self.places(part, self._named(node, key, path), (*path, key))
        elif self._one_each(given, node):
            for number, leaf in zip(given, nested.flatten(node), strict=True):
                yield self.flat_paths[leaf], leaf, number
        elif self._of_its_form(given, node):
            for key, (part, inner) in enumerate(zip(given, node, strict=True)):
                yield from self.places(part, inner, (*path, key))
        elif self._several(given, node):
            for part in given:
                yield from self.places(part, node, path)
        else:
            raise ValueError(self._form(given, node, path))

    def _named(self, node, key, path):
        if isinstance(node, dict) and key in node:
            return node[key]
        keys = list(node) if isinstance(node, dict) else []
        known = f"{suggestion(key, keys)} There are: {keys}." if keys else "; it has no keys there."
        place = _joined((*path, key))
        raise ValueError(
            f"compile: `loss` names {place!r}, which can't be found in the model's output{known}"
        )

    def _one_each(self, given, node):
        return not any(map(nested.is_nested, given)) and len(given) == len(nested.flatten(node))

    def _of_its_form(self, given, node):
        if not isinstance(node, (list, tuple)) or len(given) != len(node):
            return False
        return type(given) is type(node) or nested.same_structure(given, node) or self._only_names(given)

    def _several(self, given, node):
        """Whether all of `given` is for `node`. What fits no outputs is rather a mistake where it is names
        alone, or the whole of the losses for a single output."""
        if isinstance(node, int):
            return given is not self.whole or len(given) == 1
        return type(given) is not type(node) and not self._only_names(given)

    def _only_names(self, given):
        entries = [part if nested.is_nested(part) else self.losses[part] for part in given]
        return all(entry is None or isinstance(entry, str) for entry in entries)

    def _form(self, given, node, path):
        count = len(nested.flatten(node))
        if given is self.whole:
            remedy = " For the sum of several losses write a function that adds them." if count == 1 else ""
            return (
                f"`loss` should have as many entries as the model has outputs ({count}: {self.names}), got "
                f"{len(given)}.{remedy}"
            )
        entries = nested.map_structure(self.losses.__getitem__, given)
        return (
            f"compile: `loss` does not have the form of the outputs at {_joined(path)!r}: got {entries!r} "
            f"for {count} of them. Give one entry for every output: {self.names}."
        )


def _joined(path):
    return "/".join(map(str, path))


def survive(outputs, given, change, changes_outputs):
    """Whether losses stand where they stand when the containers among them have changed, as a file does it.

    Args:
        outputs: The `Outputs` of the model.
        given: The losses.
        change: `as_lists` or `as_tuples`.
        changes_outputs: Whether the containers among the outputs change as well, as those of a graph do.
    """
    tree = change(outputs.tree) if changes_outputs else outputs.tree
    try:
        placed = place_losses(outputs, given)
    except ValueError:  # which is told when they are used
        return True
    try:
        read = place_losses(Outputs(tree, outputs.layer_names), change(given))
    except ValueError:
        return False
    return [as_lists(place[:2]) + [place.number] for place in placed] == [
        as_lists(place[:2]) + [place.number] for place in read
    ]


def as_lists(structure):
    """Return `structure` with lists for tuples."""
    if isinstance(structure, dict):
        return {key: as_lists(part) for key, part in structure.items()}
    return list(map(as_lists, structure)) if isinstance(structure, (list, tuple)) else structure


def as_tuples(structure):
    """Return `structure` with plain tuples for named ones."""
    if isinstance(structure, dict):
        return {key: as_tuples(part) for key, part in structure.items()}
    if isinstance(structure, tuple):
        return tuple(map(as_tuples, structure))
    return list(map(as_tuples, structure)) if isinstance(structure, list) else structure


def weights_by_loss(given, weights):
    """Return a dict of the number of a loss among the flattened ones to its weight.

    Args:
        given: The losses.
        weights: One number for all, their flat list, or a structure like that of the losses, in which a
            number may stand for all losses below it and keys may be left out.

    Raises:
        ValueError: weights of another form.
    """
    found = {}

    def spread(numbers, weights):
        flat_numbers, flat = nested.flatten(numbers), nested.flatten(weights)
        lists = isinstance(numbers, (list, tuple)) and isinstance(weights, (list, tuple))
        dicts = isinstance(numbers, dict) and isinstance(weights, dict)
        if not nested.is_nested(weights):
            found.update(dict.fromkeys(flat_numbers, weights))
        elif dicts and weights.keys() <= numbers.keys():
            for key, part in weights.items():
                spread(numbers[key], part)
        elif lists and len(numbers) == len(weights):
            for number, part in zip(numbers, weights, strict=True):
                spread(number, part)
        elif len(flat) == len(flat_numbers):
            found.update(zip(flat_numbers, flat, strict=True))
        else:
            raise ValueError(weights_message(len(flat_numbers), len(flat)))

    spread(nested.pack_like(given, range(len(nested.flatten(given)))), weights)
    return found


def weights_message(num_losses, num_weights):
    """Return what to say of weights that do not fit the losses."""
    return (
        f"`loss_weights` must match the number of losses, got {num_losses} losses and {num_weights} weights. "
        "Pass one weight for every loss."
    )


def check_structure(loss, y_pred, name):
    """Raise where a loss on a structure of outputs can only be computed of one output.

    Losses of this package compare the outputs of a list or tuple stacked, so these must have one shape.

    Args:
        loss: A `Loss`, or a name that stands for several by the shapes of an output.
        y_pred: The structure of outputs.
        name: What it is called in the message.
    """
    what = loss if isinstance(loss, str) else loss.name
    of_package = (
        isinstance(loss, losses.LossFunctionWrapper)
        and loss.fn.__module__.startswith(losses.__name__)
        and type(loss).__module__.startswith(losses.__name__)
    )
    if not (isinstance(loss, (str, TorchLoss)) or of_package):
        return
    tensors = isinstance(y_pred, (list, tuple)) and all(isinstance(part, torch.Tensor) for part in y_pred)
    if isinstance(loss, (str, TorchLoss)) or not tensors or len({part.shape for part in y_pred}) > 1:
        shapes = nested.map_structure(lambda tensor: tuple(tensor.shape), y_pred)
        raise ValueError(
            f"compile: {what} compares one output with its targets, and was given for the structure of "
            f"outputs {name!r}, of shapes {shapes}. Give a loss for each of them, or a function of "
            "(y_true, y_pred) that takes the structure."
        )


def stacked_weights(weights, y_pred):
    """Return the sample weights of a structure of outputs as one tensor, or `None`.

    Args:
        weights: The weights, or `None`, of each of its flat outputs.
        y_pred: The flat outputs.

    Shapes:
        weights `(batch, ...)` -> `(outputs, batch, ...)`. A last axis of size 1 goes where outputs have one
        value a sample, as the values of the loss do.
    """
    given = next((weight for weight in weights if weight is not None), None)
    if given is None:
        return None
    weights = [torch.ones_like(given) if weight is None else weight for weight in weights]
    per_sample = all(tensor.ndim <= 2 for tensor in y_pred)
    if per_sample:
        weights = [w.squeeze(-1) if w.ndim == 2 and w.shape[-1] == 1 else w for w in weights]
    return torch.stack(weights)
