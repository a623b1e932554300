"""Real Keras beside ours: equal weights and gradients in, equal weights and optimizer variables out."""

import keras
import numpy as np
import torch
from torch import nn

from torchkeras_lite.engine.weights import Weight, WeightInfo, WeightSpec, leaf, leaf_gradient

# Keras's shape, and the torch axes in Keras's order.
SHAPES = {
    "kernel": ((3, 4), (1, 0)),
    "bias": ((4,), None),
    "tall": ((5, 2), (1, 0)),
    "conv": ((2, 2, 3, 5), (2, 3, 1, 0)),
    "scalar": ((), None),
}


class Owner(nn.Module):
    """Parameters in torch's layout, and Keras's views of them."""

    def __init__(self, values, dtype=torch.float32):
        super().__init__()
        self.variables = []
        for name, value in values.items():
            axes = SHAPES[name][1]
            tensor = torch.tensor(value, dtype=dtype)
            if axes is not None:
                tensor = tensor.permute([axes.index(axis) for axis in range(len(axes))])
            if tensor.ndim == 4:
                tensor = tensor.to(memory_format=torch.channels_last)
            self.register_parameter(name, nn.Parameter(tensor.clone(memory_format=torch.preserve_format)))
            self.variables.append(
                Weight(self, WeightSpec(name, name, axes), WeightInfo(name, f"layer/{name}"))
            )

    def set_gradients(self, gradients):
        """Put gradients in Keras's layout into `grad`, as a backward pass would."""
        for variable, gradient in zip(self.variables, gradients, strict=True):
            tensor = leaf(variable)
            gradient = leaf_gradient(variable, gradient)
            tensor.grad = None if gradient is None else torch.empty_like(tensor).copy_(gradient)


def random_values(rng):
    return {name: rng.normal(size=shape) for name, (shape, _) in SHAPES.items()}


def random_gradients(rng, dtype=torch.float32, scale=1.0):
    return [torch.tensor(rng.normal(size=shape) * scale, dtype=dtype) for shape, _ in SHAPES.values()]


def keras_variables(values, dtype="float32"):
    with keras.name_scope("layer"):
        return [keras.Variable(value, dtype=dtype, name=name) for name, value in values.items()]


def to_keras_optimizer(optimizer):
    """The same optimizer of real Keras."""
    return getattr(keras.optimizers, type(optimizer).__name__).from_config(optimizer.get_config())


def assert_close(ours, theirs, rtol, atol, what):
    ours = np.asarray(ours.numpy(), "float64")
    theirs = np.asarray(keras.ops.convert_to_numpy(theirs), "float64")
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol, err_msg=what)


def assert_same_training(
    ours, theirs=None, *, steps=25, dtype=torch.float32, new_rate=0.003, fast=False, rtol=1e-5, atol=2e-6, rng
):
    """Train both side by side; `new_rate` is assigned half-way, `fast` takes the way of training loops."""
    theirs = theirs or to_keras_optimizer(ours)
    values = random_values(rng)
    owner = Owner(values, dtype)
    references = keras_variables(values, str(dtype).removeprefix("torch."))
    ours.build(owner.variables)
    theirs.build(references)
    for step in range(steps):
        if step == steps // 2 and new_rate is not None:
            ours.learning_rate = theirs.learning_rate = new_rate
        gradients = random_gradients(rng, dtype, scale=10.0 if step % 3 else 0.1)
        theirs.apply([gradient.clone() for gradient in gradients], references)
        if fast:
            owner.set_gradients(gradients)
            ours.update()
        else:
            ours.apply(gradients, owner.variables)
    for mine, his in zip(owner.variables, references, strict=True):
        assert_close(mine, his, rtol, atol, mine.name)
    assert len(ours.variables) == len(theirs.variables)
    for mine, his in zip(ours.variables, theirs.variables, strict=True):
        assert tuple(mine.shape) == tuple(his.shape), (mine.path, his.path)
        scale = float(np.abs(np.asarray(keras.ops.convert_to_numpy(his), "float64")).max())
        assert_close(mine, his, 2 * rtol, max(atol, rtol * scale), his.path)
    return owner, references
