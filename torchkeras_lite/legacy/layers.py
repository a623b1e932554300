"""Layers and functions of Keras 1 and tf.keras whose arguments differ from those of what does the same."""

from torchkeras_lite import layers


def _noted(instead):
    def note(function):
        function.instead = f"write `{instead}`"
        return function

    return note


@_noted("layers.ReLU(threshold=theta)")
def ThresholdedReLU(theta=1.0, **kwargs):
    """Return a layer that lets values above `theta` pass and makes others 0."""
    return layers.ReLU(threshold=theta, **kwargs)


@_noted("layers.BatchNormalization(synchronized=True)")
def SyncBatchNormalization(*args, **kwargs):
    """Return a batch normalization over the batches of all processes."""
    return layers.BatchNormalization(*args, synchronized=True, **kwargs)


@_noted("layers.Conv2D(filters, kernel_size, dilation_rate=...)")
def AtrousConvolution2D(nb_filter, nb_row, nb_col, **kwargs):
    """Return a convolution with holes."""
    return layers.Conv2D(nb_filter, (nb_row, nb_col), **kwargs)


@_noted("layers.Conv2DTranspose(filters, kernel_size)")
def Deconvolution2D(nb_filter, nb_row, nb_col, output_shape=None, **kwargs):
    """Return a transposed convolution; the shape of its output follows from its input."""
    return layers.Conv2DTranspose(nb_filter, (nb_row, nb_col), **kwargs)


@_noted("layers.Conv3DTranspose(filters, kernel_size)")
def Deconvolution3D(nb_filter, kernel_dim1, kernel_dim2, kernel_dim3, output_shape=None, **kwargs):
    """Return a transposed convolution; the shape of its output follows from its input."""
    return layers.Conv3DTranspose(nb_filter, (kernel_dim1, kernel_dim2, kernel_dim3), **kwargs)


MODES = {"ave": layers.average, "max": layers.maximum, "mul": layers.multiply, "sum": layers.add}


@_noted("layers.add([a, b])`, `concatenate`, `multiply`, `average`, `maximum` or `dot")
def merge(inputs, mode="sum", concat_axis=-1, dot_axes=-1, output_shape=None, name=None, **kwargs):
    """Return what the layer of `mode` makes of a list of symbolic tensors.

    Args:
        inputs: Symbolic tensors.
        mode: `"sum"`, `"mul"`, `"ave"`, `"max"`, `"concat"`, `"dot"`, `"cos"`, or a function of the list.
        concat_axis: Axis for `"concat"`.
        dot_axes: Axis, or one an input, for `"dot"` and `"cos"`.
        output_shape: For a function, as in `layers.Lambda`.
        name: Name of the layer.
        **kwargs: `arguments` and `mask` of a function, as in `layers.Lambda`.

    Raises:
        ValueError: another mode.

    Source: Keras 1 `keras.layers.merge`.
    """
    if callable(mode):
        return layers.Lambda(mode, output_shape=output_shape, name=name, **kwargs)(inputs)
    if mode in MODES:
        return MODES[mode](inputs, name=name)
    if mode == "concat":
        return layers.concatenate(inputs, axis=concat_axis, name=name)
    if mode in ("dot", "cos"):
        return layers.dot(inputs, axes=dot_axes, normalize=mode == "cos", name=name)
    raise ValueError(f"merge: unknown mode {mode!r}. Known: {', '.join(MODES)}, concat, cos, dot.")
