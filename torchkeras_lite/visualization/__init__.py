"""Pictures of images with boxes and masks (Pillow), and galleries of them (matplotlib)."""

from torchkeras_lite.visualization.drawing import draw_bounding_boxes, draw_segmentation_masks
from torchkeras_lite.visualization.galleries import (
    plot_bounding_box_gallery,
    plot_image_gallery,
    plot_segmentation_mask_gallery,
)

__all__ = [
    "draw_bounding_boxes",
    "draw_segmentation_masks",
    "plot_bounding_box_gallery",
    "plot_image_gallery",
    "plot_segmentation_mask_gallery",
]
