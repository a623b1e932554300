"""Batches of images in files that an `ImageDataGenerator` changes: of folders, and of a data frame."""

import concurrent.futures
import os
import warnings

import numpy as np

from torchkeras_lite.base import config
from torchkeras_lite.base.checks import int_tuple, one_of, suggestion
from torchkeras_lite.callbacks.progress import announce
from torchkeras_lite.data.dataset import AUTOTUNE, worker_count
from torchkeras_lite.preprocessing.image.iterators import SUBSETS, Iterator, save_batch
from torchkeras_lite.utils.image_files import CHANNELS, COLOR_MODES, RESAMPLINGS, img_to_array, load_img

FORMATS = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")
CLASSED = ("binary", "sparse", "categorical")
MOST_THREADS = 4


class FileIterator(Iterator):
    """Batches of images in files; a subclass has `filepaths`, `labels`, `sample_weight` and `class_mode`.

    Args:
        image_data_generator: The `ImageDataGenerator`.
        target_size: (height, width).
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        data_format: Layout of the images.
        save_to_dir: Folder to which changed images are written, to look at them.
        save_prefix, save_format: Begin and ending of their names.
        subset: `"training"` or `"validation"`, where the generator has a `validation_split`.
        interpolation: How images are resized, see `load_img`.
        keep_aspect_ratio: Whether their middle is cut out in the new form first.
        dtype: Dtype of the batches.

    Raises:
        ValueError: an unknown color mode or subset.
    """

    sample_weight = None

    def _set_reading(
        self,
        image_data_generator,
        target_size,
        color_mode,
        data_format,
        save_to_dir,
        save_prefix,
        save_format,
        subset,
        interpolation,
        keep_aspect_ratio,
        dtype,
    ):
        owner = type(self).__name__
        one_of(owner, "color_mode", color_mode, tuple(COLOR_MODES))
        one_of(owner, "subset", subset, SUBSETS)
        one_of(owner, "interpolation", interpolation, tuple(RESAMPLINGS))
        self.image_data_generator = image_data_generator
        self.target_size = int_tuple(owner, "target_size", tuple(target_size), 2)
        self.color_mode, self.interpolation = color_mode, interpolation
        self.keep_aspect_ratio = keep_aspect_ratio
        self.data_format = config.image_data_format() if data_format is None else data_format
        channels = CHANNELS[color_mode]
        last = self.data_format == "channels_last"
        self.image_shape = (*self.target_size, channels) if last else (channels, *self.target_size)
        self.save_to_dir, self.save_prefix, self.save_format = save_to_dir, save_prefix, save_format
        self.subset = subset
        self.dtype = config.floatx() if dtype is None else dtype

    def _split(self, count):
        """Return which of `count` files belong to the subset: the first are for validation."""
        cut = int(count * self.image_data_generator._validation_split)
        return {None: slice(None), "validation": slice(None, cut), "training": slice(cut, None)}[self.subset]

    def _read(self, path, parameters):
        image = load_img(path, self.color_mode, self.target_size, self.interpolation, self.keep_aspect_ratio)
        array = img_to_array(image, data_format=self.data_format)
        return self.image_data_generator.apply_transform(array, parameters)

    def _get_batches_of_transformed_samples(self, index_array, random=None):
        random = self.random if random is None else random
        generator, seed = self.image_data_generator, None if random is np.random else random
        drawn = [generator.get_random_transform(self.image_shape, seed) for _ in index_array]
        paths = [self.filepaths[row] for row in index_array]
        batch = np.empty((len(paths), *self.image_shape), dtype=self.dtype)
        threads = min(worker_count("threads", "threads", AUTOTUNE), MOST_THREADS, max(len(paths), 1))
        with concurrent.futures.ThreadPoolExecutor(threads) as executor:
            for place, image in enumerate(executor.map(self._read, paths, drawn)):
                batch[place] = generator.standardize(image)
        if self.save_to_dir:
            save_batch(self, batch, index_array)
        targets = self._targets_of(batch, index_array)
        if targets is None:
            return batch
        if self.sample_weight is None:
            return batch, targets
        return batch, targets, self.sample_weight[index_array]

    def _targets_of(self, batch, index_array):
        if self.class_mode is None:
            return None
        if self.class_mode == "input":
            return batch.copy()
        labels = [self.classes[row] for row in index_array]
        if self.class_mode != "categorical":
            return np.asarray(labels, dtype=self.dtype)
        targets = np.zeros((len(labels), self.num_classes), dtype=self.dtype)
        for row, label in zip(targets, labels, strict=True):
            row[label] = 1.0
        return targets


