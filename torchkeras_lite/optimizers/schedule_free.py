"""Schedule-free AdamW."""

import torch

from torchkeras_lite.engine.weights import leaf
from torchkeras_lite.optimizers.foreach import add_quotients_, add_scaled_, average_squares_, smaller
from torchkeras_lite.optimizers.optimizer import Optimizer


class ScheduleFreeAdamW(Optimizer):
    """Adam whose weights are the mean of all its iterates, in place of a learning-rate schedule.

    Args:
        learning_rate: See `Optimizer`.
        beta_1: Kept for configs; in Keras's form, whose weights are the mean itself, it has no effect.
        beta_2: Decay of the average of squared gradients, in [0, 1).
        epsilon: Added to the root of the corrected average of squares.
        warmup_steps: Updates in which the rate climbs linearly to `learning_rate`.
        *options, **kwargs: See `Optimizer`.

    Source: Keras 3 `keras.optimizers.ScheduleFreeAdamW`; Defazio et al. 2024, arXiv:2405.15682.
    `torch.optim` has none.
    """

    elementwise = False

    def __init__(
        self, learning_rate=0.0025, beta_1=0.9, beta_2=0.999, epsilon=1e-8, warmup_steps=0, *options, **kwargs
    ):
        super().__init__(learning_rate, *options, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    def create_slots(self, variables):
        """Make the iterates, which start at the weights, and the averages of squares."""
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        for variable, iterate in zip(variables, self._momentums, strict=True):
            leaf(iterate).copy_(leaf(variable).detach())

    def update_batch(self, batch, gradients, learning_rate, step):
        """Update weights, iterates and averages."""
        iterates, velocities = batch.slots["momentum"], batch.slots["velocity"]
        if self.warmup_steps > 0:
            learning_rate = learning_rate * smaller(step / self.warmup_steps, 1.0)
        average_squares_(velocities, gradients, 1 - self.beta_2)
        denominators = torch._foreach_div(velocities, 1 - self.beta_2**step)
        torch._foreach_sqrt_(denominators)
        torch._foreach_add_(denominators, self.epsilon)
        add_quotients_(iterates, gradients, denominators, -learning_rate)
        add_scaled_(batch.leaves, torch._foreach_sub(iterates, batch.leaves), 1 / step)
