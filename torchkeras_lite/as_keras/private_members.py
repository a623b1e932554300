"""Functions and classes of Keras's sources that packages import: what has their meaning here, by name."""

import functools
import os
import sys

from torchkeras_lite.as_keras.private_files import H5IOStore
from torchkeras_lite.base import dtypes, keras_home, naming
from torchkeras_lite.base.device import default_device
from torchkeras_lite.base.safe_mode import in_safe_mode
from torchkeras_lite.engine import masking, stateless, tracking
from torchkeras_lite.engine.custom_operation import Operation
from torchkeras_lite.engine.keras_tensor import any_symbolic
from torchkeras_lite.engine.variable import Variable
from torchkeras_lite.layers import Layer, adaptive_pooling, global_pooling, pooling
from torchkeras_lite.layers.convolution import Convolution
from torchkeras_lite.layers.convolution_transpose import ConvolutionTranspose
from torchkeras_lite.layers.depthwise_convolution import DepthwiseConvolution
from torchkeras_lite.layers.preprocessing import PreprocessingLayer
from torchkeras_lite.layers.separable_convolution import SeparableConvolution
from torchkeras_lite.optimizers import Optimizer
from torchkeras_lite.training.batches import weights_of_classes
from torchkeras_lite.training.trainer import Trainer


class keras_export:
    """Decorator that notes under which name a function or class is public; nothing is registered.

    Args:
        path: The name, `"keras.layers.Dense"`, or a list of names.
    """

    def __init__(self, path):
        self.path = path

    def __call__(self, symbol):
        """Return `symbol`, which keeps the name as `_api_export_path`."""
        symbol._api_export_path = self.path
        symbol._api_export_symbol_id = id(symbol)
        return symbol


class _AnyFunction(Operation):
    def __init__(self, function):
        super().__init__(name="function")
        self.call = function


def compute_output_spec(fn, *args, **kwargs):
    """Return what `fn` makes of symbolic tensors, without a record of the call."""
    return _AnyFunction(fn).compute_output_spec(*args, **kwargs)


def any_symbolic_tensors(args=None, kwargs=None):
    """Whether a symbolic tensor is among the arguments of a call."""
    return any_symbolic((args or (), kwargs or {}))


def no_automatic_dependency_tracking(method):
    """Decorate a method of a layer: layers that it keeps in attributes are no part of the layer."""

    @functools.wraps(method)
    def called(layer, *args, **kwargs):
        if not isinstance(layer, Layer):
            return method(layer, *args, **kwargs)
        modules, containers = dict(layer._modules), set(layer._containers)
        try:
            return method(layer, *args, **kwargs)
        finally:
            for name in set(layer._containers) - containers:
                tracking.forget_members(layer, name)
            for name in [name for name, module in layer._modules.items() if modules.get(name) is not module]:
                layer.__dict__[name] = layer._modules.pop(name)

    return called


def auto_name(prefix):
    """Return a fresh automatic name."""
    return naming.unique_name(naming.to_snake_case(prefix))


def get_device():
    """Return the name of the device on which new tensors are made."""
    return str(default_device())


_GRAIN = tuple(os.path.join("grain", "_src", "python", name) for name in ("dataset", "data_loader"))


def in_grain_data_pipeline():
    """Whether a data pipeline of the package `grain` is calling."""
    frame = sys._getframe(1) if "grain" in sys.modules else None
    while frame is not None:
        if any(place in frame.f_code.co_filename for place in _GRAIN):
            return True
        frame = frame.f_back
    return False


MEMBERS = {
    "BaseAdaptiveAveragePooling": adaptive_pooling.AdaptiveAveragePooling,
    "BaseAdaptiveMaxPooling": adaptive_pooling.AdaptiveMaxPooling,
    "BaseAdaptivePooling": adaptive_pooling.AdaptivePooling,
    "BaseConv": Convolution,
    "BaseConvTranspose": ConvolutionTranspose,
    "BaseDepthwiseConv": DepthwiseConvolution,
    "BaseGlobalPooling": global_pooling.GlobalPooling,
    "BaseOptimizer": Optimizer,
    "BasePooling": pooling.Pooling,
    "BaseSeparableConv": SeparableConvolution,
    "DataLayer": PreprocessingLayer,
    "H5IOStore": H5IOStore,
    "KerasVariable": Variable,
    "TFDataLayer": PreprocessingLayer,
    "Trainer": Trainer,
    "any_symbolic_tensors": any_symbolic_tensors,
    "auto_name": auto_name,
    "class_weight_to_sample_weights": weights_of_classes,
    "compute_output_spec": compute_output_spec,
    "get_device": get_device,
    "get_keras_mask": masking.get_mask,
    "get_stateless_scope": stateless.get_stateless_scope,
    "in_grain_data_pipeline": in_grain_data_pipeline,
    "in_safe_mode": in_safe_mode,
    "in_stateless_scope": stateless.in_stateless_scope,
    "keras_export": keras_export,
    "keras_home": keras_home.keras_home,
    "no_automatic_dependency_tracking": no_automatic_dependency_tracking,
    "set_keras_mask": masking.attach_mask,
    "to_snake_case": naming.to_snake_case,
    "to_torch_dtype": dtypes.torch_dtype,
}
