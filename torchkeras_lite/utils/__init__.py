"""Utilities: summaries and curves, seeds, labels, and the names scripts look for under `keras.utils`."""

from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.base.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from torchkeras_lite.base.serialization import deserialize_keras_object, serialize_keras_object
from torchkeras_lite.base.switches import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from torchkeras_lite.callbacks.progress import Progbar
from torchkeras_lite.engine.keras_tensor import is_symbolic as is_keras_tensor
from torchkeras_lite.training.batch_form import pack_x_y_sample_weight, unpack_x_y_sample_weight
from torchkeras_lite.training.py_dataset import PyDataset
from torchkeras_lite.training.py_dataset import PyDataset as Sequence
from torchkeras_lite.utils import bounding_boxes, legacy
from torchkeras_lite.utils.config_object import Config
from torchkeras_lite.utils.downloads import get_file
from torchkeras_lite.utils.dtypes import standardize_dtype
from torchkeras_lite.utils.feature_space import FeatureSpace
from torchkeras_lite.utils.history_plot import plot_history
from torchkeras_lite.utils.image_files import array_to_img, img_to_array, load_img, save_img
from torchkeras_lite.utils.labelled_datasets import (
    audio_dataset_from_directory,
    image_dataset_from_directory,
    text_dataset_from_directory,
)
from torchkeras_lite.utils.model_plot import model_to_dot, plot_model
from torchkeras_lite.utils.module_summary import summary
from torchkeras_lite.utils.numerical import normalize, to_categorical
from torchkeras_lite.utils.random_seed import set_random_seed
from torchkeras_lite.utils.sequences import pad_sequences
from torchkeras_lite.utils.session import clear_session
from torchkeras_lite.utils.source_inputs import get_source_inputs
from torchkeras_lite.utils.splitting import split_dataset
from torchkeras_lite.utils.timeseries import timeseries_dataset_from_array

__all__ = [
    "Config",
    "CustomObjectScope",
    "FeatureSpace",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "audio_dataset_from_directory",
    "bounding_boxes",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "image_dataset_from_directory",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "legacy",
    "load_img",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_history",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "summary",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]

__getattr__ = old_members(__name__)
