"""Adam and AdamW, on torch's fused kernel."""

import torch

from torchkeras_lite.optimizers.arguments import epsilon_of
from torchkeras_lite.optimizers.foreach import add_quotients_, average_, average_squares_
from torchkeras_lite.optimizers.optimizer import Optimizer

FUSED_DEVICES = ("cpu", "cuda")


class Adam(Optimizer):
    """Steps scaled by running averages of the gradient and of its square.

    Runs torch's fused Adam kernel with `epsilon / sqrt(1 - beta_2 ** step)`, which makes it Keras's
    arithmetic; with `amsgrad` and on other devices, foreach kernels.

    Args:
        learning_rate: See `Optimizer`.
        beta_1: Decay of the average of gradients, in [0, 1).
        beta_2: Decay of the average of squared gradients, in [0, 1).
        epsilon: Added to the root of the average of squares before its bias is corrected.
        amsgrad: Whether to divide by the largest average of squares so far (Reddi et al. 2018).
        *options, **kwargs: See `Optimizer`.

    Source: Keras 3 `keras.optimizers.Adam`; Kingma and Ba 2014, arXiv:1412.6980. Differs from
    `torch.optim.Adam`: epsilon is 1e-7 and added before the bias correction (torch: 1e-8, after it);
    `amsgrad` takes the maximum of the uncorrected averages; weight decay is decoupled.
    """

    applies_weight_decay = True

    def __init__(
        self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, *options, **kwargs
    ):
        super().__init__(learning_rate, *options, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon_of(epsilon)
        self.amsgrad = amsgrad

    def create_slots(self, variables):
        """Make the averages of gradients and squares, and their maximum for `amsgrad`."""
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        if self.amsgrad:
            self._velocity_hats = self.add_optimizer_variables(variables, "velocity_hat")

    def update_batch(self, batch, gradients, learning_rate, step):
        """Update weights and averages."""
        correction = (1 - self.beta_2**step) ** 0.5
        traced = isinstance(step, torch.Tensor) or isinstance(learning_rate, torch.Tensor)
        if self.amsgrad or traced or batch.leaves[0].device.type not in FUSED_DEVICES:
            self._update_foreach(
                batch, gradients, learning_rate, learning_rate * correction / (1 - self.beta_1**step)
            )
            return
        if batch.step is None:
            batch.step = torch.empty((), dtype=torch.float32, device=batch.leaves[0].device)
        torch._fused_adamw_(
            batch.leaves,
            gradients,
            batch.slots["momentum"],
            batch.slots["velocity"],
            [],
            [batch.step.fill_(step)] * len(gradients),
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            weight_decay=batch.weight_decay,
            eps=self.epsilon / correction,
            amsgrad=False,
            maximize=False,
        )

    def _update_foreach(self, batch, gradients, learning_rate, rate):
        if batch.weight_decay:
            torch._foreach_mul_(batch.leaves, 1 - batch.weight_decay * learning_rate)
        momentums, velocities = batch.slots["momentum"], batch.slots["velocity"]
        average_(momentums, gradients, 1 - self.beta_1)
        average_squares_(velocities, gradients, 1 - self.beta_2)
        if self.amsgrad:
            largest = batch.slots["velocity_hat"]
            torch._foreach_maximum_(largest, velocities)
            velocities = largest
        denominators = torch._foreach_sqrt(velocities)
        torch._foreach_add_(denominators, self.epsilon)
        add_quotients_(batch.leaves, momentums, denominators, -rate)


class AdamW(Adam):
    """`Adam` with a weight decay of 0.004 where none is given.

    Args:
        learning_rate: See `Optimizer`.
        weight_decay: See `Optimizer`.
        beta_1: See `Adam`.
        beta_2: See `Adam`.
        epsilon: See `Adam`.
        amsgrad: See `Adam`.
        *options, **kwargs: See `Optimizer`.

    Raises:
        ValueError: `weight_decay` is `None`.

    Source: Keras 3 `keras.optimizers.AdamW`; Loshchilov and Hutter 2017, arXiv:1711.05101. Differs from
    `torch.optim.AdamW` as `Adam` does; the default decay there is 0.01.
    """

    def __init__(
        self,
        learning_rate=0.001,
        weight_decay=0.004,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        amsgrad=False,
        *options,
        **kwargs,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, *options, **kwargs)
        if weight_decay is None:
            raise ValueError(
                "AdamW: Argument `weight_decay` must be a float. Received: weight_decay=None. Use Adam."
            )
