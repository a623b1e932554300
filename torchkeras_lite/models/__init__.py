"""Models: `Model`, `Sequential`, `Functional`, and their copies and files."""

from torchkeras_lite.base import registry
from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.models.cloning import clone_model
from torchkeras_lite.models.model import Functional, Model, ModuleModel
from torchkeras_lite.models.old_methods import AddLoss
from torchkeras_lite.models.sequential import Sequential
from torchkeras_lite.saving.model_files import load_model, save_model
from torchkeras_lite.saving.model_json import model_from_json

__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]

_classes = {"Functional": Functional, "Model": Model, "Sequential": Sequential}
registry.publish("models", _classes)
registry.publish("", _classes)
registry.publish_as("keras.src.models.functional", Functional)
registry.publish_as("keras.src.engine.base_layer", AddLoss)
registry.publish_as("torchkeras_lite.models", ModuleModel)

__getattr__ = old_members(__name__)
