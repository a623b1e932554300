"""Nothing in a file is run, followed or believed: harmless payloads of the published
vulnerabilities of Keras.
"""

import copy
import io
import json
import threading
import zipfile

import h5py
import numpy as np
import pytest
import torch

import torchkeras_lite as keras
from torchkeras_lite import layers
from torchkeras_lite.base import registry
from torchkeras_lite.base.lambda_code import dump_function

ran = []


def payload(x):
    """What no load may run."""
    ran.append(x)
    return x


def spy(*args):
    ran.append(args)


@pytest.fixture(autouse=True)
def nothing_runs():
    ran.clear()
    yield
    assert ran == []


def small_model():
    return keras.Sequential([keras.Input((2,)), layers.Dense(3)])


@pytest.fixture
def archive(tmp_path):
    """A function that writes a `.keras` file with a changed config, weights, or further members."""

    def write(change=None, weights=None, members=(), compression=zipfile.ZIP_STORED):
        path = tmp_path / "model.keras"
        small_model().save(path)
        with zipfile.ZipFile(path) as source:
            parts = {name: source.read(name) for name in source.namelist()}
        if change is not None:
            config = json.loads(parts["config.json"])
            parts["config.json"] = json.dumps(change(config) or config)
        if weights is not None:
            parts["model.weights.h5"] = weights
        with zipfile.ZipFile(path, "w", compression) as target:
            for name, data in (*parts.items(), *members):
                target.writestr(name, data)
        return path

    return write


def entry(module, class_name, config, registered_name=None, **more):
    found = {"module": module, "class_name": class_name, "config": config, "registered_name": registered_name}
    return {**found, **more}


def function(module, name):
    return entry(module, "function", name, name)


def second_layer(item):
    """Return a change that puts `item` in the place of the model's layer."""

    def change(config):
        config["config"]["layers"][1] = item

    return change


BYTECODE = dump_function(lambda x: payload(x))
LAMBDA = {"class_name": "__lambda__", "config": {"value": BYTECODE}}
OLD_LAMBDA = {
    "name": "l",
    "function": [BYTECODE["code"], None, None],
    "function_type": "lambda",
    "arguments": {},
}
REFUSED_LAYERS = {
    "CVE-2024-3660 lambda": (
        entry("keras.layers", "Lambda", {"name": "l", "function": LAMBDA}),
        "arbitrary code",
    ),
    "CVE-2024-3660 lambda of Keras 2": (entry("keras.layers", "Lambda", OLD_LAMBDA), "arbitrary code"),
    "CVE-2024-3660 lambda, no module": ({"class_name": "Lambda", "config": OLD_LAMBDA}, "arbitrary code"),
    "lambda as an activation": (
        entry("keras.layers", "Dense", {"units": 3, "activation": LAMBDA}),
        "arbitrary code",
    ),
    "CVE-2025-1550 module": (entry("os", "system", {"command": "true"}), "never imported"),
    "CVE-2025-1550 function": (
        entry("keras.layers", "Lambda", {"function": function("os", "system")}),
        "Could not locate function 'system'",
    ),
    "CVE-2025-1550 builtins": (
        entry("keras.layers", "Activation", {"activation": function("builtins", "eval")}),
        "Could not locate function 'eval'",
    ),
    "CVE-2025-8747 get_file": (
        entry("keras.utils", "get_file", {"fname": "x", "origin": "file:///etc/hostname"}, "get_file"),
        "Could not locate class 'get_file'",
    ),
    "CVE-2025-8747 get_file in a Lambda": (
        entry("keras.layers", "Lambda", {"function": function("keras.utils", "get_file")}),
        "Could not locate function 'get_file'",
    ),
    "CVE-2025-9906 switch": (
        entry(
            "keras.layers", "Lambda", {"function": function("keras.config", "enable_unsafe_deserialization")}
        ),
        "Could not locate function 'enable_unsafe",
    ),
    "CVE-2025-9906 class": (
        entry("keras.config", "enable_unsafe_deserialization", {}),
        "Could not locate class",
    ),
    "nested load_model": (
        entry("keras.layers", "Lambda", {"function": function("keras.saving", "load_model")}),
        "Could not locate function 'load_model'",
    ),
    "setter": (entry("keras.config", "set_floatx", {"value": "float16"}), "Could not locate class"),
    "callback": (
        entry("keras.callbacks", "RemoteMonitor", {"root": "http://localhost"}),
        "Could not locate class 'RemoteMonitor'",
    ),
    "callback, no module": (
        {"class_name": "CSVLogger", "config": {"filename": "x"}},
        "Could not locate class",
    ),
    "our own module": (
        entry("torchkeras_lite.saving.model_files", "load_model", {"filepath": "x"}),
        "Could not locate class",
    ),
    "CVE-2025-12058 vocabulary": (
        entry("keras.layers", "StringLookup", {"vocabulary": "/etc/hostname"}),
        "reads? its vocabulary from the file '/etc/hostname'",
    ),
    "CVE-2025-12058 url": (
        entry("keras.layers", "TextVectorization", {"vocabulary": "http://localhost/x"}),
        "its vocabulary from the file",
    ),
    "CVE-2026-1462 TFSMLayer": (
        entry("keras.layers", "TFSMLayer", {"filepath": "/tmp/saved_model", "name": "t"}),
        "run a TensorFlow SavedModel from the disk",
    ),
    "CVE-2025-49655 pickled torch module": (
        entry("keras.layers", "TorchModuleWrapper", {"module": "gASVAAAA", "name": "w"}),
        "pickled torch module",
    ),
    "registered name": (
        entry("keras.layers", "Dense", {"units": 3}, "builtins.eval"),
        "resolved to a Keras built-in",
    ),
    "module of a wrong kind": (entry(["os"], "system", {}), "`module` in a config to be a string"),
    "class name of a wrong kind": (
        entry("keras.layers", {"a": 1}, {}),
        "`class_name` in a config to be a string",
    ),
    "config of a wrong kind": (entry("keras.layers", "Dense", [1, 2]), "Expected 'config' to be a dict"),
    "unknown literal": ({"class_name": "__reduce__", "config": {}}, "unknown kind '__reduce__'"),
}


