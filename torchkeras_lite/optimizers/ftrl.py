"""Ftrl."""

import torch

from torchkeras_lite.optimizers.foreach import add_scaled_
from torchkeras_lite.optimizers.optimizer import Optimizer


class Ftrl(Optimizer):
    """Follow the regularized leader: sparse weights by L1 and L2 penalties inside the update.

    Args:
        learning_rate: See `Optimizer`.
        learning_rate_power: How the rate falls with the sum of squared gradients, 0 or less; 0 keeps it.
        initial_accumulator_value: Where the sums of squares start, 0 or more.
        l1_regularization_strength: L1 penalty, 0 or more.
        l2_regularization_strength: L2 penalty on the weights, 0 or more.
        l2_shrinkage_regularization_strength: L2 penalty that enters through the gradients only, 0 or more.
        beta: The paper's beta.
        *options, **kwargs: See `Optimizer`.

    Raises:
        ValueError: a strength or the initial value below 0, a power above 0.

    Source: Keras 3 `keras.optimizers.Ftrl`; McMahan et al. 2013. `torch.optim` has none.
    """

    def __init__(
        self,
        learning_rate=0.001,
        learning_rate_power=-0.5,
        initial_accumulator_value=0.1,
        l1_regularization_strength=0.0,
        l2_regularization_strength=0.0,
        l2_shrinkage_regularization_strength=0.0,
        beta=0.0,
        *options,
        **kwargs,
    ):
        super().__init__(learning_rate, *options, **kwargs)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        if learning_rate_power > 0:
            raise ValueError(
                "`learning_rate_power` needs to be negative or zero. Received: "
                f"learning_rate_power={learning_rate_power}."
            )
        for name in (
            "initial_accumulator_value",
            "l1_regularization_strength",
            "l2_regularization_strength",
            "l2_shrinkage_regularization_strength",
        ):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"`{name}` needs to be positive or zero. Received: {name}={getattr(self, name)}."
                )

    def create_slots(self, variables):
        """Make the sums of squares and the linear terms."""
        self._sums, self._linears = self.add_optimizer_variables(
            variables, ["accumulator", "linear"], initializer=[self.initial_accumulator_value, "zeros"]
        )

    def update_batch(self, batch, gradients, learning_rate, step):
        """Update weights, sums and linear terms."""
        sums, linears, leaves = batch.slots["accumulator"], batch.slots["linear"], batch.leaves
        l1, shrinkage = self.l1_regularization_strength, self.l2_shrinkage_regularization_strength
        l2 = self.l2_regularization_strength + self.beta / (2 * learning_rate)
        before = torch._foreach_pow(sums, -self.learning_rate_power)
        torch._foreach_addcmul_(sums, gradients, gradients)
        after = torch._foreach_pow(sums, -self.learning_rate_power)
        torch._foreach_add_(linears, gradients)
        if shrinkage:
            add_scaled_(linears, leaves, 2 * shrinkage)
        growth = torch._foreach_sub(after, before)
        torch._foreach_mul_(growth, leaves)
        add_scaled_(linears, growth, -1 / learning_rate)
        quadratics = torch._foreach_div(after, learning_rate)
        torch._foreach_add_(quadratics, 2 * l2)
        clipped = torch._foreach_clamp_min(linears, -l1)
        torch._foreach_clamp_max_(clipped, l1)
        torch._foreach_sub_(clipped, linears)
        torch._foreach_div_(clipped, quadratics)
        torch._foreach_copy_(leaves, clipped)
