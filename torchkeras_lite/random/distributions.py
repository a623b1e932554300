"""Random tensors by distribution, with the numbers that Keras on torch draws for the same seed.

`seed` is an integer (the same numbers at every call), a `SeedGenerator` (other numbers at every call), or
`None` (the global generator, which `utils.set_random_seed` starts anew). New tensors go to the default
device.
"""

import torch

from torchkeras_lite.base import config, dtypes
from torchkeras_lite.base.device import default_device
from torchkeras_lite.initializers import random as drawing
from torchkeras_lite.random.seed_generator import torch_generator


def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Return a tensor of normal values.

    Args:
        shape: Its shape.
        mean: Mean of the distribution, a number.
        stddev: Its standard deviation.
        dtype: A floating-point dtype, `floatx()` when not given.
        seed: An integer, a `SeedGenerator` or `None`.

    Raises:
        ValueError: an integer dtype, a seed of another kind.

    Source: Keras 3 `keras.random.normal`.
    """
    dtype, device = _float_dtype("normal", dtype), default_device()
    generator = torch_generator(seed, device)
    return torch.normal(
        float(mean), float(stddev), _sizes(shape), dtype=dtype, generator=generator, device=device
    )


def uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """Return a tensor of values from `minval` up to but not including `maxval`.

    Args:
        shape: Its shape.
        minval: Lower end of the range.
        maxval: Upper end of the range.
        dtype, seed: See `normal`.

    Source: Keras 3 `keras.random.uniform`; `randint` draws integers.
    """
    dtype, device = _float_dtype("uniform", dtype), default_device()
    values = torch.rand(_sizes(shape), dtype=dtype, generator=torch_generator(seed, device), device=device)
    return (maxval - minval) * values + minval


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Return a tensor of normal values within two standard deviations of the mean.

    Args:
        shape: Its shape.
        mean: Mean of the distribution before truncation.
        stddev: Its standard deviation before truncation.
        dtype, seed: See `normal`.

    Source: Keras 3 `keras.random.truncated_normal`.
    """
    dtype, device = _float_dtype("truncated_normal", dtype), default_device()
    if device.type == "meta":
        return torch.empty(_sizes(shape), dtype=dtype, device=device)
    return drawing.truncated_normal(_sizes(shape), mean, stddev, dtype, torch_generator(seed, device))


def randint(shape, minval, maxval, dtype="int32", seed=None):
    """Return a tensor of integers from `minval` up to but not including `maxval`.

    Args:
        shape: Its shape.
        minval: Lower end of the range.
        maxval: Upper end of the range.
        dtype: An integer dtype.
        seed: See `normal`.

    Raises:
        ValueError: another dtype.

    Source: Keras 3 `keras.random.randint`.
    """
    torch_dtype = dtypes.torch_dtype(dtype)
    if torch_dtype.is_floating_point or torch_dtype.is_complex or torch_dtype is torch.bool:
        raise ValueError(f"`keras.random.randint` requires an integer `dtype`, got dtype={dtype}.")
    device = default_device()
    generator = torch_generator(seed, device)
    return torch.randint(
        int(minval), int(maxval), _sizes(shape), dtype=torch_dtype, generator=generator, device=device
    )


def categorical(logits, num_samples, dtype="int32", seed=None):
    """Return class numbers drawn from distributions, one a row.

    Args:
        logits: Logarithms of the classes' probabilities up to a constant, `(batch, classes)`.
        num_samples: Number of draws a row.
        dtype: An integer dtype.
        seed: See `normal`.

    Returns:
        A tensor `(batch, num_samples)`.

    Raises:
        ValueError: `logits` has another number of axes.

    Source: Keras 3 `keras.random.categorical`.
    """
    logits = _as_tensor(logits)
    if logits.ndim != 2:
        raise ValueError(
            "categorical: `logits` should be a 2-D tensor with shape [batch_size, num_classes], got "
            "logits of shape "
            f"{tuple(logits.shape)}. Add or merge axes."
        )
    probabilities = torch.softmax(logits, -1)
    generator = torch_generator(seed, logits.device)
    drawn = torch.multinomial(probabilities, num_samples, replacement=True, generator=generator)
    return drawn.to(dtypes.torch_dtype(dtype))


