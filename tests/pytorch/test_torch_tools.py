"""What torch offers for models works on those of this package, as it is."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.export import Dim
from torch.nn.utils import parametrizations, prune
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from pytorch.citizens import BATCHES, FIRST, MAKERS
from torchkeras_lite import Input, Model, layers

close = torch.testing.assert_close


@pytest.fixture(params=list(MAKERS))
def kind(request):
    return request.param


@pytest.fixture
def model(kind):
    return MAKERS[kind]()


@pytest.fixture
def batch(kind):
    return BATCHES[kind].clone()


def test_state_goes_from_one_instance_to_another(kind, model, batch, tmp_path):
    other = MAKERS[kind]()
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    close(other(batch), model(batch))


def test_copies_and_shared_memory(model, batch):
    expected = model(batch)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        close(other(batch), expected)
    model.share_memory()
    assert all(parameter.is_shared() for parameter in model.parameters())
    close(model(batch), expected)


def test_hooks_by_the_name_of_a_layer(kind, model, batch):
    seen = []
    module = model.get_submodule(FIRST[kind])
    handles = [
        model.get_submodule("head").register_forward_hook(
            lambda m, args, out: seen.append(("head", out.shape))
        ),
        module.register_forward_pre_hook(lambda m, args: seen.append(("before", args[0].shape))),
        module.register_full_backward_hook(lambda m, into, out: seen.append(("backward", out[0].shape))),
    ]
    model.train()
    model(batch.requires_grad_()).sum().backward()
    assert ("head", (4, 3)) in seen
    assert {name for name, _ in seen} == {"head", "before", "backward"}
    for handle in handles:
        handle.remove()


def test_symbolic_trace(model, batch):
    """Layers that ask for shapes are nodes of the graph; the others are looked into."""
    traced = torch.fx.symbolic_trace(model.eval())
    close(traced(batch), model(batch))
    traced.graph.lint()
    assert any(node.op == "call_module" and node.target == "head.linear" for node in traced.graph.nodes)
    assert all(node.users or node.op in ("output", "placeholder") for node in traced.graph.nodes)


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic batch"])
@pytest.mark.filterwarnings("ignore")
def test_export(model, batch, dynamic, tmp_path):
    shapes = ({0: Dim("batch")},) if dynamic else None
    program = torch.export.export(model.eval(), (batch,), dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "model.pt2")
    again = torch.export.load(tmp_path / "model.pt2").module()
    part = batch[:3] if dynamic else batch
    close(again(part), model(part))
    assert set(program.state_dict) == set(model.state_dict())


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_compile_without_graph_breaks(kind, model, batch, training):
    # torch 2.13 cannot compile the backward pass of its LSTM on the CPU, so only dynamo is tried there.
    backend = "eager" if kind == "rnn" and training else "aot_eager"
    torch.compiler.reset()
    compiled = torch.compile(model.train(training), fullgraph=True, backend=backend)
    with torch.set_grad_enabled(training):
        outputs = compiled(batch)
    if training:
        outputs.sum().backward()
        assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    else:
        close(outputs, model(batch))


@pytest.mark.filterwarnings("ignore")
def test_jit_trace(model, batch):
    traced = torch.jit.trace(model.eval(), batch)
    file = io.BytesIO()
    torch.jit.save(traced, file)
    file.seek(0)
    close(torch.jit.load(file)(batch), model(batch))


def test_func(model, batch):
    model.eval()
    parameters = {key: value.detach() for key, value in model.named_parameters()}

    def outputs(parameters):
        return torch.func.functional_call(model, parameters, (batch,))

    gradients = torch.func.grad(lambda p: outputs(p).sum())(parameters)
    jacobian = torch.func.jacrev(outputs)(parameters)
    for key, gradient in gradients.items():
        close(jacobian[key].sum((0, 1)), gradient)


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_vmap_over_samples(model, batch):
    model.eval()
    close(torch.func.vmap(lambda sample: model(sample[None])[0])(batch), model(batch), rtol=1e-4, atol=1e-5)


def test_vmap_over_a_recurrent_layer_that_runs_step_by_step():
    """torch has no batching rule for the kernel of its own LSTM."""
    inputs = Input((5, 4))
    model = Model(inputs, layers.LSTM(3, use_cudnn=False)(inputs)).eval()
    batch = BATCHES["rnn"][:, :5]
    close(torch.func.vmap(lambda sample: model(sample[None])[0])(batch), model(batch), rtol=1e-4, atol=1e-5)


def test_pruning(kind, model, batch):
    model.eval()
    module = model.get_submodule("head.linear")
    prune.l1_unstructured(module, "weight", 0.5)
    assert (module.weight == 0).float().mean() == 0.5
    pruned = model(batch)
    model.train()
    model(batch).sum().backward()
    assert module.weight_orig.grad is not None
    prune.remove(module, "weight")
    if kind == "rnn":
        close(model.eval()(batch), pruned)
    first = model.get_submodule(FIRST[kind])
    prune.ln_structured(
        first, "weight", 0.5, n=2, dim=0
    )  # torch's unstructured pruning needs contiguous weights
    assert (first.weight.flatten(1).abs().sum(1) == 0).float().mean() >= 0.5


def test_parametrizations(kind, model, batch):
    model.eval()
    before = model(batch)
    parametrizations.weight_norm(model.get_submodule(FIRST[kind]))
    close(model(batch), before)
    module = parametrizations.spectral_norm(model.get_submodule("head.linear"), n_power_iterations=50)
    model.train()
    model(batch).sum().backward()
    assert torch.linalg.matrix_norm(module.weight, 2).item() == pytest.approx(1.0, abs=1e-2)


@pytest.mark.filterwarnings("ignore")
def test_dynamic_quantization(model, batch):
    quantized = torch.ao.quantization.quantize_dynamic(model.eval(), {nn.Linear}, dtype=torch.qint8)
    assert "quantized" in type(quantized.get_submodule("head.linear")).__module__
    assert (quantized(batch) - model(batch)).abs().max() < 0.1


def test_flop_counter(kind, model, batch):
    with FlopCounterMode(display=False) as counter:
        model.eval()(batch)
    counts = counter.get_flop_counts()
    name = type(model).__name__
    assert sum(counts[f"{name}.head.linear"].values()) == 2 * 4 * 3 * model.head.linear.in_features
    assert counter.get_total_flops() > 0


def test_activation_checkpointing(model, batch):
    gradients = []
    model.train()
    for run in (model, lambda x: checkpoint(model, x, use_reentrant=False)):
        inputs = batch.clone().requires_grad_()
        torch.manual_seed(0)
        run(inputs).square().sum().backward()
        gradients.append(inputs.grad)
    close(*gradients)


def test_autocast(model, batch):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = model.eval()(batch)
    assert outputs.dtype is torch.bfloat16
    close(outputs.float(), model(batch), rtol=0.1, atol=0.05)


def test_dtypes_and_the_meta_device(kind, model, batch):
    model.eval()
    expected = model(batch)
    assert copy.deepcopy(model).to(torch.bfloat16)(batch.bfloat16()).dtype is torch.bfloat16
    close(copy.deepcopy(model).to(torch.float64)(batch.double()).float(), expected)
    on_meta = copy.deepcopy(model).to("meta")
    assert on_meta(batch.to("meta")).shape == (4, 3)
    filled = on_meta.to_empty(device="cpu")
    filled.load_state_dict(model.state_dict())
    close(filled(batch), expected)


def test_averages_of_weights(kind, model, batch):
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    averaged.update_parameters(model)
    before = model.head.linear.weight.detach().clone()
    model.train()(batch).sum().backward()
    optimizer.step()
    averaged.update_parameters(model)
    close(averaged.module.head.linear.weight, (before + model.head.linear.weight) / 2)
    update_bn([batch, batch], averaged)
    if kind == "mlp":
        hidden = torch.relu(averaged.module.hidden.linear(batch))
        close(averaged.module.norm.batch_norm.running_mean, hidden.mean(0))
        close(averaged.module.norm.batch_norm.running_var, hidden.var(0, correction=0))
    averaged.eval()(batch)


def test_apply_and_requires_grad(model):
    seen = []
    model.apply(lambda module: seen.append(type(module)))
    assert nn.Linear in seen
    model.trainable = False
    assert not any(parameter.requires_grad for parameter in model.parameters())
    model.trainable = True
    model.requires_grad_(False)
    assert (model.trainable_weights, model.count_params() > 0) == ([], True)
    model.requires_grad_(True)
    model.head.requires_grad_(False)
    trained = sum(parameter.requires_grad for parameter in model.parameters())
    assert 0 < len(model.trainable_weights) <= trained
    assert all("head" not in weight.path for weight in model.trainable_weights)
