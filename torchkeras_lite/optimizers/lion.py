"""Lion."""

import torch

from torchkeras_lite.optimizers.foreach import add_scaled_, average_
from torchkeras_lite.optimizers.optimizer import Optimizer


class Lion(Optimizer):
    """Steps of one size, in the direction of the sign of a momentum.

    Args:
        learning_rate: See `Optimizer`. About a tenth of Adam's.
        beta_1: Share of the momentum in the direction, in (0, 1].
        beta_2: Decay of the momentum, in [0, 1).
        *options, **kwargs: See `Optimizer`.

    Raises:
        ValueError: `beta_1` out of (0, 1].

    Source: Keras 3 `keras.optimizers.Lion`; Chen et al. 2023, arXiv:2302.06675. `torch.optim` has none.
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.99, *options, **kwargs):
        super().__init__(learning_rate, *options, **kwargs)
        if beta_1 is None or not 0 < beta_1 <= 1:
            raise ValueError(
                "Lion: Argument `beta_1` must be in the [0, 1] range. Otherwise, the optimizer degenerates "
                "to SignSGD. "
                f"Received: beta_1={beta_1}."
            )
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def create_slots(self, variables):
        """Make the momentums."""
        self._momentums = self.add_optimizer_variables(variables, "momentum")

    def update_batch(self, batch, gradients, learning_rate, step):
        """Update weights and momentums."""
        momentums = batch.slots["momentum"]
        directions = torch._foreach_lerp(momentums, gradients, 1 - self.beta_1)
        torch._foreach_sign_(directions)
        add_scaled_(batch.leaves, directions, -learning_rate)
        average_(momentums, gradients, 1 - self.beta_2)
