"""Arguments of layers and models as Keras 1, Keras 2 and tf.keras spelled them."""

from torchkeras_lite.base import registry
from torchkeras_lite.base.old_names import Dropped, Refused, Renamed, modern_arguments
from torchkeras_lite.engine.auto_config import constructor_arguments

ORDERINGS = {"th": "channels_first", "tf": "channels_last", "default": None}
SHARED: dict = {
    "W_constraint": Renamed(("kernel_constraint", "embeddings_constraint")),
    "W_regularizer": Renamed(("kernel_regularizer", "embeddings_regularizer")),
    "U_regularizer": Renamed(("recurrent_regularizer",)),
    "adjustment": Dropped(only=(None,)),
    "atrous_rate": Renamed(("dilation_rate",)),
    "b_constraint": Renamed(("bias_constraint",)),
    "b_regularizer": Renamed(("bias_regularizer",)),
    "beta_init": Renamed(("beta_initializer",)),
    "bias": Renamed(("use_bias",)),
    "border_mode": Renamed(("padding",)),
    "causal": Refused("pass `use_causal_mask=True` when the layer is called"),
    "consume_less": Dropped(),
    "dim_ordering": Renamed(("data_format",), ORDERINGS),
    "dropout_U": Renamed(("recurrent_dropout",)),
    "dropout_W": Renamed(("dropout",)),
    "dynamic": Dropped(),
    "experimental_autocast": Renamed(("autocast",)),
    "filter_length": Renamed(("kernel_size",)),
    "forget_bias_init": Renamed(("unit_forget_bias",), {"one": True, "ones": True, "zero": False}),
    "fused": Dropped(),
    "gamma_init": Renamed(("gamma_initializer",)),
    "init": Renamed(("kernel_initializer", "embeddings_initializer", "alpha_initializer")),
    "inner_activation": Renamed(("recurrent_activation",)),
    "inner_init": Renamed(("recurrent_initializer",)),
    "nb_filter": Renamed(("filters",)),
    "output_dim": Renamed(("units",)),
    "p": Renamed(("rate",)),
    "pool_length": Renamed(("pool_size",)),
    "sigma": Renamed(("stddev",)),
    "stride": Renamed(("strides",)),
    "subsample": Renamed(("strides",)),
    "subsample_length": Renamed(("strides",)),
    "theta": Renamed(("threshold",)),
    "time_major": Dropped(
        only=(False, None), remedy="swap the first two axes of the data: `ops.swapaxes(x, 0, 1)`"
    ),
    "virtual_batch_size": Dropped(only=(None,), remedy="train on smaller batches"),
}
CLASSES: dict[str, dict] = {
    "BatchNormalization": {"mode": Dropped(only=(0, None), remedy="use `LayerNormalization` for mode=1")},
    "Embedding": {"dropout": Dropped(only=(0, 0.0, None), remedy="put a `SpatialDropout1D` behind it")},
    "Model": {"input": Renamed(("inputs",)), "output": Renamed(("outputs",))},
    "UpSampling1D": {"length": Renamed(("size",))},
}
# Sizes of a kernel or a window that Keras 1 took one by one.
SIZES = (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))

NAMES = frozenset((*SHARED, *(name for table in CLASSES.values() for name in table), *sum(SIZES, ())))


def modern_call(cls, args, kwargs):
    """Return the arguments of a constructor with today's names, where `cls` is a public class."""
    if registry.public_name(cls) is None:  # a class of the user's knows its own arguments
        return args, kwargs
    known = constructor_arguments(cls)
    table = {**SHARED, **CLASSES.get(cls.__name__, {})}
    if "kernel_size" in known:
        args, kwargs = _kernel_size(cls.__name__, args, kwargs)
    return args, modern_arguments(cls.__name__, table, kwargs, known)


def _kernel_size(owner, args, kwargs):
    """Put the sizes of a kernel that were given one by one into one tuple."""
    for names in SIZES:
        given = [kwargs[name] for name in names if name in kwargs]
        if len(given) == len(names):
            kwargs = {key: value for key, value in kwargs.items() if key not in names}
            table = {names[0]: Renamed(("kernel_size",))}
            return args, {**kwargs, **modern_arguments(owner, table, {names[0]: tuple(given)})}
    sizes = args[1:]
    if len(sizes) > 1 and all(isinstance(size, int) for size in sizes):  # Convolution2D(32, 3, 3, ...)
        return (args[0], tuple(sizes)), kwargs
    return args, kwargs
