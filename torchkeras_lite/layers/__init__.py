"""Layers: `torch.nn` modules with Keras's names, arguments and numbers."""

from torchkeras_lite.base import registry
from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.base.serialization import deserialize_keras_object as deserialize
from torchkeras_lite.base.serialization import serialize_keras_object
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.layers.activation import (
    ELU,
    Activation,
    LeakyReLU,
    PReLU,
    ReLU,
    Softmax,
)
from torchkeras_lite.layers.adaptive_pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
)
from torchkeras_lite.layers.attention import AdditiveAttention, Attention
from torchkeras_lite.layers.batch_normalization import BatchNormalization
from torchkeras_lite.layers.bidirectional import Bidirectional
from torchkeras_lite.layers.category_encoding import CategoryEncoding
from torchkeras_lite.layers.convnext import LayerScale, StochasticDepth
from torchkeras_lite.layers.convolution import (
    Conv1D,
    Conv2D,
    Conv3D,
)
from torchkeras_lite.layers.convolution_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from torchkeras_lite.layers.convolution_transpose import (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
)
from torchkeras_lite.layers.core import (
    Dense,
    Embedding,
    Identity,
    Lambda,
    Masking,
)
from torchkeras_lite.layers.data_normalization import Normalization
from torchkeras_lite.layers.depthwise_convolution import DepthwiseConv1D, DepthwiseConv2D
from torchkeras_lite.layers.discretization import Discretization
from torchkeras_lite.layers.einsum_dense import EinsumDense
from torchkeras_lite.layers.foreign import FlaxLayer, JaxLayer, TFSMLayer
from torchkeras_lite.layers.global_pooling import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
from torchkeras_lite.layers.group_normalization import GroupNormalization
from torchkeras_lite.layers.grouped_query_attention import GroupQueryAttention
from torchkeras_lite.layers.gru import GRU
from torchkeras_lite.layers.hashing import HashedCrossing, Hashing
from torchkeras_lite.layers.histogram_equalization import (
    AutoContrast,
    ContrastLimitedAdaptiveHistogramEqualization,
    Equalization,
)
from torchkeras_lite.layers.image_resizing import CenterCrop, RandomCrop, Resizing
from torchkeras_lite.layers.inception_resnet import CustomScaleLayer
from torchkeras_lite.layers.input_layer import Input, InputLayer
from torchkeras_lite.layers.joining import (
    Concatenate,
    Dot,
    concatenate,
    dot,
)
from torchkeras_lite.layers.layer_normalization import (
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from torchkeras_lite.layers.lookup import IntegerLookup, StringLookup
from torchkeras_lite.layers.lstm import LSTM
from torchkeras_lite.layers.max_num_bounding_boxes import MaxNumBoundingBoxes
from torchkeras_lite.layers.merging import (
    Add,
    Average,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    maximum,
    minimum,
    multiply,
    subtract,
)
from torchkeras_lite.layers.mixing import CutMix, MixUp
from torchkeras_lite.layers.multi_head_attention import MultiHeadAttention
from torchkeras_lite.layers.pipeline import Pipeline
from torchkeras_lite.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from torchkeras_lite.layers.random_blur import RandomGaussianBlur
from torchkeras_lite.layers.random_color import (
    RandomColorDegeneration,
    RandomColorJitter,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
)
from torchkeras_lite.layers.random_distortion import RandomElasticTransform, RandomPerspective
from torchkeras_lite.layers.random_erasing import RandomErasing
from torchkeras_lite.layers.random_geometry import (
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from torchkeras_lite.layers.random_policies import AugMix, RandAugment
from torchkeras_lite.layers.random_tone import (
    RandomBrightness,
    RandomContrast,
    RandomInvert,
    RandomPosterization,
    RandomSharpness,
    Solarization,
)
from torchkeras_lite.layers.recurrent import RNN
from torchkeras_lite.layers.recurrent_cells import (
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
)
from torchkeras_lite.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from torchkeras_lite.layers.rescaling import Rescaling
from torchkeras_lite.layers.reshaping import (
    Flatten,
    Permute,
    RepeatVector,
    Reshape,
)
from torchkeras_lite.layers.resizing import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from torchkeras_lite.layers.reversible_embedding import ReversibleEmbedding
from torchkeras_lite.layers.separable_convolution import SeparableConv1D, SeparableConv2D
from torchkeras_lite.layers.simple_rnn import SimpleRNN
from torchkeras_lite.layers.spectral_normalization import SpectralNormalization
from torchkeras_lite.layers.spectrograms import MelSpectrogram, STFTSpectrogram
from torchkeras_lite.layers.stacked_cells import StackedRNNCells
from torchkeras_lite.layers.text_vectorization import TextVectorization
from torchkeras_lite.layers.time_distributed import TimeDistributed
from torchkeras_lite.layers.wrapper import TorchModuleWrapper, Wrapper

# Keras's other names.
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
Convolution1D = Conv1D
Convolution1DTranspose = Conv1DTranspose
Convolution2D = Conv2D
Convolution2DTranspose = Conv2DTranspose
Convolution3D = Conv3D
Convolution3DTranspose = Conv3DTranspose
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "ActivityRegularization",
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "Add",
    "AdditiveAttention",
    "AlphaDropout",
    "Attention",
    "AugMix",
    "AutoContrast",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNormalization",
    "Bidirectional",
    "CategoryEncoding",
    "CenterCrop",
    "Concatenate",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "CutMix",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Discretization",
    "Dot",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Equalization",
    "Flatten",
    "FlaxLayer",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GroupNormalization",
    "GroupQueryAttention",
    "HashedCrossing",
    "Hashing",
    "Identity",
    "Input",
    "InputLayer",
    "InputSpec",
    "IntegerLookup",
    "JaxLayer",
    "LSTMCell",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxNumBoundingBoxes",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Maximum",
    "MelSpectrogram",
    "Minimum",
    "MixUp",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "Pipeline",
    "RMSNormalization",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Resizing",
    "ReversibleEmbedding",
    "STFTSpectrogram",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "SimpleRNN",
    "SimpleRNNCell",
    "Softmax",
    "Solarization",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "SpectralNormalization",
    "StackedRNNCells",
    "StringLookup",
    "Subtract",
    "TFSMLayer",
    "TextVectorization",
    "TimeDistributed",
    "TorchModuleWrapper",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "Wrapper",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]


def serialize(layer):
    """Return the config of a layer.

    Source: Keras 3 `keras.layers.serialize`.
    """
    return serialize_keras_object(layer)


registry.publish(
    "layers", {name: globals()[name] for name in __all__ if name not in ("serialize", "deserialize")}
)
registry.publish("", {"Layer": Layer, "InputSpec": InputSpec, "Input": Input})
for _cls in (LayerScale, StochasticDepth):
    registry.publish_as("keras.src.applications.convnext", _cls)
registry.publish_as("keras.src.applications.inception_resnet_v2", CustomScaleLayer)

__getattr__ = old_members(__name__)
