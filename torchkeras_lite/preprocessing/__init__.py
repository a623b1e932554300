"""`keras.preprocessing`: what scripts of many years import to read images, texts and series.

New code finds most of it better done by layers (`TextVectorization`, `RandomRotation`, ...) and by
`keras.utils`; here it works as it did.
"""

from torchkeras_lite.preprocessing import image, sequence, text
from torchkeras_lite.utils import (
    image_dataset_from_directory,
    text_dataset_from_directory,
    timeseries_dataset_from_array,
)

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]
