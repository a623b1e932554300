"""Layers that compute with one matrix or none: Dense, Embedding, Lambda and their like."""

import inspect
import warnings

import torch
from torch import nn

from torchkeras_lite import activations, constraints, initializers, regularizers
from torchkeras_lite.activations.inputs import as_tensor
from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import describe, positive_int
from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.base.safe_mode import in_safe_mode, safe_mode_scope
from torchkeras_lite.base.serialization import deserialize_keras_object, serialize_keras_object
from torchkeras_lite.engine import auto_config, shapes
from torchkeras_lite.engine.direct import has_hooks
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.keras_tensor import KerasTensor, is_symbolic
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.weights import WeightSpec
from torchkeras_lite.layers.calibrated_values import CalibratedValues, Contraction
from torchkeras_lite.layers.quantizable import QuantizableLayer
from torchkeras_lite.layers.quantized_values import (
    PackedMatrix,
    QuantizedLinear,
    QuantizedTable,
    ScaledColumns,
    ScaledRows,
)
from torchkeras_lite.layers.wrapper import TorchModuleWrapper, Wrapper
from torchkeras_lite.quantizers.configs import CALIBRATED_MODES
from torchkeras_lite.quantizers.float8 import float8_linear

__all__ = ["Dense", "Embedding", "Identity", "Lambda", "Masking", "TorchModuleWrapper", "Wrapper"]

__getattr__ = old_members(__name__)


class Dense(QuantizableLayer):
    """Fully connected layer over the last axis: `activation(x @ kernel + bias)`.

    Wraps `torch.nn.Linear` as `self.linear`, made when the first input is seen.

    Args:
        units: Size of the last output axis, an integer > 0.
        activation: Name or callable; `None` keeps the values as they are.
        use_bias: Whether to add a bias vector.
        kernel_initializer, bias_initializer: What the weights are drawn from.
        kernel_regularizer, bias_regularizer: Penalties on the weights, added to the loss.
        activity_regularizer: Penalty on the outputs.
        kernel_constraint, bias_constraint: Projections of the weights after every update.
        lora_rank, lora_alpha: Train a low-rank product beside a frozen kernel; see `enable_lora`.
        quantization_config: Settings that `quantize` uses where it is given none.

    Shapes:
        input `(batch, ..., features)` -> output `(batch, ..., units)`
        kernel `(features, units)`, held transposed in `linear.weight`; bias `(units,)`

    Raises:
        ValueError: `units` is no positive integer; a later input has other `features`.

    Source: Keras 3 `keras.layers.Dense`. Differs from torch: Glorot uniform kernel and zero bias, where
    `nn.Linear` draws both from U(-1/sqrt(features), 1/sqrt(features)).
    """

    keeps_batch = True
    weight_specs = (
        WeightSpec("kernel", at="linear.weight", keras_axes=(1, 0)),
        WeightSpec("bias", at="linear.bias"),
    )
    config_omits_none = ("lora_rank", "lora_alpha")
    casts_integers = True

    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        lora_rank=None,
        lora_alpha=None,
        quantization_config=None,
        **kwargs,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self._take_quantization(quantization_config)
        self._take_low_rank(lora_rank, lora_alpha)
        self.units = positive_int(self, "units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape):
        """Make the linear module for the last size of `input_shape`."""
        features = known_size(self, input_shape, -1)
        self.linear = nn.Linear(features, self.units, bias=self.use_bias)
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})

    def call(self, inputs):
        """Apply the linear map and the activation."""
        outputs = self._modules["linear"](inputs)  # `self.linear` costs a tenth of a small layer's time
        return outputs if self.activation is None else self.activation(outputs)

    def direct_call(self):
        """Return what computes this layer without calling `nn.Linear`, as long as it is just that."""
        linear, modules, attributes = self.linear, self._modules, self.__dict__
        if type(linear) is not nn.Linear or has_hooks(linear) or "activation" not in attributes:
            return self.forward
        weights, function = linear._parameters, nn.functional.linear

        def dense(inputs):
            if modules["linear"] is not linear or type(linear) is not nn.Linear:
                return self.forward(inputs)
            outputs = function(inputs, weights["weight"], weights["bias"])
            activation = attributes["activation"]
            return outputs if activation is None else activation(outputs)

        return dense

    def _compute_in_float8(self):
        self.linear = float8_linear(self.linear)

    def contraction(self):
        """Return how the kernel is summed over the inputs."""
        return Contraction("...a,ab->...b")

    def _quantized(self, values, config):
        if config.mode in CALIBRATED_MODES:
            kernel = CalibratedValues(values, self.contraction(), config)
        elif config.mode == "int8":
            kernel = ScaledColumns(values, config)
        else:
            kernel = PackedMatrix(values, 0, config)
        return QuantizedLinear(kernel, self.linear.bias)