def dropout(inputs, rate, noise_shape=None, seed=None):
    """Return `inputs` with a fraction `rate` of the values set to 0 and the others divided by `1 - rate`.

    Args:
        inputs: A tensor.
        rate: Fraction of the values dropped, from 0 to 1.
        noise_shape: Shape of the pattern, which is repeated along axes of size 1; `None` for a size means
            that of `inputs`.
        seed: See `normal`; `None` draws from torch's own generator.

    Raises:
        ValueError: `rate` is outside the range.

    Source: Keras 3 `keras.random.dropout`.
    """
    if not 0 <= rate <= 1:
        raise ValueError(
            f"dropout: expected `rate` in the range [0, 1], got rate={rate!r}. Pass the fraction to drop."
        )
    inputs = _as_tensor(inputs)
    if rate == 0:
        return inputs
    if rate == 1:
        return torch.zeros_like(inputs)
    seeded = seed is not None and getattr(seed, "_initial_seed", 0) is not None
    if not seeded and noise_shape is None:
        return torch.nn.functional.dropout(inputs, rate, training=True)
    wanted = inputs.shape if noise_shape is None else noise_shape
    sizes = [inputs.shape[axis] if size is None else size for axis, size in enumerate(wanted)]
    kept = torch.full(sizes, 1 - rate, device=inputs.device)
    kept = torch.bernoulli(kept, generator=torch_generator(seed, inputs.device)).bool()
    return torch.where(kept, inputs / (1 - rate), torch.zeros_like(inputs))


def shuffle(x, axis=0, seed=None):
    """Return `x` with its parts along an axis in a random order.

    Args:
        x: A tensor or array.
        axis: The axis. Behind the first one, every row before it gets an order of its own.
        seed: See `normal`.

    Source: Keras 3 `keras.random.shuffle`.
    """
    x = _as_tensor(x)
    axis = axis % x.ndim
    leading = x.shape[: axis + 1]
    numbers = torch.rand(leading, generator=torch_generator(seed, x.device), device=x.device)
    order = numbers.argsort(axis).reshape(*leading, *(1,) * (x.ndim - axis - 1))
    return x.gather(axis, order.expand(x.shape))


def gamma(shape, alpha, dtype=None, seed=None):
    """Return a tensor of values from gamma distributions with rate 1.

    Args:
        shape: Its shape.
        alpha: Shape parameter, a number or a tensor that broadcasts to `shape`.
        dtype, seed: See `normal`.

    Source: Keras 3 `keras.random.gamma`.
    """
    dtype = _float_dtype("gamma", dtype)
    alpha = _parameter(alpha, shape)
    drawn = torch._standard_gamma(alpha, torch_generator(seed, alpha.device))
    return drawn.clamp(min=torch.finfo(drawn.dtype).tiny).to(dtype)


def beta(shape, alpha, beta, dtype=None, seed=None):
    """Return a tensor of values from beta distributions.

    Args:
        shape: Its shape.
        alpha, beta: The two parameters, numbers or tensors that broadcast to `shape`.
        dtype, seed: See `normal`.

    Source: Keras 3 `keras.random.beta`.
    """
    dtype = _float_dtype("beta", dtype)
    parameters = torch.stack([_parameter(alpha, shape), _parameter(beta, shape)], -1)
    drawn = torch._sample_dirichlet(parameters, torch_generator(seed, parameters.device))
    return drawn[..., 0].to(dtype)


def binomial(shape, counts, probabilities, dtype=None, seed=None):
    """Return a tensor of numbers of successes in `counts` trials.

    Args:
        shape: Its shape.
        counts: Numbers of trials, a number or a tensor that broadcasts to `shape`.
        probabilities: Probabilities of a success, likewise.
        dtype, seed: See `normal`.

    Source: Keras 3 `keras.random.binomial`.
    """
    dtype = _float_dtype("binomial", dtype)
    counts, probabilities = _parameter(counts, shape), _parameter(probabilities, shape)
    return torch.binomial(counts, probabilities, torch_generator(seed, counts.device)).to(dtype)


def _float_dtype(function, dtype):
    torch_dtype = dtypes.torch_dtype(config.floatx() if dtype is None else dtype)
    if not torch_dtype.is_floating_point:
        raise ValueError(f"`keras.random.{function}` requires a floating point `dtype`, got dtype={dtype}.")
    return torch_dtype


def _sizes(shape):
    return (int(shape),) if isinstance(shape, int) else tuple(map(int, shape))


def _as_tensor(x):
    """Return `x` itself where torch takes it (tensors, weights, symbolic tensors), else as a tensor."""
    return x if hasattr(type(x), "__torch_function__") else torch.as_tensor(x, device=default_device())


def _parameter(values, shape):
    """Return a parameter of a distribution as a float tensor of `shape`."""
    tensor = _as_tensor(values)
    if not tensor.is_floating_point():
        tensor = tensor.to(dtypes.torch_dtype(config.floatx()))
    return torch.broadcast_to(tensor, _sizes(shape)).contiguous()
