"""Every example and the demo run from the command line, without a warning, and reach a result."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
# What each example prints at its end, and the range that the number must lie in with --quick.
RESULTS = {
    "checkpoints_and_tensorboard.py": ("test accuracy", 0.93, 1.0),
    "custom_layer.py": ("test accuracy", 0.9, 1.0),
    "custom_train_step.py": ("test accuracy", 0.85, 1.0),
    "digits_cnn.py": ("test accuracy", 0.93, 1.0),
    "distributed_data_parallel.py": ("test accuracy", 0.9, 1.0),
    "feature_extraction.py": ("test accuracy", 0.95, 1.0),
    "fine_tuning.py": ("test accuracy", 0.9, 1.0),
    "eject_to_pytorch.py": ("test accuracy of the PyTorch module", 0.8, 1.0),
    "export_onnx.py": ("test accuracy in onnxruntime", 0.9, 1.0),
    "gan.py": ("mean distance from the ring", 0.0, 0.15),
    "inside_a_torch_module.py": ("test accuracy", 0.9, 1.0),
    "lora_with_peft.py": ("test accuracy on the second task", 0.9, 1.0),
    "pandas_table.py": ("median relative error", 0.0, 0.1),
    "tabular_regression.py": ("error relative to always predicting the mean", 0.5, 0.85),
    "text_classification.py": ("test accuracy", 0.75, 1.0),
    "transfer_learning.py": ("test accuracy", 0.85, 1.0),
    "two_inputs_two_outputs.py": ("department_accuracy", 0.8, 1.0),
}


def run(script, *arguments, cwd):
    """Run a script of the repository and return what it printed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",  # small models on shared cores: threads only wait for one another
    }
    result = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / script), *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return result.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_reaches_its_result(name, tmp_path):
    what, low, high = RESULTS[name]
    printed = run(f"examples/{name}", "--quick", cwd=tmp_path)
    (value,) = re.findall(rf"^{what}: ([-\d.]+)$", printed, re.M)
    assert low <= float(value) <= high


def test_demo_learns_reloads_and_draws(tmp_path):
    printed = run("scripts/demo.py", "--here", "--output", str(tmp_path), cwd=tmp_path)
    assert printed.count(": ok\n") == 2
    for name in ("curves.png", "predictions.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "weights.pt").stat().st_size > 100_000
