"""`tf.version`: the release of TensorFlow whose names and arguments the facade follows."""

VERSION = "2.21.0+torchkeras.lite"

__all__ = ["VERSION"]