@pytest.mark.parametrize("name", REFUSED_LAYERS)
def test_what_a_layer_must_not_be(name, archive, monkeypatch):
    item, message = REFUSED_LAYERS[name]
    path = archive(second_layer(item))
    monkeypatch.setattr(layers.Layer, "__init__", _forbidden)
    with pytest.raises((ValueError, TypeError), match=message):
        keras.saving.load_model(path)


def _forbidden(self, *args, **kwargs):
    raise AssertionError("a layer was made")


@pytest.mark.parametrize("place", ["metrics", "loss", "optimizer", "inbound"])
def test_other_places_of_a_config(place, archive):
    bad = function("keras.utils", "get_file")

    def change(config):
        if place == "inbound":
            config["config"]["layers"][1]["config"]["kernel_initializer"] = bad
        else:
            config["compile_config"] = {
                "optimizer": "sgd",
                "loss": "mse",
                place: [bad] if place == "metrics" else bad,
            }

    with pytest.raises(TypeError, match="Could not locate function 'get_file'"):
        keras.saving.load_model(archive(change))


def test_from_config_and_json_refuse_too():
    config = json.loads(small_model().to_json())
    config["config"]["layers"][1] = entry("keras.layers", "Lambda", {"name": "l", "function": LAMBDA})
    with pytest.raises(ValueError, match="arbitrary code"):
        keras.models.model_from_json(json.dumps(config))
    with pytest.raises(ValueError, match="arbitrary code"):
        keras.Sequential.from_config(config["config"])
    with pytest.raises(ValueError, match="arbitrary code"):
        keras.saving.deserialize_keras_object(config)


