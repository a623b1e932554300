"""Symbolic tensors: operators, slices, methods and functions are recorded, and run as in torch."""

import pickle

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from torchkeras_lite import Input, KerasTensor, Model
from torchkeras_lite.base import nested
from torchkeras_lite.layers import Dense

CONSTANT = torch.linspace(-1, 1, 4)


def check(function, *shapes):
    """Record `function`, run the model, and compare values and shapes with torch's own."""
    inputs = [Input(shape) for shape in shapes]
    symbolic = function(*inputs)
    model = Model(inputs if len(inputs) > 1 else inputs[0], symbolic)
    model.graph_module.graph.lint()
    values = [torch.randn(3, *(6 if size is None else size for size in shape)) for shape in shapes]
    expected = nested.flatten(function(*values))
    found = nested.flatten(model(values if len(values) > 1 else values[0]))
    torch.testing.assert_close(found, expected)
    for tensor, real in zip(nested.flatten(symbolic), expected, strict=True):
        assert isinstance(tensor, KerasTensor)
        assert tensor.ndim == real.ndim
        assert tensor.dtype == str(real.dtype).removeprefix("torch.")
        assert all(a is None or a == b for a, b in zip(tensor.shape, real.shape, strict=True))
    return [tensor.shape for tensor in nested.flatten(symbolic)]


