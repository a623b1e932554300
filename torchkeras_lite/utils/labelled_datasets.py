"""Datasets of the images, texts and sounds in folders whose names are their classes."""

from torchkeras_lite.base import config
from torchkeras_lite.base.checks import int_tuple, positive_int
from torchkeras_lite.data import Dataset
from torchkeras_lite.data.streams import FilledBatches
from torchkeras_lite.utils import directories
from torchkeras_lite.utils.file_readers import ImageReader, SoundReader, TextReader
from torchkeras_lite.utils.sounds import padded_batch, ragged_batch

IMAGE_FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
TEXT_FORMATS = (".txt",)
SOUND_FORMATS = (".wav",)


def image_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    color_mode="rgb",
    batch_size=32,
    image_size=(256, 256),
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    interpolation="bilinear",
    follow_links=False,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    data_format=None,
    format="tf",
    verbose=True,
    workers=None,
):
    """Return a dataset of the images in a folder with one folder for each class.

    The images are read anew every epoch, ahead of their use, and go into `fit` as they are.

    Args:
        directory: The folder. Files that end in .bmp, .gif, .jpeg, .jpg or .png count.
        labels: `"inferred"` from the names of folders, `None` for images alone, or a list of class numbers
            in the order of the paths, sorted by name.
        label_mode: `"int"`, `"binary"` (floats of shape (batch, 1)), `"categorical"` (one-hot), or `None`.
        class_names: Folders that count, in the order of their numbers; all, sorted, when not given.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        batch_size: Images in a batch; `None` for single images.
        image_size: (height, width) to which images are resized.
        shuffle: Whether every epoch has a random order; `False` keeps that of the names.
        seed: Makes orders and splits repeatable.
        validation_split: Fraction of the files, the last, that is kept apart for validation.
        subset: `"training"`, `"validation"`, or `"both"` for two datasets.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"area"`, `"lanczos3"`, `"lanczos5"`,
            `"gaussian"` or `"mitchellcubic"`.
        follow_links: Whether links to folders are followed.
        crop_to_aspect_ratio: Whether the middle is cut out in the new form, so that nothing is stretched.
        pad_to_aspect_ratio: Whether black edges are added instead.
        data_format: Layout of the images, `image_data_format()` when not given.
        format: `"tf"` or `"grain"`; accepted, the dataset is the same.
        verbose: Whether the numbers of files are printed.
        workers: Threads that read images, one a processor and four at the most when not given.

    Shapes:
        images `(batch, height, width, channels)`, float32 from 0 to 255

    Returns:
        A `Dataset` with `class_names` and `file_paths`, or two of them.

    Raises:
        ImportError: Pillow is not installed: `pip install pillow`.
        ValueError: an argument out of range, or a folder without images.

    Source: Keras 3 `keras.utils.image_dataset_from_directory`. Differs: needs neither TensorFlow nor grain;
    every epoch is shuffled as a whole, not in a buffer of 8 batches.
    """
    owner = "image_dataset_from_directory"
    directories.check_format(owner, format)
    read = ImageReader(
        owner,
        color_mode=color_mode,
        size=int_tuple(owner, "image_size", image_size, 2),
        interpolation=interpolation,
        crop=crop_to_aspect_ratio,
        pad=pad_to_aspect_ratio,
        data_format=config.image_data_format() if data_format is None else data_format,
    )
    choice = _Choice(
        owner, "images", labels, label_mode, class_names, shuffle, seed, validation_split, subset
    )
    parts = choice.find(directory, IMAGE_FORMATS, follow_links, verbose)
    if batch_size is None:
        return choice.datasets(parts, read, workers, lambda dataset: dataset)
    size = positive_int(owner, "batch_size", batch_size)
    threads = directories.reading_threads(workers)
    batch = lambda dataset: Dataset(FilledBatches(dataset.stage, size, read, threads))
    return choice.datasets(parts, read, workers, batch)


