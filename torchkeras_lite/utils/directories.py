"""Files in folders whose names are their classes: which, in what order, on which side of a split."""

import dataclasses
import os
import random

import numpy as np

from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.callbacks.progress import announce
from torchkeras_lite.data import AUTOTUNE, Dataset
from torchkeras_lite.data.dataset import worker_count

LABEL_MODES = ("int", "categorical", "binary", None)
MOST_WORKERS = 4
FORMATS = ("tf", "grain")
SUBSETS = ("training", "validation", "both")


@dataclasses.dataclass(frozen=True)
class LabelledFiles:
    """Paths and the labels that go with them.

    Args:
        paths: Paths of files.
        labels: Class numbers, or `None`.
        class_names: Names of the classes, or `None`.
    """

    paths: list
    labels: np.ndarray | None
    class_names: list | None

    def part(self, places):
        """Return the files at `places`, a slice or integers."""
        paths = self.paths[places] if isinstance(places, slice) else [self.paths[place] for place in places]
        return dataclasses.replace(
            self, paths=paths, labels=None if self.labels is None else self.labels[places]
        )


def check_labels(owner, what, labels, label_mode, class_names):
    """Raise a `ValueError` for labels that a directory loader does not know."""
    listed = isinstance(labels, (list, tuple, np.ndarray))
    if not listed and labels not in ("inferred", None):
        raise ValueError(
            f"{owner}: `labels` argument should be a list/tuple of integer labels, of the same size as the "
            f'number of {what} files in the target directory, `labels="inferred"` for labels from the names '
            f"of its folders, or `labels=None`. Received: labels={labels!r}"
        )
    if label_mode not in LABEL_MODES:
        raise ValueError(
            f'{owner}: `label_mode` argument must be one of "int", "categorical", "binary", or None. '
            f"Received: label_mode={label_mode}{suggestion(label_mode, LABEL_MODES[:3])}"
        )
    if listed and class_names is not None:
        raise ValueError(
            f'{owner}: You can only pass `class_names` if `labels="inferred"`, got a list of labels. Leave '
            "one of them out."
        )
    if labels is None and class_names is not None:
        raise ValueError(
            f"{owner}: When `labels=None` (no labels), argument `class_names` cannot be specified, got "
            f"{class_names}. Leave it out."
        )


def check_format(owner, format):
    """Raise a `ValueError` for a kind of dataset that Keras does not have either."""
    if format not in FORMATS:
        raise ValueError(f"{owner}: `format` should be either 'tf' or 'grain', got {format!r}. Leave it out.")


def check_split(owner, validation_split, subset, shuffle, seed):
    """Raise a `ValueError` for a split that cannot be made the same way twice."""
    if validation_split and not 0 < validation_split < 1:
        raise ValueError(f"{owner}: `validation_split` must be between 0 and 1, received: {validation_split}")
    if bool(validation_split) != bool(subset):
        raise ValueError(
            f"{owner}: If `subset` is set, `validation_split` must be set, and inversely; got "
            f"validation_split={validation_split}, subset={subset!r}."
        )
    if subset is not None and subset not in SUBSETS:
        raise ValueError(
            f'{owner}: `subset` must be either "training", "validation" or "both", received: {subset}'
            f"{suggestion(subset, SUBSETS)}"
        )
    if validation_split and shuffle and seed is None:
        raise ValueError(
            f"{owner}: If using `validation_split` and shuffling the data, you must provide a `seed` "
            "argument, "
            "to make sure that there is no overlap between the training and validation subset."
        )


def find_files(owner, directory, kind, formats, labels, class_names, follow_links, verbose):
    """Return the files below a folder, class by class, in the order of their names.

    Args:
        owner: The function, for messages.
        directory: The folder.
        kind: What the files are, for messages.
        formats: Endings of files that count, in lower case.
        labels: `"inferred"`, `None`, or class numbers in the order of the files.
        class_names: The folders that count, in the order of their numbers; all of them when not given.
        follow_links: Whether links to folders are followed.
        verbose: Whether what was found is printed.

    Raises:
        ValueError: no such folder, no files, classes without a folder, another number of labels than of
            files.
    """
    directory = os.path.abspath(os.fspath(directory))
    if not os.path.isdir(directory):
        raise ValueError(f"{owner}: there is no folder {directory}. Pass a folder that holds the files.")
    inferred = isinstance(labels, str)
    names = _class_folders(owner, directory, class_names) if inferred else [""]
    found = [_valid_files(os.path.join(directory, name), formats, follow_links) for name in names]
    paths = [path for files in found for path in files]
    if inferred:
        numbers = np.repeat(np.arange(len(names), dtype="int32"), [len(files) for files in found])
    else:
        numbers = None if labels is None else np.asarray(labels, dtype="int32")
        names = None if labels is None else class_names or [str(number) for number in sorted(set(labels))]
    if not paths:
        raise ValueError(f"{owner}: No {kind} found in directory {directory}. Allowed formats: {formats}")
    if numbers is not None and len(numbers) != len(paths):
        raise ValueError(
            f"{owner}: Expected the lengths of `labels` to match the number of files in the target "
            "directory. "
            f"len(labels) is {len(numbers)} while we found {len(paths)} files in directory {directory}."
        )
    if verbose:
        classes = "" if names is None else f" belonging to {len(names)} classes"
        announce(f"Found {len(paths)} files{classes}.")
    return LabelledFiles(paths, numbers, names)


