"""Folders of files, and the calls of loaders on them whose results `golden.json` holds."""

import contextlib
import io
import os
import wave

import numpy as np

IMAGES = {"image_size": (3, 4), "shuffle": False, "batch_size": 4, "verbose": False}
TEXTS = {"shuffle": False, "batch_size": 4, "verbose": False}
SHUFFLED = {
    "shuffle": True,
    "seed": 4,
    "validation_split": 0.25,
    "subset": "both",
    "label_mode": "categorical",
}

# Loader, arguments, and the `format` with which Keras was asked.
LOADERS = [
    ("image", IMAGES, "grain"),
    *(
        ("image", {**IMAGES, **changes}, kind)
        for changes, kind in [
            ({"label_mode": "categorical"}, "grain"),
            ({"label_mode": "binary"}, "grain"),
            ({"label_mode": None}, "grain"),
            ({"labels": None, "label_mode": None}, "grain"),
            ({"labels": [3, 1, 4, 1, 5, 9, 2, 6]}, "grain"),
            ({"class_names": ["b", "a"]}, "grain"),
            ({"color_mode": "grayscale"}, "grain"),
            ({"color_mode": "rgba"}, "grain"),
            ({"batch_size": None}, "grain"),
            ({"interpolation": "nearest"}, "grain"),
            ({"interpolation": "bicubic"}, "grain"),
            ({"interpolation": "area"}, "tf"),
            ({"interpolation": "area", "image_size": (10, 5)}, "tf"),
            ({"interpolation": "gaussian"}, "tf"),
            ({"interpolation": "mitchellcubic"}, "tf"),
            ({"interpolation": "lanczos3"}, "tf"),
            ({"crop_to_aspect_ratio": True}, "grain"),
            ({"pad_to_aspect_ratio": True}, "grain"),
            ({"data_format": "channels_first"}, "grain"),
            ({"validation_split": 0.3, "subset": "both"}, "grain"),
            ({"validation_split": 0.3, "subset": "training"}, "grain"),
            ({"validation_split": 0.3, "subset": "validation"}, "grain"),
        ]
    ),
    ("text", TEXTS, "tf"),
    ("text", {**TEXTS, "max_length": 5}, "grain"),
    ("text", {**TEXTS, "label_mode": "binary"}, "tf"),
    ("text", {**TEXTS, "batch_size": None, "label_mode": None}, "tf"),
    ("audio", TEXTS, "tf"),
    ("audio", {**TEXTS, "output_sequence_length": 9}, "tf"),
    ("audio", {**TEXTS, "output_sequence_length": 14, "label_mode": "categorical"}, "tf"),
    ("audio", {**TEXTS, "batch_size": None}, "tf"),
]

ROWS = np.arange(60.0).reshape(30, 2)
TARGETS = np.arange(30)
WINDOWS = [
    {"sequence_length": 4, "batch_size": 5, **changes}
    for changes in [
        {},
        {"sequence_stride": 3},
        {"sampling_rate": 2},
        {"start_index": 3},
        {"end_index": 12},
        {"start_index": 2, "end_index": 25, "sampling_rate": 2, "sequence_stride": 2},
        {"batch_size": None, "sequence_stride": 9},
    ]
]
SPLITS = [
    {"left_size": 0.6},
    {"right_size": 3},
    {"left_size": 5, "right_size": 0.33},
    {"left_size": 0.55, "right_size": 0.125},
    {"left_size": 0.6, "right_size": 0.2, "shuffle": True, "seed": 3},
    {"left_size": 7, "shuffle": True, "seed": 1},
]


def write_files(folder, writer):
    """Fill a folder with images (through Pillow's `writer`), texts and sounds of two classes."""
    rng = np.random.default_rng(0)
    for name, count in (("a", 5), ("b", 3)):
        os.makedirs(folder / name / "inner")
        for number in range(count):
            stem = folder / name / ("inner" if number == 2 else "") / str(number)
            shape = (9 + number, 12 - number, [3, 4][number % 2])
            writer.fromarray(rng.integers(0, 255, shape, dtype="uint8")).save(f"{stem}.png")
            stem.with_suffix(".txt").write_bytes(f"héllo {number}\r\n{name}".encode())
            samples = rng.integers(-32768, 32767, 8 + 3 * number, dtype="int16")
            with wave.open(f"{stem}.wav", "wb") as sound:
                sound.setnchannels(1)
                sound.setsampwidth(2)
                sound.setframerate(8000)
                sound.writeframes(samples.tobytes())
    (folder / "a" / "notes.md").write_text("no data")


def quietly(call, *arguments, **options):
    """Return the result of a call without what it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return call(*arguments, **options)


def plain(structure):
    """Return batches as nested lists of numbers and text."""
    if isinstance(structure, (list, tuple)):
        return [plain(part) for part in structure]
    array = np.asarray(structure)
    if array.dtype.kind in "OSU":
        cells = [cell.decode() if isinstance(cell, bytes) else str(cell) for cell in array.reshape(-1)]
        return cells if array.ndim else cells[0]
    kind = str(array.dtype)
    values = [round(value, 2 if array.max() > 1 else 6) for value in array.reshape(-1).tolist()]
    return {"dtype": kind, "shape": list(array.shape), "values": values}
