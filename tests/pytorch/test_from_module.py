"""`Model.from_module`: any torch module is compiled, trained, evaluated and saved as a model."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from torchkeras_lite import Model, Sequential, layers, losses

X = np.linspace(-1, 1, 32 * 3 * 8 * 8).reshape(32, 3, 8, 8).astype("float32")
Y = np.arange(32) % 4


class Net(nn.Module):
    """A module in the style of torchvision; some of its names are those of a model's attributes."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3)
        self.bn1 = nn.BatchNorm2d(8)
        self.layers = nn.ModuleList([nn.Conv2d(8, 8, 3)])
        self.metrics = nn.Identity()
        self.dropout = nn.Dropout(0.1)
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        for layer in (self.conv1, self.bn1, *self.layers, self.metrics):
            x = layer(x)
        return self.fc(self.dropout(x.mean((2, 3))))


class Residual(nn.Module):
    """A basic block as torchvision's ResNets have it."""

    def __init__(self, channels, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.downsample = None
        if stride != 1 or channels != filters:
            shortcut = nn.Conv2d(channels, filters, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(filters))

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + identity)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = nn.Sequential(Residual(4, 4, 1), Residual(4, 4, 1))
        self.layer2 = nn.Sequential(Residual(4, 8, 2), Residual(8, 8, 1))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.avgpool(self.layer2(self.layer1(x)))
        return self.fc(torch.flatten(x, 1))


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(2, 4)

    def forward(self, left, right, scale=1.0):
        return {"sum": self.a(left) + self.b(right), "difference": self.a(left) - scale * self.b(right)}


@dataclasses.dataclass
class Output:
    """As transformers' models return."""

    logits: torch.Tensor | None = None
    hidden_states: tuple | None = None


class Dataclass(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(10, 4), nn.Linear(4, 3)

    def forward(self, input_ids=None, attention_mask=None, **options):
        weights = attention_mask.unsqueeze(-1).float()
        hidden = (self.embedding(input_ids) * weights).sum(1) / weights.sum(1)
        return Output(logits=self.head(hidden), hidden_states=(hidden,))


def classifier(module, **options):
    model = Model.from_module(module, **options)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


@pytest.mark.parametrize(("make", "parts"), [(Net, "layers"), (ResNet, "layer2")], ids=["net", "resnet"])
def test_fit_evaluate_predict_summary(make, parts):
    torch.manual_seed(0)
    net = make()
    model = classifier(net)
    history = model.fit(X, Y, epochs=5, verbose=0, validation_split=0.25).history
    assert set(history) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert history["loss"][-1] < history["loss"][0]
    loss, accuracy = model.evaluate(X, Y, verbose=0)
    net.eval()
    with torch.no_grad():
        outputs = net(torch.as_tensor(X))
    np.testing.assert_allclose(model.predict(X, verbose=0), outputs.numpy(), rtol=1e-4, atol=1e-5)
    assert loss == pytest.approx(nn.functional.cross_entropy(outputs, torch.as_tensor(Y)).item(), rel=1e-4)
    assert accuracy == pytest.approx((outputs.argmax(1).numpy() == Y).mean())
    lines = []
    model.summary(print_fn=lines.append)
    assert all(f"{name} (" in "\n".join(lines) for name in ("conv1", "bn1", parts, "fc"))
    assert model.get_layer("fc") is net.fc
    assert model.count_params() == sum(tensor.numel() for tensor in net.state_dict().values())


def test_a_step_is_that_of_a_hand_written_loop():
    net = Net()
    net.dropout.p = 0.0
    twin = copy.deepcopy(net)
    model = Model.from_module(net)
    model.compile(torch.optim.SGD(net.parameters(), 0.1), nn.CrossEntropyLoss())
    model.fit(X, Y, batch_size=16, epochs=1, shuffle=False, verbose=0)
    optimizer = torch.optim.SGD(twin.parameters(), 0.1)
    for start in (0, 16):
        optimizer.zero_grad()
        rows = slice(start, start + 16)
        nn.functional.cross_entropy(twin(torch.as_tensor(X[rows])), torch.as_tensor(Y[rows])).backward()
        optimizer.step()
    for key, tensor in twin.state_dict().items():
        torch.testing.assert_close(net.state_dict()[key], tensor, rtol=1e-4, atol=1e-5)


def test_keys_and_modes_are_the_modules_own(tmp_path):
    net = Net()
    model = Model.from_module(net)
    keys = list(net.state_dict())
    assert list(model.state_dict()) == keys
    assert [key for key, _ in model.named_parameters()] == [key for key, _ in net.named_parameters()]
    assert model.training == net.training
    for mode in (False, True):
        model.train(mode)
        assert {module.training for module in net.modules()} == {mode}
    model.eval()
    model(torch.as_tensor(X), training=True)
    assert not net.training
    assert not net.bn1.training
    assert net.bn1.num_batches_tracked == 1
    model.trainable = False
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert model.to(torch.float64).torch_module.fc.weight.dtype is torch.float64
    assert model(torch.as_tensor(X)).dtype is torch.float64
    model.compile("sgd", "mse")
    assert list(model.state_dict()) == keys


@pytest.mark.parametrize("ending", ["weights.h5", "safetensors", "pt"])
def test_weights_go_through_files(ending, tmp_path):
    model, other = (Model.from_module(Net().eval(), name="net") for _ in range(2))
    model.save_weights(tmp_path / f"net.{ending}")
    other.load_weights(tmp_path / f"net.{ending}")
    torch.testing.assert_close(other(torch.as_tensor(X)), model(torch.as_tensor(X)))
    if ending == "pt":  # and into the module itself
        Net().load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))


