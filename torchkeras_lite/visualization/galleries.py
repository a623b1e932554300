"""Galleries of images: a figure with one image a cell."""

import math

import numpy as np

from torchkeras_lite.base.config import standardize_data_format
from torchkeras_lite.callbacks.extras import extra
from torchkeras_lite.ops import convert_to_numpy
from torchkeras_lite.visualization.drawing import draw_bounding_boxes, draw_segmentation_masks


def plot_image_gallery(
    images,
    y_true=None,
    y_pred=None,
    label_map=None,
    rows=None,
    cols=None,
    value_range=(0, 255),
    scale=2,
    path=None,
    show=None,
    transparent=True,
    dpi=60,
    legend_handles=None,
    data_format=None,
):
    """Draw images in a grid, with their labels and predictions below them.

    Args:
        images: A batch `(batch, height, width, channels)`.
        y_true: Class numbers of the images.
        y_pred: Predicted class numbers.
        label_map: Dict of class numbers to names, needed for the two above.
        rows, cols: Size of the grid; what is not given follows from the number of images.
        value_range: Smallest and largest value of a pixel.
        scale: Size of an image in inches.
        path: File to write the figure to.
        show: Whether to open a window; by default where there is no `path`.
        transparent: Whether the file has no background.
        dpi: Dots an inch in the file.
        legend_handles: matplotlib patches for a legend.
        data_format: `"channels_last"` or `"channels_first"`; the default one for `None`.

    Returns:
        The matplotlib figure.

    Raises:
        ValueError: `path` together with `show`, images that are no batch, labels without `label_map`.
        ImportError: matplotlib is not installed: `pip install matplotlib`.

    Source: Keras 3 `keras.visualization.plot_image_gallery`. Differs from Keras: returns the figure also
    where it is written or shown.
    """
    pyplot = extra("matplotlib.pyplot", "matplotlib", "plot_image_gallery")
    if path is not None and show:
        raise ValueError("plot_gallery() expects either `path` to be set, or `show` to be true, got both.")
    if (y_true is not None or y_pred is not None) and label_map is None:
        raise ValueError("If `y_true` or `y_pred` are provided, a `label_map` must also be provided.")
    pixels = convert_to_numpy(images)
    if pixels.ndim != 4:
        raise ValueError(f"`images` must be batched 4D tensor, got images.shape={pixels.shape}.")
    if standardize_data_format(data_format, "plot_image_gallery") == "channels_first":
        pixels = pixels.transpose(0, 2, 3, 1)
    rows, cols = _grid(len(pixels), rows, cols)
    low, high = value_range
    pixels = ((pixels.astype("float32") - low) / (high - low)).clip(0, 1)
    figure, axes = pyplot.subplots(rows, cols, figsize=(cols * scale, rows * scale), squeeze=False)
    figure.subplots_adjust(wspace=0, hspace=0)
    for index, cell in enumerate(axes.flat):
        cell.axis("off")
        if index >= len(pixels):
            continue
        cell.imshow(pixels[index], cmap="gray" if pixels.shape[-1] == 1 else None)
        title = [
            f"{word}{label_map[int(convert_to_numpy(labels)[index])]}"
            for word, labels in (("", y_true), ("Pred: ", y_pred))
            if labels is not None
        ]
        if title:
            cell.set_title("\n".join(title), fontsize=8)
    if legend_handles is not None:
        figure.legend(handles=legend_handles, loc="lower center")
    if path is not None:
        figure.savefig(path, pad_inches=0, bbox_inches="tight", transparent=transparent, dpi=dpi)
        pyplot.close(figure)
    elif show or show is None:
        pyplot.show()
        pyplot.close(figure)
    return figure


