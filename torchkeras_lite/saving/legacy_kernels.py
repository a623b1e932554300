"""Layers of class `TensorFlowOpLayer`, of tf.keras 2.0 to 2.3, and of later ones without eager execution.

They hold a node of TensorFlow's graph: the name of a kernel, its attributes, and the inputs that are
constants.
Here they become `TFOpLambda`s, the form of later versions.
"""

import base64
import json

LAYER = "TensorFlowOpLayer"
CONSTANT = "_CONSTANT_VALUE"
_ONE = {
    "math": "Abs Exp Log Log1p Sqrt Rsqrt Square Sign Floor Ceil Round Rint Sin Cos Tan Tanh Sigmoid "
    "Softplus Erf Reciprocal Expm1 Sinh Cosh Asin Acos Atan Erfinv",
    "nn": "Relu Relu6 Elu Selu Softmax Softsign",
}
_TWO = "Mul:multiply Add:add AddV2:add Sub:subtract RealDiv:truediv Div:truediv FloorDiv:floordiv "
_TWO += "FloorMod:floormod Maximum:maximum Minimum:minimum Pow:pow SquaredDifference:squared_difference "
_TWO += "Greater:greater GreaterEqual:greater_equal Less:less LessEqual:less_equal Equal:equal "
_TWO += "NotEqual:not_equal LogicalAnd:logical_and LogicalOr:logical_or DivNoNan:divide_no_nan Xlogy:xlogy"
_REDUCE = "Mean:mean Sum:sum Max:max Min:min Prod:prod Any:any All:all"
# Kernel: the operation, the names of inputs behind the first, the attributes that are arguments.
KERNELS = {
    **{
        kernel: (f"{room}.{kernel.lower()}", (), {})
        for room, names in _ONE.items()
        for kernel in names.split()
    },
    **{kernel: (f"math.{name}", ("y",), {}) for kernel, name in (pair.split(":") for pair in _TWO.split())},
    **{
        kernel: (f"math.reduce_{name}", ("axis",), {"keep_dims": "keepdims"})
        for kernel, name in (pair.split(":") for pair in _REDUCE.split())
    },
    "Neg": ("math.negative", (), {}),
    "LogicalNot": ("math.logical_not", (), {}),
    "LogSoftmax": ("nn.log_softmax", (), {}),
    "LeakyRelu": ("nn.leaky_relu", (), {"alpha": "alpha"}),
    "IsNan": ("math.is_nan", (), {}),
    "IsInf": ("math.is_inf", (), {}),
    "IsFinite": ("math.is_finite", (), {}),
    "Identity": ("identity", (), {}),
    "StopGradient": ("stop_gradient", (), {}),
    "ZerosLike": ("zeros_like", (), {}),
    "OnesLike": ("ones_like", (), {}),
    "Shape": ("shape", (), {}),
    "BiasAdd": ("nn.bias_add", ("bias",), {}),
    "Reshape": ("reshape", ("shape",), {}),
    "Transpose": ("transpose", ("perm",), {}),
    "ExpandDims": ("expand_dims", ("axis",), {}),
    "Squeeze": ("squeeze", (), {"squeeze_dims": "axis"}),
    "Tile": ("tile", ("multiples",), {}),
    "Pad": ("pad", ("paddings",), {}),
    "GatherV2": ("gather", ("indices", "axis"), {}),
    "ArgMax": ("math.argmax", ("axis",), {}),
    "ArgMin": ("math.argmin", ("axis",), {}),
    "Cumsum": ("math.cumsum", ("axis",), {"exclusive": "exclusive", "reverse": "reverse"}),
    "SelectV2": ("where", ("x", "y"), {}),
    "Select": ("where", ("x", "y"), {}),
    "ClipByValue": ("clip_by_value", ("clip_value_min", "clip_value_max"), {}),
    "Cast": ("cast", (), {"DstT": "dtype"}),
    "MatMul": ("linalg.matmul", ("b",), {"transpose_a": "transpose_a", "transpose_b": "transpose_b"}),
    **dict.fromkeys(
        ("BatchMatMul", "BatchMatMulV2"),
        ("linalg.matmul", ("b",), {"adj_x": "transpose_a", "adj_y": "transpose_b"}),
    ),
    "Unpack": ("unstack", (), {"axis": "axis", "num": "num"}),
    "StridedSlice": ("__operators__.getitem", ("begin", "end", "strides"), {}),
    "ConcatV2": ("concat", None, {}),
    "Pack": ("stack", None, {"axis": "axis"}),
    "AddN": ("math.add_n", None, {}),
    "Einsum": ("einsum", None, {"equation": "equation"}),
}
TYPES = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16", "DT_BFLOAT16": "bfloat16"}


