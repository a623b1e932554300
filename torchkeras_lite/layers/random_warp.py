"""The base of the random layers whose images are read at other places."""

import torch

from torchkeras_lite import bounding_boxes as boxes_of
from torchkeras_lite import imaging
from torchkeras_lite.base.checks import one_of
from torchkeras_lite.layers.image_augmentation import RandomImageLayer


class RandomWarp(RandomImageLayer):
    """Base of layers whose images are read at other places, in training: one projective map an image.

    A subclass defines `output_to_input`; `input_to_output` where that is known better than by inversion.

    Args:
        fill_mode: How images go on outside: `"reflect"` (dcba|abcd|dcba), `"wrap"` (abcd|abcd|abcd),
            `"constant"` (kkkk|abcd|kkkk) or `"nearest"` (aaaa|abcd|dddd).
        interpolation: `"bilinear"` or `"nearest"`; segmentation masks are always read with `"nearest"`.
        fill_value: The number outside for `"constant"`.
        **kwargs: Those of `RandomImageLayer`.

    Raises:
        ValueError: an unknown fill mode or interpolation.
    """

    fill_modes: tuple[str, ...] = ("reflect", "wrap", "constant", "nearest")

    def __init__(self, fill_mode="reflect", interpolation="bilinear", fill_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.fill_mode = one_of(self, "fill_mode", fill_mode, self.fill_modes)
        self.interpolation = one_of(self, "interpolation", interpolation, ("nearest", "bilinear"))
        self.fill_value = fill_value

    def output_to_input(self, transformation, height, width):
        """Return the maps `(batch, 8)` from places in the output to those in the input they show."""
        raise NotImplementedError

    def input_to_output(self, transformation, height, width):
        """Return the inverse maps, on which the boxes go."""
        return inverse_affine(self.output_to_input(transformation, height, width))

    def transform_images(self, images, transformation, training=True):
        """Read the images at other places."""
        images = self.cast(images)
        if not training or transformation is None:
            return images
        return self._warp_any(images, transformation, self.interpolation)

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        """Read the masks at other places; their values and dtype stay."""
        masks = segmentation_masks
        if not training or transformation is None:
            return masks
        return self._warp_any(masks, transformation, "nearest")

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        """Return the boxes around the moved corners of the boxes."""
        if not training or transformation is None:
            return bounding_boxes
        shape = transformation["input_shape"]
        height, width = int(shape[self.height_axis]), int(shape[self.width_axis])
        return self.transform_corners(
            bounding_boxes,
            (height, width),
            lambda corners: self.move_corners(corners, transformation, height, width),
        )

    def move_corners(self, corners, transformation, height, width):
        """Return the boxes around the moved corners of boxes (left, top, right, bottom) in pixels."""
        maps = self.input_to_output(transformation, height, width).unsqueeze(-1).unbind(1)
        a0, a1, a2, b0, b1, b2, c0, c1 = maps

        def move(x, y):
            depth = c0 * x + c1 * y + 1
            return (a0 * x + a1 * y + a2) / depth, (b0 * x + b1 * y + b2) / depth

        return boxes_of.around(corners, move)

    def _warp_any(self, images, transformation, interpolation):
        """Warp a batch, or one image."""
        if images.ndim == 3:
            return self.warp(images[None], transformation, interpolation)[0]
        return self.warp(images, transformation, interpolation)

    def warp(self, images, transformation, interpolation):
        """Return images read at other places, by the layer's fill mode."""
        height, width = images.shape[self.height_axis], images.shape[self.width_axis]
        transforms = self.output_to_input(transformation, height, width)
        return imaging.affine_transform(
            images, transforms, interpolation, self.fill_mode, self.fill_value, self.data_format
        )


def affine_maps(a0, a1, a2, b0, b1, b2):
    """Return maps `(batch, 8)` of six numbers for each image, at least one of them a tensor `(batch,)`."""
    values = [a0, a1, a2, b0, b1, b2, 0.0, 0.0]
    like = next(value for value in values if isinstance(value, torch.Tensor))
    columns = [value if isinstance(value, torch.Tensor) else torch.full_like(like, value) for value in values]
    return torch.stack(columns, -1)


def inverse_affine(maps):
    """Return the inverses of affine maps `(batch, 8)`."""
    a0, a1, a2, b0, b1, b2 = maps[:, :6].unbind(1)
    area = a0 * b1 - a1 * b0
    inverse = (b1, -a1, a1 * b2 - b1 * a2, -b0, a0, b0 * a2 - a0 * b2)
    return affine_maps(*(value / area for value in inverse))
