"""Programs for Keras and TensorFlow, run as they stand."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from keras.src.saving.saving_lib import H5IOStore

from as_keras import packages, programs

ROOT = Path(__file__).parents[2]
FIRST = "import torchkeras_lite.as_keras\n"


def run(*arguments, expect=0, cwd=None, **environment):
    """Run Python with arguments and return what it printed."""
    path = os.pathsep.join(filter(None, (str(ROOT), environment.pop("PYTHONPATH", ""))))
    result = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=60,
    )
    assert result.returncode == expect, result.stderr[-3000:]
    return result.stdout, result.stderr


@pytest.mark.parametrize("program", ["IMPORTS", "ABSENT", "PRIVATE"])
def test_names_mean_this_package(program):
    out, _ = run("-c", FIRST + getattr(programs, program))
    assert out.strip() == "done"


def test_old_modules_are_told_once():
    code = FIRST + "import keras.layers.core, keras.layers.core\nfrom keras.layers.core import Dense\n"
    _, err = run("-W", "always::DeprecationWarning", "-c", code)
    assert err.count("the module `keras.layers.core` is of an older Keras") == 1
    assert "import from `torchkeras_lite.layers`" in err


def test_run(tmp_path):
    script = tmp_path / "pickles.py"
    script.write_text(programs.PICKLES)
    (tmp_path / "beside.py").write_text("")
    out, _ = run("-m", "torchkeras_lite", "run", str(script), "--some", "argument")
    assert out.strip() == "done"
    package = tmp_path / "package"
    package.mkdir()
    (package / "__main__.py").write_text("import sys, keras; print(sys.argv[1:], keras.__version__)")
    out, _ = run("-m", "torchkeras_lite", "run", "-m", "package", "-x", PYTHONPATH=str(tmp_path))
    assert out.strip() == "['-x'] 3.15.1"


def test_run_shows_the_script_alone_when_it_fails(tmp_path):
    script = tmp_path / "fails.py"
    script.write_text(programs.FAILS)
    _, err = run("-m", "torchkeras_lite", "run", str(script), expect=1)
    assert err.startswith("Traceback")
    assert "of the script" in err
    assert "torchkeras_lite" not in err
    script.write_text("import sys; sys.exit(7)")
    run("-m", "torchkeras_lite", "run", str(script), expect=7)
    _, err = run("-m", "torchkeras_lite", "run", str(tmp_path / "missing.py"), expect=1)
    assert "missing.py" in err


def test_packages_are_told_honestly_whether_tensorflow_is_there(tmp_path):
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "asks_for_tensorflow.py").write_text(programs.PACKAGE)
    out, _ = run("-c", FIRST + programs.ASKS, PYTHONPATH=str(folder))
    assert out.strip() == "done"


@pytest.mark.parametrize("program", ["SPAWNS", "JOBS"])
def test_processes_that_are_started_know_the_names(program, tmp_path):
    script = tmp_path / "starts.py"
    script.write_text(getattr(programs, program))
    (tmp_path / "sitecustomize.py").write_text("import os; os.environ['HIDDEN'] = 'is run'")
    out, _ = run("-m", "torchkeras_lite", "run", str(script), PYTHONPATH=str(tmp_path))
    assert out.strip() == "done"


def test_what_is_installed_is_hidden_and_left_alone(tmp_path):
    folder = tmp_path / "site-packages"
    for name in ("keras", "tensorflow"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("real = True")
    (folder / "asks_for_tensorflow.py").write_text(programs.PACKAGE.replace("return False", "raise"))
    code = f"{FIRST}import keras, asks_for_tensorflow\nassert not hasattr(keras, 'real')\n"
    code += "import torch._dynamo\n"  # asks for it, too
    code += "try: asks_for_tensorflow.has_tensorflow()\nexcept ModuleNotFoundError as error: print(error)\n"
    out, _ = run("-c", code, PYTHONPATH=str(folder))
    assert "only the program itself may ask" in out
    _, err = run("-c", f"import keras\n{FIRST}", PYTHONPATH=str(folder), expect=1)
    assert "RuntimeError: torchkeras_lite.as_keras: 'keras' was imported before" in err


def test_small_files_of_packages_are_read_on_both_sides(tmp_path):
    values = np.arange(6.0, dtype="float32").reshape(2, 3)
    store = H5IOStore(tmp_path / "theirs.h5", mode="w")
    store.make("lora")["rank"] = 4
    store.make("lora/0")["lora_kernel_a"] = values
    store.close()
    run("-c", FIRST + programs.STORES, cwd=str(tmp_path))
    store = H5IOStore(tmp_path / "ours.h5", mode="r")
    assert int(store.get("lora")["rank"][()]) == 4
    np.testing.assert_array_equal(store.get("lora/0")["lora_kernel_a"], values)
    store.close()


def test_pipelines_of_grain_are_noticed():
    pytest.importorskip("grain")
    run("-c", FIRST + programs.GRAIN)


COMPARED = ("keras_hub", "keras_rs")
PACKAGES = [
    name
    for name, value in vars(packages).items()
    if not name.startswith("_") and "import" in value and name not in COMPARED
]


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_made_for_keras_work_as_they_are(package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    code = f"{FIRST}{getattr(packages, package)}\nassert keras.Model.__module__.startswith('torchkeras_lite')"
    run("-W", "ignore", "-c", f"{code}\nprint('done')", MPLBACKEND="Agg", KERAS_BACKEND="torch")


@pytest.mark.parametrize("package", COMPARED)
def test_packages_made_for_keras_give_the_numbers_that_they_give_under_keras(package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    found = []
    for first in (FIRST, ""):
        out, _ = run("-W", "ignore", "-c", f"{first}{getattr(packages, package)}", KERAS_BACKEND="torch")
        found.append(json.loads(next(line for line in out.splitlines() if line.startswith("numbers"))[8:]))
    ours, theirs = found
    assert list(ours) == list(theirs)
    for name, expected in theirs.items():
        np.testing.assert_allclose(ours[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)
