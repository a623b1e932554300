"""`tf.autodiff`."""

from torchkeras_lite.tf.tape import ForwardAccumulator, GradientTape

__all__ = ["ForwardAccumulator", "GradientTape"]
