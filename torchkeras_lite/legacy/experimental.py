"""`tf.keras.experimental`: what found another room, and what is gone."""

from torchkeras_lite.base.old_names import old_members

__getattr__ = old_members(__name__)
