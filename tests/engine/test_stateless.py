"""`stateless_call` and its like, and `StatelessScope`, give what Keras gives and leave no trace."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite


def model_of(k):
    model = k.Sequential(
        [
            k.Input((4,)),
            k.layers.Dense(3, kernel_regularizer="l2"),
            k.layers.BatchNormalization(),
            k.layers.Dense(2),
        ]
    )
    model.compile("sgd", "mse", metrics=["mae"])
    rng = np.random.RandomState(0)
    model.set_weights([rng.rand(*weight.shape).astype("float32") for weight in model.weights])
    return model


X = np.random.RandomState(1).rand(8, 4).astype("float32")
Y = np.ones((8, 2), "float32")


def values(variables, offset=0.1):
    return [torch.tensor(np.asarray(variable.numpy()) + offset) for variable in variables]


def results(k):
    """All numbers of a stateless call with gradients, and of the loss."""
    model = model_of(k)
    before = model.get_weights()
    trainable = [value.requires_grad_() for value in values(model.trainable_variables)]
    outputs, after, losses = model.stateless_call(
        trainable, values(model.non_trainable_variables), torch.tensor(X), training=True, return_losses=True
    )
    (outputs.square().sum() + sum(losses)).backward()
    metrics = [torch.zeros(np.shape(variable.numpy())) for variable in model.metrics_variables]
    loss, (_, _, metrics) = model.stateless_compute_loss(
        [value.detach() for value in trainable],
        values(model.non_trainable_variables),
        metrics,
        x=torch.tensor(X),
        y=torch.tensor(Y),
        y_pred=outputs.detach(),
    )
    for mine, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, kept)
    return [outputs, *after[:2], *losses, *(value.grad for value in trainable), loss, *metrics]


def test_stateless_calls_are_kerass():
    for mine, his in zip(results(torchkeras_lite), results(keras), strict=True):
        torch.testing.assert_close(mine.detach(), his.detach(), rtol=1e-4, atol=1e-5)


def test_a_loop_of_stateless_steps_trains():
    model = model_of(torchkeras_lite)
    trainable = [v.value.detach() for v in model.trainable_variables]
    other = [v.value.detach() for v in model.non_trainable_variables]
    model.optimizer.build(model.trainable_variables)
    state = [torch.as_tensor(np.asarray(v.numpy())) for v in model.optimizer.variables]

    def loss_of(trainable):
        outputs, after = model.stateless_call(trainable, other, torch.tensor(X), training=True)
        return (outputs - torch.tensor(Y)).square().mean(), after

    first = loss_of(trainable)[0].item()
    for _ in range(5):
        gradients, other = torch.func.grad(loss_of, has_aux=True)(trainable)
        trainable, state = model.optimizer.stateless_apply(state, gradients, trainable)
    assert loss_of(trainable)[0].item() < first


def test_weights_of_add_weight_are_lent_too():
    class Scaled(torchkeras_lite.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight((1,), "ones", name="scale")
            self.count = self.add_weight((), "zeros", trainable=False, name="count")

        def call(self, inputs):
            self.count.assign_add(1.0)
            return inputs * self.scale

    layer = Scaled()
    layer.build((2, 3))
    scale = torch.tensor([3.0], requires_grad=True)
    count = torch.tensor(5.0)
    outputs, after = layer.stateless_call([scale], [count], torch.ones(2, 3))
    outputs.sum().backward()
    assert (outputs.tolist(), scale.grad.item()) == ([[3.0] * 3] * 2, 6.0)
    assert (float(after[0]), float(layer.count.numpy()), layer.scale.numpy().tolist()) == (6.0, 0.0, [1.0])
    assert float(count) == 5.0
    with pytest.raises(ValueError, match="expected 1 variables"):
        layer.stateless_call([], [torch.tensor(5.0)], torch.ones(2, 3))
    with pytest.raises(ValueError, match="must be built"):
        Scaled().stateless_call([], [], torch.ones(2, 3))


@pytest.mark.parametrize("k", [torchkeras_lite, keras], ids=["mine", "keras"])
def test_scopes(k):
    given, made = k.Variable(np.zeros(2, "float32")), k.Variable(np.zeros(2, "float32"))
    with k.StatelessScope([(given, np.ones(2, "float32"))]) as scope:
        made.assign(given + 1)
        assert (made + 0.0).tolist() == scope.get_current_value(made).tolist() == [2.0, 2.0]
    assert made.numpy().tolist() == given.numpy().tolist() == [0.0, 0.0]
    assert scope.get_current_value(made).tolist() == [2.0, 2.0]
    assert scope.get_current_value(given).tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="all keys in argument `mapping` must be"):
        k.StatelessScope([(3, np.ones(2))])
    with pytest.raises(ValueError, match="shape"):
        k.StatelessScope([(given, np.ones(3, "float32"))])
    with k.SymbolicScope():
        pass


def test_gradients_reach_the_values_given_to_a_scope():
    variable = torchkeras_lite.Variable(np.ones(2, "float32"))
    given = torch.tensor([2.0, 3.0], requires_grad=True)
    with torchkeras_lite.StatelessScope([(variable, given)]):
        result = (variable.value**2).sum()
    result.backward()
    assert given.grad.tolist() == [4.0, 6.0]