RECORDED = {
    "+ - * /": (lambda a: (a + 1) * 2 - a / 3, (4,)),
    "reflected": (lambda a: 1 + 2 * (3 - (4 / (a.abs() + 1))), (4,)),
    "**": (lambda a: a.abs() ** 2 + 2**a, (4,)),
    "// %": (lambda a: a % 2 + 5 % (a.abs() + 1) + a // 2 + 7 // (a.abs() + 1), (4,)),
    "@": (lambda a: [a @ torch.ones(3, 2), torch.ones(5, 4) @ a], (4, 3)),
    "unary": (lambda a: [-a, +a, abs(a)], (4,)),
    "comparisons": (lambda a: [a < 0, a <= 0, a > 0, a >= 0, a == 0, a != 0], (4,)),
    "logic": (lambda a: [(a > 0) & (a < 1), (a > 0) | (a < 1), (a > 0) ^ (a < 1), ~(a > 0)], (4,)),
    "shifts": (lambda a: [a.long() << 1, a.long() >> 1], (4,)),
    "tensor on the left": (lambda a: [CONSTANT + a, CONSTANT * a, a > CONSTANT], (4,)),
    "slices": (lambda a: [a[:, :2], a[:, 0], a[..., -1], a[:, None], a[:, ::2], a[:, [0, 2]]], (4,)),
    "index by a tensor": (lambda a: a[:, torch.tensor([0, 1])], (4,)),
    "reductions": (lambda a: [a.mean(1), a.sum(-1, keepdim=True), a.amax(dim=1), a.std(1)], (4,)),
    "forms": (lambda a: [a.reshape(-1, 2, 2), a.view(-1, 4), a.unsqueeze(1), a.flatten(1), a.T.T], (4,)),
    "transposed": (lambda a: [a.transpose(1, 2), a.permute(0, 2, 1), a.mT], (4, 3)),
    "dtypes": (lambda a: [a.double(), a.to(torch.float16), a.long(), a.bool(), a.type(torch.int32)], (4,)),
    "chains": (lambda a: a.relu().clamp(max=1).softmax(-1).log(), (4,)),
    "functions": (lambda a: [torch.relu(a), F.gelu(a), torch.where(a > 0, a, 0.0), F.pad(a, (1, 1))], (4,)),
    "creation": (lambda a: [torch.zeros_like(a), torch.ones_like(a) * a], (4,)),
    "one_hot": (lambda a: F.one_hot(a.argmax(-1), 4), (4,)),
    "einsum": (lambda a: torch.einsum("bi,bj->bij", a, a), (4,)),
    "cat, stack": (
        lambda a: [torch.cat([a, a], -1), torch.stack([a, a], 1), torch.cat(tensors=(a, a), dim=1)],
        (4,),
    ),
    "split": (lambda a: torch.split(a, 2, dim=1), (4,)),
    "one of split": (lambda a: torch.split(a, 2, dim=1)[1] * 2, (4,)),
    "chunk, unbind": (lambda a: [*a.chunk(2, -1), *torch.unbind(a, 1)], (4,)),
    "max": (lambda a: list(torch.max(a, dim=1)), (4,)),
    "max.values": (lambda a: [torch.max(a, dim=1).values, a.min(1).indices, a.topk(2).values], (4,)),
    "returned as it came": (lambda a: torch.sort(a, dim=1), (4,)),
    "scalar": (lambda a: [a.isnan().any(), a.sum()], (4,)),
    "dict": (lambda a: {"p": 2 * a, "q": [a + 1, (a,)]}, (4,)),
    "two inputs": (lambda a, b: [a + b, torch.cat([a, b], 1), a * b.mean(1, keepdim=True)], (4,), (4,)),
    "unknown axes": (
        lambda a: [a.mean((1, 2)), a[:, :, :1], a.flatten(1, 2), a.transpose(1, 2)],
        (None, None, 3),
    ),
    "unknown sizes": (
        lambda a: F.conv2d(F.interpolate(a, scale_factor=2), torch.ones(2, 3, 3, 3)),
        (3, None, None),
    ),
    "ndim, size": (lambda a: a.sum(list(range(1, a.ndim))) + a.size(1) + a.shape[2] + a.dim(), (4, 2)),
    "device": (lambda a: a + torch.arange(4.0, device=a.device), (4,)),
}


@pytest.mark.parametrize("name", RECORDED)
def test_calls_on_symbolic_tensors(name):
    check(*RECORDED[name])


def test_unknown_axes_stay_unknown():
    shapes = check(lambda a: [a.flatten(1, 2), torch.cat([a, a], 1), a.mean(2), a.sum()], (None, None, 3))
    assert shapes == [(None, None, 3), (None, None, None, 3), (None, None, 3), ()]
    fixed = Input((None, 8), batch_size=4)
    assert fixed.mean(1).shape == (4, 8)
    assert fixed.reshape(4, -1).shape == (4, None)


def test_numpy_values_become_constants():
    inputs = Input((4,))
    row = np.arange(4, dtype="float32")
    model = Model(inputs, [row + inputs, inputs * row, np.float32(2) * inputs, inputs - np.int64(1)])
    x = torch.randn(3, 4)
    t = torch.tensor(row)
    torch.testing.assert_close(model(x), [t + x, x * t, 2 * x, x - 1])


def test_constants_are_captured_once_and_move_with_the_model():
    inputs = Input((4,))
    model = Model(inputs, inputs * CONSTANT + CONSTANT)
    assert dict(model.named_buffers()).keys() == {"constant_0"}
    assert list(model.state_dict()) == []
    assert model.double()(torch.ones(2, 4).double()).dtype is torch.float64
    assert model.to("meta")(torch.ones(2, 4, device="meta")).is_meta


def test_tied_weights_stay_tied_after_training():
    inputs = Input((4,))
    dense = Dense(3, use_bias=False)
    hidden = dense(inputs)
    model = Model(inputs, F.linear(hidden, dense.kernel))
    assert model.count_params() == 12
    assert len(model.weights) == len(list(model.parameters())) == 1
    x = torch.randn(5, 4)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (model.train()(x) - x).square().mean().backward()
        optimizer.step()
    kernel = dense.kernel.value.detach()
    torch.testing.assert_close(model.eval()(x), x @ kernel @ kernel.T)


def test_a_parameter_used_in_the_graph_is_trained():
    scale = torch.nn.Parameter(torch.ones(4))
    inputs = Input((4,))
    model = Model(inputs, inputs * scale)
    assert [p is scale for p in model.parameters()] == [True]
    assert [w.shape for w in model.trainable_weights] == [(4,)]
    with pytest.raises(ValueError, match=r"computed from weights.*would be frozen in the model"):
        Model(inputs, inputs * (2 * scale))
    dense = Dense(4)
    with pytest.raises(ValueError, match="computed from weights"):
        Model(inputs, dense(inputs) @ dense.kernel.T)


def test_attributes():
    tensor = KerasTensor((None, 4), dtype="int32", name="t")
    assert (tensor.shape, tensor.dtype, tensor.name, tensor.ndim, tensor.dim()) == (
        (None, 4),
        "int32",
        "t",
        2,
        2,
    )
    assert repr(tensor) == "<KerasTensor shape=(None, 4), dtype=int32, name=t>"
    assert tensor.size() == (None, 4)
    assert tensor.size(1) == 4
    assert {tensor: 1}[tensor] == 1
    assert pickle.loads(pickle.dumps(tensor)).shape == (None, 4)
    assert not isinstance(tensor, torch.Tensor)
    assert KerasTensor((), "bool").shape == ()
    assert len(list(Input((3,), batch_size=2))) == 2


def test_equality_is_recorded_and_tells_whether_both_are_one():
    x, y, other = Input((4,)), Input((4,)), Input((7, 3))
    assert x in [other, y, x]
    assert x not in [other, y]
    assert [other, y, x].index(x) == 2
    assert (x == y).dtype == "bool"
    model = Model([x, y], x == y)
    found = model([torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.ones(1, 4)])
    assert found.tolist() == [[True, False, False, False]]


SYMBOL = Input((4,), name="s")
NO_VALUES = "KerasTensor '.*' of shape .* is symbolic.*no values.*`call` of a Layer"
WRONG = {
    "bool": (lambda: bool(SYMBOL > 0), TypeError, NO_VALUES),
    "if == 1": (lambda: SYMBOL in [1, SYMBOL], TypeError, NO_VALUES),
    "if !=": (lambda: bool(Input((4,)) != SYMBOL), TypeError, NO_VALUES),
    "float": (lambda: float(SYMBOL), TypeError, NO_VALUES),
    "int": (lambda: int(SYMBOL), TypeError, NO_VALUES),
    "index": (lambda: [1, 2][SYMBOL], TypeError, NO_VALUES),
    "numpy": (lambda: np.asarray(SYMBOL), TypeError, NO_VALUES),
    "numpy()": (lambda: SYMBOL.numpy(), TypeError, NO_VALUES),
    "item": (lambda: SYMBOL.item(), TypeError, NO_VALUES),
    "tolist": (lambda: SYMBOL.tolist(), TypeError, NO_VALUES),
    "concatenate": (lambda: np.concatenate([SYMBOL, SYMBOL]), TypeError, NO_VALUES),
    "iteration": (lambda: list(SYMBOL), TypeError, "'s' .*cannot be iterated over.*torch.unbind"),
    "len": (lambda: len(SYMBOL), TypeError, "'s' of shape .* has no known length"),
    "sizes": (
        lambda: SYMBOL @ torch.ones(3, 3),
        ValueError,
        r"`matmul` cannot be called .*\(None, 4\) float32",
    ),
    "ranks": (lambda: torch.cat([SYMBOL, SYMBOL[:, None]], 1), ValueError, "`cat` cannot be called"),
    "attribute": (lambda: SYMBOL.no_such_thing, AttributeError, "'KerasTensor' object has no attribute"),
    "ufunc": (lambda: np.exp(SYMBOL), TypeError, "does not support ufuncs"),
    "axis": (lambda: torch.cumsum(SYMBOL, 3), ValueError, "axis 3 is out of bounds, it must be from -2 to 1"),
    "shape": (lambda: KerasTensor(3), ValueError, "cannot convert 3 to a shape"),
    "size": (lambda: KerasTensor((2.5,)), ValueError, r"cannot convert \(2.5,\) to a shape"),
    "negative": (lambda: KerasTensor((-1,)), ValueError, r"cannot convert \(-1,\) to a shape"),
    "sparse": (lambda: KerasTensor((2,), sparse=True), ValueError, "sparse and ragged.*pass dense ones"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_symbol_cannot_do_is_told(name):
    wrong, kind, text = WRONG[name]
    with pytest.raises(kind, match=text):
        wrong()
