"""Optimizers under Keras's names and arithmetic, on torch's fused and foreach kernels."""

from torchkeras_lite.base import registry, serialization
from torchkeras_lite.base.lookup import Lookup
from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.optimizers import legacy, schedules
from torchkeras_lite.optimizers.adafactor import Adafactor
from torchkeras_lite.optimizers.adagrad import Adadelta, Adagrad
from torchkeras_lite.optimizers.adam import Adam, AdamW
from torchkeras_lite.optimizers.adamax import Adamax, Nadam
from torchkeras_lite.optimizers.ftrl import Ftrl
from torchkeras_lite.optimizers.lamb import Lamb
from torchkeras_lite.optimizers.lion import Lion
from torchkeras_lite.optimizers.loss_scale import LossScaleOptimizer
from torchkeras_lite.optimizers.multi import MultiOptimizer, OptimizerMap
from torchkeras_lite.optimizers.muon import Muon
from torchkeras_lite.optimizers.optimizer import Optimizer
from torchkeras_lite.optimizers.rmsprop import RMSprop
from torchkeras_lite.optimizers.schedule_free import ScheduleFreeAdamW
from torchkeras_lite.optimizers.sgd import SGD
from torchkeras_lite.optimizers.torch_optimizer import TorchOptimizer, is_torch_optimizer
from torchkeras_lite.optimizers.torch_scheduler import TorchScheduler

_PUBLIC = {
    cls.__name__: cls
    for cls in (
        SGD,
        RMSprop,
        Adam,
        AdamW,
        Adadelta,
        Adagrad,
        Adamax,
        Adafactor,
        Nadam,
        Ftrl,
        Lion,
        Lamb,
        Muon,
        ScheduleFreeAdamW,
        LossScaleOptimizer,
        MultiOptimizer,
    )
}
registry.publish(
    "optimizers",
    {
        "Optimizer": Optimizer,
        "OptimizerMap": OptimizerMap,
        "TorchOptimizer": TorchOptimizer,
        "TorchScheduler": TorchScheduler,
        **_PUBLIC,
    },
    aliases=("src.optimizers",),
)
_lookup = Lookup(
    "optimizer",
    {**_PUBLIC, **{name.lower(): cls for name, cls in _PUBLIC.items()}},
    instance_of=Optimizer,
    remedy="an Optimizer",
)


def serialize(optimizer):
    """Return the config of an optimizer."""
    return serialization.serialize_keras_object(optimizer)


def deserialize(config, custom_objects=None):
    """Return the optimizer that `config` describes; its class name may be in lower case."""
    name = str(config.get("class_name", ""))
    if name in _lookup.objects:
        config = {**config, "class_name": _lookup.objects[name].__name__}
    return serialization.deserialize_keras_object(config, custom_objects=custom_objects)


def get(identifier):
    """Return the optimizer that `identifier` stands for: a name, a class, a config dict, an instance or
    `None`; or an optimizer of torch, its class or a `functools.partial` of it.

    Raises:
        ValueError: an unknown name, or something of another kind.
    """
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if is_torch_optimizer(identifier):
        return TorchOptimizer(identifier)
    found = _lookup.get(identifier)
    if found is not None and not isinstance(found, Optimizer):
        raise ValueError(
            f"Could not interpret optimizer identifier: {identifier!r} of type {type(identifier).__name__}. "
            "Expected a name, a config dict or an Optimizer."
        )
    return found


__all__ = [
    *_PUBLIC,
    "Optimizer",
    "OptimizerMap",
    "TorchOptimizer",
    "TorchScheduler",
    "deserialize",
    "get",
    "legacy",
    "schedules",
    "serialize",
]

__getattr__ = old_members(__name__)