class Embedding(QuantizableLayer):
    """Table of vectors, looked up by integers: `embeddings[inputs]`.

    Wraps `torch.nn.Embedding` as `self.embedding`.

    Args:
        input_dim: Number of rows, the largest id plus 1, an integer > 0.
        output_dim: Size of a row, an integer > 0.
        embeddings_initializer: What the table is drawn from; U(-0.05, 0.05) by default.
        embeddings_regularizer: Penalty on the table, added to the loss.
        embeddings_constraint: Projection of the table after every update.
        mask_zero: Whether id 0 is padding. Then the output carries the mask `inputs != 0`; row 0 is looked
            up and trained like the others.
        weights: Initial table, an array `(input_dim, output_dim)` or a list with it.
        lora_rank, lora_alpha: Train a low-rank product beside frozen embeddings; see `enable_lora`.
        quantization_config: Settings that `quantize` uses where it is given none.

    Shapes:
        input `(batch, ...)` of ids -> output `(batch, ..., output_dim)`
        embeddings `(input_dim, output_dim)`, in `embedding.weight`

    Raises:
        ValueError: `input_dim` or `output_dim` is no positive integer; `weights` has another shape.
        IndexError: an id below 0 or not below `input_dim` (told on the CPU only; other devices report it
            themselves).

    Source: Keras 3 `keras.layers.Embedding`. Differs from torch: rows from U(-0.05, 0.05), where
    `nn.Embedding` draws from N(0, 1); floating-point ids are truncated. Differs from Keras: negative ids do
    not count from the end.
    """

    keeps_batch = True
    config_names_activity_regularizer = True

    weight_specs = (WeightSpec("embeddings", at="embedding.weight"),)
    adapted_weight = "embeddings"
    quantized_module = "embedding"
    config_omits_none = ("weights", "lora_rank", "lora_alpha")

    def __init__(
        self,
        input_dim,
        output_dim,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        embeddings_constraint=None,
        mask_zero=False,
        weights=None,
        lora_rank=None,
        lora_alpha=None,
        quantization_config=None,
        **kwargs,
    ):
        if kwargs.pop("input_length", None) is not None:
            warnings.warn("Argument `input_length` is deprecated. Just remove it.", stacklevel=3)
        super().__init__(**kwargs)
        self._take_quantization(quantization_config)
        self._take_low_rank(lora_rank, lora_alpha)
        self.input_dim = positive_int(self, "input_dim", input_dim)
        self.output_dim = positive_int(self, "output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = bool(mask_zero)
        if self.compute_dtype in ("float16", "bfloat16"):
            self.autocast = False  # ids given as floats keep all their digits
        self._mixed = self.compute_dtype != self.variable_dtype
        self.__dict__["weights"] = None  # for the config, which leaves them out; the attribute is a property
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, (list, tuple)) else [weights])

    def build(self, input_shape=None):
        """Make the table; the shape of the input does not matter."""
        # Not drawn by torch: the initializer draws, and on meta that would load torch's compiler.
        table = torch.empty(self.input_dim, self.output_dim)
        self.embedding = nn.Embedding.from_pretrained(table, freeze=False)

    def call(self, inputs):
        """Look the rows up."""
        if inputs.dtype not in _INDEX_DTYPES:
            inputs = inputs.long()
        try:
            rows = self.embedding(inputs)
        except IndexError:
            raise IndexError(
                f"{describe(self)}: expected ids from 0 to {self.input_dim - 1} (`input_dim` is "
                f"{self.input_dim}), got ids from {inputs.min().item()} to {inputs.max().item()}. Make "
                "`input_dim` the largest id plus 1."
            ) from None
        return rows.to(torch_dtype(self.compute_dtype)) if self._mixed else rows

    def _quantized(self, values, config):
        table = ScaledRows(values, config) if config.mode == "int8" else PackedMatrix(values, 1, config)
        return QuantizedTable(table, values.dtype)

    def compute_mask(self, inputs, previous_mask=None):
        """Return where the ids are not 0, with `mask_zero`."""
        return torch.ne(as_tensor(inputs), 0) if self.mask_zero else None


