"""Operations in functional models: what is recorded, its code, names, summaries, and configs as Keras's."""

import copy
import json

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite as tk
from torchkeras_lite.engine.operation import operation


def many_operations(k):
    """A model with operators and operations of every form of arguments, in Keras or here."""
    ops = k.ops
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    h = k.layers.Dense(4, name="dense")(a)
    y = ops.mean(ops.add(h, b) + 1, axis=1, keepdims=True)[:, 0]
    joined = ops.concatenate([h, ops.multiply(b, np.ones(4, "float32"))], axis=-1)
    w = ops.clip(ops.reshape(joined, (-1, 4, 2))[..., None, 1:], 0.0, x_max=1.0)
    w = 1 - w
    w = abs(-ops.einsum("abcd,abcd->ab", w, w))
    parts = ops.split(h, 2, axis=1)
    grid = ops.meshgrid(ops.quantile(h, 0.5, axis=0), ops.max(h, axis=0, initial=0.0))
    outputs = [
        y,
        ops.where(w > 0.5, w, 0),
        parts[0] * parts[1],
        grid[0],
        ops.stack([h, h], 1),
        ops.average(a, axis=1),
        ops.average(a, axis=1, weights=b * b + 1),
        ops.isclose(a, b, rtol=1e-3),
        ops.pad(a, ((0, 0), (1, 1)), constant_values=2.0),
        ops.take_along_axis(a, ops.argsort(a), axis=1),
        ops.searchsorted(np.arange(3.0), a),
        ops.tensordot(a, b, axes=[[1], [1]]),
        ops.select([a > 0], [b], 0),
        ops.repeat(a, 2, axis=1),
        ops.get_item(a, (slice(None), 0)),
        2 / a,
        (a // 2) ** 2 % 3,
        (a > 0) & ~(b > 0),
        a != b,
        ops.array(a),
        ops.round(a, 1),
        ops.linspace(a, b, 3),
        ops.full_like(a, 3),
    ]
    return k.Model([a, b], outputs, name="many")


def plain(config):
    return json.loads(json.dumps(config))


@pytest.fixture
def pair():
    keras.utils.clear_session(free_memory=False)
    return tk.utils.clear_session(free_memory=False) or many_operations(tk), many_operations(keras)


def test_configs_are_kerass(pair):
    ours, theirs = pair
    assert plain(ours.get_config()) == plain(theirs.get_config())
    assert ours.output_names == theirs.output_names
    assert [layer.name for layer in ours.layers] == ["a", "b", "dense"]


def test_each_reads_the_others_config_and_predicts_the_same(pair, rng):
    ours, theirs = pair
    read_here = tk.Model.from_config(plain(theirs.get_config()))
    read_there = keras.Model.from_config(plain(ours.get_config()))
    assert plain(read_here.get_config()) == plain(ours.get_config())
    inputs = [torch.as_tensor(rng.normal(size=(3, 4)).astype("float32")) for _ in range(2)]
    expected = theirs(inputs)
    for model in (ours, read_here, read_there, copy.deepcopy(ours), torch.compile(ours, backend="eager")):
        getattr(model, "_orig_mod", model).set_weights(theirs.get_weights())
        for mine, his in zip(model(inputs), expected, strict=True):
            torch.testing.assert_close(mine, his, equal_nan=True, rtol=1e-5, atol=1e-5)


def test_summaries_name_kerass_classes(pair):
    texts = []
    for model in pair:
        lines = []
        model.summary(print_fn=lambda text, lines=lines, **_: lines.append(text), line_length=120)
        texts.append("\n".join(lines))
    first, second = (
        [[cell.strip() for cell in row.split("│")[1:3]] for row in text.splitlines() if row.startswith("│")]
        for text in texts
    )
    assert first == second


def test_code_of_a_graph_reads_as_it_was_written():
    inputs = tk.Input((3,), name="x")
    model = tk.Model(inputs, tk.ops.add(tk.ops.exp(inputs), tk.ops.mean(inputs, axis=-1, keepdims=True)))
    assert "add = torchkeras_lite_ops_add(exp, mean)" in model.graph_module.code
    assert "mean = torchkeras_lite_ops_mean(x, axis = -1, keepdims = True)" in model.graph_module.code


def test_symbolic_arguments_by_name_and_unknown_sizes_are_settled():
    x, y = tk.KerasTensor((None, 3)), tk.KerasTensor((2, None))
    assert tk.ops.add(x1=x, x2=y).shape == (2, 3)
    assert tk.ops.sum(x=x, axis=0).shape == (3,)
    assert tk.ops.matmul(tk.KerasTensor((2, None)), tk.KerasTensor((3, 4))).shape == (2, 4)
    assert [t.shape for t in tk.ops.nonzero(x)] == [(None,), (None,)]
    assert tk.ops.unique(x, return_counts=True, size=5)[1].shape == (5,)
    with pytest.raises(ValueError, match=r"`add.*` cannot be called on symbolic tensors of shapes"):
        tk.ops.add(x, tk.KerasTensor((None, 4)))


def test_a_plain_function_becomes_an_operation():
    @operation(tensors=("x",), name="ScaledSum")
    def scaled_sum(x, scale=2.0):
        return scale * x.sum(-1)

    torch.testing.assert_close(scaled_sum(torch.ones(2, 3)), torch.full((2,), 6.0))
    assert scaled_sum(tk.KerasTensor((None, 3)), scale=3.0).shape == (None,)
    assert (scaled_sum.operation.node_name, scaled_sum.operation.settings) == ("scaled_sum", ("scale",))


class Shifted(tk.Operation):
    def __init__(self, by, *, name=None):
        super().__init__(name=name)
        self.by = by

    def call(self, x, y=None):
        return x + self.by, x if y is None else y


def test_operations_of_ones_own():
    op = Shifted(2.0)
    assert [t.tolist() for t in op(np.zeros(1))] == [[2.0], [0.0]]
    x, y = tk.Input((3,)), tk.Input((3,))
    shifted, kept = op(x, y=y)
    assert op.input[0] is x
    assert op.input[1] is y
    assert op.output[0] is shifted
    assert kept.shape == (None, 3)
    model = tk.Model([x, y], shifted * kept)
    torch.testing.assert_close(model([torch.ones(2, 3), torch.full((2, 3), 2.0)]), torch.full((2, 3), 6.0))
    again = Shifted.from_config(op.get_config())
    assert (again.by, again.name, op.get_config()) == (2.0, op.name, {"by": 2.0, "name": "shifted"})
    with tk.saving.custom_object_scope({"Shifted": Shifted}):
        read = tk.Model.from_config(model.get_config())
    torch.testing.assert_close(read([torch.ones(2, 3), torch.ones(2, 3)]), torch.full((2, 3), 3.0))
    assert isinstance(tk.layers.Dense(1), tk.Operation)
    assert not isinstance(x, tk.Operation)
    with pytest.raises(ValueError, match="cannot contain character `/`"):
        Shifted(1.0, name="a/b")
    with pytest.raises(NotImplementedError, match="Override `get_config"):
        Shifted(object()).get_config()
    with pytest.raises(ValueError, match="was not called on a symbolic tensor"):
        _ = Shifted(1.0).output


def test_function_computes_what_leads_from_inputs_to_outputs():
    x, y = tk.KerasTensor((2, 3)), tk.KerasTensor((2, None))
    function = tk.Function(
        {"x": x, "y": y}, {"sum": x + 1, "both": [tk.layers.Dense(4)(x), tk.ops.square(y)]}
    )
    found = function({"x": torch.ones(2, 3), "y": np.full((2, 5), 2.0, "float32")})
    torch.testing.assert_close(found["sum"], torch.full((2, 3), 2.0))
    torch.testing.assert_close(found["both"][1], torch.full((2, 5), 4.0))
    symbols = function({"x": tk.KerasTensor((2, 3)), "y": tk.KerasTensor((2, 7))})
    assert [t.shape for t in (symbols["sum"], *symbols["both"])] == [(2, 3), (2, 4), (2, 7)]
    assert tk.Function(x, tk.ops.sum(x, 0)).compute_output_shape((2, 3)) == (3,)
    with pytest.raises(ValueError, match="invalid input structure"):
        function([torch.ones(2, 3)])
    with pytest.raises(ValueError, match="incompatible inputs"):
        function({"x": torch.ones(2, 4), "y": torch.ones(2, 5)})
    with pytest.raises(ValueError, match="`outputs` argument cannot be empty"):
        tk.Function(x, [])
