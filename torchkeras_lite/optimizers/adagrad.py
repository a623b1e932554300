"""Adagrad and Adadelta."""

import torch

from torchkeras_lite.optimizers.arguments import epsilon_of
from torchkeras_lite.optimizers.foreach import add_quotients_, add_scaled_, average_squares_
from torchkeras_lite.optimizers.optimizer import Optimizer


class Adagrad(Optimizer):
    """Gradients divided by the root of the sum of all their squares so far.

    Args:
        learning_rate: See `Optimizer`.
        initial_accumulator_value: Where the sums start, 0 or more.
        epsilon: Added to the sum inside the root.
        *options, **kwargs: See `Optimizer`.

    Source: Keras 3 `keras.optimizers.Adagrad`; Duchi et al. 2011. Differs from `torch.optim.Adagrad`:
    epsilon is inside the root (1e-7; torch: 1e-10, outside), and the sums start at 0.1 (torch: 0).
    """

    def __init__(self, learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7, *options, **kwargs):
        super().__init__(learning_rate, *options, **kwargs)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon_of(epsilon)

    def create_slots(self, variables):
        """Make the sums of squares."""
        self._accumulators_of_squares = self.add_optimizer_variables(
            variables, "accumulator", initializer=self.initial_accumulator_value
        )

    def update_batch(self, batch, gradients, learning_rate, step):
        """Update weights and sums."""
        sums = batch.slots["accumulator"]
        torch._foreach_addcmul_(sums, gradients, gradients)
        denominators = torch._foreach_add(sums, self.epsilon)
        torch._foreach_sqrt_(denominators)
        add_quotients_(batch.leaves, gradients, denominators, -learning_rate)


class Adadelta(Optimizer):
    """Steps whose size follows the ratio of past steps to past gradients.

    Args:
        learning_rate: See `Optimizer`. The paper's form has 1.0.
        rho: Decay of the averages of squares, in [0, 1).
        epsilon: Added to the averages inside the roots.
        *options, **kwargs: See `Optimizer`.

    Source: Keras 3 `keras.optimizers.Adadelta`; Zeiler 2012, arXiv:1212.5701. Differs from
    `torch.optim.Adadelta`: learning rate 0.001 (torch: 1.0), rho 0.95 (torch: 0.9), epsilon 1e-7 (torch:
    1e-6).
    """

    def __init__(self, learning_rate=0.001, rho=0.95, epsilon=1e-7, *options, **kwargs):
        super().__init__(learning_rate, *options, **kwargs)
        self.rho = rho
        self.epsilon = epsilon_of(epsilon)

    def create_slots(self, variables):
        """Make the averages of squared gradients and squared steps."""
        self._accumulated_grads, self._accumulated_delta_vars = self.add_optimizer_variables(
            variables, ["accumulated_grad", "accumulated_delta_var"]
        )

    def update_batch(self, batch, gradients, learning_rate, step):
        """Update weights and averages."""
        squares, steps = batch.slots["accumulated_grad"], batch.slots["accumulated_delta_var"]
        average_squares_(squares, gradients, 1 - self.rho)
        changes = torch._foreach_add(steps, self.epsilon)
        torch._foreach_div_(changes, torch._foreach_add(squares, self.epsilon))
        torch._foreach_sqrt_(changes)
        torch._foreach_mul_(changes, gradients)
        average_squares_(steps, changes, 1 - self.rho)
        add_scaled_(batch.leaves, changes, -learning_rate)
