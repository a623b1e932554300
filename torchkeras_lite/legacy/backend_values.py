"""Variables, random values, dtypes and control flow of Keras 2's backend.

`name` has no effect where a tensor is returned: tensors have no names here.
"""

import numpy as np
import torch

from torchkeras_lite import ops, random
from torchkeras_lite.base import config, dtypes
from torchkeras_lite.base.naming import name_scope as scope
from torchkeras_lite.engine.variable import Variable
from torchkeras_lite.legacy.renaming import named, renamed

FUNCTIONS: dict = {}
renamed(FUNCTIONS, ops.stop_gradient, "stop_gradient")


@named(FUNCTIONS, "Variable")
def variable(value, dtype=None, name=None, constraint=None):
    """Return a variable with values."""
    made = Variable(value, dtype=dtype or (None if hasattr(value, "dtype") else config.floatx()), name=name)
    made.constraint = constraint
    return made


@named(FUNCTIONS, "ops.full or ops.convert_to_tensor")
def constant(value, dtype=None, shape=None, name=None):
    """Return a tensor of a value, repeated to `shape`."""
    tensor = ops.convert_to_tensor(value, dtype or config.floatx())
    return tensor if shape is None else ops.broadcast_to(tensor, shape)


@named(FUNCTIONS, "ops.zeros, or Variable for weights")
def zeros(shape, dtype=None, name=None):
    """Return a tensor of zeros."""
    return ops.zeros(shape, dtype or config.floatx())


@named(FUNCTIONS, "ops.ones, or Variable for weights")
def ones(shape, dtype=None, name=None):
    """Return a tensor of ones."""
    return ops.ones(shape, dtype or config.floatx())


@named(FUNCTIONS, "ops.cast")
def cast(x, dtype):
    """Return `x` in another dtype."""
    return ops.cast(x, dtype)


@named(FUNCTIONS, "ops.cast(x, keras.config.floatx())")
def cast_to_floatx(x):
    """Return a tensor, or an array, in the default dtype of floats."""
    if isinstance(x, (torch.Tensor, Variable)):
        return ops.cast(x, config.floatx())
    return np.asarray(x, dtype=config.floatx())


@named(FUNCTIONS, "x.dtype")
def dtype(x):
    """Return the name of the dtype."""
    return dtypes.standardize_dtype(x.dtype)


@named(FUNCTIONS, "x.ndim")
def ndim(x):
    """Return the number of axes."""
    return len(x.shape)


@named(FUNCTIONS, "ops.shape")
def shape(x):
    """Return the shape."""
    return ops.shape(x)


@named(FUNCTIONS, "x.shape")
def int_shape(x):
    """Return the shape as a tuple with `None` for unknown sizes."""
    return tuple(x.shape)


@named(FUNCTIONS, "ops.size")
def count_params(x):
    """Return the number of values."""
    return int(np.prod(tuple(x.shape)))


@named(FUNCTIONS, "ops.convert_to_numpy", "eval")
def evaluate(x):
    """Return the values as an array."""
    return ops.convert_to_numpy(x)


@named(FUNCTIONS, "ops.convert_to_numpy")
def get_value(x):
    """Return the values as an array."""
    return ops.convert_to_numpy(x)


@named(FUNCTIONS, "Variable.numpy")
def batch_get_value(tensors):
    """Return the values of several variables as arrays."""
    return [ops.convert_to_numpy(x) for x in tensors]


@named(FUNCTIONS, "Variable.assign")
def set_value(x, value):
    """Give a variable values."""
    x.assign(value)


@named(FUNCTIONS, "Variable.assign")
def batch_set_value(tuples):
    """Give several variables values: pairs of variable and array."""
    for one, value in tuples:
        one.assign(value)


@named(FUNCTIONS, "Variable.assign")
def update(x, new_x):
    """Give a variable a value and return it."""
    return x.assign(new_x)


@named(FUNCTIONS, "Variable.assign_add")
def update_add(x, increment):
    """Add to a variable and return it."""
    return x.assign_add(increment)


@named(FUNCTIONS, "Variable.assign_sub")
def update_sub(x, decrement):
    """Subtract from a variable and return it."""
    return x.assign_sub(decrement)


