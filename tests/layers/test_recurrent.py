"""Recurrent layers without masks, against Keras."""

import copy

import keras
import numpy as np
import pytest
import torch
from torch import nn

from oracle import assert_close, assert_layer_matches, copy_weights, plain_config
from torchkeras_lite import layers, models
from torchkeras_lite.layers.recurrent_kernels import GRUKernel

KINDS = ("SimpleRNN", "LSTM", "GRU")
NUM_STATES = {"SimpleRNN": 1, "LSTM": 2, "GRU": 1}
kinds = pytest.mark.parametrize("kind", KINDS)


def both(kind, *args, **kwargs):
    return getattr(layers, kind)(*args, **kwargs), getattr(keras.layers, kind)(*args, **kwargs)


def states(kind, rng, units=5, batch=4):
    return [
        torch.as_tensor(rng.normal(size=(batch, units)).astype("float32")) for _ in range(NUM_STATES[kind])
    ]


ARGUMENTS = [
    {},
    {"return_sequences": True},
    {"return_state": True},
    {"return_sequences": True, "return_state": True, "go_backwards": True},
    {"go_backwards": True},
    {"use_bias": False, "return_sequences": True},
    {"activation": "relu"},
    {"activation": "linear", "return_sequences": True, "return_state": True},
    {"unroll": True},
    {"bias_initializer": "ones", "zero_output_for_mask": True},
]


@kinds
@pytest.mark.parametrize("args", ARGUMENTS, ids=str)
def test_layers_match_keras(kind, args, rng):
    assert_layer_matches(*both(kind, 5, **args), rng.normal(size=(4, 6, 3)))


@kinds
@pytest.mark.parametrize("args", ARGUMENTS[:4], ids=str)
def test_layers_start_from_given_states(kind, args, rng):
    x, start = rng.normal(size=(4, 6, 3)), states(kind, rng)
    assert_layer_matches(*both(kind, 5, **args), x, initial_state=start)
    layer = getattr(layers, kind)(5, **args)
    x = torch.as_tensor(x.astype("float32"))
    assert_close(layer([x, *start]), layer(x, start))


GATES = [
    ("LSTM", {"recurrent_activation": "hard_sigmoid"}),
    ("LSTM", {"recurrent_activation": "relu", "activation": "softsign", "return_state": True}),
    ("LSTM", {"unit_forget_bias": False}),
    ("LSTM", {"use_cudnn": False, "return_sequences": True}),
    ("GRU", {"recurrent_activation": "hard_sigmoid"}),
    ("GRU", {"reset_after": False}),
    ("GRU", {"reset_after": False, "use_bias": False, "activation": "relu", "return_sequences": True}),
    ("GRU", {"use_cudnn": False, "return_state": True}),
]


@pytest.mark.parametrize(("kind", "args"), GATES, ids=str)
def test_gates_match_keras(kind, args, rng):
    assert_layer_matches(*both(kind, 5, **args), rng.normal(size=(4, 6, 3)))


@kinds
@pytest.mark.parametrize("args", [{}, {"return_sequences": True, "seed": 3, "stateful": True}], ids=str)
def test_configs_equal_those_of_keras(kind, args):
    ours, theirs = both(kind, 5, **args, dropout=0.1, kernel_regularizer="l2", bias_constraint="non_neg")
    expected = plain_config(theirs.get_config())
    expected.pop("activity_regularizer")
    assert plain_config(ours.get_config()) == expected
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()


@kinds
def test_first_weights_follow_the_rules_of_keras(kind):
    layer, theirs = both(kind, 8)
    layer.build((None, 4, 8)), theirs.build((None, 4, 8))
    kernel, recurrent, bias = layer.get_weights()
    np.testing.assert_array_equal(bias, theirs.get_weights()[2])
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(8), atol=1e-5)
    limit = np.sqrt(6 / sum(kernel.shape))
    assert np.abs(kernel).max() <= limit
    assert np.abs(kernel).max() > 0.8 * limit
    seeded, theirs = both(kind, 8, kernel_regularizer="l2", bias_initializer="ones")
    seeded.build((None, 4, 8)), theirs.build((None, 4, 8))
    np.testing.assert_array_equal(seeded.get_weights()[2], theirs.get_weights()[2])
    assert len(seeded.losses) == len(theirs.losses) == 1


def test_torch_modules_hold_the_weights(rng):
    layer = layers.LSTM(4)
    x = torch.randn(2, 5, 3)
    layer(x)
    assert isinstance(layer.cell.lstm, nn.LSTM)
    assert isinstance(layer.cell, layers.LSTMCell)
    assert list(layer.state_dict()) == [
        f"cell.lstm.{name}" for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    ]
    assert not layer.cell.lstm.bias_hh_l0.requires_grad
    assert layer.count_params() == 4 * 4 * (3 + 4 + 1)
    plain = nn.LSTM(3, 4, batch_first=True)
    plain.load_state_dict(layer.cell.lstm.state_dict())
    assert_close(plain(x)[0][:, -1], layer(x))
    zeros = {name: torch.zeros_like(value) for name, value in layer.named_parameters()}
    assert not torch.func.functional_call(layer, zeros, (x,)).any()


