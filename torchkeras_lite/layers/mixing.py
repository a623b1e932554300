"""Images and labels of a batch mixed with those of the same batch in another order, in training."""

import math
import numbers

import torch

from torchkeras_lite.base.checks import describe
from torchkeras_lite.layers.image_augmentation import RandomImageLayer, factor_limits, images_of
from torchkeras_lite.layers.random_patches import rectangles


def reordered(values, transformation):
    """Return `values`, one an image, in the other order of a transformation."""
    return values[torch.as_tensor(transformation["permutation_order"], device=values.device)]


class MixingLayer(RandomImageLayer):
    """Base of the layers that mix a batch with itself in another order, in training.

    Single images and inference leave everything as it is, apart from the dtype of the images, which is that
    of the layer.
    """

    def other_order(self, like, batch, seed):
        """Return the numbers from 0 to `batch` in a random order, on the device of `like`."""
        return torch.randperm(batch, device=like.device, generator=self.generator(like.device, seed))

    def beta(self, concentration, seed):
        """Return one value for each of the `concentration`s a, from the beta distribution of (a, a)."""
        pairs = torch.stack([concentration, concentration], -1)
        # Both parts can underflow to 0 for small a, which torch turns into a half; that is a draw, too.
        return torch._sample_dirichlet(pairs, self.generator(pairs.device, seed))[..., 0]

    def mix(self, values, transformation, rank):
        """Return `values`, of `rank` axes, blended with those of the other order.

        The `mix_weight` is the share of the first.
        """
        weight = torch.as_tensor(transformation["mix_weight"], dtype=values.dtype, device=values.device)
        return torch.lerp(reordered(values, transformation), values, weight.reshape(-1, *(1,) * (rank - 1)))

    def transform_labels(self, labels, transformation, training=True):
        """Return the labels blended as the images are.

        Raises:
            ValueError: they are class numbers, which cannot be blended.
        """
        labels = torch.as_tensor(labels)
        if not training or transformation is None:
            return labels
        if not labels.is_floating_point():
            if labels.ndim < 2:
                raise ValueError(
                    f"{describe(self)}: expected labels that can be blended, of shape (batch, classes); got "
                    f"class numbers of shape {tuple(labels.shape)} and dtype {labels.dtype}. Pass one-hot "
                    "labels: `keras.ops.one_hot(labels, num_classes)`."
                )
            labels = self.cast(labels)
        return self.mix(labels, transformation, labels.ndim)


class MixUp(MixingLayer):
    """Blends each image of a batch, and its label, with another one of the batch, in training.

    Args:
        alpha: How much is blended, a number > 0: the shares are drawn from the beta distribution of (alpha,
            alpha); small ones give mostly one of the two images.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        seed: Integer for a sequence of the layer's own that repeats; `None`: torch's global generator.

    Shapes:
        output = input, `(batch, height, width, channels)` or one image, which stays; labels
        `(batch, classes)`; of two lists of boxes `(batch, boxes, 4)` both are kept, `(batch, 2 * boxes, 4)`

    Raises:
        ValueError: `alpha` is no number above 0; labels that are class numbers.

    Source: Keras 3 `keras.layers.MixUp`; Zhang et al. 2017 (arXiv:1710.09412). Differs: masks are blended
    image by image and labels of boxes stay with their boxes, which Keras 3.15.1 mixes up.
    """

    def __init__(self, alpha=0.2, data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        if isinstance(alpha, bool) or not isinstance(alpha, numbers.Real) or not 0 < alpha < math.inf:
            raise ValueError(
                f"{describe(self)}: `alpha` must be a number above 0, got alpha={alpha!r}. Pass for example "
                "0.2."
            )
        self.alpha = alpha

    def get_random_transformation(self, data, training=True, seed=None):
        """Return `{"mix_weight": ..., "permutation_order": ...}`, both `(batch,)`."""
        images = torch.as_tensor(images_of(data))
        if not training or images.ndim == 3:
            return None
        batch = images.shape[0]
        alpha = torch.full((batch,), float(self.alpha), device=images.device)
        return {
            "mix_weight": self.beta(alpha, seed),
            "permutation_order": self.other_order(images, batch, seed),
        }

    def transform_images(self, images, transformation, training=True):
        """Blend."""
        images = self.cast(torch.as_tensor(images))
        return self.mix(images, transformation, 4) if training and transformation is not None else images

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        """Return the boxes of both images."""
        if not training or transformation is None:
            return bounding_boxes
        both = {}
        for key, axis in (("boxes", 1), ("labels", -1)):
            values = torch.as_tensor(bounding_boxes[key])
            both[key] = torch.cat([values, reordered(values, transformation)], axis)
        return {**bounding_boxes, **both}

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        """Return the masks blended as the images are, in floats."""
        masks = self.cast(torch.as_tensor(segmentation_masks))
        if not training or transformation is None:
            return masks
        return self.mix(masks, transformation, masks.ndim)


class CutMix(MixingLayer):
    """Puts a rectangle of another image of the batch into each, and blends the labels, in training.

    Args:
        factor: Limits of alpha, drawn once a batch: two numbers from 0 to 1, or one number f for `(0, f)`.
            The share of the first image is drawn from the beta distribution of (alpha, alpha); the rest is
            the area of the rectangle.
        seed: Integer for a sequence of the layer's own that repeats; `None`: torch's global generator.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.

    Shapes:
        output = input, `(batch, height, width, channels)` or one image, which stays; labels
        `(batch, classes)`; masks `(batch, height, width)` or with an axis of channels

    Raises:
        ValueError: `factor` of another form; labels that are class numbers.

    Source: Keras 3 `keras.layers.CutMix`; Yun et al. 2019 (arXiv:1905.04899). Differs: masks are cut in their
    own dtype, where Keras 3.15.1 gives them the channels of the images.
    """

    def __init__(self, factor=1.0, seed=None, data_format=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_limits(self, "factor", factor, bounds=(0.0, 1.0))

    def get_random_transformation(self, data, training=True, seed=None):
        """Return the other order `(batch,)`, the masks of the rectangles and the share of the first image.

        `{"permutation_order": ..., "batch_masks": ..., "mix_weight": (batch, 1, 1, 1)}`; the masks have one
        channel.
        """
        images = torch.as_tensor(images_of(data))
        if not training or images.ndim == 3:
            return None
        batch, *sizes = self.image_sizes(data)
        alpha = self.uniform((1,), self.factor, images, seed).clamp(min=1e-6)
        weight = self.beta(alpha.expand(batch), seed)
        sides = (1 - weight).clamp(min=0).sqrt()[:, None].expand(batch, 2)
        corners = self.uniform((batch, 2), (0.0, 1.0), images, seed)
        return {
            "permutation_order": self.other_order(images, batch, seed),
            "batch_masks": rectangles(corners, sides, sizes).unsqueeze(self.channel_axis),
            "mix_weight": self.per_image(weight),
        }

    def transform_images(self, images, transformation, training=True):
        """Put the rectangles in."""
        images = self.cast(torch.as_tensor(images))
        if not training or transformation is None:
            return images
        inside = torch.as_tensor(transformation["batch_masks"], device=images.device)
        return torch.where(inside, reordered(images, transformation), images)

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        """Put the same rectangles of the other masks in."""
        masks = torch.as_tensor(segmentation_masks)
        if not training or transformation is None:
            return masks
        inside = torch.as_tensor(transformation["batch_masks"], device=masks.device)
        inside = inside.narrow(self.channel_axis, 0, 1)
        if masks.ndim == 3:
            inside = inside.squeeze(self.channel_axis)
        return torch.where(inside, reordered(masks, transformation), masks)
