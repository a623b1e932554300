"""Gradient descent with momentum."""

import torch

from torchkeras_lite.optimizers.arguments import check_momentum
from torchkeras_lite.optimizers.foreach import add_scaled_
from torchkeras_lite.optimizers.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum where asked for.

    `w -= learning_rate * g`; with momentum `v = momentum * v - learning_rate * g` and `w += v`, with Nesterov
    `w += momentum * v - learning_rate * g`.

    Args:
        learning_rate: See `Optimizer`.
        momentum: Share of the last step that is made again, in [0, 1].
        nesterov: Whether to look ahead along the momentum (Nesterov 1983).
        *options, **kwargs: See `Optimizer`.

    Raises:
        ValueError: `momentum` out of [0, 1].

    Source: Keras 3 `keras.optimizers.SGD`. Differs from `torch.optim.SGD`: the velocity includes the
    learning rate of its time, so the two part when the rate changes; weight decay is decoupled.
    """

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, *options, **kwargs):
        super().__init__(learning_rate, *options, **kwargs)
        self.momentum = check_momentum(self, momentum)
        self.nesterov = nesterov

    def create_slots(self, variables):
        """Make the velocities."""
        if self.momentum:
            self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_batch(self, batch, gradients, learning_rate, step):
        """Update weights and velocities."""
        if not self.momentum:
            add_scaled_(batch.leaves, gradients, -learning_rate)
            return
        velocities = batch.slots["momentum"]
        torch._foreach_mul_(velocities, self.momentum)
        add_scaled_(velocities, gradients, -learning_rate)
        if self.nesterov:
            add_scaled_(batch.leaves, velocities, self.momentum)
            add_scaled_(batch.leaves, gradients, -learning_rate)
        else:
            torch._foreach_add_(batch.leaves, velocities)
