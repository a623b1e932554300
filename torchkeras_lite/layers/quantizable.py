"""`QuantizableLayer`: layers whose matrix can become integers of few bits."""

import torch

from torchkeras_lite.base import serialization
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.engine.quantized_policy import Int4DTypePolicy, QuantizedDTypePolicy, policy_of_name
from torchkeras_lite.engine.stored_weights import by_number
from torchkeras_lite.engine.weights import Weight, WeightInfo, WeightSpec, to_numpy
from torchkeras_lite.layers.low_rank import LowRankLayer
from torchkeras_lite.quantizers.configs import (
    CALIBRATED_MODES,
    AWQConfig,
    GPTQConfig,
    Int4QuantizationConfig,
    Int8QuantizationConfig,
)
from torchkeras_lite.quantizers.modes import resolve_config

LOW_RANK_MODES = ("int8", "int4")  # in which a low-rank product may stand beside the matrix


class QuantizableLayer(LowRankLayer):
    """Base of the layers with `quantize` and `quantization_config`.

    A subclass defines `_quantized(values, config)`, which returns a module that computes with quantized
    `values`, and names the attribute that the module becomes in `quantized_module`. Built with a quantized
    dtype policy, such as `"int8_from_float32"`, the layer is quantized from the start, as files need it.
    """

    quantized_at = None
    quantized_module = "linear"
    is_gptq_calibrated = is_awq_calibrated = False

    def _take_quantization(self, quantization_config):
        if isinstance(quantization_config, dict):
            quantization_config = serialization.deserialize_keras_object(quantization_config)
        if quantization_config is not None:
            resolve_config(None, quantization_config)
        self.quantization_config = quantization_config

    def _finish_build(self, args, kwargs, device):
        super()._finish_build(args, kwargs, device)
        if self.quantization_mode is not None and self.quantized_at is None:
            self._quantize(self._config_of_policy())

    def _config_of_policy(self):
        mode, policy = self.quantization_mode, self.dtype_policy
        if mode == "float8":
            raise ValueError(
                f"{describe(self)}: a layer is not built for dtype policy '{policy.name}'. Build it with "
                f"'{policy.name.partition('_from_')[2]}' and call `quantize(\"float8\")`."
            )
        if self.quantization_config is not None:
            return resolve_config(mode, self.quantization_config)
        if mode == "int4":
            size = policy.block_size if isinstance(policy, Int4DTypePolicy) else None
            return Int4QuantizationConfig(block_size=size)
        if mode in CALIBRATED_MODES:
            config = {"gptq": GPTQConfig, "awq": AWQConfig}[mode]
            return config(None, None, weight_bits=policy.weight_bits, group_size=policy.group_size)
        return Int8QuantizationConfig()

    def quantize(self, mode=None, type_check=True, config=None):
        """Make the matrix integers, for good: the layer takes less memory and computes with their precision.

        Args:
            mode: `"int8"` (weights and inputs) or `"int4"` (weights); or, for `Dense`, `"float8"`: the layer
                stays trainable, keeps its weights and its dtype policy, and multiplies in floats of eight
                bits, through torchao; or `"gptq"` or `"awq"`: see below.
            type_check: Whether subclasses, which may compute otherwise, are refused.
            config: A `QuantizationConfig` with more settings; `mode` may then be left out.

        Raises:
            ValueError: not built, quantized already, an unknown or contradictory mode.
            NotImplementedError: a subclass; `"float8"` in another layer than `Dense`; `"gptq"` and `"awq"` in
                another than `Dense` and `EinsumDense`, or with a kernel that is no single matrix; all three
                with LoRA.
            ImportError: `"float8"` without torchao.

        Source: Keras 3 `Dense.quantize`. Differs from Keras: the products of integer modes are computed with
        floats, whose numbers are those of the integers; `torchao` has kernels for the integers themselves.
        In float8, torchao scales by the values at hand and not by those of the last 1024 steps, so files
        hold no scales and read as those of a float layer.

        `"gptq"` and `"awq"` need the inputs that the layer gets, which only `Model.quantize` can find out.
        Here, without any, they round to the nearest integers; Keras's layer keeps its floats and computes
        with them, but its files do not hold them.
        """
        self._check_untouched(mode, type_check)
        config = resolve_config(mode, config or self.quantization_config)
        self.check_quantize(config, type_check)
        if config.mode == "float8":
            self._compute_in_float8()
            return
        if config.mode in CALIBRATED_MODES:
            config = config.without_data()
        self._quantize(config)
        self.quantization_config = config
        source = self.dtype_policy.name
        if config.mode == "int4":
            self.dtype_policy = Int4DTypePolicy(f"int4/{config.block_size or -1}", source)
        elif config.mode in CALIBRATED_MODES:
            self.dtype_policy = policy_of_name(f"{config.dtype_policy_string()}_from_{source}")
        else:
            self.dtype_policy = QuantizedDTypePolicy(config.mode, source)

    def _check_untouched(self, mode, type_check):
        if type_check and type(self).quantize_owner() is not type(self):
            raise NotImplementedError(
                f"Layer {type(self).__name__} does not have a `quantize` method implemented."
            )
        if self.quantized_at is not None:
            raise ValueError(
                f"Layer '{self.name}' is already quantized with dtype_policy='{self.dtype_policy.name}'. "
                f"Received: mode={mode}"
            )

    def check_quantize(self, config, type_check=True):
        """Raise what `quantize` would, and change nothing."""
        self._check_untouched(config.mode, type_check)
        if not self.built:
            raise ValueError(
                f"Cannot quantize a layer that isn't yet built. Layer '{self.name}' (of type "
                f"'{type(self).__name__}') is not built yet."
            )
        if self.lora_enabled and config.mode not in LOW_RANK_MODES:
            raise NotImplementedError(
                f"{describe(self)}: LoRA is in use, and mode '{config.mode}' does not support it. Quantize "
                "to 'int8' or 'int4'; or save the weights, which adds the low-rank product to the kernel, "
                "load them into a layer without LoRA, and quantize that."
            )
        if config.mode in CALIBRATED_MODES:
            self.contraction()

    def contraction(self):
        """Return how the kernel is summed over the inputs, a `Contraction`, for the modes that calibrate.

        Raises:
            NotImplementedError: the layer has no such mode.
        """
        raise NotImplementedError(
            f"{describe(self)}: Invalid quantization mode. Expected one of {LOW_RANK_MODES}, got one that "
            "calibrates, which Dense and EinsumDense have."
        )

    def calibrate(self, calibrator):
        """Quantize as `calibrator`, which has seen the layer's inputs, finds best.

        Raises:
            ValueError, NotImplementedError: see `quantize`.
        """
        weight = next(own for own in self.weights if own.name == self.adapted_weight)
        found = calibrator.integers(self.contraction().matrix(weight.value.detach().float()))
        self.quantize(config=calibrator.config, type_check=False)
        self.get_submodule(self.quantized_at).take(found)
        self._mark_calibrated()

    def _mark_calibrated(self):
        if self.quantization_mode in CALIBRATED_MODES:
            setattr(self, f"is_{self.quantization_mode}_calibrated", True)

    @property
    def quantized_kernel(self):
        """The integers of a layer that was quantized to a mode that calibrates, as they are stored."""
        if self.quantization_mode not in CALIBRATED_MODES:
            raise AttributeError(
                f"{describe(self)} has no `quantized_kernel`: its mode is not 'gptq' or 'awq'."
            )
        return getattr(self, self.adapted_weight)

    def _compute_in_float8(self):
        raise NotImplementedError(
            f"{describe(self)}: mode 'float8' is for Dense, whose `nn.Linear` torchao can take over."
        )

    @classmethod
    def quantize_owner(cls):
        """Return the class that says how its weights are quantized."""
        return next(base for base in cls.__mro__ if "_quantized" in vars(base))

    def _quantize(self, config):
        if config.mode in CALIBRATED_MODES:
            self.contraction()
        weight = next(own for own in self.weights if own.name == self.adapted_weight)
        module = self._quantized(weight.value.detach(), config)
        if self.lora_enabled:
            self._carry_low_rank(self._modules.get(self.quantized_module), module)
        setattr(self, self.quantized_module, module)
        self._put_parts(weight, f"{self.quantized_module}.values")
        self.quantized_at = f"{self.quantized_module}.values"

    def _put_parts(self, weight, path):
        """Make the quantized values at `path` the layer's own weights, in the place of `weight`."""
        for table in (self._declared, self._added, self._parameters, self.__dict__):
            for key in (weight.name, weight.spec.at):
                table.pop(key, None)
        prefix = weight.path.rpartition("/")[0]
        for suffix, key in self.get_submodule(path).parts().items():
            part = part_name(weight.name, suffix)
            info = WeightInfo(part, f"{prefix}/{part}", trainable=False)
            self.declare(Weight(self, WeightSpec(part, f"{path}.{key}"), info))

    @property
    def inputs_quantizer(self):
        """What rounds the inputs; `None`: they stay as they are."""
        at = self.quantized_at
        return None if at is None else self.get_submodule(at).activation_quantizer

    def stored_weights(self):
        """Return the weights that a file has: the quantized ones where Keras has them."""
        stored = super().stored_weights()
        if self.quantized_at is None:
            return stored
        if self.quantization_mode in CALIBRATED_MODES:
            return sorted(stored, key=lambda w: w.name != "bias")
        first = self.adapted_weight
        return sorted(stored, key=lambda w: 0 if w.name == first else 1 if w.name == "bias" else 2)

    def _adapt(self, rank, alpha, a_initializer, b_initializer):
        if self.quantized_at is None:
            super()._adapt(rank, alpha, a_initializer, b_initializer)
            return
        if self.quantization_mode not in LOW_RANK_MODES:
            raise NotImplementedError(
                f"{describe(self)}: lora is not supported with {self.quantization_mode.upper()} "
                "quantization. Enable it on a layer of floats, or on one quantized to 'int8' or 'int4'."
            )
        name = self.adapted_weight
        integers = next(own for own in self.weights if own.name == name)
        spec = next((spec for spec in self.weight_specs if spec.name == name), WeightSpec(name, name))
        shape = self._quantized_floats().shape
        self._add_low_rank(integers, spec, shape, rank, alpha, (a_initializer, b_initializer))

    def _quantized_floats(self):
        return self._modules[self.quantized_module].floats(torch_dtype(self.variable_dtype))

    def save_own_variables(self, store):
        """Write the weights to `store` by their numbers.

        A low-rank product is added to what it adapts, and the sum quantized anew.
        """
        if self.quantized_at is None or not self.lora_enabled:
            super().save_own_variables(store)
            return
        with torch.no_grad():
            merged = self._quantized_floats() + self.low_rank_product()
            values = self._quantized(merged, self._config_of_policy()).values
        name, parts = self.adapted_weight, values.parts().items()
        found = {part_name(name, suffix): to_numpy(getattr(values, key)) for suffix, key in parts}
        for number, weight in enumerate(self.stored_weights()):
            store[str(number)] = found.get(weight.name, weight)

    @by_number
    def load_own_variables(self, store):
        """Read the weights from `store` by their numbers; see `LowRankLayer.load_own_variables`."""
        super().load_own_variables(store)
        self._mark_calibrated()


def part_name(name, suffix):
    """Return what a part of a quantized weight is called: by its suffix alone where it has no underscore."""
    return f"{name}{suffix}" if suffix.startswith("_") or not suffix else suffix
