"""The base of the layers that prepare images: one call for images, labels, boxes and masks together."""

import numbers

import torch

from torchkeras_lite import bounding_boxes as boxes_of
from torchkeras_lite.base import config, dtypes
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.layers.regularization import draws
from torchkeras_lite.random.seed_generator import torch_generator


class BaseImagePreprocessingLayer(Layer):
    """Base of layers that prepare images: a transformation is drawn once and applied to all that is given.

    Such a layer takes images, or a dict with `"images"` and any of `"labels"`, `"bounding_boxes"` (a dict of
    `"boxes"` and `"labels"`) and `"segmentation_masks"`; other entries pass through. It takes one image or a
    batch, as tensors, NumPy arrays or symbols, so that it works in models, called directly and in data
    pipelines. Called without a `training` argument, and before `train()` or `eval()` was, it transforms.

    A subclass defines the methods it needs, all on batches: `get_random_transformation` and
    `transform_images`, `transform_labels`, `transform_bounding_boxes`, `transform_segmentation_masks`.

    Args:
        bounding_box_format: Format of the boxes, such as `"xyxy"` (see `keras.utils.bounding_boxes`); needed
            for inputs with boxes.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        **kwargs: Those of `Layer`.

    Raises:
        ValueError: an unknown format; in a call images without 3 or 4 axes, boxes without a format, or boxes
            that are no dict of `"boxes"` and `"labels"`.

    Source: Keras 3, the base of its image layers.
    """

    watches_mode = False
    config_omits_none: tuple[str, ...] = ("bounding_box_format",)
    config_adds = ("data_format",)

    def __init__(self, bounding_box_format=None, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.bounding_box_format = bounding_box_format
        if bounding_box_format is not None:
            boxes_of.check_format(bounding_box_format)
        self.data_format = config.standardize_data_format(data_format, self)
        last = self.data_format == "channels_last"
        self.height_axis, self.width_axis, self.channel_axis = (-3, -2, -1) if last else (-2, -1, -3)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return what to do to each image of `data` (images, or a dict with `"images"`); by default `None`.

        Args:
            data: Images, one or a batch, or the dict with them.
            training: Whether to draw; a layer that acts in training only returns `None` without it.
            seed: An integer or `SeedGenerator` to draw from instead of the layer's own.
        """
        return None

    def transform_images(self, images, transformation, training=True):
        """Return a batch of images, transformed."""
        raise NotImplementedError(
            f"{describe(self)} defines no `transform_images(images, transformation, training)`. Define it."
        )

    def transform_labels(self, labels, transformation, training=True):
        """Return the labels of a batch of images; by default as they are."""
        return labels

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        """Return the boxes of a batch, a dict of `"boxes"` `(batch, boxes, 4)` and `"labels"`."""
        raise NotImplementedError(
            f"{describe(self)}: cannot transform bounding boxes. Leave out 'bounding_boxes', or define "
            "`transform_bounding_boxes(bounding_boxes, transformation, training)`."
        )

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        """Return the masks of a batch, `(batch, height, width, ...)`."""
        raise NotImplementedError(
            f"{describe(self)}: cannot transform segmentation masks. Leave out 'segmentation_masks', or "
            "define `transform_segmentation_masks(segmentation_masks, transformation, training)`."
        )

    def transform_single_image(self, image, transformation, training=True):
        """Return one image, transformed as a batch of one."""
        return self.transform_images(image[None], transformation, training=training).squeeze(0)

    def transform_single_label(self, label, transformation, training=True):
        """Return the label of one image."""
        label = torch.as_tensor(label)
        return self.transform_labels(label[None], transformation, training=training).squeeze(0)

    def transform_single_bounding_box(self, bounding_box, transformation, training=True):
        """Return the boxes of one image, a dict of `"boxes"` `(boxes, 4)` and `"labels"` `(boxes,)`."""
        self._check_boxes(bounding_box)
        batch = {key: value[None] for key, value in bounding_box.items()}
        batch = self.transform_bounding_boxes(batch, transformation, training=training)
        return {key: value.squeeze(0) for key, value in batch.items()}

    def transform_single_segmentation_mask(self, segmentation_mask, transformation, training=True):
        """Return the mask of one image."""
        batch = segmentation_mask[None]
        return self.transform_segmentation_masks(batch, transformation, training=training).squeeze(0)

    def call(self, data, training=True):
        """Draw a transformation and apply it to the images and all that comes with them."""
        parts = data if isinstance(data, dict) else {"images": data}
        batched = self._is_batched(parts)
        transformation = self.get_random_transformation(data, training=training)
        transformed = dict(parts)
        for key, (whole, single) in _METHODS.items():
            if key in parts:
                if key == "bounding_boxes":
                    self._check_boxes(parts[key])
                method = getattr(self, whole if batched else single)
                transformed[key] = method(parts[key], transformation=transformation, training=training)
        return transformed if isinstance(data, dict) else transformed["images"]

    def image_sizes(self, data):
        """Return `(batch, height, width)` of the images in `data`; the batch of a single image is 1."""
        shape = images_of(data).shape
        batch = shape[0] if len(shape) == 4 else 1
        return batch, shape[self.height_axis], shape[self.width_axis]

    def transform_corners(self, bounding_boxes, sizes, transform, new_sizes=None):
        """Return boxes of which `transform` changed the corners, cut at the edges of the images.

        Boxes without an area left get label -1.

        Args:
            bounding_boxes: A dict with `"boxes"` in the layer's format and `"labels"`.
            sizes: Height and width of the images.
            transform: Function from and to boxes (left, top, right, bottom) in pixels.
            new_sizes: Height and width of the transformed images; `None`: as before.
        """
        name, (height, width) = self.bounding_box_format, sizes
        corners = boxes_of.convert_format(
            bounding_boxes["boxes"], name, "xyxy", height, width, dtype=self.compute_dtype
        )
        height, width = new_sizes or sizes
        boxes = boxes_of.clip_to_image_size({**bounding_boxes, "boxes": transform(corners)}, height, width)
        return boxes_of.convert_format(boxes, "xyxy", name, height, width, dtype=self.compute_dtype)

    def cast(self, images):
        """Return `images` in the dtype of the layer's computation."""
        return torch.as_tensor(images).to(dtypes.torch_dtype(self.compute_dtype))

    def per_image(self, values):
        """Return `values`, one an image of a batch, as a tensor that broadcasts to the images."""
        return torch.as_tensor(values).reshape(-1, 1, 1, 1)

    def _is_batched(self, parts):
        if "images" not in parts:
            raise ValueError(
                f"{describe(self)}: expected a dict with the key 'images', got the keys "
                f"{', '.join(map(repr, parts))}. Put the images under 'images'."
            )
        shape = tuple(getattr(parts["images"], "shape", ()))
        if len(shape) not in (3, 4):
            raise ValueError(
                f"{describe(self)}: Expected image tensor to have rank 3 (single image) or 4 (batch of "
                f"images). Received: data.shape={shape}. Add or remove axes."
            )
        return len(shape) == 4

    def _check_boxes(self, bounding_boxes):
        if self.bounding_box_format is None:
            raise ValueError(
                f"{describe(self)}: You passed an input with a 'bounding_boxes' key, but you didn't specify "
                f"a bounding box format. Pass a `bounding_box_format` argument to your {type(self).__name__} "
                "layer, e.g. `bounding_box_format='xyxy'`."
            )
        if not isinstance(bounding_boxes, dict) or not {"boxes", "labels"} <= bounding_boxes.keys():
            found = sorted(bounding_boxes) if isinstance(bounding_boxes, dict) else type(bounding_boxes)
            raise ValueError(
                f"{describe(self)}: Expected `bounding_boxes` to be a dict with keys 'boxes' and 'labels', "
                f"got {found}. Pass boxes of shape (batch, boxes, 4) and labels of shape (batch, boxes)."
            )


# In Keras's order: boxes may be looked at by `transform_labels`, never the other way round.
_METHODS = {
    "images": ("transform_images", "transform_single_image"),
    "bounding_boxes": ("transform_bounding_boxes", "transform_single_bounding_box"),
    "labels": ("transform_labels", "transform_single_label"),
    "segmentation_masks": ("transform_segmentation_masks", "transform_single_segmentation_mask"),
}


class RandomImageLayer(BaseImagePreprocessingLayer):
    """Base of image layers that draw, in training only; without `training` they give what they got.

    Args:
        seed: Integer for a sequence of the layer's own that repeats; `None`: torch's global generator.
        **kwargs: Those of `BaseImagePreprocessingLayer`.

    Raises:
        ValueError: `seed` is neither an integer nor `None`.
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self._draws = draws(self, seed)
        self.seed = seed

    def generator(self, device, seed=None):
        """Return the generator to draw with on `device`; `None` stands for torch's global one.

        Args:
            device: Device of the numbers that are drawn.
            seed: An integer or `SeedGenerator` to draw from instead of the layer's own.
        """
        return self._draws.generator(device) if seed is None else torch_generator(seed, device)

    def uniform(self, shape, limits, like, seed=None):
        """Return float32 values between the two `limits`, on the device of `like`."""
        low, high = limits
        drawn = torch.rand(shape, device=like.device, generator=self.generator(like.device, seed))
        return drawn * (high - low) + low


def images_of(data):
    """Return the images in `data`, which are it, or under `"images"` in it."""
    return data["images"] if isinstance(data, dict) else data


def rescale_values(images, source, target):
    """Return `images` whose values lie in the range `source`, a pair, mapped to the range `target`."""
    if tuple(source) == tuple(target):
        return images
    (low, high), (new_low, new_high) = source, target
    return (images - low) / (high - low) * (new_high - new_low) + new_low


def value_range_pair(layer, value_range):
    """Return `value_range`, the lowest and the highest value of images, as it is.

    Raises:
        ValueError: it is no pair of rising numbers.
    """
    pair = isinstance(value_range, (list, tuple)) and len(value_range) == 2
    if not pair or not all(map(_is_number, value_range)) or value_range[0] >= value_range[1]:
        raise ValueError(
            f"{describe(layer)}: The `value_range` argument should be a list of two numbers, the lower first."
            f" Received: value_range={value_range}. Pass the range of the values of your images, such as "
            "(0, 255)."
        )
    return value_range


def factor_limits(layer, argument, factor, bounds=(-1.0, 1.0), *, both_ways=None, above=False):
    """Return the lower and upper limit that `factor` stands for: a pair, or a number for a range that ends
    there.

    Args:
        layer: The layer, for messages.
        argument: Name of its argument.
        factor: A number or two.
        bounds: The lowest and highest number allowed.
        both_ways: Whether a single number f stands for `(-f, f)`, else `(0, f)`; by default where `bounds`
            has negative numbers.
        above: Whether the lowest number itself is not allowed.

    Raises:
        ValueError: another form, or numbers outside of `bounds`.
    """
    limits = (factor,) if _is_number(factor) else factor
    well_formed = isinstance(limits, (list, tuple)) and len(limits) in (1, 2) and all(map(_is_number, limits))
    well_formed = well_formed and (_is_number(factor) or len(limits) == 2)
    low, high = bounds
    if not well_formed or not all(
        low <= number <= high and not (above and number == low) for number in limits
    ):
        raise ValueError(
            f"{describe(layer)}: The `{argument}` argument should be a number (or a list of two numbers) in "
            f"the range {'(' if above else '['}{low}, {high}]. Received: {argument}={factor}"
        )
    if len(limits) == 2:
        return tuple(sorted(limits))
    both_ways = low < 0 if both_ways is None else both_ways
    return (-abs(factor), abs(factor)) if both_ways else (0, factor)


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
