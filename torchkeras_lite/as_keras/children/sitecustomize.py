"""What Python imports first in a process that a program under `as_keras` starts.

There, too, `keras` and `tensorflow` mean this package, which is imported when they are first asked for.
"""

import importlib
import importlib.machinery
import importlib.util
import os
import sys


class _First:
    """Waits for the first import of Keras or TensorFlow, and leaves it to the finder of `as_keras`."""

    def find_spec(self, fullname, path=None, target=None):
        """Return the spec of an alias; `None` for other modules."""
        if fullname.partition(".")[0] not in ("keras", "tf_keras", "tensorflow"):
            return None
        sys.meta_path.remove(self)
        importlib.import_module("torchkeras_lite.as_keras")
        return sys.meta_path[0].find_spec(fullname, path, target)


def _import_hidden():
    """Import the `sitecustomize` of the machine, which this one hides."""
    here = os.path.dirname(os.path.abspath(__file__))
    others = [place for place in sys.path if os.path.abspath(place) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


sys.meta_path.insert(0, _First())
_import_hidden()
