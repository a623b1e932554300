"""Tensors, slices, loops and branches against real Keras."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite as tk
from ops.operation_oracle import assert_operation_matches
from oracle import assert_close
from torchkeras_lite import ops
from torchkeras_lite.engine.keras_tensor import KerasTensor

X = np.arange(12, dtype="float32").reshape(3, 4)
PLACES = np.array([[0, 1], [2, 0], [2, 0]])


@pytest.mark.parametrize("dtype", ["int32", "float16", "bool", "uint8"])
def test_cast(dtype):
    assert_operation_matches("cast", X, dtype)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # Keras's
@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "float16", "bool"])
def test_saturate_cast(dtype):
    x = np.array([-1.5, 0.0, 300.7, 5.6, -1e4, 1e4], "float32")
    assert_operation_matches("saturate_cast", x, dtype, gradient=False, shapes=False)
    assert_operation_matches("saturate_cast", np.array([-200, 0, 200]), dtype)


WIDE = np.arange(12).reshape(3, 4)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("convert_to_tensor", ()),
        ("add", (1,)),
        ("max", ()),
        ("sort", ()),
        ("argmax", (1,)),
        ("clip", (1, 5)),
        ("greater", (3,)),
        ("subtract", (2,)),
        ("one_hot", (12,)),
        ("mean", ()),
        ("cast", ("uint32",)),
        ("saturate_cast", ("uint8",)),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_unsigned_integers_with_which_torch_hardly_computes(name, arguments, dtype):
    x = WIDE.astype(dtype)
    assert_close(getattr(ops, name)(x, *arguments), getattr(keras.ops, name)(x, *arguments))


@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_fit_on_unsigned_integers(dtype):
    x, y = WIDE.astype(dtype), np.array([0, 1, 2], dtype)
    model = tk.Sequential([tk.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=2, verbose=0).history
    assert set(history) == {"accuracy", "loss"}
    metric = tk.metrics.SparseCategoricalAccuracy()
    metric.update_state(y, np.eye(3, dtype="float32"))
    assert float(metric.result()) == 1.0
    assert tk.layers.Resizing(4, 4)(np.ones((2, 2, 3), dtype)).dtype in (torch.int32, torch.int64)


@pytest.mark.parametrize("shuffle", [True, False], ids=["shuffled", "in-order"])
@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_fit_on_unsigned_integers_is_fit_on_signed_ones(dtype, kind, shuffle):
    x, y, weight = WIDE.astype(dtype), np.array([0, 1, 2], dtype), np.array([1, 2, 3], dtype)
    found = []
    for cast in (lambda array: kind(array), lambda array: array.astype("int64")):
        tk.utils.set_random_seed(1)
        model = tk.Sequential([tk.layers.Rescaling(1e-5), tk.layers.Dense(3, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        arrays = cast(x), cast(y), cast(weight)
        model.fit(*arrays[:2], 2, sample_weight=arrays[2], shuffle=shuffle, verbose=0)
        rows = tk.data.Dataset.from_tensor_slices(arrays).shuffle(3, seed=1).batch(2)
        losses = model.fit(rows, verbose=0).history["loss"]
        found.append([*losses, model.evaluate(*arrays[:2], verbose=0)])
    assert found[0] == found[1]


def test_uint64_that_int64_does_not_hold_is_refused():
    large = np.array([[2**64 - 1, 1]], "uint64")
    assert ops.convert_to_tensor(large[:, 1:]).tolist() == [[1]]
    model = tk.Sequential([tk.layers.Dense(1)])
    for call in (ops.convert_to_tensor, model, model.predict, tk.layers.Rescaling(1.0)):
        with pytest.raises(ValueError, match=r"beyond 2\*\*63 - 1\. Convert the array to float64 first"):
            call(large)


def test_saturate_cast_of_infinity_is_the_end_of_the_range():
    found = ops.saturate_cast(torch.tensor([torch.inf, -torch.inf]), "int32")
    assert found.tolist() == [2**31 - 1, -(2**31)]


@pytest.mark.parametrize(
    "value",
    [
        1,
        1.0,
        True,
        2**40,
        1j,
        [1, 2],
        [1.0, 2],
        [True],
        [[1], [2.0]],
        X,
        X.astype("float64"),
        X.astype("int64"),
    ],
    ids=repr,
)
def test_convert_to_tensor(value):
    assert_close(ops.convert_to_tensor(value), keras.ops.convert_to_tensor(value))
    if not isinstance(value, complex):
        assert ops.dtype(ops.convert_to_tensor(value, "float16")) == "float16"


def test_convert_to_tensor_refuses_sparse():
    with pytest.raises(ValueError, match="sparse=True"):
        ops.convert_to_tensor(X, sparse=True)
    with pytest.raises(ValueError, match="no values"):
        ops.convert_to_numpy(KerasTensor((2,)))


def test_what_a_tensor_is():
    variable = tk.Variable(X)
    assert ops.is_tensor(torch.ones(1))
    assert not ops.is_tensor(X)
    assert ops.shape(KerasTensor((None, 3))) == (None, 3)
    assert ops.shape(variable) == ops.shape(X) == (3, 4)
    assert ops.dtype(variable) == ops.dtype(X) == "float32"
    np.testing.assert_array_equal(ops.convert_to_numpy(variable), X)
    assert not ops.stop_gradient(torch.ones(2, requires_grad=True)).requires_grad


@pytest.mark.parametrize("reduction", [None, "add", "mul", "max", "min"])
def test_scatter_update(reduction):
    args = dict(reduction=reduction, gradient=reduction in (None, "add"))
    assert_operation_matches("scatter_update", X, PLACES, np.array([9.0, 3.0, 3.0], "float32"), **args)
    rows = np.array([[0], [2], [2]])
    assert_operation_matches("scatter_update", X, rows, np.ones((3, 4), "float32") * 4, **args)


def test_gradient_of_scatter_update_by_products():  # which Keras on torch has not
    x, updates = torch.rand(4, dtype=torch.float64), torch.rand(3, dtype=torch.float64)
    places = torch.tensor([[0], [2], [2]])
    torch.autograd.gradcheck(
        lambda x, u: ops.scatter_update(x, places, u, "mul"), (x.requires_grad_(), updates.requires_grad_())
    )


def test_scatter():
    assert_operation_matches("scatter", PLACES, np.array([9.0, 3.0, 3.0]), (3, 4))
    assert_operation_matches("scatter", np.array([[0], [2]]), X[:2], (5, 4))
    with pytest.raises(ValueError, match="Invalid reduction"):
        ops.scatter_update(X, PLACES, [1.0, 2.0, 3.0], "mean")


def test_slices():
    assert_operation_matches("slice", X, (1, 1), (2, 2))
    assert_operation_matches("slice_update", X, (1, 1), np.zeros((2, 2), "float32"))
    assert torch.equal(ops.slice(X, (1, 1), (-1, 2)), torch.as_tensor(X[1:, 1:3]))
    for axis in (0, 1, -1):
        assert_operation_matches("unstack", torch.as_tensor(X), axis=axis)
    with pytest.raises(ValueError, match="one number for each axis"):
        ops.slice(X, (1,), (1, 2))
    with pytest.raises(ValueError, match="num=2"):
        ops.unstack(X, 2)


def test_loops():
    for room in (ops, keras.ops):
        count, product = room.while_loop(
            lambda i, x: i < 5, lambda i, x: (i + 1, x * 2), (0, 1.0), maximum_iterations=3
        )
        assert (int(count), float(product)) == (3, 8.0)
        assert int(room.while_loop(lambda i: i < 5, lambda i: i + 1, 0)) == 5
        assert room.fori_loop(0, 4, lambda i, v: v + i, 0) == 6


@pytest.mark.parametrize("reverse", [False, True])
def test_scan(reverse):
    def step(carry, x):
        return carry * 0.5 + x, {"before": carry, "sum": x.sum()}

    init = torch.zeros(4)
    assert_close(
        ops.scan(step, init, torch.as_tensor(X), reverse=reverse),
        keras.ops.scan(step, init, torch.as_tensor(X), reverse=reverse),
    )


def test_scan_without_slices_or_outputs():
    carry, outputs = ops.scan(lambda c, x: (c + 1, None), 0, length=3)
    assert int(carry) == 3
    assert outputs is None
    for args, message in [((0,), "no `xs`"), ((0, X, 5), "one size"), ((0, X, None, False, 0), "unroll")]:
        with pytest.raises(ValueError, match=message):
            ops.scan(lambda c, x: (c, x), *args)
    with pytest.raises(TypeError, match="callable"):
        ops.scan(3, 0, X)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("axis", [0, 1])
def test_associative_scan(size, reverse, axis, rng):
    shape = (size, 3) if axis == 0 else (3, size)
    pair = tuple(torch.as_tensor(rng.normal(size=shape).astype("float32")) for _ in range(2))

    def compose(first, second):  # x -> a x + b, one after the other: no commutative operation
        return first[0] * second[0], second[0] * first[1] + second[1]

    found = ops.associative_scan(compose, pair, reverse, axis)
    assert_close(found, tuple(keras.ops.associative_scan(compose, pair, reverse, axis)))


def test_maps():
    x = torch.as_tensor(X)
    for name in ("map", "vectorized_map"):
        found = getattr(ops, name)(lambda pair: (pair[0] * 2, pair[1].sum()), (x, x))
        assert_close(found, (x * 2, x.sum(1)))
    assert_close(ops.vectorized_map(lambda row: row.sum(), X), x.sum(1))


def test_branches():
    x = torch.as_tensor(X)
    assert ops.cond(True, lambda: 1, lambda: 2) == 1
    assert torch.equal(ops.cond(torch.tensor(False), lambda: x, lambda: x * 2), x * 2)
    for index, factor in ((-3, 1), (0, 1), (1, 2), (7, 2)):
        assert torch.equal(ops.switch(index, [lambda a: a, lambda a: a * 2], x), x * factor)


def test_custom_gradient():
    def made(room):
        @room.custom_gradient
        def log1pexp(x):
            e = room.exp(x)

            def grad(*args, upstream=None):
                upstream = args[0] if upstream is None else upstream
                return upstream * (1 - 1 / (1 + e))

            return room.log(1 + e), grad

        return log1pexp

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    results = [made(room)(x) for room in (ops, keras.ops)]
    assert_close(*results)
    assert_close(*(torch.autograd.grad(y.sum(), x) for y in results))


def test_control_flow_in_a_model():
    inputs = tk.Input((3,))
    total, sums = ops.scan(lambda c, x: (c + x, c + x), inputs[:, 0] * 0, ops.transpose(inputs))
    counted = ops.while_loop(lambda v: v.sum() < 100, lambda v: v * 2, [inputs])[0]
    picked = ops.cond(ops.sum(inputs) > 0, lambda: inputs * 2, lambda: inputs)
    rows = ops.vectorized_map(lambda row: row * 3, inputs)
    model = tk.Model(inputs, [total, sums, counted, picked, rows])
    assert [tuple(t.shape) for t in model.outputs] == [(None,), (3, None), (None, 3), (None, 3), (None, 3)]
    x = torch.arange(1.0, 7).reshape(2, 3)
    expected = (x.sum(1), x.cumsum(1).T, x * 8, x * 2, x * 3)
    assert_close(tuple(model(x)), expected)


@pytest.mark.parametrize(
    ("pattern", "sizes", "expected"),
    [
        ("b h w c -> b c h w", {}, lambda x: x.permute(0, 3, 1, 2)),
        ("b h w c -> b (h w) c", {}, lambda x: x.flatten(1, 2)),
        (
            "b (h k) w c -> b h w (k c)",
            dict(k=2),
            lambda x: x.unflatten(1, (2, 2)).transpose(2, 3).flatten(3),
        ),
        ("b ... c -> c b ...", {}, lambda x: x.permute(3, 0, 1, 2)),
        ("b ... -> b (...)", {}, lambda x: x.flatten(1)),
        ("b h w c -> b 1 h (w c)", {}, lambda x: x.flatten(2)[:, None]),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_rearrange(pattern, sizes, expected, rng):
    x = torch.as_tensor(rng.normal(size=(2, 4, 3, 5)))
    torch.testing.assert_close(ops.rearrange(x, pattern, **sizes), expected(x))
    if "..." not in pattern and "1" not in pattern:
        assert_operation_matches("rearrange", x, pattern, **sizes)


@pytest.mark.parametrize(
    ("pattern", "sizes", "message"),
    [
        ("a b", {}, "one '->'"),
        ("a b -> a", {}, "once on each side"),
        ("a a -> a", {}, "once on each side"),
        ("a b c -> a b c", {}, "3 axes on the left"),
        ("(a b) c -> a b c", {}, "Pass all but one"),
        ("(a b) c -> a b c", dict(a=5), "cannot be"),
        ("a b -> b a", dict(q=2), "of no axis"),
        ("(a b -> b a", {}, "not closed"),
        ("a, b -> b a", {}, "cannot read"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_patterns_refused(pattern, sizes, message):
    with pytest.raises(ValueError, match=message):
        ops.rearrange(X, pattern, **sizes)


def test_operations_compile_into_one_graph(rng):
    def run(x, images, kernel):
        return (
            ops.softmax(ops.relu(x)),
            ops.logsumexp(x, axis=(0, 1)),
            ops.layer_normalization(x),
            ops.segment_sum(x, torch.tensor([0, 1, 0]), 2),
            ops.scan(lambda c, v: (c + v, c), torch.zeros(4), x)[1],
            ops.binary_crossentropy(torch.sigmoid(x), torch.sigmoid(x)),
            ops.conv(images, kernel, 2, "same"),
            ops.average_pool(images, 2, 1, "same"),
            ops.dot_product_attention(images, images, images),
            ops.image.resize(images, (5, 5)),
            ops.image.affine_transform(images, torch.tensor([1.0, 0, 0.5, 0, 1, 0, 0, 0])),
            ops.image.gaussian_blur(images),
            ops.image.extract_patches(images, 3),
            ops.rearrange(images, "b h w c -> b (h w) c"),
        )

    shapes = ((3, 4), (2, 8, 8, 3), (3, 3, 3, 4))
    args = [torch.as_tensor(rng.normal(size=shape).astype("float32")) for shape in shapes]
    assert_close(torch.compile(run, backend="eager", fullgraph=True)(*args), run(*args))


def test_numbers_of_an_optimizer_are_tensors_to_operations():
    rate = tk.optimizers.Adam(0.25).learning_rate
    assert ops.convert_to_numpy(rate) == 0.25
    with pytest.warns(DeprecationWarning, match="get_value"):
        assert tk.backend.get_value(rate) == 0.25
    assert ops.multiply(rate, 2).item() == 0.5


def test_sizes_that_are_unknown_while_torch_exports():
    class Scale(tk.layers.Layer):
        def call(self, x):
            steps = ops.shape(x)[1]
            pair = ops.convert_to_tensor([[steps, steps]], dtype="float32")
            x = ops.sum(x, axis=1) / ops.cast(steps, "float32") + ops.sqrt(pair)[0, :1]
            return x * ops.convert_to_tensor(steps * 0.5) - steps

    layer, x = Scale(), torch.randn(2, 5, 3)
    expected = layer(x)
    dynamic = {"x": {1: torch.export.Dim("steps")}}
    program = torch.export.export(layer, (x,), dynamic_shapes=dynamic)
    size = next(node.meta["val"].shape[1] for node in program.graph.nodes if node.name == "x")
    for given in (size, [size, 2], [[size]], torch.sym_float(size)):
        found = ops.convert_to_tensor(given)
        assert found.dtype is (torch.float32 if isinstance(given, torch.SymFloat) else torch.int64)
        assert found.flatten()[0].item() == 5
    exported = program.module()
    torch.testing.assert_close(exported(x), expected)
    longer = torch.randn(2, 7, 3)
    torch.testing.assert_close(exported(longer), layer(longer))
