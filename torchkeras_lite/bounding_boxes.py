"""Bounding boxes: formats and what happens to boxes when images are cropped, padded, clipped or warped.

The last axis of boxes has four numbers, in one of the formats of `FORMATS`. Those that start with `rel_` are
fractions of the image's sizes; the others count pixels. A box without an object is padding, and has label -1.
"""

import torch

from torchkeras_lite.base import dtypes

FORMATS = (
    "xyxy",
    "yxyx",
    "xywh",
    "center_xywh",
    "center_yxhw",
    "rel_xyxy",
    "rel_yxyx",
    "rel_xywh",
    "rel_center_xywh",
)


def check_format(name):
    """Return the name of a format in lower case.

    Raises:
        ValueError: it is none of `FORMATS`.
    """
    lowered = name.lower() if isinstance(name, str) else name
    if lowered not in FORMATS:
        raise ValueError(
            f"Invalid source or target format. Supported formats: {FORMATS}. Got {name!r}. Pass one of them."
        )
    return lowered


def convert_format(boxes, source, target, height=None, width=None, dtype="float32"):
    """Return boxes of the format `source` in the format `target`.

    Args:
        boxes: Boxes `(..., 4)`, or a dict with them under `"boxes"`.
        source: Name of their format.
        target: Name of the wanted format.
        height: Height of the images in pixels, a number or one for each image; needed between relative and
            absolute formats.
        width: Width of the images, likewise.
        dtype: Dtype of the result.

    Raises:
        ValueError: an unknown format, boxes without four numbers, or missing sizes.

    Source: Keras 3 `keras.utils.bounding_boxes.convert_format`. Differs: a dict is not changed in place.
    """
    source, target = check_format(source), check_format(target)
    if isinstance(boxes, dict):
        converted = convert_format(boxes["boxes"], source, target, height, width, dtype)
        return {**boxes, "boxes": converted}
    boxes = torch.as_tensor(boxes).to(dtypes.torch_dtype(dtype))
    if boxes.shape[-1:] != (4,):
        raise ValueError(
            f"`boxes` must be a tensor with the last dimension of 4. Received: boxes.shape="
            f"{tuple(boxes.shape)}. Pass four numbers a box."
        )
    relative = _is_relative(source), _is_relative(target)
    if relative[0] != relative[1] and (height is None or width is None):
        raise ValueError(
            "convert_format() must receive `height` and `width` transforming between relative and absolute "
            f"formats. convert_format() received source=`{source}`, target=`{target}`, but height={height} "
            f"and width={width}. Pass the sizes of the images in pixels."
        )
    if source == target:
        return boxes
    corners = _as_corners(boxes, source.removeprefix("rel_"))
    if relative[0] and not relative[1]:
        corners = _apply(torch.mul, corners, width, height)
    elif relative[1] and not relative[0]:
        corners = _apply(torch.div, corners, width, height)
    return _from_corners(corners, target.removeprefix("rel_"))


def clip_to_image_size(bounding_boxes, height=None, width=None, bounding_box_format="xyxy"):
    """Return boxes cut at the edges of their images; those without an area left get label -1.

    Args:
        bounding_boxes: A dict with `"boxes"` `(..., boxes, 4)` and `"labels"` `(..., boxes)`.
        height: Height of the images in pixels; not needed for relative formats.
        width: Width of the images, likewise.
        bounding_box_format: Format of the boxes.

    Raises:
        ValueError: sizes are missing, or the boxes are no such dict.

    Source: Keras 3 `keras.utils.bounding_boxes.clip_to_image_size`. Differs: takes every format.
    """
    name = check_format(bounding_box_format)
    if not isinstance(bounding_boxes, dict) or not {"boxes", "labels"} <= bounding_boxes.keys():
        raise ValueError(
            "clip_to_image_size: expected a dict with 'boxes' and 'labels', got "
            f"{type(bounding_boxes).__name__}. Boxes outside of the image lose their labels."
        )
    if _is_relative(name):
        height, width = 1, 1
    elif height is None or width is None:
        raise ValueError(
            f"`height` and `width` must be set if `format='{name}'`. Pass the sizes of the images."
        )
    boxes, labels = torch.as_tensor(bounding_boxes["boxes"]), torch.as_tensor(bounding_boxes["labels"])
    corners = _clip(_as_corners(boxes, name.removeprefix("rel_")), height, width)
    empty = _areas(corners) <= 0
    empty = empty.view(*empty.shape, *(1,) * (labels.ndim - empty.ndim))
    labels = torch.where(empty, torch.full_like(labels, -1), labels)
    boxes = _from_corners(corners, name.removeprefix("rel_"))
    return {**bounding_boxes, "boxes": boxes, "labels": labels}


