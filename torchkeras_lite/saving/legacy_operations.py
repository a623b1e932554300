"""Operations of TensorFlow that tf.keras 2.4 and later wrote into graphs as layers."""

import itertools
from typing import NamedTuple

from torchkeras_lite.base import nested
from torchkeras_lite.engine.operation import find_operation
from torchkeras_lite.saving.legacy_recipes import RECIPES, find_recipe, recipe_entry, refusal

LAYERS = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")


class Translation(NamedTuple):
    """How an operation of TensorFlow is written with one of Keras 3.

    Attributes:
        room: Module of Keras's class.
        kind: The class.
        names: TensorFlow's names of arguments, and ours; its further arguments must have no value.
        given: Arguments that TensorFlow's defaults, or its meaning, give.
    """

    room: str
    kind: str
    names: dict
    given: dict


def _same(room, names, **given):
    """Return rows for operations that take `names` and are called alike but for their class."""
    return lambda **kinds: {
        name.replace("_of_", "."): Translation(room, kind, names, given) for name, kind in kinds.items()
    }


_one, _two = _same("numpy", {}), _same("numpy", {"y": "x2"})
_reduce = _same("numpy", {"axis": "axis", "keepdims": "keepdims"})
_of_nn = _same("nn", {})
OPERATIONS = {
    **_two(__operators___of_add="Add", math_of_add="Add", math_of_subtract="Subtract"),
    **_two(math_of_multiply="Multiply", math_of_truediv="TrueDivide", math_of_divide="TrueDivide"),
    **_two(math_of_maximum="Maximum", math_of_minimum="Minimum", math_of_pow="Power", math_of_equal="Equal"),
    **_two(math_of_greater="Greater", math_of_greater_equal="GreaterEqual", math_of_less="Less"),
    **_two(math_of_less_equal="LessEqual", math_of_not_equal="NotEqual", math_of_floormod="Mod"),
    **_two(math_of_floordiv="FloorDivide", math_of_logical_and="LogicalAnd", math_of_logical_or="LogicalOr"),
    **_one(math_of_abs="Absolute", math_of_exp="Exp", math_of_log="Log", math_of_negative="Negative"),
    **_one(math_of_sqrt="Sqrt", math_of_square="Square", math_of_tanh="Tanh", nn_of_tanh="Tanh"),
    **_one(math_of_floor="Floor", math_of_ceil="Ceil", math_of_round="Round", math_of_sin="Sin"),
    **_one(math_of_cos="Cos", math_of_sign="Sign", math_of_logical_not="LogicalNot", zeros_like="ZerosLike"),
    **_one(ones_like="OnesLike", math_of_reciprocal="Reciprocal", math_of_log1p="Log1p"),
    **_same("math", {})(math_of_rsqrt="Rsqrt", math_of_erf="Erf"),
    **_of_nn(nn_of_relu="Relu", nn_of_relu6="Relu6", nn_of_sigmoid="Sigmoid", math_of_sigmoid="Sigmoid"),
    **_of_nn(nn_of_silu="Silu", nn_of_softplus="Softplus", math_of_softplus="Softplus", nn_of_elu="Elu"),
    **_of_nn(nn_of_selu="Selu", nn_of_softsign="Softsign"),
    **_same("nn", {"axis": "axis"})(nn_of_softmax="Softmax", nn_of_log_softmax="LogSoftmax"),
    **_same("nn", {"alpha": "negative_slope"}, negative_slope=0.2)(nn_of_leaky_relu="LeakyRelu"),
    **_same("nn", {"approximate": "approximate"}, approximate=False)(nn_of_gelu="Gelu"),
    **_same("nn", {"axis": "axis"}, order=2, epsilon=1e-12)(math_of_l2_normalize="Normalize"),
    **_reduce(math_of_reduce_mean="Mean", math_of_reduce_sum="Sum", math_of_reduce_max="Max"),
    **_reduce(math_of_reduce_min="Min", math_of_reduce_prod="Prod", math_of_reduce_std="Std"),
    **_reduce(math_of_reduce_variance="Var", math_of_reduce_any="Any", math_of_reduce_all="All"),
    **_same("numpy", {"axis": "axis"}, axis=0)(math_of_argmax="Argmax", math_of_argmin="Argmin"),
    **_same("numpy", {"shape": "newshape"})(reshape="Reshape"),
    **_same("numpy", {"perm": "axes"})(transpose="Transpose", compat_of_v1_of_transpose="Transpose"),
    **_same("numpy", {"axis": "axis"})(expand_dims="ExpandDims", squeeze="Squeeze"),
    **_same("numpy", {"axis": "axis"})(compat_of_v1_of_squeeze="Squeeze", concat="Concatenate"),
    **_same("numpy", {"axis": "axis"}, axis=0)(stack="Stack"),
    **_same("numpy", {"multiples": "repeats"})(tile="Tile"),
    **_same("numpy", {"slice_spec": "key"})(__operators___of_getitem="GetItem"),
    **_same("numpy", {"clip_value_min": "x_min", "clip_value_max": "x_max"})(clip_by_value="Clip"),
    **_same("numpy", {"x": "x1", "y": "x2"})(where="Where"),
    **_same("numpy", {"num_or_size_splits": "indices_or_sections", "axis": "axis"}, axis=0)(split="Split"),
    **_same("numpy", {"indices": "indices", "axis": "axis"}, axis=0)(gather="Take"),
    **_same("numpy", {"indices": "indices", "axis": "axis"}, axis=0)(compat_of_v1_of_gather="Take"),
    **_same("numpy", {"b": "x2"})(linalg_of_matmul="Matmul"),
    **_same("numpy", {"paddings": "pad_width", "mode": "mode", "constant_values": "constant_values"})(
        pad="Pad", compat_of_v1_of_pad="Pad"
    ),
    **_same("core", {"dtype": "dtype"})(cast="Cast", dtypes_of_saturate_cast="SaturateCast"),
    **_one(math_of_tan="Tan", math_of_asin="Arcsin", math_of_acos="Arccos", math_of_atan="Arctan"),
    **_one(math_of_sinh="Sinh", math_of_cosh="Cosh", math_of_asinh="Arcsinh", math_of_acosh="Arccosh"),
    **_one(math_of_atanh="Arctanh", math_of_expm1="Expm1", math_of_is_nan="Isnan", math_of_is_inf="Isinf"),
    **_one(math_of_is_finite="Isfinite", math_of_rint="Round"),
    **_two(math_of_logical_xor="LogicalXor", compat_of_v1_of_floor_div="FloorDivide"),
    **_same("numpy", {"x": "x2"})(math_of_atan2="Arctan2", compat_of_v1_of_math_of_scalar_mul="Multiply"),
    **_same("numpy", {"bias": "x2"})(nn_of_bias_add="Add"),
    **_two(realdiv="TrueDivide"),
    **_same("numpy", {"y": "y"})(
        bitwise_of_bitwise_and="BitwiseAnd",
        bitwise_of_bitwise_or="BitwiseOr",
        bitwise_of_bitwise_xor="BitwiseXor",
        bitwise_of_left_shift="LeftShift",
        bitwise_of_right_shift="RightShift",
    ),
    **_one(bitwise_of_invert="BitwiseInvert"),
    **_same("numpy", {"dtype": "dtype"})(compat_of_v1_of_ones_like="OnesLike"),
    **_same("numpy", {"dtype": "dtype"})(compat_of_v1_of_zeros_like="ZerosLike"),
    **_same("math", {})(math_of_erfinv="Erfinv", math_of_erfc="Erfc"),
    **_of_nn(math_of_log_sigmoid="LogSigmoid"),
    **_same("math", {"axis": "axis", "keepdims": "keepdims"})(math_of_reduce_logsumexp="Logsumexp"),
    **_same("numpy", {"axis": "axis"}, axis=0)(math_of_cumsum="Cumsum", math_of_cumprod="Cumprod"),
    **_same("numpy", {"axis": "axis"}, axis=-1)(sort="Sort", argsort="Argsort"),
    **_same("numpy", {"axis": "axis"})(reverse="Flip"),
    **_same("numpy", {}, axis=-2)(image_of_flip_left_right="Flip"),
    **_same("numpy", {}, axis=-3)(image_of_flip_up_down="Flip"),
    **_same("numpy", {"shift": "shift", "axis": "axis"})(roll="Roll"),
    **_same("numpy", {"repeats": "repeats", "axis": "axis"})(repeat="Repeat"),
    **_same("numpy", {"b": "x2", "axes": "axes"})(tensordot="Tensordot"),
    **_same("numpy", {}, axis1=-2, axis2=-1)(
        linalg_of_matrix_transpose="Swapaxes",
        linalg_of_adjoint="Swapaxes",
        linalg_of_trace="Trace",
        linalg_of_diag_part="Diagonal",
    ),
    **_same("numpy", {"b": "x2"})(linalg_of_cross="Cross"),
    **_same("linalg", {})(linalg_of_det="Det", linalg_of_inv="Inv", linalg_of_cholesky="Cholesky"),
    **_same("linalg", {})(linalg_of_eigh="Eigh"),
    **_same("linalg", {"rhs": "b"})(linalg_of_solve="Solve"),
    **_same("core", {"num": "num", "axis": "axis"}, axis=0)(unstack="Unstack"),
    **_same("core", {})(stop_gradient="StopGradient"),
    **_same("math", {"k": "k", "sorted": "sorted"}, k=1)(math_of_top_k="TopK"),
    **_same("nn", {"depth": "num_classes", "axis": "axis", "dtype": "dtype"}, axis=-1, dtype="float32")(
        one_hot="OneHot"
    ),
    **_same("nn", {"block_size": "block_size"}, data_format="channels_last")(
        nn_of_depth_to_space="DepthToSpace", nn_of_space_to_depth="SpaceToDepth"
    ),
    **_same("numpy", {"ids": "indices"}, axis=0)(compat_of_v1_of_nn_of_embedding_lookup="Take"),
    **_same("image", {}, data_format="channels_last")(image_of_rgb_to_grayscale="RGBToGrayscale"),
    **_same("image", {"size": "size", "method": "interpolation"}, data_format="channels_last")(
        image_of_resize="Resize"
    ),
}
# What these say by default, so that they may be there.
PLAIN = {
    "conjugate": False,
    "adjoint": False,
    "adjoint_a": False,
    "adjoint_b": False,
    "a_is_sparse": False,
    "b_is_sparse": False,
    "transpose_a": False,
    "transpose_b": False,
    "batch_dims": 0,
    "out_type": "int64",
    "exclusive": False,
    "reverse": False,
    "direction": "ASCENDING",
    "stable": False,
    "data_format": "NHWC",
    "partition_strategy": "div",
    "validate_indices": True,
    "optimize": True,
    "on_value": 1.0,
    "off_value": 0.0,
}
TRANSPOSED = {
    (False, True): "...ij,...kj->...ik",
    (True, False): "...ji,...jk->...ik",
    (True, True): "...ji,...kj->...ik",
}