def as_lambda(layer):
    """Return the entry of a `TensorFlowOpLayer` as one of a `TFOpLambda`; other layers, and kernels that are
    not known, as they are.
    """
    config = layer.get("config")
    if layer.get("class_name") != LAYER or not isinstance(config, dict):
        return layer
    node = _node(config.get("node_def"))
    if node.get("op") not in KERNELS or not isinstance(layer.get("inbound_nodes"), list):
        return {**layer, "config": {**config, "node_def": node.get("op", "of an unknown form")}}
    function, names, attributes = KERNELS[node["op"]]
    given = {
        argument: _attribute(node.get("attr", {}).get(key))
        for key, argument in attributes.items()
        if key in node.get("attr", {})
    }
    calls = [_call(node, names, given, _inputs(call, config)) for call in layer["inbound_nodes"]]
    name = config.get("name", layer.get("name"))
    changed = {"name": name, "function": function}
    return {**layer, "class_name": "TFOpLambda", "config": changed, "inbound_nodes": calls}


def _node(value):
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def _attribute(value):
    """Return an attribute of a kernel, `{"i": "2"}`, as a plain value."""
    kind, inner = next(iter(value.items())) if isinstance(value, dict) and value else (None, None)
    if kind == "i":
        return int(inner)
    if kind == "s":
        return base64.b64decode(inner).decode()
    if kind == "type":
        return TYPES.get(inner, str(inner).removeprefix("DT_").lower())
    if kind == "list":
        return [int(part) for part in inner.get("i", ())] or None
    return inner


def _inputs(call, config):
    """Return the inputs of a call in their order, the places of tensors and the constants."""
    constants = {int(key): _plain(value) for key, value in (config.get("constants") or {}).items()}
    places = [place[:3] for place in ([call] if call and isinstance(call[0], str) else call)]
    merged, waiting = [], iter(places)
    for index in range(len(constants) + len(places)):
        merged.append([CONSTANT, -1, constants[index]] if index in constants else next(waiting))
    return merged


def _plain(value):
    return (
        value["config"]["value"]
        if isinstance(value, dict) and value.get("class_name") == "__numpy__"
        else value
    )


def _call(node, names, given, inputs):
    if node["op"] == "ConcatV2":
        *inputs, axis = inputs
        given = {"axis": axis[2]}
    if names is None:
        return [[*part, given if index == 0 else {}] for index, part in enumerate(inputs)]
    first, *others = inputs
    values = [part[2] if part[0] == CONSTANT else part for part in others]
    given = {**dict(zip(names, values, strict=False)), **given}
    if node["op"] == "StridedSlice":
        given = {"slice_spec": _slices(node.get("attr", {}), **given)}
    return [*first, given]


def _slices(attributes, begin, end, strides):
    """Return the parts of an index that a `StridedSlice` with its bit masks stands for."""
    masks = {
        kind: _attribute(attributes.get(f"{kind}_mask")) or 0
        for kind in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    parts = []
    for place, (start, stop, step) in enumerate(zip(begin, end, strides, strict=True)):
        has = {kind for kind, mask in masks.items() if mask >> place & 1}
        if "ellipsis" in has:
            parts.append({"class_name": "__ellipsis__"})
        elif "new_axis" in has:
            parts.append(None)
        elif "shrink_axis" in has:
            parts.append(start)
        else:
            ends = {"start": None if "begin" in has else start, "stop": None if "end" in has else stop}
            parts.append({**ends, "step": step})
    return parts
