"""`tf.keras.optimizers.legacy`: the names by which TensorFlow 2.11 and later had the optimizers of old."""

import warnings

from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.optimizers import adagrad, adam, ftrl, optimizer, rmsprop, sgd

__all__ = ["SGD", "Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop"]


class _Modern(type):
    """Makes an optimizer of the class that took a legacy one's place, with a warning."""

    modern: type

    def __call__(cls, *args, **kwargs):
        """Make the optimizer."""
        warnings.warn(
            f"`keras.optimizers.legacy.{cls.__name__}` is `keras.optimizers.{cls.__name__}` here, with "
            "the same "
            "arguments. Write the latter.",
            DeprecationWarning,
            stacklevel=2,
        )
        return cls.modern(*args, **kwargs)

    def __instancecheck__(cls, instance):
        return isinstance(instance, cls.modern)


class Adagrad(metaclass=_Modern):
    """`optimizers.Adagrad` by its old name."""

    modern = adagrad.Adagrad


class Adam(metaclass=_Modern):
    """`optimizers.Adam` by its old name."""

    modern = adam.Adam


class Ftrl(metaclass=_Modern):
    """`optimizers.Ftrl` by its old name."""

    modern = ftrl.Ftrl


class Optimizer(metaclass=_Modern):
    """`optimizers.Optimizer` by its old name."""

    modern = optimizer.Optimizer


class RMSprop(metaclass=_Modern):
    """`optimizers.RMSprop` by its old name."""

    modern = rmsprop.RMSprop


class SGD(metaclass=_Modern):
    """`optimizers.SGD` by its old name."""

    modern = sgd.SGD


__getattr__ = old_members(__name__)
