"""What one step does: forward, loss, backward, update; or forward and metrics; or forward alone."""

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.engine import collecting, sharding
from torchkeras_lite.engine.direct import forward_of
from torchkeras_lite.optimizers import Optimizer


class Step:
    """What steps of training and of evaluation share: the loss, and the record of a batch.

    Everything that an epoch can know beforehand is looked up once.

    Args:
        model: A compiled, built model.
    """

    def __init__(self, model):
        self.model = model
        self.look()
        self.trained = model.trainable_weights
        self.regularized = [weight for weight in self.trained if weight.regularizer is not None]
        self.loss = model.compiled_loss
        self.tracker = model.loss_tracker
        self.metrics = model.compiled_metrics
        base = model.trainer_base
        self.custom_loss = type(model).compute_loss is not base.compute_loss
        self.custom_metrics = type(model).compute_metrics is not base.compute_metrics

    def look(self):
        """Look for the quickest way through the model as it is."""
        self.forward = forward_of(self.model)

    def record(self, x, y, y_pred, sample_weight, loss):
        """Add a batch to the running loss and the metrics. Gradients must be off."""
        self.tracker.update_from_mean(loss, batch_length(y_pred))
        self.update_metrics(x, y, y_pred, sample_weight)

    def update_metrics(self, x, y, y_pred, sample_weight):
        """Add a batch to the metrics."""
        if self.custom_metrics:
            self.model.compute_metrics(x, y, y_pred, sample_weight)
        elif y is not None:
            self.metrics.update(self.model, y, y_pred, sample_weight)

    def total_loss(self, y, y_pred, sample_weight):
        """Return the compiled loss plus the losses that layers and regularizers added."""
        loss = self.with_added_losses(self.compiled_loss(y, y_pred, sample_weight))
        if loss is None:
            raise ValueError(no_loss_message(self.model))
        return loss

    def compiled_loss(self, y, y_pred, sample_weight):
        """Return the compiled loss, `None` where there is none."""
        return self.loss(self.model, y, y_pred, sample_weight) if self.loss and y is not None else None

    def with_added_losses(self, loss):
        """Return `loss`, which may be `None`, plus the losses that layers and regularizers added."""
        model = self.model
        for weight in self.regularized:
            penalty = sharding.whole(weight.regularizer(weight.value))
            loss = penalty if loss is None else loss + penalty
        if model._loss_version != collecting.loss_version() or model._holds_losses:
            for added in collecting.call_losses(model):
                loss = added if loss is None else loss + added
        return loss


class TrainStep(Step):
    """One training step on one batch.

    Args:
        model: A compiled, built model in training mode.
    """

    def __init__(self, model):
        super().__init__(model)
        self.parameters = [weight.tensor for weight in self.trained]
        self.optimizer = model.optimizer
        self.needs_closure = getattr(self.optimizer, "needs_closure", False)
        scales = type(self.optimizer).scale_loss is not Optimizer.scale_loss
        self.scales_loss = scales or bool(self.optimizer.loss_scale_factor)

    def __call__(self, x, y, sample_weight):
        """Make the step. Nothing is returned: the loss and the metrics keep their state on the device."""
        if self.needs_closure:
            y_pred, loss = self.update_with_closure(x, y, sample_weight)
        else:
            y_pred, loss = self.differentiate(x, y, sample_weight)
            if self.parameters:
                self.optimizer.update()
        self.forget_gradients()
        with torch.no_grad():
            self.record(x, y, y_pred, sample_weight, loss)

    def differentiate(self, x, y, sample_weight):
        """Compute the outputs and the loss of a batch, and leave the gradients in the parameters."""
        model = self.model
        y_pred = self.forward(x)
        if self.custom_loss:
            loss = call_compute_loss(model, x, y, y_pred, sample_weight, training=True)
        else:
            loss = self.total_loss(y, y_pred, sample_weight)
        if self.parameters:
            self.backward(loss)
        return y_pred, loss

    def backward(self, loss):
        """Add the gradients of a loss to those in the parameters, scaled as the optimizer wants."""
        if self.parameters:  # with nothing to train, only the loss and the metrics are kept
            (self.optimizer.scale_loss(loss) if self.scales_loss else loss).backward()

    def update_with_closure(self, x, y, sample_weight):
        """Make the update of an optimizer that computes the loss several times, such as LBFGS.

        Returns:
            Outputs and loss before the update.
        """
        seen = []

        def closure():
            self.forget_gradients()
            with torch.enable_grad():
                y_pred, loss = self.differentiate(x, y, sample_weight)
            if not seen:
                seen.append((y_pred, loss))
            return loss

        self.optimizer.update_with(closure)
        return seen[0]

    def forget_gradients(self):
        """Clear the gradients of all trained parameters."""
        for parameter in self.parameters:
            parameter.grad = None


