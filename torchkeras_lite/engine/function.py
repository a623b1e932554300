"""`Function`: a graph of recorded calls that can be called like one operation."""

import torch
from torch import nn

from torchkeras_lite.base import naming, nested
from torchkeras_lite.engine import graph
from torchkeras_lite.engine.custom_operation import Operation
from torchkeras_lite.engine.keras_tensor import Call, KerasTensor


class Function(Operation):
    """What leads from symbolic inputs to symbolic outputs, as one operation.

    It can be called on tensors, which computes, and on other symbolic tensors. Weights of layers inside are
    shared, not copied. For training, make a `Model` of the same inputs and outputs.

    Args:
        inputs: Nested symbolic tensors.
        outputs: Nested symbolic tensors that depend on the inputs alone.
        name: Name, an automatic one when not given.

    Raises:
        ValueError: empty inputs or outputs; an output that depends on something else.

    Source: Keras 3 `keras.Function`.
    """

    def __init__(self, inputs, outputs, name=None):
        super().__init__(name=name)
        for what, structure in (("inputs", inputs), ("outputs", outputs)):
            if not nested.flatten(structure):
                raise ValueError(
                    f"Function '{self.name}': `{what}` argument cannot be empty, got {what}={structure!r}."
                )
        for tensor in nested.flatten(inputs):
            if isinstance(tensor, KerasTensor) and tensor.call is None:
                tensor.call = Call(nn.Identity(), (), {}, tensor.name, is_input=True)
                tensor.call.outputs = tensor
        self._recording = graph.trace(inputs, outputs, f"Function '{self.name}'")
        modules = [m for m in self._recording.modules if not _is_input(m, self._recording)]
        names = [getattr(m, "name", None) or naming.to_snake_case(type(m).__name__) for m in modules]
        keys = graph.module_keys(modules, names, torch.fx.GraphModule)
        self._graph_module, _ = graph.lower(self._recording, keys, "Function")

    @property
    def inputs(self):
        """The symbolic inputs, flat."""
        return nested.flatten(self._recording.inputs)

    @property
    def outputs(self):
        """The symbolic outputs, flat."""
        return nested.flatten(self._recording.outputs)

    @property
    def layers(self):
        """The layers inside, in order."""
        return list(self._recording.modules)

    @property
    def operations(self):
        """The layers, operations and calls of functions inside, in order."""
        return list(self._recording.operations)

    def call(self, inputs):
        """Compute the outputs.

        Raises:
            ValueError: inputs of another structure or shape.
        """
        self._check(inputs)
        return self._graph_module(*nested.flatten(inputs))

    def compute_output_spec(self, inputs):
        """Return symbolic outputs for symbolic inputs, without recording a call."""
        self._check(inputs)
        return super().compute_output_spec(inputs)

    def compute_output_shape(self, input_shape):
        """Return the outputs' shapes for nested shapes of the inputs: tuples with `None`."""
        shapes = iter(_shapes(input_shape))
        inputs = nested.map_structure(lambda t: KerasTensor(next(shapes), t.dtype), self._recording.inputs)
        return nested.map_structure(lambda t: t.shape, self.compute_output_spec(inputs))

    def _check(self, inputs):
        wanted = self._recording.inputs
        if not nested.same_structure(wanted, inputs):
            raise ValueError(
                f"Function '{self.name}' was called with an invalid input structure: expected that of "
                f"{wanted}, got {inputs}."
            )
        for tensor, symbol in zip(nested.flatten(inputs), nested.flatten(wanted), strict=True):
            shape = tuple(tensor.shape)
            fits = len(shape) == symbol.ndim and all(
                None in (size, known) or size == known
                for size, known in zip(shape, symbol.shape, strict=True)
            )
            if not fits:
                raise ValueError(
                    f"Function '{self.name}' was called with incompatible inputs: expected a tensor of shape "
                    f"{symbol.shape} for '{symbol.name}', got shape {shape}."
                )


def _is_input(module, recording):
    return any(t.call.is_input and t.call.target is module for t in nested.flatten(recording.inputs))


def _shapes(structure):
    """Return a structure of shapes as a flat list."""
    if isinstance(structure, dict):
        return [shape for key in sorted(structure) for shape in _shapes(structure[key])]
    if all(size is None or isinstance(size, int) for size in structure):
        return [tuple(structure)]
    return [shape for part in structure for shape in _shapes(part)]
