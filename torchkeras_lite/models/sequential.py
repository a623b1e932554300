"""`Sequential`: layers one after the other."""

import warnings

import torch
from torch import nn

from torchkeras_lite.base import naming, text
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.serialization import deserialize_keras_object, outermost, serialize_keras_object
from torchkeras_lite.engine import graph
from torchkeras_lite.engine.keras_tensor import KerasTensor, record_module
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.layers.input_layer import InputLayer
from torchkeras_lite.models import graph_model
from torchkeras_lite.models.model import Model
from torchkeras_lite.saving.legacy_config import modern_config


class Sequential(Model):
    """A stack of layers, each fed with the output of the one before.

    Args:
        layers: Layers, models and plain torch modules; the first may be an `Input`. More come by `add`.
        trainable: Whether gradients train the weights.
        name: Name, an automatic one when not given.

    Without an `Input` (or `input_shape=` on the first layer) the model is built by its first data. Built, it
    is a graph as every model from symbolic tensors is.

    Raises:
        ValueError: something that is no layer, two layers of one name, an `Input` that is not first.

    Source: Keras 3 `keras.Sequential`.
    """

    rebuilds = True
    follows_graph = True
    keeps_arguments = False

    def __init__(self, layers=None, trainable=True, name=None):
        super().__init__(trainable=trainable, name=name)
        self.__dict__.update(_stack=[], _input_layer=None)
        for layer in layers or ():
            self.add(layer, rebuild=False)
        self._rebuild()

    def add(self, layer, rebuild=True):
        """Append a layer, a model, a plain torch module, or (first) an `Input`."""
        if isinstance(layer, KerasTensor) and layer.call is not None and layer.call.is_input:
            layer = layer.call.target
        if not isinstance(layer, nn.Module):
            raise ValueError(
                "Only instances of `keras.Layer` (or torch modules) can be added to a Sequential model. "
                "Received: "
                f"{layer!r} (of type {type(layer)})"
            )
        if isinstance(layer, InputLayer):
            if self._stack or self._input_layer is not None:
                raise ValueError(
                    f"Sequential model '{self.name}' has already been configured to use input shape "
                    f"{self._known_input() or 'of its first layer'}. An `Input` must come first, and only "
                    "once."
                )
            self.__dict__["_input_layer"] = layer
            return
        if not self._stack and self._input_layer is None:
            self._take_input_of(layer)
        known = [one.name for one in self._stack if isinstance(one, Layer)]
        if isinstance(layer, Layer) and layer.name in known:
            raise ValueError(
                f"All layers added to a Sequential model should have unique names. Name '{layer.name}' is "
                "already the name of a "
                "layer in this model. Update the `name` argument to pass a unique name."
            )
        self._stack.append(layer)
        self._register_stack()
        if rebuild:
            self._rebuild()

    def pop(self, rebuild=True):
        """Remove the last layer and return it."""
        if not self._stack:
            raise ValueError(f"{describe(self)} has no layers to pop.")
        layer = self._stack.pop()
        self._register_stack()
        if rebuild:
            self._rebuild()
        return layer

    def _take_input_of(self, layer):
        """Read `input_shape=`, `input_dim=` or `batch_input_shape=` of the first layer."""
        given = getattr(layer, "_shape_arguments", None) or {}
        shape = given.get("input_shape")
        if shape is None and given.get("input_dim") is not None:
            length = given.get("input_length")
            shape = (given["input_dim"],) if "input_length" not in given else (length, given["input_dim"])
        if given.get("batch_input_shape") is not None:
            batch_shape = tuple(given["batch_input_shape"])
        elif shape is not None:
            batch_shape = (given.get("batch_size"), *shape)
        else:
            return
        warnings.warn(
            "Do not pass an `input_shape`/`input_dim` argument to a layer. When using Sequential models, "
            "prefer using an "
            "`Input(shape)` object as the first layer in the model instead.",
            stacklevel=4,
        )
        self.__dict__["_input_layer"] = InputLayer(batch_shape=batch_shape, dtype=given.get("input_dtype"))

    def _register_stack(self):
        """Show the layers as the model's modules before the model is a graph."""
        for key in self._keys.values():
            self._modules.pop(key, None)
        names = graph_model.state_names(self._stack)
        keys = graph.module_keys(self._stack, names, type(self), graph_model.RESERVED)
        self.__dict__.update(_keys=keys, _recording=None, built=False, input_spec=None, _takes_one=False)
        for module in self._stack:
            self._modules[keys[id(module)]] = module
        self._choose_path()

    def _known_input(self):
        """Return the input's shape with the batch, or `None`."""
        if self._input_layer is not None:
            return self._input_layer.batch_shape
        first = self._stack[0] if self._stack else None
        if (
            isinstance(first, Layer)
            and first.built
            and (not isinstance(first, Model) or first._recording is not None)
        ):
            shape = getattr(first, "input_shape", None)
            return shape if _is_one_shape(shape) else None
        return None

    def _rebuild(self):
        shape = self._known_input()
        if shape is not None and self._stack:
            self.build(shape)

    def build(self, input_shape=None):
        """Make the graph and the weights for inputs of `input_shape`, batch included."""
        if not self._stack:
            raise ValueError(
                f"Sequential model {self.name} cannot be built because it has no layers. Call "
                "`model.add(layer)`."
            )
        known = self.input_shape if self._recording is not None else self._known_input()
        if known is not None and input_shape is not None and tuple(input_shape)[1:] != tuple(known)[1:]:
            raise ValueError(
                f"Sequential model '{self.name}' has already been configured to use input shape {known}. "
                f"You cannot build it with input_shape {tuple(input_shape)}. Make a new model for that shape."
            )
        if self._input_layer is None:
            dtype = self.__dict__.pop("_first_dtype", None)
            layer = InputLayer(batch_shape=graph_model.as_batch(tuple(input_shape)), dtype=dtype)
            layer.__dict__["fixes_dtype"] = False
        else:
            layer = self._input_layer
        x = inputs = layer.tensor
        names = graph_model.unique_module_names(self._stack)
        try:
            for module, name in zip(self._stack, names, strict=True):
                x = module(x) if isinstance(module, Layer) else record_module(module, (x,), {}, name)
        except NotImplementedError:  # a layer that tells no shapes: the layers are called one after the other
            self.built = True
            return
        # Built by its first data, it fixes no more than the layers themselves do.
        self.__dict__["fixes_shapes"] = self._input_layer is not None
        graph_model.install(self, inputs, x)
        naming.unique_name("functional")  # Keras makes a Functional here, which counts in later names

    def _build_for(self, args, kwargs):
        if self._recording is None:
            inputs = args[0] if args else next(iter(kwargs.values()))
            if isinstance(inputs, (list, tuple, dict)):  # no graph is made for several inputs
                self.built = True
                return
            if isinstance(inputs, torch.Tensor):
                self.__dict__["_first_dtype"] = str(inputs.dtype).removeprefix("torch.")
            elif isinstance(inputs, KerasTensor):
                self.__dict__["_first_dtype"] = inputs.dtype
            elif text.is_text(inputs):
                self.__dict__["_first_dtype"] = "string"
            Layer._build_for(self, args, kwargs)

    def call(self, inputs, training=None, mask=None):
        """Compute the layers one after the other."""
        if self._recording is not None:
            return graph_model.run(self, inputs)
        for module in self._stack:
            inputs = module(inputs)
        return inputs

    @property
    def inputs(self):
        """The symbolic inputs as a flat list, once built."""
        self._need_graph("inputs")
        return super().inputs

    @property
    def outputs(self):
        """The symbolic outputs as a flat list, once built."""
        self._need_graph("outputs")
        return super().outputs

    @property
    def layers(self):
        """The layers, without the `Input`."""
        return list(self._stack)

    @layers.setter
    def layers(self, value):
        raise AttributeError(
            "`Sequential.layers` attribute is reserved. Use `add()` and `pop()` to change the layers."
        )

    def get_config(self):
        """Return the name and the configs of the layers, the `Input` first."""
        layers = [self._input_layer, *self._stack] if self._input_layer is not None else self._stack
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": serialize_keras_object(self.dtype_policy),
            "layers": [serialize_keras_object(layer) for layer in layers],
        }
        if self._recording is not None:
            config["build_input_shape"] = self.input_shape
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the model that `get_config` described, here or in Keras 2, built if it was."""
        if _is_of_keras_2(config):
            config = modern_config({"class_name": "Sequential", "config": config})["config"]
        if "name" not in config or "layers" not in config:
            raise ValueError(
                "A Sequential model configuration must be a dictionary containing the 'name' and "
                "'layers' keys, "
                f"got the keys {list(config)}."
            )
        for layer in config["layers"]:
            if not isinstance(layer, dict) or "config" not in layer:
                raise ValueError(
                    f"Expected a dictionary containing a 'config' key. Received for a layer: {layer!r}."
                )
        with outermost(config, custom_objects):
            layers = [deserialize_keras_object(layer, custom_objects) for layer in config["layers"]]
        model = cls(layers, name=config.get("name"), trainable=config.get("trainable", True))
        if model._recording is None and config.get("build_input_shape"):
            model.build(tuple(config["build_input_shape"]))
        return model


def _is_one_shape(shape):
    return isinstance(shape, (list, tuple)) and all(isinstance(size, (int, type(None))) for size in shape)


def _is_of_keras_2(config):
    """Whether a config is a list of layers, or has the shape of the input as Keras 2 called it."""
    if isinstance(config, list):
        return True
    layers = config.get("layers") if isinstance(config, dict) else None
    inner = [layer.get("config") for layer in layers or () if isinstance(layer, dict)]
    return any(isinstance(settings, dict) and "batch_input_shape" in settings for settings in inner)
