"""`to_torch` and `to_source`: the same numbers, gradients and state from torch's classes alone."""

import ast
import importlib.util

import pytest
import torch
from torch.utils._pytree import tree_leaves

import torchkeras_lite as keras
from pytorch.source_models import MAKERS
from torchkeras_lite import Input, Layer, Model, Sequential, layers
from torchkeras_lite.__main__ import main
from torchkeras_lite.layers.lookup import StringLookup

# torch's GRU has two biases where Keras has one weight; constants in a graph are no state of the model.
OTHER_KEYS = {"dropping", "sequences", "text", "functions"}
every_model = pytest.mark.parametrize("kind", list(MAKERS))


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_same(model, net, batch, training):
    """Compare outputs and gradients in one mode, with the same draws."""
    results = []
    arguments = batch[0] if len(batch) == 1 else batch
    for call in (lambda: model.train(training)(arguments), lambda: net.train(training)(*batch)):
        torch.manual_seed(0)
        results.append(call())
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-5)
    assert type(results[1]) is type(results[0])
    for one, outputs in zip((model, net), results, strict=True):
        one.zero_grad()
        if any(parameter.requires_grad for parameter in one.parameters()):
            sum(leaf.square().sum() for leaf in tree_leaves(outputs)).backward()
    mine, theirs = dict(model.named_parameters()), dict(net.named_parameters())
    for key in mine.keys() & theirs.keys():
        assert theirs[key].requires_grad == mine[key].requires_grad, key
        if mine[key].grad is not None:
            expected = mine[key].grad.reshape(theirs[key].shape)
            torch.testing.assert_close(theirs[key].grad, expected, rtol=1e-3, atol=1e-4)


@every_model
def test_to_torch(kind):
    model, batch = MAKERS[kind]()
    net = model.to_torch()
    assert net.training == model.training
    assert {type(module).__module__.partition(".")[0] for module in net.modules()}.isdisjoint(
        {"torchkeras_lite"}
    )
    if kind not in OTHER_KEYS:
        assert set(net.state_dict()) == set(model.state_dict())
    assert not {p.data_ptr() for p in net.parameters()} & {p.data_ptr() for p in model.parameters()}
    for training in (False, True):
        assert_same(model, net, batch, training)
    mine, theirs = model.state_dict(), net.state_dict()
    for key in mine.keys() & theirs.keys():  # running statistics, too
        if "num_batches" not in key:
            torch.testing.assert_close(theirs[key], mine[key], msg=lambda text, key=key: f"{key}: {text}")


@every_model
def test_to_source(kind, tmp_path):
    model, batch = MAKERS[kind]()
    model.to_source(tmp_path / "net.py")
    text = (tmp_path / "net.py").read_text()
    roots = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
    }
    assert roots <= {"torch", "pathlib"}
    net = load(tmp_path / "net.py").load()
    assert not net.training
    for training in (False, True):
        assert_same(model, net, batch, training)


def test_the_written_file_reads_like_pytorch(tmp_path):
    x = Input((28, 28, 1), name="image")
    h = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv")(x)
    h = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv_2")(layers.MaxPooling2D()(h))
    model = Model(x, layers.Dense(10, name="head")(layers.Flatten()(h)))
    model.to_source(tmp_path / "net.py", weights=None)
    text = (tmp_path / "net.py").read_text()
    expected = """
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.conv_2 = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(1568, 10)

    def forward(self, image):
        x = image.permute(0, 3, 1, 2)  # (batch, 1, 28, 28)
        x = self.conv(x)  # (batch, 8, 28, 28)
        x = torch.relu(x)  # (batch, 8, 28, 28)
        x = F.max_pool2d(x, (2, 2), stride=(2, 2))  # (batch, 8, 14, 14)
        x = self.conv_2(x)  # (batch, 8, 14, 14)
        x = torch.relu(x)  # (batch, 8, 14, 14)
        x = x.permute(0, 2, 3, 1)  # (batch, 14, 14, 8)
        x = torch.flatten(x, 1)  # (batch, 1568)
        x = self.head(x)  # (batch, 10)
        return x
"""
    assert expected in text
    assert not (tmp_path / "net.pt").exists()


def test_equal_blocks_are_one_class():
    model, _ = MAKERS["own_layers"]()
    net = model.to_torch()
    assert type(net.block) is type(net.block_1) is type(net.block_2)


@pytest.mark.parametrize("weights", ["pt", "safetensors"])
@pytest.mark.parametrize("keys", ["short", "model"])
def test_weights_and_keys(weights, keys, tmp_path):
    model, batch = MAKERS["mlp"]()
    model.to_source(tmp_path / "net.py", weights=weights, keys=keys)
    net = load(tmp_path / "net.py").load()
    torch.testing.assert_close(net(*batch), model.eval()(*batch))
    expected = (
        set(model.state_dict()) if keys == "model" else {"dense.weight", "batch_normalization.running_var"}
    )
    assert expected <= set(net.state_dict())
    assert (tmp_path / f"net.{weights}").exists()


