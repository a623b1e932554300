"""`save_weights` and `load_weights`: the weights of a model alone, in one HDF5 file or in several."""

import contextlib
import os

from torchkeras_lite.base.atomic_file import replacing
from torchkeras_lite.base.checks import describe
from torchkeras_lite.saving import archive, keras2_archives, legacy_files, shards, torch_files
from torchkeras_lite.saving.h5_file import H5Reader, H5Writer
from torchkeras_lite.saving.legacy_h5 import has_legacy_layout, is_legacy_path
from torchkeras_lite.saving.once import read_alike, written_once
from torchkeras_lite.saving.places import may_write, told_of
from torchkeras_lite.saving.state import StateLoader, save_state

READ = (".weights.h5", ".weights.json", ".keras", ".h5", ".hdf5")


@written_once
def save_weights(model, filepath, overwrite=True, max_shard_size=None, **kwargs):
    """Write the weights of a model, and the state of its optimizer where it is compiled.

    The file is written beside its place and then moved there, so an interruption leaves what was there.

    Args:
        model: The model, built.
        filepath: Path that ends in `.weights.h5`; with `max_shard_size`, in `.weights.json`. In torch's
            layout, under the names of `state_dict()`: `.safetensors`, `.pt` and `.pth`. `.h5` and `.hdf5` are
            written as Keras 2 did. Only the first two hold the optimizer's state.
        overwrite: Whether to write over what is there; `False` asks.
        max_shard_size: Largest size of one file in GiB; the weights are then split over several, which the
            `.weights.json` lists.
        **kwargs: Keras's `objects_to_skip`: layers, or the optimizer, that are left out.

    Raises:
        ValueError: another ending, an unbuilt model, a weight larger than a file may be.

    Source: Keras 3 `keras.saving.save_weights`.
    """
    skip = kwargs.pop("objects_to_skip", None) or ()
    _refuse(kwargs)
    path = os.fspath(filepath)
    if max_shard_size is None and _in_other_format(model, path, overwrite, skip):
        return
    endings = (".weights.h5",) if max_shard_size is None else ("weights.h5", "weights.json")
    if not path.endswith(endings):
        wanted = "`.weights.h5`" if max_shard_size is None else "`.weights.json` with `max_shard_size`"
        raise ValueError(f"The filename must end in {wanted}. Received: filepath={path}")
    _need_built(model, "saving")
    if not may_write(path, overwrite):
        return
    if max_shard_size is not None:
        with contextlib.closing(shards.ShardWriter(path, max_shard_size)) as writer:
            save_state(model, writer, skip=skip)
            writer.finish()
        return
    with replacing(path) as place, contextlib.closing(H5Writer(place, checksums=True)) as writer:
        save_state(model, writer, skip=skip)


@read_alike
def load_weights(model, filepath, skip_mismatch=False, **kwargs):
    """Read the weights of a model, all of them or (after an error) none.

    Args:
        model: The model, built.
        filepath: Path of a `.weights.h5`, `.weights.json`, `.keras`, `.h5`, `.hdf5`, `.safetensors`, `.pt` or
            `.pth` file.
        skip_mismatch: Whether layers that do not fit are left as they are, with a warning.
        **kwargs: Keras's `objects_to_skip`: objects that are left as they are. For the older `.h5` files
            `by_name=True` matches layers by their names instead of their order, and leaves the others.

    Raises:
        ValueError: no such file, a damaged one, an unbuilt model; weights that do not fit, each with its
        layer
            and both shapes.

    Source: Keras 3 `keras.saving.load_weights`.
    """
    skip = kwargs.pop("objects_to_skip", None)
    by_name = kwargs.pop("by_name", None)
    _refuse(kwargs)
    path = os.fspath(filepath)
    if not path.endswith((*READ, *torch_files.ENDINGS)):
        raise ValueError(
            f"File format not supported: filepath={path}. Weights are read from files that end in "
            f"{', '.join((*READ, *torch_files.ENDINGS))}."
        )
    # Keras 2.12 and older wrote HDF5 under any name, `.keras` too.
    is_legacy = path.endswith((".h5", ".hdf5", ".keras")) and has_legacy_layout(path)
    if by_name is not None and not is_legacy and not is_legacy_path(path):
        raise ValueError(
            f"`by_name` only supports loading legacy '.h5' or '.hdf5' files. Received: {path}. Leave it out."
        )
    if skip is not None and (is_legacy or not path.endswith((".weights.h5", ".weights.json"))):
        raise ValueError(f"`objects_to_skip` only supports loading '.weights.h5' files. Received: {path}")
    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no file {path}.")
    _need_built(model, "loading weights into")
    if is_legacy:
        with told_of(path):
            legacy_files.load_legacy_weights(model, path, bool(by_name), skip_mismatch)
        return
    if path.endswith(torch_files.ENDINGS):
        torch_files.load_state(model, path, skip_mismatch=skip_mismatch)
        return
    with weights_reader(path) as reader:
        optimizer = getattr(model, "optimizer", None)
        left = [*(skip or ()), *([] if reader.fits_optimizers else [optimizer])]
        loader = StateLoader(model, reader, path, skip=left, skip_mismatch=skip_mismatch)
        loader.check()
        loader.assign()


@contextlib.contextmanager
def weights_reader(path):
    """Give what reads the weights in the file at `path`, by its ending."""
    with contextlib.ExitStack() as stack:
        if path.endswith(".weights.json"):
            reader = shards.ShardReader(path)
        elif path.endswith(".keras"):
            zipped = stack.enter_context(contextlib.closing(archive.ArchiveReader(path, path)))
            file, size = zipped.weights()
            reader = H5Reader(stack.enter_context(file), size, path)
            if keras2_archives.is_old_archive(zipped):
                reader.groups = keras2_archives.without_training_state(reader.paths())
                reader.fits_optimizers = False
        else:
            reader = H5Reader(path, os.path.getsize(path), path)
        yield stack.enter_context(contextlib.closing(reader))


def _in_other_format(model, path, overwrite, skip):
    """Write the weights in torch's formats or Keras 2's, and return whether `path` ends so."""
    if not is_legacy_path(path) and not path.endswith(torch_files.ENDINGS):
        return False
    if skip:
        raise ValueError(f"`objects_to_skip` only supports '.weights.h5' files. Received: filepath={path}")
    _need_built(model, "saving")
    if may_write(path, overwrite):
        if is_legacy_path(path):
            legacy_files.save_legacy_weights(model, path)
        else:
            torch_files.save_state(model, path)
    return True


def _refuse(kwargs):
    if kwargs:
        raise ValueError(f"Invalid keyword arguments: {kwargs}")


def _need_built(model, doing):
    if not model.built:
        raise ValueError(
            f"You are {doing} a model that has not yet been built ({describe(model)}). Build it "
            "first: call it "
            "on some data, or `build()`."
        )
