"""Lamb."""

import torch

from torchkeras_lite.optimizers.foreach import average_, average_squares_
from torchkeras_lite.optimizers.optimizer import Optimizer


class Lamb(Optimizer):
    """Adam's step, scaled weight by weight to the norm of the weight; for very large batches.

    Args:
        learning_rate: See `Optimizer`.
        beta_1: Decay of the average of gradients, in [0, 1).
        beta_2: Decay of the average of squared gradients, in [0, 1).
        epsilon: Added to the root of the corrected average of squares.
        *options, **kwargs: See `Optimizer`.

    Source: Keras 3 `keras.optimizers.Lamb`; You et al. 2019, arXiv:1904.00962. `torch.optim` has none.
    """

    elementwise = False

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, *options, **kwargs):
        super().__init__(learning_rate, *options, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def create_slots(self, variables):
        """Make the averages."""
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_batch(self, batch, gradients, learning_rate, step):
        """Update weights and averages."""
        momentums, velocities = batch.slots["momentum"], batch.slots["velocity"]
        average_(momentums, gradients, 1 - self.beta_1)
        average_squares_(velocities, gradients, 1 - self.beta_2)
        denominators = torch._foreach_div(velocities, 1 - self.beta_2**step)
        torch._foreach_sqrt_(denominators)
        torch._foreach_add_(denominators, self.epsilon)
        updates = torch._foreach_div(momentums, denominators)
        torch._foreach_div_(updates, 1 - self.beta_1**step)
        weights, norms = (
            torch.stack(torch._foreach_norm(batch.leaves)),
            torch.stack(torch._foreach_norm(updates)),
        )
        ratios = torch.where((weights > 0) & (norms > 0), weights / norms, 1.0) * learning_rate
        torch._foreach_mul_(updates, list(ratios.unbind()))
        torch._foreach_sub_(batch.leaves, updates)
