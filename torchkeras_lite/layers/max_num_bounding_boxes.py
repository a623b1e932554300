"""MaxNumBoundingBoxes: the same number of boxes for all images."""

import torch
import torch.nn.functional as F

from torchkeras_lite.layers.image_augmentation import BaseImagePreprocessingLayer
from torchkeras_lite.layers.spatial_arguments import count


class MaxNumBoundingBoxes(BaseImagePreprocessingLayer):
    """Cuts the boxes of each image to a number, or pads them to it; the rest passes through.

    Args:
        max_number: Number of boxes in the output.
        fill_value: Coordinates and label of boxes that are added.
        **kwargs: `bounding_box_format`, `data_format`, and those of `Layer`.

    Shapes:
        boxes `(batch, boxes, 4)` -> `(batch, max_number, 4)`, labels `(batch, boxes)` -> `(batch,
        max_number)`

    Raises:
        ValueError: `max_number` is no positive integer.

    Source: Keras 3 `keras.layers.MaxNumBoundingBoxes`. Differs: the config has a `fill_value` that is not -1.
    """

    def __init__(self, max_number, fill_value=-1, **kwargs):
        super().__init__(**kwargs)
        self.max_number = count(self, "max_number", max_number)
        self.fill_value = fill_value

    def transform_images(self, images, transformation=None, training=True):
        """Return the images as they are."""
        return images

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        """Return the masks as they are."""
        return segmentation_masks

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        """Cut or pad the boxes, and all that is given for each."""
        return {key: self._fit(torch.as_tensor(values)) for key, values in bounding_boxes.items()}

    def _fit(self, values):
        """Cut or pad the second axis."""
        missing = self.max_number - values.shape[1]
        after = (0, 0) * (values.ndim - 2)
        return F.pad(values[:, : self.max_number], (*after, 0, max(missing, 0)), value=self.fill_value)

    def get_config(self):
        """Return the constructor's arguments."""
        config = {**super().get_config(), "max_number": self.max_number}
        return config if self.fill_value == -1 else {**config, "fill_value": self.fill_value}
