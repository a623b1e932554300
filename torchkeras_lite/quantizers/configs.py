"""What `quantize` is to do: one class a mode."""

from torchkeras_lite.base import serialization
from torchkeras_lite.quantizers.integers import AbsMaxQuantizer

_DEFAULT = "default"
CALIBRATED_MODES = ("gptq", "awq")


class QuantizationConfig:
    """Base of the settings of `quantize`.

    Args:
        weight_quantizer: Quantizer of the weights; `None`: the mode's own.
        activation_quantizer: Quantizer of the inputs; `None`: they stay floats.

    Source: Keras 3 `keras.quantizers.QuantizationConfig`.
    """

    def __init__(self, weight_quantizer=None, activation_quantizer=None):
        self.weight_quantizer = weight_quantizer
        self.activation_quantizer = activation_quantizer

    @property
    def mode(self):
        """Name of the mode; subclasses define it."""
        raise NotImplementedError(
            "Subclasses must implement this property. Do not instantiate QuantizationConfig directly."
        )

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            "weight_quantizer": serialization.serialize_keras_object(self.weight_quantizer),
            "activation_quantizer": serialization.serialize_keras_object(self.activation_quantizer),
        }

    @classmethod
    def from_config(cls, config):
        """Return the settings that `get_config` described."""
        return cls(**{key: serialization.deserialize_keras_object(value) for key, value in config.items()})


class Int8QuantizationConfig(QuantizationConfig):
    """Weights, and inputs, as integers of eight bits.

    Args:
        weight_quantizer: Quantizer with int8 results.
        activation_quantizer: Quantizer of the inputs; `None`: only the weights are quantized.

    Raises:
        ValueError: a quantizer with results of another dtype.

    Source: Keras 3 `keras.quantizers.Int8QuantizationConfig`.
    """

    mode = "int8"

    def __init__(self, weight_quantizer=None, activation_quantizer="default"):
        if activation_quantizer == _DEFAULT:
            activation_quantizer = AbsMaxQuantizer()
        super().__init__(weight_quantizer, activation_quantizer)
        _check_output(self)


class Int4QuantizationConfig(QuantizationConfig):
    """Weights as integers of four bits, two in a byte.

    Args:
        weight_quantizer: Quantizer with int8 results from -8 to 7; only without blocks.
        activation_quantizer: Quantizer of the inputs; they stay floats by default.
        block_size: Inputs that share a scale and a zero point; `None` or -1: one scale an output.

    Raises:
        ValueError: a size below 1, a quantizer together with blocks or with other values.

    Source: Keras 3 `keras.quantizers.Int4QuantizationConfig`.
    """

    mode = "int4"

    def __init__(self, weight_quantizer=None, activation_quantizer="default", block_size=128):
        if activation_quantizer == _DEFAULT:
            activation_quantizer = None
        super().__init__(weight_quantizer, activation_quantizer)
        if block_size is not None and block_size != -1 and block_size <= 0:
            raise ValueError(
                f"block_size must be None, -1, or a positive integer, got block_size={block_size}."
            )
        blocks = block_size is not None and block_size > 0
        if blocks and (weight_quantizer is not None or activation_quantizer is not None):
            raise ValueError(
                "Int4 sub-channel quantization (block_size > 0) does not support custom quantizers, got "
                f"block_size={block_size}. Set block_size to None or -1, or remove the quantizers."
            )
        if weight_quantizer is not None and tuple(weight_quantizer.value_range) != (-8, 7):
            raise ValueError(
                "Int4QuantizationConfig requires a weight_quantizer with value_range=(-8, 7), got "
                f"value_range={weight_quantizer.value_range}."
            )
        _check_output(self)
        self.block_size = block_size

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "block_size": self.block_size}

    @classmethod
    def from_config(cls, config):
        """Return the settings that `get_config` described; older files, without a block size, have none."""
        return super().from_config({"block_size": None, **config})


class Float8QuantizationConfig(QuantizationConfig):
    """Training with matrix products in floats of eight bits.

    Source: Keras 3 `keras.quantizers.Float8QuantizationConfig`.
    """

    mode = "float8"

    def __init__(self):
        super().__init__()

    def get_config(self):
        """Return no arguments."""
        return {}


