"""`save_model` and `load_model`: whole models in Keras's own format."""

import datetime
import json
import os
import tempfile
import warnings

from torchkeras_lite.base import registry, serialization
from torchkeras_lite.base.atomic_file import replacing, replacing_folder
from torchkeras_lite.base.device import build_on, default_device
from torchkeras_lite.base.safe_mode import in_safe_mode, safe_mode_scope
from torchkeras_lite.saving import archive, hub, keras2_archives, legacy_files, torch_files
from torchkeras_lite.saving.config_checks import ConfigCheck, parse_json
from torchkeras_lite.saving.h5_file import H5Reader, H5Writer
from torchkeras_lite.saving.legacy_h5 import has_legacy_layout, is_legacy_path
from torchkeras_lite.saving.once import written_once
from torchkeras_lite.saving.places import KERAS_VERSION, is_file_object, may_write, told_of
from torchkeras_lite.saving.state import StateLoader, load_assets, save_state
from torchkeras_lite.saving.uninitialized import META, give_storage


@written_once
def save_model(model, filepath, overwrite=True, zipped=None, **kwargs):
    """Write a model: its layers, its weights, how it is compiled, and the optimizer's state.

    The file is written beside its place and then moved there, so an interruption leaves what was there.

    Args:
        model: The model.
        filepath: A path that ends in `.keras`, in `.h5` or `.hdf5` (the older format, without assets) or in
            `.safetensors` (weights in torch's layout and the config, no optimizer); a folder (with
            `zipped=False`), `"hf://user/name"`, or a file object open for writing `.keras`.
        overwrite: Whether to write over what is there; `False` asks.
        zipped: Whether to write one archive; `None`: yes, but on the Hugging Face Hub.
        **kwargs: `include_optimizer` and `save_format` of older scripts.

    Raises:
        ValueError: another ending, unknown arguments.
        TypeError: something in the model has no `get_config()`.

    Source: Keras 3 `keras.saving.save_model`.
    """
    include_optimizer = kwargs.pop("include_optimizer", True)
    save_format = kwargs.pop("save_format", None)
    if kwargs:
        raise ValueError(f"The following argument(s) are not supported: {list(kwargs)}")
    if save_format and not os.fspath(filepath).endswith((".keras", ".h5", ".hdf5")):
        raise ValueError(
            "The `save_format` argument is deprecated in Keras 3. Remove it and pass a path that ends in "
            f"`.keras` or `.h5`. Received: save_format={save_format}, filepath={filepath}"
        )
    if not model.built:
        warnings.warn(
            "You are saving a model that has not yet been built. It might not contain any weights yet. "
            "Consider building the model first by calling it on some data.",
            stacklevel=3,
        )
    if is_file_object(filepath):
        _write_archive(model, filepath, include_optimizer)
        return
    path = os.fspath(filepath)
    if is_legacy_path(path) and not zipped:
        if may_write(path, overwrite):
            legacy_files.save_legacy_model(model, path, include_optimizer)
        return
    if torch_files.is_safetensors(path) and not zipped:
        if may_write(path, overwrite):
            torch_files.save_safetensors(model, path, with_config=True)
        return
    to_hub = path.startswith(hub.PREFIX)
    zipped = not to_hub if zipped is None else zipped
    if zipped != path.endswith(".keras") or (zipped and to_hub):
        expected = (
            "expected a path ending in `.keras`"
            if zipped
            else "with zipped=False it should not end in `.keras`"
        )
        raise ValueError(
            f"Invalid filepath extension for saving: {expected}. Received: filepath={path}. Use "
            "`model.export(path)` for other programs than Keras."
        )
    if to_hub:
        with tempfile.TemporaryDirectory() as folder:
            _write_folder(model, folder, include_optimizer)
            hub.upload(folder, path)
    elif may_write(path, overwrite):
        with (replacing if zipped else replacing_folder)(path) as place:
            (_write_archive if zipped else _write_folder)(model, place, include_optimizer)


def _texts(model):
    config = json.dumps(serialization.serialize_with_sharing(model))
    date = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    return config, json.dumps({"keras_version": KERAS_VERSION, "date_saved": date})


def _write_archive(model, place, include_optimizer):
    config, metadata = _texts(model)
    beside = None if is_file_object(place) else os.path.dirname(place)
    with archive.spooled(beside) as weights, tempfile.TemporaryDirectory() as folder:
        assets = archive.AssetFolder(folder)
        _write_state(model, weights, assets, include_optimizer, checksums=False)
        point = getattr(model, "training_point", None)  # of a `fit` that is going on
        others = {} if point is None else point.members
        archive.write_archive(place, config, metadata, weights, assets, others)


def _write_folder(model, place, include_optimizer):
    config, metadata = _texts(model)
    for name, text in ((archive.METADATA, metadata), (archive.CONFIG, config)):
        with open(os.path.join(place, name), "w", encoding="utf-8") as file:
            file.write(text)
    assets = archive.AssetFolder(os.path.join(place, archive.ASSETS))
    weights = os.path.join(place, archive.WEIGHTS)
    _write_state(model, weights, assets, include_optimizer, checksums=True)


