"""Classes and arguments of Keras 2 and tf.keras that Keras 3 calls otherwise, or no longer has."""

CLASSES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "CuDNNGRU": "GRU",
    "CuDNNLSTM": "LSTM",
    "GroupedQueryAttention": "GroupQueryAttention",
    "SyncBatchNormalization": "BatchNormalization",
    "ThresholdedReLU": "ReLU",
    "UnifiedGRU": "GRU",
    "UnifiedLSTM": "LSTM",
}
WRITTEN = {"GroupQueryAttention": "GroupedQueryAttention"}  # the name of Keras 3 in these files alone
# Classes of Keras's applications, which are in no public room.
PLACES = {
    **dict.fromkeys(("LayerScale", "StochasticDepth"), "keras.src.applications.convnext"),
    "CustomScaleLayer": "keras.src.applications.inception_resnet_v2",
}
RENAMED = {
    "InputLayer": {"batch_input_shape": "batch_shape"},
    "LeakyReLU": {"alpha": "negative_slope"},
    "ThresholdedReLU": {"theta": "threshold"},
}
# What a first layer of old said of its input; an `InputLayer` says it.
ANYWHERE = ("batch_input_shape", "input_dtype")
SEPARABLE = ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint", "filters")
RECURRENT = ("time_major", "input_dim", "input_length", "num_constants", "consume_less")
DROPPED = {
    "InputLayer": ("ragged", "type_spec"),
    "Embedding": ("input_length", "dropout"),
    "BatchNormalization": ("mode", "fused", "virtual_batch_size", "adjustment"),
    "Dense": ("input_dim",),
    "Bidirectional": ("num_constants",),
    "RNN": RECURRENT,
    "SimpleRNN": (*RECURRENT, "implementation"),
    "LSTM": RECURRENT,
    "GRU": RECURRENT,
    "ConvLSTM1D": (*RECURRENT, "implementation"),
    "ConvLSTM2D": (*RECURRENT, "implementation"),
    "ConvLSTM3D": (*RECURRENT, "implementation"),
    "DepthwiseConv1D": SEPARABLE,
    "DepthwiseConv2D": SEPARABLE,
    "SeparableConv1D": SEPARABLE[:-1],
    "SeparableConv2D": SEPARABLE[:-1],
    "Conv1DTranspose": ("groups",),
    "Conv2DTranspose": ("groups",),
    "Conv3DTranspose": ("groups",),
    "MultiHeadAttention": ("query_shape", "key_shape", "value_shape"),
}
# Arguments that were dropped may only have the value that they have left when they went.
MUST_BE = {"groups": (1, None), "time_major": (False, None), "fused": (True, False, None), "mode": (0, None)}


def modern_class(name):
    """Return today's name of a class."""
    return CLASSES.get(name, name)


def modern_settings(name, config):
    """Return the config of an object of class `name` with today's arguments.

    Raises:
        ValueError: an argument that is gone has a value that nothing stands for today.
    """
    kind = modern_class(name)
    renamed = {**RENAMED.get(kind, {}), **RENAMED.get(name, {})}
    dropped = DROPPED.get(kind, ()) + tuple(key for key in ANYWHERE if key not in renamed)
    settings = {}
    for key, value in config.items():
        if key in dropped:
            if value not in MUST_BE.get(key, (value,)):
                raise ValueError(
                    f"Layer '{config.get('name')}' of class {name} has {key}={value!r}, which no layer has "
                    "any more. Make the model in code, and read its weights with `load_weights`."
                )
        else:
            settings.setdefault(renamed.get(key, key), value)
    change = CHANGES.get(name)
    return settings if change is None else change(settings)


def _batch_normalization(settings):
    axis = settings.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        settings["axis"] = axis[0]
    return settings


def _synchronized(settings):
    return {**_batch_normalization(settings), "synchronized": True}


def _gru(settings):
    # Keras 2.0 knew no other way; later versions write the key.
    return {"reset_after": False, **settings}


def _cudnn(settings):
    return {"activation": "tanh", "recurrent_activation": "sigmoid", **settings}


def _cudnn_gru(settings):
    return {**_cudnn(settings), "reset_after": True}


def _initializer(settings):
    settings.pop("dtype", None)
    return settings


def _lambda(settings):
    """Put the functions of a `Lambda` in today's form: code as such, functions by their names."""
    changed = {key: value for key, value in settings.items() if not key.endswith(("_type", "module"))}
    for part in ("function", "output_shape", "mask"):
        kind, value = settings.get(f"{part}_type"), settings.get(part)
        if kind == "lambda" or (part != "output_shape" and isinstance(value, list)):
            changed[part] = {"class_name": "__lambda__", "config": {"value": value}}
        elif kind == "function" or (part == "function" and isinstance(value, str)):
            changed[part] = {
                "module": "builtins",
                "class_name": "function",
                "config": value,
                "registered_name": "function",
            }
    return changed


def _thresholded(settings):
    return {
        key: value for key, value in settings.items() if key in ("name", "trainable", "dtype", "threshold")
    }


CHANGES = {
    "BatchNormalization": _batch_normalization,
    "BatchNormalizationV1": _batch_normalization,
    "BatchNormalizationV2": _batch_normalization,
    "SyncBatchNormalization": _synchronized,
    "GRU": _gru,
    "CuDNNGRU": _cudnn_gru,
    "CuDNNLSTM": _cudnn,
    "Lambda": _lambda,
    "ThresholdedReLU": _thresholded,
    **dict.fromkeys(
        (
            "Constant",
            "GlorotNormal",
            "GlorotUniform",
            "HeNormal",
            "HeUniform",
            "Identity",
            "LecunNormal",
            "LecunUniform",
            "Ones",
            "Orthogonal",
            "RandomNormal",
            "RandomUniform",
            "TruncatedNormal",
            "VarianceScaling",
            "Zeros",
        ),
        _initializer,
    ),
}
