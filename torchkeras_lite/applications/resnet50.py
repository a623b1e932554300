"""ResNet50 under the name of its module in Keras."""

from torchkeras_lite.applications.resnet import ResNet50, decode_predictions, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]
