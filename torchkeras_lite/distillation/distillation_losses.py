"""How far a student's outputs, or what a layer inside gives, are from the teacher's."""

import torch

from torchkeras_lite import losses, tree
from torchkeras_lite.base import serialization


class DistillationLoss:
    """Base of distillation losses: a subclass defines `compute_loss`.

    Source: Keras 3 `keras.distillation.DistillationLoss`.
    """

    teacher_layer_name = student_layer_name = None

    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        """Return the loss, a scalar tensor, for nested outputs of the two models."""
        raise NotImplementedError(
            f"{type(self).__name__}: Subclasses must implement compute_loss(teacher_outputs, "
            "student_outputs)."
        )

    def validate_outputs(self, teacher_outputs, student_outputs):
        """Raise a `ValueError` where the outputs of the two models have other structures."""
        tree.assert_same_structure(teacher_outputs, student_outputs)

    def validate_model_compatibility(self, teacher, student):
        """Raise a `ValueError` where the loss does not fit the models; the base accepts all."""


class FeatureDistillation(DistillationLoss):
    """Distance between what a layer of the teacher and one of the student give.

    Args:
        loss: Name of a loss or a loss, or a nest of them in the form of the layers' outputs; `None` in a nest
            leaves an output out.
        teacher_layer_name: The teacher's layer; `None`: its outputs.
        student_layer_name: The student's layer; `None`: its outputs.

    Raises:
        ValueError: no loss at all.

    Source: Keras 3 `keras.distillation.FeatureDistillation`; Romero et al. 2014, arXiv:1412.6550.
    """

    def __init__(self, loss="mse", teacher_layer_name=None, student_layer_name=None):
        self.teacher_layer_name = teacher_layer_name
        self.student_layer_name = student_layer_name
        self.loss = tree.map_structure(losses.get, loss)
        if all(one is None for one in tree.flatten(self.loss)):
            raise ValueError(
                "The `loss` argument in `FeatureDistillation` must contain at least one non-`None` "
                "value, got "
                f"loss={loss!r}."
            )

    def validate_model_compatibility(self, teacher, student):
        """Check that the layers are there.

        Raises:
            ValueError: a model without a graph, or a layer that is not there.
        """
        named = {"teacher": (teacher, self.teacher_layer_name), "student": (student, self.student_layer_name)}
        if all(name is None for _, name in named.values()):
            return
        without = [kind for kind, (model, _) in named.items() if getattr(model, "inputs", None) is None]
        if without:
            raise ValueError(
                "FeatureDistillation with specific layer names requires Functional or Sequential models. The "
                f"{' and '.join(without)} model(s) appear to be subclassed (no symbolic "
                "inputs/outputs). Leave "
                "the layer names out, or use LogitsDistillation."
            )
        for kind, (model, name) in named.items():
            if name is not None:
                try:
                    model.get_layer(name=name)
                except ValueError as error:
                    raise ValueError(f"In {kind} model: {error}") from None

    def validate_outputs(self, teacher_outputs, student_outputs):
        """Raise a `ValueError` where outputs and losses have other structures."""
        super().validate_outputs(teacher_outputs, student_outputs)
        try:
            tree.assert_same_structure(self.loss, teacher_outputs)
        except ValueError as error:
            raise ValueError(
                f"Loss structure mismatch. The losses are {self.loss!r}, and the outputs have another form: "
                f"{error}"
            ) from None

    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        """Return the sum of the mean losses."""
        return _summed(_mean_loss, self.loss, teacher_outputs, student_outputs)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            "loss": serialization.serialize_keras_object(self.loss),
            "teacher_layer_name": self.teacher_layer_name,
            "student_layer_name": self.student_layer_name,
        }

    @classmethod
    def from_config(cls, config):
        """Return the loss that `get_config` described."""
        return cls(**{**config, "loss": serialization.deserialize_keras_object(config["loss"])})


class LogitsDistillation(DistillationLoss):
    """Distance between the two models' logits, made softer by a temperature.

    Args:
        temperature: What logits are divided by, a number > 0; 3 to 5 are usual.
        loss: Name of a loss or a loss, or a nest of them in the form of the models' outputs; `None` in a nest
            leaves an output out. `losses.KLDivergence()` compares softmax probabilities and is multiplied by
            the square of the temperature; every other loss gets the divided logits, the default name
            `"kl_divergence"` too, as in Keras: pass the object to compare probabilities.

    Raises:
        ValueError: no loss at all, a temperature that is no number > 0.

    Source: Keras 3 `keras.distillation.LogitsDistillation`; Hinton et al. 2015, arXiv:1503.02531.
    """

    def __init__(self, temperature=3.0, loss="kl_divergence"):
        self.loss = tree.map_structure(losses.get, loss)
        if all(one is None for one in tree.flatten(self.loss)):
            raise ValueError(f"LogitsDistillation: At least one loss must be non-`None`, got loss={loss!r}.")
        if isinstance(temperature, bool) or not isinstance(temperature, (int, float)):
            raise ValueError(f"LogitsDistillation: temperature must be a number, got {temperature!r}.")
        if temperature <= 0:
            raise ValueError(f"LogitsDistillation: temperature must be positive, got {temperature}.")
        self.temperature = temperature

    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        """Return the sum of the mean losses."""
        return _summed(self._soft_loss, self.loss, teacher_outputs, student_outputs)

    def _soft_loss(self, loss, teacher, student):
        teacher, student = teacher / self.temperature, student / self.temperature
        if isinstance(loss, losses.KLDivergence):
            soft = _mean_loss(loss, torch.softmax(teacher, -1), torch.softmax(student, -1))
            return soft * self.temperature**2
        return _mean_loss(loss, teacher, student)

    def get_config(self):
        """Return the constructor's arguments."""
        return {"temperature": self.temperature, "loss": serialization.serialize_keras_object(self.loss)}

    @classmethod
    def from_config(cls, config):
        """Return the loss that `get_config` described."""
        return cls(**{**config, "loss": serialization.deserialize_keras_object(config["loss"])})


def _mean_loss(loss, teacher, student):
    return loss(teacher, student).mean()


def _summed(function, loss, teacher_outputs, student_outputs):
    """Apply `function(loss, teacher, student)` where there is a loss and return the sum."""
    triples = zip(*map(tree.flatten, (loss, teacher_outputs, student_outputs)), strict=True)
    return torch.stack([function(*triple) for triple in triples if triple[0] is not None]).sum()
