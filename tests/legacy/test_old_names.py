"""Names and arguments of Keras 1, Keras 2 and tf.keras work with one warning, or say what to write."""

import importlib
import warnings

import keras
import numpy as np
import pytest

import torchkeras_lite
from torchkeras_lite import (
    backend,
    callbacks,
    constraints,
    layers,
    losses,
    mixed_precision,
    models,
    optimizers,
    regularizers,
    utils,
)
from torchkeras_lite.base import old_names, old_rooms

RNG = np.random.RandomState(0)
X = RNG.normal(size=(8, 4)).astype("float32")
CLASSES = np.eye(3, dtype="float32")[RNG.randint(0, 3, 8)]


@pytest.fixture(autouse=True)
def told():
    """Let every test be the first that uses a name."""
    old_names._told.clear()


def classifier():
    model = models.Sequential([layers.Input((4,)), layers.Dense(3, activation="softmax", name="dense")])
    model.compile("sgd", "categorical_crossentropy", metrics=["acc"])
    return model


def batches():
    while True:
        yield X, CLASSES


# Arguments

ARGUMENTS = {
    "units": (
        lambda: layers.Dense(output_dim=3, input_dim=4, init="uniform", bias=False),
        dict(units=3, use_bias=False),
    ),
    "regularizers": (
        lambda: layers.Dense(3, W_regularizer="l1", b_constraint="non_neg"),
        dict(kernel_regularizer=regularizers.L1().get_config()),
    ),
    "convolution": (
        lambda: layers.Convolution2D(8, 3, 5, border_mode="same", subsample=(2, 2), dim_ordering="th"),
        dict(
            filters=8,
            kernel_size=(3, 5),
            padding="same",
            strides=(2, 2),
            data_format="channels_first",
        ),
    ),
    "kernel by name": (
        lambda: layers.Conv2D(nb_filter=8, nb_row=3, nb_col=1),
        dict(filters=8, kernel_size=(3, 1)),
    ),
    "one axis": (
        lambda: layers.Convolution1D(nb_filter=8, filter_length=3, subsample_length=2),
        dict(filters=8, kernel_size=(3,), strides=(2,)),
    ),
    "pooling": (
        lambda: layers.MaxPooling1D(pool_length=3, stride=2, border_mode="same"),
        dict(pool_size=(3,), strides=(2,), padding="same"),
    ),
    "recurrent": (
        lambda: layers.LSTM(
            output_dim=4, inner_activation="hard_sigmoid", dropout_W=0.1, dropout_U=0.2, consume_less="gpu"
        ),
        dict(units=4, recurrent_activation="hard_sigmoid", dropout=0.1, recurrent_dropout=0.2),
    ),
    "dropout": (lambda: layers.Dropout(p=0.3), dict(rate=0.3)),
    "noise": (lambda: layers.GaussianNoise(sigma=0.3), dict(stddev=0.3)),
    "normalization": (
        lambda: layers.BatchNormalization(mode=0, fused=True, virtual_batch_size=None, gamma_init="one"),
        dict(axis=-1),
    ),
    "embedding keeps its own": (lambda: layers.Embedding(5, output_dim=4, init="zero"), dict(output_dim=4)),
    "CuDNNLSTM": (lambda: layers.CuDNNLSTM(4, return_sequences=True), dict(units=4, return_sequences=True)),
    "CuDNNGRU": (lambda: layers.CuDNNGRU(4), dict(units=4, reset_after=True)),
    "ThresholdedReLU": (lambda: layers.ThresholdedReLU(theta=0.5), dict(threshold=0.5)),
    "atrous": (
        lambda: layers.AtrousConvolution2D(8, 3, 3, atrous_rate=(2, 2)),
        dict(kernel_size=(3, 3), dilation_rate=(2, 2)),
    ),
    "deconvolution": (
        lambda: layers.Deconvolution2D(8, 3, 2, output_shape=(None, 9, 9, 8), subsample=(2, 2)),
        dict(kernel_size=(3, 2), strides=(2, 2)),
    ),
    "synchronized": (lambda: layers.SyncBatchNormalization(), dict(synchronized=True)),
    "experimental": (
        lambda: layers.experimental.preprocessing.RandomFlip("horizontal"),
        dict(mode="horizontal"),
    ),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_old_arguments_of_layers(name):
    make, expected = ARGUMENTS[name]
    with pytest.warns(DeprecationWarning, match="older Keras"):
        config = make().get_config()
    read = {key: config[key] for key in expected}
    if "kernel_regularizer" in read:
        read["kernel_regularizer"] = read["kernel_regularizer"]["config"]
    assert read == expected
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make()  # told once


def test_thresholded_relu_passes_what_is_above():
    with pytest.warns(DeprecationWarning, match="ReLU"):
        layer = layers.ThresholdedReLU(theta=1.0)
    np.testing.assert_array_equal(layer(np.array([[-2.0, 0.5, 3.0]], "float32")), [[0.0, 0.0, 3.0]])


def test_a_users_layer_keeps_its_arguments():
    class Power(layers.Layer):
        def __init__(self, p, output_dim=3, **kwargs):
            super().__init__(**kwargs)
            self.p, self.output_dim = p, output_dim

    layer = Power(p=2, output_dim=5)
    assert (layer.p, layer.output_dim) == (2, 5)


REFUSED = {
    "time_major": (lambda: layers.LSTM(3, time_major=True), ValueError, "ops.swapaxes"),
    "virtual_batch_size": (
        lambda: layers.BatchNormalization(virtual_batch_size=4),
        ValueError,
        "smaller batches",
    ),
    "dropout of Embedding": (
        lambda: layers.Embedding(5, 4, dropout=0.2),
        ValueError,
        "SpatialDropout1D",
    ),
    "causal": (lambda: layers.Attention(causal=True), ValueError, "use_causal_mask=True"),
    "Highway": (lambda: layers.Highway(), NotImplementedError, "sigmoid"),
    "Merge": (lambda: layers.Merge([], mode="concat"), NotImplementedError, "Concatenate"),
    "multi_gpu_model": (lambda: utils.multi_gpu_model(classifier(), 2), NotImplementedError, "torchrun"),
    "estimator": (lambda: torchkeras_lite.estimator(), NotImplementedError, "keras.Model"),
    "model_from_yaml": (lambda: models.model_from_yaml(""), NotImplementedError, "model_from_json"),
    "to_yaml": (lambda: classifier().to_yaml(), RuntimeError, "to_json"),
    "samples_per_epoch": (
        lambda: classifier().fit(batches(), samples_per_epoch=8),
        ValueError,
        "steps_per_epoch",
    ),
    "show_accuracy": (lambda: classifier().fit(X, CLASSES, show_accuracy=True), ValueError, "compile"),
    "save_format": (lambda: classifier().save_weights("w", save_format="tf"), ValueError, "weights.h5"),
    "reset_metrics": (
        lambda: classifier().train_on_batch(X, CLASSES, reset_metrics=False),
        ValueError,
        "update_state",
    ),
    "target_tensors": (lambda: classifier().compile("sgd", target_tensors=[X]), ValueError, "to `fit`"),
    "total_loss": (lambda: classifier().total_loss, AttributeError, "compute_loss"),
    "updates": (lambda: layers.Dense(1).updates, AttributeError, "assignments"),
    "add_metric": (lambda: layers.Dense(1).add_metric(1.0, name="m"), NotImplementedError, "metrics.Mean"),
    "write_grads": (lambda: callbacks.TensorBoard(write_grads=True), ValueError, "add_histogram"),
    "fixed loss scale": (
        lambda: mixed_precision.LossScaleOptimizer(optimizers.SGD(), loss_scale=128),
        ValueError,
        "loss_scale_factor",
    ),
    "schedule_decay": (lambda: optimizers.Nadam(schedule_decay=0.1), ValueError, "schedule"),
    "decay beside a schedule": (
        lambda: optimizers.SGD(optimizers.schedules.CosineDecay(0.1, 3), decay=0.1),
        ValueError,
        "schedule alone",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_gone_says_what_to_write(name):
    act, error, text = REFUSED[name]
    with pytest.raises(error, match=text):
        act()


# Members of rooms


@pytest.mark.parametrize("room", [room or "keras" for room in {**old_rooms.RENAMED, **old_rooms.GONE}])
def test_every_old_member_is_there(room):
    place = "" if room == "keras" else room
    module = importlib.import_module(f"torchkeras_lite.{place}".rstrip("."))
    for name in old_rooms.RENAMED.get(place, ()):
        with pytest.warns(DeprecationWarning, match=rf"{name}.*older Keras; write"):
            assert getattr(module, name) is not None
        assert name not in getattr(module, "__all__", ())
    for name in old_rooms.GONE.get(place, ()):
        with pytest.raises(NotImplementedError, match=rf"{name}.*Instead"):
            getattr(module, name)()


def test_old_members_by_import_statement():
    with pytest.warns(DeprecationWarning, match="older Keras"):
        from torchkeras_lite.layers import CuDNNLSTM, MaxoutDense, merge
    assert CuDNNLSTM is layers.LSTM
    with pytest.raises(NotImplementedError, match=r"ops\.max"):
        MaxoutDense(3)
    with pytest.raises(ValueError, match=r"unknown mode 'add'.*sum"):
        merge([], mode="add")


@pytest.mark.parametrize("mode", ["sum", "mul", "ave", "max", "concat", "dot", "cos"])
def test_merge(mode):
    with pytest.warns(DeprecationWarning, match="concatenate"):
        merge = layers.merge
    modern = {"sum": "add", "mul": "multiply", "ave": "average", "max": "maximum", "concat": "concatenate"}
    if mode in modern:
        expected = getattr(keras.layers, modern[mode])([X, X + 1])
    else:
        expected = keras.layers.dot([X, X + 1], axes=-1, normalize=mode == "cos")
    np.testing.assert_allclose(merge([X, X + 1], mode=mode), expected.cpu(), rtol=1e-5, atol=1e-6)


# Optimizers


@pytest.mark.parametrize("kind", ["SGD", "Adam", "RMSprop", "Adagrad"])
def test_decay_is_inverse_time_decay(kind):
    with pytest.warns(DeprecationWarning, match="older Keras") as caught:
        ours = getattr(optimizers, kind)(lr=0.1, decay=0.5)
    assert {"lr", "decay"} == {str(one.message).split("`")[1] for one in caught}
    theirs = getattr(keras.optimizers, kind)(keras.optimizers.schedules.InverseTimeDecay(0.1, 1, 0.5))
    mine, his = torchkeras_lite.Variable(X), keras.Variable(X)
    for step in range(5):
        ours.apply([np.full_like(X, 0.1 * step - 0.2)], [mine])
        theirs.apply([keras.ops.convert_to_tensor(np.full_like(X, 0.1 * step - 0.2))], [his])
    np.testing.assert_allclose(mine.numpy(), his.numpy(), rtol=1e-5, atol=5e-6)
    assert float(ours.learning_rate) == pytest.approx(0.1)
    assert ours.current_rate() == pytest.approx(0.1 / 3.5)
    ours.lr = 0.2  # as callbacks do
    assert ours.current_rate() == pytest.approx(0.2 / 3.5)
    again = type(ours).from_config(ours.get_config())
    assert (again.decay, float(again.learning_rate)) == (0.5, pytest.approx(0.2))


def test_the_constructor_of_keras_2s_manual():
    with pytest.warns(DeprecationWarning, match="learning_rate"):
        adam = optimizers.Adam(lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=None, decay=0.0, amsgrad=False)
    assert adam.epsilon == 1e-7
    assert "decay" not in adam.get_config()
    with pytest.warns(DeprecationWarning, match="schedule_decay"):
        optimizers.Nadam(schedule_decay=0.004)


# Models


def test_training_with_old_methods():
    model, other = classifier(), classifier()
    other.set_weights(model.get_weights())
    with pytest.warns(DeprecationWarning, match="older Keras") as caught:
        old = model.fit_generator(batches(), steps_per_epoch=2, nb_epoch=2, verbose=0, max_q_size=10)
    assert sorted(str(one.message).split("; ")[-1] for one in caught) == [
        "write `epochs`.",
        "write `fit`.",
        "write `max_queue_size`.",
    ]
    new = other.fit(batches(), steps_per_epoch=2, epochs=2, verbose=0)
    assert old.history == new.history
    assert set(old.history) == {"loss", "acc"}
    with pytest.warns(DeprecationWarning, match="write `evaluate`"):
        assert model.evaluate_generator(batches(), 2) == other.evaluate(batches(), steps=2, verbose=0)
    with pytest.warns(DeprecationWarning, match="write `predict`"):
        scores = model.predict_generator(iter([X]), steps=1)
    with pytest.warns(DeprecationWarning, match="argmax"):
        np.testing.assert_array_equal(model.predict_classes(X), scores.argmax(-1))
    with pytest.warns(DeprecationWarning, match="predict_proba"):
        np.testing.assert_array_equal(model.predict_proba(X), scores)
    model._make_predict_function()


def test_classes_of_one_output():
    model = models.Sequential([layers.Input((4,)), layers.Dense(1, activation="sigmoid")])
    with pytest.warns(DeprecationWarning, match="0.5"):
        classes = model.predict_classes(X)
    np.testing.assert_array_equal(classes, (model.predict(X, verbose=0) > 0.5).astype("int32"))


def test_old_arguments_of_models(tmp_path):
    model = classifier()
    with pytest.warns(DeprecationWarning, match="older Keras"):
        model.compile("sgd", "mse", sample_weight_mode=None, target_tensors=None, class_mode="categorical")
    with pytest.warns(DeprecationWarning, match="reset_metrics"):
        model.train_on_batch(X, CLASSES, reset_metrics=True)
    with pytest.warns(DeprecationWarning, match="save_format"):
        model.save_weights(tmp_path / "w.h5", overwrite=True, save_format="h5")
    x = layers.Input((4,))
    with pytest.warns(DeprecationWarning, match="older Keras") as caught:
        assert models.Model(input=x, output=layers.Dense(2)(x)).output_shape == (None, 2)
    assert len(caught) == 2


def test_calls_of_a_layer_by_number():
    layer = layers.Dense(2)
    first, second = layers.Input((4,)), layers.Input((4,))
    outputs = [layer(first), layer(second)]
    with pytest.warns(DeprecationWarning, match=r"layer\.output"):
        assert layer.get_output_at(1) is outputs[1]
    with pytest.warns(DeprecationWarning, match=r"layer\.input"):
        assert layer.get_input_at(0) is first
    with pytest.warns(DeprecationWarning, match="shape"):
        assert layer.get_output_shape_at(0) == (None, 2)
    with pytest.raises(ValueError, match="there are 2"):
        layer.get_output_at(2)


def test_a_symbolic_loss_becomes_a_part_of_the_graph(tmp_path):
    x = layers.Input((4,))
    middle = layers.Dense(2)(x)
    y = layers.Dense(4)(middle)
    model = models.Model(x, y)
    with pytest.warns(DeprecationWarning, match="symbolic"):
        model.add_loss(torchkeras_lite.ops.mean(torchkeras_lite.ops.square(x - y)))
    outputs = model.predict(X, verbose=0)
    model.compile("adam")
    assert model.evaluate(X, verbose=0) == pytest.approx(np.square(X - outputs).mean(), rel=1e-5)
    history = model.fit(X, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "m.keras")
    again = models.load_model(tmp_path / "m.keras")
    assert again.evaluate(X, verbose=0) == pytest.approx(model.evaluate(X, verbose=0), rel=1e-5)


def test_stateful_layers_start_again():
    model = models.Sequential([layers.Input(batch_shape=(2, 3, 4)), layers.LSTM(3, stateful=True)])
    x = RNG.normal(size=(2, 3, 4)).astype("float32")
    first = model.predict(x, batch_size=2, verbose=0)
    assert not np.allclose(model.predict(x, batch_size=2, verbose=0), first)
    with pytest.warns(DeprecationWarning, match="reset_state"):
        model.reset_states()
    np.testing.assert_allclose(model.predict(x, batch_size=2, verbose=0), first, rtol=1e-6)


def test_a_function_of_symbols_and_the_learning_phase():
    x = layers.Input((4,))
    y = layers.Dropout(0.5)(layers.Dense(50, use_bias=False)(x))
    with pytest.warns(DeprecationWarning, match="older Keras"):
        function = backend.function([x, backend.learning_phase()], [y])
    (still,), (moving,) = function([X, 0]), function([X, 1])
    assert isinstance(still, np.ndarray)
    assert (still != 0).all()
    assert 0.3 < (moving == 0).mean() < 0.7
    with pytest.raises(ValueError, match="expected 2 inputs, got 1"):
        function([X])


# The rest


def test_period_of_checkpoints(tmp_path):
    model = classifier()
    with pytest.warns(DeprecationWarning, match="save_freq"):
        checkpoint = callbacks.ModelCheckpoint(tmp_path / "{epoch}.hdf5", save_weights_only=True, period=2)
    model.fit(X, CLASSES, epochs=5, verbose=0, callbacks=[checkpoint])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.hdf5", "4.hdf5"]
    other = classifier()
    other.load_weights(tmp_path / "4.hdf5")


OTHERS = {
    "l": lambda: regularizers.l2(l=0.1).l2 == pytest.approx(0.1),
    "m": lambda: constraints.MaxNorm(m=3).max_value == 3,
    "nb_classes": lambda: utils.to_categorical([0, 1], nb_classes=3).shape == (2, 3),
    "batch_size": lambda: callbacks.TensorBoard(batch_size=32).histogram_freq == 0,
    "write_grads": lambda: callbacks.TensorBoard(write_grads=False).histogram_freq == 0,
    "count_mode": lambda: callbacks.ProgbarLogger(count_mode="steps").progbar is None,
    "cosine_proximity": lambda: losses.cosine_proximity is losses.cosine_similarity,
    "set_policy": lambda: mixed_precision.set_policy is mixed_precision.set_dtype_policy,
    "experimental": lambda: mixed_precision.experimental is mixed_precision,
    "workers": lambda: classifier().fit(X, CLASSES, workers=4, verbose=0).epoch == [0],
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_old_names(name):
    with pytest.warns(DeprecationWarning, match=name):
        assert OTHERS[name]()


def test_a_loss_by_its_old_name():
    assert losses.get("cosine_proximity") is losses.cosine_similarity


def test_accuracy_by_the_name_of_keras_2_2(tmp_path):
    model = classifier()
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    stop = callbacks.EarlyStopping(monitor="val_acc", patience=0)
    save = callbacks.ModelCheckpoint(tmp_path / "{val_acc:.1f}.h5", monitor="val_acc", save_best_only=True)
    with pytest.warns(DeprecationWarning, match="`val_acc` in logs.*write `val_accuracy`"):
        history = model.fit(X, CLASSES, 8, 9, 0, [stop, save], validation_data=(X, CLASSES)).history
    assert len(list(tmp_path.iterdir())) >= 1
    with pytest.warns(DeprecationWarning, match="`acc` in logs"):
        assert history["acc"] == history["accuracy"]
    assert "acc" not in history
    with pytest.raises(KeyError):
        history["auc"]
