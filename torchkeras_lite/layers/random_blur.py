"""Images blurred at random in training."""

import math

import torch

from torchkeras_lite import imaging
from torchkeras_lite.base.checks import describe, int_tuple
from torchkeras_lite.layers.image_augmentation import factor_limits
from torchkeras_lite.layers.image_values import RandomValueLayer


class RandomGaussianBlur(RandomValueLayer):
    """Blurs some images by a Gaussian, in training.

    Args:
        factor: Limits of the probability, drawn for each image: two numbers from 0 to 1, or one number f for
            `(0, f)`.
        kernel_size: How many columns and how many rows count, odd: one integer or two.
        sigma: Limits of the standard deviation in pixels, drawn for each image and axis: two numbers >= 0, or
            one number s for `(0, s)`.
        value_range: The lowest and the highest value of the images; results stay inside.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        seed: Integer for a sequence of the layer's own that repeats; `None`: torch's global generator.

    Shapes:
        output = input, `(batch, height, width, channels)` or one image

    Raises:
        ValueError: `factor`, `sigma` or `value_range` of another form; an even `kernel_size`.

    Source: Keras 3 `keras.layers.RandomGaussianBlur`. Differs: every image has a `sigma` of its own, as
    documented there, where Keras draws one for the batch; a single `sigma` may be above 1; the sides of the
    kernel may differ.
    """

    def __init__(
        self,
        factor=1.0,
        kernel_size=3,
        sigma=1.0,
        value_range=(0, 255),
        data_format=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(value_range=value_range, data_format=data_format, seed=seed, **kwargs)
        self.factor = factor_limits(self, "factor", factor, bounds=(0.0, 1.0))
        self.kernel_size = int_tuple(self, "kernel_size", kernel_size, 2)
        if any(size % 2 == 0 for size in self.kernel_size):
            raise ValueError(
                f"{describe(self)}: kernel_size must be an odd number. Received: kernel_size={kernel_size}. "
                "Pass 3 or 5, so that a pixel is in the middle."
            )
        self.sigma = factor_limits(self, "sigma", sigma, bounds=(0.0, math.inf))

    def get_random_transformation(self, data, training=True, seed=None):
        """Return `{"should_apply_blur": (batch,), "blur_factor": (batch, 2)}`, the second for x and y."""
        if not training:
            return None
        chosen = self.chosen(data, self.factor, seed)
        sigma = self.uniform((*chosen.shape, 2), self.sigma, chosen, seed)
        return {"should_apply_blur": chosen, "blur_factor": sigma}

    def transform_values(self, images, should_apply_blur, blur_factor):
        """Blur what was chosen."""
        blurred = imaging.gaussian_blur(images, self.kernel_size, blur_factor, self.data_format)
        return self.clip(torch.where(self.per_image(should_apply_blur), blurred, images))
