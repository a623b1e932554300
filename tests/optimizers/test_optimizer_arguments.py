"""Arguments, names, and the learning rate of optimizers."""

import inspect

import numpy as np
import pytest
import torch

from optimizers.optimizer_oracle import Owner, random_gradients, random_values
from torchkeras_lite import optimizers
from torchkeras_lite.engine.weights import LayerParameter, WeightInfo
from torchkeras_lite.optimizers import schedules

CLASSES = [
    getattr(optimizers, name)
    for name in optimizers.__all__
    if isinstance(getattr(optimizers, name), type) and "Optimizer" not in name and name != "TorchScheduler"
]


@pytest.fixture
def owner(rng):
    return Owner(random_values(rng))


def parameter(values, name="weight"):
    return LayerParameter(torch.tensor(values), WeightInfo(name, f"layer/{name}"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            dict(clipnorm=1.0, clipvalue=1.0),
            "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set",
        ),
        (dict(use_ema=True, ema_momentum=2), r"`ema_momentum` must be in the range \[0, 1\]"),
        (dict(use_ema=True, ema_overwrite_frequency=-2), "`ema_overwrite_frequency` must be an integer >= 1"),
        (dict(gradient_accumulation_steps=1), "`gradient_accumulation_steps` must be an integer >= 2"),
        (dict(decay=-1e-4), "`decay` must be a number of 0 or more"),
        (dict(learning_rate="fast"), "`learning_rate` should be float.*Pass a number"),
        (dict(weigth_decay=0.1), r"not recognized.*did you mean 'weight_decay'"),
        (dict(momentum=2.0), r"`momentum` must be a float between \[0, 1\]"),
    ],
    ids=str,
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        optimizers.SGD(**arguments)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.AdamW(weight_decay=None), "`weight_decay` must be a float"),
        (lambda: optimizers.Lion(beta_1=0.0), "degenerates to SignSGD"),
        (lambda: optimizers.Ftrl(initial_accumulator_value=-1.0), "needs to be positive or zero"),
        (lambda: optimizers.Ftrl(learning_rate_power=1.0), "needs to be negative or zero"),
        (lambda: optimizers.LossScaleOptimizer(optimizers.SGD(), clipnorm=1.0), "on the `inner_optimizer`"),
        (lambda: optimizers.LossScaleOptimizer(optimizers.SGD(), dynamic=False), "set `loss_scale_factor`"),
        (lambda: optimizers.LossScaleOptimizer(optimizers.SGD(), foo=1), "unknown arguments: `foo`"),
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "`decay_steps` must be > 0"),
        (lambda: schedules.CosineDecayRestarts(0.1, -1), "`first_decay_steps` must be > 0"),
        (lambda: schedules.PiecewiseConstantDecay([1], [0.1]), "should be 1 less than the length of values"),
        (lambda: schedules.CosineDecay(0.1, 1, name="a/b"), "`name` must be a string"),
    ],
)
def test_wrong_arguments_of_others(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_tf_keras_arguments():
    assert float(optimizers.Adam(learning_rate=0.25, is_legacy_optimizer=False).lr) == 0.25
    assert optimizers.SGD(decay=0.0, jit_compile=True).lr.numpy() == np.float32(0.01)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_signature_shows_shared_arguments(cls):
    names = list(inspect.signature(cls).parameters)
    assert names[0] == "learning_rate"
    assert {"weight_decay", "clipnorm", "use_ema", "gradient_accumulation_steps", "name"} <= set(names)
    assert cls.__doc__
    assert "Source: Keras 3 `keras.optimizers." in cls.__doc__


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_get(cls):
    assert type(optimizers.get(cls.__name__)) is type(optimizers.get(cls.__name__.lower())) is cls
    assert type(optimizers.get(cls)) is cls
    instance = cls()
    assert optimizers.get(instance) is instance
    lowered = {"class_name": cls.__name__.lower(), "config": {"learning_rate": 0.5}}
    assert float(optimizers.get(lowered).learning_rate) == 0.5
    assert optimizers.get(None) is None


@pytest.mark.parametrize(
    ("identifier", "message"),
    [("adamm", "optimizer identifier: 'adamm'; did you mean 'adam'"), (3, "3 of type int")],
)
def test_get_refuses(identifier, message):
    with pytest.raises(ValueError, match=message):
        optimizers.get(identifier)


def test_learning_rate_is_a_variable():
    optimizer = optimizers.Adam(0.1)
    rate = optimizer.learning_rate
    assert float(rate) == float(np.float32(0.1))
    assert (rate.shape, rate.dtype, rate.path) == ((), "float32", "adam/learning_rate")
    rate.assign(rate * 0.5)
    assert rate.numpy() == np.float32(0.05)
    optimizer.learning_rate = 0.25
    assert float(rate) == 0.25
    assert torch.sqrt(rate) == 0.5
    assert rate + 1 == 1.25
    assert 1 - rate == 0.75
    assert rate < 1
    assert -rate == -0.25
    assert np.asarray(rate) == 0.25
    assert f"{rate:.3f}" == "0.250"
    rate.assign_add(torch.tensor(0.25))
    rate.assign_sub(0.125)
    assert float(optimizer.lr) == 0.375
    with pytest.raises(ValueError, match="a value of shape"):
        rate.assign([1.0, 2.0])
    with pytest.raises(ValueError, match="is a number"):
        rate.assign("fast")


def test_schedule_in_place_of_a_number(owner, rng):
    optimizer = optimizers.SGD(0.1)
    assert len(optimizer.variables) == 2
    optimizer.learning_rate = schedules.PolynomialDecay(optimizer.learning_rate, 4, end_learning_rate=0.0)
    assert len(optimizer.variables) == 1
    optimizer.apply(random_gradients(rng), owner.variables)
    assert float(optimizer.learning_rate) == pytest.approx(0.075)
    with pytest.raises(TypeError, match="learning rate is not settable"):
        optimizer.learning_rate = 0.1


def test_callable_and_custom_schedules():
    weight = parameter([1.0])
    optimizer = optimizers.SGD(lambda: 0.5)
    optimizer.apply([torch.ones(1)], [weight])
    assert weight.item() == 0.5
    assert float(optimizer.learning_rate) == 0.5

    class Warmup(schedules.LearningRateSchedule):
        def __call__(self, step):
            return torch.minimum(torch.rsqrt(step + 1.0), step * 0.5)

    optimizer = optimizers.SGD(Warmup())
    optimizer.iterations.assign(1)
    assert float(optimizer.learning_rate) == 0.5
    with pytest.raises(NotImplementedError, match="must override `get_config"):
        optimizer.get_config()

    class Halved(schedules.ExponentialDecay):
        def __call__(self, step):
            return 0.5 * super().__call__(step)

    assert float(optimizers.SGD(Halved(0.5, 2, 0.5)).learning_rate) == 0.25


def test_schedule_of_many_steps():
    rates = schedules.PolynomialDecay(1.0, 4, end_learning_rate=0.0)(np.arange(6))
    torch.testing.assert_close(rates, torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0, 0.0]))


def test_iterations(owner, rng):
    optimizer = optimizers.SGD(gradient_accumulation_steps=2)
    for _ in range(3):
        optimizer.apply(random_gradients(rng), owner.variables)
    assert int(optimizer.iterations) == 1
    assert int(optimizer.variables[0]) == 3
    plain = optimizers.SGD()
    plain.iterations.assign(7)
    assert plain.iterations == 7
    assert [0, 1, 2, 3, 4, 5, 6, 7][plain.iterations] == 7
