"""Points of a training in a file: plain values and tensors, read without running code."""

import io
import os
import pickle
import zipfile
import zlib

import numpy as np
import torch

from torchkeras_lite.base.atomic_file import replacing

ARRAY = "__array__"
MEMBER = "training_state.pt"  # of a `.keras` archive; Keras passes over it
DAMAGE = (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, pickle.UnpicklingError)


def write_point(path, point, weights):
    """Write `point` to `path`, with the checksum of the weights file that it belongs to."""
    with replacing(path) as place:
        torch.save({"weights": checksum(weights), "point": _plain(point)}, place)


def read_point(paths, weights):
    """Return the point in the first file among `paths` that belongs to the file `weights`, else `None`."""
    known = None
    for path in paths:
        if not os.path.exists(path):
            continue
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            stored, point = content["weights"], content["point"]
        except DAMAGE:
            continue  # cut off or damaged; the other may be whole
        known = checksum(weights) if known is None else known
        if stored == known:
            return _restored(point)
    return None


def point_bytes(point):
    """Return `point` as the bytes of the member of an archive."""
    memory = io.BytesIO()
    torch.save(_plain(point), memory)
    return memory.getvalue()


def point_in_archive(path):
    """Return the point that a `.keras` archive has, `None` where it has none.

    Raises:
        ValueError: it cannot be read, or holds more than plain values and tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if MEMBER not in archive.namelist():
                return None
            content = io.BytesIO(archive.read(MEMBER))
        return _restored(torch.load(content, map_location="cpu", weights_only=True))
    except (*DAMAGE, zipfile.BadZipFile) as error:
        text = str(error).partition("\n")[0]
        raise ValueError(f"{path}: the state of the training in it cannot be read: {text}") from None


def checksum(path):
    """Return the CRC-32 of a file."""
    running = 0
    with open(path, "rb") as file:
        while block := file.read(2**22):
            running = zlib.crc32(block, running)
    return running


def _plain(value):
    """Return `value` in terms of what torch reads without running code."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return {ARRAY: torch.from_numpy(np.ascontiguousarray(value)), "shape": list(value.shape)}
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().as_subclass(torch.Tensor)
    return value


def _restored(value):
    if isinstance(value, dict) and ARRAY in value:
        return value[ARRAY].numpy().reshape(value["shape"])
    if isinstance(value, dict):
        return {key: _restored(part) for key, part in value.items()}
    return [_restored(part) for part in value] if isinstance(value, list) else value
