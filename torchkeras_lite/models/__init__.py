"""Models: `Model`, `Sequential`, `Functional`."""

from torchkeras_lite.base import registry
from torchkeras_lite.models.model import Functional, Model
from torchkeras_lite.models.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential"]

registry.publish("models", {name: globals()[name] for name in __all__})
registry.publish("", {name: globals()[name] for name in __all__})
