"""What Keras keeps under `keras.legacy`: configs in the form of Keras 2."""

from torchkeras_lite.legacy import saving

__all__ = ["saving"]
