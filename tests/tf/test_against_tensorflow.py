"""Values against those of TensorFlow, which `golden.py` wrote."""

import json
from pathlib import Path

import numpy as np
import pytest

import torchkeras_lite.tf as tf
from tf.expressions import DATASETS, EXPRESSIONS, SCALARS

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())
NAMES = {"tf": tf, "np": np, "D": tf.data.Dataset}


def check(value, expected, code):
    if "dict" in expected:
        assert sorted(value) == sorted(expected["dict"])
        for key, part in expected["dict"].items():
            check(value[key], part, code)
        return
    if "list" in expected:
        assert len(value) == len(expected["list"])
        for one, part in zip(value, expected["list"], strict=True):
            check(one, part, code)
        return
    array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    assert list(array.shape) == expected["shape"]
    if expected["dtype"] == "string":
        assert [one.decode() for one in array.reshape(-1).tolist()] == expected["text"]
        return
    assert array.dtype.name == expected["dtype"]
    if array.dtype.kind == "c":
        array = array.view("float32")
    theirs = [float(one) for one in expected["values"]]
    atol = 1e-4 if "bicubic" in code else 2e-5  # TensorFlow reads that kernel from a table of 1024 steps
    np.testing.assert_allclose(array.astype("float64").reshape(-1), theirs, rtol=2e-4, atol=atol)


@pytest.mark.parametrize("code", [*EXPRESSIONS, *SCALARS])
def test_expression(code):
    check(eval(code, NAMES), GOLDEN[code], code)


@pytest.mark.parametrize("code", DATASETS)
def test_dataset(code):
    dataset = eval(code, NAMES)
    check(list(dataset.as_numpy_iterator()), GOLDEN[code], code)
    check(list(dataset), GOLDEN[code], code)  # and again, from the start
