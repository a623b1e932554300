"""GPTQ and AWQ for the blocks of a model: data flow through one block after the other."""

import contextlib
import warnings

import torch

from torchkeras_lite.engine import collecting
from torchkeras_lite.layers.calibrated_values import CALIBRATORS
from torchkeras_lite.layers.quantizable import QuantizableLayer
from torchkeras_lite.quantizers.token_windows import token_windows


def calibrate_blocks(model, config, chosen, type_check=True):
    """Quantize the `Dense` and `EinsumDense` layers in the blocks of `model` by the inputs that they get.

    A block sees what the quantized blocks before it return.

    Args:
        model: A built model.
        config: A `GPTQConfig` or an `AWQConfig`.
        chosen: Function of a layer: whether to quantize it.
        type_check: Whether subclasses, which may compute otherwise, are passed over with a warning.

    Raises:
        ValueError: no data, tokenizer or blocks; a layer that is not built or quantized already; data that
            GPTQ cannot use.
        TypeError: data or structure of another kind.
    """
    before, blocks = _structure(model, config)
    if config.dataset is None or config.tokenizer is None:
        kind = type(config).__name__
        raise ValueError(
            f"{config.mode.upper()} quantization requires a dataset and a tokenizer. Please provide them in "
            f"the `{kind}`."
        )
    chosen_layers = _choose(blocks, config, chosen, type_check)
    windows = token_windows(config.dataset, config.tokenizer, config.num_samples, config.sequence_length)
    device = next(iter(model.parameters()), windows).device
    with torch.no_grad(), _inference(model, *before, *blocks):
        inputs = []
        for window in windows.to(device).split(1):
            for layer in before:
                window = layer(window)
            inputs.append(window)
        for block, layers in zip(blocks, chosen_layers, strict=True):
            _calibrate_block(block, layers, inputs, config)
            if block is not blocks[-1]:
                inputs = [block(one) for one in inputs]


def _structure(model, config):
    structure = config.quantization_layer_structure
    if structure is None:
        structure = model.get_quantization_layer_structure(config.mode)
    if structure is None:
        raise ValueError(
            f"For mode='{config.mode}', a valid quantization structure must be provided either via "
            "`config.quantization_layer_structure` or by overriding "
            "`model.get_quantization_layer_structure(mode)`. The structure should be a dictionary with keys "
            "'pre_block_layers' and 'sequential_blocks'."
        )
    if not isinstance(structure, dict):
        raise TypeError(
            "The quantization structure must be a dictionary with keys 'pre_block_layers' and "
            f"'sequential_blocks', got {structure!r}."
        )
    blocks = list(structure.get("sequential_blocks") or ())
    if not blocks:
        raise ValueError("No sequential blocks found in the provided structure to quantize.")
    return list(structure.get("pre_block_layers") or ()), blocks


@contextlib.contextmanager
def _inference(*modules):
    modes = {part: part.training for module in modules for part in module.modules()}
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for module in modules:
            _set_modes(module, modes, module.training)


def _set_modes(module, modes, default):
    """Set `training` as in `modes`; modules that are new have that of the module around."""
    module.training = modes.get(module, default)
    for child in module.children():
        _set_modes(child, modes, module.training)


def _choose(blocks, config, chosen, type_check):
    """Return the layers to quantize, a list for each block."""
    seen, found = set(), []
    for block in blocks:
        inside = []
        for layer in collecting.all_layers(block):
            can = getattr(type(layer), "contraction", QuantizableLayer.contraction)
            if can is QuantizableLayer.contraction or layer in seen or not chosen(layer):
                continue
            seen.add(layer)
            try:
                layer.check_quantize(config, type_check)
            except NotImplementedError as error:
                warnings.warn(str(error), stacklevel=5)
            else:
                inside.append(layer)
        found.append(inside)
    return found


def _calibrate_block(block, layers, inputs, config):
    calibrators = [CALIBRATORS[config.mode](config) for _ in layers]
    hooks = [
        layer.register_forward_pre_hook(_observer(calibrator, layer.contraction()), with_kwargs=True)
        for layer, calibrator in zip(layers, calibrators, strict=True)
    ]
    try:
        for one in inputs:
            block(one)
    finally:
        for hook in hooks:
            hook.remove()
    for layer, calibrator in zip(layers, calibrators, strict=True):
        layer.calibrate(calibrator)


def _observer(calibrator, contraction):
    def observe(layer, args, kwargs):
        calibrator.update(contraction.rows(args[0] if args else kwargs["inputs"]))

    return observe
