"""Packages made for torch models take those of this package as they are. Imports take seconds: one a test."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from pytorch.citizens import BATCHES, FIRST, MAKERS

close = torch.testing.assert_close
pytestmark = pytest.mark.filterwarnings("ignore")  # of these packages, about one another


@pytest.fixture(params=list(MAKERS))
def kind(request):
    return request.param


@pytest.fixture
def model(kind):
    return MAKERS[kind]()


@pytest.fixture
def batch(kind):
    return BATCHES[kind].clone()


TARGETS = torch.tensor([0, 1, 2, 1])


def test_safetensors(kind, model, batch, tmp_path):
    from safetensors.torch import load_model, save_model

    save_model(model, tmp_path / "weights.safetensors")
    other = MAKERS[kind]()
    assert load_model(other, tmp_path / "weights.safetensors") == (set(), [])
    close(other(batch), model(batch))


def test_torchinfo(model, batch):
    import torchinfo

    found = torchinfo.summary(model, input_data=batch, verbose=0)
    assert found.total_params == sum(parameter.numel() for parameter in model.parameters())
    assert found.summary_list[-1].output_size == [4, 3]


def test_captum(kind, model, batch):
    from captum.attr import IntegratedGradients, LayerGradCam

    model.eval()
    attributions = IntegratedGradients(model).attribute(batch, target=1, n_steps=200)
    difference = model(batch)[:, 1] - model(torch.zeros_like(batch))[:, 1]
    close(attributions.flatten(1).sum(1).float(), difference, rtol=0.05, atol=0.02)
    if kind == "cnn":
        conv = model.get_submodule(FIRST[kind])
        assert LayerGradCam(model, conv).attribute(batch, target=1).shape == (4, 1, 4, 4)


def test_lora_by_peft(model, batch):
    import peft

    expected = model.eval()(batch)
    config = peft.LoraConfig(r=2, target_modules=["head.linear"])
    adapted = peft.get_peft_model(model, config)
    close(adapted(batch), expected)
    trained = [key for key, parameter in adapted.named_parameters() if parameter.requires_grad]
    assert len(trained) == 2
    assert all("head.linear.lora_" in key for key in trained)
    assert [weight.tensor for weight in model.trainable_weights] == [  # `fit` trains them, too
        parameter for parameter in adapted.parameters() if parameter.requires_grad
    ]
    optimizer = torch.optim.SGD(adapted.parameters(), 0.5)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(adapted(batch), TARGETS).backward()
        optimizer.step()
    moved = adapted(batch)
    assert (moved - expected).abs().max() > 1e-4
    close(adapted.merge_and_unload()(batch), moved, rtol=1e-4, atol=1e-5)


def test_weight_only_quantization_by_torchao(model, batch):
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    expected = model.eval()(batch)
    quantize_(model, Int8WeightOnlyConfig())
    assert type(model.head.linear.weight).__module__.startswith("torchao")
    close(model(batch), expected, rtol=0.1, atol=0.05)


def test_lightning(model, batch):
    import lightning

    class Classifier(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = model.train()  # Lightning keeps the modes that it finds

        def training_step(self, pair, index):
            assert self.net.training
            return nn.functional.cross_entropy(self.net(pair[0]), pair[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    before = model.head.linear.weight.detach().clone()
    quiet = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", **quiet)
    trainer.fit(Classifier(), DataLoader(TensorDataset(batch, TARGETS), 2))
    assert not torch.equal(model.head.linear.weight, before)


def test_skorch(model, batch):
    from skorch import NeuralNetClassifier

    net = NeuralNetClassifier(
        model, criterion=nn.CrossEntropyLoss, max_epochs=5, lr=0.1, verbose=0, train_split=None, batch_size=2
    )
    net.fit(batch, TARGETS)
    losses = net.history[:, "train_loss"]
    assert losses[-1] < losses[0]
    assert net.predict(batch).shape == (4,)


def test_accelerate(model, batch):
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    prepared, optimizer, loader = accelerator.prepare(
        model, optimizer, DataLoader(TensorDataset(batch, TARGETS), 2)
    )
    before = model.head.linear.weight.detach().clone()
    prepared.train()
    for x, y in loader:
        accelerator.backward(nn.functional.cross_entropy(prepared(x), y))
        optimizer.step()
    assert accelerator.unwrap_model(prepared) is model
    assert not torch.equal(model.head.linear.weight, before)


def test_torchmetrics(model, batch):
    import torchmetrics

    metric = torchmetrics.Accuracy(task="multiclass", num_classes=3)
    metric.update(model(batch), TARGETS)
    assert metric.compute() == (model(batch).argmax(-1) == TARGETS).float().mean()


def test_einops_on_symbolic_tensors():
    import einops
    from einops.layers.torch import Rearrange

    from torchkeras_lite import Input, Model

    images = torch.randn(3, 4, 6, 5)
    steps = torch.randn(3, 7, 6)
    cases = [
        (lambda x: einops.rearrange(x, "b (h p) (w q) c -> b (h w) (p q c)", p=2, q=3), images, (4, 6, 5)),
        (lambda x: einops.rearrange(x, "b h w c -> (b h) w c"), images, (4, 6, 5)),
        (lambda x: einops.reduce(x, "b h w c -> b c", "mean"), images, (4, 6, 5)),
        (lambda x: einops.reduce(x, "b (h p) w c -> b h w c", "max", p=2), images, (4, 6, 5)),
        (lambda x: einops.repeat(x, "b h w c -> b h r w c", r=2), images, (4, 6, 5)),
        (lambda x: einops.einsum(x, x, "b h w c, b h w d -> b c d"), images, (4, 6, 5)),
        (Rearrange("b h w c -> b (h w) c"), images, (4, 6, 5)),
        (lambda x: einops.rearrange(x, "b t d -> b d t"), steps, (None, 6)),
        (lambda x: einops.rearrange(x, "b t (h d) -> b h t d", h=2), steps, (None, 6)),
        (lambda x: einops.rearrange(x.unflatten(2, (2, 3)), "b t h d -> b t (d h)"), steps, (None, 6)),
    ]
    for function, values, shape in cases:
        inputs = Input(shape)
        model = Model(inputs, function(inputs))
        for rows in (3, 2):
            close(model(values[:rows]), function(values[:rows]))