def test_shared_weights_stay_shared():
    shared = layers.Dense(4, name="shared")
    inner = Sequential([Input((4,)), shared], name="inner")
    inputs = Input((4,))
    net = Model(inputs, inner(shared(inputs))).to_torch()
    assert net.shared.linear.weight is net.inner.shared.linear.weight


def test_other_dtypes():
    model = Sequential([Input((4,)), layers.Dense(3), layers.BatchNormalization()]).to(torch.float64)
    net = model.to_torch()
    assert {parameter.dtype for parameter in net.parameters()} == {torch.float64}
    batch = torch.randn(5, 4, dtype=torch.float64)
    torch.testing.assert_close(net(batch), model(batch))


def test_input_signature():
    class Doubled(Model):
        def __init__(self):
            super().__init__()
            self.table = layers.Embedding(5, 3)

        def call(self, inputs):
            return self.table(inputs) * 2

    model = Doubled()
    with pytest.raises(ValueError, match=r"its inputs are not known, because it was never called"):
        model.to_torch()
    ids = torch.tensor([[1, 2], [3, 4]])
    model(ids)
    net = model.to_torch(input_signature=[keras.InputSpec(shape=(None, None), dtype="int64")])
    torch.testing.assert_close(net(ids), model(ids))


class Sorting(Layer):
    def call(self, inputs):
        return inputs * int(inputs.sum() > 0)


class Counting(Layer):
    def call(self, inputs):
        return sum(inputs[:, step] for step in range(inputs.shape[1]))


def test_layers_that_cannot_be_written_are_all_named(tmp_path):
    inputs = Input((4, 3))
    x = layers.Dense(3, dtype="mixed_bfloat16", name="half")(inputs)
    x = layers.LSTM(3, recurrent_dropout=0.5, name="dropping")(x)
    model = Model(inputs, Sorting(name="sorting")(x))
    with pytest.raises(ValueError, match="cannot be written with torch alone") as caught:
        model.to_source(tmp_path / "net.py")
    text = str(caught.value)
    assert "Sorting 'sorting': it looks at values" in text
    assert "LSTM 'dropping': it has recurrent_dropout" in text
    assert "Dense 'half': it has the policy mixed_bfloat16" in text
    assert not list(tmp_path.iterdir())


class Halving(Layer):
    def call(self, inputs):
        return inputs if inputs.shape[1] % 2 == 0 else inputs[:, 1:]


def test_a_branch_on_an_unknown_size_is_refused():
    """Both sizes that are tried are even, which says nothing of others."""
    inputs = Input((None, 3))
    with pytest.raises(ValueError, match=r"Halving 'halving': it branches on a size that is unknown"):
        Model(inputs, Halving(name="halving")(inputs)).to_torch()


def test_a_loop_over_an_unknown_size_is_refused():
    inputs = Input((None, 3))
    with pytest.raises(ValueError, match=r"Counting 'counting': .*a size that is unknown"):
        Model(inputs, Counting(name="counting")(inputs)).to_torch()
    fixed = Input((4, 3))
    model, batch = Model(fixed, Counting()(fixed)), torch.randn(2, 4, 3)
    torch.testing.assert_close(model.to_torch()(batch), model(batch))


def test_strings_are_refused():
    inputs = Input((1,), dtype="string")
    with pytest.raises(ValueError, match="is a string, which torch has no tensors of"):
        Model(inputs, StringLookup(vocabulary=["a", "b"])(inputs)).to_torch()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"path": "net.txt"}, "ends with .py"), ({"keys": "long"}, "keys"), ({"weights": "npz"}, "weights")],
    ids=["path", "keys", "weights"],
)
def test_wrong_arguments(arguments, message, tmp_path):
    model, _ = MAKERS["mlp"]()
    path = tmp_path / arguments.pop("path", "net.py")
    with pytest.raises(ValueError, match=message):
        model.to_source(path, **arguments)


def test_the_command(tmp_path, capsys):
    model, batch = MAKERS["mlp"]()
    model.save(tmp_path / "model.keras")
    target = str(tmp_path / "net.py")
    assert main(["eject", str(tmp_path / "model.keras"), target]) == 0
    assert "net.py" in capsys.readouterr().out
    torch.testing.assert_close(load(tmp_path / "net.py").load()(*batch), model.eval()(*batch))
    assert main(["eject", str(tmp_path / "model.keras"), target]) == 1
    assert "--overwrite" in capsys.readouterr().err
