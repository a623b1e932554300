"""TensorFlow's random operations, as layers that draw: a graph of Keras 3 has no operation for them.

What is drawn is never TensorFlow's own numbers, also for a given seed: its generators are others.
"""

import math

from torchkeras_lite import layers, ops
from torchkeras_lite.saving.legacy_sizes import Sizes, filled

ROOT = math.sqrt(2.0)
CUT = 2.0  # standard deviations at which a truncated normal distribution ends


def _seed(seed):
    """Return one seed for TensorFlow's, which may be a pair of numbers; `None` stays."""
    return int(seed[0]) * 1_000_003 + int(seed[1]) if isinstance(seed, list) else seed


def _standard(like, seed):
    """Return normal numbers in the shape of a tensor of zeros."""
    return layers.GaussianNoise(1.0, seed=_seed(seed))(like, training=True)


def _share(like, seed):
    """Return numbers between 0 and 1, each the share of the normal distribution that is below one drawn."""
    return ops.multiply(ops.add(ops.erf(ops.divide(_standard(like, seed), ROOT)), 1.0), 0.5)


def _zeros(shape, dtype):
    """Return zeros of a shape, symbolic ones; those of `tf.shape(x)` follow `x`."""
    source = shape.source if isinstance(shape, Sizes) else None
    zeros = filled(0)(shape, dtype=dtype) if source is None else ops.cast(ops.zeros_like(source), dtype)
    if not hasattr(zeros, "call"):
        raise ValueError("of a shape that no tensor gives")
    return zeros


def _normal(shape, mean=0.0, stddev=1.0, dtype="float32", seed=None, name=None):
    return ops.add(ops.multiply(_standard(_zeros(shape, dtype), seed), stddev), mean)


def _truncated(shape, mean=0.0, stddev=1.0, dtype="float32", seed=None, name=None):
    width = math.erf(CUT / ROOT)
    share = ops.multiply(ops.subtract(ops.multiply(_share(_zeros(shape, dtype), seed), 2.0), 1.0), width)
    return ops.add(ops.multiply(ops.multiply(ops.erfinv(share), ROOT), stddev), mean)


def _uniform(shape, minval=0, maxval=None, dtype="float32", seed=None, name=None):
    whole = "int" in str(dtype)
    if whole and maxval is None:
        raise ValueError("of integers without `maxval`")
    width = (1 if maxval is None else maxval) - minval
    drawn = ops.multiply(_share(_zeros(shape, "float32" if whole else dtype), seed), width)
    if not whole:
        return ops.add(drawn, minval)
    return ops.cast(ops.add(ops.minimum(ops.floor(drawn), width - 1), minval), dtype)


def _shuffle(value, seed=None, name=None):
    rank = len(value.shape)
    line = value[tuple(slice(None) if axis == 0 else 0 for axis in range(rank))]
    zeros = ops.cast(ops.zeros_like(line), "float32")
    return ops.take(value, ops.argsort(_standard(zeros, seed)), axis=0)


def _dropout(x, rate, noise_shape=None, seed=None, name=None):
    if noise_shape is not None and not isinstance(noise_shape, list):
        raise ValueError(f"with noise_shape={noise_shape!r}")
    return layers.Dropout(rate, noise_shape=noise_shape, seed=_seed(seed))(x, training=True)


def _categorical(logits, num_samples, dtype="int64", seed=None, name=None):
    """Draw by the largest of the logits with noise of Gumbel's distribution, once for each sample."""
    repeated = ops.tile(ops.expand_dims(logits, 1), [1, int(num_samples), 1])
    share = ops.clip(_share(ops.zeros_like(repeated), seed), 1e-30, 1.0 - 2.0**-24)
    noise = ops.negative(ops.log(ops.negative(ops.log(share))))
    return ops.cast(ops.argmax(ops.add(repeated, noise), axis=-1), dtype or "int64")


def _stateless(draw):
    """Return `draw` with the arguments of an operation whose seed is the second one."""

    def drawn(shape, seed, *rest, alg=None, **more):
        return draw(shape, *rest, **{**more, "seed": seed})

    return drawn


# These take a tensor.
RANDOM = {
    "random.shuffle": _shuffle,
    "random.categorical": _categorical,
    "nn.dropout": _dropout,
    "nn.experimental.stateless_dropout": lambda x, rate, seed, **rest: _dropout(x, rate, seed=seed),
}
# And these a shape.
DRAWN = {
    "random.normal": _normal,
    "random.stateless_normal": _stateless(_normal),
    "random.truncated_normal": _truncated,
    "random.stateless_truncated_normal": _stateless(_truncated),
    "random.uniform": _uniform,
    "random.stateless_uniform": _stateless(_uniform),
}
