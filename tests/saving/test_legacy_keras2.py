"""`.h5` files in the words of Keras 2 and tf.keras, made by hand, against the same model in real Keras."""

import json

import keras
import numpy as np
import pytest

import torchkeras_lite
from saving.keras2_files import dense, graph, in_graph, input_entry, layer, recurrent, write_keras2
from torchkeras_lite.models import load_model

K3 = keras.layers


def named(model, suffix=":0"):
    """Return the weights of a real Keras model by layers, as Keras 2 named them."""
    return {
        one.name: [
            (f"{one.name}/{weight.path.split('/', 1)[-1]}{suffix}", np.asarray(weight))
            for weight in one.weights
        ]
        for one in model.layers
    }


def randomized(model, rng):
    model.set_weights([rng.normal(size=w.shape).astype("float32") * 0.3 for w in model.get_weights()])
    return model


def assert_same(path, theirs, x):
    ours = load_model(path, compile=False)
    got, wanted = ours.predict(x, verbose=0), theirs.predict(x, verbose=0)
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)
    again = str(path).replace(".h5", ".keras")
    ours.save(again)
    np.testing.assert_allclose(load_model(again).predict(x, verbose=0), wanted, rtol=1e-5, atol=1e-5)
    return ours


def test_a_sequential_of_keras_2_0_is_a_list_with_the_input_in_its_first_layer(tmp_path, rng):
    theirs = randomized(
        keras.Sequential([keras.Input((5,)), K3.Dense(4, "relu", name="d1"), K3.Dense(2, name="d2")]), rng
    )
    config = {
        "class_name": "Sequential",
        "config": [
            dense("d1", 4, "relu", batch_input_shape=[None, 5], dtype="float32"),
            dense("d2", 2),
        ],
    }
    write_keras2(tmp_path / "m.h5", config, named(theirs))
    ours = assert_same(tmp_path / "m.h5", theirs, rng.normal(size=(3, 5)).astype("float32"))
    assert ours.input_shape == (None, 5)


def convolutions(rng):
    theirs = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            K3.Conv2D(4, 3, name="c"),
            K3.BatchNormalization(name="b"),
            K3.LeakyReLU(0.2, name="l"),
            K3.SeparableConv2D(4, 3, name="s"),
            K3.DepthwiseConv2D(3, name="dw"),
            K3.Conv2DTranspose(3, 2, name="t"),
            K3.ReLU(threshold=0.1, name="r"),
            K3.Flatten(name="f"),
        ]
    )
    both = {"padding": "valid", "data_format": "channels_last", "dilation_rate": [1, 1], "strides": [1, 1]}
    old = {
        **both,
        "groups": 1,
        "kernel_initializer": None,
        "kernel_regularizer": None,
        "kernel_constraint": None,
    }
    config = [
        input_entry("i", 8, 8, 3),
        layer("Conv2D", "c", filters=4, kernel_size=[3, 3], **both, groups=1),
        layer("BatchNormalizationV1", "b", axis=[3], momentum=0.99, epsilon=0.001, center=True, scale=True),
        layer("LeakyReLU", "l", alpha=0.2),
        layer("SeparableConv2D", "s", filters=4, kernel_size=[3, 3], depth_multiplier=1, **old),
        layer("DepthwiseConv2D", "dw", kernel_size=[3, 3], depth_multiplier=1, **old),
        layer("Conv2DTranspose", "t", filters=3, kernel_size=[2, 2], **both, groups=1, output_padding=None),
        layer("ThresholdedReLU", "r", theta=0.1),
        layer("Flatten", "f", data_format="channels_last"),
    ]
    return theirs, config, rng.normal(size=(2, 8, 8, 3)).astype("float32")


def old_gru(rng):
    theirs = keras.Sequential(
        [keras.Input((6, 3)), K3.GRU(4, reset_after=False, recurrent_activation="hard_sigmoid", name="g")]
    )
    entry = recurrent("GRU", "g", 4, batch_input_shape=[None, 6, 3])
    return theirs, [entry], rng.normal(size=(2, 6, 3)).astype("float32")