@named(FUNCTIONS, "Variable.assign")
def moving_average_update(x, value, momentum):
    """Make a variable `momentum * x + (1 - momentum) * value`."""
    return x.assign(momentum * x + (1 - momentum) * ops.convert_to_tensor(value))


@named(FUNCTIONS, "torch.autograd.grad")
def gradients(loss, variables):
    """Return the gradients of a loss."""
    return list(torch.autograd.grad(loss, variables, allow_unused=True))


@named(FUNCTIONS, "name_scope")
def name_scope(name):
    """Open a scope of names."""
    return scope(name)


@named(FUNCTIONS, "random.normal")
def random_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Return normal values."""
    return random.normal(shape, mean, stddev, dtype=dtype, seed=seed)


@named(FUNCTIONS, "random.uniform")
def random_uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """Return values of an even distribution."""
    return random.uniform(shape, minval, maxval, dtype=dtype, seed=seed)


@named(FUNCTIONS, "random.truncated_normal")
def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Return normal values within two standard deviations."""
    return random.truncated_normal(shape, mean, stddev, dtype=dtype, seed=seed)


@named(FUNCTIONS, "random.binomial")
def random_bernoulli(shape, p=0.0, dtype=None, seed=None):
    """Return ones with probability `p`, zeros else."""
    drawn = random.uniform(shape, seed=seed) < p
    return ops.cast(drawn, dtype or config.floatx())


@named(FUNCTIONS, "Variable with initializers.RandomNormal")
def random_normal_variable(shape, mean, scale, dtype=None, name=None, seed=None):
    """Return a variable of normal values."""
    return Variable(random.normal(shape, mean, scale, dtype=dtype, seed=seed), name=name)


@named(FUNCTIONS, "Variable with initializers.RandomUniform")
def random_uniform_variable(shape, low, high, dtype=None, name=None, seed=None):
    """Return a variable of values of an even distribution."""
    return Variable(random.uniform(shape, low, high, dtype=dtype, seed=seed), name=name)


@named(FUNCTIONS, "ops.cond or ops.where")
def switch(condition, then_expression, else_expression):
    """Return one of two things by a condition; tensors are chosen from value by value."""
    condition = ops.convert_to_tensor(condition)
    if condition.ndim == 0:
        chosen = then_expression if bool(condition) else else_expression
        return chosen() if callable(chosen) else chosen
    parts = [part() if callable(part) else part for part in (then_expression, else_expression)]
    parts = [ops.convert_to_tensor(part) for part in parts]
    condition = condition.reshape(*condition.shape, *(1,) * (parts[0].ndim - condition.ndim))
    return ops.where(condition, *parts)


@named(FUNCTIONS, "ops.map")
def map_fn(fn, elems, name=None, dtype=None):
    """Return what `fn` gives for every part along the first axis."""
    mapped = ops.map(fn, elems)
    return mapped if dtype is None else ops.cast(mapped, dtype)


@named(FUNCTIONS, "ops.scan")
def foldl(fn, elems, initializer=None, name=None):
    """Return what `fn(sum, part)` gives in the end, from the first part to the last."""
    return _fold(fn, list(ops.convert_to_tensor(elems)), initializer)


@named(FUNCTIONS, "ops.scan")
def foldr(fn, elems, initializer=None, name=None):
    """Return what `fn(sum, part)` gives in the end, from the last part to the first."""
    return _fold(fn, list(ops.convert_to_tensor(elems))[::-1], initializer)


def _fold(fn, parts, initializer):
    result = parts.pop(0) if initializer is None else initializer
    for part in parts:
        result = fn(result, part)
    return result


@named(FUNCTIONS, "dense tensors, which all tensors here are")
def is_sparse(tensor):
    """Return whether a tensor is sparse."""
    return isinstance(tensor, torch.Tensor) and tensor.is_sparse


@named(FUNCTIONS, "dense tensors, which all tensors here are")
def to_dense(tensor):
    """Return a dense tensor."""
    return tensor.to_dense() if is_sparse(tensor) else tensor
