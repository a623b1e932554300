"""Boxes and segmentation masks drawn into images."""

import numpy as np

from torchkeras_lite.base.config import standardize_data_format
from torchkeras_lite.bounding_boxes import convert_format
from torchkeras_lite.callbacks.extras import extra
from torchkeras_lite.ops import convert_to_numpy

_PALETTE_STEP = np.array([1, 127, 31])  # neighbouring classes get colors far apart


def draw_bounding_boxes(
    images,
    bounding_boxes,
    bounding_box_format,
    class_mapping=None,
    color=(128, 128, 128),
    line_thickness=2,
    text_thickness=1,
    font_scale=1.0,
    data_format=None,
):
    """Return images with boxes, and with the names of their classes, drawn into them.

    Args:
        images: A batch `(batch, height, width, 3)`; floats up to 1 are taken as shares of 255.
        bounding_boxes: Dict with `"boxes"` `(batch, boxes, 4)`, `"labels"` `(batch, boxes)` (-1: no box) and,
            where wanted in the text, `"confidences"`.
        bounding_box_format: Format of the boxes, `"xyxy"`, `"rel_xywh"`, ...
        class_mapping: Dict of class numbers to the names to write; other classes get no text.
        color: Red, green and blue from 0 to 255.
        line_thickness: Width of the lines in pixels.
        text_thickness: Width of the letters' outline in pixels.
        font_scale: Size of the text; 1 is about 24 pixels high.
        data_format: `"channels_last"` or `"channels_first"`; the default one for `None`.

    Returns:
        A uint8 array in the layout of `images`.

    Raises:
        ValueError: images that are no batch, a dict without boxes or labels.
        TypeError: `bounding_boxes` is no dict.
        ImportError: Pillow is not installed: `pip install pillow`.

    Source: Keras 3 `keras.visualization.draw_bounding_boxes`. Differs from Keras: Pillow draws, not OpenCV,
    so the letters look different, and `channels_first` images are drawn into as well.
    """
    drawing = extra("PIL.ImageDraw", "pillow", "draw_bounding_boxes")
    image_module = extra("PIL.Image", "pillow", "draw_bounding_boxes")
    fonts = extra("PIL.ImageFont", "pillow", "draw_bounding_boxes")
    pixels, first = _channels_last(images, data_format)
    if not isinstance(bounding_boxes, dict):
        raise TypeError(f"`bounding_boxes` should be a dict, got {type(bounding_boxes).__name__}.")
    if "boxes" not in bounding_boxes or "labels" not in bounding_boxes:
        raise ValueError(
            "`bounding_boxes` should be a dict containing 'boxes' and 'labels' keys, got keys "
            f"{list(bounding_boxes)}."
        )
    height, width = pixels.shape[1:3]
    boxes = convert_format(bounding_boxes["boxes"], bounding_box_format, "xyxy", height, width)
    boxes = convert_to_numpy(boxes).astype("int32")
    labels = convert_to_numpy(bounding_boxes["labels"]).astype("int32")
    confidences = bounding_boxes.get("confidences")
    confidences = None if confidences is None else convert_to_numpy(confidences)
    color = tuple(map(int, color))
    font = fonts.load_default(size=max(round(24 * font_scale), 1))
    drawn = []
    for index, image in enumerate(_to_bytes(pixels)):
        canvas = image_module.fromarray(image)
        pen = drawing.Draw(canvas)
        for number, (box, label) in enumerate(zip(boxes[index], labels[index], strict=True)):
            if label == -1:
                continue
            x1, y1, x2, y2 = map(int, box)
            corners = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
            pen.rectangle(corners, outline=color, width=int(line_thickness))
            if class_mapping and int(label) in class_mapping:
                text = str(class_mapping[int(label)])
                if confidences is not None:
                    text += f" | {confidences[index][number]:.2f}"
                stroke = max(int(text_thickness or line_thickness) - 1, 0)
                top = y1 - font.size - 8 if y1 > 2 * font.size else y1 + 3
                pen.text((x1 + 3, top), text, fill=color, font=font, stroke_width=stroke)
        drawn.append(np.asarray(canvas))
    drawn = np.stack(drawn)
    return drawn.transpose(0, 3, 1, 2) if first else drawn


def draw_segmentation_masks(
    images,
    segmentation_masks,
    num_classes=None,
    color_mapping=None,
    alpha=0.8,
    blend=True,
    ignore_index=-1,
    data_format=None,
):
    """Return images in which the pixels of every class are colored.

    Args:
        images: A batch `(batch, height, width, 3)`, values from 0 to 255.
        segmentation_masks: Class numbers, `(batch, height, width)` with or without an axis for the channel.
        num_classes: Number of classes; by default the largest number in the masks and one.
        color_mapping: Dict of class numbers to colors; a palette by default.
        alpha: Opacity of the colors, from 0 to 1.
        blend: Whether to mix colors and images; `False` leaves nothing of the image below the colors.
        ignore_index: Class that is not drawn.
        data_format: `"channels_last"` or `"channels_first"`; the default one for `None`.

    Returns:
        A uint8 array `(batch, height, width, 3)`.

    Raises:
        ValueError: images that are no batch.
        TypeError: masks that are no integers.

    Source: Keras 3 `keras.visualization.draw_segmentation_masks`. Differs from Keras: masks without a
    channel axis, and no `num_classes`, do work; `blend=False` gives uint8 too and respects `ignore_index`.
    """
    pixels, first = _channels_last(images, data_format)
    masks = convert_to_numpy(segmentation_masks)
    if masks.dtype.kind not in "iu":
        raise TypeError(
            f"`segmentation_masks` must be in integer dtype, got segmentation_masks.dtype={masks.dtype.name}."
        )
    if masks.ndim == 4:
        masks = masks[:, 0] if first else masks[..., 0]
    classes = int(masks.max()) + 1 if num_classes is None else num_classes
    colors = [
        _PALETTE_STEP * number % 255 if color_mapping is None else color_mapping[number]
        for number in range(classes)
    ]
    pixels = pixels.astype("float32")
    drawn = (masks >= 0) & (masks < classes)
    colored = np.where(drawn[..., None], np.array(colors, "float32")[masks * drawn], pixels)
    mixed = pixels * (1 - alpha) + colored * alpha if blend else colored
    return np.where((masks != ignore_index)[..., None], mixed, pixels).astype("uint8")


def _channels_last(images, data_format):
    """Return images as an array with the channels last, and whether they were first."""
    pixels = convert_to_numpy(images)
    if pixels.ndim != 4:
        raise ValueError(f"`images` must be batched 4D tensor, got images.shape={pixels.shape}.")
    first = standardize_data_format(data_format, "draw") == "channels_first"
    return (pixels.transpose(0, 2, 3, 1) if first else pixels), first


def _to_bytes(pixels):
    if pixels.dtype.kind == "f" and pixels.size:
        pixels = pixels.clip(0, 1) * 255 if pixels.max() <= 1 else pixels.clip(0, 255)
    return pixels.astype("uint8")