def embedded_lstm(rng):
    theirs = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            K3.Embedding(9, 3, mask_zero=True, name="e"),
            K3.Bidirectional(K3.LSTM(4, recurrent_activation="hard_sigmoid", name="lstm_1"), name="bi"),
        ]
    )
    config = [
        layer(
            "Embedding",
            "e",
            batch_input_shape=[None, 6],
            dtype="float32",
            input_dim=9,
            output_dim=3,
            embeddings_initializer={
                "class_name": "RandomUniform",
                "config": {"minval": 0, "maxval": 1, "seed": None},
            },
            mask_zero=True,
            input_length=6,
        ),
        layer("Bidirectional", "bi", layer=recurrent("LSTM", "lstm_1", 4), merge_mode="concat"),
    ]
    return theirs, config, rng.integers(0, 9, (2, 6)).astype("int32")


def distributed(rng):
    theirs = keras.Sequential([keras.Input((4, 3)), K3.TimeDistributed(K3.Dense(2, name="d"), name="td")])
    config = [layer("TimeDistributed", "td", batch_input_shape=[None, 4, 3], layer=dense("d", 2))]
    return theirs, config, rng.normal(size=(2, 4, 3)).astype("float32")


def policies(rng):
    theirs = keras.Sequential([keras.Input((3,)), K3.Dense(2, name="d")])
    policy = {"class_name": "Policy", "config": {"name": "float32"}}
    config = [dense("d", 2, batch_input_shape=[None, 3], dtype=policy)]
    return theirs, config, rng.normal(size=(2, 3)).astype("float32")


STACKS = [convolutions, old_gru, embedded_lstm, distributed, policies]


@pytest.mark.parametrize("make", STACKS, ids=lambda make: make.__name__)
def test_stacks_of_old_layers(make, tmp_path, rng):
    theirs, layers, x = make(rng)
    randomized(theirs, rng)
    for weight in theirs.weights:
        if "variance" in weight.path:
            weight.assign(np.abs(np.asarray(weight)) + 0.1)
    write_keras2(
        tmp_path / "m.h5",
        {"class_name": "Sequential", "config": {"name": "s", "layers": layers}},
        named(theirs),
    )
    assert_same(tmp_path / "m.h5", theirs, x)


def test_a_graph_with_shared_and_nested_models_in_list_form(tmp_path, rng):
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = K3.Dense(3, name="shared")
    inner_input = keras.Input((3,), name="inner_input")
    inner = keras.Model(inner_input, K3.Dense(2, name="d")(inner_input), name="inner")
    joined = K3.Concatenate(name="joined")([inner(shared(a)), inner(shared(b))])
    theirs = randomized(keras.Model([a, b], [joined, K3.Dense(1, name="last")(joined)]), rng)
    inner_config = graph(
        [input_entry("inner_input", 3), in_graph(dense("d", 2), [["inner_input", 0, 0, {}]])],
        [["inner_input", 0, 0]],
        [["d", 0, 0]],
        name="inner",
    )
    config = graph(
        [
            input_entry("a", 4),
            input_entry("b", 4),
            in_graph(dense("shared", 3), [["a", 0, 0, {}]], [["b", 0, 0, {}]]),
            # Keras 2 counts the making of `inner` as its call 0.
            in_graph(inner_config, [["shared", 0, 0, {}]], [["shared", 1, 0, {}]]),
            in_graph(layer("Concatenate", "joined", axis=-1), [["inner", 1, 0, {}], ["inner", 2, 0, {}]]),
            in_graph(dense("last", 1), [["joined", 0, 0, {}]]),
        ],
        [["a", 0, 0], ["b", 0, 0]],
        [["joined", 0, 0], ["last", 0, 0]],
    )
    write_keras2(tmp_path / "m.h5", config, named(theirs))
    ours = load_model(tmp_path / "m.h5", compile=False)
    x = [rng.normal(size=(2, 4)).astype("float32") for _ in range(2)]
    for mine, his in zip(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), strict=True):
        np.testing.assert_allclose(mine, his, rtol=1e-5, atol=1e-6)


