"""VGG16 under the name of its module in Keras."""

from torchkeras_lite.applications.vgg import VGG16, decode_predictions, preprocess_input

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]
