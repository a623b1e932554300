"""Weights in torch's own formats: safetensors files, and what `torch.save` writes of a `state_dict`.

The keys are those of `model.state_dict()`: attribute names and layer names joined by dots, such as
`dense.linear.weight`, with values in torch's layout. A tensor that stands under several keys is stored once,
under the first.
"""

import json
import pickle
import zipfile

import torch

from torchkeras_lite.base import registry, serialization
from torchkeras_lite.base.atomic_file import replacing
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.device import build_on, default_device
from torchkeras_lite.base.safe_mode import in_safe_mode, safe_mode_scope
from torchkeras_lite.base.warning import warn_user
from torchkeras_lite.saving.config_checks import ConfigCheck, parse_json
from torchkeras_lite.saving.places import KERAS_VERSION
from torchkeras_lite.saving.state import warn_of_assets
from torchkeras_lite.saving.uninitialized import META, give_storage

SAFETENSORS = ".safetensors"
PICKLED = (".pt", ".pth")
ENDINGS = (SAFETENSORS, *PICKLED)
CONFIG = "keras_config"  # key of the metadata in a safetensors file


def is_safetensors(path):
    """Whether `path` ends as safetensors files do."""
    return path.endswith(SAFETENSORS)


def _safetensors():
    try:
        import safetensors  # an extra
        import safetensors.torch
    except ImportError:
        raise ImportError(
            "`.safetensors` files need the package safetensors: pip install safetensors"
        ) from None
    return safetensors


def stored_once(state):
    """Return a `state_dict` as plain detached tensors, each tensor under its first key alone."""
    found, seen = {}, set()
    for key, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(f"The state under '{key}' is no tensor but a {type(value).__name__}.")
        plain = value.detach().as_subclass(torch.Tensor)
        identity = (plain.device, plain.data_ptr(), plain.shape, plain.stride())
        if plain.numel() and identity in seen:
            continue
        seen.add(identity)
        found[key] = plain
    return found


def save_state(model, path):
    """Write the `state_dict` of a model to a `.safetensors`, `.pt` or `.pth` file."""
    if is_safetensors(path):
        save_safetensors(model, path, with_config=False)
        return
    state = {key: tensor.contiguous().cpu() for key, tensor in stored_once(model.state_dict()).items()}
    with replacing(path) as place:
        torch.save(state, place)


def save_safetensors(model, path, *, with_config):
    """Write the weights of a model to a safetensors file, in torch's layout.

    Args:
        model: The model.
        path: Path of the file.
        with_config: Whether the config goes into the metadata, so that `load_model` can make the model.

    Raises:
        ImportError: safetensors is not installed.
        TypeError: something in the model has no `get_config()`.
    """
    metadata = {"format": "pt"}
    if with_config:
        metadata |= {
            CONFIG: json.dumps(serialization.serialize_with_sharing(model)),
            "keras_version": KERAS_VERSION,
        }
    library = _safetensors()
    state = {key: tensor.contiguous() for key, tensor in stored_once(model.state_dict()).items()}
    with replacing(path) as place:
        library.torch.save_file(state, place, metadata=metadata)
    if with_config:
        warn_of_assets(model, path)


def load_safetensors_model(path, custom_objects, compile, safe_mode):
    """Return the model that `save_model` wrote to a safetensors file; see `load_model`."""
    text = read_metadata(path).get(CONFIG)
    if text is None:
        raise ValueError(
            f"{path}: the file holds weights without a config. Make the model in code, and call "
            "`model.load_weights` or, for a checkpoint of another program, `model.load_torch_weights`."
        )
    scoped = in_safe_mode()
    with (
        safe_mode_scope(safe_mode if scoped is None else scoped),
        registry.CustomObjectScope(custom_objects),
        serialization.object_sharing_scope(),
    ):
        config = parse_json(text, path)
        if not compile:
            config["compile_config"] = None
        has_custom = ConfigCheck(custom_objects).check(config).has_custom
        device = default_device()
        with serialization.postponed_compilation() as found, build_on(device if has_custom else META):
            model = serialization.deserialize_keras_object(config)
        state = read_state(path)
        match_state(model, state, path)
        if not has_custom:
            give_storage(model, device)
        load_tensors(model, state, path)
        for inner, compile_config in found:
            inner.compile_from_config(compile_config)
    return model


