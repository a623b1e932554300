"""TensorFlow's operations that take several of Keras 3, and those that compute with the sizes of tensors.

They run when a graph is made from its config, on symbolic tensors: what they call is recorded.
"""

import functools
import math
import operator

import numpy as np
import torch

from torchkeras_lite import ops
from torchkeras_lite.base.device import build_on
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.saving.legacy_arrays import ARRAYS, RANGES
from torchkeras_lite.saving.legacy_images import IMAGES
from torchkeras_lite.saving.legacy_random import DRAWN, RANDOM
from torchkeras_lite.saving.legacy_sizes import KnownSize, Sizes, UnknownSize, filled, listed, numbers

MODULE = "tensorflow"  # of entries in configs that are made here


def _shape(input, name=None, out_type="int32"):
    sizes = enumerate(input.shape)
    return Sizes(
        [UnknownSize(input, i) if size is None else KnownSize(size, input, i) for i, size in sizes], input
    )


def _size(input, name=None, out_type="int32"):
    sizes = _shape(input)
    unknown = any(isinstance(size, UnknownSize) for size in sizes)
    return ops.sum(ops.cast(ops.ones_like(input), "int32")) if unknown else math.prod(sizes)


def _rank(input, name=None):
    return len(input.shape)


def _reshape(tensor, shape, name=None):
    return ops.reshape(tensor, numbers(shape))


def _get_item(tensor, slice_spec):
    key = tuple(map(_key_part, slice_spec)) if isinstance(slice_spec, list) else _key_part(slice_spec)
    if not isinstance(tensor, Sizes):
        return _turned(tensor, key)
    found = tensor.sizes[key[0] if isinstance(key, tuple) else key]
    return Sizes(found) if isinstance(found, list) else found


def _turned(tensor, key):
    """Return `tensor[key]`, where the key may have steps backwards over whole axes, which torch has not."""
    parts, axes = list(key) if isinstance(key, tuple) else [key], []
    for place, part in enumerate(parts):
        if isinstance(part, slice) and isinstance(part.step, int) and part.step < 0:
            if part.start is not None or part.stop is not None:
                raise ValueError("with a step backwards over a part of an axis")
            before = [other for other in parts[:place] if other is not None]
            behind = [other for other in parts[place:] if other is not None]
            axes.append(-len(behind) if Ellipsis in before else len(before))
            parts[place] = slice(None, None, -part.step)
    return (ops.flip(tensor, axis=axes) if axes else tensor)[tuple(parts)]


def _key_part(part):
    if not isinstance(part, dict):
        return part
    ends = [part[end] for end in ("start", "stop", "step")]
    if any(isinstance(end, UnknownSize) for end in ends):
        raise ValueError("with a slice that ends at a size that is known only when the model runs")
    return slice(*ends)


def _stack(values, axis=0, name="stack"):
    return Sizes(values)


def _concat(values, axis=0, name="concat"):
    return Sizes(size for part in values for size in listed(part))


def _unstack(value, num=None, axis=0, name="unstack"):
    return list(value)


def _cast(x, dtype, name=None):
    if isinstance(x, (UnknownSize, KerasTensor)):
        return ops.cast(x.count("cast") if isinstance(x, UnknownSize) else x, dtype)
    return float(x) if "float" in str(dtype) else int(x)


def _computed(function):
    def compute(x, y=None, name=None):
        if isinstance(x, UnknownSize) and isinstance(y, KerasTensor):
            x = ops.cast(x.count(function.__name__), y.dtype)
        if isinstance(y, UnknownSize) and isinstance(x, KerasTensor):
            y = ops.cast(y.count(function.__name__), x.dtype)
        return function(x) if y is None else function(x, y)

    return compute


def _root(x):
    return ops.sqrt(x) if isinstance(x, KerasTensor) else math.sqrt(x)


def _broadcast_to(input, shape, name=None):
    source = getattr(shape, "source", None)
    if source is not None:
        return ops.add(input, ops.cast(ops.zeros_like(source), input.dtype))
    sizes = [None if isinstance(size, UnknownSize) else int(size) for size in shape]
    own = [1] * (len(sizes) - len(input.shape)) + list(input.shape)
    if any(size is None and mine is not None for size, mine in zip(sizes, own, strict=True)):
        raise ValueError("to a size that is known only when the model runs")
    repeats = [1 if size == mine else size for size, mine in zip(sizes, own, strict=True)]
    return ops.tile(input, repeats)


