"""State of optimizers: layout, files, copies, and gradients that are missing or strange."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from optimizers.optimizer_oracle import Owner, random_gradients, random_values
from torchkeras_lite import optimizers
from torchkeras_lite.engine.weights import LayerParameter, WeightInfo, leaf

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


@pytest.mark.parametrize("way", ["apply", "update"])
def test_missing_gradients(way, rng):
    values = random_values(rng)
    owner, alone = Owner(values), Owner(values)
    gradients = random_gradients(rng)
    ours, reference = optimizers.Adam(clipnorm=1.0), optimizers.Adam(clipnorm=1.0)
    ours.build(owner.variables)
    reference.build([alone.variables[0], alone.variables[3]])
    partial = [gradients[0], None, None, gradients[3], None]
    for step in range(3):
        owner.set_gradients(partial)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ours.apply(partial, owner.variables) if way == "apply" else ours.update()
        assert len(caught) == (step == 0)
        if caught:
            assert "Gradients do not exist for variables ['bias', 'tall', 'scalar']" in str(caught[0].message)
        reference.apply([gradients[0], gradients[3]])
    for mine, his in zip(owner.variables, alone.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), his.numpy())
    owner.set_gradients([None] * 5)
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        ours.update()
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        ours.apply([None] * 5)


def test_apply_to_some_of_the_weights(owner, rng):
    optimizer = optimizers.SGD(1.0)
    optimizer.build(owner.variables)
    before = [variable.numpy() for variable in owner.variables]
    optimizer.apply([torch.ones(4)], [owner.variables[1]])
    np.testing.assert_allclose(owner.variables[1].numpy(), before[1] - 1.0)
    np.testing.assert_array_equal(owner.variables[0].numpy(), before[0])


def test_wrong_calls(owner, rng):
    optimizer = optimizers.SGD()
    with pytest.raises(ValueError, match="must already be built"):
        optimizer.apply([torch.ones(3)])
    with pytest.raises(ValueError, match="not yet been built"):
        optimizer.set_weights([])
    optimizer.build(owner.variables)
    with pytest.raises(ValueError, match="Received a list of 1 gradients for 5 variables"):
        optimizer.apply([torch.ones(3)])
    with pytest.raises(ValueError, match="Unknown variable: layer/weight"):
        optimizer.apply([torch.ones(1)], [parameter([1.0])])
    with pytest.raises(ValueError, match="No gradients provided"):
        optimizer.apply_gradients([])
    with pytest.raises(ValueError, match="`trainable_variables` must be a list of tensors"):
        optimizer.stateless_apply([v.value for v in optimizer.variables], [], [])


def test_plain_torch_parameters_and_arrays(rng):
    linear = nn.Linear(3, 2)
    optimizer = optimizers.SGD(0.5, momentum=0.9)
    before = linear.weight.detach().clone()
    gradients = [np.ones((2, 3), "float64"), np.zeros(2)]
    optimizer.apply_gradients(zip(gradients, linear.parameters(), strict=True))
    torch.testing.assert_close(linear.weight.detach(), before - 0.5)
    assert [v.name for v in optimizer.variables[2:]] == ["variable_momentum", "variable_momentum"]


@pytest.mark.parametrize("way", ["apply", "update"])
def test_gradient_in_another_memory_format(way, rng):
    values = random_values(rng)
    straight, permuted = Owner(values), Owner(values)
    gradients = random_gradients(rng)
    first, second = optimizers.Adam(), optimizers.Adam()
    first.apply(gradients, straight.variables)
    if way == "apply":
        reverse = lambda g: g.permute(list(range(g.ndim))[::-1])
        second.apply([reverse(reverse(g).contiguous()) for g in gradients], permuted.variables)
    else:
        permuted.set_gradients(gradients)
        for tensor in permuted.parameters():
            tensor.grad = tensor.grad.contiguous()
        assert permuted.kernel.grad.stride() != permuted.kernel.stride()
        second.build(permuted.variables)
        second.update()
    for mine, his in zip(straight.variables, permuted.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), his.numpy())


def test_slots_share_layout_with_their_weights(owner):
    optimizer = optimizers.Adam()
    optimizer.build(owner.variables)
    slot = optimizer.variables[2 + 2 * 3]
    assert slot.shape == (2, 2, 3, 5)
    assert leaf(slot).shape == (5, 3, 2, 2)
    assert leaf(slot).stride() == owner.conv.stride()
    assert (slot.name, slot.path) == ("layer_conv_momentum", "adam/layer_conv_momentum")


def test_slots_follow_the_model(owner, rng):
    optimizer = optimizers.Adam()
    optimizer.apply(random_gradients(rng), owner.variables)
    owner.double()
    owner.conv.data = owner.conv.data.contiguous()
    optimizer.apply(random_gradients(rng, torch.float64), owner.variables)
    assert {variable.dtype for variable in optimizer.variables[2:]} == {"float64"}
    optimizer.prepare()
    assert leaf(optimizer.variables[8]).stride() == owner.conv.stride()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_saved_state_goes_on_exactly(cls, rng):
    values = random_values(rng)
    owner, other = Owner(values), Owner(values)
    first, second = cls(), cls()
    for _ in range(3):
        first.apply(random_gradients(rng), owner.variables)
    store = {}
    first.save_own_variables(store)
    assert list(store) == [str(position) for position in range(len(first.variables))]
    second.build(other.variables)
    second.load_own_variables({key: np.asarray(value) for key, value in store.items()})
    for mine, his in zip(other.variables, owner.variables, strict=True):
        mine.assign(his.numpy())
    gradients = random_gradients(rng)
    first.apply(gradients, owner.variables)
    second.apply(gradients, other.variables)
    for mine, his in zip(other.variables, owner.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), his.numpy())


def test_load_never_half_loads(owner):
    optimizer = optimizers.SGD(momentum=0.9)
    optimizer.build(owner.variables)
    store = {}
    optimizer.save_own_variables(store)
    with pytest.warns(
        UserWarning, match="Skipping variable loading for optimizer 'sgd', because it has 7 variables"
    ):
        optimizer.load_own_variables({"0": np.array(3)})
    store["0"], store["4"] = np.array(5), np.zeros((9, 9))
    with pytest.raises(ValueError, match=r"is \(5, 2\), and a value of shape \(9, 9\)"):
        optimizer.load_own_variables(store)
    assert int(optimizer.iterations) == 0


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_stateless_apply_equals_apply_and_changes_nothing(cls, rng):
    owner = Owner(random_values(rng))
    optimizer = cls()
    optimizer.build(owner.variables)
    optimizer.apply(random_gradients(rng), owner.variables)
    before = [v.numpy() for v in (*owner.variables, *optimizer.variables)]
    gradients = random_gradients(rng)
    weights, state = optimizer.stateless_apply(
        [v.value for v in optimizer.variables], gradients, [v.value for v in owner.variables]
    )
    for old, now in zip(before, (*owner.variables, *optimizer.variables), strict=True):
        np.testing.assert_array_equal(old, now.numpy())
    optimizer.apply(gradients, owner.variables)
    for value, variable in zip((*weights, *state), (*owner.variables, *optimizer.variables), strict=True):
        np.testing.assert_array_equal(value.numpy(), variable.numpy())


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))], ids=["copy", "pickle"]
)
@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_copies_train_their_own_model(cls, duplicate, rng):
    owner = Owner(random_values(rng))
    optimizer = cls()
    optimizer.apply(random_gradients(rng), owner.variables)
    other, copied = duplicate((owner, optimizer))
    gradients = random_gradients(rng)
    before = [variable.numpy() for variable in owner.variables]
    copied.apply(gradients, other.variables)
    for variable, value in zip(owner.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    optimizer.apply(gradients, owner.variables)
    for mine, his in zip(other.variables, owner.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), his.numpy())
