"""`export`: files that other programs run, with the numbers of the model."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import torchkeras_lite as keras
from pytorch.citizens import BATCHES, MAKERS
from torchkeras_lite import Input, Model, Sequential, layers
from torchkeras_lite.export import ExportArchive, formats


def run_onnx(path, *batches):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return session.run(None, dict(zip(names, batches, strict=True)))


@pytest.mark.parametrize("kind", list(MAKERS))
@pytest.mark.parametrize("ending", [".onnx", ".pt2"])
def test_files_compute_what_the_model_does(kind, ending, tmp_path):
    model, batch = MAKERS[kind](), BATCHES[kind]
    path = str(tmp_path / f"model{ending}")
    model.train()
    model.export(path, verify=True)
    assert model.training
    for rows in (1, 3):
        expected = model.eval()(batch[:rows]).detach()
        if ending == ".onnx":
            (outputs,) = run_onnx(path, batch[:rows].numpy())
        else:
            outputs = torch.export.load(path).module()(batch[:rows])
        torch.testing.assert_close(torch.as_tensor(outputs), expected, rtol=1e-4, atol=1e-5)


def several_inputs():
    x, y = Input((4,), name="x"), Input((None, 3), name="y")
    return Model({"x": x, "y": y}, {"sum": layers.Dense(3)(x) + y.mean(1), "last": y[:, -1]})


def attention():
    tokens = Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(10, 8)(tokens)
    return Model(tokens, layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True))


def masked():
    tokens = Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(10, 4, mask_zero=True)(tokens)
    return Model(tokens, layers.Bidirectional(layers.LSTM(3))(x))


@pytest.mark.parametrize("make", [several_inputs, attention, masked], ids=lambda make: make.__name__)
@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_unknown_axes_may_have_any_size(make, format, tmp_path):
    make().export(tmp_path / f"model{formats.FORMATS[format]}", format=format, verify=True)


class Stacked(nn.Module):
    """torch's own recurrent modules, in two layers, two directions, steps first."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 3, num_layers=2, bidirectional=True)
        self.gru = nn.GRU(6, 3, bias=False, batch_first=True)
        self.rnn = nn.RNN(3, 2, nonlinearity="relu")

    def forward(self, x):
        x, (h, c) = self.lstm(x.transpose(0, 1))
        x, last = self.gru(x.transpose(0, 1))
        return self.rnn(x.transpose(0, 1))[0], h, c, last


def test_recurrent_modules_become_operators_of_onnx(tmp_path):
    path = str(tmp_path / "model.onnx")
    signature = [keras.InputSpec(shape=(None, None, 4))]
    Model.from_module(Stacked().eval()).export(path, input_signature=signature, verify=True)
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert [operators.count(name) for name in ("LSTM", "GRU", "RNN", "Loop")] == [4, 1, 1, 0]


@pytest.mark.parametrize("kind", ["Average", "Max"])
@pytest.mark.parametrize("sizes", [(7,), (7, 5), (4, 5, 6)], ids=["1", "2", "3"])
def test_adaptive_pooling_to_onnx(kind, sizes, tmp_path):
    layer = getattr(layers, f"Adaptive{kind}Pooling{len(sizes)}D")
    model = Sequential([Input((*sizes, 2)), layer(3)])
    model.export(tmp_path / "model.onnx", verify=True)


def test_an_operator_that_onnx_lacks_is_named(tmp_path):
    inputs = Input((4,))
    model = Model(inputs, torch.special.bessel_j0(inputs))
    with pytest.raises(ValueError, match=r"operator \w+\.bessel_j0, for which .* format='torch'"):
        model.export(tmp_path / "model.onnx")
    model.export(tmp_path / "model.pt2", verify=True)


def test_onnx_names_inputs_and_dynamic_axes(tmp_path):
    path = str(tmp_path / "model.onnx")
    several_inputs().export(path)
    graph = onnx.load(path).graph
    assert [one.name for one in graph.input] == ["x", "y"]
    sizes = [[d.dim_param or d.dim_value for d in one.type.tensor_type.shape.dim] for one in graph.input]
    assert sizes[0] == ["batch", 4]
    assert sizes[1][0] == "batch"
    assert sizes[1][2] == 3


def test_a_fixed_batch(tmp_path):
    path = str(tmp_path / "model.onnx")
    MAKERS["mlp"]().export(path, dynamic=False, opset_version=20)
    found = onnx.load(path)
    assert [d.dim_value for d in found.graph.input[0].type.tensor_type.shape.dim] == [2, 4]
    assert found.opset_import[0].version == 20


