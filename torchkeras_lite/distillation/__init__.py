"""Distillation: a small model (the student) learns from the outputs of a large one (the teacher)."""

from torchkeras_lite.base import registry
from torchkeras_lite.distillation.distillation_losses import (
    DistillationLoss,
    FeatureDistillation,
    LogitsDistillation,
)
from torchkeras_lite.distillation.distiller import Distiller

__all__ = ["DistillationLoss", "Distiller", "FeatureDistillation", "LogitsDistillation"]

registry.publish("distillation", {name: globals()[name] for name in __all__})
