"""The layer that Keras's InceptionResNetV2 holds and Keras does not export; files of such models need it."""

from torchkeras_lite.engine.layer import Layer


class CustomScaleLayer(Layer):
    """Adds the second of two inputs, scaled, to the first.

    Args:
        scale: What the second input is multiplied by.

    Shapes:
        two inputs `(batch, ...)` of one shape -> the same

    Source: Keras 3 `keras.src.applications.inception_resnet_v2.CustomScaleLayer`; Szegedy et al. 2016
    (arXiv:1602.07261).
    """

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs):
        """Scale and add."""
        first, second = inputs
        return first + second * self.scale