def test_a_signature_for_a_model_without_a_graph(tmp_path):
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, inputs):
            return self.dense(inputs).relu()

    model = Net()
    model(torch.ones(1, 3))
    model.export(tmp_path / "own.pt2", verify=True)
    model.export(tmp_path / "given.pt2", input_signature=[keras.InputSpec(shape=(None, 3))], verify=True)
    model.export(tmp_path / "tensor.pt2", input_signature=[np.ones((5, 3), "float32")], verify=True)
    with pytest.raises(ValueError, match="input_signature: expected tensors"):
        model.export(tmp_path / "x.pt2", input_signature=["x"])


def test_aot_inductor(tmp_path):
    model = Sequential([Input((4,)), layers.Dense(3, activation="relu")])
    model.export(tmp_path / "model.pt2", format="aot_inductor", verify=True)
    run = torch._inductor.aoti_load_package(str(tmp_path / "model.pt2"))
    torch.testing.assert_close(run(torch.ones(7, 4)), model(torch.ones(7, 4)))


def test_verify_notices_a_difference(tmp_path, monkeypatch):
    model = MAKERS["mlp"]()
    monkeypatch.setattr(formats, "_run_program", lambda path: lambda inputs: torch.zeros(len(inputs), 3))
    with pytest.raises(ValueError, match=r"does not compute what Sequential .* does: output 0 differs by"):
        model.export(tmp_path / "model.pt2", verify=True)


def test_verbose(tmp_path, capsys):
    MAKERS["mlp"]().export(tmp_path / "model.pt2", verbose=True)
    assert "model.pt2' (torch)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "format", "message"),
    [
        (
            "model",
            "tf_saved_model",
            "not written here. TensorFlow writes SavedModels: export to format='onnx'",
        ),
        ("model.tflite", "litert", "convert the .pt2 file with the package litert-torch"),
        ("model.xml", "openvino", "OpenVINO reads ONNX"),
        ("model.onnx", "onxx", "did you mean 'onnx'"),
        ("model.pt", "torch", "needs a path that ends with .pt2"),
        ("model.bin", None, "ends in none of"),
    ],
    ids=["tf_saved_model", "litert", "openvino", "unknown", "ending", "no format"],
)
def test_wrong_formats(path, format, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        MAKERS["mlp"]().export(tmp_path / path, format=format)


def test_a_loop_over_unknown_steps_names_the_remedy(tmp_path):
    inputs = Input((None, 4))
    model = Model(inputs, layers.SimpleRNN(3)(inputs))  # torch exports loops for LSTM and GRU only
    with pytest.raises(ValueError, match=r"the size of an axis that is unknown.*dynamic=False"):
        model.export(tmp_path / "model.pt2")
    model.export(tmp_path / "model.pt2", dynamic=False, verify=True)


def test_archive(tmp_path):
    model, batch = MAKERS["mlp"](), BATCHES["mlp"]
    archive = ExportArchive()
    archive.add_endpoint("serve", model)
    signature = [keras.InputSpec(shape=(None, 4))]
    archive.track(model)
    archive.add_endpoint("probabilities", lambda x: torch.softmax(model(x), -1), signature)
    archive.write_out(tmp_path / "served", verbose=False)
    model.eval()
    for name, expected in (("serve", model(batch)), ("probabilities", torch.softmax(model(batch), -1))):
        again = torch.export.load(tmp_path / "served" / f"{name}.pt2").module()
        torch.testing.assert_close(again(batch[:3]), expected[:3])
        torch.testing.assert_close(archive.endpoint(name)(batch), expected)


def test_wrong_calls_of_an_archive(tmp_path):
    with pytest.raises(ValueError, match=r"format='saved_model' is not written here.*onnx"):
        ExportArchive(format="saved_model")
    archive = ExportArchive()
    with pytest.raises(ValueError, match="no endpoint to write"):
        archive.write_out(tmp_path)
    with pytest.raises(ValueError, match="is a function; pass its `input_signature`"):
        archive.add_endpoint("serve", lambda x: x)
    with pytest.raises(ValueError, match="is not built"):
        archive.track(Sequential([layers.Dense(2)]))
    archive.track_and_add_endpoint("serve", MAKERS["mlp"]())
    with pytest.raises(ValueError, match="exists already"):
        archive.add_endpoint("serve", MAKERS["mlp"]())
    with pytest.raises(ValueError, match="did you mean 'serve'"):
        archive.endpoint("server")
