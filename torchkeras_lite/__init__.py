"""torchkeras_lite: the Keras API on native PyTorch.

`import torchkeras_lite as keras`, and a script written for Keras trains PyTorch modules.
"""

from torchkeras_lite import (
    activations,
    backend,
    callbacks,
    config,
    constraints,
    dtype_policies,
    initializers,
    layers,
    losses,
    metrics,
    mixed_precision,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    saving,
    tree,
    utils,
)
from torchkeras_lite.base.device import device
from torchkeras_lite.base.naming import name_scope
from torchkeras_lite.engine.custom_operation import Operation
from torchkeras_lite.engine.function import Function
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.engine.precision import DTypePolicy
from torchkeras_lite.engine.rematerialization import RematScope, remat
from torchkeras_lite.engine.variable import Variable
from torchkeras_lite.initializers import Initializer
from torchkeras_lite.layers import Input, Layer
from torchkeras_lite.losses import Loss
from torchkeras_lite.metrics import Metric
from torchkeras_lite.models import Model, Sequential
from torchkeras_lite.optimizers import Optimizer
from torchkeras_lite.regularizers import Regularizer

__version__ = "0.1.0"

__all__ = [
    "DTypePolicy",
    "Function",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Operation",
    "Optimizer",
    "Regularizer",
    "RematScope",
    "Sequential",
    "Variable",
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "device",
    "dtype_policies",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "name_scope",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "remat",
    "saving",
    "tree",
    "utils",
]
