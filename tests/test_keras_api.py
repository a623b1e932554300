"""Every public name of Keras 3.15.1 exists here, and takes every argument that it takes there.

The list is `keras_3.15.1_api.json` of the project's shared folder where that is at hand, else made from the
Keras that is installed.
"""

import ast
import importlib
import inspect
import json
import re
from pathlib import Path

import keras
import pytest

import torchkeras_lite

LIST = Path(__file__).resolve().parents[2] / "shared" / "keras_3.15.1_api.json"

# Names not here, and why.
ABSENT: dict[str, str] = {}
# Other defaults that mean the same, and arguments that Keras requires and that have a default here.
OTHER_DEFAULTS = {
    "pool_size": "an optional size; one number counts for every axis",
    "strides": "one number counts for every axis",
    "dilation_rate": "one number counts for every axis",
    "size": "one number counts for every axis",
    "padding": "one number counts for every axis",
    "format": "`ExportArchive` and `export` write torch's format: TensorFlow's needs TensorFlow",
}
# Keras's `*args, **kwargs` hides what these take; here they name it.
NAMES_ITS_ARGUMENTS = {
    "Layer",
    "Optimizer",
    "Sequential",
    "Variable",
    "KerasTensor",
    "smart_resize",
    "ExportArchive",
}
# Arguments that have another place in the order: to be given by name.
BY_NAME = {"keras.optimizers.Muon": "the options of all optimizers come after its own"}


def api():
    """Return `{dotted name: {"kind": ..., "sig": ...}}`."""
    if LIST.exists():
        return json.loads(LIST.read_text())
    return dict(_walk("keras", keras, set()))


def _walk(path, module, seen):
    for name in dir(module):
        value = getattr(module, name)
        if name.startswith("_") or id(value) in seen:
            continue
        if inspect.ismodule(value):
            seen.add(id(value))
            yield from _walk(f"{path}.{name}", value, seen)
        elif callable(value):
            try:
                signature = str(inspect.signature(value))
            except (TypeError, ValueError):
                continue
            yield (
                f"{path}.{name}",
                {"kind": "class" if inspect.isclass(value) else "function", "sig": signature},
            )


API = api()


def find(dotted):
    """Return our object for `keras.a.b`; rooms on demand are opened."""
    found, path = torchkeras_lite, "torchkeras_lite"
    for part in dotted.split(".")[1:]:
        path = f"{path}.{part}"
        found = getattr(found, part) if hasattr(found, part) else importlib.import_module(path)
    return found


def parameters(signature):
    """Return positional names, `{name: default as text}` and whether `**kwargs` are taken, of a text."""
    text = re.sub(r"<[^>]*>", "OBJECT", signature.partition("->")[0])
    arguments = ast.parse(f"def f{text}: pass").body[0].args
    positional = [one.arg for one in arguments.posonlyargs + arguments.args]
    without = [None] * (len(positional) - len(arguments.defaults))
    defaults = dict(zip(positional, without + arguments.defaults, strict=True))
    defaults |= dict(zip([one.arg for one in arguments.kwonlyargs], arguments.kw_defaults, strict=True))
    shown = {name: None if default is None else ast.unparse(default) for name, default in defaults.items()}
    return positional, shown, arguments.kwarg is not None


def test_the_names_not_here_are_kerass():
    assert set(ABSENT) <= set(API)


ROOMS = sorted({dotted.rpartition(".")[0] for dotted in API})


def test_rooms_hold_all_names():
    assert len(API) > 1400
    assert len(ROOMS) > 20


@pytest.mark.parametrize("room", ROOMS)
def test_names_and_arguments_are_kerass(room):
    wrong = []
    for dotted, known in API.items():
        if dotted.rpartition(".")[0] != room or dotted in ABSENT:
            continue
        try:
            wrong += differences(dotted, find(dotted), known)
        except (ImportError, AttributeError) as error:
            wrong.append(f"{dotted}: missing ({error})")
    assert wrong == []


