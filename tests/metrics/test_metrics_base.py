"""State variables, the base class, names, copies and serialization."""

import copy
import pickle

import keras
import numpy as np
import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from torchkeras_lite import metrics
from torchkeras_lite.base import registry
from torchkeras_lite.metrics import Metric


class SquaredSum(Metric):
    """As in the Keras guide."""

    def __init__(self, name="squared_sum", **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_variable(shape=(), initializer="zeros", name="total")
        self.by_column = self.add_weight(shape=(3,), initializer="zeros", name="by_column")
        self.batches = self.add_weight(name="batches", initializer="zeros", dtype="int32")

    def update_state(self, y_true, y_pred, sample_weight=None):
        squares = (y_true - y_pred) ** 2
        self.total.assign(self.total + torch.sum(squares))
        self.by_column.assign_add(squares.sum(0))
        self.batches.assign_add(1)

    def result(self):
        return torch.sqrt(self.total / (self.batches + 0.0))


@pytest.fixture
def pair():
    return torch.randn(4, 3), torch.randn(4, 3)


def test_user_metric(pair):
    y_true, y_pred = pair
    metric = SquaredSum()
    metric.update_state(y_true, y_pred)
    result = metric(y_true, y_pred)
    torch.testing.assert_close(result, (y_true - y_pred).square().sum().sqrt())
    assert [(v.name, v.path, v.dtype, v.shape) for v in metric.variables] == [
        ("total", "squared_sum/total", "float32", ()),
        ("by_column", "squared_sum/by_column", "float32", (3,)),
        ("batches", "squared_sum/batches", "int32", ()),
    ]
    assert metric.batches.numpy() == 2
    metric.reset_state()
    assert all(not v.numpy().any() for v in metric.variables)
    metric.update_state(y_true, y_pred)
    metric.reset_states()
    assert float(metric.total) == 0.0


def test_a_class_with_the_older_name_of_reset_is_reset():
    class Old(SquaredSum):
        def reset_states(self):
            for variable in self.variables:
                variable.assign(7)

    metric = Old()
    metric.reset_state()
    assert int(metric.batches) == 7


def test_forgotten_super_init():
    class Forgetful(Metric):
        def __init__(self):
            self.total = self.add_variable(())

    with pytest.raises(RuntimeError, match=r"forgot to call `super\(\).__init__\(\)`.*Forgetful.*Call it"):
        Forgetful()


@pytest.mark.parametrize("method", ["update_state", "result"])
def test_missing_methods(method):
    with pytest.raises(NotImplementedError, match=rf"Metric has no `{method}.*Write one"):
        getattr(Metric(), method)()


def test_variable_is_a_tensor_in_operators_and_functions():
    variable = Metric().add_variable((3,), initializer=[1.0, 2.0, 3.0], name="v")
    tensor = torch.tensor([1.0, 2.0, 3.0])
    other = torch.tensor([2.0, 2.0, 2.0])
    for mine, expected in [
        (variable + other, tensor + other),
        (other - variable, other - tensor),
        (variable * np.float32([2, 2, 2]), tensor * other),
        (1 / variable, 1 / tensor),
        (variable**2, tensor**2),
        (-variable, -tensor),
        (variable[1:], tensor[1:]),
        (variable == other, tensor == other),
        (variable > 1.5, tensor > 1.5),
        (torch.stack([variable, other]), torch.stack([tensor, other])),
        (torch.where(variable > 1, variable, 0.0), torch.where(tensor > 1, tensor, 0.0)),
        (variable.mean(), tensor.mean()),
        (torch.mean(variable), tensor.mean()),
        (variable + variable, tensor + tensor),
        (variable.value, tensor),
    ]:
        assert type(mine) is torch.Tensor
        torch.testing.assert_close(mine, expected)
    assert len(variable) == 3
    assert variable.ndim == 1
    np.testing.assert_array_equal(np.asarray(variable), tensor.numpy())


def test_variable_updates():
    variable = Metric().add_variable((), initializer="ones", name="v")
    variable.assign_add(2)
    variable.assign_add(torch.tensor(0.5))
    variable.assign_sub(1)
    assert float(variable) == 2.5
    variable += 1
    assert float(variable) == 3.5
    assert variable.assign(0) is variable
    assert f"{float(variable):.1f}" == "0.0"
    assert bool(variable == 0)


def test_variable_refuses_other_shapes():
    variable = Metric(name="m").add_variable((3,), name="v")
    with pytest.raises(
        ValueError, match=r"'m/v' has shape \(3,\).*shape \(2,\).*Pass a value of shape \(3,\)"
    ):
        variable.assign(torch.ones(2))
    with pytest.raises(ValueError, match=r"'m/v' has shape \(3,\).*shape \(2, 3\)"):
        variable.assign_add(torch.ones(2, 3))
    variable.assign(torch.tensor(2.0))
    assert variable.numpy().tolist() == [2.0, 2.0, 2.0]


def test_state_never_shares_storage_with_what_came_or_what_was_handed_out():
    mean, sum_ = metrics.Mean(), metrics.Sum()
    loss = torch.tensor(2.0)
    mean.update_from_mean(loss, 1)
    total = sum_(loss)
    variable = Metric().add_variable(())
    variable.assign(loss)
    loss.add_(100)
    sum_.update_state(5.0)
    assert float(mean.result()) == 2.0
    assert float(total) == 2.0
    assert float(variable) == 2.0


def test_unknown_initializer():
    with pytest.raises(ValueError, match=r"unknown initializer 'zerox'.*Pass 'zeros'"):
        Metric().add_variable((), initializer="zerox")


def test_initializers_by_name_class_and_object():
    from torchkeras_lite import initializers

    for initializer in (
        "ones",
        initializers.Ones,
        initializers.Ones(),
        lambda shape, dtype: torch.ones(shape),
    ):
        assert Metric().add_variable((2,), initializer=initializer).numpy().tolist() == [1.0, 1.0]
    assert Metric().add_variable((2,), initializer=initializers.Zeros()).numpy().tolist() == [0.0, 0.0]


def test_variables_of_inner_metrics_and_of_containers():
    metric = SquaredSum()
    metric.inner = {"a": [metrics.Mean(), metrics.Sum()]}
    metric.same = metric.inner["a"][0]
    metric.more = [Metric().add_variable(())]
    assert len(metric.variables) == 3 + 1 + 2 + 1


def test_stateless_methods_leave_the_metric_alone(pair):
    metric = metrics.Mean()
    metric.update_state([1.0, 2.0])
    state = metric.stateless_update_state([torch.tensor(0.0), torch.tensor(0.0)], [3.0, 5.0])
    assert [float(value) for value in state] == [8.0, 2.0]
    assert float(metric.stateless_result(state)) == 4.0
    assert [float(value) for value in metric.stateless_reset_state()] == [0.0, 0.0]
    assert float(metric.result()) == 1.5
    assert metric.count.number == 2
    with pytest.raises(ValueError, match="one for each of the 2 variables of Mean 'mean'; got 1"):
        metric.stateless_result([torch.tensor(0.0)])


def test_update_from_mean_equals_the_values():
    ours, values = metrics.Mean(), metrics.Mean()
    for batch in (torch.tensor([1.0, 2.0, 4.0]), torch.tensor([8.0])):
        values.update_state(batch)
        ours.update_from_mean(batch.mean(), len(batch))
    torch.testing.assert_close(ours.result(), values.result())
    ours.update_from_mean(3.75, 4)
    ours.update_from_mean(torch.tensor(3.75), torch.tensor(2.0))
    assert float(ours.result()) == pytest.approx(3.75)


def test_weighted_and_plain_updates_mix():
    ours, theirs = metrics.Mean(), keras.metrics.Mean()
    for weight in (None, [0.5, 2.0], None):
        ours.update_state([1.0, 3.0], weight), theirs.update_state([1.0, 3.0], weight)
    assert float(ours.result()) == pytest.approx(float(theirs.result()))
    assert float(metrics.Mean().result()) == 0.0


@pytest.mark.parametrize(
    "args", [{}, {"dtype": "float16"}, {"dtype": "mixed_bfloat16"}, {"dtype": torch.float64}]
)
def test_dtype(args):
    ours = metrics.Mean(**args)
    theirs = keras.metrics.Mean(**args)
    assert ours.dtype == theirs.dtype
    assert ours.get_config() == theirs.get_config()
    with pytest.raises(AttributeError):
        ours.dtype = "float32"


def test_automatic_names_are_numbered_and_fixed_names_are_not():
    assert [metrics.Precision().name for _ in range(3)] == ["precision", "precision_1", "precision_2"]
    assert [metrics.Recall(name="r").name, metrics.AUC().name] == ["r", "auc"]
    assert [metrics.BinaryAccuracy().name for _ in range(2)] == ["binary_accuracy"] * 2
    assert metrics.MeanIoU(2).name == "mean_io_u"
    assert SquaredSum(name=None).name == "squared_sum"


@registry.register_keras_serializable("test_metrics")
def absolute(y_true, y_pred, power=1):
    return (y_true - y_pred).abs() ** power


def test_wrapper_of_a_function_round_trips(pair):
    metric = metrics.MeanMetricWrapper(absolute, name="distance", power=2)
    config = metric.get_config()
    assert set(config) == {"name", "dtype", "fn", "power"}
    again = metrics.MeanMetricWrapper.from_config(config)
    assert again.get_config() == config
    torch.testing.assert_close(again(*pair), (pair[0] - pair[1]).square().mean())
    loss = metrics.MeanMetricWrapper(metrics.mean_squared_error)
    theirs = keras.metrics.MeanMetricWrapper(keras.losses.mean_squared_error)
    assert metrics.serialize(loss) == keras.metrics.serialize(theirs) | {
        "config": {**theirs.get_config(), "name": loss.name}
    }
    assert loss._direction == "down"
    assert not hasattr(metric, "_direction")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda metric: pickle.loads(pickle.dumps(metric))])