def read_metadata(path):
    """Return the texts in the head of a safetensors file.

    Raises:
        ValueError: it is no safetensors file, or is cut off.
    """
    library = _safetensors()
    try:
        with library.safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except library.SafetensorError as error:
        raise ValueError(f"{path}: it cannot be read as a safetensors file: {error}.") from None


def read_state(path):
    """Return the tensors in a `.safetensors`, `.pt` or `.pth` file, on the CPU. Code is never run.

    A checkpoint that holds a `state_dict` under `"state_dict"`, `"model_state_dict"` or `"model"` gives that.

    Raises:
        ValueError: a damaged file, or one that holds other things than tensors.
    """
    if is_safetensors(path):
        library = _safetensors()
        try:
            return library.torch.load_file(path)
        except library.SafetensorError as error:
            raise ValueError(f"{path}: it cannot be read as a safetensors file: {error}.") from None
    try:
        _check_archive(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{path}: the file holds more than tensors, and such files can run code when they are read, so "
            f"it is refused: {reason} Save `model.state_dict()` alone."
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: it cannot be read as a file of torch.save: {reason}") from None
    return inner_state(state, path)


def _check_archive(path):
    """Compare the checksums of the members of a zip file; torch does not."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"'{damaged}' in it is damaged: its checksum is another one")


def inner_state(state, name):
    """Return the mapping of tensors in what a checkpoint holds.

    Raises:
        ValueError: there is none.
    """
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
            break
    if not isinstance(state, dict) or not any(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{name}: expected a mapping of names to tensors, found {type(state).__name__}.")
    return {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}


def load_state(model, path, *, skip_mismatch=False):
    """Read what `save_state` wrote, all of it or (after an error) nothing.

    Raises:
        ValueError: a damaged file; keys that are missing or unknown, or other shapes; all are listed.
    """
    load_tensors(model, read_state(path), path, skip_mismatch=skip_mismatch)


def match_state(model, state, name, *, skip_mismatch=False):
    """Return the tensors of `state` under all keys of the model that they belong to.

    Raises:
        ValueError: keys that are missing or unknown, or other shapes.
    """
    own = model.state_dict(keep_vars=True)
    matched = {key: state[key] for key in own if key in state}
    first = {id(tensor): key for key, tensor in reversed(own.items()) if key in matched}
    for key, tensor in own.items():
        if key not in matched and id(tensor) in first:
            matched[key] = matched[first[id(tensor)]]
    wrong = [
        f"'{key}': the model has {tuple(own[key].shape)}, the file {tuple(value.shape)}"
        for key, value in matched.items()
        if own[key].shape != value.shape
    ]
    missing = [key for key in own if key not in matched]
    unknown = [key for key in state if key not in own]
    if wrong or missing or unknown:
        text = (
            f"{name}: the file does not fit {describe(model)}. Of other shapes: {_listed(wrong)}. Missing: "
            f"{_listed(missing)}. Unknown: {_listed(unknown)}."
        )
        if not skip_mismatch:
            raise ValueError(
                f"{text} For a checkpoint of another program call `model.load_torch_weights(path)`; with "
                "`skip_mismatch=True` what fits is read."
            )
        warn_user(f"{text} They were left as they are.")
    return {key: value for key, value in matched.items() if own[key].shape == value.shape}


def _listed(names, most=10):
    shown = ", ".join(names[:most]) or "none"
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def load_tensors(model, state, name, *, skip_mismatch=False):
    """Assign a `state_dict` to a model, all of it or (after an error) nothing."""
    matched = match_state(model, state, name, skip_mismatch=skip_mismatch)
    model.load_state_dict(matched, strict=False)
