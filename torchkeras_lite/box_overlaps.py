"""Overlaps of bounding boxes, and boxes as differences to anchors, as detectors learn them."""

import math

import torch

from torchkeras_lite.bounding_boxes import convert_format

_EPSILON = 1e-7


def compute_iou(boxes1, boxes2, bounding_box_format, use_masking=False, mask_val=-1, image_shape=None):
    """Return the intersection over union of each of `boxes1` with each of `boxes2`.

    Args:
        boxes1: Boxes `(n, 4)` or `(batch, n, 4)`.
        boxes2: Boxes `(m, 4)` or `(batch, m, 4)`.
        bounding_box_format: Format of both.
        use_masking: Whether pairs with padding (boxes left of and above the image) get `mask_val`.
        mask_val: Result for such pairs.
        image_shape: Shape of the images `(height, width, channels)`, for relative formats.

    Shapes:
        output `(n, m)` or `(batch, n, m)`

    Raises:
        ValueError: boxes with other axes; a relative format without `image_shape`.

    Source: Keras 3 `keras.utils.bounding_boxes.compute_iou`.
    """
    first, second = (_pixels(boxes, bounding_box_format, image_shape) for boxes in (boxes1, boxes2))
    if not {first.ndim, second.ndim} <= {2, 3}:
        raise ValueError(
            "compute_iou() expects boxes1 to be batched, or to be unbatched. Received "
            f"len(boxes1.shape)={first.ndim}, len(boxes2.shape)={second.ndim}. Pass boxes of shape (boxes, "
            "4) or (batch, boxes, 4)."
        )
    first, second = first.unsqueeze(-2), second.unsqueeze(-3)
    overlaps = _divide(*_intersection_and_union(first, second))
    if use_masking:
        padding = (first.amax(-1) < 0) | (second.amax(-1) < 0)
        overlaps = overlaps.masked_fill(padding, mask_val)
    return overlaps


def compute_ciou(boxes1, boxes2, bounding_box_format, image_shape=None):
    """Return the complete IoU of each of `boxes1` with the one of `boxes2` at its place.

    From the IoU are taken the distance of the centers and the difference of the proportions.

    Args:
        boxes1: Boxes `(..., 4)`.
        boxes2: Boxes `(..., 4)`.
        bounding_box_format: Format of both.
        image_shape: Shape of the images `(height, width, channels)`, for relative formats.

    Shapes:
        output `(...)`

    Raises:
        ValueError: a relative format without `image_shape`.

    Source: Keras 3 `keras.utils.bounding_boxes.compute_ciou`; Zheng et al. 2020 (arXiv:2005.03572).
    """
    first, second = (_pixels(boxes, bounding_box_format, image_shape) for boxes in (boxes1, boxes2))
    intersection, union = _intersection_and_union(first, second)
    overlap = intersection / (union + _EPSILON)
    hull = torch.maximum(first[..., 2:], second[..., 2:]) - torch.minimum(first[..., :2], second[..., :2])
    apart = (first[..., :2] + first[..., 2:] - second[..., :2] - second[..., 2:]) / 2
    distance = apart.square().sum(-1) / (hull.square().sum(-1) + _EPSILON)
    slopes = [torch.atan(_widths(boxes) / (_heights(boxes) + _EPSILON)) for boxes in (first, second)]
    proportions = (4 / math.pi**2) * (slopes[1] - slopes[0]).square()
    weight = proportions / (proportions - overlap + 1 + _EPSILON)
    return overlap - distance - proportions * weight


def encode_box_to_deltas(
    anchors,
    boxes,
    anchor_format,
    box_format,
    encoding_format="center_yxhw",
    variance=None,
    image_shape=None,
):
    """Return boxes as differences to anchors: shifts of centers in anchor sizes, and logarithms of sizes.

    Args:
        anchors: Anchors `(anchors, 4)`.
        boxes: Boxes `(anchors, 4)` or `(batch, anchors, 4)`.
        anchor_format: Format of the anchors.
        box_format: Format of the boxes.
        encoding_format: Order of the differences, `"center_yxhw"` or `"center_xywh"`.
        variance: Four numbers that the differences are divided by.
        image_shape: Shape of the images `(height, width, channels)`, for relative formats.

    Raises:
        ValueError: another `encoding_format`, `variance` of another length, missing `image_shape`.

    Source: Keras 3 `keras.utils.bounding_boxes.encode_box_to_deltas`.
    """
    _check_encoding("encoding_format", encoding_format)
    height, width = _sizes(image_shape)
    anchors = convert_format(anchors, anchor_format, encoding_format, height, width)
    boxes = convert_format(boxes, box_format, encoding_format, height, width)
    sizes, box_sizes = (part[..., 2:].clamp(min=_EPSILON) for part in (anchors, boxes))
    shifts = (boxes[..., :2] - anchors[..., :2]) / sizes
    deltas = torch.cat([shifts, torch.log(box_sizes / sizes)], -1)
    return deltas if variance is None else deltas / _variances(variance, deltas)