def plot_bounding_box_gallery(
    images,
    bounding_box_format,
    y_true=None,
    y_pred=None,
    value_range=(0, 255),
    true_color=(0, 188, 212),
    pred_color=(255, 235, 59),
    line_thickness=2,
    font_scale=1.0,
    text_thickness=None,
    class_mapping=None,
    ground_truth_mapping=None,
    prediction_mapping=None,
    legend=False,
    legend_handles=None,
    rows=None,
    cols=None,
    data_format=None,
    **kwargs,
):
    """Draw images with boxes in a grid.

    Args:
        images, value_range, rows, cols, data_format, **kwargs: See `plot_image_gallery`.
        bounding_box_format, line_thickness, font_scale, text_thickness: See `draw_bounding_boxes`.
        y_true: Dict of the true boxes; see `draw_bounding_boxes`.
        y_pred: Dict of the predicted boxes.
        true_color, pred_color: Colors of the two.
        class_mapping: Dict of class numbers to names.
        ground_truth_mapping, prediction_mapping: Names for one of the two.
        legend: Whether to explain the colors.
        legend_handles: Patches of a legend of your own.

    Raises:
        ValueError: a legend asked for twice; see also the two functions.

    Source: Keras 3 `keras.visualization.plot_bounding_box_gallery`.
    """
    if legend and legend_handles:
        raise ValueError("Only pass `legend` OR `legend_handles` to `plot_bounding_box_gallery()`, got both.")
    first = standardize_data_format(data_format, "plot_bounding_box_gallery") == "channels_first"
    plotted = _bytes(images, value_range, first)
    text = text_thickness or line_thickness
    named = ((y_true, true_color, ground_truth_mapping), (y_pred, pred_color, prediction_mapping))
    for boxes, color, mapping in named:
        if boxes is not None:
            plotted = draw_bounding_boxes(
                plotted,
                boxes,
                bounding_box_format,
                mapping or class_mapping,
                color,
                line_thickness,
                text,
                font_scale,
                "channels_last",
            )
    if legend:
        patches = extra("matplotlib.patches", "matplotlib", "plot_bounding_box_gallery")
        legend_handles = [
            patches.Patch(color=np.array(color) / 255, label=label)
            for color, label in ((true_color, "Ground Truth"), (pred_color, "Prediction"))
        ]
    return plot_image_gallery(
        plotted,
        rows=rows,
        cols=cols,
        legend_handles=legend_handles,
        data_format="channels_last",
        **kwargs,
    )


def plot_segmentation_mask_gallery(
    images,
    num_classes,
    value_range=(0, 255),
    y_true=None,
    y_pred=None,
    color_mapping=None,
    blend=True,
    alpha=0.8,
    ignore_index=-1,
    data_format=None,
    **kwargs,
):
    """Draw images, those with the true masks and those with the predicted ones side by side.

    Args:
        images, value_range, data_format, **kwargs: See `plot_image_gallery`.
        num_classes, color_mapping, blend, alpha, ignore_index: See `draw_segmentation_masks`.
        y_true: The true masks.
        y_pred: The predicted masks.

    Source: Keras 3 `keras.visualization.plot_segmentation_mask_gallery`.
    """
    first = standardize_data_format(data_format, "plot_segmentation_mask_gallery") == "channels_first"
    plain = _bytes(images, value_range, first)
    shown = [plain]
    for masks in (y_true, y_pred):
        if masks is not None:
            masks = convert_to_numpy(masks)
            masks = masks[:, 0] if first and masks.ndim == 4 else masks
            shown.append(
                draw_segmentation_masks(
                    plain, masks, num_classes, color_mapping, alpha, blend, ignore_index, "channels_last"
                )
            )
    return plot_image_gallery(np.concatenate(shown, axis=2), data_format="channels_last", **kwargs)


def _grid(count, rows, cols):
    """Return rows and columns that hold `count` images, near to a square where neither is given."""
    if rows is None and cols is None:
        cols = math.ceil(math.sqrt(count))
    if cols is None:
        cols = math.ceil(count / rows)
    return (math.ceil(count / cols) if rows is None else rows), cols


def _bytes(images, value_range, first):
    pixels = convert_to_numpy(images).astype("float32")
    pixels = pixels.transpose(0, 2, 3, 1) if first else pixels
    low, high = value_range
    return ((pixels - low) / (high - low) * 255).clip(0, 255).astype("uint8")
