"""Dynamic loss scaling, for training in float16."""

import torch

from torchkeras_lite.base import serialization
from torchkeras_lite.optimizers.gradients import all_finite
from torchkeras_lite.optimizers.host_variable import HostVariable
from torchkeras_lite.optimizers.optimizer import Optimizer

_OPTIONS = {
    "weight_decay": None,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}


class LossScaleOptimizer(Optimizer):
    """Scales the loss up so that float16 gradients don't vanish, and steps another optimizer with them
    scaled down.

    A step with infinite or NaN gradients is left out and halves the scale; `dynamic_growth_steps` good
    steps in a row double it. To know which, every step waits for the device.

    Args:
        inner_optimizer: The optimizer that steps. Its options hold; its `loss_scale_factor` is cleared.
        initial_scale: The scale at the start.
        dynamic_growth_steps: Good steps until the scale is doubled.
        name: A name.
        **kwargs: `dynamic=True` and `loss_scale="dynamic"` of tf.keras are accepted.

    Raises:
        ValueError: an option that belongs to the inner optimizer, `dynamic=False`, or an unknown argument.
        TypeError: `inner_optimizer` is no optimizer.

    Source: Keras 3 `keras.optimizers.LossScaleOptimizer`; Micikevicius et al. 2017, arXiv:1710.03740. Takes
    the place of `torch.amp.GradScaler`.
    """

    elementwise = False

    def __init__(
        self, inner_optimizer, initial_scale=2.0**15, dynamic_growth_steps=2000, name=None, **kwargs
    ):
        _check_arguments(kwargs)
        if not isinstance(inner_optimizer, Optimizer):
            raise TypeError(
                f"LossScaleOptimizer: `inner_optimizer` must be an Optimizer, got {inner_optimizer!r}. Pass "
                "for "
                "example `Adam()`."
            )
        super().__init__(0.0, name=name)
        self.inner_optimizer = inner_optimizer
        inner_optimizer.loss_scale_factor = None
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        self._good_steps = 0
        self._scale = float(initial_scale)
        self.step_counter = HostVariable(
            self, "_good_steps", "step_counter", f"{self.name}/step_counter", "int32"
        )
        self.dynamic_scale = HostVariable(self, "_scale", "dynamic_scale", f"{self.name}/dynamic_scale")

    def create_slots(self, variables):
        """Build the inner optimizer."""
        self.inner_optimizer.build(variables)
        self._added = [self.step_counter, self.dynamic_scale]

    @property
    def variables(self):
        """Iteration, learning rate (both unused), scale, and the inner optimizer's variables."""
        return [self._iterations, self._rate_variable, *self._added, *self.inner_optimizer.variables]

    @property
    def learning_rate(self):
        """The inner optimizer's learning rate."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.inner_optimizer.learning_rate = value

    lr = learning_rate

    def current_rate(self):
        """Return the inner optimizer's learning rate as a Python number."""
        return self.inner_optimizer.current_rate()

    @property
    def iterations(self):
        """Number of updates the inner optimizer made."""
        return self.inner_optimizer.iterations

    @property
    def traceable(self):
        """`False`: a step depends on the gradients' values."""
        return False

    def prepare(self):
        """Prepare both optimizers; see `Optimizer.prepare`."""
        super().prepare()
        self.inner_optimizer.prepare()

    def _moved(self):
        return super()._moved() or self.inner_optimizer._batches is None or self.inner_optimizer._moved()

    def _step(self, gradients, positions=None):
        if self._overwritten:
            gradients, positions = self._overwrite(gradients, positions)
        if gradients and not all_finite(gradients):
            self._scale /= 2.0
            self._good_steps = 0
            return
        unscaled = torch._foreach_mul(gradients, 1.0 / self._scale) if gradients else []
        self.inner_optimizer._step(unscaled, positions)
        self._good_steps += 1
        if self._good_steps == self.dynamic_growth_steps:
            self._good_steps = 0
            self._scale *= 2.0

    def scale_loss(self, loss):
        """Return `loss` times the scale."""
        return loss * self._scale

    def finalize_variable_values(self, var_list):
        """See `Optimizer.finalize_variable_values`."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """See `Optimizer.exclude_from_weight_decay`."""
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            "name": self.name,
            "inner_optimizer": serialization.serialize_keras_object(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return an optimizer from what `get_config` returned."""
        config = {
            key: value for key, value in config.items() if not (key in _OPTIONS and value == _OPTIONS[key])
        }
        inner = config.pop("inner_optimizer")
        if isinstance(inner, dict):
            inner = serialization.deserialize_keras_object(inner, custom_objects=custom_objects)
        return cls(inner, **config)


def _check_arguments(kwargs):
    if kwargs.pop("loss_scale", "dynamic") not in ("dynamic", None):
        raise ValueError(
            "LossScaleOptimizer: a fixed `loss_scale` is not supported. Instead, set `loss_scale_factor` on "
            "the optimizer itself."
        )
    if not kwargs.pop("dynamic", True):
        raise ValueError(
            "LossScaleOptimizer: dynamic=False is not supported. Instead, set `loss_scale_factor` on the "
            "optimizer itself."
        )
    misplaced = [name for name in kwargs if name in _OPTIONS]
    if misplaced:
        raise ValueError(
            f"LossScaleOptimizer: set {', '.join(f'`{name}`' for name in misplaced)} on the "
            "`inner_optimizer`."
        )
    if kwargs:
        raise ValueError(
            f"LossScaleOptimizer: unknown arguments: {', '.join(f'`{name}`' for name in kwargs)}. Known: "
            "inner_optimizer, initial_scale, dynamic_growth_steps, name."
        )
