"""torchkeras_lite: the Keras API on native PyTorch.

`import torchkeras_lite as keras`, and a script written for Keras trains PyTorch modules.
"""

import importlib

from torchkeras_lite import (
    activations,
    backend,
    callbacks,
    config,
    constraints,
    distillation,
    distribution,
    dtype_policies,
    export,
    initializers,
    layers,
    losses,
    metrics,
    mixed_precision,
    models,
    ops,
    optimizers,
    quantizers,
    random,
    regularizers,
    saving,
    tree,
    utils,
)
from torchkeras_lite.base.device import device
from torchkeras_lite.base.naming import name_scope
from torchkeras_lite.base.old_modules import know_old_modules
from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.engine.custom_operation import Operation
from torchkeras_lite.engine.function import Function
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.engine.precision import DTypePolicy
from torchkeras_lite.engine.rematerialization import RematScope, remat
from torchkeras_lite.engine.stateless import StatelessScope, SymbolicScope
from torchkeras_lite.engine.variable import Variable
from torchkeras_lite.initializers import Initializer
from torchkeras_lite.layers import Input, Layer
from torchkeras_lite.losses import Loss
from torchkeras_lite.metrics import Metric
from torchkeras_lite.models import Model, Sequential
from torchkeras_lite.optimizers import Optimizer
from torchkeras_lite.quantizers import Quantizer
from torchkeras_lite.regularizers import Regularizer
from torchkeras_lite.saving.places import KERAS_VERSION

FloatDTypePolicy = DTypePolicy

__version__ = "0.1.0"


def version():
    """Return the version of Keras whose API and files are spoken here.

    Source: Keras 3 `keras.version`. Differs from Keras: `__version__` is that of this package.
    """
    return KERAS_VERSION


__all__ = [
    "DTypePolicy",
    "FloatDTypePolicy",
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
    "Quantizer",
    "Regularizer",
    "RematScope",
    "Sequential",
    "StatelessScope",
    "SymbolicScope",
    "Variable",
    "activations",
    "applications",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "device",
    "distillation",
    "distribution",
    "dtype_policies",
    "export",
    "initializers",
    "layers",
    "legacy",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "name_scope",
    "ops",
    "optimizers",
    "preprocessing",
    "quantizers",
    "random",
    "regularizers",
    "remat",
    "saving",
    "tree",
    "utils",
    "version",
    "visualization",
    "wrappers",
]

know_old_modules(__name__)
_old_member = old_members(__name__)
# Rooms that few scripts enter, and whose import takes time: opened when they are first asked for.
_ON_DEMAND = ("applications", "datasets", "legacy", "preprocessing", "visualization", "wrappers")


def __getattr__(name):
    if name in _ON_DEMAND:
        return importlib.import_module(f"{__name__}.{name}")
    return _old_member(name)