_INDEX_DTYPES = (torch.int64, torch.int32)


def _written(value):
    """Return an argument of `Lambda` as Keras writes it: the bytecode of a lambda without a `value`
    around.
    """
    written = serialize_keras_object(value)
    if isinstance(written, dict) and written.get("class_name") == "__lambda__":
        return {**written, "config": written["config"]["value"]}
    return written


class Lambda(Layer):
    """Layer around any function of tensors.

    Args:
        function: Called as `function(inputs, **arguments)`, and with `mask` and `training` where it has
            arguments of these names. A torch module is registered, so that its weights train.
        output_shape: Shape of one output without the batch, or a function of the input's shape. Needed only
            where the function can run neither without values nor on zeros: the shape is found by running it.
        mask: Mask of the output, or a function `mask(inputs, mask)` that computes it.
        arguments: Further keyword arguments of `function`, a dict.

    Shapes:
        those of `function`

    Raises:
        TypeError: `function` is not callable.

    Source: Keras 3 `keras.layers.Lambda`. Differs from Keras: `output_shape` is not needed for symbolic
    calls. A function that has a name and is registered with `saving.register_keras_serializable` can be read
    from any file; a Python lambda only with `safe_mode=False`.
    """

    def __init__(self, function, output_shape=None, mask=None, arguments=None, **kwargs):
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(
                f"{describe(self)}: `function` must be callable, got {function!r} of type "
                f"{type(function).__name__}. Pass a function of tensors, such as `torch.abs`."
            )
        self.function = function
        self.arguments = arguments or {}
        self.mask = mask
        self.supports_masking = mask is not None
        self._given_shape = output_shape
        takes = _argument_names(function)
        self._takes_mask = "mask" in takes
        self._takes_training = "training" in takes

    def get_config(self):
        """Return the constructor's arguments; a Python lambda as bytecode, with a warning."""
        config = {**super().get_config(), "function": _written(self.function)}
        if self._given_shape is not None:
            config["output_shape"] = _written(self._given_shape)
        if self.mask is not None:
            config["mask"] = _written(self.mask)
        return {**config, "arguments": serialize_keras_object(self.arguments)}

    @classmethod
    def from_config(cls, config, custom_objects=None, safe_mode=None):
        """Return the layer that `get_config`, or Keras, described.

        Args:
            config: What `get_config` returned.
            custom_objects: Mapping of names to functions of your own.
            safe_mode: `False` lets the bytecode of Python lambdas in the config be run.

        Raises:
            ValueError: bytecode of a lambda.
        """
        scoped = in_safe_mode()
        safe = safe_mode if safe_mode is not None else True if scoped is None else scoped
        with safe_mode_scope(safe):
            old = ("function_type", "output_shape_type", "module", "output_shape_module")
            read = {key: value for key, value in config.items() if key not in old}
            for key in ("function", "output_shape", "mask"):
                value = read.get(key)
                if isinstance(value, (list, tuple)) and value and isinstance(value[0], str):  # of Keras 2
                    value = {"class_name": "__lambda__", "config": {"value": list(value)}}
                elif isinstance(value, str):
                    value = {"module": "builtins", "class_name": "function", "config": value}
                if value is not None:
                    read[key] = deserialize_keras_object(value, custom_objects)
            return cls(**auto_config.read_arguments(read))

    def call(self, inputs, mask=None):
        """Call the function."""
        extra = self.arguments
        if self._takes_mask:
            extra = {**extra, "mask": mask}
        if self._takes_training:
            extra = {**extra, "training": self.training}
        return self.function(inputs, **extra)

    def compute_mask(self, inputs, previous_mask=None):
        """Return the mask given, or what the function given for it computes."""
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def compute_output_spec(self, inputs, mask=None):
        """Return symbolic outputs, found by running the function, else by `output_shape`."""
        try:
            specs = shapes.infer(self, (inputs,), {"mask": mask}, is_symbolic)
        except Exception as error:
            if self._given_shape is None:
                raise ValueError(
                    f"{describe(self)}: could not infer the shape of the output: {error} Pass "
                    "`output_shape`, the shape of one output without the batch, or make it a Layer with "
                    "`compute_output_shape`."
                ) from error
            return KerasTensor(self._shape_from(inputs), self.compute_dtype)
        return nested.map_structure(
            lambda spec: KerasTensor(spec.shape, spec.dtype) if isinstance(spec, shapes.TensorSpec) else spec,
            specs,
        )

    def _shape_from(self, inputs):
        if callable(self._given_shape):
            return tuple(self._given_shape(nested.map_structure(lambda t: t.shape, inputs)))
        return (nested.flatten(inputs)[0].shape[0], *self._given_shape)


