"""Architectures for images, with Keras's layers, names and weights trained on ImageNet.

Every architecture is a function that returns a `Model`. Most take these arguments, and some have more:

Args:
    include_top: Whether there is a classifier on top of the features.
    weights: `"imagenet"`: Keras's own weights, from the cache (`~/.keras/models`, or below `KERAS_HOME`) or
        downloaded to it; the path of a file that `load_weights` reads; `None`: weights drawn anew.
    input_tensor: Symbolic tensor that the model starts from, instead of a new input.
    input_shape: Shape of an image. With `include_top=True` and `weights="imagenet"` only the size that the
        weights were trained with; without a top, any size from the least one on, `None` for unknown ones.
    pooling: What becomes of the features without a top: `None`: they stay `(batch, height, width, channels)`;
        `"avg"`, `"max"`: `(batch, channels)`.
    classes: Number of classes of the top; 1000 with `weights="imagenet"`.
    classifier_activation: Activation of the top, `None` for logits; with trained weights one of
        `"softmax"` and `None`.
    include_preprocessing: Whether the model scales images of values 0 to 255 itself.
    name: Name of the model.

Raises:
    ValueError: weights that are no file; sizes, classes or an activation that the weights or the architecture
        do not allow.
    OSError: the weights are neither in the cache nor can be downloaded; the message says which file to put
        where.

Each family is a module of its name too, with `preprocess_input` (how its images are scaled) and
`decode_predictions` (names of ImageNet's classes).

Differs from Keras: an unknown `pooling`, and an `input_shape` that contradicts `input_tensor`, are refused.
"""

from torchkeras_lite.applications import (
    convnext,
    densenet,
    efficientnet,
    efficientnet_v2,
    imagenet_utils,
    inception_resnet_v2,
    inception_v3,
    mobilenet,
    mobilenet_v2,
    mobilenet_v3,
    nasnet,
    resnet,
    resnet50,
    resnet_v2,
    vgg16,
    vgg19,
    xception,
)
from torchkeras_lite.applications.convnext import (
    ConvNeXtBase,
    ConvNeXtLarge,
    ConvNeXtSmall,
    ConvNeXtTiny,
    ConvNeXtXLarge,
)
from torchkeras_lite.applications.densenet import DenseNet121, DenseNet169, DenseNet201
from torchkeras_lite.applications.efficientnet import (
    EfficientNetB0,
    EfficientNetB1,
    EfficientNetB2,
    EfficientNetB3,
    EfficientNetB4,
    EfficientNetB5,
    EfficientNetB6,
    EfficientNetB7,
)
from torchkeras_lite.applications.efficientnet_v2 import (
    EfficientNetV2B0,
    EfficientNetV2B1,
    EfficientNetV2B2,
    EfficientNetV2B3,
    EfficientNetV2L,
    EfficientNetV2M,
    EfficientNetV2S,
)
from torchkeras_lite.applications.inception_resnet_v2 import InceptionResNetV2
from torchkeras_lite.applications.inception_v3 import InceptionV3
from torchkeras_lite.applications.mobilenet import MobileNet
from torchkeras_lite.applications.mobilenet_v2 import MobileNetV2
from torchkeras_lite.applications.mobilenet_v3 import MobileNetV3Large, MobileNetV3Small
from torchkeras_lite.applications.nasnet import NASNetLarge, NASNetMobile
from torchkeras_lite.applications.resnet import ResNet50, ResNet101, ResNet152
from torchkeras_lite.applications.resnet_v2 import ResNet50V2, ResNet101V2, ResNet152V2
from torchkeras_lite.applications.vgg import VGG16, VGG19
from torchkeras_lite.applications.xception import Xception
from torchkeras_lite.base.old_names import old_members

__all__ = [
    "VGG16",
    "VGG19",
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "NASNetLarge",
    "NASNetMobile",
    "ResNet50",
    "ResNet50V2",
    "ResNet101",
    "ResNet101V2",
    "ResNet152",
    "ResNet152V2",
    "Xception",
    "convnext",
    "densenet",
    "efficientnet",
    "efficientnet_v2",
    "imagenet_utils",
    "inception_resnet_v2",
    "inception_v3",
    "mobilenet",
    "mobilenet_v2",
    "mobilenet_v3",
    "nasnet",
    "resnet",
    "resnet50",
    "resnet_v2",
    "vgg16",
    "vgg19",
    "xception",
]

__getattr__ = old_members(__name__)