READERS = {
    "model_from_json": lambda config: keras.models.model_from_json(json.dumps(config)),
    "Sequential.from_config": lambda config: keras.Sequential.from_config(config["config"]),
    "deserialize_keras_object": keras.saving.deserialize_keras_object,
    "layers.deserialize": layers.deserialize,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", REFUSED_LAYERS)
def test_nothing_is_built_before_what_comes_last_is_refused(name, reader, monkeypatch):
    item, message = REFUSED_LAYERS[name]
    config = json.loads(small_model().to_json())
    config["config"]["layers"].append(item)
    monkeypatch.setattr(layers.Layer, "__init__", _forbidden)
    with pytest.raises((ValueError, TypeError), match=message):
        READERS[reader](config)


def test_own_functions_of_a_reader_are_known_from_the_start():
    config = {"class_name": "Dense", "config": {"units": 2, "activation": function("builtins", "double")}}
    layer = keras.saving.deserialize_keras_object(config, custom_objects={"double": torch.relu})
    assert layer.activation is torch.relu


def test_a_graph_is_looked_through_before_it_is_built(monkeypatch):
    inputs = keras.Input((2,))
    config = keras.Model(inputs, layers.Dense(3)(inputs)).get_config()
    config["layers"].append(entry("os", "system", {"command": "true"}))
    monkeypatch.setattr(layers.Layer, "__init__", _forbidden)
    with pytest.raises(TypeError, match="never imported"):
        keras.Model.from_config(config)


def test_depth_and_forms_of_configs(archive):
    nest = {"a": 1}
    for _ in range(300):
        nest = {"a": nest}

    def deep(config):
        config["config"]["extra"] = nest

    with pytest.raises(ValueError, match="levels deep"):
        keras.saving.load_model(archive(deep))
    with pytest.raises(ValueError, match="nested too deeply"):
        keras.models.model_from_json('{"a":' * 100_000)
    for text in ("", "[]", "{}", '{"class_name": 1}'):
        with pytest.raises(ValueError, match=r"no valid JSON|describes no model"):
            keras.models.model_from_json(text)


def test_safe_mode_ends_with_the_load_that_was_told(archive):
    identity = {"class_name": "__lambda__", "config": {"value": dump_function(lambda x: x)}}
    path = archive(second_layer(entry("keras.layers", "Lambda", {"name": "l", "function": identity})))
    with pytest.warns(UserWarning, match="no place for: layers/dense"):
        model = keras.saving.load_model(path, safe_mode=False)
    np.testing.assert_array_equal(model(torch.ones(1, 2)).numpy(), [[1, 1]])
    with pytest.raises(ValueError, match="arbitrary code"):
        keras.saving.load_model(path)
    failures = []

    def elsewhere():
        try:
            keras.saving.load_model(path)
        except ValueError as error:
            failures.append(str(error))

    with pytest.warns(UserWarning, match="no place for"):
        keras.saving.load_model(path, safe_mode=False, custom_objects={"Elsewhere": elsewhere})
    worker = threading.Thread(target=elsewhere)
    worker.start()
    worker.join()
    assert len(failures) == 1
    for wrong in (None, 0, "no"):
        with pytest.raises(TypeError, match="`safe_mode` must be True or False"):
            keras.saving.load_model(path, safe_mode=wrong)


def test_the_public_tables_hold_nothing_that_acts():
    functions = {
        (room, name)
        for room, members in registry._public.items()
        for name, value in members.items()
        if not isinstance(value, type)
    }
    for _, name in functions:
        assert not any(word in name for word in ("load", "save", "file", "set_", "enable", "disable", "open"))


# Files


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/tmp/evil.txt", "assets/../../evil", "C:/evil", "a\\..\\..\\b"]
)
def test_members_that_leave_the_archive(name, archive):
    with pytest.raises(ValueError, match="would be written outside"):
        keras.saving.load_model(archive(members=[(name, b"x")]))


def test_links_and_doubles_in_the_archive(archive):
    link = zipfile.ZipInfo("assets/link")
    link.external_attr = 0o120777 << 16
    with pytest.raises(ValueError, match="'assets/link' is a link"):
        keras.saving.load_model(archive(members=[(link, "/etc")]))
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(members=[("config.json", "{}")])
    with pytest.raises(ValueError, match=r"'config.json' is there twice"):
        keras.saving.load_model(path)


def test_zip_bomb(archive):
    path = archive(members=[("assets/zeros", bytes(2**25))], compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"'assets/zeros' declares 32 MiB and stores .* KiB"):
        keras.saving.load_model(path)


def h5(fill):
    """The bytes of an HDF5 file that `fill(file)` writes into."""
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        fill(file)
    return memory.getvalue()


def group(file):
    return file.create_group("layers/dense/vars")


def shape_bomb(file):
    group(file).create_dataset("0", (2**18, 2**18), "float32", chunks=(64, 64), compression="gzip")


def soft_link(file):
    group(file)["0"] = h5py.SoftLink("/layers")


def external_link(file):
    file["layers"] = h5py.ExternalLink("/etc/other.h5", "/layers")


def external_storage(file):
    group(file).create_dataset("0", (2, 3), "float32", external=[("/etc/hostname", 0, 24)])


def virtual(file):
    layout = h5py.VirtualLayout((2, 3), "float32")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "s", (2, 3))
    group(file).create_virtual_dataset("0", layout)


def texts(file):
    group(file)["0"] = ["a", "b"]


def named_type(file):
    group(file)["0"] = np.dtype("float32")


def cycle(file):
    group(file)
    file["layers/dense/again"] = file["layers"]


def unfilled(file):
    group(file).create_dataset("0", (2**20, 3), "float32")


