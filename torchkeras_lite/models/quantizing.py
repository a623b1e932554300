"""`Model.quantize`: quantizes the layers inside that can do it."""

import re
import warnings

from torchkeras_lite.engine import collecting
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.models.calibrating import calibrate_blocks
from torchkeras_lite.quantizers.configs import CALIBRATED_MODES
from torchkeras_lite.quantizers.modes import resolve_config


def quantize_model(model, mode, config, filters, type_check=True, **kwargs):
    """Quantize the layers of `model` that have a `quantize` of their own and that `filters` lets through.

    Raises:
        ValueError: the model is not built, or `kwargs`; see `resolve_config` and `calibrate_blocks`.
        TypeError: `filters` is of another kind.
    """
    if kwargs:
        raise ValueError(
            f"Unrecognized keyword arguments passed to {type(model).__name__}: {kwargs}. `quantize` takes "
            "`mode`, `config`, `filters` and `type_check`."
        )
    config = resolve_config(mode, config)
    if not model.built:
        raise ValueError(
            f"Cannot quantize a layer that isn't yet built. Model '{model.name}' (of type "
            f"'{type(model).__name__}') is not built yet. Call it on data, or `build(input_shape)`, first."
        )
    chosen = _filter(filters)
    if config.mode in CALIBRATED_MODES:
        calibrate_blocks(model, config, chosen, type_check)
        model.train_function = model.test_function = model.predict_function = None
        return
    for layer in collecting.all_layers(model)[1:]:
        can = type(layer).quantize is not Layer.quantize and not hasattr(layer, "layers")
        if can and chosen(layer):
            try:
                layer.quantize(config.mode, type_check=type_check, config=config)
            except NotImplementedError as error:  # a subclass
                warnings.warn(str(error), stacklevel=3)
    model.train_function = model.test_function = model.predict_function = None


def _filter(filters):
    if filters is None:
        return lambda layer: True
    if callable(filters):
        return filters
    patterns = [filters] if isinstance(filters, str) else filters
    if not isinstance(patterns, (list, tuple)) or not all(isinstance(one, str) for one in patterns):
        raise TypeError(
            "The `filters` argument must be a regex string, a list of regex strings, or a callable, got "
            f"{filters!r}."
        )
    return lambda layer: any(re.search(pattern, layer.name) for pattern in patterns)
