"""Data frames and series, read without importing pandas: by what they can do."""

import numpy as np
import torch

from torchkeras_lite.base import text
from torchkeras_lite.base.checks import describe, suggestion

MISSING = "The data frame has the columns"


def is_frame(value):
    """Whether `value` is a table with named columns, such as a pandas or polars `DataFrame`."""
    return hasattr(value, "columns") and hasattr(value, "to_numpy")


def is_series(value):
    """Whether `value` is one named column, such as a pandas or polars `Series`."""
    return hasattr(value, "to_numpy") and hasattr(value, "dtype") and not is_frame(value)


def frame_to_array(value):
    """Return a frame as a matrix `(rows, columns)`, a series as a column `(rows, 1)`, as Keras does.

    Raises:
        ValueError: columns that hold objects, or text beside numbers.
    """
    array = np.asarray(value.to_numpy())
    if array.dtype == object and not all(text.is_text(column) for column in array.reshape(len(array), -1).T):
        columns = [value[name] for name in value.columns] if is_frame(value) else [value]
        array = np.stack([_numbers(column) for column in columns], axis=1)
    return array if is_frame(value) else array.reshape(len(array), -1)


def _numbers(column):
    array = np.asarray(column.to_numpy())
    if array.dtype != object:
        return array
    try:  # numbers of several kinds, or with missing values, which become NaN
        return np.asarray(column.astype("float64"))
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"The column {getattr(column, 'name', '')!r} of the data holds text or objects, of which no "
            "numbers can be made. Encode it first, or leave it out."
        ) from error


def for_inputs(frame, model):
    """Return a frame as a dict by the names of the model's inputs where it has several, else as it is.

    Raises:
        ValueError: an input for which there is no column.
    """
    recording = getattr(model, "_recording", None)
    if recording is None:
        return frame
    inputs = recording.inputs
    if isinstance(inputs, dict):
        ranks = {name: len(tensor.shape) for name, tensor in inputs.items()}
    elif len(model.inputs) > 1:
        ranks = {tensor.name: len(tensor.shape) for tensor in model.inputs}
    else:
        return frame
    return {name: _column(frame, name, rank, "input", model) for name, rank in ranks.items()}


def for_outputs(frame, model):
    """Return a frame of targets as a dict by the names of the model's outputs where it has several.

    Raises:
        ValueError: an output for which there is no column.
    """
    if getattr(model, "_recording", None) is None or len(model.outputs) < 2:
        return frame
    ranks = zip(model.output_names, model.outputs, strict=True)
    return {name: _column(frame, name, len(tensor.shape), "output", model) for name, tensor in ranks}


def _column(frame, name, rank, what, model):
    columns = list(frame.columns)
    if name not in columns and not any(isinstance(c, tuple) and c[0] == name for c in columns):
        raise ValueError(
            f"{describe(model)}: the data frame lacks the column {name!r} for the {what} of that "
            f"name{suggestion(name, columns)} {MISSING} {columns}. Rename its columns, or pass arrays."
        )
    array = frame_to_array(frame[name])
    return array[:, 0] if rank == 1 and array.shape[1] == 1 else array


def as_array(value):
    """Return a frame, a series or a list of numbers or strings as an array; arrays and tensors stay."""
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return value
    if text.is_text_list(value):
        return text.text_array("The data", value)
    return frame_to_array(value) if is_frame(value) or is_series(value) else np.asarray(value)