def _class_folders(owner, directory, class_names):
    folders = sorted(
        entry.name for entry in os.scandir(directory) if entry.is_dir() and not entry.name.startswith(".")
    )
    if class_names is None:
        return folders
    missing = [name for name in class_names if name not in folders]
    if missing:
        raise ValueError(
            f"{owner}: The `class_names` passed did not match the names of the subdirectories of the target "
            f"directory: there is no folder {missing[0]!r}{suggestion(missing[0], folders)} Folders: "
            f"{folders}"
        )
    return list(class_names)


def _valid_files(folder, formats, follow_links):
    walk = sorted(os.walk(folder, followlinks=follow_links), key=lambda entry: entry[0])
    return [
        os.path.join(root, name)
        for root, _, names in walk
        for name in sorted(names)
        if name.lower().endswith(formats)
    ]


def shuffled(files, seed):
    """Return the files in a random order, the one that Keras gives for `seed`, and the seed used."""
    seed = random.randrange(10**6) if seed is None else seed
    order = np.arange(len(files.paths))
    np.random.RandomState(seed).shuffle(order)
    return files.part(order), seed


def subsets(files, validation_split, subset, verbose=True):
    """Return the parts of a split that `subset` names, in a list: the last files are for validation."""
    if not validation_split:
        return [files]
    held_out = int(validation_split * len(files.paths))
    parts = {
        "training": files.part(slice(None, len(files.paths) - held_out)),
        "validation": files.part(slice(len(files.paths) - held_out, None)),
    }
    wanted = list(parts) if subset == "both" else [subset]
    if verbose:
        for name in wanted:
            announce(f"Using {len(parts[name].paths)} files for {name}.")
    return [parts[name] for name in wanted]


def encoded_labels(owner, files, label_mode):
    """Return the labels in the form of `label_mode`, or `None`.

    Raises:
        ValueError: `"binary"` for another number of classes than two.
    """
    if label_mode is None or files.labels is None:
        return None
    count = len(files.class_names)
    if label_mode == "binary":
        if count != 2:
            raise ValueError(
                f'{owner}: When passing `label_mode="binary"`, there must be exactly 2 class_names. '
                f"Received: class_names={files.class_names}"
            )
        return files.labels.astype("float32")[:, None]
    if label_mode == "categorical":
        if not 0 <= files.labels.min() <= files.labels.max() < count:
            raise ValueError(
                f"{owner}: one-hot labels need the class numbers 0 to {count - 1}, got numbers from "
                f"{files.labels.min()} to {files.labels.max()}. Number the classes from 0."
            )
        return np.eye(count, dtype="float32")[files.labels]
    return files.labels.astype("int32")


def as_dataset(files, labels, read, shuffle, seed, workers):
    """Return a dataset of what `read` makes of each file, beside its label where there are labels.

    Args:
        files: The files.
        labels: From `encoded_labels`.
        read: Function of a path.
        shuffle: Whether every epoch has an order of its own.
        seed: Seed of these orders.
        workers: Threads that read, `None` for one a processor, four at the most.
    """
    paths = np.array(files.paths, dtype=object)
    dataset = Dataset.from_tensor_slices(paths if labels is None else (paths, labels))
    if shuffle:
        dataset = dataset.shuffle(seed=seed)
    load = read if labels is None else _with_label(read)
    return dataset.map(load, num_parallel_calls=reading_threads(workers))


def reading_threads(workers):
    """Return how many threads read: `workers`, or one a processor and four at the most for `None`."""
    if workers is not None:
        return max(workers, 1)
    return min(worker_count("workers", "workers", AUTOTUNE), MOST_WORKERS)


def _with_label(read):
    return lambda path, label: (read(path), label)


def described(dataset, files):
    """Return the dataset with `class_names` and `file_paths`."""
    dataset.class_names = files.class_names
    dataset.file_paths = files.paths
    return dataset
