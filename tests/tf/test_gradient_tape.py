"""`GradientTape`: what it watches, where its record begins, what it returns."""

import numpy as np
import pytest
import torch

import torchkeras_lite as keras
import torchkeras_lite.tf as tf


def values(structure):
    return tf.nest.map_structure(lambda leaf: None if leaf is None else np.asarray(leaf).tolist(), structure)


def test_variables_are_watched_and_constants_are_not():
    v, c = tf.Variable(3.0), tf.constant(2.0)
    with tf.GradientTape() as tape:
        y = v * v * c
    assert values(tape.gradient(y, [v, c])) == [12.0, None]


def test_a_watched_constant_has_a_gradient():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(x * x)
    gradient = tape.gradient(y, x)
    assert type(gradient) is tf.Tensor
    assert values(gradient) == [2.0, 4.0]


def test_the_sum_of_targets_is_derived():
    v = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        targets = [v * 2, v * v]
    assert values(tape.gradient(targets, v)) == [4.0, 6.0]


def test_gradients_have_the_structure_of_the_sources():
    a, b = tf.Variable(1.0), tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = a * b
    assert values(tape.gradient(y, {"a": a, "rest": (b, [a])})) == {"a": 2.0, "rest": (1.0, [2.0])}


def test_output_gradients_are_factors():
    v = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = v * 3
    assert values(tape.gradient(y, v, output_gradients=tf.constant([10.0, 100.0]))) == [30.0, 300.0]


@pytest.mark.parametrize(("unconnected", "expected"), [("none", None), ("zero", [0.0, 0.0])])
def test_unconnected_sources(unconnected, expected):
    v, other = tf.Variable(1.0), tf.Variable([1.0, 1.0])
    with tf.GradientTape() as tape:
        y = v * 2
    assert values(tape.gradient(y, other, unconnected_gradients=unconnected)) == expected


def test_an_unknown_word_for_unconnected_sources_is_refused():
    v = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        y = v * 2
    with pytest.raises(ValueError, match="unconnected_gradients"):
        tape.gradient(y, v, unconnected_gradients="zeros")


def test_a_tape_is_used_once_unless_it_is_persistent():
    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = v * v
    tape.gradient(y, v)
    with pytest.raises(RuntimeError, match="persistent=True"):
        tape.gradient(y, v)
    with tf.GradientTape(persistent=True) as tape:
        y = v * v
        z = y * y
    assert values([tape.gradient(z, v), tape.gradient(y, v), tape.gradient(z, y)]) == [32.0, 4.0, 8.0]


def test_nested_tapes_give_second_derivatives():
    x = tf.Variable(3.0)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = x**3
        first = inner.gradient(y, x)
    assert values([first, outer.gradient(first, x)]) == [27.0, 18.0]


def test_a_persistent_tape_records_its_own_gradient():
    x = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x**3
        first = tape.gradient(y, x)
    assert values(tape.gradient(first, x)) == 18.0


def test_two_tapes_share_a_record():
    v, w = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape() as one, tf.GradientTape() as other:
        shared = tf.exp(v * w)
        first, second = shared * v, shared * w
    a, b = one.gradient(first, v), other.gradient(second, w)
    expected = np.exp(6.0) * (1 + 6)
    np.testing.assert_allclose([a.numpy(), b.numpy()], [expected, expected], rtol=1e-6)


def test_nothing_is_kept_after_the_last_tape():
    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = tf.exp(v)
    tape.gradient(y, v)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(y, v.tensor)


def test_what_was_computed_before_the_tape_counts_as_given():
    v = tf.Variable(2.0)
    before = v * v
    with tf.GradientTape() as tape:
        y = before * v
    assert values(tape.gradient(y, v)) == 4.0


def test_a_state_is_carried_through_many_tapes():
    w, state = tf.Variable(0.5), tf.constant([1.0])
    for _ in range(3):
        with tf.GradientTape() as tape:
            state = tf.tanh(state * w)
            loss = tf.reduce_sum(state)
        gradient = tape.gradient(loss, w)
    assert np.isfinite(gradient.numpy())


def test_a_watched_result_from_before_the_tape_is_a_source():
    v = tf.Variable(2.0)
    before = v * v
    with tf.GradientTape() as tape:
        tape.watch(before)
        y = before * v
    assert values(tape.gradient(y, before)) == 2.0


def test_only_what_is_watched_counts_without_accessed_variables():
    a, b = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(a)
        y = a * b
    assert values(tape.gradient(y, [a, b])) == [3.0, None]


def test_recording_can_stop_for_a_while():
    v = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = v * v
        with tape.stop_recording():
            factor = v * 10
        y = y * factor
    assert values(tape.gradient(y, v)) == 180.0


def test_integers_have_no_gradient():
    x = tf.constant(3)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    assert tape.gradient(y, x) is None


def test_stop_gradient_and_custom_gradient():
    @tf.custom_gradient
    def clipped(x):
        return x * x, lambda upstream: tf.clip_by_value(upstream * 2 * x, -1.0, 1.0)

    v = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y, z = clipped(v), tf.stop_gradient(v) * v
    assert values([y, tape.gradient(y, v), tape.gradient(z, v)]) == [9.0, 1.0, 3.0]


@pytest.mark.parametrize("pfor", [True, False])
def test_jacobian(pfor):
    x = tf.constant([1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.stack([x[0] * x[1], x[2] ** 2])
    assert values(tape.jacobian(y, x, experimental_use_pfor=pfor)) == [[2.0, 1.0, 0.0], [0.0, 0.0, 6.0]]


def test_jacobian_of_a_layer_is_in_keras_layout():
    layer = keras.layers.Dense(2, use_bias=False)
    x = tf.constant([[1.0, 2.0, 3.0]])
    with tf.GradientTape() as tape:
        y = layer(x)
    found = tape.jacobian(y, layer.kernel)
    assert found.shape == (1, 2, 3, 2)
    np.testing.assert_allclose(found[0, 0, :, 0], [1.0, 2.0, 3.0])
    np.testing.assert_allclose(found[0, 0, :, 1], 0.0)


@pytest.mark.parametrize("pfor", [True, False])
def test_batch_jacobian(pfor):
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.stack([x[:, 0] * x[:, 1], x[:, 0], x[:, 1] ** 2], axis=1)
    found = tape.batch_jacobian(y, x, experimental_use_pfor=pfor)
    assert values(found) == [[[2.0, 1.0], [1.0, 0.0], [0.0, 4.0]], [[4.0, 3.0], [1.0, 0.0], [0.0, 8.0]]]


def test_gradients_of_layers_are_those_of_torch():
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(1)]
    )
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(x, training=True) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    plain = (model(torch.from_numpy(x), training=True) ** 2).mean()
    expected = torch.autograd.grad(plain, model.trainable_variables)
    assert [g.shape for g in gradients] == [v.shape for v in model.trainable_variables]
    for mine, theirs in zip(gradients, expected, strict=True):
        torch.testing.assert_close(mine.as_subclass(torch.Tensor), theirs)


def test_directional_derivatives():
    x = tf.Variable([1.0, 2.0])
    with tf.autodiff.ForwardAccumulator(x, tf.constant([1.0, 10.0])) as forward:
        y = x**2 * x[0]
    assert values(forward.jvp(y)) == [3.0, 44.0]
    with tf.autodiff.ForwardAccumulator(x, tf.constant([1.0, 0.0])) as forward:
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(x**3)
        gradient = tape.gradient(y, x)
    assert values(forward.jvp(gradient)) == [6.0, 0.0]
