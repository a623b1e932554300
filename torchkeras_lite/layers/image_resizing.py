"""Images of another size: resized, or cut to it."""

import math
from typing import Any, NamedTuple

import torch

from torchkeras_lite import bounding_boxes as boxes_of
from torchkeras_lite import imaging
from torchkeras_lite.base.checks import describe, one_of
from torchkeras_lite.layers.image_augmentation import (
    BaseImagePreprocessingLayer,
    RandomImageLayer,
    images_of,
)
from torchkeras_lite.layers.spatial_arguments import count


class Resizing(BaseImagePreprocessingLayer):
    """Images of a new size, in training and inference alike.

    Args:
        height: Height of the output in pixels.
        width: Width of the output in pixels.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`; segmentation
            masks are always resized with `"nearest"`.
        crop_to_aspect_ratio: Whether the largest part in the middle that has the new proportions is taken, so
            that nothing is stretched.
        pad_to_aspect_ratio: Whether edges are added to that end instead.
        fill_mode: How the edges are filled: `"constant"`.
        fill_value: The number in the edges.
        antialias: Whether smaller images are smoothed first.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        **kwargs: `bounding_box_format`, and those of `Layer`.

    Shapes:
        input `(batch, height, width, channels)` or one image -> output of the same form, in the dtype of the
        input if that is an integer

    Raises:
        ValueError: sizes that are no positive integers, an unknown interpolation or fill mode, or cropping
            and padding together.

    Source: Keras 3 `keras.layers.Resizing`; torch's `F.interpolate`. Differs: Lanczos works on torch too.
    """

    def __init__(
        self,
        height,
        width,
        interpolation="bilinear",
        crop_to_aspect_ratio=False,
        pad_to_aspect_ratio=False,
        fill_mode="constant",
        fill_value=0.0,
        antialias=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.height = count(self, "height", height)
        self.width = count(self, "width", width)
        self.interpolation = one_of(self, "interpolation", interpolation, tuple(imaging.INTERPOLATIONS))
        self.fill_mode = one_of(self, "fill_mode", fill_mode, ("constant",))
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(
                f"{describe(self)}: Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`."
            )
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_value = fill_value
        self.antialias = antialias

    def get_random_transformation(self, data, training=True, seed=None):
        """Return the height and width of the images: nothing is drawn."""
        return self.image_sizes(data)[1:]

    def transform_images(self, images, transformation=None, training=True):
        """Resize the images."""
        return self._resize(images, self.interpolation)

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        """Resize the masks, whose values stay as they are."""
        return self._resize(segmentation_masks, "nearest")

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        """Move and scale the boxes as the images are."""
        height, width = transformation
        scale_x, scale_y, left, top = self.width / width, self.height / height, 0, 0
        if self.crop_to_aspect_ratio or self.pad_to_aspect_ratio:
            nearest, whole = (max, math.floor) if self.crop_to_aspect_ratio else (min, math.ceil)
            scale_x = scale_y = nearest(scale_x, scale_y)
            left = int((self.width - whole(width * scale_x)) / 2)
            top = int((self.height - whole(height * scale_y)) / 2)

        def move(corners):
            x, y = corners[..., 0::2] * scale_x + left, corners[..., 1::2] * scale_y + top
            return torch.stack([x, y], -1).flatten(-2)

        return self.transform_corners(bounding_boxes, transformation, move, (self.height, self.width))

    def _resize(self, images, interpolation):
        return imaging.resize(
            images,
            (self.height, self.width),
            interpolation,
            self.antialias and interpolation != "nearest",
            self.data_format,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_value=self.fill_value,
        )


class CenterCrop(BaseImagePreprocessingLayer):
    """The middle of images, in training and inference alike.

    From images smaller than the output, the largest part in the middle that has its proportions is resized.

    Args:
        height: Height of the output in pixels.
        width: Width of the output in pixels.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        **kwargs: `bounding_box_format`, and those of `Layer`.

    Shapes:
        input `(batch, height, width, channels)` or one image -> output of the same form

    Raises:
        ValueError: sizes that are no positive integers.

    Source: Keras 3 `keras.layers.CenterCrop`. Differs: segmentation masks are never interpolated, because
    the mean of two classes is no class.
    """

    def __init__(self, height, width, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.height = count(self, "height", height)
        self.width = count(self, "width", width)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return the shape of the images: nothing is drawn."""
        return {"input_shape": tuple(images_of(data).shape)}

    def transform_images(self, images, transformation=None, training=True):
        """Cut the images."""
        return self._crop(self.cast(images), "bilinear")

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        """Cut the masks."""
        return self._crop(self.cast(segmentation_masks), "nearest")

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        """Move the boxes as the images are cut."""
        shape = transformation["input_shape"]
        height, width = shape[self.height_axis], shape[self.width_axis]
        kept = self.height, self.width
        if not self._fits(height, width):
            kept = window(height, width, self.height, self.width)
        top, left = (height - kept[0]) // 2, (width - kept[1]) // 2
        scale_y, scale_x = self.height / kept[0], self.width / kept[1]

        def move(corners):
            x, y = (corners[..., 0::2] - left) * scale_x, (corners[..., 1::2] - top) * scale_y
            return torch.stack([x, y], -1).flatten(-2)

        return self.transform_corners(bounding_boxes, (height, width), move, (self.height, self.width))

    def _fits(self, height, width):
        return height >= self.height and width >= self.width

    def _crop(self, images, interpolation):
        height, width = images.shape[self.height_axis], images.shape[self.width_axis]
        size = (self.height, self.width)
        if not self._fits(height, width):
            return imaging.resize(
                images, size, interpolation, data_format=self.data_format, crop_to_aspect_ratio=True
            )
        top, left = (height - self.height) // 2, (width - self.width) // 2
        rows = images.narrow(self.height_axis, top, self.height)
        return rows.narrow(self.width_axis, left, self.width)


def window(height, width, new_height, new_width):
    """Return the height and width of the largest part of an image that has the proportions of a new size."""
    kept_height = max(min(height, int(width * new_height / new_width)), 1)
    kept_width = max(min(width, int(height * new_width / new_height)), 1)
    return kept_height, kept_width


class CropPlace(NamedTuple):
    """Where images are cut: first row and column, numbers or tensors with one an image, and their size."""

    top: Any
    left: Any
    height: int | None = None
    width: int | None = None


class RandomCrop(RandomImageLayer):
    """A part of each image, at a place that is drawn in training; in inference images pass through.

    From images smaller than the output in one of the axes, a part in the middle is resized to it.

    Args:
        height: Height of the output in pixels.
        width: Width of the output in pixels.
        seed: Integer for a sequence of the layer's own that repeats; `None`: torch's global generator.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        name: Name of the layer.
        **kwargs: `bounding_box_format`, and those of `Layer`.

    Shapes:
        input `(batch, height, width, channels)` or one image -> output of the same form

    Raises:
        ValueError: sizes that are no positive integers.

    Source: Keras 3 `keras.layers.RandomCrop`. Differs: every image of a batch has a place of its own; boxes
    follow the images (Keras 3.15 exchanges their x and y), and lose their labels outside; masks are never
    interpolated.
    """

    def __init__(self, height, width, seed=None, data_format=None, name=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, name=name, **kwargs)
        self.height = count(self, "height", height)
        self.width = count(self, "width", width)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return a `CropPlace`; a plain tuple of a first row and column does as well."""
        batch, height, width = self.image_sizes(data)
        if not training:
            return CropPlace(0, 0, height, width)
        if height < self.height or width < self.width:
            kept_height, kept_width = window(height, width, self.height, self.width)
            return CropPlace((height - kept_height) // 2, (width - kept_width) // 2, height, width)
        images = images_of(data)
        generator = self.generator(images.device, seed)
        top, left = (
            torch.randint(0, spare + 1, (batch,), device=images.device, generator=generator)
            for spare in (height - self.height, width - self.width)
        )
        return CropPlace(top, left, height, width)

    def transform_images(self, images, transformation, training=True):
        """Cut the images, in training."""
        return self._crop(self.cast(images), transformation, "bilinear") if training else images

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        """Cut the masks, in training."""
        masks = segmentation_masks
        return self._crop(self.cast(masks), transformation, "nearest") if training else masks

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        """Move the boxes as the images are cut, in training."""
        if not training:
            return bounding_boxes
        top, left, height, width = CropPlace(*transformation)
        scale_x = scale_y = 1.0
        if height is not None and (height < self.height or width < self.width):
            scale_y, scale_x = (
                self.height / min(self.height, height - top),
                self.width / min(self.width, width - left),
            )

        def move(corners):
            corners = boxes_of.pad(corners, -top, -left)
            x, y = corners[..., 0::2] * scale_x, corners[..., 1::2] * scale_y
            return torch.stack([x, y], -1).flatten(-2)

        return self.transform_corners(bounding_boxes, (height, width), move, (self.height, self.width))

    def _crop(self, images, transformation, interpolation):
        top, left = transformation[:2]
        height, width = images.shape[self.height_axis], images.shape[self.width_axis]
        if height < self.height or width < self.width:
            rows = images.narrow(self.height_axis, top, min(self.height, height - top))
            part = rows.narrow(self.width_axis, left, min(self.width, width - left))
            size = (self.height, self.width)
            return imaging.resize(part, size, interpolation, data_format=self.data_format)
        first = torch.arange(images.shape[0], device=images.device).view(-1, 1, 1)
        rows = self._indices(top, self.height, images).unsqueeze(2)
        columns = self._indices(left, self.width, images).unsqueeze(1)
        last = images.movedim(self.channel_axis, -1)
        return last[first, rows, columns].movedim(-1, self.channel_axis)

    @staticmethod
    def _indices(start, length, images):
        """Return the indices `(batch, length)` from `start`, one number or one an image."""
        starts = torch.as_tensor(start, device=images.device).reshape(-1, 1)
        return starts + torch.arange(length, device=images.device)
