"""Files as Keras 2 and tf.keras wrote them, made by hand: `model_config` in the words of their time."""

import json

import h5py
import numpy as np


def write_keras2(path, config, layers, training=None, optimizer=None):
    """Write a whole model.

    Args:
        path: Path of the file.
        config: The `model_config`, `None` for weights alone.
        layers: Mapping of layer names to lists of `(weight name, array)`.
        training: The `training_config`.
        optimizer: List of `(name, array)`.
    """
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = b"2.2.4", b"tensorflow"
        if config is not None:
            file.attrs["model_config"] = json.dumps(config).encode()
        if training is not None:
            file.attrs["training_config"] = json.dumps(training).encode()
        group = file if config is None else file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in layers]
        for name, values in layers.items():
            _write(group.create_group(name), values)
        if optimizer is not None:
            _write(file.create_group("optimizer_weights"), optimizer)


def _write(group, values):
    group.attrs["weight_names"] = [name.encode() for name, _ in values]
    for name, array in values:
        group.create_dataset(name, data=np.asarray(array))


GLOROT = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
}
ZEROS = {"class_name": "Zeros", "config": {"dtype": "float32"}}


def layer(class_name, name, **config):
    """Return the entry of a layer."""
    return {"class_name": class_name, "config": {"name": name, "trainable": True, **config}}


def dense(name, units, activation="linear", **config):
    """Return the entry of a `Dense` with all that Keras 2 wrote for it."""
    return layer(
        "Dense",
        name,
        units=units,
        activation=activation,
        use_bias=True,
        kernel_initializer=GLOROT,
        bias_initializer=ZEROS,
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **config,
    )


def recurrent(class_name, name, units, **config):
    """Return the entry of an `LSTM` or `GRU`."""
    return layer(
        class_name,
        name,
        **{
            "units": units,
            "return_sequences": False,
            "return_state": False,
            "go_backwards": False,
            "stateful": False,
            "unroll": False,
            "time_major": False,
            "activation": "tanh",
            "recurrent_activation": "hard_sigmoid",
            "use_bias": True,
            "kernel_initializer": GLOROT,
            "recurrent_initializer": {"class_name": "Orthogonal", "config": {"gain": 1.0, "seed": None}},
            "bias_initializer": ZEROS,
            "dropout": 0.0,
            "recurrent_dropout": 0.0,
            "implementation": 1,
            **config,
        },
    )


def in_graph(entry, *nodes):
    """Return the entry of a layer in a graph, with its calls."""
    return {**entry, "name": entry["config"]["name"], "inbound_nodes": list(nodes)}


def graph(layers, inputs, outputs, class_name="Model", name="model_1"):
    """Return the config of a model that is a graph."""
    config = {"name": name, "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": class_name, "config": config}


def input_entry(name, *shape, dtype="float32"):
    """Return the entry of an `InputLayer` in a graph."""
    config = {
        "batch_input_shape": [None, *shape],
        "dtype": dtype,
        "sparse": False,
        "ragged": False,
        "name": name,
    }
    return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}
