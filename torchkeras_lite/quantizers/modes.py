"""Which modes there are, and which settings belong to them."""

from torchkeras_lite.engine.quantized_policy import MODES
from torchkeras_lite.quantizers.configs import (
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
_ELSEWHERE = {
    "gptq": "`torchao.quantization.quantize_` and its `prototype.gptq` do it on the torch modules inside",
    "awq": "`torchao.quantization.quantize_(model, AWQConfig(...))` does it on the torch modules inside",
}


def resolve_config(mode, config):
    """Return the settings for a mode, settings, or both.

    Raises:
        ValueError: neither, an unknown mode, or two that contradict one another.
        NotImplementedError: a mode that is torchao's work.
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
    if config is None and mode in ("gptq", "awq"):
        kind = "GPTQ" if mode == "gptq" else "AWQ"
        raise ValueError(f"For {kind}, you must pass a `{kind}Config` object in the `config` argument.")
    mode = config.mode if config is not None else mode
    if mode in _ELSEWHERE:
        raise NotImplementedError(
            f"quantize: mode '{mode}' is not done here: {_ELSEWHERE[mode]} (pip install torchao). Modes "
            f"here: {', '.join(map(repr, _DEFAULTS))}."
        )
    return config if config is not None else _DEFAULTS[mode]()
