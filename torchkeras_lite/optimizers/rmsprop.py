"""RMSprop."""

import torch

from torchkeras_lite.optimizers.arguments import check_momentum, epsilon_of
from torchkeras_lite.optimizers.foreach import add_quotients_, average_, average_squares_
from torchkeras_lite.optimizers.optimizer import Optimizer


class RMSprop(Optimizer):
    """Gradients divided by the root of a running average of their squares.

    Args:
        learning_rate: See `Optimizer`.
        rho: Decay of the average of squared gradients, in [0, 1).
        momentum: Share of the last step that is made again, in [0, 1].
        epsilon: Added to the average inside the root.
        centered: Whether to subtract the square of the average gradient (an estimate of the variance).
        *options, **kwargs: See `Optimizer`.

    Raises:
        ValueError: `momentum` out of [0, 1].

    Source: Keras 3 `keras.optimizers.RMSprop`; Hinton, lecture 6e. Differs from `torch.optim.RMSprop`:
    epsilon is inside the root (1e-7; torch: 1e-8, outside), the momentum includes the learning rate, rho is
    0.9 (torch's alpha: 0.99).
    """

    def __init__(
        self, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False, *options, **kwargs
    ):
        super().__init__(learning_rate, *options, **kwargs)
        self.rho = rho
        self.momentum = check_momentum(self, momentum)
        self.epsilon = epsilon_of(epsilon)
        self.centered = centered

    def create_slots(self, variables):
        """Make the averages, and the momentum where asked for."""
        self._velocities = self.add_optimizer_variables(variables, "velocity")
        if self.momentum > 0:
            self._momentums = self.add_optimizer_variables(variables, "momentum")
        if self.centered:
            self._average_gradients = self.add_optimizer_variables(variables, "average_gradient")

    def update_batch(self, batch, gradients, learning_rate, step):
        """Update weights and averages."""
        velocities = batch.slots["velocity"]
        average_squares_(velocities, gradients, 1 - self.rho)
        if self.centered:
            averages = batch.slots["average_gradient"]
            average_(averages, gradients, 1 - self.rho)
            denominators = torch._foreach_addcmul(velocities, averages, averages, value=-1)
            torch._foreach_add_(denominators, self.epsilon)
        else:
            denominators = torch._foreach_add(velocities, self.epsilon)
        torch._foreach_sqrt_(denominators)
        if self.momentum > 0:
            momentums = batch.slots["momentum"]
            torch._foreach_mul_(momentums, self.momentum)
            add_quotients_(momentums, gradients, denominators, learning_rate)
            torch._foreach_sub_(batch.leaves, momentums)
        else:
            add_quotients_(batch.leaves, gradients, denominators, -learning_rate)