def _slice(input_, begin, size, name=None):
    """Slice as `tf.slice` does: from `begin`, `size` values, -1 for all."""
    if any(isinstance(value, UnknownSize) for value in begin):
        raise ValueError("that begins at a size that is known only when the model runs")
    known = [None if isinstance(value, UnknownSize) or value == -1 else int(value) for value in size]
    return input_[
        tuple(
            slice(int(start), None if length is None else int(start) + length)
            for start, length in zip(begin, known, strict=True)
        )
    ]


def _same(input, shape=None, dtype=None, dtype_hint=None, name=None):
    return input


def _same_value(value, dtype=None, dtype_hint=None, name=None):
    return value


def _add_n(inputs, name=None, shape=None, tensor_dtype=None):
    return functools.reduce(ops.add, inputs)


def _einsum(inputs, equation=None):
    if equation is None:
        raise ValueError("whose operands Keras 2 did not write to the file")
    return ops.einsum(equation, *inputs)


def _divide_no_nan(x, y, name=None):
    is_zero = ops.equal(y, 0)
    quotient = ops.divide(x, ops.where(is_zero, ops.ones_like(y), y))
    return ops.where(is_zero, ops.zeros_like(quotient), quotient)


def _multiply_no_nan(x, y, name=None):
    product = ops.multiply(x, y)
    return ops.where(ops.equal(y, 0), ops.zeros_like(product), product)


def _squared_difference(x, y, name=None):
    return ops.square(ops.subtract(x, y))


def _xlogy(x, y, name=None):
    is_zero = ops.equal(x, 0)
    product = ops.multiply(x, ops.log(ops.where(is_zero, ops.ones_like(y), y)))
    return ops.where(is_zero, ops.zeros_like(product), product)


def _zero_fraction(value, name=None):
    return ops.mean(ops.cast(ops.equal(value, 0), "float32"))


def _count_nonzero(input, axis=None, keepdims=False, dtype="int64", name=None):
    # Keras's own operation gives the transposed counts on torch.
    return ops.sum(ops.cast(ops.not_equal(input, 0), dtype), axis=axis, keepdims=bool(keepdims))


def _l2_loss(t, name=None):
    return ops.multiply(ops.sum(ops.square(t)), 0.5)


def _norm(tensor, ord="euclidean", axis=None, keepdims=None, name=None):
    keepdims = bool(keepdims)
    if ord in ("euclidean", 2) and not (ord == 2 and isinstance(axis, list) and len(axis) == 2):
        return ops.sqrt(ops.sum(ops.square(tensor), axis=axis, keepdims=keepdims))
    if ord == 1 and not (isinstance(axis, list) and len(axis) == 2):
        return ops.sum(ops.absolute(tensor), axis=axis, keepdims=keepdims)
    raise ValueError(f"with ord={ord!r} and axis={axis!r}")


def _euclidean_norm(input_tensor, axis=None, keepdims=False, name=None):
    return _norm(input_tensor, "euclidean", axis, keepdims)


def _clip_by_norm(t, clip_norm, axes=None, name=None):
    length = ops.sqrt(ops.sum(ops.square(t), axis=axes, keepdims=True))
    return ops.divide(ops.multiply(t, clip_norm), ops.maximum(length, clip_norm))


def _crelu(features, name=None, axis=-1):
    return ops.concatenate([ops.relu(features), ops.relu(ops.negative(features))], axis=axis)


def _softmax_crossentropy(labels, logits, axis=-1, name=None, dim=None):
    return ops.negative(ops.sum(ops.multiply(labels, ops.log_softmax(logits, axis=axis)), axis=axis))


def _sparse_crossentropy(labels, logits, name=None):
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def _sigmoid_crossentropy(labels, logits, name=None):
    lost = ops.log1p(ops.exp(ops.negative(ops.absolute(logits))))
    return ops.add(ops.subtract(ops.maximum(logits, 0.0), ops.multiply(logits, labels)), lost)


def _window(value):
    """Return the sizes over the axes of an image: of 4 numbers the middle two."""
    if isinstance(value, list) and len(value) == 1:
        return value[0]
    return [int(size) for size in value[1:-1]] if isinstance(value, list) and len(value) > 2 else value