def crop(boxes, top, left, height, width, bounding_box_format="xyxy"):
    """Return boxes in the coordinates of a part of their image, cut at its edges.

    Args:
        boxes: Boxes `(..., 4)` in pixels.
        top: Row of the image at which the part begins.
        left: Column at which it begins.
        height: Height of the part.
        width: Width of the part.
        bounding_box_format: Format of the boxes.

    Raises:
        ValueError: a relative format.

    Source: Keras 3 `keras.utils.bounding_boxes.crop`. Differs: takes every format in pixels.
    """
    name = _absolute("crop", bounding_box_format)
    corners = _apply(torch.sub, _as_corners(torch.as_tensor(boxes), name), left, top)
    return _from_corners(_clip(corners, height, width), name)


def pad(boxes, top, left, height=None, width=None, bounding_box_format="xyxy"):
    """Return boxes in the coordinates of an image to which rows and columns were added.

    Args:
        boxes: Boxes `(..., 4)` in pixels.
        top: Number of rows added above.
        left: Number of columns added on the left.
        height, width: Accepted as in Keras; boxes in pixels do not depend on them.
        bounding_box_format: Format of the boxes.

    Raises:
        ValueError: a relative format.

    Source: Keras 3 `keras.utils.bounding_boxes.pad`. Differs: takes every format in pixels.
    """
    name = _absolute("pad", bounding_box_format)
    corners = _apply(torch.add, _as_corners(torch.as_tensor(boxes), name), left, top)
    return _from_corners(corners, name)


def affine_transform(
    boxes,
    angle,
    translate_x,
    translate_y,
    scale,
    shear_x,
    shear_y,
    height,
    width,
    center_x=None,
    center_y=None,
    bounding_box_format="xyxy",
):
    """Return the boxes around the images of boxes under affine maps, one map an image.

    Points are moved by the translation, rotated and sheared around the center, and scaled from it.

    Args:
        boxes: Boxes `(batch, boxes, 4)` in pixels.
        angle: Rotation in degrees, counterclockwise; a number, or one an image, as for what follows.
        translate_x: Translation to the right, a fraction of `width - 1`.
        translate_y: Translation down, a fraction of `height - 1`.
        scale: Factor of the sizes.
        shear_x: Shear along the rows in degrees.
        shear_y: Shear along the columns in degrees.
        height: Height of the images in pixels.
        width: Width of the images.
        center_x: Column of the center, a fraction of `width - 1`; `None`: 0.5.
        center_y: Row of the center, a fraction of `height - 1`; `None`: 0.5.
        bounding_box_format: Format of the boxes.

    Raises:
        ValueError: a relative format.

    Source: Keras 3 `keras.utils.bounding_boxes.affine_transform`. Differs: takes numbers for whole batches,
    and every format in pixels. As in Keras, a `shear_x` together with a rotation is no plain product of the
    two: the shear of the part that the rotation turned has the other sign.
    """
    name = _absolute("affine_transform", bounding_box_format)
    corners = _as_corners(torch.as_tensor(boxes), name)

    def each(value):
        if isinstance(value, (int, float)):
            return torch.full((), value, dtype=corners.dtype, device=corners.device)
        value = torch.as_tensor(value, dtype=corners.dtype, device=corners.device)
        return value.view(-1, *(1,) * (corners.ndim - 2)) if value.ndim else value

    angle, shear_x, shear_y = (torch.deg2rad(each(value)) for value in (angle, shear_x, shear_y))
    cosine, sine, slope = torch.cos(angle), torch.sin(angle), torch.tan(shear_y)
    yx, yy = slope * cosine - sine, slope * sine + cosine
    xx, xy = cosine - torch.tan(shear_x) * yx, sine + torch.tan(shear_x) * yy
    middle_x = (0.5 if center_x is None else each(center_x)) * (width - 1)
    middle_y = (0.5 if center_y is None else each(center_y)) * (height - 1)
    move_x = each(translate_x) * (width - 1) - middle_x
    move_y = each(translate_y) * (height - 1) - middle_y
    scale = each(scale)

    def moved(x, y):
        x, y = x + move_x, y + move_y
        return scale * (xx * x + xy * y) + middle_x, scale * (yx * x + yy * y) + middle_y

    return _from_corners(around(corners, moved), name)


