"""`inspect`: what is in a saved model, read from its config. Nothing is built or run."""

import contextlib
import json
import math
import os
import sys

from torchkeras_lite.saving import archive, torch_files
from torchkeras_lite.saving.config_checks import parse_json
from torchkeras_lite.saving.legacy_config import modern_config
from torchkeras_lite.saving.legacy_h5 import LegacyReader, has_legacy_layout
from torchkeras_lite.saving.sizes import readable_size
from torchkeras_lite.saving.weight_files import weights_reader
from torchkeras_lite.utils.text_table import draw_table

NAME = "inspect"
HELP = "Show the layers, shapes, versions and optimizer of a saved model, without running anything in it."


def add_arguments(parser):
    """Add the arguments of the command to a parser."""
    parser.add_argument(
        "path", help="a file .keras, .h5, .weights.h5, .weights.json, .safetensors, .pt or .pth"
    )
    parser.add_argument("--config", action="store_true", help="print the config as JSON instead")


def run(arguments):
    """Print; return 0, or 1 after a message."""
    path = arguments.path
    try:
        if not os.path.exists(path):
            raise FileNotFoundError(f"there is no file {path}")
        facts, config, weights = read(path)
    except (OSError, ValueError, TypeError, ImportError) as error:
        print(f"inspect: {error}", file=sys.stderr)
        return 1
    if arguments.config:
        print(json.dumps(config, indent=2))
        return 0
    print("\n".join(f"{name + ':':<14}{value}" for name, value in facts.items()))
    print()
    print(_layers(config) if config is not None else _weights(weights))
    return 0


def read(path):
    """Return facts by name, the model's config (or `None`), and `(name, shape, dtype)` of the weights.

    Raises:
        ValueError: a damaged file, or one of no known format.
    """
    facts = {"file": f"{path} ({readable_size(os.path.getsize(path))})"}
    is_legacy = path.endswith((".keras", ".h5", ".hdf5")) and has_legacy_layout(path)
    if os.path.isdir(path) or (path.endswith(".keras") and not is_legacy):
        return _read_archive(path, facts)
    if is_legacy:
        return _read_legacy(path, facts)
    if path.endswith((".weights.h5", ".weights.json", ".h5")):
        with weights_reader(path) as reader:
            return {**facts, "format": "weights, Keras 3"}, None, _h5_weights(reader)
    if path.endswith(torch_files.ENDINGS):
        return _read_torch(path, facts)
    raise ValueError(f"{path}: the format is not known")


def _read_archive(path, facts):
    folder = os.path.isdir(path)
    with contextlib.closing(
        (archive.FolderReader if folder else archive.ArchiveReader)(path, path)
    ) as reader:
        config = parse_json(reader.text(archive.CONFIG), path)
        metadata = json.loads(reader.text(archive.METADATA))
    facts |= {
        "format": "Keras 3",
        "keras": metadata.get("keras_version"),
        "saved": metadata.get("date_saved"),
    }
    compiled = config.get("compile_config") or {}
    return {**facts, **_training(compiled.get("optimizer"), compiled)}, config, []


def _read_legacy(path, facts):
    with contextlib.closing(LegacyReader(path)) as reader:
        facts |= {
            "format": "legacy HDF5",
            "keras": reader.text("keras_version"),
            "backend": reader.text("backend"),
        }
        text, training = reader.text("model_config"), reader.text("training_config")
        weights = [
            (name, dataset.shape, str(dataset.dtype))
            for values in reader.layers().values()
            for name, dataset in values.items()
        ]
    config = None if text is None else modern_config(parse_json(text, path))
    compiled = json.loads(training) if training else {}
    return {**facts, **_training(compiled.get("optimizer_config"), compiled)}, config, weights


def _read_torch(path, facts):
    metadata = torch_files.read_metadata(path) if torch_files.is_safetensors(path) else {}
    text = metadata.get(torch_files.CONFIG)
    weights = [
        (name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in torch_files.read_state(path).items()
    ]
    facts |= {"format": "safetensors" if torch_files.is_safetensors(path) else "torch.save"}
    if text is not None:
        facts["keras"] = metadata.get("keras_version")
    return facts, None if text is None else parse_json(text, path), weights


def _h5_weights(reader):
    return [
        (f"{path}/{key}", dataset.shape, str(dataset.dtype))
        for path, group in reader.paths().items()
        for key, dataset in group.items()
    ]


def _training(optimizer, compiled):
    if not isinstance(optimizer, dict):
        return {"optimizer": "none, not compiled"}
    config = optimizer.get("config") or {}
    rate = config.get("learning_rate", config.get("lr"))
    rate = rate.get("class_name") if isinstance(rate, dict) else rate
    return {
        "optimizer": f"{optimizer.get('class_name')}, learning rate {rate}",
        "loss": _short(compiled.get("loss")),
        "metrics": _short(compiled.get("metrics")),
    }


def _short(value):
    if isinstance(value, dict) and "class_name" in value:
        return value["config"] if value["class_name"] == "function" else value["class_name"]
    if isinstance(value, dict):
        return {key: _short(part) for key, part in value.items()}
    return [_short(part) for part in value] if isinstance(value, list) else value


def _layers(config):
    """Return a table of the layers in a config."""
    rows = list(_rows(config, 0))
    return _table(["Layer", "Class", "Shape", "Settings", "Inputs"], rows)


SETTINGS = (
    "units",
    "filters",
    "kernel_size",
    "strides",
    "rate",
    "activation",
    "axis",
    "input_dim",
    "output_dim",
)


def _rows(entry, depth):
    config = entry.get("config") or {}
    name = config.get("name") or entry.get("name") or ""
    shape = config.get("batch_shape") or (entry.get("build_config") or {}).get("input_shape")
    settings = [
        f"{key}={config[key]}" for key in SETTINGS if isinstance(config.get(key), (int, float, str, list))
    ]
    inputs = sorted(set(_names(entry.get("inbound_nodes"))))
    yield [
        "  " * depth + str(name),
        str(entry.get("class_name")),
        "" if shape is None else str(tuple(shape) if isinstance(shape, list) else shape),
        " ".join(settings),
        " ".join(inputs),
    ]
    inner = config.get("layers") if isinstance(config.get("layers"), list) else []
    for key in ("layer", "forward_layer", "backward_layer", "cell"):
        if isinstance(config.get(key), dict):
            inner = [*inner, config[key]]
    for layer in inner:
        if isinstance(layer, dict) and depth < 50:
            yield from _rows(layer, depth + 1)


def _names(value):
    """Yield the names of the layers that calls refer to."""
    if isinstance(value, dict):
        history = value.get("keras_history")
        if isinstance(history, list) and history:
            yield str(history[0])
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            if isinstance(part, (dict, list)):
                yield from _names(part)


def _table(headers, rows):
    widths = [max(len(row[column]) for row in [headers, *rows]) for column in range(len(headers))]
    return draw_table(headers, rows, ["<"] * len(headers), widths)


def _weights(weights):
    """Return a table of weights."""
    rows = [[name, str(tuple(shape)), dtype] for name, shape, dtype in weights]
    total = sum(math.prod(shape) for _, shape, _ in weights)
    return _table(["Weight", "Shape", "Dtype"], rows) + f"\n{total} values"
