"""What packages made for Keras read and set under private names: the values and the behaviour of Keras."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from oracle import assert_close, copy_weights
from torchkeras_lite import Input, Model, layers, saving

SHAPES = {None: (2, 4, 6), (2,): (2, 3, 4, 6), (1,): (2, 3, 4, 6), (1, 2): (2, 3, 4, 6)}


def attention_of(package):
    """Return an attention that projects and computes by the private names alone, as packages write it."""

    class Own(package.layers.MultiHeadAttention):
        def build(self, query_shape, value_shape, key_shape=None):
            sizes = {"query": self._key_dim, "key": self._key_dim, "value": self._value_dim}
            for name, size in sizes.items():
                dense = package.layers.EinsumDense(
                    "abc,cde->abde",
                    output_shape=(None, self._num_heads, size),
                    bias_axes="de" if self._use_bias else None,
                    name=name,
                    **self._get_common_kwargs_for_sublayer(),
                )
                dense.build(query_shape)
                setattr(self, f"_{name}_dense", dense)
            self._build_attention(4)
            self._output_dense = package.layers.EinsumDense(
                "abde,dec->abc", output_shape=(None, query_shape[-1]), name="attention_output"
            )
            self._output_dense.build((*query_shape[:-1], self._num_heads, self._value_dim))
            self.built = True

        def call(self, query, value, mask, by_hand=False):
            query, key = self._query_dense(query), self._key_dense(value)
            value = self._value_dense(value)
            if by_hand:
                product = package.ops.einsum(self._dot_product_equation, key, query)
                weights = self._masked_softmax(product * self._inverse_sqrt_key_dim, mask)
                outputs = package.ops.einsum(self._combine_equation, self._dropout_layer(weights), value)
            else:
                outputs, _ = self._compute_attention(query, key, value, attention_mask=mask)
            return self._output_dense(outputs)

    return Own(2, 4, value_dim=3, dropout=0.2)


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("dtype", ["bool", "int32", "float32"])
def test_attention_by_private_names(by_hand, dtype, rng):
    mine, his = attention_of(torchkeras_lite), attention_of(keras)
    x = rng.normal(size=(2, 5, 6)).astype("float32")
    mask = np.tril(np.ones((2, 5, 5))) * (np.arange(5) < np.array([[3], [5]]))[:, None]
    for layer in (mine, his):
        layer.build(x.shape, x.shape)
    copy_weights(mine, his)
    x, mask = torch.as_tensor(x), torch.as_tensor(mask.astype(dtype))
    expected = his(x, x, mask, by_hand=by_hand, training=False)
    assert_close(mine(x, x, mask, by_hand=by_hand, training=False), expected, 1e-5, 1e-5)
    dropped = mine(x, x, mask, by_hand=by_hand, training=True)
    assert (dropped - expected).abs().max() > 1e-3


@pytest.mark.parametrize("axes", SHAPES, ids=str)
def test_equations_of_attention(axes):
    found = []
    for package in (torchkeras_lite, keras):
        layer = package.layers.MultiHeadAttention(2, 3, attention_axes=axes)
        layer.build(SHAPES[axes], SHAPES[axes])
        query, key = np.ones((*SHAPES[axes][:-1], 2, 3)), np.ones((*SHAPES[axes][:-1], 2, 3))
        scores = np.einsum(layer._dot_product_equation, key, query)
        found.append((scores.shape, np.einsum(layer._combine_equation, scores, key).shape))
    assert found[0] == found[1]


def test_a_layer_that_does_not_want_its_arguments_converted():
    class Split(layers.Layer):
        def __init__(self):
            super().__init__()
            self._convert_input_args = False
            self._allow_non_tensor_positional_args = True

        def call(self, texts):
            return [text.split() for text in texts] if isinstance(texts, (list, tuple)) else texts.split()

    assert Split()("a b") == ["a", "b"]
    assert Split()(["a b", "c"]) == [["a", "b"], ["c"]]
    assert Split()(("a b", "c")) == [["a", "b"], ["c"]]


def test_a_name_among_module_objects_is_an_object():
    class Greedy:
        pass

    known = {"greedy": Greedy, "number": abs}
    options = {"module_objects": known, "printable_module_name": "samplers"}
    assert isinstance(saving.deserialize_keras_object("greedy", **options), Greedy)
    assert saving.deserialize_keras_object("number", **options) is abs


def test_shapes_of_an_inner_model_with_named_inputs_are_those_that_it_was_made_with():
    class Limited(layers.Layer):
        def build(self, shape):
            self.table = self.add_weight((10, 4), name="table")

        def call(self, x):
            return self.table.value[None, : x.shape[1]] + x.to(torch.float32)[..., None]  # 10 places at most

        def compute_output_shape(self, shape):
            return (*shape, 4)

    inputs = {name: Input((None,), dtype="int32", name=name) for name in ("tokens", "mask")}
    inner = Model(inputs, {"out": Limited()(inputs["tokens"])})
    reordered = {name: inputs[name] for name in ("mask", "tokens")}
    for given in (inner.input, reordered):
        assert inner(given)["out"].shape == (None, None, 4)
    model = Model(inputs, layers.Dense(2)(inner(inputs)["out"]))
    ids = np.ones((2, 7), "int32")
    assert model({"tokens": ids, "mask": ids}).shape == (2, 7, 2)


def test_nodes_of_layers():
    def edges(package):
        inputs = package.Input((3,), name="in")
        dense = package.layers.Dense(3, name="dense")
        x = package.layers.Add(name="add")([dense(inputs), dense(dense(inputs))])
        model = package.Model(inputs, package.layers.Dense(2, name="out")(package.ops.relu(x)))
        nodes = [node for layer in model.layers for node in layer._inbound_nodes]
        return [
            (
                node.operation.name.split("_")[0],
                [parent.operation.name.split("_")[0] for parent in node.parent_nodes],
                [tuple(tensor.shape) for tensor in (*node.input_tensors, *node.output_tensors)],
                node.is_input,
            )
            for node in nodes
        ]

    assert edges(torchkeras_lite) == edges(keras)