ROOMS = ("numpy", "nn", "core", "math", "linalg", "image")


def keras_operation_entry(layer):
    """Return the entry of an operation of Keras 3 with its module, which these files leave out; else `None`.

    A layer of the same name, such as `Add`, says whether it is trained.
    """
    config, nodes = layer["config"], layer.get("inbound_nodes")
    if "module" in layer or not isinstance(config, dict) or "trainable" in config:
        return None
    if not nodes or not isinstance(nodes[0], dict) or "args" not in nodes[0]:
        return None
    places = (f"keras.src.ops.{room}" for room in ROOMS)
    module = next((place for place in places if find_operation(place, layer["class_name"])), None)
    return None if module is None else {**layer, "module": module, "registered_name": layer["class_name"]}


def runs_recipe(layer, of_sizes):
    """Whether the operation of a layer runs by a recipe, not as one operation of Keras 3."""
    config = layer["config"]
    return of_sizes or (isinstance(config, dict) and "name" in config and config.get("function") in RECIPES)


def operation_entry(layer, keywords, of_sizes=False):
    """Return the entry of the operation that a layer of a graph runs, `None` where it is a real layer.

    Args:
        layer: The layer's entry.
        keywords: The arguments by name of its call.
        of_sizes: Whether an argument comes from `tf.shape`, or an index goes backwards.

    Raises:
        ValueError: an operation, or an argument of one, that has no counterpart here.
    """
    if layer["class_name"] not in LAYERS:
        return None
    if runs_recipe(layer, of_sizes):
        entry = recipe_entry(layer, of_sizes)
        if find_recipe(entry) is None:
            raise ValueError(refusal(layer["config"], entry["class_name"], " on the result of `tf.shape`"))
        return entry
    translation, arguments = _translated(layer, keywords)
    module = f"keras.src.ops.{translation.room}"
    info = find_operation(module, translation.kind).operation
    settings = {name: arguments[name] for name in info.settings if name in arguments}
    return {
        "module": module,
        "class_name": translation.kind,
        "config": {"name": layer["config"]["name"], **settings},
        "registered_name": translation.kind,
    }