def test_arithmetic_of_tensorflow_and_arguments_by_name(tmp_path, rng):
    x = keras.Input((5, 4), name="x")
    attended = K3.MultiHeadAttention(2, 3, name="att")(x, value=x)
    theirs = randomized(keras.Model(x, keras.ops.multiply(keras.ops.add(attended, x), 0.5)), rng)
    attention = layer(
        "MultiHeadAttention",
        "att",
        num_heads=2,
        key_dim=3,
        value_dim=3,
        dropout=0.0,
        use_bias=True,
        attention_axes=[1],
        query_shape=[None, 5, 4],
        key_shape=[None, 5, 4],
        value_shape=[None, 5, 4],
    )
    config = graph(
        [
            input_entry("x", 5, 4),
            in_graph(attention, [["x", 0, 0, {"value": ["x", 0, 0]}]]),
            in_graph(
                {"class_name": "TFOpLambda", "config": {"name": "tf.add", "function": "__operators__.add"}},
                ["att", 0, 0, {"y": ["x", 0, 0], "name": None}],
            ),
            in_graph(
                {"class_name": "TFOpLambda", "config": {"name": "tf.mul", "function": "math.multiply"}},
                ["tf.add", 0, 0, {"y": 0.5, "name": None}],
            ),
        ],
        ["x", 0, 0],
        [["tf.mul", 0, 0]],
        class_name="Functional",
    )
    write_keras2(tmp_path / "m.h5", config, named(theirs))
    assert_same(tmp_path / "m.h5", theirs, rng.normal(size=(2, 5, 4)).astype("float32"))


def test_an_operation_without_counterpart_is_named(tmp_path):
    config = graph(
        [
            input_entry("x", 5),
            in_graph(
                {"class_name": "TFOpLambda", "config": {"name": "tf.fft", "function": "signal.fft"}},
                ["x", 0, 0, {}],
            ),
        ],
        ["x", 0, 0],
        ["tf.fft", 0, 0],
    )
    write_keras2(tmp_path / "m.h5", config, {})
    with pytest.raises(ValueError, match=r"'tf.fft' runs TensorFlow's operation 'signal.fft'.*load_weights"):
        load_model(tmp_path / "m.h5")


def drawn(function, call):
    """Return the config of a model that draws: from an input `(1000,)`, and its shape at `sizes`."""
    sizes = {"class_name": "TFOpLambda", "config": {"name": "sizes", "function": "shape"}}
    entry = {"class_name": "TFOpLambda", "config": {"name": "drawn", "function": function}}
    layers = [input_entry("x", 1000), in_graph(sizes, ["x", 0, 0, {}]), in_graph(entry, call)]
    return graph(layers, ["x", 0, 0], ["drawn", 0, 0])


OF_SHAPE = ["sizes", 0, 0]
# With the mean, the deviation, the least and the largest of what is drawn for ones.
DRAWN = {
    "normal": ("random.normal", [*OF_SHAPE, {"mean": 2.0, "stddev": 3.0, "seed": 4}], 2, 3, -99, 99),
    "uniform": ("random.uniform", [*OF_SHAPE, {"minval": -1, "maxval": 2}], 0.5, 3 / 12**0.5, -1, 2),
    "integers": (
        "random.uniform",
        [*OF_SHAPE, {"minval": 1, "maxval": 4, "dtype": "int32"}],
        2.0,
        (2 / 3) ** 0.5,
        1,
        3,
    ),
    "truncated": ("random.truncated_normal", [*OF_SHAPE, {"stddev": 2.0}], 0, 2 * 0.8796, -4, 4),
    "stateless": ("random.stateless_normal", [*OF_SHAPE, {"seed": [1, 2]}], 0, 1, -99, 99),
    "dropout": ("nn.dropout", ["x", 0, 0, {"rate": 0.25}], 1, 3**-0.5, 0, 4 / 3),
    "categorical": ("random.categorical", ["x", 0, 0, {"num_samples": 900}], 499.5, 288.7, 0, 999),
}


@pytest.mark.parametrize("what", DRAWN)
def test_random_operations_draw_when_the_model_runs(what, tmp_path):
    function, call, mean, deviation, least, largest = DRAWN[what]
    write_keras2(tmp_path / "m.h5", drawn(function, call), {})
    model = load_model(tmp_path / "m.h5", compile=False)
    rows = 16 if what == "categorical" else 64
    x = np.ones((rows, 1000), "float32")
    first, second = (model.predict(x, verbose=0) for _ in range(2))
    assert first.shape == (rows, 900 if what == "categorical" else 1000)
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(first.mean(), mean, atol=0.02 * max(deviation, 1))
    np.testing.assert_allclose(first.std(), deviation, rtol=0.02)
    assert first.min() >= least
    assert first.max() <= largest + 1e-6
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras").predict(x, verbose=0)
    np.testing.assert_allclose(again.std(), deviation, rtol=0.02)
    theirs = keras.saving.load_model(tmp_path / "m.keras")  # which draws where `training` is not given
    assert theirs(x).shape == first.shape


