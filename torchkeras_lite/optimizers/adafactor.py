"""Adafactor."""

import torch

from torchkeras_lite.engine.weights import leaf, leaf_gradient
from torchkeras_lite.optimizers.foreach import smaller
from torchkeras_lite.optimizers.host_variable import HostVariable
from torchkeras_lite.optimizers.optimizer import Optimizer
from torchkeras_lite.optimizers.slots import Slot, to_keras, variable_name


class Adafactor(Optimizer):
    """Adam without momentum that keeps a matrix of squares as one row and one column.

    Weights of two and more axes are factored over the last two axes of their Keras layout.

    Args:
        learning_rate: See `Optimizer`. The step is `min(learning_rate, 1 / sqrt(step))` times the weight's
            size.
        beta_2_decay: Exponent of the decay `1 - step ** beta_2_decay` of the averages of squares.
        epsilon_1: Added to squared gradients.
        epsilon_2: Smallest size that a weight is taken to have.
        clip_threshold: Largest root mean square of an update, before the step size.
        relative_step: Kept for configs; as in Keras it changes nothing.
        *options, **kwargs: See `Optimizer`.

    Source: Keras 3 `keras.optimizers.Adafactor`; Shazeer and Stern 2018, arXiv:1804.04235. Differs from
    `torch.optim.Adafactor`: learning rate 0.001 (torch: 0.01), factored in Keras's layout.
    """

    elementwise = False

    def __init__(
        self,
        learning_rate=0.001,
        beta_2_decay=-0.8,
        epsilon_1=1e-30,
        epsilon_2=1e-3,
        clip_threshold=1.0,
        relative_step=True,
        *options,
        **kwargs,
    ):
        super().__init__(learning_rate, *options, **kwargs)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step
        self._placeholder = 0

    def create_slots(self, variables):
        """Make rows, columns, averages of squares; for weights of fewer axes two numbers and averages."""
        columns = self._slot_table
        columns.update(row=[], column=[], velocity=[])
        for variable in variables:
            name = variable_name(variable)
            values = to_keras(variable, leaf(variable).detach())
            if values.ndim < 2:
                self._added += [HostVariable(self, "_placeholder", name, name, "int32") for _ in range(2)]
                columns["row"].append(None)
                columns["column"].append(None)
            else:
                for place, reduced in (("row", values[..., 0]), ("column", values[..., 0, :])):
                    slot = Slot(
                        name, f"{self.name}/{name}", torch.zeros_like(reduced.contiguous()), beside=variable
                    )
                    columns[place].append(slot)
                    self._added.append(slot)
            columns["velocity"].append(self.add_variable_from_reference(variable, "velocity"))

    def batch_key(self, variable):
        """Factored and other weights go apart."""
        return (len(variable.shape) > 1,)

    def update_batch(self, batch, gradients, learning_rate, step):
        """Update weights, rows, columns and averages, one weight at a time in Keras's layout."""
        keep = 1 - step**self.beta_2_decay
        relative = smaller(learning_rate, step**-0.5)
        for place, (variable, tensor, gradient) in enumerate(
            zip(batch.variables, batch.leaves, gradients, strict=True)
        ):
            gradient = to_keras(variable, gradient)
            squares = gradient.square() + self.epsilon_1
            if "row" in batch.slots:
                row, column = batch.slots["row"][place], batch.slots["column"][place]
                row.mul_(keep).add_(squares.mean(-1) * (1 - keep))
                column.mul_(keep).add_(squares.mean(-2) * (1 - keep))
                scaled = row / row.mean(-1, keepdim=True)
                velocity = scaled.unsqueeze(-1) * column.unsqueeze(-2)
            else:
                velocity = to_keras(variable, batch.slots["velocity"][place]) * keep + squares * (1 - keep)
            batch.slots["velocity"][place].copy_(leaf_gradient(variable, velocity))
            update = gradient * velocity.rsqrt()
            update = update / (_root_mean_square(update) / self.clip_threshold).clamp_min(1.0)
            size = _root_mean_square(tensor).clamp_min(self.epsilon_2) * relative
            tensor.sub_(leaf_gradient(variable, update * size))


def _root_mean_square(tensor):
    return tensor.square().mean().sqrt()
