"""Operations of TensorFlow that tf.keras 2.4 and later wrote into graphs as layers."""

from torchkeras_lite.engine.operation import find_operation

ARITHMETIC = {
    "__operators__.add": "Add",
    "math.add": "Add",
    "math.subtract": "Subtract",
    "math.multiply": "Multiply",
    "math.truediv": "TrueDivide",
    "math.divide": "TrueDivide",
    "math.maximum": "Maximum",
    "math.minimum": "Minimum",
    "math.pow": "Power",
    "math.abs": "Absolute",
    "math.exp": "Exp",
    "math.log": "Log",
    "math.negative": "Negative",
    "math.sqrt": "Sqrt",
    "math.square": "Square",
    "math.tanh": "Tanh",
    "nn.tanh": "Tanh",
}
ACTIVATIONS = {
    "nn.relu": "Relu",
    "nn.relu6": "Relu6",
    "nn.sigmoid": "Sigmoid",
    "math.sigmoid": "Sigmoid",
    "nn.silu": "Silu",
    "nn.softplus": "Softplus",
}
OPERATIONS = {
    **{name: ("keras.src.ops.numpy", kind) for name, kind in ARITHMETIC.items()},
    **{name: ("keras.src.ops.nn", kind) for name, kind in ACTIVATIONS.items()},
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


def operation_entry(layer):
    """Return the entry of the operation that a layer of a graph runs, `None` where it is a real layer.

    Raises:
        ValueError: an operation that has no counterpart here.
    """
    if layer["class_name"] not in ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"):
        return None
    config = layer["config"] if isinstance(layer["config"], dict) else {}
    name = config.get("function")
    if layer["class_name"] != "TFOpLambda" or not isinstance(name, str) or name not in OPERATIONS:
        what = name if isinstance(name, str) else config.get("node_def", layer["class_name"])
        raise ValueError(
            f"The layer '{config.get('name')}' runs TensorFlow's operation {str(what)[:60]!r}, which cannot "
            f"be read here; known are {sorted(OPERATIONS)}. Make the model in code, with the operations of "
            "`keras.ops`, and read its weights with `load_weights`."
        )
    module, kind = OPERATIONS[name]
    return {"module": module, "class_name": kind, "config": {"name": config["name"]}, "registered_name": kind}
