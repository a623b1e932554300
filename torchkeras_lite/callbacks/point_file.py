"""Points of a training in a file: plain values and tensors, read without running code."""

import os
import pickle
import zlib

import numpy as np
import torch

from torchkeras_lite.base.atomic_file import replacing

ARRAY = "__array__"


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
        except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, pickle.UnpicklingError):
            continue  # cut off or damaged; the other may be whole
        known = checksum(weights) if known is None else known
        if stored == known:
            return _restored(point)
    return None


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