def test_rows_are_shuffled(tmp_path):
    write_keras2(tmp_path / "m.h5", drawn("random.shuffle", ["x", 0, 0, {}]), {})
    model = load_model(tmp_path / "m.h5", compile=False)
    x = np.arange(50)[:, None] + np.zeros((1, 1000), "float32")
    found = model.predict(x, batch_size=50, verbose=0)[:, 0]
    assert sorted(found) == list(range(50))
    assert list(found) != list(range(50))


REFUSED = {
    "numbers that no shape gives": (
        {"class_name": "TFOpLambda", "config": {"name": "tf.normal", "function": "random.normal"}},
        ["_CONSTANT_VALUE", -1, [3, 4], {}],
        r"'tf.normal' runs TensorFlow's operation 'random.normal' \(of a shape that no tensor gives",
    ),
    "lost operands": (
        {"class_name": "TFOpLambda", "config": {"name": "tf.einsum", "function": "einsum"}},
        ["_CONSTANT_VALUE", -1, "ij,jk->ik", {}],
        r"'tf.einsum' runs TensorFlow's operation 'einsum' \(whose operands Keras 2 did not write",
    ),
    "an argument": (
        {"class_name": "TFOpLambda", "config": {"name": "tf.norm", "function": "norm"}},
        ["x", 0, 0, {"ord": 3}],
        r"'tf.norm' runs TensorFlow's operation 'norm' \(with ord=3",
    ),
    "a kernel": (
        {
            "class_name": "TensorFlowOpLayer",
            "config": {"name": "fft", "node_def": {"name": "fft", "op": "FFT"}, "constants": {}},
        },
        ["x", 0, 0, {}],
        r"'fft' runs TensorFlow's operation 'FFT'.*load_weights",
    ),
    "unknown sizes": (
        {"class_name": "TFOpLambda", "config": {"name": "tf.ones", "function": "fft"}},
        ["sizes", 0, 0, {}],
        r"runs TensorFlow's operation 'fft' on the result of `tf.shape`",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_operations_that_cannot_be_read_are_named(what, tmp_path):
    entry, call, message = REFUSED[what]
    sizes = {"class_name": "TFOpLambda", "config": {"name": "sizes", "function": "shape"}}
    name = entry["config"]["name"]
    layers = [input_entry("x", 5), in_graph(sizes, ["x", 0, 0, {}]), in_graph(entry, call)]
    write_keras2(tmp_path / "m.h5", graph(layers, ["x", 0, 0], [name, 0, 0]), {})
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path / "m.h5", compile=False)


def cudnn(kernel, gates):
    """Return a kernel as the CuDNN layers of Keras 2 kept it."""
    return np.concatenate([p.reshape(p.shape[::-1], order="F").T for p in np.split(kernel, gates, 1)], 1)


@pytest.mark.parametrize(("name", "gates"), [("LSTM", 4), ("GRU", 3)])
def test_cudnn_layers_become_plain_ones(name, gates, tmp_path, rng):
    theirs = randomized(keras.Sequential([keras.Input((6, 3)), getattr(K3, name)(4, name="r")]), rng)
    kernel, recurrent_kernel, bias = theirs.get_weights()
    halves = np.stack([bias * 0.25, bias * 0.75]) if name == "LSTM" else bias
    turned = np.concatenate([part.T for part in np.split(recurrent_kernel, gates, 1)], 1)
    stored = [
        ("r/kernel:0", cudnn(kernel, gates)),
        ("r/recurrent_kernel:0", turned),
        ("r/bias:0", halves.ravel()),
    ]
    entry = layer("CuDNN" + name, "r", units=4, return_sequences=False, batch_input_shape=[None, 6, 3])
    write_keras2(tmp_path / "m.h5", {"class_name": "Sequential", "config": [entry]}, {"r": stored})
    assert_same(tmp_path / "m.h5", theirs, rng.normal(size=(2, 6, 3)).astype("float32"))


def adam_slots(rng):
    shapes = [(3, 2), (2,)]
    return [rng.normal(size=s).astype("float32") for s in shapes], [
        np.abs(rng.normal(size=s)).astype("float32") for s in shapes
    ]


OPTIMIZERS = {
    # Keras 2 without TensorFlow: no names of slots, an empty third slot
    "keras_2_2": (
        {"lr": 0.01, "beta_1": 0.9, "beta_2": 0.999, "decay": 0.0, "epsilon": 1e-7, "amsgrad": False},
        lambda m, v: [
            ("Adam/iterations:0", np.int64(5)),
            ("training/Adam/Variable:0", m[0]),
            ("training/Adam/Variable_1:0", m[1]),
            ("training/Adam/Variable_2:0", v[0]),
            ("training/Adam/Variable_3:0", v[1]),
            ("training/Adam/Variable_4:0", np.zeros(1, "float32")),
            ("training/Adam/Variable_5:0", np.zeros(1, "float32")),
        ],
    ),
    "tf_2_4": (
        {
            "name": "Adam",
            "learning_rate": 0.01,
            "decay": 0.0,
            "beta_1": 0.9,
            "beta_2": 0.999,
            "epsilon": 1e-7,
        },
        lambda m, v: [
            ("Adam/iter:0", np.int64(5)),
            ("Adam/d/kernel/m:0", m[0]),
            ("Adam/d/bias/m:0", m[1]),
            ("Adam/d/kernel/v:0", v[0]),
            ("Adam/d/bias/v:0", v[1]),
        ],
    ),
    "tf_2_12": (
        {
            "name": "Adam",
            "weight_decay": None,
            "jit_compile": False,
            "is_legacy_optimizer": False,
            "learning_rate": 0.01,
        },
        lambda m, v: [
            ("iteration:0", np.int64(5)),
            ("learning_rate:0", np.float32(0.01)),
            ("Adam/m/d/kernel:0", m[0]),
            ("Adam/v/d/kernel:0", v[0]),
            ("Adam/m/d/bias:0", m[1]),
            ("Adam/v/d/bias:0", v[1]),
        ],
    ),
}


@pytest.mark.parametrize("version", OPTIMIZERS)
def test_training_goes_on_with_the_state_of_an_old_optimizer(version, tmp_path, rng):
    settings, slots = OPTIMIZERS[version]
    theirs = randomized(keras.Sequential([keras.Input((3,)), K3.Dense(2, name="d")]), rng)
    theirs.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    theirs.optimizer.build(theirs.trainable_variables)
    m, v = adam_slots(rng)
    for variable, value in zip(theirs.optimizer.variables, [5, 0.01, m[0], v[0], m[1], v[1]], strict=True):
        variable.assign(value)
    training = {
        "optimizer_config": {"class_name": "Adam", "config": settings},
        "loss": "mean_squared_error",
        "metrics": [
            [{"class_name": "MeanMetricWrapper", "config": {"name": "mae", "fn": "mean_absolute_error"}}]
        ]
        if version != "keras_2_2"
        else ["mae"],
        "sample_weight_mode": None,
        "loss_weights": None,
    }
    config = {"class_name": "Sequential", "config": [dense("d", 2, batch_input_shape=[None, 3])]}
    write_keras2(tmp_path / "m.h5", config, named(theirs), training, slots(m, v))
    ours = load_model(tmp_path / "m.h5")
    x, y = rng.normal(size=(8, 3)).astype("float32"), rng.normal(size=(8, 2)).astype("float32")
    mine = ours.fit(x, y, epochs=3, shuffle=False, verbose=0).history
    his = theirs.fit(x, y, epochs=3, shuffle=False, verbose=0).history
    assert set(mine) == set(his)
    for key, values in his.items():
        np.testing.assert_allclose(mine[key], values, rtol=1e-4)


def test_decay_becomes_the_schedule_that_it_was(tmp_path, rng):
    training = {
        "optimizer_config": {
            "class_name": "SGD",
            "config": {"lr": 0.1, "momentum": 0.0, "decay": 0.5, "nesterov": False},
        },
        "loss": {
            "class_name": "MeanSquaredError",
            "config": {"reduction": "auto", "name": "mean_squared_error"},
        },
        "metrics": [],
    }
    config = {"class_name": "Sequential", "config": [dense("d", 1, batch_input_shape=[None, 1])]}
    weights = {"d": [("d/kernel:0", np.ones((1, 1), "float32")), ("d/bias:0", np.zeros(1, "float32"))]}
    write_keras2(tmp_path / "m.h5", config, weights, training, [("SGD/iter:0", np.int64(2))])
    ours = load_model(tmp_path / "m.h5")
    assert float(ours.optimizer.learning_rate) == pytest.approx(0.1 / (1 + 0.5 * 2))
    ours.fit(np.ones((4, 1), "float32"), np.zeros((4, 1)), verbose=0)
    assert ours.get_weights()[0].item() == pytest.approx(1 - 0.05 * 2)


def test_weights_of_keras_applications_by_name(tmp_path, rng):
    stored = {
        "block1": [("block1_W:0", rng.normal(size=(3, 2))), ("block1_b:0", rng.normal(size=2))],
        "pool": [],
        "other": [("other/kernel:0", rng.normal(size=(9, 9)))],
    }
    write_keras2(tmp_path / "w.h5", None, stored)
    layers = torchkeras_lite.layers
    model = torchkeras_lite.Sequential(
        [torchkeras_lite.Input((3,)), layers.Dense(2, name="block1"), layers.Dense(4, name="mine")]
    )
    before = model.layers[1].get_weights()[0]
    model.load_weights(tmp_path / "w.h5", by_name=True)
    np.testing.assert_allclose(model.layers[0].get_weights()[0], stored["block1"][0][1], rtol=1e-6)
    np.testing.assert_array_equal(model.layers[1].get_weights()[0], before)
    with pytest.raises(ValueError, match=r"layer #1 \(named mine\).*expects 2 .*Received 1"):
        model.load_weights(tmp_path / "w.h5")


def test_a_training_configuration_of_no_use_is_told(tmp_path, rng):
    config = {"class_name": "Sequential", "config": [dense("d", 1, batch_input_shape=[None, 1])]}
    weights = {"d": [("d/kernel:0", np.ones((1, 1))), ("d/bias:0", np.zeros(1))]}
    write_keras2(tmp_path / "m.h5", config, weights)
    with pytest.warns(UserWarning, match="No training configuration found"):
        load_model(tmp_path / "m.h5")
    training = {"optimizer_config": {"class_name": "TFOptimizer", "config": {}}, "loss": "mse", "metrics": []}
    write_keras2(tmp_path / "m.h5", config, weights, training)
    with pytest.warns(UserWarning, match="not.*compiled: the optimizer was one of TensorFlow's own"):
        assert not load_model(tmp_path / "m.h5").compiled


JSON = {
    "graph": graph(
        [
            input_entry("i", 5),
            in_graph(dense("d", 4, "relu"), [["i", 0, 0, {}]]),
            in_graph(dense("e", 2), [["d", 0, 0, {}]]),
        ],
        [["i", 0, 0]],
        [["e", 0, 0]],
    ),
    "sequential": {
        "class_name": "Sequential",
        "config": {
            "name": "s",
            "layers": [dense("d", 4, "relu", batch_input_shape=[None, 5]), dense("e", 2)],
        },
    },
    "list": {
        "class_name": "Sequential",
        "config": [dense("d", 4, "relu", batch_input_shape=[None, 5]), dense("e", 2)],
    },
}


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        ("graph", "json"),
        ("graph", "config"),
        ("sequential", "json"),
        ("sequential", "config"),
        ("list", "config"),
    ],
)
def test_json_and_configs_of_keras_2(kind, read, rng):
    entry = {**JSON[kind], "keras_version": "2.2.4", "backend": "tensorflow"}
    theirs = randomized(
        keras.Sequential([keras.Input((5,)), K3.Dense(4, "relu", name="d"), K3.Dense(2, name="e")]), rng
    )
    if read == "json":
        ours = torchkeras_lite.models.model_from_json(json.dumps(entry))
    else:
        cls = torchkeras_lite.Model if kind == "graph" else torchkeras_lite.Sequential
        ours = cls.from_config(entry["config"])
    ours.set_weights(theirs.get_weights())
    x = rng.normal(size=(3, 5)).astype("float32")
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


def test_calls_that_cannot_be_made_are_told():
    inputs = torchkeras_lite.Input((5,), name="i")
    hidden = torchkeras_lite.layers.Dense(4, name="d")(inputs)
    model = torchkeras_lite.Model(inputs, torchkeras_lite.layers.Dense(2, name="e")(hidden))
    for name, text in (("e", r"calls of \['e'\] depend on one another in a loop"), ("x", "Missing node: x")):
        config = model.get_config()
        config["layers"][2]["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = name
        with pytest.raises(ValueError, match=f"Invalid Functional model configuration.*{text}"):
            torchkeras_lite.Model.from_config(config)