@pytest.mark.parametrize(
    "name", ["MeanSquaredError", "AUC", "Precision", "F1Score", "R2Score", "BinaryAccuracy"]
)
def test_copies_go_their_own_way(name, copied, rng):
    y_true, y_pred = rng.integers(0, 2, (6, 3)), rng.random((6, 3)).astype("float32")
    metric = getattr(metrics, name)()
    metric.update_state(y_true, y_pred)
    before = metric.result()
    twin = copied(metric)
    torch.testing.assert_close(twin.result(), before)
    twin.update_state(y_true, 1 - y_pred)
    torch.testing.assert_close(metric.result(), before)
    twin.reset_state()
    twin.update_state(y_true, y_pred)
    torch.testing.assert_close(twin.result(), before)


def test_state_holds_no_graph():
    y_pred = torch.rand(4, 1, requires_grad=True)
    for name in ("MeanSquaredError", "BinaryAccuracy", "AUC", "Precision", "RootMeanSquaredError", "R2Score"):
        metric = getattr(metrics, name)()
        metric.update_state(torch.ones(4, 1), y_pred * 1.0)
        assert not any(v.value.requires_grad for v in metric.variables), name
    variable = Metric().add_variable(())
    variable.assign(variable + y_pred.sum())
    assert not variable.value.requires_grad


def test_updates_inside_and_outside_inference_mode():
    metric = metrics.SparseCategoricalAccuracy()
    weights = torch.ones(4)
    for _ in range(2):
        with torch.inference_mode():
            metric.update_state(torch.tensor([0, 1, 0, 1]), torch.eye(2).repeat(2, 1), weights)
        metric.update_state(torch.tensor([1, 0, 0, 1]), torch.eye(2).repeat(2, 1))
    assert float(metric.result()) == 0.75


@pytest.mark.parametrize("name", ["SparseCategoricalAccuracy", "SparseCategoricalCrossentropy"])
def test_stateless_update_can_be_traced_into_a_graph(name):
    metric = getattr(metrics, name)()
    state = [torch.tensor(1.0), torch.tensor(2.0)]
    batch = torch.tensor([0, 1, 2, 0]), torch.rand(4, 3)
    step = make_fx(lambda state, *batch: metric.stateless_update_state(state, *batch))(state, *batch)
    metric.update_state(*batch)
    for traced, eager in zip(step(state, *batch), metric.variables, strict=True):
        torch.testing.assert_close(traced, eager + state[0 if eager.name == "total" else 1])