def _pool(function):
    def pool(value, ksize, strides, padding, data_format="NHWC", name=None, input=None):
        _only_last(data_format)
        return function(value, _window(ksize), _window(strides), str(padding).lower(), "channels_last")

    return pool


def _only_last(data_format):
    if data_format not in (None, "NHWC", "NWC"):
        raise ValueError(f"with data_format={data_format!r}")


def _conv(input, filter, strides=1, padding="VALID", data_format="NHWC", dilations=None, name=None, **rest):
    _only_last(data_format)
    _none(rest, use_cudnn_on_gpu=True)
    rates = _window(dilations) if dilations is not None else 1
    return ops.conv(input, _kernel(filter), _window(strides), str(padding).lower(), "channels_last", rates)


def _conv1d(value, filters, stride, padding, data_format="NWC", name=None, dilations=None, **rest):
    _only_last(data_format)
    _none(rest, use_cudnn_on_gpu=True)
    rates = dilations[0] if isinstance(dilations, list) else dilations or 1
    return ops.conv(value, _kernel(filters), stride, str(padding).lower(), "channels_last", rates)


def _depthwise(input, filter, strides, padding, rate=None, name=None, data_format=None, dilations=None):
    _only_last(data_format)
    rates = rate if dilations is None else dilations
    rates = 1 if rates is None else rates
    padding = str(padding).lower()
    return ops.depthwise_conv(input, _kernel(filter), _window(strides), padding, "channels_last", rates)


def _kernel(values):
    return np.array(values, "float32") if isinstance(values, list) else values


def _none(rest, **plain):
    for key, value in rest.items():
        if value is not None and plain.get(key) != value:
            raise ValueError(f"with {key}={value!r}")


def _standardized(image):
    axes = [-3, -2, -1]
    count = math.prod(image.shape[-3:])
    spread = ops.maximum(ops.std(image, axis=axes, keepdims=True), 1 / math.sqrt(count))
    return ops.divide(ops.subtract(image, ops.mean(image, axis=axes, keepdims=True)), spread)


def _batch_flatten(x):
    return ops.reshape(x, [-1, math.prod(x.shape[1:])])


def _boolean_mask(tensor, mask, name="boolean_mask", axis=None):
    if not isinstance(mask, list) or any(isinstance(value, list) for value in mask):
        raise ValueError("with a mask that is not a constant vector")
    return ops.take(tensor, [place for place, value in enumerate(mask) if value], axis=axis or 0)


def _band_part(input, num_lower, num_upper, name=None):
    if num_lower < 0 and num_upper < 0:
        return input
    lower = ops.triu(input, -num_lower) if num_lower >= 0 else input
    return ops.tril(lower, num_upper) if num_upper >= 0 else lower


