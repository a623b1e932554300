"""Batches of images that an `ImageDataGenerator` changes: what all kinds share, and those of arrays."""

import os
import threading
import warnings

import numpy as np

from torchkeras_lite.base import config
from torchkeras_lite.base.checks import one_of
from torchkeras_lite.training.py_dataset import PyDataset
from torchkeras_lite.utils.image_files import array_to_img

SUBSETS = ("training", "validation", None)


class Iterator(PyDataset):
    """Batches of rows with numbers, read by number or one after the other without an end.

    A subclass has `_get_batches_of_transformed_samples(index_array)`, which may draw from `self.random`.

    Args:
        n: Number of rows.
        batch_size: Rows in a batch.
        shuffle: Whether every epoch has a random order.
        seed: Makes orders and changes repeatable.
        **kwargs: For `PyDataset`.
    """

    def __init__(self, n, batch_size, shuffle, seed, **kwargs):
        super().__init__(**kwargs)
        self.n = n
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.batch_index = 0
        self.total_batches_seen = 0
        self.index_array = None
        self.random = np.random
        self.lock = threading.Lock()

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name not in ("lock", "random")}

    def __setstate__(self, state):
        self.__dict__.update(state, random=np.random, lock=threading.Lock())

    def _set_index_array(self):
        self.index_array = self.random.permutation(self.n) if self.shuffle else np.arange(self.n)

    def _begin_batch(self):
        """Have random numbers of the batch's own where there is a seed."""
        if self.seed is not None:
            self.random = np.random.RandomState((self.seed + self.total_batches_seen) % 2**32)
        self.total_batches_seen += 1

    def __len__(self):
        return -(-self.n // self.batch_size)

    def __getitem__(self, index):
        """Return the batch number `index`.

        Raises:
            IndexError: there is none of that number.
        """
        if not 0 <= index < len(self):
            raise IndexError(
                f"Asked to retrieve element {index}, but the {type(self).__name__} has length {len(self)}"
            )
        with self.lock:
            self._begin_batch()
            if self.index_array is None:
                self._set_index_array()
            rows = self.index_array[self.batch_size * index : self.batch_size * (index + 1)]
            random = self.random
        return self._get_batches_of_transformed_samples(rows, random)

    def on_epoch_end(self):
        """Draw the order of the next epoch."""
        self._set_index_array()

    def reset(self):
        """Go on with the first batch of an epoch."""
        self.batch_index = 0

    def __iter__(self):
        return self

    def __next__(self):
        """Return the next batch; after the last comes the first of a new epoch."""
        with self.lock:
            self._begin_batch()
            if self.batch_index == 0:
                self._set_index_array()
            start = self.batch_index * self.batch_size
            rows = self.index_array[start : start + self.batch_size]
            self.batch_index = self.batch_index + 1 if self.n > start + self.batch_size else 0
            random = self.random
        return self._get_batches_of_transformed_samples(rows, random)

    def next(self):
        """Return the next batch."""
        return self.__next__()

    def _get_batches_of_transformed_samples(self, index_array, random=None):
        """Return the batch of the rows `index_array`, drawing from `random`."""
        raise NotImplementedError


def changed(generator, image, random):
    """Return an image with changes drawn from `random`, standardized."""
    seed = None if random is np.random else random
    return generator.standardize(
        generator.apply_transform(image, generator.get_random_transform(image.shape, seed))
    )


def save_batch(iterator, batch, index_array):
    """Write the images of a batch to the iterator's `save_to_dir`."""
    for image, row in zip(batch, index_array, strict=True):
        name = f"{iterator.save_prefix}_{row}_{np.random.randint(10**7)}.{iterator.save_format}"
        array_to_img(image, iterator.data_format, scale=True).save(os.path.join(iterator.save_to_dir, name))


class NumpyArrayIterator(Iterator):
    """Batches of an array of images.

    Args:
        x: Images, an array with four axes; or a pair of them and of a list of further arrays to go along.
        y: Targets, or `None`.
        image_data_generator: The `ImageDataGenerator`.
        batch_size, shuffle, seed: See `Iterator`.
        sample_weight: A weight for each image, or `None`.
        data_format: Layout of the images.
        save_to_dir: Folder to which changed images are written, to look at them.
        save_prefix, save_format: Begin and ending of their names.
        subset: `"training"` or `"validation"`, where the generator has a `validation_split`.
        ignore_class_split: Whether the subsets may hold different classes.
        dtype: Dtype of the batches.

    Raises:
        ValueError: lengths that differ, an array without four axes, subsets with different classes.

    Source: tf.keras `preprocessing.image.NumpyArrayIterator`.
    """

    def __init__(
        self,
        x,
        y,
        image_data_generator,
        batch_size=32,
        shuffle=False,
        sample_weight=None,
        seed=None,
        data_format=None,
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        subset=None,
        ignore_class_split=False,
        dtype=None,
    ):
        self.dtype = config.floatx() if dtype is None else dtype
        self.data_format = config.image_data_format() if data_format is None else data_format
        self.image_data_generator = image_data_generator
        self.save_to_dir, self.save_prefix, self.save_format = save_to_dir, save_prefix, save_format
        x, further = (x[0], x[1]) if isinstance(x, (tuple, list)) and not np.isscalar(x[0]) else (x, [])
        further = further if isinstance(further, list) else [further]
        misc = [np.asarray(array) for array in further]
        self._check_lengths(x, y, sample_weight, misc)
        part = self._part(len(x), y, subset, ignore_class_split)
        self.x = np.asarray(x, dtype=self.dtype)[part]
        self.x_misc = [array[part] for array in misc]
        self.y = None if y is None else np.asarray(y)[part]
        self.sample_weight = None if sample_weight is None else np.asarray(sample_weight)[part]
        if self.x.ndim != 4:
            raise ValueError(
                "Input data in `NumpyArrayIterator` should have rank 4. You passed an array with shape "
                f"{self.x.shape}"
            )
        channels = self.x.shape[3 if self.data_format == "channels_last" else 1]
        if channels not in (1, 3, 4):
            warnings.warn(
                f"NumpyArrayIterator is set to use the data format {self.data_format!r}, i.e. 1, 3 or 4 "
                "channels "
                f"are expected. However, it was passed an array with shape {self.x.shape} ({channels} "
                "channels).",
                stacklevel=3,
            )
        super().__init__(len(self.x), batch_size, shuffle, seed)

    @staticmethod
    def _check_lengths(x, y, sample_weight, misc):
        named = {"`y` (labels)": y, "`sample_weight`": sample_weight}
        for name, array in [*named.items(), *(("further arrays", array) for array in misc)]:
            if array is not None and len(array) != len(x):
                raise ValueError(
                    f"NumpyArrayIterator: `x` (images tensor) and {name} should have the same length. Found: "
                    f"x.shape = {np.shape(x)}, shape = {np.shape(array)}"
                )

    def _part(self, count, y, subset, ignore_class_split):
        one_of("NumpyArrayIterator", "subset", subset, SUBSETS)
        if subset is None:
            return slice(None)
        cut = int(count * self.image_data_generator._validation_split)
        if y is not None and not ignore_class_split:
            first, second = np.unique(y[:cut]), np.unique(y[cut:])
            if not np.array_equal(first, second):
                raise ValueError(
                    "NumpyArrayIterator: Training and validation subsets have different number of classes "
                    "after "
                    "the split. If your numpy arrays are sorted by the label, you might want to shuffle them."
                )
        return slice(None, cut) if subset == "validation" else slice(cut, None)

    def _get_batches_of_transformed_samples(self, index_array, random=None):
        random = self.random if random is None else random
        batch = np.empty((len(index_array), *self.x.shape[1:]), dtype=self.dtype)
        for place, row in enumerate(index_array):
            batch[place] = changed(self.image_data_generator, self.x[row], random)
        if self.save_to_dir:
            save_batch(self, batch, index_array)
        misc = [array[index_array] for array in self.x_misc]
        output = [[batch, *misc] if misc else batch]
        if self.y is None:
            return output[0]
        output.append(self.y[index_array])
        if self.sample_weight is not None:
            output.append(self.sample_weight[index_array])
        return tuple(output)
