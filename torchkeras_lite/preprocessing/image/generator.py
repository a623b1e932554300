"""`ImageDataGenerator`: random changes of images, batch by batch."""

import warnings

import numpy as np

from torchkeras_lite.base import config
from torchkeras_lite.base.checks import refuse_unknown
from torchkeras_lite.preprocessing.image.file_iterators import DataFrameIterator, DirectoryIterator
from torchkeras_lite.preprocessing.image.iterators import NumpyArrayIterator
from torchkeras_lite.preprocessing.image.transforms import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    flip_axis,
    zooms,
)

SMALL = 1e-6
AFFINE = ("theta", "tx", "ty", "shear", "zx", "zy")


class ImageDataGenerator:
    """Batches of images, each changed at random every time it is read.

    Args:
        featurewise_center, featurewise_std_normalization: Whether the mean of the data set is subtracted, and
            whether its standard deviation divides; `fit` finds both.
        samplewise_center, samplewise_std_normalization: The same with the values of each image.
        zca_whitening: Whether pixels are made uncorrelated; `fit` finds the matrix.
        zca_epsilon: Small number for that.
        rotation_range: Images are turned by up to so many degrees.
        width_shift_range, height_shift_range: How far they are moved: a float below 1 is a fraction of the
            size, a larger one pixels, an integer n whole pixels below n, a list the numbers to choose from.
        brightness_range: Pair of factors between which the brightness is drawn.
        shear_range: Images are sheared by up to so many degrees.
        zoom_range: Pair of factors, or a float z for (1 - z, 1 + z); below 1 things become larger.
        channel_shift_range: A number up to it is added to all values.
        fill_mode: What is outside of an image: `"nearest"`, `"constant"`, `"reflect"` or `"wrap"`.
        cval: The number outside for `"constant"`.
        horizontal_flip, vertical_flip: Whether half of the images are turned over.
        rescale: Factor for all values, after all other changes.
        preprocessing_function: Function of an image that is called after the random changes.
        data_format: Layout of images; `image_data_format()` when not given.
        validation_split: Fraction of the images that `subset="validation"` gives.
        interpolation_order: 0 for the nearest pixel, 1 for linear interpolation, 2 to 5 for splines (SciPy).
        dtype: Dtype of the batches, `floatx()` when not given.

    Raises:
        ValueError: an argument out of range.

    Source: tf.keras `preprocessing.image.ImageDataGenerator`; the layers `RandomRotation` and so on are
        newer.
    Differs: computed by torch; with a `seed` each batch has random numbers of its own, and the global state
    of NumPy stays.
    """

    def __init__(
        self,
        featurewise_center=False,
        samplewise_center=False,
        featurewise_std_normalization=False,
        samplewise_std_normalization=False,
        zca_whitening=False,
        zca_epsilon=1e-6,
        rotation_range=0,
        width_shift_range=0.0,
        height_shift_range=0.0,
        brightness_range=None,
        shear_range=0.0,
        zoom_range=0.0,
        channel_shift_range=0.0,
        fill_mode="nearest",
        cval=0.0,
        horizontal_flip=False,
        vertical_flip=False,
        rescale=None,
        preprocessing_function=None,
        data_format=None,
        validation_split=0.0,
        interpolation_order=1,
        dtype=None,
    ):
        self.featurewise_center = featurewise_center
        self.samplewise_center = samplewise_center
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening = zca_whitening
        self.zca_epsilon = zca_epsilon
        self.rotation_range = rotation_range
        self.width_shift_range = width_shift_range
        self.height_shift_range = height_shift_range
        self.shear_range = shear_range
        self.channel_shift_range = channel_shift_range
        self.fill_mode = fill_mode
        self.cval = cval
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.rescale = rescale
        self.preprocessing_function = preprocessing_function
        self.interpolation_order = interpolation_order
        self.dtype = config.floatx() if dtype is None else dtype
        self.data_format = config.image_data_format() if data_format is None else data_format
        if self.data_format not in ("channels_last", "channels_first"):
            raise ValueError(
                'ImageDataGenerator: `data_format` should be `"channels_last"` (channel after row and '
                "column) "
                f'or `"channels_first"` (channel before row and column). Received: {data_format}'
            )
        last = self.data_format == "channels_last"
        self.channel_axis, self.row_axis, self.col_axis = (3, 1, 2) if last else (1, 2, 3)
        if validation_split and not 0 < validation_split < 1:
            raise ValueError(
                "ImageDataGenerator: `validation_split` must be strictly between 0 and 1. Received: "
                f"{validation_split}"
            )
        self._validation_split = validation_split
        self.mean = self.std = self.zca_whitening_matrix = None
        self.zoom_range = _zoom_range(zoom_range)
        if brightness_range is not None and np.shape(brightness_range) != (2,):
            raise ValueError(
                "ImageDataGenerator: `brightness_range` should be tuple or list of two floats. Received: "
                f"{brightness_range}"
            )
        self.brightness_range = brightness_range
        self._imply("zca_whitening", "featurewise_center")
        self._imply("featurewise_std_normalization", "featurewise_center")
        self._imply("samplewise_std_normalization", "samplewise_center")
        if zca_whitening and featurewise_std_normalization:
            self.featurewise_std_normalization = False
            self._warn("`zca_whitening` overrides the setting of `featurewise_std_normalization`.")

    def _imply(self, setting, implied):
        if getattr(self, setting) and not getattr(self, implied):
            setattr(self, implied, True)
            self._warn(f"it specifies `{setting}`, which sets `{implied}` too.")

    @staticmethod
    def _warn(message):
        warnings.warn(f"This ImageDataGenerator: {message}", stacklevel=4)

    def flow(
        self,
        x,
        y=None,
        batch_size=32,
        shuffle=True,
        sample_weight=None,
        seed=None,
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        ignore_class_split=False,
        subset=None,
    ):
        """Return batches of an array of images. See `NumpyArrayIterator`."""
        return NumpyArrayIterator(
            x,
            y,
            self,
            batch_size=batch_size,
            shuffle=shuffle,
            sample_weight=sample_weight,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            ignore_class_split=ignore_class_split,
            subset=subset,
            dtype=self.dtype,
        )

    def flow_from_directory(
        self,
        directory,
        target_size=(256, 256),
        color_mode="rgb",
        classes=None,
        class_mode="categorical",
        batch_size=32,
        shuffle=True,
        seed=None,
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        follow_links=False,
        subset=None,
        interpolation="nearest",
        keep_aspect_ratio=False,
    ):
        """Return batches of the images in a folder with one for each class. See `DirectoryIterator`."""
        return DirectoryIterator(
            directory,
            self,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            follow_links=follow_links,
            subset=subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            dtype=self.dtype,
        )

    def flow_from_dataframe(
        self,
        dataframe,
        directory=None,
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
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        subset=None,
        interpolation="nearest",
        validate_filenames=True,
        **kwargs,
    ):
        """Return batches of the images whose files a data frame names. See `DataFrameIterator`."""
        keep_aspect_ratio = kwargs.pop("keep_aspect_ratio", False)
        for name in ("has_ext", "sort", "drop_duplicates"):
            if name in kwargs:
                kwargs.pop(name)
                warnings.warn(
                    f"`{name}` has no effect any more: file names are taken as they are.",
                    DeprecationWarning,
                    stacklevel=2,
                )
        refuse_unknown("flow_from_dataframe", kwargs, ("keep_aspect_ratio",))
        return DataFrameIterator(
            dataframe,
            directory,
            self,
            x_col=x_col,
            y_col=y_col,
            weight_col=weight_col,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            validate_filenames=validate_filenames,
            dtype=self.dtype,
        )

    def standardize(self, x):
        """Return an image, or a batch of them, with all that is not random applied; `x` may be written to."""
        if self.preprocessing_function:
            x = self.preprocessing_function(x)
        if self.rescale:
            x = x * np.asarray(self.rescale, x.dtype)
        if self.samplewise_center:
            x = x - np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x = x / (np.std(x, keepdims=True) + SMALL)
        if self.featurewise_center and self._is_fitted("mean", "featurewise_center"):
            x = x - self.mean
        if self.featurewise_std_normalization and self._is_fitted("std", "featurewise_std_normalization"):
            x = x / (self.std + SMALL)
        if self.zca_whitening and self._is_fitted("zca_whitening_matrix", "zca_whitening"):
            flat = x.reshape(-1, np.prod(x.shape[-3:]))
            x = (flat @ self.zca_whitening_matrix).reshape(x.shape)
        return x

    def _is_fitted(self, name, setting):
        if getattr(self, name) is None:
            warnings.warn(
                f"This ImageDataGenerator specifies `{setting}`, but it hasn't been fit on any training "
                "data. "
                "Fit it first by calling `.fit(numpy_data)`.",
                stacklevel=3,
            )
            return False
        return True

    def get_random_transform(self, img_shape, seed=None):
        """Draw the changes of one image.

        Args:
            img_shape: Shape of the image.
            seed: Integer, a `numpy.random.RandomState` to draw from, or `None` for NumPy's global state.

        Returns:
            A dict of `theta`, `tx`, `ty`, `shear`, `zx`, `zy`, `flip_horizontal`, `flip_vertical`,
            `channel_shift_intensity` and `brightness`, for `apply_transform`.
        """
        random = np.random if seed is None else seed
        if isinstance(seed, (int, np.integer)):
            random = np.random.RandomState(seed)
        theta = random.uniform(-self.rotation_range, self.rotation_range) if self.rotation_range else 0
        tx = _shift(self.height_shift_range, img_shape[self.row_axis - 1], random)
        ty = _shift(self.width_shift_range, img_shape[self.col_axis - 1], random)
        shear = random.uniform(-self.shear_range, self.shear_range) if self.shear_range else 0
        zx, zy = zooms(self.zoom_range, random)
        drawn = {"theta": theta, "tx": tx, "ty": ty, "shear": shear, "zx": zx, "zy": zy}
        drawn["flip_horizontal"] = bool(random.random() < 0.5) and self.horizontal_flip
        drawn["flip_vertical"] = bool(random.random() < 0.5) and self.vertical_flip
        span, brightness = self.channel_shift_range, self.brightness_range
        drawn["channel_shift_intensity"] = random.uniform(-span, span) if span else None
        drawn["brightness"] = None if brightness is None else random.uniform(*brightness)
        return drawn

    def apply_transform(self, x, transform_parameters):
        """Return an image with given changes.

        Args:
            x: Array with three axes.
            transform_parameters: Dict as from `get_random_transform`; what is left out is not changed.
        """
        given = transform_parameters
        row_axis, col_axis, channel_axis = self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1
        x = apply_affine_transform(
            x,
            **{name: given.get(name, 1 if name in ("zx", "zy") else 0) for name in AFFINE},
            row_axis=row_axis,
            col_axis=col_axis,
            channel_axis=channel_axis,
            fill_mode=self.fill_mode,
            cval=self.cval,
            order=self.interpolation_order,
        )
        if given.get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, given["channel_shift_intensity"], channel_axis)
        if given.get("flip_horizontal"):
            x = flip_axis(x, col_axis)
        if given.get("flip_vertical"):
            x = flip_axis(x, row_axis)
        if given.get("brightness") is not None:
            x = apply_brightness_shift(x, given["brightness"], False)
        return x

    def random_transform(self, x, seed=None):
        """Return an image with changes drawn by `get_random_transform`."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def fit(self, x, augment=False, rounds=1, seed=None):
        """Find the mean, the standard deviation and the whitening matrix of a data set, where they are used.

        Args:
            x: Array of images.
            augment: Whether images are changed at random first.
            rounds: How often each image is, then.
            seed: Seed of these changes.

        Raises:
            ValueError: an array without four axes.
        """
        x = np.array(x, dtype=self.dtype)
        if x.ndim != 4:
            raise ValueError(
                f"ImageDataGenerator: Input to `.fit()` should have rank 4. Got array with shape: {x.shape}"
            )
        if augment:
            random = None if seed is None else np.random.RandomState(seed)
            x = np.stack([self.random_transform(image, random) for _ in range(rounds) for image in x])
        axes = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            self.mean = np.mean(x, axis=axes, keepdims=True)[0]
            x = x - self.mean
        if self.featurewise_std_normalization:
            self.std = np.std(x, axis=axes, keepdims=True)[0]
            x = x / (self.std + SMALL)
        if self.zca_whitening:
            flat = x.reshape(len(x), -1)
            directions, sizes, _ = np.linalg.svd(flat.T, full_matrices=False)
            scale = np.sqrt(len(flat)) / (sizes + self.zca_epsilon)
            self.zca_whitening_matrix = (directions * scale) @ directions.T


def _zoom_range(zoom_range):
    if isinstance(zoom_range, (int, float, np.number)):
        return [1 - zoom_range, 1 + zoom_range]
    if len(zoom_range) == 2 and all(isinstance(factor, (int, float, np.number)) for factor in zoom_range):
        return [zoom_range[0], zoom_range[1]]
    raise ValueError(
        "ImageDataGenerator: `zoom_range` should be a float or a tuple or list of two floats. Received: "
        f"{zoom_range}"
    )


def _shift(limit, size, random):
    """Return how many pixels an image is moved along an axis of `size`."""
    if not np.any(limit):
        return 0
    if isinstance(limit, (float, np.floating)):
        shift = random.uniform(-limit, limit)
    else:
        shift = random.choice(limit) * random.choice([-1, 1])
    return shift * size if np.max(limit) < 1 else shift