class DirectoryIterator(FileIterator):
    """Batches of the images in a folder with one folder for each class.

    Args:
        directory: The folder.
        image_data_generator: The `ImageDataGenerator`.
        classes: Folders that count, in the order of their numbers; all, sorted, when not given.
        class_mode: `"categorical"` (one-hot), `"binary"` and `"sparse"` (numbers), `"input"` (the images
            themselves), or `None` for images alone.
        batch_size, shuffle, seed: See `Iterator`.
        follow_links: Whether links to folders are followed.
        target_size, color_mode, data_format, save_to_dir, save_prefix, save_format, subset, interpolation, \
keep_aspect_ratio, dtype: See `FileIterator`.

    Raises:
        ImportError: Pillow is not installed: `pip install pillow`.
        ValueError: an unknown mode.

    Source: tf.keras `preprocessing.image.DirectoryIterator`.
    """

    modes = (*CLASSED, "input", None)

    def __init__(
        self,
        directory,
        image_data_generator,
        target_size=(256, 256),
        color_mode="rgb",
        classes=None,
        class_mode="categorical",
        batch_size=32,
        shuffle=True,
        seed=None,
        data_format=None,
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        follow_links=False,
        subset=None,
        interpolation="nearest",
        keep_aspect_ratio=False,
        dtype=None,
    ):
        self._set_reading(
            image_data_generator,
            target_size,
            color_mode,
            data_format,
            save_to_dir,
            save_prefix,
            save_format,
            subset,
            interpolation,
            keep_aspect_ratio,
            dtype,
        )
        self.directory = os.fspath(directory)
        self.class_mode = one_of("flow_from_directory", "class_mode", class_mode, self.modes)
        if not classes:
            classes = sorted(entry.name for entry in os.scandir(self.directory) if entry.is_dir())
        self.num_classes = len(classes)
        self.class_indices = {name: number for number, name in enumerate(classes)}
        self.filenames, numbers = [], []
        for name, number in self.class_indices.items():
            files = _image_files(os.path.join(self.directory, name), follow_links)
            files = files[self._split(len(files))]
            self.filenames += [os.path.relpath(path, self.directory) for path in files]
            numbers += [number] * len(files)
        self.classes = np.array(numbers, dtype="int32")
        self.samples = len(self.filenames)
        self.filepaths = [os.path.join(self.directory, name) for name in self.filenames]
        announce(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        super().__init__(self.samples, batch_size, shuffle, seed)

    @property
    def labels(self):
        """Class numbers of all files."""
        return self.classes


def _image_files(folder, follow_links):
    walk = sorted(os.walk(folder, followlinks=follow_links), key=lambda entry: entry[0])
    return [
        os.path.join(root, name)
        for root, _, names in walk
        for name in sorted(names)
        if name.lower().endswith(tuple(f".{ending}" for ending in FORMATS))
    ]


class DataFrameIterator(FileIterator):
    """Batches of the images whose files a data frame names.

    Args:
        dataframe: A table with named columns, such as a pandas `DataFrame`.
        directory: Folder in which the files are; `None` where the table holds whole paths.
        image_data_generator: The `ImageDataGenerator`.
        x_col: Column of the file names.
        y_col: Column of the targets, or a list of them.
        weight_col: Column of the weights, or `None`.
        classes: Names of classes that count, in the order of their numbers; all, sorted, when not given.
        class_mode: `"categorical"` (one-hot, also of lists of names), `"binary"`, `"sparse"`, `"raw"` (the
            values as they are), `"multi_output"` (a list, one array a column), `"input"`, or `None`.
        validate_filenames: Whether rows whose file is not there are left out, with a warning.
        batch_size, shuffle, seed: See `Iterator`.
        target_size, color_mode, data_format, save_to_dir, save_prefix, save_format, subset, interpolation, \
keep_aspect_ratio, dtype: See `FileIterator`.

    Raises:
        ImportError: Pillow is not installed: `pip install pillow`.
        KeyError: a column that the table lacks.
        TypeError: a column of another kind than the mode needs.
        ValueError: an unknown mode, `"binary"` without two classes.

    Source: tf.keras `preprocessing.image.DataFrameIterator`.
    """

    modes = (*CLASSED, "input", "multi_output", "raw", None)

    def __init__(
        self,
        dataframe,
        directory=None,
        image_data_generator=None,
        x_col="filename",
        y_col="class",
        weight_col=None,
        target_size=(256, 256),
        color_mode="rgb",
        classes=None,
        class_mode="categorical",
        batch_size=32,
        shuffle=True,
        seed=None,
        data_format="channels_last",
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        subset=None,
        interpolation="nearest",
        keep_aspect_ratio=False,
        dtype="float32",
        validate_filenames=True,
    ):
        self._set_reading(
            image_data_generator,
            target_size,
            color_mode,
            data_format,
            save_to_dir,
            save_prefix,
            save_format,
            subset,
            interpolation,
            keep_aspect_ratio,
            dtype,
        )
        self.class_mode = one_of("flow_from_dataframe", "class_mode", class_mode, self.modes)
        self.directory = os.fspath(directory or "")
        names = _column(dataframe, x_col)
        if not all(isinstance(name, str) for name in names):
            raise TypeError(f"flow_from_dataframe: All values in column x_col={x_col} must be strings.")
        kept = list(range(len(names)))
        if validate_filenames:
            kept = self._existing(names, x_col)
        targets = None if class_mode in ("input", None) else self._targets(dataframe, y_col, kept)
        if class_mode in CLASSED:
            kept, targets = self._number_classes(kept, targets, classes, y_col)
        part = self._split(len(kept))
        kept = kept[part]
        self.filenames = [names[row] for row in kept]
        self.filepaths = [os.path.join(self.directory, name) for name in self.filenames]
        self.samples = len(kept)
        if class_mode in CLASSED:
            self.classes = targets[part]
        elif targets is not None:
            self.raw_targets = [np.asarray(column)[part] for column in targets]
        if weight_col is not None:
            weights = np.asarray(_column(dataframe, weight_col))
            if weights.dtype.kind not in "biuf":
                raise TypeError(f"flow_from_dataframe: Column weight_col={weight_col} must be numeric.")
            self.sample_weight = weights[kept]
        belonging = f" belonging to {self.num_classes} classes" if class_mode in CLASSED else ""
        kind = "validated" if validate_filenames else "non-validated"
        announce(f"Found {self.samples} {kind} image filenames{belonging}.")
        super().__init__(self.samples, batch_size, shuffle, seed)

    def _existing(self, names, x_col):
        """Return the numbers of rows whose file is there."""
        endings = tuple(f".{ending}" for ending in FORMATS)
        kept = [
            row
            for row, name in enumerate(names)
            if name.lower().endswith(endings) and os.path.isfile(os.path.join(self.directory, name))
        ]
        missing = len(names) - len(kept)
        if missing:
            warnings.warn(
                f'Found {missing} invalid image filename(s) in x_col="{x_col}". These filename(s) will be '
                "ignored.",
                stacklevel=4,
            )
        return kept

    def _targets(self, dataframe, y_col, kept):
        """Return the columns of targets, the rows `kept` of them."""
        if self.class_mode == "multi_output" and not isinstance(y_col, list):
            raise TypeError(
                'flow_from_dataframe: If class_mode="multi_output", y_col must be a list. Received '
                f"{type(y_col).__name__}."
            )
        listed = y_col if isinstance(y_col, (list, tuple)) else [y_col]
        columns = [_column(dataframe, name) for name in listed]
        columns = [[column[row] for row in kept] for column in columns]
        if self.class_mode == "raw" and isinstance(y_col, (list, tuple)):
            return [np.array(columns).T]
        return columns

    def _number_classes(self, kept, columns, classes, y_col):
        """Return the rows of the classes that count, and their class numbers."""
        labels = columns[0]
        kinds = (str, list, tuple) if self.class_mode == "categorical" else (str,)
        if not all(isinstance(label, kinds) for label in labels):
            raise TypeError(
                f'flow_from_dataframe: If class_mode="{self.class_mode}", y_col="{y_col}" column values '
                "must be "
                f"{'type string, list or tuple' if len(kinds) > 1 else 'strings'}."
            )
        lists = [label if isinstance(label, (list, tuple)) else [label] for label in labels]
        names = sorted({name for label in lists for name in label}) if not classes else list(classes)
        self.class_indices = {name: number for number, name in enumerate(names)}
        self.num_classes = len(names)
        if self.class_mode == "binary" and self.num_classes != 2:
            raise ValueError(
                f'flow_from_dataframe: If class_mode="binary" there must be 2 classes. {self.num_classes} '
                "class/es were given."
            )
        rows, numbers = [], []
        for row, label, listed in zip(kept, labels, lists, strict=True):
            known = [self.class_indices[name] for name in listed if name in self.class_indices]
            if known:
                rows.append(row)
                numbers.append(known if isinstance(label, (list, tuple)) else known[0])
        return rows, numbers

    @property
    def labels(self):
        """Class numbers of all files, or their targets as they are."""
        if self.class_mode in CLASSED:
            return self.classes
        return self.raw_targets if self.class_mode == "multi_output" else self.raw_targets[0]

    def _targets_of(self, batch, index_array):
        if self.class_mode == "multi_output":
            return [column[index_array] for column in self.raw_targets]
        if self.class_mode == "raw":
            return self.raw_targets[0][index_array]
        return super()._targets_of(batch, index_array)


def _column(dataframe, name):
    columns = list(dataframe.columns)
    if name not in columns:
        raise KeyError(
            f"flow_from_dataframe: the data frame has no column {name!r}{suggestion(name, columns)} Columns: "
            f"{columns}"
        )
    return dataframe[name].to_list() if hasattr(dataframe[name], "to_list") else list(dataframe[name])
