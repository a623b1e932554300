"""What `TensorBoard` writes besides numbers: graph, weights, embeddings, profile."""

import os
import warnings

import numpy as np
import torch

from torchkeras_lite.base import dtypes, nested


def profile_range(profile_batch):
    """Return the first and last batch to profile, counted from 1; `(1, 0)` for none.

    Raises:
        ValueError: neither a number nor a pair of numbers in order.
    """
    parts = profile_batch.split(",") if isinstance(profile_batch, str) else profile_batch
    try:
        first, last = (
            (parts, parts) if isinstance(parts, int) else map(int, parts if len(parts) == 2 else parts * 2)
        )
    except (TypeError, ValueError):
        first, last = -1, -1
    if first < 0 or last < first:
        raise ValueError(
            "TensorBoard: `profile_batch` must be a batch counted from 1, a pair of first and last batch, "
            f"or 0 for none; got {profile_batch!r}."
        )
    return (first, last) if first else (1, 0)


class Profile:
    """A recording by `torch.profiler` that has begun.

    Args:
        folder: Where the trace is written.
    """

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        activities = [torch.profiler.ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(torch.profiler.ProfilerActivity.CUDA)
        self._profiler = torch.profiler.profile(
            activities=activities, on_trace_ready=torch.profiler.tensorboard_trace_handler(folder)
        )
        self._profiler.start()

    def end(self):
        """Wait for the device, and write the trace."""
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()
        self._profiler.stop()


def write_graph(writer, model):
    """Write the graph that torch traces on zeros; a model that cannot be traced only warns."""
    inputs = getattr(model, "inputs", None)
    if not inputs or not isinstance(model, torch.nn.Module):
        return
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    modes = {module: module.training for module in model.modules()}
    try:
        zeros = [_zeros(tensor, device) for tensor in nested.flatten(inputs)]
        model.eval()
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            writer.add_graph(model, zeros[0] if len(zeros) == 1 else (zeros,), use_strict_trace=False)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        warnings.warn(
            f"TensorBoard: the graph of the model could not be traced ({reason}). "
            "Pass write_graph=False to leave it out.",
            stacklevel=3,
        )
    finally:
        for module, training in modes.items():
            module.training = training


def _zeros(tensor, device):
    shape = [1 if size is None else size for size in tensor.shape]
    return torch.zeros(shape, dtype=dtypes.torch_dtype(tensor.dtype), device=device)


def write_weights(writer, model, epoch, images):
    """Write a histogram of every weight of the model's layers and, with `images`, a picture."""
    for layer in model.layers:
        for weight in layer.weights:
            name = str(getattr(weight, "path", None) or weight.name).replace(":", "_")
            values = np.asarray(weight.numpy(), dtype="float32")
            writer.add_histogram(f"{name}/histogram", values, epoch)
            if images and (picture := as_images(values)) is not None:
                writer.add_images(f"{name}/image", picture, epoch, dataformats="NHWC")


def as_images(values):
    """Return a weight as pictures `(number, height, width, 1 or 3 or 4)` in [0, 1], or `None` if it cannot be
    one."""
    values = np.squeeze(values)
    if values.ndim == 0:
        return None
    if values.ndim == 1:
        pictures = values.reshape(1, -1, 1, 1)
    elif values.ndim == 2:
        # Lying rather than standing.
        values = values.T if values.shape[0] > values.shape[1] else values
        pictures = values[None, :, :, None]
    elif values.ndim == 3:
        # The last axis counts kernels.
        pictures = np.moveaxis(values, -1, 0)[..., None]
    elif values.ndim == 4 and values.shape[2] in (1, 3, 4):
        pictures = np.moveaxis(values, -1, 0)
    else:
        return None
    low, high = pictures.min(), pictures.max()
    return (pictures - low) / max(high - low, 1e-12)


def write_embeddings(writer, model, epoch, metadata):
    """Write the matrices of the layers that have `embeddings`, with the labels in the files `metadata`.

    Raises:
        ValueError: labels for a layer that the model does not have.
    """
    layers = {layer.name: layer for layer in model.layers if hasattr(layer, "embeddings")}
    files = metadata if isinstance(metadata, dict) else dict.fromkeys(layers, metadata)
    unknown = sorted(set(files) - set(layers))
    if unknown:
        raise ValueError(
            "TensorBoard: Unrecognized `Embedding` layer names passed to `embeddings_metadata`: "
            f"{', '.join(unknown)}. "
            f"The model has {', '.join(layers) or 'no such layer'}."
        )
    for name, layer in layers.items():
        labels, header = read_labels(files.get(name))
        matrix = layer.embeddings.numpy()
        writer.add_embedding(matrix, metadata=labels, metadata_header=header, tag=name, global_step=epoch)


def read_labels(path):
    """Return the labels in a file and the names of its columns, `(None, None)` for no file."""
    if path is None:
        return None, None
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\r\n").split("\t") for line in file]
    if rows and len(rows[0]) > 1:
        return rows[1:], rows[0]
    return [row[0] for row in rows], None
