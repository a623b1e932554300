"""`Operation`: an operation of the user's own, as a class with `call`. And what it shares with `Function`."""

import inspect

import numpy as np
import torch

from torchkeras_lite.base import naming, nested, serialization
from torchkeras_lite.base.device import default_device
from torchkeras_lite.engine import shapes
from torchkeras_lite.engine.auto_config import given_arguments
from torchkeras_lite.engine.keras_tensor import Call, KerasTensor, any_symbolic, is_symbolic, record
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.shapes import TensorSpec


class _AnyOperation(type):
    """Lets `isinstance(layer, Operation)` hold, as in Keras, though layers are torch modules."""

    def __instancecheck__(cls, instance):
        return type.__instancecheck__(cls, instance) or (cls is Operation and isinstance(instance, Layer))


class Operation(metaclass=_AnyOperation):
    """Base of operations without weights: a subclass defines `call`.

    Called on tensors it computes; called on symbolic tensors it is recorded. The shapes of the results are
    those of a trial run of `call`, unless the subclass defines `compute_output_spec`.

    Args:
        name: Name, an automatic one when not given.

    Raises:
        ValueError: a name that is no string or has a `/`.

    Source: Keras 3 `keras.Operation`.
    """

    def __new__(cls, *args, **kwargs):
        """Keep the constructor's arguments for `get_config`."""
        instance = super().__new__(cls)
        instance._arguments = (args, kwargs)
        instance._calls = []
        return instance

    def __init__(self, name=None):
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError(
                f"{type(self).__name__}: `name` must be a string and cannot contain character `/`, got "
                f"name={name!r}."
            )
        self.name = name or naming.auto_name(self)

    @property
    def __name__(self):
        """What generated code calls it."""
        return self.name

    def __call__(self, *args, **kwargs):
        """Compute on tensors and arrays; record a call on symbolic tensors."""
        if any_symbolic((args, kwargs)):
            return self.symbolic_call(*args, **kwargs)
        return self.call(*nested.map_structure(_as_tensor, args), **nested.map_structure(_as_tensor, kwargs))

    def call(self, *args, **kwargs):
        """Compute the results; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} has no `call` method. Define it.")

    def symbolic_call(self, *args, **kwargs):
        """Record a call and return its symbolic results."""
        call = Call(self, args, kwargs, self.name)
        outputs = record(call)
        self._calls.append(call)
        return outputs

    def compute_output_spec(self, *args, **kwargs):
        """Return symbolic results for symbolic arguments, without recording a call."""
        specs = shapes.infer(self.call, args, kwargs, is_symbolic)
        return nested.map_structure(
            lambda spec: KerasTensor(spec.shape, spec.dtype) if isinstance(spec, TensorSpec) else spec, specs
        )

    @property
    def input(self):
        """The symbolic tensors of the first recorded call, alone or as a list."""
        return nested.unpack_single(self._first_call("input").inputs)

    @property
    def output(self):
        """The symbolic results of the first recorded call, alone or as a list."""
        return nested.unpack_single(self._first_call("output").tensors)

    def _first_call(self, what):
        if not self._calls:
            raise ValueError(
                f"{type(self).__name__} '{self.name}' has no `{what}`: it was not called on a symbolic "
                "tensor."
            )
        return self._calls[0]

    @property
    def _inbound_nodes(self):
        return self._calls

    def get_config(self):
        """Return the constructor's arguments by name.

        Raises:
            NotImplementedError: the constructor takes `*args`, or an argument cannot be written.
        """
        parameters = inspect.signature(type(self).__init__).parameters.values()
        takes_any = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
        takes_name = any(p.name == "name" or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
        is_own = type(self).get_config is not Operation.get_config
        config = {} if is_own else given_arguments(self, self._arguments)
        if takes_name:
            config["name"] = self.name
        try:
            if takes_any and not is_own:
                raise TypeError("its constructor takes `*args`")
            return {key: serialization.serialize_keras_object(value) for key, value in config.items()}
        except TypeError as error:
            raise NotImplementedError(
                f"{type(self).__name__} cannot be written to a config: {error}. Override `get_config()`."
            ) from error

    @classmethod
    def from_config(cls, config):
        """Return a new operation from `get_config()`."""
        return cls(**serialization.deserialize_keras_object(config))

    def __repr__(self):
        return f"<Operation name={self.name}>"


def _as_tensor(leaf):
    return torch.as_tensor(leaf, device=default_device()) if isinstance(leaf, np.ndarray) else leaf
