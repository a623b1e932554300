"""Images flipped, turned, moved, zoomed and sheared at random, in training."""

import torch

from torchkeras_lite import bounding_boxes as boxes_of
from torchkeras_lite.base.checks import one_of
from torchkeras_lite.layers.image_augmentation import RandomImageLayer, factor_limits, images_of
from torchkeras_lite.layers.random_warp import RandomWarp, affine_maps


class RandomFlip(RandomImageLayer):
    """Each image mirrored or not, with equal probability, in training.

    Args:
        mode: `"horizontal"` (left and right exchanged), `"vertical"` (top and bottom), or
            `"horizontal_and_vertical"`: both or none, that is turned by 180 degrees.
        seed: Integer for a sequence of the layer's own that repeats; `None`: torch's global generator.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        **kwargs: `bounding_box_format`, and those of `Layer`.

    Shapes:
        output = input `(batch, height, width, channels)` or one image

    Raises:
        ValueError: an unknown mode.

    Source: Keras 3 `keras.layers.RandomFlip`. Differs: masks without channels work.
    """

    def __init__(self, mode="horizontal_and_vertical", seed=None, data_format=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.mode = one_of(self, "mode", mode, ("horizontal", "vertical", "horizontal_and_vertical"))

    def get_random_transformation(self, data, training=True, seed=None):
        """Return which images are flipped."""
        if not training:
            return None
        images = images_of(data)
        drawn = self.uniform((self.image_sizes(data)[0], 1, 1, 1), (0.0, 1.0), images, seed)
        return {"flips": drawn <= 0.5, "input_shape": tuple(images.shape)}

    def transform_images(self, images, transformation, training=True):
        """Flip the images."""
        return self._flip(images, transformation, self.height_axis, self.width_axis, training)

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        """Flip the masks."""
        axes = self.height_axis, self.width_axis
        if segmentation_masks.ndim == 3:
            axes = 1, 2
        return self._flip(segmentation_masks, transformation, *axes, training)

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        """Flip the boxes."""
        if not training or transformation is None:
            return bounding_boxes
        shape = transformation["input_shape"]
        height, width = shape[self.height_axis], shape[self.width_axis]

        def flip(corners):
            flips = torch.as_tensor(transformation["flips"]).reshape(-1, *(1,) * (corners.ndim - 1))
            left, top, right, bottom = corners.unbind(-1)
            if "horizontal" in self.mode:
                left, right = width - right, width - left
            if "vertical" in self.mode:
                top, bottom = height - bottom, height - top
            return torch.where(flips, torch.stack([left, top, right, bottom], -1), corners)

        return self.transform_corners(bounding_boxes, (height, width), flip)

    def _flip(self, images, transformation, height_axis, width_axis, training):
        images = self.cast(images)
        if not training or transformation is None:
            return images
        axes = [
            axis
            for axis, name in ((width_axis, "horizontal"), (height_axis, "vertical"))
            if name in self.mode
        ]
        flips = torch.as_tensor(transformation["flips"]).reshape(-1, *(1,) * (images.ndim - 1))
        return torch.where(flips, images.flip(axes), images)


class RandomRotation(RandomWarp):
    """Each image turned around its middle by an angle that is drawn, in training.

    Args:
        factor: Lowest and highest angle as fractions of a full turn, counterclockwise, from -1 to 1; a number
            f stands for `(-f, f)`.
        fill_mode, interpolation, seed, fill_value, data_format, **kwargs: See `RandomWarp`.

    Shapes:
        output = input `(batch, height, width, channels)` or one image

    Raises:
        ValueError: a factor outside of the range, an unknown fill mode or interpolation.

    Source: Keras 3 `keras.layers.RandomRotation`.
    """

    def __init__(
        self,
        factor,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_limits(self, "factor", factor)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return the angles in degrees and the maps of the images."""
        if not training:
            return None
        images = images_of(data)
        batch, height, width = self.image_sizes(data)
        angle = self.uniform((batch,), self.factor, images, seed) * 360.0
        radians = torch.deg2rad(angle)
        cosine, sine = torch.cos(radians), torch.sin(radians)
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        shift_x = middle_x - cosine * middle_x + sine * middle_y
        shift_y = middle_y - sine * middle_x - cosine * middle_y
        matrix = affine_maps(cosine, -sine, shift_x, sine, cosine, shift_y)
        return {"angle": angle, "rotation_matrix": matrix, "input_shape": tuple(images.shape)}

    def output_to_input(self, transformation, height, width):
        """Return the drawn maps."""
        return torch.as_tensor(transformation["rotation_matrix"]).reshape(-1, 8)


class RandomTranslation(RandomWarp):
    """Each image moved by a distance that is drawn, in training.

    Args:
        height_factor: Lowest and highest distance down, fractions of the height from -1 to 1; a number f
            stands for `(-f, f)`.
        width_factor: Lowest and highest distance to the right, fractions of the width, likewise.
        fill_mode, interpolation, seed, fill_value, data_format, **kwargs: See `RandomWarp`.

    Shapes:
        output = input `(batch, height, width, channels)` or one image

    Raises:
        ValueError: a factor outside of the range, an unknown fill mode or interpolation.

    Source: Keras 3 `keras.layers.RandomTranslation`.
    """

    def __init__(
        self,
        height_factor,
        width_factor,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._height_limits = factor_limits(self, "height_factor", height_factor)
        self._width_limits = factor_limits(self, "width_factor", width_factor)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return how far the images move to the right and down, in pixels."""
        if not training:
            return None
        images = images_of(data)
        batch, height, width = self.image_sizes(data)
        down = self.uniform((batch,), self._height_limits, images, seed) * height
        right = self.uniform((batch,), self._width_limits, images, seed) * width
        return {"translations": torch.stack([right, down], -1), "input_shape": tuple(images.shape)}

    def output_to_input(self, transformation, height, width):
        """Return the maps back."""
        right, down = torch.as_tensor(transformation["translations"]).unbind(-1)
        return affine_maps(1.0, 0.0, -right, 0.0, 1.0, -down)


class RandomZoom(RandomWarp):
    """Each image made smaller or larger around its middle by a factor that is drawn, in training.

    Args:
        height_factor: Lowest and highest change, fractions above -1 up to 1: positive ones zoom out, negative
            ones in; a number f stands for `(-f, f)`.
        width_factor: The same for the width; `None` for that of the height, so that proportions stay.
        fill_mode, interpolation, seed, fill_value, data_format, **kwargs: See `RandomWarp`.

    Shapes:
        output = input `(batch, height, width, channels)` or one image

    Raises:
        ValueError: a factor outside of the range, an unknown fill mode or interpolation.

    Source: Keras 3 `keras.layers.RandomZoom`.
    """

    def __init__(
        self,
        height_factor,
        width_factor=None,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._height_limits = factor_limits(self, "height_factor", height_factor, above=True)
        self._width_limits = None
        if width_factor is not None:
            self._width_limits = factor_limits(self, "width_factor", width_factor, above=True)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return how many pixels of the input a pixel of the output spans, downwards and to the right."""
        if not training:
            return None
        images = images_of(data)
        shape = (self.image_sizes(data)[0], 1)
        zooms = [self.uniform(shape, self._height_limits, images, seed) + 1.0]
        if self._width_limits is not None:
            zooms.append(self.uniform(shape, self._width_limits, images, seed) + 1.0)
        return {"height_zoom": zooms[0], "width_zoom": zooms[-1], "input_shape": tuple(images.shape)}

    def output_to_input(self, transformation, height, width):
        """Return the maps around the middle."""
        down, right = (torch.as_tensor(transformation[f"{side}_zoom"])[:, 0] for side in ("height", "width"))
        shift_x, shift_y = (1.0 - right) * ((width - 1) / 2), (1.0 - down) * ((height - 1) / 2)
        return affine_maps(right, 0.0, shift_x, 0.0, down, shift_y)


class RandomShear(RandomWarp):
    """Each image slanted by a slope that is drawn, in training.

    Args:
        x_factor: Lowest and highest slope of the columns, from 0 to 1, in either direction; a number f stands
            for `(-f, f)`.
        y_factor: Lowest and highest slope of the rows, likewise.
        interpolation, fill_mode, fill_value, data_format, seed, **kwargs: See `RandomWarp`.

    Shapes:
        output = input `(batch, height, width, channels)` or one image

    Raises:
        ValueError: a factor outside of the range, an unknown fill mode or interpolation.

    Source: Keras 3 `keras.layers.RandomShear`, with its boxes, which slant in fractions of the image's sizes:
    they follow the image exactly where it is square and only one slope is not 0.
    """

    def __init__(
        self,
        x_factor=0.0,
        y_factor=0.0,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        data_format=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.x_factor = self._limits("x_factor", x_factor)
        self.y_factor = self._limits("y_factor", y_factor)

    def _limits(self, argument, factor):
        """Return the limits of a slope; the pair `(-f, f)`, as configs have it, is what a number gives."""
        pair = isinstance(factor, (list, tuple)) and len(factor) == 2
        if pair and factor[0] == -factor[1]:
            factor = factor[1]
        return factor_limits(self, argument, factor, (0.0, 1.0), both_ways=True)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return the slopes of the columns and of the rows."""
        if not training:
            return None
        images = images_of(data)
        batch = self.image_sizes(data)[0]
        slopes = [self.uniform((batch,), limits, images, seed) for limits in (self.x_factor, self.y_factor)]
        signs = self.uniform((batch, 2), (-1.0, 1.0), images, seed).sign()
        return {"shear_factor": torch.stack(slopes, -1) * signs, "input_shape": tuple(images.shape)}

    def output_to_input(self, transformation, height, width):
        """Return the maps that slant."""
        x, y = self._slopes(transformation)
        return affine_maps(1.0, x, 0.0, y, 1.0, 0.0)

    def move_corners(self, corners, transformation, height, width):
        """Slant the boxes along x, then what is around them along y, in fractions of the image's sizes."""
        slope_x, slope_y = (slope.unsqueeze(-1) for slope in self._slopes(transformation))
        slope_x, slope_y = slope_x * (width / height), slope_y * (height / width)
        corners = boxes_of.around(corners, lambda x, y: (x - slope_x * y, y))
        return boxes_of.around(corners, lambda x, y: (x, y - slope_y * x))

    @staticmethod
    def _slopes(transformation):
        return torch.as_tensor(transformation["shear_factor"]).unbind(-1)
