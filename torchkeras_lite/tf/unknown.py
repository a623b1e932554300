"""What is said of names of TensorFlow that the facade does not have."""

import sys

from torchkeras_lite.base.checks import suggestion


def missing(place, hints):
    """Return a module's `__getattr__`, which raises an error that tells what to use.

    Args:
        place: What the module is called in scripts, `"tf.image"`.
        hints: What stands for names that have no near one here.
    """
    module = f"torchkeras_lite.{place}"

    def __getattr__(name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name in hints:
            raise AttributeError(f"{place}.{name} is not in torchkeras_lite. Use {hints[name]}.")
        known = getattr(sys.modules.get(module), "__all__", [])
        raise AttributeError(
            f"{place}.{name} is not in torchkeras_lite{suggestion(name, known)} "
            f"Tensors here are torch tensors: use a function of torch or torchkeras_lite.ops{_near(name)}."
        )

    return __getattr__


def _near(name):
    ops = sys.modules["torchkeras_lite.ops"]
    found = [kind for kind, owner in (("torch", sys.modules["torch"]), ("ops", ops)) if hasattr(owner, name)]
    if found:
        return f", which has {' and '.join(f'{kind}.{name}' for kind in found)}"
    return ""
