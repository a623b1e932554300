"""Layers around something else: Wrapper around a layer, TorchModuleWrapper around a torch module."""

from torch import nn

from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.stored_weights import check_state_dict, compared_by, read_state_dict


class TorchModuleWrapper(Layer):
    """Makes any `torch.nn.Module` a layer, with a name, weights and a mode.

    A torch module can also stand in a `Sequential` or be called on a symbolic tensor as it is; this is for
    modules that have to be a `Layer`, or cannot be recorded.

    Args:
        module: The module, kept as `self.module`.
        name: Name of the layer.
        output_shape: Accepted as in Keras; the shape is found by running the module.

    Shapes:
        those of `module`

    Raises:
        TypeError: `module` is no `torch.nn.Module`; `get_config` of a module that is none of those of
            `torch.nn` that a file may name, and has no `get_config` itself: others cannot be made again
            without running code from the file.

    Source: Keras 3 `keras.layers.TorchModuleWrapper`. Differs from torch: like every layer it starts in
    inference mode. Differs from Keras, which pickles the module: its class and arguments are written.
    """

    config_omits_none = ("output_shape",)
    stored_modules = ("module",)

    def __init__(self, module, name=None, output_shape=None, **kwargs):
        super().__init__(name=name, **kwargs)
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"{describe(self)}: `module` must be a torch.nn.Module, got {module!r} of type "
                f"{type(module).__name__}. Wrap a plain function in a `Lambda`."
            )
        self.module = module
        module.train(self.training)

    def call(self, *args, **kwargs):
        """Call the module."""
        return self.module(*args, **kwargs)

    def save_own_variables(self, store):
        """Write the module's `state_dict`."""
        for key, tensor in self.module.state_dict().items():
            store[key] = tensor

    @compared_by(lambda layer, shapes: check_state_dict(layer.module, layer.module.state_dict(), shapes))
    def load_own_variables(self, store):
        """Read the module's `state_dict`, all of it or nothing."""
        read_state_dict(self.module, store)


class Wrapper(Layer):
    """Base of layers that hold another layer as `self.layer` and change what it does.

    Args:
        layer: The layer inside.

    Raises:
        ValueError: `layer` is no layer.

    Source: Keras 3 `keras.layers.Wrapper`.
    """

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Layer {layer!r} supplied to {type(self).__name__} isn't a supported layer type. Please "
                "ensure wrapped layer is a valid Keras layer; a plain torch module goes through "
                "`TorchModuleWrapper`."
            )
        self.layer = layer

    def build(self, input_shape=None):
        """Build the layer inside for the same input."""
        if not self.layer.built:
            self.layer.build(input_shape)
