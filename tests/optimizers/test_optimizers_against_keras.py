"""Every optimizer and every option, step by step against real Keras."""

import keras
import numpy as np
import pytest
import torch

from optimizers.optimizer_oracle import (
    Owner,
    assert_same_training,
    keras_variables,
    random_gradients,
    random_values,
    to_keras_optimizer,
)
from torchkeras_lite import optimizers
from torchkeras_lite.optimizers import schedules

RULES = [
    ("SGD", dict()),
    ("SGD", dict(momentum=0.9)),
    ("SGD", dict(momentum=0.9, nesterov=True)),
    ("RMSprop", dict()),
    ("RMSprop", dict(momentum=0.5, rho=0.7)),
    ("RMSprop", dict(momentum=0.5, centered=True, epsilon=1e-3)),
    ("Adam", dict()),
    ("Adam", dict(amsgrad=True)),
    ("Adam", dict(beta_1=0.5, beta_2=0.9, epsilon=1e-2)),
    ("AdamW", dict()),
    ("AdamW", dict(amsgrad=True, weight_decay=0.1)),
    ("Adadelta", dict(learning_rate=1.0)),
    ("Adadelta", dict(rho=0.7, epsilon=1e-2)),
    ("Adagrad", dict()),
    ("Adagrad", dict(initial_accumulator_value=0.5, epsilon=1e-2)),
    ("Adamax", dict()),
    ("Adamax", dict(beta_1=0.5, beta_2=0.9, epsilon=1e-2)),
    ("Adafactor", dict()),
    ("Adafactor", dict(relative_step=False, clip_threshold=0.3, beta_2_decay=-0.5, learning_rate=0.5)),
    ("Nadam", dict()),
    ("Nadam", dict(beta_1=0.5, beta_2=0.9, epsilon=1e-2)),
    ("Ftrl", dict()),
    ("Ftrl", dict(beta=0.3, learning_rate_power=-0.4, initial_accumulator_value=0.3, learning_rate=0.1)),
    ("Ftrl", dict(l1_regularization_strength=0.1, l2_regularization_strength=0.1)),
    ("Ftrl", dict(l2_shrinkage_regularization_strength=0.1)),
    ("Lion", dict()),
    ("Lion", dict(beta_1=0.5, beta_2=0.8)),
    ("Lamb", dict()),
    ("Lamb", dict(beta_1=0.5, beta_2=0.9, epsilon=1e-2)),
    ("Muon", dict()),
    ("Muon", dict(nesterov=False, weight_decay=0.1, adam_lr_ratio=0.5, momentum=0.8, ns_steps=3)),
    ("Muon", dict(rms_rate=None, weight_decay=0, exclude_layers=[".*kernel"], adam_weight_decay=0.1)),
    ("ScheduleFreeAdamW", dict()),
    ("ScheduleFreeAdamW", dict(warmup_steps=5, beta_1=0.5, epsilon=1e-3)),
]
OPTIONS = [
    dict(clipnorm=0.5),
    dict(clipvalue=0.5),
    dict(global_clipnorm=0.5),
    dict(weight_decay=0.1),
    dict(use_ema=True),
    dict(use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3),
    dict(gradient_accumulation_steps=3),
    dict(
        gradient_accumulation_steps=3,
        use_ema=True,
        ema_overwrite_frequency=2,
        weight_decay=0.01,
        clipnorm=1.0,
    ),
    dict(loss_scale_factor=4.0),
]
SCHEDULES = [
    schedules.ExponentialDecay(0.1, 5, 0.5),
    schedules.ExponentialDecay(0.1, 5, 0.5, staircase=True),
    schedules.InverseTimeDecay(0.1, 2, 0.3),
    schedules.InverseTimeDecay(0.1, 2, 0.3, staircase=True),
    schedules.PiecewiseConstantDecay([2, 9], [0.1, 0.2, 0.05]),
    schedules.PolynomialDecay(0.1, 10, power=2.0),
    schedules.PolynomialDecay(0.1, 7, end_learning_rate=0.01, cycle=True),
    schedules.CosineDecay(0.1, 10),
    schedules.CosineDecay(0.1, 10, alpha=0.1, warmup_target=0.3, warmup_steps=4),
    schedules.CosineDecayRestarts(0.1, 3, m_mul=0.9, alpha=0.1),
    schedules.CosineDecayRestarts(0.1, 3, t_mul=1.0),
]
NAMES = sorted({name for name, _ in RULES})
BFLOAT16 = (
    "SGD",
    "RMSprop",
    "Adadelta",
    "Adagrad",
    "Lion",
)  # the others lose Keras's own arithmetic in bfloat16


@pytest.mark.parametrize("fast", [False, True], ids=["apply", "update"])
@pytest.mark.parametrize(("name", "arguments"), RULES, ids=str)
def test_update_rule(name, arguments, fast, rng):
    assert_same_training(getattr(optimizers, name)(**arguments), fast=fast, rng=rng)


@pytest.mark.parametrize(("name", "arguments"), RULES, ids=str)
def test_update_rule_in_float64(name, arguments, rng):
    assert_same_training(
        getattr(optimizers, name)(**arguments), dtype=torch.float64, rtol=1e-6, atol=1e-7, rng=rng
    )


