"""Process-wide settings, under Keras's names: `floatx`, `epsilon`, `image_data_format`."""

from torchkeras_lite.base.checks import one_of

_settings = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}


def floatx():
    """Return the dtype that layers and `Input` use when none is given, `"float32"` at the start."""
    return _settings["floatx"]


def set_floatx(value):
    """Set the default dtype: `"float16"`, `"bfloat16"`, `"float32"` or `"float64"`."""
    _settings["floatx"] = one_of("set_floatx", "value", value, ("float16", "bfloat16", "float32", "float64"))


def epsilon():
    """Return the small number that keeps divisions and logarithms finite, 1e-7 at the start."""
    return _settings["epsilon"]


def set_epsilon(value):
    """Set the number that `epsilon()` returns."""
    _settings["epsilon"] = float(value)


def image_data_format():
    """Return `"channels_last"` or `"channels_first"`, the layout that image layers use when none is given."""
    return _settings["image_data_format"]


def set_image_data_format(data_format):
    """Set the image layout that layers use when none is given."""
    _settings["image_data_format"] = standardize_data_format(data_format)


def standardize_data_format(data_format, owner="set_image_data_format"):
    """Return `data_format` in lower case, the default one for `None`."""
    if data_format is None:
        return image_data_format()
    return one_of(owner, "data_format", str(data_format).lower(), ("channels_last", "channels_first"))


def backend():
    """Return `"torch"`: there is one backend here."""
    return "torch"
