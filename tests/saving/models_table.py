"""Models that go through files in both directions, each a function of the package that makes it."""

import keras
import numpy as np

import torchkeras_lite
from cases import ATTENTION, CONVOLUTION, CORE, NORMALIZATION, POOLING, RECURRENT

CASES = [*CORE, *CONVOLUTION, *POOLING, *NORMALIZATION, *ATTENTION, *RECURRENT]
FEW = [case for i, case in enumerate(CASES) if sum(case.name == c.name for c in CASES[:i]) < 2]
# Keras computes these differently, see the tests of the layer.
DIFFERENT = ("AveragePooling3D(pool_size=(1, 2, 3), padding=same)-(2, 4, 5, 4, 3)",)


def _case_model(case):
    """Return a function of a package that makes a model of one layer of `tests/cases.py`."""
    several = isinstance(case.shape[0], tuple)
    shapes = case.shape if several else (case.shape,)

    def build(k):
        inputs = [k.Input(shape[1:], dtype="int32" if case.ints else "float32") for shape in shapes]
        layer = case.make(k.layers)
        given = inputs if several else inputs[0]
        return k.Model(given, layer(*inputs) if case.spread else layer(given))

    return build, shapes, case.ints


def sequential(k):
    return k.Sequential([k.Input((5,)), k.layers.Dense(4, "relu"), k.layers.Dense(3, "softmax", name="last")])


def many_of_one_class(k):
    return k.Sequential([k.Input((5,)), *(k.layers.Dense(3) for _ in range(12))])


def nested_models(k):
    inner = k.Sequential([k.Input((5,)), k.layers.Dense(4), k.layers.BatchNormalization()])
    x = k.Input((5,))
    graph = k.Model(x, k.layers.Dense(4, "tanh")(x), name="graph")
    i = k.Input((5,))
    return k.Model(i, k.layers.Concatenate()([inner(i), graph(i), graph(i)]))


def models_called_again(k):
    def graph(name):
        i = k.Input((5,))
        return k.Model(i, k.layers.Dense(5, "tanh")(i), name=name)

    def stack(name):
        return k.Sequential([k.Input((5,)), k.layers.Dense(5)], name=name)

    j, inner, layers = k.Input((5,)), graph("inner"), stack("layers_inside")
    outer = k.Model(j, [inner(j), layers(inner(j)), inner(layers(j))], name="outer")
    x, one, other = k.Input((5,)), graph("one"), stack("other")
    first, second, third = outer(x)
    return k.Model(x, [one(one(x)), other(first), other(other(second)), *outer(third), one(x)])


def deep_nesting(k):
    model = k.Sequential([k.Input((5,)), k.layers.Dense(5)])
    for _ in range(6):
        model = k.Sequential([k.Input((5,)), model, k.layers.Dense(5)])
    return model


def shared_layer(k):
    a, b = k.Input((5,), name="a"), k.Input((5,), name="b")
    dense = k.layers.Dense(3)
    return k.Model([a, b], k.layers.Add()([dense(a), dense(b), dense(a)]))


def shared_inner_layer(k):
    dense = k.layers.Dense(3)
    i = k.Input((4, 5))
    x = k.layers.TimeDistributed(dense)(i)
    return k.Model(i, k.layers.Add()([x, k.layers.TimeDistributed(dense)(i)]))


def two_outputs(k):
    i = k.Input((5,))
    x = k.layers.Dense(4, activation="gelu")(i)
    return k.Model(i, [k.layers.Dense(1, name="first")(x), k.layers.Dense(2, name="second")(x)])


def dict_of_outputs(k):
    i = {"p": k.Input((5,), name="p"), "q": k.Input((3,), name="q")}
    x = k.layers.Concatenate()([i["p"], i["q"]])
    return k.Model(i, {"u": k.layers.Dense(2)(x), "v": k.layers.Dense(1)(x)})


def wrapped(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((6, 4)),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode="sum"),
            layers.TimeDistributed(layers.Dense(4, "relu", kernel_regularizer="l2")),
            layers.Bidirectional(layers.GRU(2)),
        ]
    )


def stacked_cells(k):
    cells = [k.layers.LSTMCell(3), k.layers.GRUCell(3), k.layers.LSTMCell(2), k.layers.SimpleRNNCell(2)]
    return k.Sequential([k.Input((6, 4)), k.layers.RNN(cells)])


