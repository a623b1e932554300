"""What an optimizer keeps beside the weights, and how the weights are grouped for torch's foreach kernels.

A slot lies in torch's layout beside the tensor it belongs to (same device, dtype and memory format), and is
seen in Keras's layout: the same arrangement as for weights, from the same class.
"""

import dataclasses
from dataclasses import dataclass, field

import torch

from torchkeras_lite.engine import sharding
from torchkeras_lite.engine.weights import Weight, WeightInfo, WeightSpec, leaf


@dataclass
class _Storage:
    tensor: torch.Tensor


class Slot(Weight):
    """One tensor of an optimizer, seen in Keras's layout.

    Args:
        name: Keras's name, `"dense_kernel_momentum"`.
        path: Keras's path, `"adam/dense_kernel_momentum"`.
        tensor: The values, in torch's layout.
        reference: The weight whose axis order the slot shares; `None`: Keras's own order.
        beside: The weight on whose device the slot lies; `None`: it stays where it is.
    """

    def __init__(self, name, path, tensor, reference=None, beside=None):
        if isinstance(reference, Weight):
            spec = dataclasses.replace(reference.spec, name=name, at="tensor", trainable=False)
        else:
            spec = WeightSpec(name, at="tensor", trainable=False)
        super().__init__(_Storage(tensor), spec, WeightInfo(name, path, trainable=False))
        self.beside = reference if beside is None else beside

    def follow(self):
        """Move to the device, dtype and memory format of the slot's weight, where they have changed."""
        if self.beside is None:
            return
        stored, weight = self.tensor, leaf(self.beside)
        if stored.device == weight.device and stored.dtype == weight.dtype and _same_layout(stored, weight):
            return
        moved = stored.to(weight.device, weight.dtype if stored.is_floating_point() else stored.dtype)
        if not _same_layout(moved, weight):
            moved = torch.empty_like(weight).copy_(moved)
        self._owner.tensor = moved

    def shard(self):
        """Shard the values as those of the slot's weight are."""
        if self.beside is not None and sharding.is_sharded(leaf(self.beside)):
            self._owner.tensor = sharding.sharded_like(self.tensor, leaf(self.beside))


def _same_layout(first, second):
    return first.shape != second.shape or first.stride() == second.stride()


def variable_name(variable):
    """Return the name of a weight; a plain torch tensor has none."""
    return getattr(variable, "name", None) or "variable"


def slot_name(variable, name):
    """Return Keras's name of the slot `name` of a weight: `dense_kernel_momentum`."""
    path = getattr(variable, "path", None) or variable_name(variable)
    return f"{path}_{name}".replace("/", "_")


def to_keras(variable, tensor):
    """Return `tensor`, laid out as `leaf(variable)`, in Keras's layout."""
    return variable.spec.to_keras(tensor) if isinstance(variable, Weight) else tensor


def initial_values(initializer, like):
    """Return new values for a slot: `initializer` is `"zeros"`, `"ones"`, a number or `f(shape, dtype)`."""
    if initializer == "zeros":
        return torch.zeros_like(like, memory_format=torch.preserve_format, requires_grad=False)
    if initializer == "ones":
        return torch.ones_like(like, memory_format=torch.preserve_format, requires_grad=False)
    if isinstance(initializer, (int, float)):
        return torch.full_like(like, initializer, memory_format=torch.preserve_format, requires_grad=False)
    return torch.empty_like(like, memory_format=torch.preserve_format, requires_grad=False)


@dataclass
class Batch:
    """Weights of one device, dtype and weight decay, as parallel lists.

    Args:
        positions: Where their gradients are in the list of all gradients.
        variables: The weights as Keras sees them.
        leaves: Their tensors.
        slots: Name of a slot to its tensors.
        weight_decay: Decoupled weight decay, 0 for none.
        step: Where a fused kernel reads the number of the update, made at need.
    """

    positions: list = field(default_factory=list)
    variables: list = field(default_factory=list)
    leaves: list = field(default_factory=list)
    slots: dict = field(default_factory=dict)
    weight_decay: float = 0.0
    step: torch.Tensor | None = None

    def select(self, places):
        """Return the part whose positions are keys of `places`, with its values as the new positions."""
        chosen = [i for i, position in enumerate(self.positions) if position in places]
        return Batch(
            [places[self.positions[i]] for i in chosen],
            [self.variables[i] for i in chosen],
            [self.leaves[i] for i in chosen],
            {name: [tensors[i] for i in chosen] for name, tensors in self.slots.items()},
            self.weight_decay,
        )


def make_batches(variables, leaves, slots, keys):
    """Group weights whose `keys` are equal.

    Args:
        variables: The weights as Keras sees them.
        leaves: Their tensors.
        slots: Name of a slot to its tensors, one a weight or `None`.
        keys: One `(weight_decay, *anything)` a weight.
    """
    batches = {}
    for position, variable in enumerate(variables):
        batch = batches.setdefault(keys[position], Batch(weight_decay=keys[position][0]))
        batch.positions.append(position)
        batch.variables.append(variable)
        batch.leaves.append(leaves[position])
        for name, tensors in slots.items():
            if tensors[position] is not None:
                batch.slots.setdefault(name, []).append(tensors[position])
    return list(batches.values())


def leaves_of(variables):
    """Return the stored tensors behind weights."""
    return [leaf(variable) for variable in variables]
