"""What real Keras's architectures look like, stored in `applications/golden.json`.

To make the file anew, run `python tests/architecture_golden.py` with KERAS_BACKEND=torch, then with
KERAS_BACKEND=jax, which adds NASNetMobile: Keras refuses it on torch.
"""

import contextlib
import hashlib
import json
from pathlib import Path

FILE = Path(__file__).parent / "applications" / "golden.json"
# MobileNets whose weights lie in other files than the default ones
VARIANTS = [
    *(
        ("MobileNet", {"alpha": a, "input_shape": [s, s, 3]})
        for a, s in ((0.25, 128), (0.5, 160), (0.75, 192))
    ),
    *(
        ("MobileNetV2", {"alpha": a, "input_shape": [s, s, 3]})
        for a, s in ((0.35, 96), (0.5, 128), (0.75, 160), (1.3, 192), (1.4, 224))
    ),
    *(
        (f"MobileNetV3{size}", arguments)
        for size in ("Small", "Large")
        for arguments in ({"alpha": 0.75}, {"minimalistic": True})
    ),
]


def describe(model):
    """Return counts of a model and a digest of its layers: classes, names, shapes, inputs and configs."""
    rows = [_row(layer) for layer in model.layers]
    return {
        "name": model.name,
        "layers": len(rows),
        "parameters": model.count_params(),
        "trainable": sum(_count(weight.shape) for weight in model.trainable_weights),
        "names": _digest([row[1] for row in rows]),
        "digest": _digest(rows),
    }


def _row(layer):
    kind = type(layer).__name__
    row = [kind, layer.name, list(layer.output.shape), layer.count_params()]
    if kind == "Sequential":
        return [*row, [_row(inner) for inner in layer.layers]]
    inputs = [] if kind == "InputLayer" else layer.input
    inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    made_by = [tensor._keras_history[0] for tensor in inputs]
    config = {key: _plain(value) for key, value in layer.get_config().items()}
    return [*row, [one.name if hasattr(one, "get_weights") else "operation" for one in made_by], config]


def _plain(value):
    if isinstance(value, dict) and "class_name" in value:
        return [value["class_name"], value.get("config")]
    return value


def _digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _count(shape):
    total = 1
    for size in shape:
        total *= size
    return total


def file_key(name, arguments):
    """Return the key under which the file of weights is stored."""
    return f"{name} {json.dumps(arguments, sort_keys=True)}"


def main():
    import keras
    from keras.src.utils import file_utils

    on_jax = keras.backend.backend() == "jax"
    place = contextlib.nullcontext if on_jax else lambda: keras.device("meta")
    known = {name: made for name, made in vars(keras.applications).items() if name[0].isupper()}
    known = {name: made for name, made in known.items() if (name == "NASNetMobile") == on_jax}
    golden = json.loads(FILE.read_text(encoding="utf-8")) if on_jax else {"architectures": {}, "files": {}}
    for name, function in known.items():
        keras.utils.clear_session(free_memory=False)
        with place():
            golden["architectures"][name] = describe(function(weights=None))
    asked = []

    def note(fname, origin, cache_subdir, file_hash=None):
        asked.append([fname, origin, file_hash])
        return ""

    file_utils.get_file = note
    keras.Model.load_weights = lambda self, path: None
    cases = [(name, {"include_top": top}) for name in known for top in (True, False)]
    for name, arguments in [*cases, *(() if on_jax else VARIANTS)]:
        shape = {"input_shape": tuple(arguments["input_shape"])} if "input_shape" in arguments else {}
        with place():
            known[name](weights="imagenet", **{**arguments, **shape})
        golden["files"][file_key(name, arguments)] = asked.pop()
    golden = {room: dict(sorted(entries.items())) for room, entries in golden.items()}
    FILE.write_text(json.dumps(golden, indent=0) + "\n")


if __name__ == "__main__":
    main()