def operation_call(layer, first, keywords, of_sizes=False):
    """Return the positional arguments and those by name of a call of such a layer, without its settings.

    Args:
        layer: The layer's entry.
        first: The first argument.
        keywords: The arguments by name.
        of_sizes: Whether an argument comes from `tf.shape`, or an index goes backwards.
    """
    if runs_recipe(layer, of_sizes):
        return [first], keywords
    translation, arguments = _translated(layer, keywords)
    info = find_operation(f"keras.src.ops.{translation.room}", translation.kind).operation
    if translation.kind != "GetItem":
        first, arguments = _constant(first), {key: _constant(value) for key, value in arguments.items()}
    if info.takes_any:
        return [first, arguments["x2"]], {}
    args, others = [first], [name for name in info.parameters[1:] if name in arguments]
    while others and others[0] in info.called and info.parameters[len(args)] == others[0]:
        args.append(arguments[others.pop(0)])
    return args, {name: arguments[name] for name in others if name in info.called}


def _constant(value):
    """Return an argument with a list of numbers as an array, which is what Keras 3 takes for a tensor."""
    leaves = nested.flatten(value) if isinstance(value, list) else ()
    if not leaves or not all(isinstance(leaf, (bool, int, float)) for leaf in leaves):
        return value
    kind = next(kind for kind in (float, int, bool) if any(type(leaf) is kind for leaf in leaves))
    dtype = {float: "float32", int: "int32", bool: "bool"}[kind]
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": dtype}}


