"""`Variable`: keras.Variable's behaviour, on its own and as a layer's weight."""

import copy
import pickle

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite as tkl
from torchkeras_lite import constraints, initializers, layers, metrics, regularizers
from torchkeras_lite.base.naming import name_scope
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.variable import Variable, adopt, is_free_variable
from torchkeras_lite.optimizers import SGD, Adam


@pytest.fixture(autouse=True)
def _fresh_names():
    keras.utils.clear_session(free_memory=False)


VALUES = [
    [1, 2],
    1,
    True,
    [True, False],
    [1.0, 2],
    2.5,
    np.ones(2, "int64"),
    np.ones((2, 3)),
    np.float64(2),
    np.ones(2, "float16"),
    torch.ones(2, dtype=torch.float64),
    torch.ones(2, dtype=torch.int32),
    torch.ones(2, dtype=torch.bfloat16),
]


@pytest.mark.parametrize("values", VALUES, ids=repr)
@pytest.mark.parametrize("dtype", [None, "float32", "int32", "float16"])
def test_values_and_dtypes_are_kerass(values, dtype):
    mine = Variable(values, dtype=dtype, trainable=False)
    his = keras.Variable(values, dtype=dtype, trainable=False)
    assert (mine.dtype, mine.shape, mine.ndim, mine.name, mine.path) == (
        his.dtype,
        his.shape,
        his.ndim,
        his.name,
        his.path,
    )
    assert torch.equal(mine.value, his.value)
    assert type(mine.shape) is tuple


@pytest.mark.parametrize(
    ("initializer", "dtype"),
    [
        ("ones", None),
        ("ones", "int32"),
        ("zeros", "float16"),
        (lambda shape, dtype: torch.full(shape, 3.0), None),
    ],
)
def test_initializers_are_kerass(initializer, dtype):
    mine = Variable(initializer, shape=[2, 3], dtype=dtype, trainable=False)
    his = keras.Variable(initializer, shape=[2, 3], dtype=dtype, trainable=False)
    assert repr(mine) == repr(his)
    assert torch.equal(mine.value, his.value)


def test_initializer_objects_draw():
    variable = Variable(initializers.RandomNormal(seed=1), shape=(3,))
    np.testing.assert_array_equal(variable.numpy(), initializers.RandomNormal(seed=1)((3,)).numpy())
    assert isinstance(variable.initializer, initializers.RandomNormal)


def test_values_are_copied():
    for values in (np.ones(2, "float32"), torch.ones(2)):
        variable = Variable(values)
        variable.assign([5.0, 5.0])
        assert float(values[0]) == 1


UNARY = [lambda v: -v, abs, lambda v: v[0], lambda v: round(v, 1), lambda v: v == 2, lambda v: v != 2]
BINARY = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / b,
    lambda a, b: a // b,
    lambda a, b: a % b,
    lambda a, b: a**b,
    lambda a, b: a < b,
    lambda a, b: a >= b,
    lambda a, b: a @ b,
]


@pytest.mark.parametrize("operation", UNARY)
def test_unary_operators_are_kerass(operation):
    values = [[1.26, -2.0], [3.0, 2.0]]
    torch.testing.assert_close(operation(Variable(values)), operation(keras.Variable(values)))


@pytest.mark.parametrize("operation", BINARY)
@pytest.mark.parametrize("side", ["both", "left", "right"])
def test_binary_operators_are_kerass(operation, side):
    first, second = torch.tensor([[1.5, 2.0], [3.0, 4.0]]), torch.tensor([[2.0, 2.0], [1.0, 5.0]])

    def result(kind):
        a = first if side == "right" else kind(first)
        b = second if side == "left" else kind(second)
        return operation(a, b)

    torch.testing.assert_close(result(Variable), result(keras.Variable))


MIXED = {
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "minus": lambda a, b: a - b,
    "matmul": lambda a, b: a @ b,
    "less": lambda a, b: a < b,
    "equal": lambda a, b: a == b,
}
VALUES = {
    "numpy float": lambda: np.array([0.0, 2.0, 5.0], "float32"),
    "numpy bool": lambda: np.array([True, False, True]),
    "tensor": lambda: torch.tensor([1, 0, 3], dtype=torch.int8),
    "half": lambda: torch.tensor([1.0, 0.0, 3.0], dtype=torch.float16),
}