def test_gru_kernel_loads_a_state_dict_of_torch(rng):
    plain, kernel = nn.GRU(3, 4, batch_first=True), GRUKernel(3, 4, batch_first=True)
    kernel.load_state_dict(plain.state_dict())
    x = torch.randn(2, 5, 3)
    assert_close(kernel(x), plain(x))
    assert [name for name, _ in kernel.named_parameters()] == ["weight_ih_l0", "weight_hh_l0", "bias_l0"]
    again = copy.deepcopy(kernel)
    again.to(torch.float64)
    assert again(x.double())[0].dtype == torch.float64


@kinds
def test_stateful_layers_continue(kind, rng):
    ours, theirs = both(kind, 5, stateful=True, return_sequences=True)
    x, start = torch.as_tensor(rng.normal(size=(4, 6, 3)).astype("float32")), states(kind, rng)
    ours(x), theirs(x)
    assert len(ours.weights) == len(theirs.weights) == 3
    copy_weights(ours, theirs)
    ours.reset_state(), theirs.reset_states()
    assert not any(state.any() for state in ours.states)
    for kwargs in ({}, {}, {"initial_state": start}, {"mask": torch.as_tensor(rng.random((4, 6)) > 0.4)}, {}):
        leaf = x.clone().requires_grad_()
        y = ours(leaf, **kwargs)
        assert_close(y, theirs(x, **kwargs))
        y.square().sum().backward()
        for mine, his in zip(ours.states, theirs.states, strict=True):
            torch.testing.assert_close(mine, his.value)
    assert ours.reset_states() is None


def test_stateful_layers_in_a_model(rng):
    model = models.Sequential([layers.Input(batch_shape=(4, 6, 3)), layers.GRU(5, stateful=True)])
    x = torch.randn(4, 6, 3)
    first, second = model(x), model(x)
    model.layers[0].reset_states()
    assert not torch.equal(first, second)
    assert_close(model(x), first)


DROPOUTS = [
    ("SimpleRNN", {"dropout": 0.5}),
    ("SimpleRNN", {"dropout": 0.5, "recurrent_dropout": 0.5}),
    ("LSTM", {"dropout": 0.5}),
    ("LSTM", {"dropout": 0.5, "return_state": True}),
    ("LSTM", {"dropout": 0.5, "recurrent_dropout": 0.5}),
    ("LSTM", {"dropout": 0.5, "use_bias": False, "activation": "relu"}),
    ("LSTM", {"dropout": 0.5, "implementation": 1}),
    ("GRU", {"dropout": 0.5}),
    ("GRU", {"dropout": 0.5, "implementation": 1}),
    ("GRU", {"dropout": 0.5, "recurrent_dropout": 0.5}),
    ("GRU", {"dropout": 0.5, "recurrent_dropout": 0.5, "reset_after": False}),
    ("GRU", {"recurrent_dropout": 0.5, "use_bias": False}),
]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("kind", "args"), DROPOUTS, ids=str)
def test_dropout_acts_where_that_of_keras_does(kind, args, masked, rng, monkeypatch):
    ours, theirs = both(kind, 5, **args)
    if "implementation" in args:  # Keras's layers fail with it
        cells = both(f"{kind}Cell", 5, **args)
        ours, theirs = layers.RNN(cells[0], return_state=True), keras.layers.RNN(cells[1], return_state=True)
    split = "recurrent_dropout" in args or args.get("implementation") == 1
    count = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[kind] if split else 1

    def factors(size):
        found = [torch.as_tensor((rng.random((4, size)) > 0.5) * 2.0).float() for _ in range(count)]
        return found if count > 1 else found[0]

    inputs, state = factors(3), factors(5)
    for cell in (ours.cell, theirs.cell):
        if "dropout" in args:
            monkeypatch.setattr(cell, "get_dropout_mask", lambda _: inputs)
        if "recurrent_dropout" in args:
            monkeypatch.setattr(cell, "get_recurrent_dropout_mask", lambda _: state)
    mask = {"mask": torch.as_tensor(rng.random((4, 6)) > 0.4)} if masked else {}
    assert_layer_matches(ours, theirs, rng.normal(size=(4, 6, 3)), training=True, **mask)


