"""`Distiller`: trains a student on the targets and on the teacher's outputs."""

import torch

from torchkeras_lite import losses, metrics, tree
from torchkeras_lite.base import serialization
from torchkeras_lite.models import Model

_FINAL = "final_output"


class Distiller(Model):
    """A model that trains `student` with its own loss and with distances from what `teacher` gives.

    The loss is `student_loss_weight * loss(y, student(x)) + (1 - student_loss_weight) * distances`.
    Called, it
    gives the student's outputs. The teacher is frozen and runs without gradients.

    Args:
        teacher: A trained model.
        student: The model to train, with inputs and outputs of the teacher's shapes and dtypes.
        distillation_losses: A `DistillationLoss` or a list of them.
        distillation_loss_weights: Numbers, one for each of a list of losses; all 1 by default.
        student_loss_weight: Weight of the student's own loss, from 0 to 1.
        name: Name.
        **kwargs: See `Model`.

    Raises:
        ValueError: models that do not fit, a weight out of its range, another number of weights than losses.

    Source: Keras 3 `keras.distillation.Distiller`.
    """

    def __init__(
        self,
        teacher,
        student,
        distillation_losses,
        distillation_loss_weights=None,
        student_loss_weight=0.5,
        name="distiller",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        _check_models(teacher, student)
        if isinstance(student_loss_weight, bool) or not isinstance(student_loss_weight, (int, float)):
            raise ValueError(f"student_loss_weight must be a number, got {student_loss_weight!r}.")
        if not 0 <= student_loss_weight <= 1:
            raise ValueError(f"student_loss_weight must be between 0.0 and 1.0, got {student_loss_weight}.")
        if distillation_losses is None:
            raise ValueError(
                "'distillation_losses' cannot be `None`. Provide a distillation loss (e.g., "
                "LogitsDistillation or "
                "FeatureDistillation) or a list of distillation losses."
            )
        several = isinstance(distillation_losses, (list, tuple))
        self.distillation_losses = list(distillation_losses) if several else [distillation_losses]
        weights = distillation_loss_weights if several else None
        if weights is not None and len(weights) != len(self.distillation_losses):
            raise ValueError(
                f"Number of distillation_loss_weights ({len(weights)}) must match number of "
                "distillation_losses "
                f"({len(self.distillation_losses)})."
            )
        self.distillation_loss_weights = [1.0] * len(self.distillation_losses) if weights is None else weights
        self.student_loss_weight = student_loss_weight
        self.teacher = teacher
        self.student = student
        for loss in self.distillation_losses:
            loss.validate_model_compatibility(teacher, student)
        teacher_names = [_layer_name(loss, "teacher") for loss in self.distillation_losses]
        student_names = [_layer_name(loss, "student") for loss in self.distillation_losses]
        # Outside the module tree: they hold the same layers as the models.
        self.__dict__["_features"] = (
            _feature_model(teacher, teacher_names),
            _feature_model(student, student_names),
        )
        teacher.trainable = False
        self.student_loss_tracker = metrics.Mean(name="student_loss")
        self.distillation_loss_tracker = metrics.Mean(name="distillation_loss")
        self.total_loss_tracker = metrics.Mean(name="total_loss")

    def compile(self, optimizer="adam", loss=None, metrics=None, **kwargs):
        """Set how the student is trained.

        Args:
            optimizer: See `Model.compile`.
            loss: The student's own loss, or a nest of losses in the form of its outputs.
            metrics: A list of metrics.
            **kwargs: See `Model.compile`.

        Raises:
            ValueError: no loss, metrics that are no list.
        """
        if loss is None:
            raise ValueError("Distiller: 'loss' cannot be `None`. Pass the student's own loss.")
        if metrics is not None and not isinstance(metrics, (list, tuple)):
            raise ValueError(f"Distiller: metrics must be a list or tuple, got {metrics!r}.")
        self.__dict__["_student_loss"] = tree.map_structure(losses.get, loss)
        super().compile(optimizer=optimizer, loss=None, metrics=metrics, **kwargs)
        self.__dict__["_compiled_with"] = {
            "optimizer": self.optimizer,
            "loss": loss,
            "metrics": metrics,
            **kwargs,
        }

    def get_compile_config(self):
        """Return the arguments of `compile`, the student's loss among them."""
        if not self.compiled:
            return None
        return serialization.serialize_keras_object(self._compiled_with)

    def compile_from_config(self, config):
        """Compile as `get_compile_config` described."""
        self.compile(**serialization.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def call(self, inputs, training=None, **kwargs):
        """Return the student's outputs."""
        return self.student(inputs, training=training, **kwargs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the weighted sum of the student's loss and the distances from the teacher.

        Args:
            x, y, y_pred: Inputs, targets, the student's outputs.
            sample_weight: Weights of the samples in the student's own loss.
            training: Whether the batch is trained on.
        """
        if y_pred is None:
            y_pred = self(x, training=training)
        first = tree.flatten(y_pred)[0]
        student_loss = distance = first.new_zeros(())
        if self.student_loss_weight > 0 and y is not None:
            student_loss = self._own_loss(y, y_pred, sample_weight)
        if self.student_loss_weight < 1:
            distance = self._distance(x, y_pred, training)
        total = self.student_loss_weight * student_loss + (1 - self.student_loss_weight) * distance
        self.student_loss_tracker.update_state(student_loss)
        self.distillation_loss_tracker.update_state(distance)
        self.total_loss_tracker.update_state(total)
        return total

    def _own_loss(self, y, y_pred, sample_weight):
        parts = zip(*map(tree.flatten, (self._student_loss, y, y_pred)), strict=True)
        found = []
        for loss, target, output in parts:
            value = loss(target, output, sample_weight) if sample_weight is not None else loss(target, output)
            found.append(value.mean())
        return torch.stack(found).sum()

    def _distance(self, x, y_pred, training):
        teacher, student = self._features
        with torch.no_grad():
            taught = (
                {_FINAL: self.teacher(x, training=False)} if teacher is None else teacher(x, training=False)
            )
        learned = {_FINAL: y_pred} if student is None else {**student(x, training=training), _FINAL: y_pred}
        total = 0.0
        for loss, weight in zip(self.distillation_losses, self.distillation_loss_weights, strict=True):
            pair = taught[_layer_name(loss, "teacher")], learned[_layer_name(loss, "student")]
            loss.validate_outputs(*pair)
            distance = loss.compute_loss(*pair)
            if distance.ndim:
                raise ValueError(
                    f"Distillation loss {type(loss).__name__} returned a non-scalar loss with shape "
                    f"{tuple(distance.shape)}. The compute_loss method must return a scalar tensor."
                )
            total = total + weight * distance
        return total

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        serialize = serialization.serialize_keras_object
        return {
            "name": self.name,
            "teacher": serialize(self.teacher),
            "student": serialize(self.student),
            "distillation_losses": [serialize(loss) for loss in self.distillation_losses],
            "distillation_loss_weights": self.distillation_loss_weights,
            "student_loss_weight": self.student_loss_weight,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the distiller that `get_config` described."""
        made = {
            key: serialization.deserialize_keras_object(config[key], custom_objects)
            for key in ("teacher", "student", "distillation_losses")
        }
        return cls(**{**{key: value for key, value in config.items() if key != "dtype"}, **made})


def _layer_name(loss, kind):
    return getattr(loss, f"{kind}_layer_name", None) or _FINAL


def _feature_model(model, names):
    """Return a model of the outputs and of the layers `names` of `model`, or `None` where none is named."""
    names = [name for name in dict.fromkeys(names) if name != _FINAL]
    if not names:
        return None
    outputs = {_FINAL: model.output, **{name: model.get_layer(name).output for name in names}}
    return Model(model.inputs, outputs, name=f"{model.name}_features")


def _check_models(teacher, student):
    for kind, model in (("Teacher", teacher), ("Student", student)):
        if not isinstance(model, Model):
            raise ValueError(f"{kind} must be a keras.Model, got {model!r} of type {type(model).__name__}.")
    for what in ("input", "output"):
        pair = [getattr(model, f"{what}s", None) for model in (teacher, student)]
        if None in pair:
            continue
        if len(pair[0]) != len(pair[1]):
            raise ValueError(f"Teacher and student have {len(pair[0])} and {len(pair[1])} {what}s.")
        for mine, his in zip(*pair, strict=True):
            _check_pair(what, mine, his)


def _check_pair(what, teacher, student):
    if len(teacher.shape) != len(student.shape):
        raise ValueError(
            f"Teacher and student {what} shapes have different dimensions. Teacher: {teacher.shape}, "
            "Student: "
            f"{student.shape}."
        )
    sizes = zip(teacher.shape, student.shape, strict=True)
    if any(None not in pair and pair[0] != pair[1] for pair in sizes):
        raise ValueError(
            f"Teacher and student {what} shapes are incompatible. Teacher: {teacher.shape}, Student: "
            f"{student.shape}. All dimensions must match."
        )
    if teacher.dtype != student.dtype:
        raise ValueError(
            f"Teacher and student {what} dtypes must match. Teacher: {teacher.dtype}, Student: "
            f"{student.dtype}."
        )