def attention(k):
    i = k.Input((6, 4))
    x = k.layers.MultiHeadAttention(2, 3, value_dim=2, dropout=0.1)(i, i, use_causal_mask=True)
    x = k.layers.GroupQueryAttention(2, 4, 2)(x, i)
    return k.Model(i, k.layers.LayerNormalization()(k.layers.Add()([x, i])))


def image_net(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, padding="same", use_bias=False, kernel_initializer="he_normal"),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(6.0),
            layers.SeparableConv2D(4, 3, strides=2),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.3, seed=3),
            layers.Dense(3, activation="softmax", bias_constraint="non_neg"),
        ]
    )


def text_net(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((7,), dtype="int32"),
            layers.Embedding(10, 4, mask_zero=True),
            layers.LSTM(3, recurrent_dropout=0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def residual(k):
    i = k.Input((5,))
    x = i
    for _ in range(3):
        x = k.layers.Add()([x, k.layers.Dense(5, "selu", kernel_initializer="lecun_normal")(x)])
    return k.Model(i, x)


def frozen(k):
    model = sequential(k)
    model.layers[0].trainable = False
    return model


def half_precision(k):
    i = k.Input((5,), dtype="float32")
    x = k.layers.Dense(4, dtype="mixed_bfloat16")(i)
    return k.Model(i, k.layers.Dense(2, dtype="float32")(x))


def stored_in_bfloat16(k):
    i = k.Input((5,), dtype="float32")
    return k.Model(i, k.layers.Dense(2, dtype="float32")(k.layers.Dense(4, dtype="bfloat16")(i)))


def initializers_and_regularizers(k):
    dense = k.layers.Dense(
        4,
        kernel_initializer=k.initializers.VarianceScaling(2.0, "fan_out", "uniform", seed=5),
        kernel_regularizer=k.regularizers.L1L2(0.01, 0.02),
        kernel_constraint=k.constraints.MaxNorm(2.0),
        bias_initializer=k.initializers.Constant(0.5),
        activation=k.activations.swish,
        activity_regularizer="l2",
    )
    return k.Sequential([k.Input((5,)), dense, k.layers.Activation("log_softmax")])


ONE, INTS = ((3, 5),), ((3, 7),)
TOPOLOGIES = {
    "sequential": (sequential, ONE),
    "many_of_one_class": (many_of_one_class, ONE),
    "nested_models": (nested_models, ONE),
    "deep_nesting": (deep_nesting, ONE),
    "models_called_again": (models_called_again, ONE),
    "shared_layer": (shared_layer, ((3, 5), (3, 5))),
    "two_outputs": (two_outputs, ONE),
    "dict_of_outputs": (dict_of_outputs, {"p": (3, 5), "q": (3, 3)}),
    "wrapped": (wrapped, ((2, 6, 4),)),
    "stacked_cells": (stacked_cells, ((2, 6, 4),)),
    "attention": (attention, ((2, 6, 4),)),
    "image_net": (image_net, ((2, 8, 8, 3),)),
    "text_net": (text_net, INTS),
    "residual": (residual, ONE),
    "frozen": (frozen, ONE),
    "half_precision": (half_precision, ONE),
    "stored_in_bfloat16": (stored_in_bfloat16, ONE),
    "initializers_and_regularizers": (initializers_and_regularizers, ONE),
}
MODELS = {name: (build, shapes, name == "text_net") for name, (build, shapes) in TOPOLOGIES.items()}
MODELS |= {str(case): _case_model(case) for case in FEW if str(case) not in DIFFERENT}


def inputs_for(shapes, ints, rng):
    """Return inputs for a model: an array, or a list or dict of them."""

    def one(shape):
        return rng.integers(0, 7, shape).astype("int32") if ints else rng.normal(size=shape).astype("float32")

    if isinstance(shapes, dict):
        return {key: one(shape) for key, shape in shapes.items()}
    arrays = [one(shape) for shape in shapes]
    return arrays[0] if len(arrays) == 1 else arrays


def outputs_of(model, x):
    """Return the flat outputs of a model of either package as arrays."""
    package = keras if isinstance(model, keras.Model) else torchkeras_lite
    outputs = model(package.tree.map_structure(lambda a: keras.ops.convert_to_tensor(a), x))
    return [np.asarray(t.detach().float()) for t in package.tree.flatten(outputs)]


def randomize(model, rng):
    """Give the weights of a Keras model values that are not their initial ones."""
    model.set_weights([np.asarray(w) + rng.uniform(0.01, 0.3, w.shape) for w in model.get_weights()])
