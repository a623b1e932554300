"""Write `golden.json`: what Keras's loaders give. Needs TensorFlow and grain, which the tests do not.

Usage: KERAS_BACKEND=torch python tests/data/golden.py
"""

import json
import os
import tempfile
from pathlib import Path

import keras
from loader_cases import LOADERS, ROWS, SHUFFLED, SPLITS, TARGETS, WINDOWS, plain, quietly, write_files
from PIL import Image

HERE = Path(__file__).parent


def loaders(folder):
    """Batches of every loader, and the files of each."""
    found = []
    for kind, options, source in LOADERS:
        options = dict(options) if kind == "audio" else {**options, "format": source}
        load = getattr(keras.utils, f"{kind}_dataset_from_directory")
        made = quietly(load, folder, **options)
        made = made if isinstance(made, (list, tuple)) else [made]
        found.append([plain(list(dataset)) for dataset in made])
    return found


def shuffled(folder):
    """Files in the order of a seed."""
    made = quietly(keras.utils.image_dataset_from_directory, folder, **SHUFFLED, verbose=False)
    return [[os.path.relpath(path, folder) for path in dataset.file_paths] for dataset in made]


def main():
    """Write the file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, Image)
        found = {"loaders": loaders(folder), "shuffled": shuffled(folder)}
    window = keras.utils.timeseries_dataset_from_array
    found["windows"] = [plain(list(window(ROWS, TARGETS, **options))) for options in WINDOWS]
    split = keras.utils.split_dataset
    found["splits"] = [
        [plain(list(part)) for part in split((ROWS, TARGETS), preferred_backend="tensorflow", **options)]
        for options in SPLITS
    ]
    lines = [f'"{name}": [\n' + ",\n".join(map(json.dumps, part)) + "\n]" for name, part in found.items()]
    (HERE / "golden.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
