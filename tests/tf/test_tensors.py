"""`Tensor`, `StringTensor`, `TensorShape`, `Variable`, `Module`: what they answer."""

import numpy as np
import pytest
import torch

import torchkeras_lite as keras
import torchkeras_lite.tf as tf


def test_a_tensor_prints_as_in_tensorflow():
    x = tf.constant([[1, 2], [3, 4]])
    assert str(x) == "tf.Tensor(\n[[1 2]\n [3 4]], shape=(2, 2), dtype=int32)"
    assert repr(tf.constant(5)) == "<tf.Tensor: shape=(), dtype=int32, numpy=np.int32(5)>"
    assert f"{tf.constant(3.14159):.2f}" == "3.14"
    assert str(tf.constant("a")) == "tf.Tensor(b'a', shape=(), dtype=string)"


def test_numpy_gives_values_of_tensors_with_gradients_and_numbers_without_axes():
    v = tf.Variable([1.0, 2.0])
    y = v * 2
    assert y.requires_grad
    assert y.numpy().tolist() == [2.0, 4.0]
    assert np.asarray(y).tolist() == [2.0, 4.0]
    assert isinstance(tf.reduce_sum(y).numpy(), np.float32)
    assert tf.constant(1.5, tf.bfloat16).numpy() == 1.5


def test_shapes_answer_as_in_tensorflow_and_are_tuples():
    shape = tf.zeros((2, 3)).shape
    assert shape.as_list() == [2, 3]
    assert shape == (2, 3)
    assert shape == [2, 3]
    assert shape != (3, 2)
    assert (shape.rank, shape.num_elements(), shape[1:].as_list()) == (2, 6, [3])
    assert (shape + [4]).as_list() == ([2, 3, 4])
    assert torch.zeros(shape).shape == (2, 3)
    assert tf.TensorShape([None, 3]).is_compatible_with(shape)
    assert str(tf.TensorShape([None, 3])) == "(None, 3)"
    with pytest.raises(ValueError, match="incompatible"):
        tf.zeros((2, 3)).set_shape((None, 4))


def test_results_stay_tensors_of_the_facade():
    x = tf.constant([1.0, 2.0])
    linear = torch.nn.Linear(2, 2)
    for value in (x + 1, torch.relu(x), x.max(), x @ x, linear(x), keras.ops.exp(x), torch.sort(x)[0], x[0]):
        assert type(value) is tf.Tensor


def test_plain_tensors_stay_plain():
    x = torch.ones(2)
    for value in (tf.exp(x), tf.reduce_sum(x), tf.matmul(x[None], x[:, None]), tf.concat([x, x], 0)):
        assert type(value) is torch.Tensor
    assert isinstance(x, tf.Tensor)


def test_operators_take_arrays_and_lists():
    x = tf.constant([1.0, 2.0])
    for value in (x + np.ones(2), np.ones(2) + x, [1.0, 1.0] + x, x + [1, 1]):
        assert (type(value), value.dtype, value.numpy().tolist()) == (tf.Tensor, tf.float32, [2.0, 3.0])


def test_numpy_functions_take_tensors_and_return_arrays():
    x = tf.Variable([[1.0, 3.0], [2.0, 0.0]]) * 2
    assert np.argmax(x, axis=1).tolist() == [1, 0]
    assert np.mean(x) == 3.0
    assert np.exp(x * 0).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert np.concatenate([x, x]).shape == (4, 2)
    assert type(np.sum(x, axis=0)) is np.ndarray
    assert (np.float32(2) * x).numpy().tolist() == [[4.0, 12.0], [8.0, 0.0]]
    np.testing.assert_allclose(x, [[2.0, 6.0], [4.0, 0.0]])


def test_symbolic_tensors_are_recorded():
    inputs = keras.Input((4,))
    outputs = tf.reduce_mean(tf.nn.relu(tf.matmul(inputs, tf.ones((4, 3)))) + 1.0, axis=1)
    model = keras.Model(inputs, outputs)
    assert model(np.ones((2, 4), "float32")).numpy().tolist() == [5.0, 5.0]


def test_layers_return_tensors_of_the_facade_for_arrays():
    layer = keras.layers.Dense(2)
    result = layer(np.ones((1, 3), "float32"))
    assert result.requires_grad
    assert result.numpy().shape == (1, 2)
    assert type(layer(torch.ones(1, 3))) is torch.Tensor


def test_text_compares_indexes_and_iterates():
    words = tf.constant([["a", "b"], ["c", "d"]])
    assert words.dtype == tf.string == "string"
    assert words.shape.as_list() == [2, 2]
    assert words[1, 0].numpy() == b"c"
    assert [row.numpy().tolist() for row in words] == [[b"a", b"b"], [b"c", b"d"]]
    assert (words[0] == "b").numpy().tolist() == [False, True]
    assert tf.constant("héllo").numpy().decode() == "héllo"


def test_text_goes_into_layers():
    layer = keras.layers.TextVectorization(
        standardize=lambda x: tf.strings.lower(x), output_sequence_length=3
    )
    layer.adapt(tf.data.Dataset.from_tensor_slices(["A b", "b C"]).batch(2))
    assert layer.get_vocabulary()[2] == "b"
    assert layer(tf.constant(["b a zzz"])).shape == (1, 3)
    lookup = keras.layers.StringLookup(vocabulary=["x", "y"])
    assert lookup(tf.constant(["y", "q"])).tolist() == [2, 0]


