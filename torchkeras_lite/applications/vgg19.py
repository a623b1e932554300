"""VGG19 under the name of its module in Keras."""

from torchkeras_lite.applications.vgg import VGG19, decode_predictions, preprocess_input

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]