class TestStep(Step):
    """One step of evaluation on one batch: the loss and the metrics, without training.

    Args:
        model: A compiled, built model in inference mode; gradients are off.
    """

    def __call__(self, x, y, sample_weight):
        """Make the step. Nothing is returned: the loss and the metrics keep their state on the device."""
        y_pred = self.forward(x)
        if self.custom_loss:
            loss = call_compute_loss(self.model, x, y, y_pred, sample_weight, training=False)
        else:
            loss = self.total_loss(y, y_pred, sample_weight)
        self.record(x, y, y_pred, sample_weight, loss)


def no_loss_message(model):
    """Return what to say when there is nothing to minimise."""
    return (
        f"No loss to compute for '{model.name}'. Provide a `loss` argument in `compile()`, targets `y` in "
        "`fit()`, or call "
        "`add_loss()` in a layer."
    )


def batch_length(y_pred):
    """Return the number of samples in a batch, from its outputs."""
    if isinstance(y_pred, torch.Tensor):
        return y_pred.shape[0] if y_pred.ndim else 1
    first = next(t for t in nested.flatten(y_pred) if hasattr(t, "ndim"))
    return first.shape[0] if first.ndim else 1


def call_compute_loss(model, x, y, y_pred, sample_weight, training):
    """Call a user's `compute_loss`, which may lack the `training` argument of today."""
    try:
        return model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)
    except TypeError as error:
        if "training" not in str(error):
            raise
        return model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)


def compute_loss(model, y, y_pred, sample_weight):
    """Return the compiled loss plus all losses that layers and regularizers added.

    What `Model.compute_loss` does.
    """
    parts = []
    if model.compiled_loss is not None and y is not None:
        loss = model.compiled_loss(model, y, y_pred, sample_weight)
        parts += [] if loss is None else [loss]
    parts += model.losses
    if not parts:
        raise ValueError(no_loss_message(model))
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def test_step(model, x, y, sample_weight):
    """Make one step of evaluation, see `TestStep`."""
    TestStep(model)(x, y, sample_weight)


def to_floats(logs):
    """Return logs as numbers, all tensors in one transfer from the device; dicts inside are laid open."""
    inner = {k: v for log in logs.values() if isinstance(log, dict) for k, v in log.items()}
    logs = {**{k: v for k, v in logs.items() if not isinstance(v, dict)}, **inner} if inner else logs
    scalars = {k: v for k, v in logs.items() if isinstance(v, torch.Tensor) and v.numel() == 1}
    read = {}
    if all(v.device.type == "cpu" for v in scalars.values()):
        read = {k: float(v.item()) for k, v in scalars.items()}
    else:
        stacked = torch.stack([v.detach().reshape(()).to(torch.float64) for v in scalars.values()])
        read = dict(zip(scalars, stacked.tolist(), strict=True))
    found = {}
    for key, value in logs.items():
        if key in read:
            found[key] = read[key]
        elif isinstance(value, torch.Tensor):
            found[key] = value.detach().cpu().numpy()
        else:
            found[key] = value if not hasattr(value, "result") else value.result()
    return found