def test_variables_are_assigned_in_place():
    v = tf.Variable([1.0, 2.0], name="scope/v:0")
    assert v.assign([3, 4]) is v
    v.assign_add([1.0, 1.0])
    v.assign_sub(tf.constant([0.5, 0.0]))
    v.scatter_nd_update([[1]], [9.0])
    assert v.numpy().tolist() == [3.5, 9.0]
    assert (v.shape.as_list(), v.trainable, v.name) == ([2], True, "scope_v")
    with pytest.raises(ValueError, match="shape"):
        v.assign([1.0, 2.0, 3.0])
    counter = tf.Variable(0, trainable=False)
    counter.assign_add(1)
    assert (counter.numpy(), int(counter)) == (1, 1)


def test_variables_are_made_of_functions_and_refuse_text():
    assert tf.Variable(lambda: tf.ones((2,))).numpy().tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="text"):
        tf.Variable("a")
    with pytest.raises(ValueError, match="initial_value"):
        tf.Variable()


def test_weights_of_layers_are_variables():
    layer = keras.layers.Dense(1)
    layer.build((None, 2))
    assert all(isinstance(weight, tf.Variable) for weight in layer.weights)


def test_variables_in_layers_are_weights():
    class Scale(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.factor = tf.Variable(2.0)

        def call(self, x):
            return x * self.factor

    layer = Scale()
    assert layer(np.ones(2, "float32")).numpy().tolist() == [2.0, 2.0]
    assert len(layer.trainable_weights) == 1


def test_modules_find_their_variables():
    class Inner(tf.Module):
        def __init__(self):
            super().__init__()
            self.w = tf.Variable(1.0)

    class Outer(tf.Module):
        def __init__(self):
            super().__init__(name="outer")
            self.parts = [Inner(), Inner()]
            self.frozen = tf.Variable(1.0, trainable=False)
            self.dense = keras.layers.Dense(1)

    module = Outer()
    module.dense.build((None, 2))
    assert len(module.variables) == 5
    assert len(module.trainable_variables) == 4
    assert [type(one).__name__ for one in module.submodules if isinstance(one, tf.Module)] == [
        "Inner",
        "Inner",
    ]


def test_references_are_keys():
    x = tf.constant(1)
    assert {x.ref(): "one"}[x.ref()] == "one"
    assert x.ref().deref() is x


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("tf.log(1.)", "tf.math.log"),
        ("tf.Session()", "run at once"),
        ("tf.compat.v1", "TensorFlow 2"),
        ("tf.reduce_summ([1])", "did you mean 'reduce_sum'"),
        ("tf.diagonal", "has torch.diagonal and ops.diagonal"),
        ("tf.image.draw_bounding_boxes", "matplotlib"),
        ("tf.data.TFRecordDataset", "from_tensor_slices"),
        ("tf.nn.nce_loss", "sigmoid_cross_entropy_with_logits"),
        ("tf.saved_model.save", "model.keras"),
        ("tf.math.betainc", "scipy"),
    ],
)
def test_unknown_names_tell_what_to_use(code, message):
    with pytest.raises(AttributeError, match="is not in torchkeras_lite") as error:
        eval(code, {"tf": tf})
    assert message in str(error.value)


def test_every_public_name_is_there_and_documented():
    rooms = [
        tf,
        tf.math,
        tf.nn,
        tf.image,
        tf.linalg,
        tf.strings,
        tf.io,
        tf.random,
        tf.data,
        tf.signal,
        tf.config,
    ]
    rooms += [tf.debugging, tf.distribute, tf.summary, tf.train, tf.errors, tf.ragged, tf.nest, tf.test]
    for room in rooms:
        for name in room.__all__:
            value = getattr(room, name)
            if type(value).__name__ == "function":
                assert value.__doc__, f"{room.__name__}.{name}"


def test_one_element_is_a_number_whatever_its_axes():
    assert (float(tf.constant([[1.5]])), int(tf.constant([3]))) == (1.5, 3)
    with pytest.raises(ValueError, match="size 1"):
        float(tf.constant([1.0, 2.0]))


def test_a_series_beside_columns_becomes_a_column():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    data = tf.data.Dataset.from_tensor_slices((dict(frame), pandas.Series([3, 4])))
    rows = [({key: value.numpy() for key, value in x.items()}, y.numpy()) for x, y in data]
    assert rows == [({"a": 1, "b": b"x"}, 3), ({"a": 2, "b": b"y"}, 4)]


@pytest.mark.parametrize("operator", ["+=", "-=", "*=", "/=", "**=", "//=", "%="])
def test_an_augmented_assignment_leaves_other_names_of_a_tensor_alone(operator):
    names = {"a": tf.constant([1.0, 2.0]), "expected": np.array([1, 2], "float32")}
    names["b"] = names["a"]
    exec(f"a {operator} 4.0\nexpected {operator} 4", names)
    assert names["b"].numpy().tolist() == [1.0, 2.0]
    assert names["a"].numpy().tolist() == names["expected"].tolist()
