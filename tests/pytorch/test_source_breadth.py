"""`to_torch` over every form of graph, every layer and architectures; files that run without this package."""

import subprocess
import sys

import pytest
import torch

from cases import CASES
from models.test_topologies import MADE, OURS
from pytorch.source_models import MAKERS
from torchkeras_lite import Input, Model, applications, layers
from torchkeras_lite.base import nested

# What they draw or look at is not written, and the message says so.
NOT_WRITTEN = {"AugMix", "CutMix", "MixUp", "RandAugment"}
ONE_A_LAYER = list({case.name: case for case in reversed(CASES) if case.name not in NOT_WRITTEN}.values())
REFUSED = list({case.name: case for case in CASES if case.name in NOT_WRITTEN}.values())
ARCHITECTURES = ["MobileNetV2", "ResNet50"]


def assert_written(model, batch):
    """Compare a model with the module that it is written as; return that."""
    net = model.eval().to_torch()
    assert not [one for one in net.modules() if type(one).__module__.startswith("torchkeras_lite")]
    torch.testing.assert_close(
        net(*nested.flatten(batch)), model(batch), rtol=1e-3, atol=1e-4, equal_nan=True
    )
    return net


@pytest.mark.parametrize("make", MADE, ids=lambda f: f.__name__)
def test_every_topology(make):
    model = make(OURS)
    batch = [torch.rand(5, *tensor.shape[1:]) for tensor in model.inputs]
    assert_written(model, nested.pack_like(model.input, batch))


def graph_of(case):
    """Return a model of the layer alone, and inputs."""
    shapes = case.shape if case.shape and isinstance(case.shape[0], tuple) else [case.shape]
    inputs = [Input(shape[1:], dtype="int32" if case.ints else None) for shape in shapes]
    layer = case.make(layers)
    given = inputs if len(inputs) > 1 else inputs[0]
    model = Model(given, layer(*inputs) if case.spread else layer(given))
    torch.manual_seed(0)
    batch = [torch.randint(0, 10, s, dtype=torch.int32) if case.ints else torch.rand(s) for s in shapes]
    return model, batch if len(batch) > 1 else batch[0]


@pytest.mark.parametrize("case", ONE_A_LAYER, ids=lambda case: case.name)
@pytest.mark.filterwarnings("ignore::UserWarning")  # of single layers
def test_every_layer(case):
    assert_written(*graph_of(case))


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_layers_that_look_at_what_they_draw_are_named(case):
    model, _ = graph_of(case)
    with pytest.raises(ValueError, match=rf"cannot be written with torch alone:\n- {case.name} '"):
        model.to_torch()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architectures(name):
    model = getattr(applications, name)(weights=None, classes=5, input_shape=(64, 64, 3))
    net = assert_written(model, torch.rand(2, 64, 64, 3))
    assert set(net.state_dict()) == set(model.state_dict())


BLOCKED = """
import importlib, sys, torch

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torchkeras_lite", "keras", "tensorflow"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
for name in sys.argv[1:]:
    case = torch.load(f"{name}_case.pt")
    found = importlib.import_module(name).load()(*case["batch"])
    torch.testing.assert_close(found, case["expected"], rtol=1e-4, atol=1e-5)
    print(name)
"""


def test_the_files_run_without_this_package(tmp_path):
    for name, make in MAKERS.items():
        model, batch = make()
        model.to_source(tmp_path / f"{name}.py")
        expected = model.eval()(batch if len(batch) > 1 else batch[0])
        torch.save(
            {"batch": batch, "expected": nested.map_structure(torch.Tensor.detach, expected)},
            tmp_path / f"{name}_case.pt",
        )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKED, *MAKERS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, list(MAKERS), "")
