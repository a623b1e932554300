"""What torch offers for models works on those of this package, as it is."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.export import Dim
from torch.export._patches import (
    register_gru_while_loop_decomposition,
    register_lstm_while_loop_decomposition,
)
from torch.nn.utils import parametrizations, prune
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from pytorch.citizens import BATCHES, FIRST, MAKERS
from torchkeras_lite import Input, Layer, Model, Sequential, layers

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


class Doubling(Layer):
    """Keeps a loss, and does something else in training."""

    def call(self, inputs, training=None):
        self.add_loss(inputs.square().mean())
        return inputs * 2 if training else inputs


def stack(*parts, shape=(4,), dtype=None):
    return Sequential([Input(shape, dtype=dtype), *parts])


def block_inside():
    """Layers that branch on shapes, in a layer and in a model inside."""
    inputs = Input((6, 4))
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(inputs)
    inner = Model(inputs, layers.Dense(4)(layers.Add()([x, layers.Conv1D(6, 3, padding="same")(x)])))
    outer = Input((6, 4))
    return Model(outer, layers.MultiHeadAttention(2, 3)(inner(outer), inner(outer)))


TRACED = {
    "blocks in blocks": (block_inside, torch.rand(3, 6, 4)),
    "losses and modes": (lambda: stack(layers.Dense(4), Doubling(), layers.Dropout(0.5)), torch.rand(3, 4)),
    "casts": (lambda: stack(layers.Dense(4, dtype="mixed_bfloat16"), layers.Dense(2)), torch.rand(3, 4)),
    "preprocessing": (
        lambda: stack(layers.Normalization(mean=1.0, variance=4.0), layers.Dense(2)),
        torch.rand(3, 4),
    ),
    "masks": (
        lambda: stack(layers.Embedding(9, 4, mask_zero=True), layers.GRU(3), shape=(None,), dtype="int32"),
        torch.tensor([[1, 2, 0], [3, 0, 0]]),
    ),
}


@pytest.mark.parametrize("name", list(TRACED))
def test_symbolic_trace_of_what_branches(name):
    make, batch = TRACED[name]
    model = make().eval()
    traced = torch.fx.symbolic_trace(model)
    traced.graph.lint()
    for training in (False, True):
        traced.train(training)
        model.train(training)
        torch.manual_seed(0)
        found = traced(batch)
        torch.manual_seed(0)
        close(found, model(batch))
    traced.eval()
    close(traced(batch), model.eval()(batch))
    assert all(torch.is_tensor(loss) for loss in model.losses)


def test_symbolic_trace_keeps_a_mode_that_a_call_was_given():
    inputs = Input((8,))
    base = stack(layers.Dropout(0.5), shape=(8,))
    model = Model(inputs, base(inputs, training=False)).train()
    traced = torch.fx.symbolic_trace(model).train()
    batch = torch.rand(3, 8)
    close(traced(batch), batch)


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


@pytest.mark.filterwarnings("ignore")
def test_export_of_low_rank_weights():
    """While it exports, torch puts plain tensors in the place of parameters."""
    model = stack(layers.EinsumDense("ab,bc->ac", output_shape=3, lora_rank=2)).eval()
    batch = torch.rand(2, 4)
    close(torch.export.export(model, (batch,)).module()(batch), model(batch))


def convolution_over_steps():
    parts = [layers.Conv1D(4, 3, padding="same", activation="relu"), layers.GlobalAveragePooling1D()]
    return stack(*parts, layers.Dense(3), shape=(None, 4))


@pytest.mark.parametrize("make", [MAKERS["rnn"], convolution_over_steps], ids=lambda make: make.__name__)
@pytest.mark.filterwarnings("ignore")
def test_export_with_any_number_of_steps(make):
    model, batch = make().eval(), BATCHES["rnn"]
    shapes = ({0: Dim("batch"), 1: Dim.DYNAMIC},)
    for name in ("lstm", "gru"):  # torch does not, and the forms of earlier exports stay in force
        getattr(torch.ops.aten, name).input._dispatch_cache.clear()
    # torch's own exporter fixes the number of steps of its LSTM, unless it is told to write a loop.
    with register_lstm_while_loop_decomposition(), register_gru_while_loop_decomposition():
        program = torch.export.export(model, (batch,), dynamic_shapes=shapes).module()
    for name in ("lstm", "gru"):
        getattr(torch.ops.aten, name).input._dispatch_cache.clear()
    for rows, steps in ((4, 6), (2, 3), (1, 9)):
        part = torch.rand(rows, steps, 4)
        close(program(part), model(part))


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