RECIPES = {
    "shape": _shape,
    "compat.v1.shape": _shape,
    "size": _size,
    "compat.v1.size": _size,
    "rank": _rank,
    "zeros": filled(0),
    "ones": filled(1),
    "fill": lambda dims, value, name=None: filled(value)(dims),
    "broadcast_to": _broadcast_to,
    "slice": _slice,
    "identity": _same,
    "ensure_shape": lambda x, shape, name=None: x,
    "convert_to_tensor": _same_value,
    "math.add_n": _add_n,
    "math.accumulate_n": _add_n,
    "einsum": _einsum,
    "math.divide_no_nan": _divide_no_nan,
    "math.multiply_no_nan": _multiply_no_nan,
    "math.squared_difference": _squared_difference,
    "math.xlogy": _xlogy,
    "math.zero_fraction": _zero_fraction,
    "math.reduce_euclidean_norm": _euclidean_norm,
    "math.count_nonzero": _count_nonzero,
    "nn.l2_loss": _l2_loss,
    "norm": _norm,
    "compat.v1.norm": _norm,
    "clip_by_norm": _clip_by_norm,
    "nn.crelu": _crelu,
    "compat.v1.nn.crelu": _crelu,
    "compat.v1.nn.softmax_cross_entropy_with_logits_v2": _softmax_crossentropy,
    "compat.v1.nn.sparse_softmax_cross_entropy_with_logits": _sparse_crossentropy,
    "compat.v1.nn.sigmoid_cross_entropy_with_logits": _sigmoid_crossentropy,
    "nn.max_pool1d": lambda input, **rest: _pool(ops.max_pool)(input, **rest),
    "nn.avg_pool": lambda input, **rest: _pool(ops.average_pool)(input, **rest),
    "nn.avg_pool1d": lambda input, **rest: _pool(ops.average_pool)(input, **rest),
    "nn.max_pool2d": lambda input, **rest: _pool(ops.max_pool)(input, **rest),
    "nn.avg_pool2d": lambda input, **rest: _pool(ops.average_pool)(input, **rest),
    "compat.v1.nn.max_pool": _pool(ops.max_pool),
    "compat.v1.nn.avg_pool": _pool(ops.average_pool),
    "compat.v1.nn.conv2d": _conv,
    "compat.v1.nn.conv1d": _conv1d,
    "compat.v1.nn.depthwise_conv2d": _depthwise,
    "image.per_image_standardization": _standardized,
    "keras.backend.batch_flatten": _batch_flatten,
    "compat.v1.boolean_mask": _boolean_mask,
    "linalg.band_part": _band_part,
    **ARRAYS,
    **RANGES,
    **IMAGES,
    **RANDOM,
    **DRAWN,
}
# What runs in their place where an argument comes from `tf.shape`, or an index goes backwards.
OF_SIZES = {
    "__operators__.getitem": _get_item,
    "reshape": _reshape,
    "stack": _stack,
    "concat": _concat,
    "unstack": _unstack,
    "cast": _cast,
    "identity": _same,
    "math.sqrt": _computed(_root),
    "math.rsqrt": _computed(lambda x: 1 / _root(x)),
    "__operators__.add": _computed(operator.add),
    "math.add": _computed(operator.add),
    "math.subtract": _computed(operator.sub),
    "math.multiply": _computed(operator.mul),
    "math.pow": _computed(operator.pow),
    "math.truediv": _computed(operator.truediv),
    "math.divide": _computed(operator.truediv),
    "math.floordiv": _computed(operator.floordiv),
    "compat.v1.floor_div": _computed(operator.floordiv),
    "math.floormod": _computed(operator.mod),
    "zeros": RECIPES["zeros"],
    "ones": RECIPES["ones"],
    "fill": RECIPES["fill"],
    "broadcast_to": _broadcast_to,
    "slice": _slice,
    **RANGES,
    **DRAWN,
}
# Of sizes they make sizes; the others make tensors.
STAY_SIZES = (
    "__operators__.getitem",
    "stack",
    "concat",
    "unstack",
    "cast",
    "identity",
    *(name for name in OF_SIZES if name.startswith(("math.", "__operators__.add", "compat.v1.floor_div"))),
)
MAKE_SIZES = ("shape", "compat.v1.shape", "size", "compat.v1.size", "rank")


def recipe_entry(layer, of_sizes):
    """Return the entry of an operation that runs by a recipe; `run_recipe` reads it.

    Args:
        layer: The layer's entry in a config of Keras 2.
        of_sizes: Whether an argument comes from `tf.shape`, or an index goes backwards.
    """
    name = layer["config"]["function"]
    config = {"name": layer["config"]["name"], "of_sizes": of_sizes}
    return {"module": MODULE, "class_name": name, "config": config, "registered_name": name}


def find_recipe(entry):
    """Return the function that an entry of `recipe_entry` names, `None` where there is none."""
    table = OF_SIZES if entry["config"].get("of_sizes") else RECIPES
    return table.get(entry["class_name"])


def run_recipe(entry, *args, **kwargs):
    """Return what the operation of an entry gives for symbolic tensors, numbers and sizes.

    Raises:
        ValueError: arguments that the recipe does not know, or sizes that are not known.
    """
    given = {key: value for key, value in kwargs.items() if value is not None}
    try:
        with build_on(torch.device("cpu")):  # what is computed from constants alone needs values
            return find_recipe(entry)(*args, **given)
    except (TypeError, ValueError) as error:
        raise ValueError(refusal(entry["config"], entry["class_name"], f" ({error})")) from error


def refusal(config, what, why):
    """Return the message about an operation that cannot be read.

    Args:
        config: The layer's config.
        what: The operation.
        why: What follows its name.
    """
    return (
        f"The layer '{config.get('name')}' runs TensorFlow's operation {str(what)[:60]!r}{why}, which cannot "
        "be read here. Make the model in code, with the operations of `keras.ops`, and read its weights with "
        "`load_weights`."
    )
