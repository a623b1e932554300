"""Options around the update, users' own optimizers, traced steps."""

import inspect

import numpy as np
import pytest
import torch

from optimizers.optimizer_oracle import Owner, random_gradients, random_values
from torchkeras_lite import optimizers
from torchkeras_lite.engine.weights import LayerParameter, Weight, WeightInfo, leaf

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


def test_exclude_from_weight_decay(owner, rng):
    optimizer = optimizers.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[owner.variables[0]], var_names=["^bi"])
    before = [variable.numpy() for variable in owner.variables]
    optimizer.apply([torch.zeros_like(variable.value) for variable in owner.variables], owner.variables)
    for position, (variable, value) in enumerate(zip(owner.variables, before, strict=True)):
        expected = value if position < 2 else value * np.float32(0.95)
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6)


def test_constraints_follow_the_update(owner, rng):
    seen = []

    def no_negatives(weight):
        seen.append(tuple(weight.shape))
        return weight.clamp_min(0)

    owner.variables[0].constraint = no_negatives
    optimizers.SGD(0.1).apply(random_gradients(rng), owner.variables)
    assert seen == [(3, 4)]
    assert owner.variables[0].numpy().min() == 0
    assert owner.variables[3].numpy().min() < 0


def test_finalize_writes_the_averages():
    weight = parameter([1.0])
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    for _ in range(2):
        optimizer.apply([torch.ones(1)], [weight])
    optimizer.finalize_variable_values([weight])
    assert weight.item() == -0.5
    optimizers.SGD().finalize_variable_values([weight])


def test_loss_scale_factor():
    optimizer = optimizers.SGD(1.0, loss_scale_factor=4.0)
    assert optimizer.scale_loss(3.0) == 12.0
    assert optimizers.SGD().scale_loss(3.0) == 3.0
    weight = parameter([1.0])
    optimizer.apply([torch.tensor([2.0])], [weight])
    assert weight.item() == 0.5


def test_optimizer_map_and_multi_optimizer_refuse():
    sgd, adam = optimizers.SGD(), optimizers.Adam()
    chosen = optimizers.OptimizerMap(sgd, {".*weight": adam, "layer/.*": optimizers.Adam()})
    with pytest.raises(ValueError, match="matches several expressions"):
        chosen(parameter([1.0]))
    with pytest.raises(ValueError, match="already exists"):
        chosen[".*weight"] = sgd
    with pytest.raises(ValueError, match="cannot be LossScaleOptimizer"):
        chosen["x"] = optimizers.LossScaleOptimizer(adam)
    multi = optimizers.MultiOptimizer(lambda weight: None)
    with pytest.raises(ValueError, match="is not an Optimizer instance"):
        multi.build([parameter([1.0])])
    with pytest.raises(AttributeError, match="individual sub-optimizers"):
        multi.learning_rate = 0.1