def test_copies():
    model = Model.from_module(Net().eval())
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.torch_module is not model.torch_module
        assert other.torch_module.fc.weight is dict(other.named_parameters())["fc.weight"]
        torch.testing.assert_close(other(torch.as_tensor(X)), model(torch.as_tensor(X)))


def test_several_inputs_and_outputs():
    left, right, target = np.random.rand(32, 3), np.random.rand(32, 2), np.random.rand(32, 4)
    model = Model.from_module(Two(), outputs="sum")
    model.compile("sgd", "mse")
    by_place = model.evaluate([left, right], target, verbose=0)
    assert by_place == model.evaluate({"left": left, "right": right}, target, verbose=0)
    model.fit({"left": left, "right": right}, target, verbose=0)
    both = Model.from_module(Two())
    both.compile("sgd", {"sum": "mse", "difference": "mae"})
    inputs, targets = {"left": left, "right": right}, {"sum": target, "difference": target}
    assert {"sum_loss", "difference_loss", "loss"} <= set(both.fit(inputs, targets, verbose=0).history)
    assert {key: value.shape for key, value in both.predict(inputs, verbose=0).items()} == {
        "sum": (32, 4),
        "difference": (32, 4),
    }


def test_dataclasses_as_transformers_return_them():
    ids, mask = np.arange(64).reshape(16, 4) % 10, np.ones((16, 4), "int64")
    inputs = {"input_ids": ids, "attention_mask": mask}
    model = classifier(Dataclass(), outputs="logits")
    history = model.fit(inputs, np.arange(16) % 3, epochs=5, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert model.predict(inputs, verbose=0).shape == (16, 3)
    whole = Model.from_module(Dataclass()).predict(inputs, verbose=0)
    assert {key: value.shape for key, value in whole.items()} == {"logits": (16, 3)}
    chosen = Model.from_module(Dataclass(), outputs=lambda found: found.hidden_states[0])
    assert chosen.predict(inputs, verbose=0).shape == (16, 4)


@pytest.mark.filterwarnings("ignore")  # of transformers, about the packages that it finds
def test_a_model_of_transformers(tmp_path):
    import transformers

    config = transformers.BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=3,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    make = transformers.BertForSequenceClassification
    net = make(config)
    keys = list(net.state_dict())
    ids = np.random.default_rng(0).integers(1, 20, (32, 6))
    inputs = {"input_ids": ids, "attention_mask": (ids < 18).astype("int64")}
    model = classifier(net, outputs="logits")
    history = model.fit(inputs, ids[:, 0] % 3, epochs=4, verbose=0, validation_split=0.25).history
    assert history["loss"][-1] < history["loss"][0]
    assert set(model.evaluate(inputs, ids[:, 0] % 3, verbose=0, return_dict=True)) == {"loss", "accuracy"}
    logits = model.predict(inputs, verbose=0)
    with torch.no_grad():
        expected = net.eval()(**{key: torch.as_tensor(array) for key, array in inputs.items()})
    np.testing.assert_allclose(logits, expected.logits.numpy(), rtol=1e-4, atol=1e-6)
    assert list(model.state_dict()) == keys
    assert set(Model.from_module(net).predict(inputs, verbose=0)) == {"logits"}
    lines = []
    model.summary(print_fn=lines.append)
    assert all(name in "\n".join(lines) for name in ("bert (BertModel)", "classifier (Linear)"))
    model.save_weights(tmp_path / "bert.safetensors")
    other = make.from_pretrained(None, config=config, state_dict=net.state_dict())  # transformers reads ours
    assert torch.equal(other.classifier.weight, net.classifier.weight)
    again = Model.from_module(make(config), outputs="logits")
    again.load_weights(tmp_path / "bert.safetensors")
    np.testing.assert_allclose(again.predict(inputs, verbose=0), logits, rtol=1e-5)
    model.export(tmp_path / "bert.pt2", verify=True)  # the dtypes of the inputs are those of the first call


@pytest.mark.parametrize("make", [Net, ResNet], ids=["net", "resnet"])
def test_it_can_be_written_out_and_exported(make, tmp_path):
    model = Model.from_module(make().eval())
    model(torch.as_tensor(X))
    model.export(tmp_path / "net.pt2", verify=True)
    net = model.to_torch()
    torch.testing.assert_close(net(torch.as_tensor(X)), model(torch.as_tensor(X)), rtol=1e-4, atol=1e-5)
    assert set(net.state_dict()) == set(model.state_dict())


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_wrong_calls():
    with pytest.raises(TypeError, match=r"expected a torch.nn.Module, got .*Lambda"):
        Model.from_module(lambda x: x)
    with pytest.raises(TypeError, match="is a Keras layer"):
        Model.from_module(Sequential([layers.Dense(2)]))
    with pytest.raises(TypeError, match=r"a module of TorchScript \(Linear\).*`Sequential\(\[module\]\)`"):
        Model.from_module(torch.jit.trace(nn.Linear(3, 2), torch.ones(1, 3)))
    with pytest.raises(TypeError, match="`outputs` must be"):
        Model.from_module(Two(), outputs=[1])
    model = Model.from_module(Two(), outputs="summ")
    with pytest.raises(ValueError, match=r"no output 'summ'; did you mean 'sum'"):
        model([torch.ones(2, 3), torch.ones(2, 2)])
    with pytest.raises(TypeError, match="Cannot write the torch module Two into a config"):
        model.get_config()
