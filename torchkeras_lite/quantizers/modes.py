"""Which modes there are, and which settings belong to them."""

from torchkeras_lite.engine.quantized_policy import MODES
from torchkeras_lite.quantizers.configs import (
    CALIBRATED_MODES,
    Float8QuantizationConfig,
    Int4QuantizationConfig,
    Int8QuantizationConfig,
    QuantizationConfig,
)

_DEFAULTS = {
    "int8": Int8QuantizationConfig,
    "int4": Int4QuantizationConfig,
    "float8": Float8QuantizationConfig,
}


def resolve_config(mode, config):
    """Return the settings for a mode, settings, or both.

    Raises:
        ValueError: neither, an unknown mode, two that contradict one another; GPTQ or AWQ without settings.
    """
    if isinstance(config, str):
        mode, config = config, None
    if mode is not None and mode not in MODES:
        raise ValueError(f"Invalid quantization mode. Expected one of {MODES}. Received: mode={mode}")
    if config is None and mode is None:
        raise ValueError("You must provide either `mode` or `config` to `quantize`.")
    if config is not None and not isinstance(config, QuantizationConfig):
        raise ValueError(
            "Argument `config` must be an instance of `QuantizationConfig`. Received: "
            f"config={config} (of type {type(config).__name__})"
        )
    if config is not None and mode is not None and config.mode != mode:
        raise ValueError(f"Contradictory arguments: mode='{mode}' but config.mode='{config.mode}'")
    if config is None and mode in CALIBRATED_MODES:
        article, kind = ("a", "GPTQ") if mode == "gptq" else ("an", "AWQ")
        raise ValueError(
            f"For {kind}, you must pass {article} `{kind}Config` object in the `config` argument."
        )
    return config if config is not None else _DEFAULTS[mode]()
