"""Adamax and Nadam, relatives of Adam."""

import torch

from torchkeras_lite.optimizers.arguments import epsilon_of
from torchkeras_lite.optimizers.foreach import add_quotients_, average_, average_squares_
from torchkeras_lite.optimizers.host_variable import HostVariable
from torchkeras_lite.optimizers.optimizer import Optimizer


class Adamax(Optimizer):
    """Adam with the largest decayed gradient in place of the root of the average of squares.

    Args:
        learning_rate: See `Optimizer`.
        beta_1: Decay of the average of gradients, in [0, 1).
        beta_2: Decay of the largest absolute gradient, in [0, 1).
        epsilon: Added to the largest absolute gradient.
        *options, **kwargs: See `Optimizer`.

    Source: Keras 3 `keras.optimizers.Adamax`; Kingma and Ba 2014, arXiv:1412.6980, section 7.1. Differs from
    `torch.optim.Adamax`: epsilon (1e-7; torch: 1e-8) is added when dividing, not to the gradient; learning
    rate 0.001 (torch: 0.002).
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, *options, **kwargs):
        super().__init__(learning_rate, *options, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon_of(epsilon)

    def create_slots(self, variables):
        """Make the averages and the largest gradients."""
        self._m, self._u = self.add_optimizer_variables(variables, ["momentum", "norm"])

    def update_batch(self, batch, gradients, learning_rate, step):
        """Update weights, averages and largest gradients."""
        momentums, norms = batch.slots["momentum"], batch.slots["norm"]
        average_(momentums, gradients, 1 - self.beta_1)
        torch._foreach_mul_(norms, self.beta_2)
        torch._foreach_maximum_(norms, torch._foreach_abs(gradients))
        denominators = torch._foreach_add(norms, self.epsilon)
        add_quotients_(batch.leaves, momentums, denominators, -(learning_rate / (1 - self.beta_1**step)))


class Nadam(Optimizer):
    """Adam that looks ahead along its momentum, as Nesterov's method does.

    Args:
        learning_rate: See `Optimizer`.
        beta_1: Final decay of the average of gradients, in [0, 1); it is approached as `1 - 0.5 * 0.96 **
            step`.
        beta_2: Decay of the average of squared gradients, in [0, 1).
        epsilon: Added to the root of the corrected average of squares.
        *options, **kwargs: See `Optimizer`.

    Source: Keras 3 `keras.optimizers.Nadam`; Dozat 2015. Differs from `torch.optim.NAdam`: epsilon 1e-7
    (torch: 1e-8), learning rate 0.001 (torch: 0.002), and the decay of `beta_1` goes by the step (torch:
    step times 0.004).
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, *options, **kwargs):
        super().__init__(learning_rate, *options, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon_of(epsilon)
        self._product = 1.0

    def create_slots(self, variables):
        """Make the averages, and the product of the decays so far."""
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        self._u_product = HostVariable(self, "_product", "variable", "variable")
        self._added.append(self._u_product)

    @property
    def traceable(self):
        """`False`: the product of the decays is a number on the host."""
        return False

    def _decay(self, step):
        return self.beta_1 * (1 - 0.5 * 0.96**step)

    def _update_batches(self, batches, gradients, learning_rate, step):
        self._product *= self._decay(step)
        super()._update_batches(batches, gradients, learning_rate, step)

    def update_batch(self, batch, gradients, learning_rate, step):
        """Update weights and averages."""
        now, then = self._decay(step), self._decay(step + 1)
        momentums, velocities = batch.slots["momentum"], batch.slots["velocity"]
        average_(momentums, gradients, 1 - self.beta_1)
        average_squares_(velocities, gradients, 1 - self.beta_2)
        denominators = torch._foreach_div(velocities, 1 - self.beta_2**step)
        torch._foreach_sqrt_(denominators)
        torch._foreach_add_(denominators, self.epsilon)
        ahead = -learning_rate * then / (1 - self._product * then)
        here = -learning_rate * (1 - now) / (1 - self._product)
        add_quotients_(batch.leaves, momentums, denominators, ahead)
        add_quotients_(batch.leaves, gradients, denominators, here)
