"""safetensors, `torch.save`, and checkpoints of other PyTorch models."""

import builtins
import os
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import torchkeras_lite as keras
from torchkeras_lite import layers

safetensors = pytest.importorskip("safetensors.torch")


def model_of(seed=1):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(2, name="head"),
        ]
    )


KEYS = [
    "conv.conv.weight",
    "conv.conv.bias",
    "norm.batch_norm.weight",
    "norm.batch_norm.bias",
    "norm.batch_norm.running_mean",
    "norm.batch_norm.running_var",
    "norm.batch_norm.num_batches_tracked",
    "head.linear.weight",
    "head.linear.bias",
]


def assert_equal(first, second):
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("ending", ["safetensors", "pt", "pth"])
def test_weights_go_through_torchs_files(ending, tmp_path):
    path = tmp_path / f"weights.{ending}"
    model, other = model_of(1), model_of(2)
    model.save_weights(path)
    other.load_weights(path)
    assert_equal(model, other)
    read = safetensors.load_file if ending == "safetensors" else torch.load
    stored = read(path)
    assert sorted(stored) == sorted(KEYS)  # the names that others rely on
    assert stored["conv.conv.weight"].shape == (4, 3, 3, 3)


def test_a_whole_model_goes_through_safetensors(tmp_path, rng):
    model = model_of()
    model.compile("adam", "mse", metrics=["mae"])
    model.save(tmp_path / "m.safetensors")
    again = keras.saving.load_model(tmp_path / "m.safetensors")
    assert_equal(model, again)
    assert again.compiled
    assert not keras.saving.load_model(tmp_path / "m.safetensors", compile=False).compiled
    x = rng.normal(size=(2, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6)
    model.save_weights(tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=r"weights without a config.*load_torch_weights"):
        keras.saving.load_model(tmp_path / "w.safetensors")


def test_shared_tensors_are_stored_once(tmp_path):
    def tied(seed):
        keras.utils.set_random_seed(seed)
        i = keras.Input((3,))
        shared = layers.Dense(3, name="shared")
        return keras.Model(
            i, layers.Add()([shared(i), layers.TimeDistributed(shared)(layers.Reshape((1, 3))(i))])
        )

    model, other = tied(1), tied(2)
    model.save_weights(tmp_path / "w.safetensors")
    assert len(safetensors.load_file(tmp_path / "w.safetensors")) == 2
    other.load_weights(tmp_path / "w.safetensors")
    assert_equal(model, other)


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_what_does_not_fit_is_listed_and_nothing_changes(ending, tmp_path):
    path = tmp_path / f"w.{ending}"
    model_of().save_weights(path)
    other = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(5, 3, name="conv"), layers.Dense(1, name="new")]
    )
    before = other.get_weights()
    with pytest.raises(
        ValueError, match=r"'conv.conv.weight'.*\(5, 3, 3, 3\).*\(4, 3, 3, 3\).*Missing: new.*norm"
    ):
        other.load_weights(path)
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.warns(UserWarning, match="left as they are"):
        other.load_weights(path, skip_mismatch=True)


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
@pytest.mark.parametrize("cut", [10, -30])
def test_cut_files_raise(ending, cut, tmp_path):
    path = tmp_path / f"w.{ending}"
    model = model_of()
    model.save_weights(path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"w.*cannot be read"):
        model.load_weights(path)


def test_flipped_bits_in_a_file_of_torch_raise(tmp_path):
    path = tmp_path / "w.pt"
    model = model_of()
    model.save_weights(path)
    content = bytearray(path.read_bytes())
    place = content.find(model.layers[0].conv.weight.detach().numpy().tobytes()[:16])
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="checksum"):
        model.load_weights(path)


