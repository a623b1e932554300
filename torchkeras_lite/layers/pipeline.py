"""Pipeline: image layers one after the other, as one layer."""

from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.serialization import deserialize_keras_object, serialize_keras_object
from torchkeras_lite.engine.call_signature import CallSignature
from torchkeras_lite.engine.layer import Layer


class Pipeline(Layer):
    """Layers called one after the other, such as the steps that prepare images for a data set.

    Takes what its layers take: images alone or dicts with labels, boxes and masks, one image or a batch.
    Without a `training` argument its layers augment, as the image layers do on their own.

    Args:
        layers: List of layers.
        name: Name of the layer.

    Shapes:
        those of the layers

    Raises:
        ValueError: `layers` is no list of layers.

    Source: Keras 3 `keras.layers.Pipeline`. Differs: an empty one passes its input on.
    """

    watches_mode = False

    def __init__(self, layers, name=None):
        super().__init__(name=name)
        if not isinstance(layers, (list, tuple)) or not all(isinstance(layer, Layer) for layer in layers):
            raise ValueError(
                f"{describe(self)}: expected `layers` to be a list of layers, got {layers!r}. Wrap a plain "
                "function in a `Lambda`."
            )
        self.layers = list(layers)
        self._take_masks = [CallSignature(type(layer).call).keywords >= {"mask"} for layer in self.layers]

    def call(self, inputs, training=True, mask=None):
        """Call the layers, one after the other."""
        for layer, takes_mask in zip(self.layers, self._take_masks, strict=True):
            masks = {"mask": mask} if takes_mask and mask is not None else {}
            inputs = layer(inputs, training=training, **masks)
        return inputs

    def _masks_end_here(self):
        return False  # its layers have them

    def get_config(self):
        """Return the constructor's arguments."""
        return {"layers": [serialize_keras_object(layer) for layer in self.layers], "name": self.name}

    @classmethod
    def from_config(cls, config):
        """Return a new pipeline of new layers."""
        layers = config.get("layers")
        if isinstance(layers, list):
            layers = [deserialize_keras_object(layer) for layer in layers]
        return cls(layers, name=config.get("name"))