def decode_deltas_to_boxes(
    anchors,
    boxes_delta,
    anchor_format,
    box_format,
    encoded_format="center_yxhw",
    variance=None,
    image_shape=None,
):
    """Return the boxes that `encode_box_to_deltas` made differences of.

    Args:
        anchors: Anchors `(anchors, 4)`, or a dict of them.
        boxes_delta: Differences `(anchors, 4)` or `(batch, anchors, 4)`, or a dict of them with the same
            keys.
        anchor_format: Format of the anchors.
        box_format: Format of the result.
        encoded_format: Order of the differences, `"center_yxhw"` or `"center_xywh"`.
        variance: Four numbers that the differences are multiplied by.
        image_shape: Shape of the images `(height, width, channels)`, for relative formats.

    Raises:
        ValueError: another `encoded_format`, `variance` of another length, missing `image_shape`, or other
            keys.

    Source: Keras 3 `keras.utils.bounding_boxes.decode_deltas_to_boxes`.
    """
    _check_encoding("encoded_format", encoded_format)
    if isinstance(anchors, dict):
        if not isinstance(boxes_delta, dict) or anchors.keys() != boxes_delta.keys():
            raise ValueError(
                "decode_deltas_to_boxes: expected `boxes_delta` with the keys of `anchors`, "
                f"{list(anchors)}. Pass a dict with one tensor for each."
            )
        return {
            key: decode_deltas_to_boxes(
                anchors[key],
                boxes_delta[key],
                anchor_format,
                box_format,
                encoded_format,
                variance,
                image_shape,
            )
            for key in anchors
        }
    height, width = _sizes(image_shape)
    anchors = convert_format(anchors, anchor_format, encoded_format, height, width)
    deltas = torch.as_tensor(boxes_delta).to(anchors)
    if variance is not None:
        deltas = deltas * _variances(variance, deltas)
    sizes = anchors[..., 2:].clamp(min=_EPSILON)
    centers = deltas[..., :2] * sizes + anchors[..., :2]
    boxes = torch.cat([centers, torch.exp(deltas[..., 2:]) * sizes], -1)
    return convert_format(boxes, encoded_format, box_format, height, width)


def _pixels(boxes, name, image_shape):
    """Return boxes as corners in pixels."""
    if name.lower().startswith("rel") and image_shape is None:
        raise ValueError(
            "When using relative bounding box formats (e.g. `rel_yxyx`) the `image_shape` argument must be "
            "provided. Received `image_shape`: None. Pass (height, width, channels)."
        )
    height, width = _sizes(image_shape)
    return convert_format(boxes, name, "xyxy", height, width)


def _sizes(image_shape):
    return (None, None) if image_shape is None else image_shape[:2]


def _widths(corners):
    return corners[..., 2] - corners[..., 0]


def _heights(corners):
    return corners[..., 3] - corners[..., 1]


def _intersection_and_union(first, second):
    start = torch.maximum(first[..., :2], second[..., :2])
    end = torch.minimum(first[..., 2:], second[..., 2:])
    intersection = (end - start).clamp(min=0).prod(-1)
    areas = [_widths(boxes) * _heights(boxes) for boxes in (first, second)]
    return intersection, areas[0] + areas[1] - intersection


def _divide(numerator, denominator):
    """Return the quotient, 0 where the denominator is 0."""
    zero = denominator == 0
    return (numerator / denominator.masked_fill(zero, 1)).masked_fill(zero, 0)


def _check_encoding(argument, value):
    if value not in ("center_xywh", "center_yxhw"):
        raise ValueError(f"`{argument}` should be one of 'center_xywh' or 'center_yxhw', got {value}")


def _variances(variance, like):
    variances = torch.as_tensor(variance, dtype=like.dtype, device=like.device)
    if variances.shape != (4,):
        raise ValueError(f"`variance` must be length 4, got {variance}. Pass one number for each difference.")
    return variances