class Signed(optimizers.Optimizer):
    def __init__(self, learning_rate=0.1, momentum=0.5, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.averages = [
            self.add_variable_from_reference(variable, name="average_sign") for variable in variables
        ]
        self.count = self.add_variable((), name="count")

    def update_step(self, gradient, variable, learning_rate):
        average = self.averages[self._get_variable_index(variable)]
        self.assign(average, self.momentum * average + (1 - self.momentum) * torch.sign(gradient))
        self.assign_sub(variable, learning_rate * average)
        self.assign_add(self.count, 1)


@pytest.mark.parametrize("way", ["apply", "update"])
def test_custom_optimizer(way, owner, rng):
    optimizer = Signed(weight_decay=0.1)
    optimizer.build(owner.variables)
    before = [variable.numpy() for variable in owner.variables]
    gradients = random_gradients(rng)
    owner.set_gradients(gradients)
    optimizer.apply(gradients) if way == "apply" else optimizer.update()
    for variable, value, gradient in zip(owner.variables, before, gradients, strict=True):
        np.testing.assert_allclose(
            variable.numpy(), value * 0.99 - 0.05 * np.sign(gradient.numpy()), rtol=1e-5, atol=1e-6
        )
    assert optimizer.count.numpy() == 5
    assert optimizer.get_config()["momentum"] == 0.5
    assert "weight_decay" in inspect.signature(Signed).parameters


def test_update_uses_an_overridden_apply(owner, rng):
    class Centered(optimizers.SGD):
        def apply_gradients(self, grads_and_vars):
            return super().apply_gradients([(g - g.mean(), v) for g, v in grads_and_vars])

    optimizer = Centered(1.0)
    optimizer.build(owner.variables)
    before, gradients = owner.variables[0].numpy(), random_gradients(rng)
    owner.set_gradients(gradients)
    optimizer.update()
    expected = before - (gradients[0] - gradients[0].mean()).numpy()
    np.testing.assert_allclose(owner.variables[0].numpy(), expected, rtol=1e-5, atol=1e-6)


def test_rule_is_needed(owner, rng):
    with pytest.raises(NotImplementedError, match="must override `update_step"):
        optimizers.Optimizer(0.1).apply(random_gradients(rng), owner.variables)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_update_step_of_one_weight(cls, rng):
    values = random_values(rng)
    owner, other = Owner(values), Owner(values)
    gradients = random_gradients(rng)
    whole, single = cls(weight_decay=0), cls(weight_decay=0.1)  # `update_step` leaves decay to `apply`
    if cls is optimizers.Nadam:
        single._product = single._decay(1)
    if cls is optimizers.Muon:
        whole.adam_weight_decay = 0
    whole.apply(gradients, owner.variables)
    single.build(other.variables)
    single.update_step(gradients[0], other.variables[0], whole.current_rate())
    np.testing.assert_allclose(other.variables[0].numpy(), owner.variables[0].numpy(), rtol=1e-6)
    np.testing.assert_array_equal(other.variables[1].numpy(), values["bias"].astype("float32"))


TRACEABLE = [cls for cls in CLASSES if cls is not optimizers.Nadam]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "traced"])
@pytest.mark.parametrize("cls", TRACEABLE, ids=lambda c: c.__name__)
def test_traced_update(cls, compiled, rng):
    values = random_values(rng)
    owner, other = Owner(values), Owner(values)
    options = dict(weight_decay=0.1, global_clipnorm=0.5)
    usual, traced = cls(**options), cls(**options)
    usual.build(owner.variables)
    traced.build(other.variables)
    assert traced.traceable

    def step(leaves, gradients, state, learning_rate, number):
        with torch.no_grad():
            traced.traced_update(leaves, gradients, state, learning_rate, number)
        return ()

    graph = None
    for _ in range(4):
        gradients = random_gradients(rng)
        owner.set_gradients(gradients)
        other.set_gradients(gradients)
        usual.update()
        leaves = [leaf(variable) for variable in other.variables]
        rate, number = traced.advance()
        arguments = (
            [tensor.detach() for tensor in leaves],
            [tensor.grad for tensor in leaves],
            traced.state_tensors(),
            torch.tensor(rate, dtype=torch.float64),
            torch.tensor(float(number), dtype=torch.float64),
        )
        if compiled and graph is None:
            graph = torch.fx.experimental.proxy_tensor.make_fx(step, tracing_mode="fake")(
                *torch.utils._pytree.tree_map(torch.clone, arguments)
            )
        (graph or step)(*arguments)
    assert int(traced.iterations) == 4
    for mine, his in zip(other.variables, owner.variables, strict=True):
        np.testing.assert_allclose(mine.numpy(), his.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "options", [dict(use_ema=True), dict(gradient_accumulation_steps=2)], ids=lambda o: next(iter(o))
)
def test_what_a_traced_step_cannot_do(options, owner):
    optimizer = optimizers.SGD(**options)
    optimizer.build(owner.variables)
    assert not optimizer.traceable


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_cuda_equals_cpu(cls, rng):
    values = random_values(rng)
    owner, moved = Owner(values), Owner(values)
    options = dict(global_clipnorm=0.5, use_ema=True)
    here, there = cls(**options), cls(**options)
    here.build(owner.variables)
    there.build(moved.variables)
    moved.cuda()
    there.prepare()
    for _ in range(5):
        gradients = random_gradients(rng)
        owner.set_gradients(gradients)
        moved.set_gradients(gradients)
        here.update()
        there.update()
    assert {leaf(v).device.type for v in there.variables if isinstance(v, Weight)} == {"cuda"}
    for mine, his in zip(moved.variables, owner.variables, strict=True):
        np.testing.assert_allclose(mine.numpy(), his.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: optimizers.SGD(1.0),
        lambda: optimizers.SGD(1.0, clipnorm=0.1, use_ema=True, weight_decay=0.1),
        lambda: optimizers.SGD(1.0, gradient_accumulation_steps=2),
        lambda: optimizers.LossScaleOptimizer(optimizers.SGD(1.0), initial_scale=4.0),
        lambda: optimizers.MultiOptimizer(
            optimizers.OptimizerMap(optimizers.SGD(1.0)), loss_scale_factor=2.0
        ),
    ],
    ids=["plain", "options", "accumulation", "loss scale", "multi"],
)
@pytest.mark.parametrize("way", ["apply", "update"])
def test_weights_that_take_their_gradients_as_values(way, make):
    weights = [parameter([1.0, 2.0], "a"), parameter([1.0, 2.0], "b")]
    plain = parameter([1.0, 2.0], "b")
    weights[0].overwrite_with_gradient = True
    optimizer, other = make(), make()
    optimizer.build(weights)
    other.build([plain])
    for gradient in (torch.tensor([3.0, 0.5]), torch.tensor([2.0, 4.0])):
        if way == "apply":
            optimizer.apply([gradient, gradient], weights)
        else:
            for weight in weights:
                weight.grad = gradient.clone()
            optimizer.update()
        other.apply([gradient], [plain])
    expected = [3.0, 4.0] if optimizer.gradient_accumulation_steps else [2.0, 4.0]
    np.testing.assert_array_equal(weights[0].numpy(), expected)
    np.testing.assert_allclose(weights[1].numpy(), plain.numpy(), rtol=1e-6)
    assert not optimizer.traceable