@kinds
def test_dropout_draws(kind):
    cell = getattr(layers, f"{kind}Cell")(2, dropout=0.25, recurrent_dropout=0.25)
    x = torch.ones(64, 200)
    first = cell.get_dropout_mask(x)
    assert cell.get_dropout_mask(x) is first
    cell.reset_dropout_mask()
    second = cell.get_dropout_mask(x)
    gates = first if isinstance(first, list) else [first]
    assert len(gates) == {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[kind]
    assert len({gate.sum().item() for gate in gates}) == len(gates)
    assert not torch.equal(gates[0], second[0] if isinstance(second, list) else second)
    for gate in gates:
        assert abs((gate == 0).float().mean() - 0.25) < 0.02
        assert gate.max().item() == pytest.approx(4 / 3)
    layer, sequences = getattr(layers, kind)(2, dropout=0.25), torch.ones(64, 6, 200)
    assert_close(layer(sequences), layer(sequences))
    assert not torch.equal(layer(sequences, training=True), layer(sequences, training=True))


@kinds
def test_seeds_repeat_the_draws(kind):
    x = torch.randn(4, 6, 3)
    results = []
    for _ in range(2):
        layer = getattr(layers, kind)(5, dropout=0.5, recurrent_dropout=0.5, seed=7)
        layer.build((None, 6, 3))
        layer.set_weights([np.ones(w.shape) for w in layer.weights])
        results.append([layer(x, training=True), layer(x, training=True)])
    assert_close(results[0], results[1])
    assert not torch.equal(*results[0])


@kinds
def test_unknown_time_and_stacked_layers(kind, rng):
    def model(library, room, kind):
        x = library.Input((None, 3))
        make = getattr(room, kind)
        y = make(4, return_sequences=True)(x)
        y, *state = make(4, return_state=True)(y)
        return x, [make(4)(room.RepeatVector(2)(y), initial_state=state), *state]

    ours = models.Model(*model(layers, layers, kind))
    theirs = keras.Model(*model(keras, keras.layers, kind))
    ours.set_weights(theirs.get_weights())
    assert ours.output_shape == theirs.output_shape
    for steps in (1, 7):
        x = torch.as_tensor(rng.normal(size=(2, steps, 3)).astype("float32"))
        assert_close(ours(x), theirs(x))


@kinds
def test_export_with_any_batch(kind):
    model = models.Sequential([layers.Input((6, 3)), getattr(layers, kind)(4), layers.Dense(2)])
    x = torch.randn(2, 6, 3)
    program = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    other = torch.randn(5, 6, 3)
    assert_close(program.module()(other), model(other))
    kernels = {"SimpleRNN": "rnn_tanh", "LSTM": "lstm", "GRU": "gru"}
    assert sum(str(node.target) == f"aten.{kernels[kind]}.input" for node in program.graph.nodes) == 1


@kinds
@pytest.mark.parametrize("args", [{}, {"return_sequences": True, "return_state": True}], ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_compilation_without_a_graph_break(kind, args, masked, rng):
    layer, x = getattr(layers, kind)(4, **args), torch.randn(3, 5, 3)
    mask = {"mask": torch.as_tensor(rng.random((3, 5)) > 0.4)} if masked else {}
    expected = layer(x, **mask)
    torch._dynamo.reset()
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    assert_close(compiled(x, **mask), expected)
    layer.train()
    assert_close(compiled(x, **mask), expected)
    loss = sum(part.square().sum() for part in keras.tree.flatten(compiled(x, **mask)))
    assert all(g is not None for g in torch.autograd.grad(loss, [w.tensor for w in layer.weights]))


@kinds
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64", "bfloat16"])
def test_other_dtypes(kind, policy, rng):
    layer, exact = getattr(layers, kind)(4, dtype=policy), getattr(layers, kind)(4)
    x = torch.randn(3, 5, 3)
    mask = torch.as_tensor(rng.random((3, 5)) > 0.4)
    layer(x), exact(x)
    exact.set_weights(layer.get_weights())
    for kwargs in ({}, {"mask": mask}):
        y = layer(x, **kwargs)
        assert str(y.dtype) == f"torch.{layer.compute_dtype}"
        torch.testing.assert_close(y.float(), exact(x, **kwargs), rtol=0.05, atol=0.02)


@kinds
@pytest.mark.parametrize("units", [0, -1, 2.5, None])
def test_units_must_be_positive(kind, units):
    with pytest.raises(ValueError, match="`units` must be a positive integer"):
        getattr(layers, kind)(units)


def test_errors_say_what_to_do():
    x = torch.randn(2, 5, 3)
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
        layers.LSTM(4)(x[0])
    layer = layers.LSTM(4)
    layer(x)
    with pytest.raises(ValueError, match="Pass inputs of shape"):
        layer(x[..., :2])
    with pytest.raises(ValueError, match=r"expected 2 initial state\(s\), got 1. Pass a list"):
        layer(x, initial_state=[torch.zeros(2, 4)])
    with pytest.raises(ValueError, match="should have a `call` method"):
        layers.RNN(3)
    with pytest.raises(ValueError, match="should have a `state_size` attribute"):
        layers.RNN(layers.Dense(3))
    with pytest.raises(ValueError, match="batch size must be static"):
        layers.LSTM(4, stateful=True)(layers.Input((5, 3)))
    layer = layers.LSTM(4, stateful=True)
    layer(x)
    with pytest.raises(ValueError, match=r"Expected batch size: 2\. Received batch size: 1\. Pass batches"):
        layer(x[:1])
    with pytest.raises(ValueError, match="`use_cudnn=True` needs the default activations"):
        layers.GRU(4, reset_after=False, use_cudnn=True)
    with pytest.raises(ValueError, match="Unrecognized keyword arguments"):
        layers.LSTM(4, batch_major=False)