class CalibratedConfig(QuantizationConfig):
    """What the settings of GPTQ and AWQ share: data to calibrate by, and the blocks of the model."""

    def _keep(self, **settings):
        for name in ("num_samples", "sequence_length", "num_grid_points"):
            if settings.get(name, 1) <= 0:
                raise ValueError(f"{name} must be a positive integer, got {name}={settings[name]}.")
        group_size = settings["group_size"]
        if group_size < -1 or group_size == 0:
            raise ValueError(
                "Invalid group_size. Supported values are -1 (no groups) or a positive integer, but got "
                f"{group_size}."
            )
        self._settings = tuple(settings)
        for name, value in settings.items():
            setattr(self, name, value)

    def dtype_policy_string(self):
        """Return mode, bits and group size as policies are named: `"gptq/4/128"`."""
        return f"{self.mode}/{self.weight_bits}/{self.group_size}"

    def get_config(self):
        """Return the constructor's arguments, without the data and the layers, which no file could hold."""
        nothing = dict.fromkeys(("dataset", "tokenizer", "quantization_layer_structure"))
        return {**nothing, **{name: getattr(self, name) for name in self._settings if name not in nothing}}

    @classmethod
    def from_config(cls, config):
        """Return the settings that `get_config` described."""
        return cls(**config)

    def without_data(self):
        """Return the same settings without the data and the layers."""
        return self.from_config(self.get_config())


class GPTQConfig(CalibratedConfig):
    """Settings of GPTQ, which rounds weights one after the other and makes up for the error in the rest.

    Args:
        dataset: Texts, or arrays of token numbers, to calibrate by.
        tokenizer: What turns texts into token numbers, by a method `tokenize` or by being called.
        weight_bits: 2, 3, 4 or 8.
        num_samples: Number of windows of tokens that are cut from all texts.
        per_channel: Whether each output has a scale of its own.
        sequence_length: Tokens of a window.
        hessian_damping: Share of the mean that is added to the Hessian's diagonal, from 0 to 1. More of it
            corrects errors less.
        group_size: Inputs that share a scale; -1: all.
        symmetric: Whether the zero point is fixed.
        activation_order: Whether weights of large inputs are rounded first.
        quantization_layer_structure: Dict: `"pre_block_layers"`, a list of the layers that turn tokens into
            the inputs of the first block, and `"sequential_blocks"`, a list of the blocks, each of which
            takes what the one before returns. `None`: `model.get_quantization_layer_structure(mode)` tells.

    Raises:
        ValueError: a value out of its range.

    Source: Keras 3 `keras.quantizers.GPTQConfig`; Frantar et al. 2022, arXiv:2210.17323.
    """

    mode = "gptq"

    def __init__(
        self,
        dataset,
        tokenizer,
        *,
        weight_bits: int = 4,
        num_samples: int = 128,
        per_channel: bool = True,
        sequence_length: int = 512,
        hessian_damping: float = 0.01,
        group_size: int = 128,
        symmetric: bool = False,
        activation_order: bool = False,
        quantization_layer_structure: dict | None = None,
    ):
        super().__init__()
        if weight_bits not in (2, 3, 4, 8):
            raise ValueError(f"Unsupported weight_bits {weight_bits}. Supported values are 2, 3, 4, and 8.")
        if not 0 <= hessian_damping <= 1:
            raise ValueError(f"hessian_damping must be between 0 and 1, got {hessian_damping}.")
        self.dataset, self.tokenizer = dataset, tokenizer
        self._keep(
            weight_bits=weight_bits,
            num_samples=num_samples,
            per_channel=per_channel,
            sequence_length=sequence_length,
            hessian_damping=hessian_damping,
            group_size=group_size,
            symmetric=symmetric,
            activation_order=activation_order,
            quantization_layer_structure=quantization_layer_structure,
        )


class AWQConfig(CalibratedConfig):
    """Settings of AWQ, which scales weights up where inputs are large before it rounds them.

    Args:
        dataset, tokenizer, num_samples, sequence_length, group_size, quantization_layer_structure: See
            `GPTQConfig`.
        weight_bits: 4.
        num_grid_points: Number of exponents from 1/num_grid_points to 1 that are tried, beside 0.

    Raises:
        ValueError: a value out of its range.

    Source: Keras 3 `keras.quantizers.AWQConfig`; Lin et al. 2023, arXiv:2306.00978.
    """

    mode = "awq"

    def __init__(
        self,
        dataset,
        tokenizer,
        *,
        weight_bits: int = 4,
        num_samples: int = 128,
        sequence_length: int = 512,
        group_size: int = 128,
        num_grid_points: int = 20,
        quantization_layer_structure: dict | None = None,
    ):
        super().__init__()
        if weight_bits != 4:
            raise ValueError(f"AWQ only supports 4-bit quantization. Received weight_bits={weight_bits}.")
        self.dataset, self.tokenizer = dataset, tokenizer
        self._keep(
            weight_bits=weight_bits,
            num_samples=num_samples,
            sequence_length=sequence_length,
            group_size=group_size,
            num_grid_points=num_grid_points,
            quantization_layer_structure=quantization_layer_structure,
        )


def _check_output(config):
    quantizer = config.weight_quantizer
    if quantizer is not None and quantizer.output_dtype != "int8":
        raise ValueError(
            f"{type(config).__name__} requires a weight_quantizer with output_dtype='int8', got "
            f"output_dtype={quantizer.output_dtype}."
        )