def _translated(layer, keywords):
    """Return the translation of a layer's operation, and its arguments under our names."""
    config = layer["config"] if isinstance(layer["config"], dict) else {}
    name = config.get("function")
    if layer["class_name"] == "SlicingOpLambda" and name is None:
        name = "__operators__.getitem"
    if not isinstance(name, str) or name not in OPERATIONS or "name" not in config:
        what = name if isinstance(name, str) else config.get("node_def", layer["class_name"])
        raise ValueError(refusal(config, what, f"; known are {sorted(OPERATIONS)}"))
    translation = OPERATIONS[name]
    arguments = dict(translation.given)
    for key, value in keywords.items():
        if key in translation.names and (value is not None or key == "axis"):
            arguments[translation.names[key]] = value
        elif (
            value is not None
            and key not in ("name", "transpose_a", "transpose_b")
            and PLAIN.get(key) != value
        ):
            raise ValueError(refusal(config, name, f" with {key}={value!r}"))
    change = CHANGES.get(translation.kind)
    if change is not None:
        change(arguments)
    pair = keywords.get("transpose_a", False), keywords.get("transpose_b", False)
    if pair in TRANSPOSED:
        translation = translation._replace(kind="Einsum")
        arguments["subscripts"] = TRANSPOSED[pair]
    return translation, arguments


def _key(arguments):
    """Put slices in today's form; one alone goes into a tuple, which Keras needs."""

    def part(value):
        if isinstance(value, dict) and set(value) == {"start", "stop", "step"}:
            return {"class_name": "__slice__", "config": value}
        return value

    key = arguments["key"]
    key = [key] if isinstance(key, dict) else key
    arguments["key"] = [part(value) for value in key] if isinstance(key, list) else part(key)


def _sections(arguments):
    """Turn sizes into the places between them."""
    sizes = arguments["indices_or_sections"]
    if isinstance(sizes, list):
        arguments["indices_or_sections"] = list(itertools.accumulate(sizes))[:-1]


def _padding(arguments):
    arguments["mode"] = str(arguments.get("mode", "CONSTANT")).lower()
    if arguments["mode"] != "constant":
        arguments.pop("constant_values", None)


CHANGES = {"GetItem": _key, "Split": _sections, "Pad": _padding}
