"""`TimeDistributed`: a layer applied to every step."""

import torch
from torch import nn

from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine import collecting
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.layers.batch_normalization import BatchNormalization
from torchkeras_lite.layers.recurrent import RNN
from torchkeras_lite.layers.recurrent_cell import RecurrentCell
from torchkeras_lite.layers.regularization import (
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
)
from torchkeras_lite.layers.wrapper import Wrapper

__all__ = ["TimeDistributed"]

DROPPING = (AlphaDropout, Dropout, GaussianDropout, GaussianNoise)


class TimeDistributed(Wrapper):
    """Applies a layer to every step of sequences: the second axis is that of time.

    All steps run in one call, as one large batch, where that gives the same result. A layer that keeps
    something from call to call (BatchNormalization in training, once a step as in Keras), or of a class that
    is not this package's, is called step by step.

    Args:
        layer: The layer inside, `self.layer`; a model, too.

    A mask `(batch, steps, ...)` is cut into steps for a layer that takes a mask, and travels on.

    Shapes:
        input `(batch, steps, ...)` -> `(batch, steps, ...)`, the layer's output for `(batch, ...)`

    Raises:
        ValueError: `layer` is no layer; an input with fewer than 3 axes; a mask of other steps.

    Source: Keras 3 `keras.layers.TimeDistributed`.
    """

    creates_masks = False

    watches_mode = False

    def __init__(self, layer, **kwargs):
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Please initialize `TimeDistributed` layer with a `keras.layers.Layer` instance. Received: "
                f"{layer}. A plain torch module goes through `TorchModuleWrapper`."
            )
        super().__init__(layer, **kwargs)
        self.supports_masking = True
        self.__dict__["_watches_mode"] = any(one._watches_mode for one in collecting.all_layers(layer))

    def build(self, input_shape):
        """Build the layer inside for one step."""
        step_shape = self._step_shape(input_shape)
        if not self.layer.built:
            self.layer.build(step_shape)
            self.layer.built = True
        self.input_spec = _over_steps(self.layer.input_spec)

    def _step_shape(self, input_shape):
        if not isinstance(input_shape, (tuple, list)) or len(input_shape) < 3 or _is_nested(input_shape):
            raise ValueError(
                f"{describe(self)}: `TimeDistributed` Layer should be passed an `input_shape` with at least "
                f"3 dimensions, received: {input_shape}. Pass one tensor (batch, steps, ...)."
            )
        return (input_shape[0], *input_shape[2:])

    def compute_output_shape(self, input_shape):
        """Return the output shape for that of the input."""
        shapes = self.layer.compute_output_shape(self._step_shape(input_shape))
        return _map_shapes(lambda shape: (shape[0], input_shape[1], *shape[1:]), shapes)

    def compute_output_spec(self, inputs, mask=None, **kwargs):
        """Return symbolic outputs for a symbolic input."""
        step = KerasTensor(self._step_shape(inputs.shape), inputs.dtype)
        return nested.map_structure(
            lambda t: KerasTensor((t.shape[0], inputs.shape[1], *t.shape[1:]), t.dtype),
            self.layer.compute_output_spec(step),
        )

    def call(self, inputs, training=None, mask=None):
        """Apply the layer to every step."""
        mask = self._step_mask(inputs, mask)
        if self.steps_are_independent(bool(training)):
            return self._call_once(inputs, mask)
        outputs = [
            self._call_layer(inputs[:, step], None if mask is None else mask[:, step])
            for step in range(inputs.shape[1])
        ]
        return nested.map_structure(lambda *steps: torch.stack(steps, 1), *outputs)

    def _step_mask(self, inputs, mask):
        if mask is None:
            return None
        if tuple(mask.shape[:2]) != tuple(inputs.shape[:2]):
            raise ValueError(
                f"{describe(self)}: The `mask` passed to the `TimeDistributed` layer has a shape "
                f"{tuple(mask.shape)} that is incompatible with the input shape {tuple(inputs.shape)}. The "
                "first two dimensions of the mask (batch size and timesteps) must match the input's."
            )
        return mask if "mask" in self.layer._call_signature.keywords else None

    def _call_once(self, inputs, mask):
        outputs = self._call_layer(inputs.flatten(0, 1), None if mask is None else mask.flatten(0, 1))
        sizes = (-1, inputs.shape[1])
        return nested.map_structure(lambda output: output.unflatten(0, sizes), outputs)

    def _call_layer(self, inputs, mask):
        # As in Keras, the layer's own input check and penalty on outputs stay out of this.
        kwargs = {} if mask is None else {"mask": mask}
        return nn.Module.__call__(self.layer, inputs, **kwargs)

    def steps_are_independent(self, training):
        """Whether one call with all steps in the batch does what a call for each step does."""
        return _all_independent(self.layer, training)


def _over_steps(spec):
    """Return `spec`, of one step, for sequences of steps; `None` where it says too much or nothing."""
    if not isinstance(spec, InputSpec) or spec.shape is not None:
        return None
    more = {
        key: size + 1 for key in ("ndim", "min_ndim", "max_ndim") if (size := getattr(spec, key)) is not None
    }
    return InputSpec(axes={axis + (axis > 0): size for axis, size in spec.axes.items()}, **more)


def _all_independent(layer, training):
    if not _rows_are_independent(layer, training):
        return False
    if isinstance(layer, RecurrentCell):  # torch.compile may not even look at the `nn.LSTM` inside
        return True
    return all(_all_independent(inner, training) for inner in collecting.sublayers(layer))


def _rows_are_independent(layer, training):
    """Whether the output of `layer` for a row depends on that row alone, and no call on the one before."""
    if layer.activity_regularizer is not None or not type(layer).__module__.startswith(_OWN):
        return False
    if isinstance(layer, BatchNormalization):
        return not (training and layer.trainable)
    if isinstance(layer, DROPPING):
        plain = getattr(layer, "noise_shape", None) is None or isinstance(layer, SpatialDropout1D)
        return plain and (layer.seed is None or not training)
    if isinstance(layer, RNN):
        return not layer.stateful
    recording = layer.__dict__.get("_recording")
    if recording is not None:
        return all(call.is_module and "_keras" in call.target.__dict__ for call in recording.calls)
    return type(layer).__name__ in _BY_ROWS


_OWN = (f"{__name__.partition('.')[0]}.layers.", f"{__name__.partition('.')[0]}.models.")

_BY_ROWS = frozenset(
    """
    Dense EinsumDense Embedding Identity Masking Activation ReLU LeakyReLU PReLU ELU Softmax Flatten Reshape
    Permute RepeatVector Rescaling Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose
    DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D MaxPooling1D MaxPooling2D MaxPooling3D
    AveragePooling1D AveragePooling2D AveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D
    GlobalMaxPooling3D GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D
    AdaptiveMaxPooling2D AdaptiveMaxPooling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D
    Cropping3D UpSampling1D UpSampling2D UpSampling3D LayerNormalization RMSNormalization UnitNormalization
    GroupNormalization Add Subtract Multiply Average Maximum Minimum Concatenate Dot Bidirectional
    SimpleRNNCell LSTMCell GRUCell StackedRNNCells
    """.split()  # noqa: SIM905
)


def _is_nested(shape):
    return any(isinstance(size, (tuple, list)) for size in shape)


def _map_shapes(function, shapes):
    if _is_nested(shapes):
        return type(shapes)(_map_shapes(function, shape) for shape in shapes)
    return function(shapes)