def differences(dotted, mine, known):
    """List in what `mine` differs from Keras's `dotted`."""
    name = dotted.rpartition(".")[2]
    if not callable(mine) or (known["kind"] == "class") is not inspect.isclass(mine):
        return [f"{dotted}: no {known['kind']}"]
    positional, defaults, takes_more = parameters(known["sig"])
    ours = inspect.signature(mine).parameters
    more = any(p.kind is p.VAR_KEYWORD for p in ours.values())
    found = [f"{dotted}: no argument {argument!r}" for argument in defaults if argument not in ours]
    if takes_more and not more and name not in NAMES_ITS_ARGUMENTS:
        found.append(f"{dotted}: takes no further arguments")
    by_position = [p.name for p in ours.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not found and by_position[: len(positional)] != positional and dotted not in BY_NAME:
        found.append(f"{dotted}: order {by_position}, expected {positional}")
    for argument, default in defaults.items():
        if argument in ours and argument not in OTHER_DEFAULTS:
            here = ours[argument].default
            shown = None if here is inspect.Parameter.empty else repr(here)
            if shown != default and default != "OBJECT":
                found.append(f"{dotted}: {argument}={shown}, expected {default}")
    return found


STAND_INS = {
    "layers.JaxLayer": (lambda make: make(lambda x: x), "Lambda"),
    "layers.FlaxLayer": (lambda make: make(object()), "TorchModuleWrapper"),
    "layers.TFSMLayer": (lambda make: make("saved_model"), "load_model"),
    "callbacks.OrbaxCheckpoint": (lambda make: make("points"), "ModelCheckpoint"),
}


@pytest.mark.parametrize("name", STAND_INS)
def test_other_frameworks_names_say_what_to_use(name):
    call, remedy = STAND_INS[name]
    with pytest.raises(NotImplementedError, match=remedy):
        call(find(f"keras.{name}"))


def test_the_version_is_that_of_the_keras_spoken():
    assert torchkeras_lite.version() == keras.version() == "3.15.1"


def test_legacy_optimizers_are_the_modern_ones():
    for name in ("SGD", "Adam", "Adagrad", "Ftrl", "RMSprop"):
        legacy = getattr(torchkeras_lite.optimizers.legacy, name)
        with pytest.warns(DeprecationWarning, match=f"keras.optimizers.{name}"):
            made = legacy(learning_rate=0.5)
        assert type(made) is getattr(torchkeras_lite.optimizers, name)
        assert isinstance(made, legacy)


@pytest.mark.parametrize(
    "name", ["Adam", "AdamW", "SGD", "RMSprop", "Adagrad", "Ftrl", "Lion", "Nadam", "Lamb"]
)
def test_optimizers_take_all_arguments_by_position(name):
    signature = inspect.signature(getattr(torchkeras_lite.optimizers, name)).parameters.values()
    values = [
        0.25 if p.name in ("weight_decay", "beta_1") else p.default for p in signature if p.name != "kwargs"
    ]
    mine = getattr(torchkeras_lite.optimizers, name)(*values).get_config()
    his = getattr(keras.optimizers, name)(*values).get_config()
    assert {key: value for key, value in mine.items() if key != "name"} == pytest.approx(
        {key: value for key, value in his.items() if key != "name"}
    )


def test_name_scopes_are_kerass():
    def paths(k):
        caller = object()
        with k.name_scope("a", caller=caller), k.name_scope("a", caller=caller):
            first = k.Variable(0.0, name="v").path
            with (
                k.name_scope("b", override_parent="x/y"),
                k.name_scope("b", caller=caller, deduplicate=False),
            ):
                second = k.Variable(0.0, name="v").path
        return first, second

    assert paths(torchkeras_lite) == paths(keras)
    with pytest.raises(ValueError, match="cannot contain character"):
        torchkeras_lite.name_scope("a/b")
