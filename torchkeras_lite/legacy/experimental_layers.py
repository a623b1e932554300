"""`tf.keras.layers.experimental`: its members are in `layers`."""

from torchkeras_lite import layers
from torchkeras_lite.base.old_names import old_members

_old_member = old_members(__name__)


def __getattr__(name):
    return _old_member(name) if name == "preprocessing" or name.startswith("_") else getattr(layers, name)
