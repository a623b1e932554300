"""`ModuleCalls`: how a model that is any torch module is called, and what it takes over from the module."""

import dataclasses
import inspect

import torch
from torch import nn

from torchkeras_lite.base import dtypes, naming, torch_modules
from torchkeras_lite.base.checks import describe, suggestion
from torchkeras_lite.base.registry import CustomObjectScope
from torchkeras_lite.base.serialization import deserialize_keras_object, serialize_keras_object
from torchkeras_lite.engine.layer import Layer

__all__ = ["ModuleCalls"]

_TABLES = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")


class ModuleCalls(Layer):
    """Calls a torch module, and has its parameters, buffers and modules for its own. See `Model.from_module`.

    Args:
        module: The module.
        outputs: Which of the module's outputs are the model's; see `Model.from_module`.
        name: Name; by default that of the module's class.
    """

    keeps_arguments = False

    def __init__(self, module, outputs=None, name=None):
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"Model.from_module: expected a torch.nn.Module, got {module!r} of type "
                f"{type(module).__name__}. Wrap a function in a `Lambda` layer."
            )
        if isinstance(module, Layer):
            raise TypeError(
                f"Model.from_module: {describe(module)} is a Keras layer; from_module is for plain torch "
                "modules. Use it as it is, or put a layer in a `Sequential`."
            )
        if isinstance(module, torch.jit.ScriptModule):
            raise TypeError(
                f"Model.from_module: a module of TorchScript ({module.original_name}) keeps its tensors to "
                "itself. Put it in a model: `Sequential([module])`, or call it on an `Input`."
            )
        if not (outputs is None or callable(outputs) or isinstance(outputs, (str, int))):
            raise TypeError(
                "Model.from_module: `outputs` must be the name of a field, an index or a function, got "
                f"{outputs!r}."
            )
        floats = [p.dtype for p in (*module.parameters(), *module.buffers()) if p.is_floating_point()]
        dtype = dtypes.standardize_dtype(floats[0]) if floats else None
        super().__init__(
            name=name or naming.unique_name(naming.to_snake_case(type(module).__name__)), dtype=dtype
        )
        self.__dict__.update(
            torch_module=module,
            _select=outputs,
            _parameter_names=_names(module),
            training=module.training,
            _mode_was_set=True,
            built=True,
        )
        self.__dict__.update({table: module.__dict__[table] for table in _TABLES})

    def call(self, inputs, training=None):
        """Call the module: with a dict by names, with a list or tuple by position, else with one tensor."""
        if self._build_arguments is None and not torch.compiler.is_compiling():
            self._note_shapes((inputs,), {})
        outputs = self._call_module(inputs)
        if self._select is None:
            return plain_outputs(outputs)
        if callable(self._select):
            return self._select(outputs)
        return plain_outputs(_selected(self, outputs, self._select))

    def _call_module(self, inputs):
        names, takes_any = self._parameter_names
        if isinstance(inputs, dict) and (takes_any or (len(names) > 1 and set(inputs) <= set(names))):
            return self.torch_module(**inputs)
        if isinstance(inputs, (list, tuple)) and (len(names) > 1 or len(inputs) == 1):
            return self.torch_module(*inputs)
        return self.torch_module(inputs)

    def __setattr__(self, name, value):
        """Set an attribute; the mode is the module's too."""
        if name == "training" and "torch_module" in self.__dict__:
            self.torch_module.training = value
        super().__setattr__(name, value)

    def _apply(self, function, recurse=True):
        super()._apply(function, recurse)
        self.torch_module._apply(lambda tensor: tensor)  # recurrent modules look at their weights again
        return self

    def state_dict(self, *args, **kwargs):
        """Return the module's `state_dict`, under its own keys."""
        return self.torch_module.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Load a `state_dict` of the module."""
        return self.torch_module.load_state_dict(state_dict, strict=strict, assign=assign)

    def get_config(self):
        """Return the module, which is one of those of `torch.nn` that a file may name, and the outputs.

        Raises:
            TypeError: another module, with what to do, or a function for `outputs`.
        """
        if callable(self._select):
            raise TypeError(
                f"{describe(self)}: the function given as `outputs` cannot be written to a config. Name a "
                "field or an index, or save the weights, with `model.save_weights(path)`."
            )
        module = torch_modules.module_entry(self.torch_module, serialize_keras_object)
        return {"name": self.name, "module": module, "outputs": self._select}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the model that `get_config` described, with new weights."""
        with CustomObjectScope(custom_objects):
            module = deserialize_keras_object(config["module"])
        return cls(module, config.get("outputs"), config.get("name"))

    def _names_of(self, layers):
        names = {id(module): name for name, module in self._modules.items()}
        return [names[id(layer)] for layer in layers]

    def __repr__(self):
        return repr(self.torch_module)


def _names(module):
    """Return the names of the parameters of a module's `forward`, and whether it takes any by name."""
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return (), False
    named = [
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    several = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return (*named, *(("*", "*") if several else ())), any(p.kind is p.VAR_KEYWORD for p in parameters)


def plain_outputs(outputs):
    """Return dataclasses (those of transformers, too) as dicts of their tensors; the rest as it is."""
    if dataclasses.is_dataclass(outputs) and not isinstance(outputs, type):
        given = {field.name: getattr(outputs, field.name) for field in dataclasses.fields(outputs)}
        return {key: value for key, value in given.items() if isinstance(value, torch.Tensor)}
    return outputs


def _selected(model, outputs, which):
    if isinstance(which, int):
        return outputs[which]
    found = outputs.get(which) if isinstance(outputs, dict) else getattr(outputs, which, None)
    if found is None:
        known = list(outputs) if isinstance(outputs, dict) else list(getattr(outputs, "__dict__", ()))
        raise ValueError(
            f"{describe(model)}: its module has no output '{which}'{suggestion(which, known)} It returned "
            f"{type(outputs).__name__} with {known}."
        )
    return found