@pytest.mark.parametrize("dtype", ["int32", "float32", "bfloat16"])
@pytest.mark.parametrize("other", VALUES)
@pytest.mark.parametrize("operation", MIXED)
def test_operators_on_values_of_another_dtype_are_kerass(operation, other, dtype):
    def result(kind):
        variable = kind([0, 2, 3], dtype=dtype, trainable=False)
        return MIXED[operation](variable, VALUES[other]())

    torch.testing.assert_close(result(Variable), result(keras.Variable))


def test_unary_signs():
    variable = Variable([1.0, -2.0])
    assert (+variable).tolist() == [1.0, -2.0]
    assert (~Variable([True, False])).tolist() == [False, True]
    assert (torch.tensor([True]) ^ Variable([True])).tolist() == [False]


def test_numbers():
    assert float(Variable(2.5)) == 2.5
    assert int(Variable(2)) == 2
    assert [10, 20, 30][Variable(1)] == 20
    with pytest.raises(TypeError, match="cannot be used as a boolean"):
        bool(Variable(1.0))
    with pytest.raises(TypeError, match=r"of shape \(2,\) is no single number. Only scalar arrays"):
        float(Variable([1.0, 2.0]))


def test_assigning():
    variable = Variable(np.ones((2, 3)))
    assert variable.assign(np.zeros((2, 3))) is variable
    variable.assign_add(torch.ones(2, 3))
    variable.assign_sub(torch.full((2, 3), 3.0))
    np.testing.assert_array_equal(variable.numpy(), -2 * np.ones((2, 3)))
    with pytest.raises(
        ValueError, match=r"shape of weight 'variable' is \(2, 3\), and a value of shape \(3, 2\)"
    ):
        variable.assign(np.zeros((3, 2)))


def test_torch_functions_and_gradients():
    variable = Variable([1.0, 2.0])
    assert isinstance(variable.value, torch.nn.Parameter)
    (gradient,) = torch.autograd.grad(torch.sum(variable * 3), variable)
    assert gradient.tolist() == [3, 3]
    (variable**2).sum().backward()
    assert variable.value.grad.tolist() == [2, 4]
    assert torch.stack([variable, variable]).shape == (2, 2)
    np.testing.assert_array_equal(np.asarray(variable), [1, 2])


NUMPY = {
    "mean": np.mean,
    "sum of columns": lambda w: np.sum(w, axis=0),
    "greatest": np.max,
    "least": np.min,
    "deviation": np.std,
    "all": np.all,
    "squeeze": np.squeeze,
    "stack": lambda w: np.stack([w, w], axis=1),
    "where": lambda w: np.where(np.asarray(w) > 1, w, 0.0),
}


@pytest.mark.parametrize("function", NUMPY)
def test_numpys_functions_read_weights(function):
    values = np.array([[1.0, 3.0, 2.0]], "float32")
    dense, layer, total = layers.Dense(3), layers.Layer(), metrics.Mean().variables[0]
    dense.build((None, 1))
    dense.kernel.assign(values)
    added = layer.add_weight(shape=(1, 3))
    added.assign(values)
    for weight in (Variable(values), dense.kernel, added):
        found = NUMPY[function](weight)
        assert not isinstance(found, torch.Tensor)
        np.testing.assert_allclose(found, NUMPY[function](values))
    assert np.sum(total) == 0


def test_optimizers_train_it():
    variable, his = Variable([1.0, 2.0]), keras.Variable([1.0, 2.0])
    optimizer, theirs = Adam(0.1), keras.optimizers.Adam(0.1)
    for _ in range(3):
        optimizer.apply(torch.autograd.grad((variable**2).sum(), [variable]), [variable])
        theirs.apply(torch.autograd.grad((his.value**2).sum(), [his.value]), [his])
    np.testing.assert_allclose(variable.numpy(), his.numpy().astype("float32"), rtol=1e-5)