def around(corners, move):
    """Return the boxes around the four corners of boxes `(..., 4)` in xyxy, moved by `move(x, y)`."""
    left, top, right, bottom = corners.unbind(-1)
    ends = ((left, top), (right, top), (left, bottom), (right, bottom))
    x, y = (torch.stack(values) for values in zip(*(move(*end) for end in ends), strict=True))
    return torch.stack([x.amin(0), y.amin(0), x.amax(0), y.amax(0)], -1)


def _is_relative(name):
    return name.startswith("rel_")


def _absolute(function, name):
    name = check_format(name)
    if _is_relative(name):
        raise ValueError(
            f"{function}: expected boxes in pixels, got bounding_box_format={name!r}. Convert them first: "
            "`convert_format(boxes, source, 'xyxy', height, width)`."
        )
    return name


def _as_corners(boxes, name):
    """Return boxes of a format without `rel_` as (left, top, right, bottom)."""
    if name == "xyxy":
        return boxes
    if name in ("yxyx", "center_yxhw"):
        boxes = _swap_axes(boxes)
    if name == "yxyx":
        return boxes
    start, size = boxes[..., :2], boxes[..., 2:]
    if name != "xywh":
        start = start - size / 2
    return torch.cat([start, start + size], -1)


def _from_corners(corners, name):
    if name == "xyxy":
        return corners
    if name == "yxyx":
        return _swap_axes(corners)
    start, end = corners[..., :2], corners[..., 2:]
    if name == "xywh":
        return torch.cat([start, end - start], -1)
    boxes = torch.cat([(start + end) / 2, end - start], -1)
    return _swap_axes(boxes) if name == "center_yxhw" else boxes


def _swap_axes(boxes):
    """Return boxes with x and y exchanged in both pairs of numbers."""
    return boxes.unflatten(-1, (2, 2)).flip(-1).flatten(-2)


def _apply(operation, corners, x_value, y_value):
    """Return corners with `operation(coordinates, value)` applied to x and to y.

    The values are numbers, or hold one number an image.
    """

    def along(coordinates, value):
        if getattr(value, "ndim", 0):
            value = torch.as_tensor(value, dtype=corners.dtype, device=corners.device)
            value = value.view(-1, *(1,) * (corners.ndim - 1))
        return operation(coordinates, value)

    x, y = along(corners[..., 0::2], x_value), along(corners[..., 1::2], y_value)
    return torch.stack([x, y], -1).flatten(-2)


def _clip(corners, height, width):
    return _apply(lambda values, end: values.clamp(min=0).clamp(max=end), corners, width, height)


def _areas(corners):
    return (corners[..., 2] - corners[..., 0]) * (corners[..., 3] - corners[..., 1])
