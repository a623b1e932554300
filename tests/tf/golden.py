"""Write `golden.json`: what TensorFlow gives for `expressions`. Needs TensorFlow, which the tests do not.

Usage: python tests/tf/golden.py
"""

import json
from pathlib import Path

import numpy as np
from expressions import DATASETS, EXPRESSIONS, SCALARS

HERE = Path(__file__).parent


def plain(value):
    """What a value is, in JSON: dtype, shape and numbers or text of every leaf."""
    if isinstance(value, dict):
        return {"dict": {key: plain(part) for key, part in sorted(value.items())}}
    if isinstance(value, (list, tuple)):
        return {"list": [plain(part) for part in value]}
    array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    if array.dtype.kind in "OS":
        shape = list(array.shape)
        return {
            "dtype": "string",
            "shape": shape,
            "text": [one.decode() for one in array.reshape(-1).tolist()],
        }
    numbers = array.astype("complex64").view("float32") if array.dtype.kind == "c" else array
    kind = float if numbers.dtype.kind == "f" else int
    values = [round_off(kind(one)) for one in numbers.reshape(-1).tolist()]
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": values}


def round_off(number):
    """Keep seven digits; what is not finite is text, which JSON has no numbers for."""
    if not np.isfinite(number):
        return str(number)
    return float(f"{number:.7g}") if isinstance(number, float) else number


def results(tf):
    """All results by their expressions."""
    names = {"tf": tf, "np": np, "D": tf.data.Dataset}
    found = {code: plain(eval(code, names)) for code in [*EXPRESSIONS, *SCALARS]}
    found.update({code: plain(list(eval(code, names).as_numpy_iterator())) for code in DATASETS})
    return found


if __name__ == "__main__":
    import tensorflow

    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in results(tensorflow).items()]
    (HERE / "golden.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
