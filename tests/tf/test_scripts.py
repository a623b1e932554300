"""Scripts written for TensorFlow run when their imports are changed, and nothing else."""

import contextlib
import io
import re
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent.parent / "scripts_tf").glob("*.py"))
IMPORTS = (
    (r"^import tensorflow as tf$", "import torchkeras_lite.tf as tf"),
    (r"^from tensorflow import keras$", "import torchkeras_lite as keras"),
    (r"^from tensorflow\.keras import ", "from torchkeras_lite import "),
)


@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`:UserWarning")  # Keras's own advice
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path):
    code = path.read_text()
    for pattern, new in IMPORTS:
        code = re.sub(pattern, new, code, flags=re.M)
    assert "tensorflow" not in re.sub(r"^\s*print\(.*$|^\"\"\".*$", "", code, flags=re.M).lower()
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, str(path), "exec"), {"__name__": "__main__"})