def text_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    batch_size=32,
    max_length=None,
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    follow_links=False,
    format="tf",
    verbose=True,
    workers=None,
):
    """Return a dataset of the .txt files in a folder with one folder for each class.

    Args:
        max_length: Characters of a text that are kept; all when not given.
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, \
follow_links, format, verbose, workers: As in `image_dataset_from_directory`.

    Shapes:
        texts `(batch,)`, a NumPy array of `str`, as `TextVectorization` takes it

    Returns:
        A `Dataset` with `class_names` and `file_paths`, or two of them.

    Raises:
        ValueError: an argument out of range, or a folder without texts.

    Source: Keras 3 `keras.utils.text_dataset_from_directory`. Differs: `max_length` counts characters, where
    TensorFlow counts bytes.
    """
    owner = "text_dataset_from_directory"
    directories.check_format(owner, format)
    read = TextReader(None if max_length is None else positive_int(owner, "max_length", max_length))
    choice = _Choice(
        owner, "text files", labels, label_mode, class_names, shuffle, seed, validation_split, subset
    )
    parts = choice.find(directory, TEXT_FORMATS, follow_links, verbose)
    return choice.datasets(parts, read, workers, lambda dataset: _batched(owner, dataset, batch_size))


def audio_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    batch_size=32,
    sampling_rate=None,
    output_sequence_length=None,
    ragged=False,
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    follow_links=False,
    verbose=True,
    workers=None,
):
    """Return a dataset of the .wav files in a folder with one folder for each class.

    Args:
        sampling_rate: Samples a second to which sounds are converted; that of each file when not given.
        output_sequence_length: Samples to which sounds are cut or filled with zeros; when not given, those of
            a batch are filled to the longest.
        ragged: Whether sounds keep their lengths: a batch is a jagged tensor of `torch.nested`.
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, \
follow_links, verbose, workers: As in `image_dataset_from_directory`.

    Shapes:
        sounds `(batch, samples, channels)`, float32 from -1 to 1

    Returns:
        A `Dataset` with `class_names` and `file_paths`, or two of them.

    Raises:
        ValueError: an argument out of range, a folder without sounds, or files that are no PCM.

    Source: Keras 3 `keras.utils.audio_dataset_from_directory`. Differs: needs no TensorFlow; PCM of 8, 16, 24
    and 32 bits is read, and `sampling_rate` needs no further package.
    """
    owner = "audio_dataset_from_directory"
    if sampling_rate is not None and (not isinstance(sampling_rate, int) or sampling_rate <= 0):
        raise ValueError(
            f"{owner}: `sampling_rate` should be higher than 0. Received: sampling_rate={sampling_rate}"
        )
    if ragged and output_sequence_length is not None:
        raise ValueError(f"{owner}: Cannot set both `ragged` and `output_sequence_length`. Pass one of them.")
    length = output_sequence_length
    read = SoundReader(sampling_rate, None if length is None else positive_int(owner, "length", length))
    choice = _Choice(
        owner, "audio files", labels, label_mode, class_names, shuffle, seed, validation_split, subset
    )
    parts = choice.find(directory, SOUND_FORMATS, follow_links, verbose)
    if length is not None or batch_size is None:
        batch = lambda dataset: _batched(owner, dataset, batch_size)
    else:
        size = positive_int(owner, "batch_size", batch_size)
        collate = ragged_batch if ragged else padded_batch
        batch = lambda dataset: dataset.batch(size, collate=collate).prefetch()
    return choice.datasets(parts, read, workers, batch)


def _batched(owner, dataset, batch_size):
    if batch_size is None:
        return dataset
    return dataset.batch(positive_int(owner, "batch_size", batch_size)).prefetch()


class _Choice:
    """Which files there are in which dataset, and what their labels are: what the three loaders share."""

    def __init__(self, owner, kind, labels, label_mode, class_names, shuffle, seed, validation_split, subset):
        directories.check_labels(owner, kind, labels, label_mode, class_names)
        directories.check_split(owner, validation_split, subset, shuffle, seed)
        self.owner, self.kind = owner, kind
        self.labels = None if label_mode is None else labels
        self.label_mode, self.class_names = label_mode, class_names
        self.shuffle, self.seed = shuffle, seed
        self.validation_split, self.subset = validation_split, subset

    def find(self, directory, formats, follow_links, verbose):
        """Return the files of each dataset."""
        files = directories.find_files(
            self.owner, directory, self.kind, formats, self.labels, self.class_names, follow_links, verbose
        )
        if self.shuffle:
            files, self.seed = directories.shuffled(files, self.seed)
        return directories.subsets(files, self.validation_split, self.subset, verbose)

    def datasets(self, parts, read, workers, batch) -> Dataset | list:
        """Return a dataset for each part, or the only one."""
        made = []
        for files in parts:
            labels = directories.encoded_labels(self.owner, files, self.label_mode)
            dataset = directories.as_dataset(files, labels, read, self.shuffle, self.seed, workers)
            made.append(directories.described(batch(dataset), files))
        return made[0] if len(made) == 1 else made