@pytest.mark.parametrize("name", BFLOAT16)
def test_update_rule_in_bfloat16(name, rng):
    assert_same_training(
        getattr(optimizers, name)(), dtype=torch.bfloat16, steps=6, rtol=3e-2, atol=3e-2, rng=rng
    )


@pytest.mark.parametrize("fast", [False, True], ids=["apply", "update"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(
    ("name", "arguments"), [("SGD", dict(momentum=0.9)), ("Adam", {}), ("Muon", {})], ids=str
)
def test_option(name, arguments, options, fast, rng):
    assert_same_training(getattr(optimizers, name)(**arguments, **options), fast=fast, rng=rng)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("SGD", "Adam", "Muon")])
def test_option_of_every_optimizer(name, options, rng):
    assert_same_training(getattr(optimizers, name)(**options), fast=True, rng=rng)


@pytest.mark.parametrize("name", NAMES)
def test_accumulation_and_decay_together(name, rng):
    optimizer = getattr(optimizers, name)(gradient_accumulation_steps=2, weight_decay=0.05)
    assert_same_training(optimizer, rng=rng)


@pytest.mark.parametrize("options", [{}, dict(gradient_accumulation_steps=3)], ids=str)
@pytest.mark.parametrize("schedule", SCHEDULES, ids=[f"{s.name}-{i}" for i, s in enumerate(SCHEDULES)])
def test_schedule_in_training(schedule, options, rng):
    assert_same_training(optimizers.SGD(schedule, **options), new_rate=None, atol=1e-5, rng=rng)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=[f"{s.name}-{i}" for i, s in enumerate(SCHEDULES)])
def test_schedule_values_and_config(schedule):
    config = schedules.serialize(schedule)
    theirs = keras.optimizers.schedules.deserialize(config)
    assert keras.optimizers.schedules.serialize(theirs) == config
    assert schedules.serialize(schedules.deserialize(config)) == config
    for step in (*range(30), 1000):
        assert float(schedule(step)) == pytest.approx(
            float(theirs(step)), rel=3e-5, abs=1e-7
        )  # theirs is float32


@pytest.mark.parametrize(("name", "arguments"), RULES, ids=str)
def test_config_equals_keras(name, arguments):
    ours = getattr(optimizers, name)(name="mine", clipnorm=0.5, **arguments)
    theirs = getattr(keras.optimizers, name)(name="mine", clipnorm=0.5, **arguments)
    assert ours.get_config() == theirs.get_config()
    config = optimizers.serialize(ours)
    assert (config["module"], config["class_name"]) == ("keras.optimizers", name)
    again = optimizers.deserialize(config)
    assert type(again) is type(ours)
    assert again.get_config() == ours.get_config()


@pytest.mark.parametrize("name", NAMES)
def test_variable_names_equal_keras(name, rng):
    owner, references = assert_same_training(getattr(optimizers, name)(use_ema=True), steps=1, rng=rng)
    ours, theirs = getattr(optimizers, name)(use_ema=True), getattr(keras.optimizers, name)(use_ema=True)
    ours.build(owner.variables)
    theirs.build(references)
    strip = lambda variable: variable.path.split("/")[-1].removeprefix("variable_")
    pairs = [
        (strip(mine), strip(his))
        for mine, his in zip(ours.variables, theirs.variables, strict=True)
        if not his.path.startswith("variable")  # Keras's product of Nadam is numbered by all variables so far
    ]
    assert [mine for mine, _ in pairs] == [his for _, his in pairs]


def test_loss_scale_optimizer(rng):
    ours = optimizers.LossScaleOptimizer(
        optimizers.Adam(weight_decay=0.1), initial_scale=8.0, dynamic_growth_steps=3
    )
    assert_same_training(ours, rng=rng, new_rate=0.002)


@pytest.mark.parametrize("fast", [False, True], ids=["apply", "update"])
def test_loss_scale_optimizer_leaves_out_infinite_steps(fast, rng):
    ours = optimizers.LossScaleOptimizer(optimizers.SGD(), initial_scale=8.0, dynamic_growth_steps=2)
    theirs, values = to_keras_optimizer(ours), random_values(rng)
    owner, references = Owner(values), keras_variables(values)
    ours.build(owner.variables)
    theirs.build(references)
    for step in range(7):
        gradients = random_gradients(rng)
        if step in (2, 5):
            gradients[step // 2].view(-1)[0] = np.inf if step == 2 else np.nan
        theirs.apply([gradient.clone() for gradient in gradients], references)
        if fast:
            owner.set_gradients(gradients)
            ours.update()
        else:
            ours.apply(gradients, owner.variables)
        assert float(ours.dynamic_scale) == float(theirs.dynamic_scale)
        assert int(ours.step_counter) == int(theirs.step_counter)
        assert int(ours.iterations) == int(theirs.iterations)
    np.testing.assert_allclose(
        owner.variables[0].numpy(), keras.ops.convert_to_numpy(references[0]), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("fast", [False, True], ids=["apply", "update"])
def test_multi_optimizer(fast, rng):
    ours = optimizers.MultiOptimizer(
        optimizers.OptimizerMap(
            optimizers.SGD(0.01, momentum=0.9),
            {".*/bias": optimizers.Adam(0.02), "layer/(tall|conv)": optimizers.RMSprop(clipnorm=1.0)},
        ),
        loss_scale_factor=2.0,
    )
    assert_same_training(ours, new_rate=None, fast=fast, rng=rng)