def _argument_names(function):
    try:
        return inspect.signature(function).parameters.keys()
    except (TypeError, ValueError):  # torch's builtin functions have no signature
        return ()


class Identity(Layer):
    """Returns its input as it is; nested inputs too.

    Shapes:
        output = input

    Source: Keras 3 `keras.layers.Identity`; torch's `nn.Identity`.
    """

    stateless = True

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        """Return the inputs."""
        return inputs


class Masking(Layer):
    """Marks steps whose values are all `mask_value` as padding, and sets them to 0.

    Args:
        mask_value: The value that fills a padding step.

    Shapes:
        input `(batch, steps, ...features)` -> the same, with a mask `(batch, steps, ...)`

    Source: Keras 3 `keras.layers.Masking`.
    """

    keeps_shape = True
    stateless = True

    def __init__(self, mask_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True

    def call(self, inputs):
        """Set padding steps to 0."""
        kept = torch.any(torch.ne(inputs, self.mask_value), dim=-1, keepdim=True)
        return inputs * kept

    def compute_mask(self, inputs, previous_mask=None):
        """Return which steps hold anything but `mask_value`."""
        return torch.any(torch.ne(as_tensor(inputs), self.mask_value), dim=-1)


def known_size(layer, shape, axis):
    """Return the size of `axis` in `shape`, which must be known to make weights.

    Raises:
        ValueError: it is unknown.
    """
    size = shape[axis]
    if size is None:
        raise ValueError(
            f"{describe(layer)}: the size of axis {axis} of the input must be known to make the weights, "
            f"got an input of shape {tuple(shape)}. Give that size in `Input`."
        )
    return size


def spec_for_axes(axis):
    """Return the spec of inputs that have `axis`, an integer or a list; `None` where nearly all do."""
    least = max(
        (one + 1 if one >= 0 else -one for one in (axis if isinstance(axis, (list, tuple)) else [axis])),
        default=1,
    )
    return InputSpec(min_ndim=least) if least > 1 else None