class Harmful:
    """Would make a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_pickles_are_not_run(tmp_path):
    victim = str(tmp_path / "made")
    torch.save({"conv.conv.weight": Harmful(victim)}, tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(Harmful(victim), protocol=2))
    for name in ("a.pt", "b.pt"):
        with pytest.raises(ValueError, match=r"refused|cannot be read"):
            model_of().load_weights(tmp_path / name)
        with pytest.raises(ValueError, match=r"refused|cannot be read"):
            model_of().load_torch_weights(tmp_path / name)
    assert not os.path.exists(victim)


def test_the_install_line_is_told(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("safetensors"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="pip install safetensors"):
        model_of().save_weights(tmp_path / "w.safetensors")


class Net(nn.Module):
    """A torch model with the layers of `model_of`, under other names."""

    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4, eps=1e-3)
        self.classifier = nn.Linear(4, 2)
        nn.init.normal_(self.bn.running_mean)
        nn.init.uniform_(self.bn.running_var)

    def forward(self, x):
        """Compute the outputs."""
        return self.classifier(self.bn(self.features(x)).mean((2, 3)))


def assert_same_outputs(model, net, rng):
    x = rng.normal(size=(2, 8, 8, 3)).astype("float32")
    with torch.no_grad():
        expected = net.eval()(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)


def _saved(net, path):
    torch.save({"state_dict": net.state_dict(), "epoch": 3}, path)
    return path


SOURCES = {
    "module": lambda net, path: net,
    "state dict": lambda net, path: net.state_dict(),
    "wrapped": lambda net, path: {
        f"module._orig_mod.{key}": value for key, value in net.state_dict().items()
    },
    "checkpoint": lambda net, path: _saved(net, path / "c.pt"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_foreign_checkpoint_fits_by_order_and_shape(source, tmp_path, rng, capsys):
    model, net = model_of(), Net()
    text = model.load_torch_weights(SOURCES[source](net, tmp_path))
    assert capsys.readouterr().out.strip() == text
    assert "8 weights matched" in text
    assert "features.weight -> conv.conv.weight (4, 3, 3, 3)" in text
    assert_same_outputs(model, net, rng)


def test_names_come_before_the_order(rng):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="a"), layers.Dense(4, name="b")])
    a, b = torch.randn(4, 4), torch.randn(4, 4)
    zeros = torch.zeros(4)
    model.load_torch_weights({"b.weight": b, "b.bias": zeros, "a.linear.weight": a, "a.bias": zeros})
    torch.testing.assert_close(model.layers[0].linear.weight.detach(), a)
    torch.testing.assert_close(model.layers[1].linear.weight.detach(), b)


def test_matrices_the_other_way_round_are_transposed(capsys):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(5, name="d")])
    weight = torch.randn(3, 5)
    model.load_torch_weights({"d.weight": weight, "d.bias": torch.ones(5)})
    torch.testing.assert_close(model.layers[0].linear.weight.detach(), weight.t())
    assert "d.weight -> d.linear.weight (5, 3) (transposed)" in capsys.readouterr().out


def test_mapping_by_modules_and_by_function(rng):
    model, net = model_of(), Net()
    net.extra = nn.Linear(9, 9)
    model.load_torch_weights(
        net, {"features": "conv", "bn": "norm", "classifier.weight": "head.kernel", "extra": None}
    )
    torch.testing.assert_close(model.layers[0].conv.weight.detach(), net.features.weight.detach())
    names = {"features": "conv", "bn": "norm", "classifier": "head"}
    other = model_of(5)
    other.load_torch_weights(
        net, lambda name: f"{names[m]}.{name.split('.')[1]}" if (m := name.split(".")[0]) in names else None
    )
    assert_same_outputs(other, net, rng)


def test_what_is_ambiguous_or_unknown_is_refused():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, name="a"), layers.Dense(4, name="b"), layers.Dense(2, name="c")]
    )
    before = model.get_weights()
    head = {"x.weight": torch.ones(2, 4), "x.bias": torch.ones(2)}
    two = {
        f"{name}.{leaf}": torch.ones(4, 4) if leaf == "weight" else torch.ones(4)
        for name in "yz"
        for leaf in ("weight", "bias")
    }
    with pytest.raises(ValueError, match=r"ambiguous.*\['a', 'b'\]|ambiguous.*a.linear.*b.linear"):
        model.load_torch_weights({**head, **two})
    with pytest.raises(ValueError, match="Nothing in the checkpoint fits"):
        model.load_torch_weights({"q": torch.ones(7, 7)})
    with pytest.raises(
        ValueError, match=r"'y.weight' to 'aa.weight', which the model does not have; did you mean"
    ):
        model.load_torch_weights(two, {"y": "aa"})
    with pytest.raises(ValueError, match=r"names that the checkpoint does not have: \['w'\]"):
        model.load_torch_weights(two, {"w": "a"})
    with pytest.raises(
        ValueError, match=r"'x.weight' of shape \(2, 4\) to 'a.linear.weight' of shape \(4, 4\)"
    ):
        model.load_torch_weights(head, {"x": "a"})
    with pytest.raises(TypeError, match="state dict, a path of a file or a torch module"):
        model.load_torch_weights(3)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_recurrent_modules_with_two_biases(kind, rng):
    theirs = getattr(nn, {"SimpleRNN": "RNN"}.get(kind, kind))(3, 4, batch_first=True)
    model = keras.Sequential([keras.Input((5, 3)), getattr(layers, kind)(4, return_sequences=True, name="r")])
    model.load_torch_weights(theirs)
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x))[0].numpy()
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)
    back = type(theirs)(3, 4, batch_first=True)
    model.export_torch_weights(back)
    with torch.no_grad():
        np.testing.assert_allclose(back(torch.from_numpy(x))[0].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_weights_go_back_into_a_torch_module(rng):
    model, net = model_of(), Net()
    model.layers[1].set_weights([np.abs(rng.normal(size=4)) + 0.1 for _ in range(4)])
    state = model.export_torch_weights(net)
    assert list(state) == list(net.state_dict())
    assert_same_outputs(model, net, rng)