def test_trainable():
    variable = Variable([1.0], trainable=False)
    assert not variable.trainable
    variable.trainable = True
    assert isinstance(variable.value, torch.nn.Parameter)
    assert variable.value.requires_grad
    variable.trainable = False
    assert not variable.value.requires_grad
    assert not Variable([1, 2]).trainable
    integers = Variable([1, 2])
    with pytest.raises(ValueError, match="cannot be trained"):
        integers.trainable = True


def test_names_and_paths():
    with name_scope("outer"):
        assert Variable(1.0, name="inner").path == "outer/inner"
    assert Variable(1.0).name == "variable"
    assert Variable(1.0).name == "variable_1"


def test_attributes():
    variable = Variable(1.0, autocast=False, aggregation="mean", synchronization="on_read")
    assert (variable.autocast, variable.aggregation, variable.synchronization) == (False, "mean", "on_read")
    variable.constraint, variable.regularizer = constraints.NonNeg(), regularizers.L2()
    assert isinstance(variable.constraint, constraints.NonNeg)
    assert isinstance(variable.regularizer, regularizers.L2)
    for attribute in ("constraint", "regularizer"):
        with pytest.raises(
            ValueError,
            match=f"Invalid value for attribute `{attribute}`: expected a callable or `None`, got 3",
        ):
            setattr(variable, attribute, 3)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        (("ones",), {}, "the `shape` argument should be specified"),
        (("ones",), {"shape": (None, 2)}, r"must be fully-defined \(no `None` dimensions\)"),
        (("ones",), {"shape": (-1,)}, "-1 is not a size"),
        (("ones",), {"shape": "ab"}, "cannot convert 'ab' to a shape"),
        (("ones",), {"shape": 3}, "cannot convert 3 to a shape"),
        ((np.ones(3),), {"shape": (2,)}, r"expected values of shape \(2,\).*got values of shape \(3,\)"),
        (([1.0],), {"name": "a/b"}, "must be a string and cannot contain character `/`"),
        (([1.0],), {"aggregation": "x"}, "`aggregation` must be one of"),
        (([1.0],), {"synchronization": "x"}, "`synchronization` must be one of"),
        ((None,), {"shape": (2,)}, "expected numbers, an array, a tensor or an initializer, got None"),
        ((["a"],), {}, "expected numbers, an array"),
        (("abc",), {"shape": (2,)}, "Could not interpret initializer identifier"),
    ],
)
def test_refuses_wrong_arguments(args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        Variable(*args, **kwargs)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_copies(copied):
    variable = Variable([1.0, 2.0], name="v")
    variable.regularizer = regularizers.L2()
    second = copied(variable)
    second.assign([5.0, 5.0])
    assert variable.numpy().tolist() == [1, 2]
    assert (second.name, second.trainable, type(second.regularizer)) == ("v", True, regularizers.L2)


def test_all_weights_are_instances():
    dense = layers.Dense(2)
    dense.build((None, 3))
    made = Layer().add_weight(shape=(2,), name="made")
    for weight in (Variable(1.0), dense.kernel, *dense.weights, made):
        assert isinstance(weight, Variable)
    assert not isinstance(torch.ones(2), Variable)
    assert is_free_variable(Variable(1.0))
    assert not is_free_variable(dense.kernel)
    assert not is_free_variable(made)


class Scaled(Layer):
    """Keeps two variables as the engine does for attributes, and one in a list."""

    def __init__(self, scale, listed):
        super().__init__()
        adopt(self, "scale", scale)
        adopt(self, "offset", Variable(3.0, trainable=False, name="o"))
        self.__dict__["listed"] = [listed]
        adopt(self, "listed_0", listed)

    def call(self, inputs):
        return inputs * self.scale + self.offset + self.listed[0]


@pytest.fixture
def scaled():
    return Scaled(Variable([1.0, 2.0], name="s"), Variable([1.0, 1.0], name="l"))


def test_adopted_variables_are_weights(scaled):
    x = torch.ones(3, 2)
    assert scaled(x).tolist() == [[5, 6]] * 3
    assert [w.path for w in scaled.weights] == ["s", "l", "o"]
    assert [w.path for w in scaled.trainable_weights] == ["s", "l"]
    assert list(scaled.state_dict()) == ["scale", "listed_0", "offset"]
    scaled.set_weights([np.zeros(2), np.zeros(2), np.zeros(())])
    assert scaled.listed[0].numpy().tolist() == [0, 0]


def test_adopted_variables_stay_views():
    scale, listed = Variable([1.0, 2.0]), Variable([0.0, 0.0])
    scaled = Scaled(scale, listed)
    scale.assign([7.0, 7.0])
    assert scaled.scale.tolist() == [7, 7]
    scaled.double()
    assert scale.dtype == listed.dtype == "float64"
    scaled.load_state_dict({k: torch.ones_like(v) for k, v in scaled.state_dict().items()})
    assert scale.numpy().tolist() == listed.numpy().tolist() == [1, 1]
    scaled.trainable = False
    assert not scale.trainable
    scaled.trainable = True
    assert scale.trainable


def test_adopted_variables_work_in_torch(scaled):
    x = torch.ones(3, 2)
    expected = scaled(x)
    for copied in (copy.deepcopy(scaled), pickle.loads(pickle.dumps(scaled))):
        assert torch.equal(copied(x), expected)
        copied.set_weights([np.zeros(2), np.zeros(2), np.zeros(())])
        assert copied(x).abs().sum() == 0
        assert torch.equal(scaled(x), expected)
    assert torch.equal(torch.compile(scaled, fullgraph=True, backend="eager")(x), expected)
    assert torch.equal(torch.export.export(scaled, (x,)).module()(x), expected)
    swapped = torch.func.functional_call(scaled, {"scale": torch.zeros(2), "listed_0": torch.zeros(2)}, (x,))
    assert swapped.tolist() == [[3, 3]] * 3


def test_what_is_kept_before_the_constructor_of_the_base_counts():
    def shapes(package):
        class Early(package.layers.Layer):
            def __init__(self):
                self.units = 2
                self.scale = package.Variable(np.ones(2, "float32"))
                self.listed, self.inner = [package.Variable([1.0, 2.0, 3.0])], []
                super().__init__()
                self.inner.append(package.layers.Dense(self.units))

            def call(self, x):
                return self.inner[0](x) * self.scale

        layer = Early()
        layer(np.ones((1, 2), "float32"))
        return [tuple(weight.shape) for weight in layer.weights]

    assert shapes(tkl) == shapes(keras)


def test_a_variable_known_to_an_optimizer_can_be_adopted():
    variable = Variable([1.0, 2.0])
    optimizer = SGD(0.5)
    optimizer.build([variable])
    scaled = Scaled(variable, Variable([0.0, 0.0]))
    gradient = torch.autograd.grad(scaled(torch.ones(1, 2)).sum(), [scaled.scale])
    optimizer.apply(gradient)
    assert scaled.scale.tolist() == [0.5, 1.5]


def test_adopting_another_variable_replaces_the_first(scaled):
    adopt(scaled, "scale", Variable([4.0, 4.0], trainable=False, name="new"))
    assert [w.path for w in scaled.weights] == ["l", "o", "new"]
    assert "scale" in dict(scaled.named_buffers())


def test_overwrite_with_gradient_is_a_boolean():
    variable = Variable(np.ones(2))
    assert variable.overwrite_with_gradient is False
    variable.overwrite_with_gradient = True
    assert variable.overwrite_with_gradient is True
    with pytest.raises(TypeError, match="`overwrite_with_gradient` must be a boolean, got 'yes'"):
        variable.overwrite_with_gradient = "yes"


@pytest.mark.parametrize("dtype", ["float64", "float16", "int64", "int32"])
@pytest.mark.parametrize("array", ["numpy", "torch"])
def test_differences_have_kerass_dtype(dtype, array):
    def result(kind):
        values = np.array([1, 2, 3], dtype)
        return kind(np.array([3.0, 2.0, 2.0], "float32")) - (
            values if array == "numpy" else torch.tensor(values)
        )

    torch.testing.assert_close(result(Variable), result(keras.Variable))
