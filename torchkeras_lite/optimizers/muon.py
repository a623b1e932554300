"""Muon."""

import re

import torch

from torchkeras_lite.engine.weights import leaf_gradient
from torchkeras_lite.optimizers.foreach import add_quotients_, add_scaled_, average_, average_squares_
from torchkeras_lite.optimizers.optimizer import Optimizer
from torchkeras_lite.optimizers.slots import to_keras, variable_name


class Muon(Optimizer):
    """Momentum steps made orthogonal for matrices, AdamW for all other weights.

    A matrix is a weight of two axes that is no embedding and not excluded. Its step is the momentum with
    all singular values brought near 1 by Newton-Schulz iterations.

    Args:
        learning_rate: See `Optimizer`.
        adam_beta_1: `beta_1` of AdamW.
        adam_beta_2: `beta_2` of AdamW.
        adam_weight_decay: Weight decay of AdamW's weights.
        epsilon: `epsilon` of AdamW.
        weight_decay: Weight decay of matrices.
        exclude_layers: Regular expressions; weights whose path has a match go to AdamW.
        exclude_embeddings: Whether embeddings go to AdamW.
        muon_a: First coefficient of the iteration.
        muon_b: Second coefficient.
        muon_c: Third coefficient.
        adam_lr_ratio: Learning rate of AdamW's weights, relative to that of matrices.
        momentum: Share of the last momentum in the next, in [0, 1].
        ns_steps: Number of iterations.
        nesterov: Whether to look ahead along the momentum.
        rms_rate: Root mean square of a step relative to the learning rate; `None`: as it comes.
        **kwargs: See `Optimizer`.

    Source: Keras 3 `keras.optimizers.Muon`; Jordan et al. 2024, https://kellerjordan.github.io/posts/muon;
    Liu et al. 2025, arXiv:2502.16982. Differs from `torch.optim.Muon`: other weights are trained too, by
    AdamW, and the matrix is Keras's.
    """

    elementwise = False

    def __init__(
        self,
        learning_rate=0.001,
        adam_beta_1=0.9,
        adam_beta_2=0.999,
        adam_weight_decay=0.004,
        epsilon=1e-7,
        weight_decay=0.004,
        exclude_layers=None,
        exclude_embeddings=True,
        muon_a=3.4445,
        muon_b=-4.775,
        muon_c=2.0315,
        adam_lr_ratio=1,
        momentum=0.95,
        ns_steps=5,
        nesterov=True,
        rms_rate=0.2,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = exclude_layers or []
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def _should_use_adamw(self, variable):
        path = getattr(variable, "path", None) or variable_name(variable)
        if len(variable.shape) != 2 or (self.exclude_embeddings and "embedding" in path.lower()):
            return True
        return any(re.search(pattern, path) for pattern in self.exclude_layers)

    def create_slots(self, variables):
        """Make the momentums, and AdamW's averages of squares."""
        columns = self._slot_table
        columns.update(momentum=[], velocity=[])
        for variable in variables:
            columns["momentum"].append(self.add_variable_from_reference(variable, "momentum"))
            adam = self._should_use_adamw(variable)
            columns["velocity"].append(
                self.add_variable_from_reference(variable, "velocity") if adam else None
            )

    def batch_key(self, variable):
        """Matrices and other weights go apart."""
        return (self._should_use_adamw(variable),)

    def _decay_of(self, variable):
        if not self._should_use_adamw(variable):
            return super()._decay_of(variable)
        return 0.0 if self._is_excluded(variable) else self.adam_weight_decay or 0.0

    def update_batch(self, batch, gradients, learning_rate, step):
        """Update weights and slots."""
        if "velocity" in batch.slots:
            self._update_by_adam(batch, gradients, learning_rate * self.adam_lr_ratio, step)
            return
        momentums = batch.slots["momentum"]
        torch._foreach_mul_(momentums, self.momentum)
        torch._foreach_add_(momentums, gradients)
        directions = momentums
        if self.nesterov:
            directions = torch._foreach_mul(momentums, self.momentum)
            torch._foreach_add_(directions, gradients)
        steps = []
        for variable, direction in zip(batch.variables, directions, strict=True):
            matrix = self.zeropower_via_newtonschulz5(to_keras(variable, direction), self.ns_steps)
            steps.append(leaf_gradient(variable, self.lr_adjust(matrix)))
        add_scaled_(batch.leaves, steps, -learning_rate)

    def lr_adjust(self, x):
        """Return the step `x` of a matrix in the size that `rms_rate` asks for."""
        return x if self.rms_rate is None else x * (self.rms_rate * max(x.shape) ** 0.5)

    def _update_by_adam(self, batch, gradients, learning_rate, step):
        momentums, velocities = batch.slots["momentum"], batch.slots["velocity"]
        average_(momentums, gradients, 1 - self.adam_beta_1)
        average_squares_(velocities, gradients, 1 - self.adam_beta_2)
        denominators = torch._foreach_sqrt(velocities)
        torch._foreach_add_(denominators, self.epsilon)
        rate = learning_rate * (1 - self.adam_beta_2**step) ** 0.5 / (1 - self.adam_beta_1**step)
        add_quotients_(batch.leaves, momentums, denominators, -rate)

    def zeropower_via_newtonschulz5(self, x, steps):
        """Return the matrix `x` with its singular values brought near 1 by `steps` iterations."""
        tall = x.shape[-2] > x.shape[-1]
        if tall:
            x = x.mT
        x = x / (torch.linalg.vector_norm(x) + 1e-7)
        for _ in range(steps):
            gram = x @ x.mT
            x = self.muon_a * x + (self.muon_b * gram + self.muon_c * gram @ gram) @ x
        return x.mT if tall else x
