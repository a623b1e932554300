"""The TensorFlow that surrounds Keras in scripts, on torch: `import torchkeras_lite.tf as tf`.

Values are torch tensors that also answer as TensorFlow's do (`tensor.Tensor`); text is `text.StringTensor`.
Each function is a short call of `torchkeras_lite.ops` or torch: what is a torch tensor stays of its kind, and
what is none becomes a `Tensor`. Once this is imported, layers called on NumPy arrays return `Tensor`s too.
`tf.keras` is `torchkeras_lite`. A name that is not here raises an error that tells what to use.
"""

import torchkeras_lite as keras
from torchkeras_lite import initializers, losses, metrics, optimizers
from torchkeras_lite.base import arrays
from torchkeras_lite.tf import (
    arranging,
    autodiff,
    autograph,
    config,
    control,
    creation,
    data,
    debugging,
    distribute,
    dtypes,
    elementwise,
    errors,
    function,
    image,
    indexing,
    io,
    linalg,
    math,
    nest,
    nn,
    ragged,
    random,
    reductions,
    running,
    signal,
    strings,
    summary,
    test,
    train,
    version,
)
from torchkeras_lite.tf.arranging import *  # noqa: F403
from torchkeras_lite.tf.config import device
from torchkeras_lite.tf.control import *  # noqa: F403
from torchkeras_lite.tf.conversion import constant, convert_to_tensor, is_tensor
from torchkeras_lite.tf.creation import *  # noqa: F403
from torchkeras_lite.tf.debugging import Assert, assert_equal, assert_greater, assert_less, assert_rank
from torchkeras_lite.tf.dtypes import *  # noqa: F403
from torchkeras_lite.tf.elementwise import (
    add_n,
    bitcast,
    cast,
    clip_by_global_norm,
    clip_by_norm,
    clip_by_value,
    complex,
    saturate_cast,
)
from torchkeras_lite.tf.indexing import *  # noqa: F403
from torchkeras_lite.tf.linalg import einsum, matmul, norm, tensordot
from torchkeras_lite.tf.ragged import RaggedTensor
from torchkeras_lite.tf.reductions import *  # noqa: F403
from torchkeras_lite.tf.running import *  # noqa: F403
from torchkeras_lite.tf.shapes import TensorShape, TensorSpec
from torchkeras_lite.tf.tape import GradientTape, UnconnectedGradients
from torchkeras_lite.tf.tensor import Tensor
from torchkeras_lite.tf.unknown import missing
from torchkeras_lite.tf.variables import Module, Variable, name_scope

_FUNCTIONS = function.__all__  # of the file; its `function` takes the name
from torchkeras_lite.tf.function import *  # type: ignore[no-redef]  # noqa: E402, F403

newaxis = None
__version__ = version.VERSION

constant_initializer = initializers.Constant
ones_initializer = initializers.Ones
random_normal_initializer = initializers.RandomNormal
random_uniform_initializer = initializers.RandomUniform
zeros_initializer = initializers.Zeros

# TensorFlow has these both here and in `tf.math`.
_ELEMENTWISE = [
    "abs",
    "acos",
    "acosh",
    "add",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cos",
    "cosh",
    "divide",
    "equal",
    "exp",
    "floor",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "pow",
    "round",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "truediv",
]
globals().update({name: elementwise.FUNCTIONS[name] for name in _ELEMENTWISE})

arrays.return_as(Tensor)

__all__ = [
    "Assert",
    "GradientTape",
    "Module",
    "RaggedTensor",
    "Tensor",
    "TensorShape",
    "TensorSpec",
    "UnconnectedGradients",
    "Variable",
    "add_n",
    "assert_equal",
    "assert_greater",
    "assert_less",
    "assert_rank",
    "autodiff",
    "autograph",
    "bitcast",
    "cast",
    "clip_by_global_norm",
    "clip_by_norm",
    "clip_by_value",
    "complex",
    "config",
    "constant",
    "constant_initializer",
    "convert_to_tensor",
    "data",
    "debugging",
    "device",
    "distribute",
    "dtypes",
    "einsum",
    "errors",
    "image",
    "initializers",
    "io",
    "is_tensor",
    "keras",
    "linalg",
    "losses",
    "math",
    "matmul",
    "metrics",
    "name_scope",
    "nest",
    "newaxis",
    "nn",
    "norm",
    "ones_initializer",
    "optimizers",
    "ragged",
    "random",
    "random_normal_initializer",
    "random_uniform_initializer",
    "saturate_cast",
    "signal",
    "strings",
    "summary",
    "tensordot",
    "test",
    "train",
    "version",
    "zeros_initializer",
    *_ELEMENTWISE,
    *arranging.__all__,
    *control.__all__,
    *creation.__all__,
    *dtypes.NAMES,
    "DType",  # noqa: F405
    "as_dtype",  # noqa: F405
    *_FUNCTIONS,
    *indexing.__all__,
    *reductions.__all__,
    *running.__all__,
]

__getattr__ = missing(
    "tf",
    {
        "IndexedSlices": "tensors: gradients are dense",
        "Session": "a function: operations run at once",
        "SparseTensor": "torch.sparse_coo_tensor",
        "compat": "the names of TensorFlow 2",
        "estimator": "keras.Model",
        "experimental": "torch, or numpy for tf.experimental.numpy",
        "feature_column": "keras.utils.FeatureSpace",
        "gradients": "tf.GradientTape",
        "lite": "model.export(path, format='onnx')",
        "log": "tf.math.log",
        "logging": "Python's logging",
        "lookup": "keras.layers.StringLookup or IntegerLookup",
        "placeholder": "keras.Input, or a function's argument",
        "profiler": "torch.profiler, or keras.callbacks.TensorBoard(profile_batch=...)",
        "quantization": "model.quantize or torchao",
        "raw_ops": "the function of tf or torch that wraps it",
        "saved_model": "model.save('model.keras'), or model.export for serving",
        "sparse": "torch.sparse",
        "tpu": "a GPU",
    },
)
