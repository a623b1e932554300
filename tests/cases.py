"""One line a layer: what every contract test (configs, state_dict, pickle, shapes, counts) runs through.

A case is `(class name, constructor arguments, shape or shapes of the inputs)`; `ints` marks integer
inputs (below 10).
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    name: str
    args: dict = field(default_factory=dict)
    shape: tuple = (4, 3)
    ints: bool = False

    def __str__(self):
        return f"{self.name}({', '.join(f'{k}={v}' for k, v in self.args.items())})-{self.shape}"


CORE = [
    Case("Dense", {"units": 7}),
    Case("Dense", {"units": 7, "activation": "relu", "use_bias": False}, (4, 5, 3)),
    Case("Embedding", {"input_dim": 10, "output_dim": 3}, (4, 5), ints=True),
    Case("Embedding", {"input_dim": 10, "output_dim": 3, "mask_zero": True}, (4, 5), ints=True),
    Case("Identity"),
    Case("Masking", {"mask_value": 1.0}, (4, 5, 3)),
    Case("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (None, 6), "bias_axes": "d"}, (4, 5, 3)),
    Case("EinsumDense", {"equation": "...c,cde->...de", "output_shape": (6, 2)}, (4, 5, 3)),
    Case("Activation", {"activation": "tanh"}),
    Case("ReLU"),
    Case("ReLU", {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.5}),
    Case("LeakyReLU", {"negative_slope": 0.1}),
    Case("PReLU", {"alpha_initializer": "ones"}),
    Case("PReLU", {"shared_axes": [1]}, (4, 5, 3)),
    Case("ELU", {"alpha": 0.5}),
    Case("Softmax"),
    Case("Softmax", {"axis": [1, 2]}, (4, 5, 3)),
    Case("Flatten", {}, (4, 2, 3)),
    Case("Flatten", {"data_format": "channels_first"}, (4, 2, 3, 5)),
    Case("Flatten", {}, (4,)),
    Case("Reshape", {"target_shape": (3, -1)}, (4, 6, 2)),
    Case("Reshape", {"target_shape": (12,)}, (4, 6, 2)),
    Case("Permute", {"dims": (2, 1)}, (4, 5, 3)),
    Case("RepeatVector", {"n": 3}),
    Case("Dropout", {"rate": 0.5}),
    Case("Dropout", {"rate": 0.5, "noise_shape": (None, 1), "seed": 7}),
    Case("SpatialDropout1D", {"rate": 0.5}, (4, 5, 3)),
    Case("SpatialDropout2D", {"rate": 0.5, "data_format": "channels_first"}, (4, 3, 5, 5)),
    Case("SpatialDropout3D", {"rate": 0.5, "seed": 7}, (4, 2, 3, 2, 3)),
    Case("GaussianNoise", {"stddev": 0.5}),
    Case("GaussianDropout", {"rate": 0.5}),
    Case("AlphaDropout", {"rate": 0.5}),
    Case("ActivityRegularization", {"l1": 0.1, "l2": 0.2}),
    Case("Add", {}, ((4, 3), (4, 3), (4, 3))),
    Case("Add", {}, ((4, 3), (4, 5, 3))),
    Case("Subtract", {}, ((4, 3), (4, 3))),
    Case("Multiply", {}, ((4, 3), (4, 3))),
    Case("Average", {}, ((4, 3), (4, 3), (4, 3))),
    Case("Maximum", {}, ((4, 3), (4, 3))),
    Case("Minimum", {}, ((4, 3), (4, 3))),
    Case("Concatenate", {}, ((4, 3), (4, 2))),
    Case("Concatenate", {"axis": 1}, ((4, 3, 2), (4, 5, 2))),
    Case("Dot", {"axes": 1}, ((4, 3), (4, 3))),
    Case("Dot", {"axes": (2, 1), "normalize": True}, ((4, 5, 3), (4, 3, 2))),
    Case("Rescaling", {"scale": 0.5, "offset": -1.0}),
    Case("Rescaling", {"scale": [0.5, 1.0, 2.0]}, (4, 5, 5, 3)),
]

CONVOLUTION = [
    Case("Conv1D", {"filters": 6, "kernel_size": 3, "padding": "causal", "activation": "relu"}, (4, 7, 3)),
    Case("Conv1D", {"filters": 6, "kernel_size": 2, "data_format": "channels_first"}, (4, 3, 7)),
    Case("Conv2D", {"filters": 6, "kernel_size": 3}, (4, 7, 6, 3)),
    Case("Conv2D", {"filters": 6, "kernel_size": (3, 2), "strides": 2, "padding": "same"}, (4, 7, 6, 3)),
    Case("Conv2D", {"filters": 6, "kernel_size": 2, "groups": 3, "use_bias": False}, (4, 7, 6, 3)),
    Case("Conv2D", {"filters": 6, "kernel_size": 3, "data_format": "channels_first"}, (4, 3, 7, 6)),
    Case(
        "Conv2D",
        {"filters": 6, "kernel_size": 3, "kernel_regularizer": "l2", "bias_constraint": "non_neg"},
        (4, 5, 5, 3),
    ),
    Case("Conv3D", {"filters": 6, "kernel_size": 2, "dilation_rate": 2, "padding": "same"}, (2, 5, 6, 4, 3)),
    Case("Conv1DTranspose", {"filters": 6, "kernel_size": 3, "strides": 2, "padding": "same"}, (4, 5, 3)),
    Case("Conv2DTranspose", {"filters": 6, "kernel_size": 3, "strides": 2, "padding": "same"}, (4, 5, 6, 3)),
    Case(
        "Conv2DTranspose", {"filters": 6, "kernel_size": 3, "strides": 2, "output_padding": 1}, (4, 5, 6, 3)
    ),
    Case("Conv3DTranspose", {"filters": 2, "kernel_size": 2, "strides": 3}, (2, 3, 2, 3, 3)),
    Case("DepthwiseConv1D", {"kernel_size": 3, "strides": 2, "depth_multiplier": 2}, (4, 7, 3)),
    Case("DepthwiseConv2D", {"kernel_size": 3, "padding": "same", "depth_multiplier": 2}, (4, 7, 6, 3)),
    Case("SeparableConv1D", {"filters": 6, "kernel_size": 3, "depth_multiplier": 2}, (4, 7, 3)),
    Case("SeparableConv2D", {"filters": 6, "kernel_size": 3, "strides": 2, "padding": "same"}, (4, 7, 6, 3)),
]

POOLING = [
    Case("MaxPooling1D", {}, (4, 7, 3)),
    Case("MaxPooling2D", {}, (4, 7, 6, 3)),
    Case("MaxPooling2D", {"pool_size": (3, 2), "strides": (1, 2), "padding": "same"}, (4, 7, 6, 3)),
    Case("MaxPooling2D", {"pool_size": 2, "data_format": "channels_first"}, (4, 3, 7, 6)),
    Case("MaxPooling3D", {}, (2, 4, 5, 4, 3)),
    Case("AveragePooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}, (4, 7, 3)),
    Case("AveragePooling2D", {"pool_size": 2}, (4, 7, 6, 3)),
    Case("GlobalMaxPooling1D", {}, (4, 7, 3)),
    Case("GlobalMaxPooling2D", {"data_format": "channels_first"}, (4, 3, 7, 6)),
    Case("GlobalMaxPooling3D", {"keepdims": True}, (2, 4, 5, 4, 3)),
    Case("GlobalAveragePooling1D", {}, (4, 7, 3)),
    Case("GlobalAveragePooling2D", {"keepdims": True}, (4, 7, 6, 3)),
    Case("GlobalAveragePooling3D", {}, (2, 4, 5, 4, 3)),
    Case("AdaptiveAveragePooling1D", {"output_size": 3}, (4, 7, 3)),
    Case("AdaptiveAveragePooling2D", {"output_size": (3, 2)}, (4, 7, 6, 3)),
    Case("AdaptiveAveragePooling3D", {"output_size": 2}, (2, 4, 5, 4, 3)),
    Case("AdaptiveMaxPooling1D", {"output_size": 3}, (4, 7, 3)),
    Case("AdaptiveMaxPooling2D", {"output_size": 2, "data_format": "channels_first"}, (4, 3, 7, 6)),
    Case("AdaptiveMaxPooling3D", {"output_size": 2}, (2, 4, 5, 4, 3)),
    Case("ZeroPadding1D", {"padding": (1, 2)}, (4, 7, 3)),
    Case("ZeroPadding2D", {"padding": (1, 2)}, (4, 5, 6, 3)),
    Case("ZeroPadding3D", {"data_format": "channels_first"}, (2, 3, 2, 3, 2)),
    Case("Cropping1D", {}, (4, 7, 3)),
    Case("Cropping2D", {"cropping": ((1, 2), (0, 1))}, (4, 5, 6, 3)),
    Case("Cropping3D", {}, (2, 3, 4, 5, 3)),
    Case("UpSampling1D", {"size": 3}, (4, 5, 3)),
    Case("UpSampling2D", {"size": (2, 3)}, (4, 5, 6, 3)),
    Case("UpSampling2D", {"interpolation": "bilinear"}, (4, 5, 6, 3)),
    Case("UpSampling3D", {}, (2, 3, 2, 3, 3)),
]

NORMALIZATION = [
    Case("BatchNormalization"),
    Case("BatchNormalization", {"center": False, "momentum": 0.9, "epsilon": 1e-5}, (4, 5, 5, 3)),
    Case("BatchNormalization", {"axis": 1, "scale": False}, (4, 3, 5)),
    Case("BatchNormalization", {"renorm": True, "renorm_clipping": {"rmax": 3.0}}),
    Case("LayerNormalization"),
    Case("LayerNormalization", {"axis": [1, 2], "center": False}, (4, 5, 3)),
    Case("GroupNormalization", {"groups": 2}, (4, 5, 5, 4)),
    Case("GroupNormalization", {"groups": -1, "axis": 1, "scale": False}, (4, 3, 5)),
    Case("RMSNormalization"),
    Case("UnitNormalization"),
    Case("UnitNormalization", {"axis": [1, 2]}, (4, 5, 3)),
]

ATTENTION = [
    Case("Attention", {}, ((4, 5, 3), (4, 6, 3))),
    Case("Attention", {"use_scale": True}, ((4, 5, 3), (4, 6, 2), (4, 6, 3))),
    Case("Attention", {"score_mode": "concat", "seed": 3}, ((4, 5, 3), (4, 6, 3))),
    Case("AdditiveAttention", {"use_scale": False}, ((4, 5, 3), (4, 6, 3))),
    Case("AdditiveAttention", {"use_scale": False}, ((4, 5, 3), (4, 6, 2), (4, 6, 3))),
]

# Keras cannot draw an orthogonal matrix in bfloat16 on torch.
RECURRENT_ARGUMENTS = {"units": 4, "recurrent_initializer": "he_normal"}

RECURRENT = [
    Case("SimpleRNN", {**RECURRENT_ARGUMENTS}, (4, 5, 3)),
    Case("SimpleRNN", {**RECURRENT_ARGUMENTS, "activation": "relu", "return_sequences": True}, (4, 5, 3)),
    Case("LSTM", {**RECURRENT_ARGUMENTS}, (4, 5, 3)),
    Case("LSTM", {**RECURRENT_ARGUMENTS, "return_sequences": True, "unit_forget_bias": False}, (4, 5, 3)),
    Case("LSTM", {**RECURRENT_ARGUMENTS, "activation": "relu", "kernel_regularizer": "l2"}, (4, 5, 3)),
    Case("LSTM", {**RECURRENT_ARGUMENTS, "use_bias": False, "go_backwards": True}, (4, 5, 3)),
    Case("GRU", {**RECURRENT_ARGUMENTS}, (4, 5, 3)),
    Case("GRU", {**RECURRENT_ARGUMENTS, "reset_after": False, "return_sequences": True}, (4, 5, 3)),
    Case("GRU", {**RECURRENT_ARGUMENTS, "recurrent_activation": "hard_sigmoid"}, (4, 5, 3)),
]

CASES = [*CORE, *CONVOLUTION, *POOLING, *NORMALIZATION, *ATTENTION, *RECURRENT]
