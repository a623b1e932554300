"""Images seen from another side, or bent, at random, in training."""

import torch

from torchkeras_lite import imaging
from torchkeras_lite.base.checks import unit_interval
from torchkeras_lite.layers.image_augmentation import factor_limits, images_of, value_range_pair
from torchkeras_lite.layers.random_warp import RandomWarp


def drawn_for(layer, images, batch, seed):
    """Return which images of a batch change, each with a probability drawn from the layer's `factor`."""
    probability = layer.uniform((batch,), layer.factor, images, seed)
    return layer.uniform((batch,), (0.0, 1.0), images, seed) < probability


class RandomPerspective(RandomWarp):
    """Some images seen from another side, in training: their corners move, except the first.

    Args:
        factor: Lowest and highest probability for an image, from 0 to 1; a number f stands for `(0, f)`.
        scale: How far the corners move, from 0 to 1: at most half of the size of the image times this.
        interpolation: `"bilinear"` or `"nearest"`; segmentation masks are always read with `"nearest"`.
        fill_value: The number outside of the images.
        seed: Integer for a sequence of the layer's own that repeats; `None`: torch's global generator.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        **kwargs: `bounding_box_format`, and those of `Layer`.

    Shapes:
        output = input `(batch, height, width, channels)` or one image

    Raises:
        ValueError: a factor or scale outside of the range, an unknown interpolation.

    Source: Keras 3 `keras.layers.RandomPerspective`.
    """

    def __init__(
        self,
        factor=1.0,
        scale=1.0,
        interpolation="bilinear",
        fill_value=0.0,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__("constant", interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_limits(self, "factor", factor, (0, 1))
        self.scale = unit_interval(self, "scale", scale)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return which images change, and the corners before and after."""
        if not training:
            return None
        images = images_of(data)
        batch, height, width = self.image_sizes(data)
        applied = drawn_for(self, images, batch, seed)
        right = torch.arange(2.0, device=images.device).mul(width - 1).repeat(2)
        bottom = torch.arange(2.0, device=images.device).mul(height - 1).repeat_interleave(2)
        start = torch.stack([right, bottom], -1).expand(batch, 4, 2)
        moves = self.uniform((batch, 4, 2), (-0.5 * self.scale, 0.5 * self.scale), images, seed)
        return {
            "apply_perspective": applied,
            "start_points": start,
            "end_points": start + start * moves,
            "input_shape": tuple(images.shape),
        }

    def output_to_input(self, transformation, height, width):
        """Return the maps from the corners after to those before."""
        return self._maps(transformation, "end_points", "start_points")

    def input_to_output(self, transformation, height, width):
        """Return the maps from the corners before to those after."""
        return self._maps(transformation, "start_points", "end_points")

    def warp(self, images, transformation, interpolation):
        """Return the chosen images with their corners moved."""
        warped = super().warp(images, transformation, interpolation)
        return torch.where(self.per_image(transformation["apply_perspective"]), warped, images)

    @staticmethod
    def _maps(transformation, points, targets):
        """Return the maps that send some corners to others, and the identity for images that stay."""
        start = torch.as_tensor(transformation["start_points"], dtype=torch.float32)
        applied = torch.as_tensor(transformation["apply_perspective"]).reshape(-1, 1, 1)
        points, targets = (
            torch.where(applied, torch.as_tensor(transformation[name], dtype=torch.float32), start)
            for name in (points, targets)
        )
        return imaging.perspective_vectors(points, targets)


class RandomElasticTransform(RandomWarp):
    """Some images bent as if printed on rubber, in training.

    Args:
        factor: Lowest and highest probability for an image, from 0 to 1; a number f stands for `(0, f)`.
        scale: Lowest and highest strength, from 0 to 1, likewise. At 1 the noise that moves the pixels is
            smoothed over a twentieth of the shorter side, and multiplied by a tenth of it.
        interpolation: `"bilinear"` or `"nearest"`; segmentation masks are always read with `"nearest"`.
        fill_mode: How images go on outside; see `RandomWarp`, and `"mirror"` (dcb|abcd|cba).
        fill_value: The number outside for `"constant"`.
        value_range: Lowest and highest value of images; what is bent is kept within.
        seed: Integer for a sequence of the layer's own that repeats; `None`: torch's global generator.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        **kwargs: Those of `Layer`.

    Shapes:
        output = input `(batch, height, width, channels)` or one image

    Raises:
        ValueError: a factor or scale outside of the range, an unknown fill mode or interpolation, no range.
        NotImplementedError: inputs with bounding boxes, as in Keras.

    Source: Keras 3 `keras.layers.RandomElasticTransform`. Differs: every image has a strength of its own, and
    masks of integers work.
    """

    fill_modes = ("reflect", "wrap", "constant", "nearest", "mirror")

    def __init__(
        self,
        factor=1.0,
        scale=1.0,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        value_range=(0, 255),
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_limits(self, "factor", factor, (0, 1))
        self.scale = factor_limits(self, "scale", scale, (0, 1))
        self.value_range = value_range_pair(self, value_range)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return which images change, how strongly, and the noise."""
        if not training:
            return None
        images = images_of(data)
        batch, height, width = self.image_sizes(data)
        return {
            "apply_transform": drawn_for(self, images, batch, seed),
            "distortion_factor": self.uniform((batch,), self.scale, images, seed),
            "noise": self._noise((batch, height, width), images, seed),
            "input_shape": tuple(images.shape),
        }

    def transform_images(self, images, transformation, training=True):
        """Bend the images, in training."""
        images = super().transform_images(images, transformation, training)
        if not training or transformation is None:
            return images
        return torch.where(self._bent(transformation, images), images.clamp(*self.value_range), images)

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        """Refuse: where the corners of a box go does not tell where what is in it goes."""
        return super(RandomWarp, self).transform_bounding_boxes(bounding_boxes, transformation, training)

    def warp(self, images, transformation, interpolation):
        """Return the chosen images, bent."""
        height, width = images.shape[self.height_axis], images.shape[self.width_axis]
        side = min(height, width)
        strength = torch.as_tensor(transformation["distortion_factor"], device=images.device) * side
        if "noise" in transformation:
            noise = transformation["noise"]
        else:  # Keras gives the seed of the noise
            noise = self._noise((images.shape[0], height, width), images, transformation["seed"])
        bent = imaging.elastic_transform(
            images,
            noise,
            0.1 * strength,
            0.05 * strength,
            interpolation,
            self.fill_mode,
            self.fill_value,
            self.data_format,
            size=max(1, int(6 * 0.05 * side * self.scale[1]) | 1),
        )
        return torch.where(self._bent(transformation, images), bent, images)

    @staticmethod
    def _bent(transformation, images):
        """Return which images change, as a tensor that broadcasts to them."""
        chosen, strength = (
            torch.as_tensor(transformation[name], device=images.device)
            for name in ("apply_transform", "distortion_factor")
        )
        return (chosen & (strength > 0)).reshape(-1, *(1,) * (images.ndim - 1))

    def _noise(self, shape, images, seed):
        generator = self.generator(images.device, seed)
        return torch.randn((*shape, 2), device=images.device, generator=generator)