def _write_state(model, place, assets, include_optimizer, *, checksums):
    optimizer = getattr(model, "optimizer", None)
    skip = () if include_optimizer or optimizer is None else (optimizer,)
    writer = H5Writer(place, checksums=checksums)
    try:
        save_state(model, writer, assets, skip)
    finally:
        writer.close()


def load_model(filepath, custom_objects=None, compile=True, safe_mode=True):
    """Return the model that `save_model`, or Keras, wrote.

    Nothing in the file is run. Names in it are looked up among the public classes of each kind, what is
    registered, and `custom_objects`; sizes, links and kinds of data are checked before anything is made.

    Args:
        filepath: A path of a `.keras`, `.h5`, `.hdf5` or `.safetensors` file or of a folder,
            `"hf://user/name"`, or a file object with a `.keras` archive.
        custom_objects: Mapping of names to classes and functions of your own.
        compile: Whether to compile the model as it was, with the optimizer's state.
        safe_mode: `False` lets Python lambdas in the file be run. Only for files from whom you trust.

    Raises:
        ValueError: no such file, a damaged one, code or links in it, weights that do not fit the model.
        TypeError: names that are not known.

    Source: Keras 3 `keras.saving.load_model`. Differs: models of Keras's own classes are made without values
    and get them from the file.
    """
    if is_file_object(filepath):
        reader = archive.ArchiveReader(filepath, getattr(filepath, "name", None) or "the file object")
        return _load(reader, custom_objects, compile, safe_mode)
    path = os.fspath(filepath)
    place = hub.download(path) if path.startswith(hub.PREFIX) else path
    if place != path and not os.path.isfile(os.path.join(place, archive.CONFIG)):
        path = place = hub.model_in(place, path)
    if os.path.isfile(os.path.join(place, archive.CONFIG)):
        reader = archive.FolderReader(place, path)
    elif path.endswith(".keras") and os.path.isfile(path):
        if has_legacy_layout(path):  # Keras 2.12 and older wrote HDF5 under any name
            with told_of(path):
                return legacy_files.load_legacy_model(path, custom_objects, compile, safe_mode)
        reader = archive.ArchiveReader(path, path)
    elif path.endswith(".keras"):
        raise ValueError(
            f"File not found: filepath={path}. Please ensure the file is an accessible `.keras` zip file."
        )
    elif path.endswith((".h5", ".hdf5", ".safetensors")):
        if not os.path.isfile(path):
            raise FileNotFoundError(f"There is no file {path}.")
        is_torch = torch_files.is_safetensors(path)
        load = torch_files.load_safetensors_model if is_torch else legacy_files.load_legacy_model
        with told_of(path):
            return load(path, custom_objects, compile, safe_mode)
    else:
        raise ValueError(
            f"File format not supported: filepath={path}. Known are `.keras`, `.h5`, `.hdf5` and "
            f"`.safetensors` files and folders that hold a `{archive.CONFIG}`."
        )
    return _load(reader, custom_objects, compile, safe_mode)


def _load(reader, custom_objects, compile, safe_mode):
    scoped = in_safe_mode()
    try:
        with (
            told_of(reader.name),
            safe_mode_scope(safe_mode if scoped is None else scoped),
            registry.CustomObjectScope(custom_objects),
            serialization.object_sharing_scope(),
        ):
            config = parse_json(reader.text(archive.CONFIG), reader.name)
            if not compile:
                config["compile_config"] = None
            is_old = keras2_archives.is_old_archive(reader)
            if is_old:
                config = keras2_archives.modern_archive_config(config, reader.name)
            check = ConfigCheck(custom_objects).check(config)
            file, size = reader.weights()
            with file:
                weights = H5Reader(file, size, reader.name)
                try:
                    model = _make(config, weights, reader.name, check.has_custom, is_old)
                finally:
                    weights.close()
            if any(name.startswith(archive.ASSETS) for name in reader.names()):
                with reader.assets() as assets:
                    load_assets(model, assets)
            return model
    finally:
        reader.close()


def _make(config, weights, name, has_custom, is_old):
    """Make the model, without values where no code of a user's could need them, and fill it."""
    stored = weights.paths()
    if is_old:
        weights.groups = keras2_archives.without_training_state(stored)
    device = default_device()
    with serialization.postponed_compilation() as compilations, build_on(device if has_custom else META):
        model = serialization.deserialize_keras_object(config)
    if not has_custom:
        StateLoader(model, weights, name).check()
        give_storage(model, device)
    for inner, compile_config in compilations:
        inner.compile_from_config(compile_config)
    optimizer = getattr(model, "optimizer", None)
    loader = StateLoader(model, weights, name, skip=(optimizer,) if is_old else ())
    loader.check()
    loader.assign()
    if is_old:
        weights.groups = stored
        keras2_archives.load_optimizer(model, weights)
    return model