BAD_WEIGHTS = {
    "CVE-2026-0897 shape_bomb": (shape_bomb, "declares 256 GiB and stores"),
    "soft_link": (soft_link, r"is a link \(SoftLink\)"),
    "CVE-2026-1669 external_link": (external_link, r"is a link \(ExternalLink\)"),
    "CVE-2026-1669 external_storage": (external_storage, "another file"),
    "CVE-2026-1669 virtual": (virtual, "virtual dataset"),
    "texts": (texts, "holds no numbers"),
    "named_type": (named_type, "neither a group nor a dataset"),
    "cycle": (cycle, "is in two places"),
    "unfilled": (unfilled, "needs 12582912 bytes, and the file has 0"),
}


@pytest.mark.parametrize("name", BAD_WEIGHTS)
def test_weights_that_are_not_what_they_say(name, archive, tmp_path, monkeypatch):
    fill, message = BAD_WEIGHTS[name]
    data = h5(fill)
    path = archive(weights=data)
    weights = tmp_path / "model.weights.h5"
    weights.write_bytes(data)
    model = small_model()
    before = copy.deepcopy(model.get_weights())
    with pytest.raises(ValueError, match=message):
        model.load_weights(weights)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    monkeypatch.setattr(layers.Layer, "__init__", _forbidden)
    with pytest.raises(ValueError, match=message):
        keras.saving.load_model(path)


@pytest.mark.parametrize("name", [name for name in BAD_WEIGHTS if name not in ("texts", "named_type")])
def test_the_editor_and_the_older_layout_are_not_led_astray(name, tmp_path):
    fill, _ = BAD_WEIGHTS[name]
    path = tmp_path / "bad.weights.h5"
    path.write_bytes(h5(fill))
    with pytest.raises(ValueError, match="bad"):
        keras.saving.KerasFileEditor(path)
    older, model = tmp_path / "bad.h5", small_model()
    model.save(older)
    with h5py.File(older, "r+") as file:
        root = file["model_weights"]
        layer = next(name for name in root.attrs["layer_names"])
        kernel = root[layer].attrs["weight_names"][0]
        holder = root[layer]
        del holder[kernel]
        parent, _, last = kernel.rpartition("/")
        _older_fault(name.split()[-1], holder.require_group(parent) if parent else holder, last)
    for read in (keras.saving.load_model, model.load_weights):
        before = copy.deepcopy(model.get_weights())
        with pytest.raises(ValueError, match=r"bad\.h5"):
            read(older)
        for old, new in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)


def _older_fault(kind, group, key):
    """Put something bad in the place of a weight of shape (2, 3)."""
    if kind == "shape_bomb":
        group.create_dataset(key, (2**18, 2**18), "float32", chunks=(64, 64), compression="gzip")
    elif kind == "external_storage":
        group.create_dataset(key, (2, 3), "float32", external=[("/etc/hostname", 0, 24)])
    elif kind == "virtual":
        layout = h5py.VirtualLayout((2, 3), "float32")
        layout[:] = h5py.VirtualSource("/etc/other.h5", "s", (2, 3))
        group.create_virtual_dataset(key, layout)
    elif kind == "unfilled":
        group.create_dataset(key, (2, 3), "float32")
    else:
        soft, external = h5py.SoftLink("/model_weights"), h5py.ExternalLink("/etc/other.h5", "/x")
        group[key] = {"soft_link": soft, "external_link": external}.get(kind) or group.file["model_weights"]


def test_a_lambda_of_a_config_alone_is_refused():
    config = {"name": "l", "function": LAMBDA}
    named = {"class_name": "Lambda"}
    for read in (layers.Lambda.from_config, lambda config: layers.deserialize({**named, "config": config})):
        with pytest.raises(ValueError, match="arbitrary code"):
            read(copy.deepcopy(config))
    with pytest.raises(ValueError, match="arbitrary code"):
        layers.Lambda.from_config(copy.deepcopy(OLD_LAMBDA))


def test_a_config_cannot_claim_memory(archive):
    def huge(config):
        config["config"]["layers"][1]["config"]["units"] = 2**40

    with pytest.raises(ValueError, match=r"has shape \(2, 1099511627776\) in the model and shape \(2, 3\)"):
        keras.saving.load_model(archive(huge))


def test_shards_name_files_beside_them_only(tmp_path):
    model = small_model()
    path = tmp_path / "m.weights.json"
    model.save_weights(path, max_shard_size=1)
    listed = json.loads(path.read_text())
    for name in ("../m_00000.weights.h5", "/etc/hostname", 3, "other.h5"):
        listed["weight_map"] = {"/layers/dense/vars": name}
        path.write_text(json.dumps(listed))
        with pytest.raises(ValueError, match="Not allowed: the list names the file"):
            model.load_weights(path)
