"""`plot_model` and `model_to_dot`: boxes, arrows, every argument, and what is written without graphviz."""

import re
import stat
import sys

import keras
import pytest
import torch

import torchkeras_lite
from torchkeras_lite import layers
from torchkeras_lite.utils import model_plot, model_to_dot, plot_model


def branched(k):
    left, right = k.Input((4,), name="left"), k.Input((6,), name="right")
    inner = k.Sequential(
        [k.Input((3,)), k.layers.Dense(5, name="in"), k.layers.Dense(2, name="out")], name="inner"
    )
    hidden = inner(k.layers.Dense(3, activation="relu", name="hidden")(left))
    other = k.layers.Dense(3, name="other", trainable=False)(right)
    joined = k.layers.Concatenate(name="joined")([hidden, other])
    return k.Model([left, right], k.layers.Dense(1, name="last")(joined), name="whole")


def chain(k):
    return k.Sequential(
        [k.Input((4,)), k.layers.Dense(3, name="a"), k.layers.Dense(2, name="b")], name="chain"
    )


def shared(k):
    layer = k.layers.Dense(4, name="shared")
    inputs = k.Input((4,), name="inputs")
    return k.Model(inputs, layer(layer(inputs)), name="twice")


BOX = re.compile(r"^\s*(n\d+) \[label=<(.*)>\];$", re.M)
EDGE = re.compile(r"^\s*(n\d+) -> (n\d+);$", re.M)


def plain(text):
    """The texts of boxes by key, and the arrows as pairs of texts, of DOT text."""
    boxes = {key: re.sub(r"<[^>]+>", "|", label) for key, label in BOX.findall(text)}
    titles = {key: next(part for part in label.split("|") if part) for key, label in boxes.items()}
    return boxes, {(titles[a], titles[b]) for a, b in EDGE.findall(text)}


@pytest.fixture(autouse=True)
def without_pydot(monkeypatch):
    original = model_plot.importlib.util.find_spec
    hidden = ("pydot", "IPython")
    monkeypatch.setattr(
        model_plot.importlib.util, "find_spec", lambda name: None if name in hidden else original(name)
    )


def test_arrows_of_a_branched_model():
    boxes, edges = plain(model_to_dot(branched(torchkeras_lite)).to_string())
    assert len(boxes) == 7
    assert edges == {
        ("left (InputLayer)", "hidden (Dense)"),
        ("hidden (Dense)", "inner (Sequential)"),
        ("right (InputLayer)", "other (Dense)"),
        ("inner (Sequential)", "joined (Concatenate)"),
        ("other (Dense)", "joined (Concatenate)"),
        ("joined (Concatenate)", "last (Dense)"),
    }


def test_models_inside_are_drawn_in_a_frame():
    text = model_to_dot(branched(torchkeras_lite), expand_nested=True).to_string()
    boxes, edges = plain(text)
    assert len(boxes) == 8
    assert "subgraph cluster_inner {" in text
    inside = text[text.index("cluster_inner") :]
    assert "in (Dense)" in inside[: inside.index("}")]
    assert {("hidden (Dense)", "in (Dense)"), ("in (Dense)", "out (Dense)")} < edges
    assert ("out (Dense)", "joined (Concatenate)") in edges


def test_a_chain_and_a_shared_layer():
    assert plain(model_to_dot(chain(torchkeras_lite)).to_string())[1] == {("a (Dense)", "b (Dense)")}
    boxes, edges = plain(model_to_dot(shared(torchkeras_lite)).to_string())
    assert len(boxes) == 2
    assert edges == {("inputs (InputLayer)", "shared (Dense)"), ("shared (Dense)", "shared (Dense)")}


def test_functions_and_plain_modules_have_boxes():
    inputs = torchkeras_lite.Input((4,), name="inputs")
    outputs = torch.relu(torch.nn.Linear(4, 3)(inputs))
    _, edges = plain(model_to_dot(torchkeras_lite.Model(inputs, outputs)).to_string())
    assert edges == {("inputs (InputLayer)", "linear (Linear)"), ("linear (Linear)", "relu (function)")}


FACTS = {
    "show_shapes": ["Input shape: |(None, 4)", "Output shape: |(None, 3)"],
    "show_dtype": ["Output dtype: |float32"],
    "show_layer_activations": ["Activation: |relu"],
    "show_trainable": ["Trainable"],
}


@pytest.mark.parametrize("argument", FACTS)
def test_what_boxes_tell(argument):
    model = branched(torchkeras_lite)
    silent, _ = plain(model_to_dot(model).to_string())
    telling, _ = plain(model_to_dot(model, **{argument: True}).to_string())
    (hidden,) = [text for text in telling.values() if "hidden (Dense)" in text]
    for fact in FACTS[argument]:
        assert fact in hidden
        assert not any(fact in text for text in silent.values())
    if argument == "show_trainable":
        (other,) = [text for text in telling.values() if "other (Dense)" in text]
        assert "Non-trainable" in other


def test_layout_arguments():
    model = chain(torchkeras_lite)
    text = model_to_dot(model, rankdir="LR", dpi=70, splines="curved", show_layer_names=False).to_string()
    assert {"rankdir=LR;", "dpi=70;", "splines=curved;"} < set(map(str.strip, text.splitlines()))
    boxes, _ = plain(text)
    assert all("Dense" in box and "(" not in box for box in boxes.values())
    text = model_to_dot(branched(torchkeras_lite), layer_range=["hidden", "joined"]).to_string()
    assert "last" not in text
    assert "joined" in text
    assert model_to_dot(model).to_string(subgraph=True).startswith("subgraph cluster_chain {")


def test_mermaid():
    text = model_to_dot(branched(torchkeras_lite), expand_nested=True, show_shapes=True).to_mermaid()
    assert text.startswith("flowchart TB\n")
    assert '["hidden (Dense)<br/>Input shape: (None, 4)<br/>Output shape: (None, 3)"]' in text
    assert 'subgraph inner["inner"]' in text
    assert text.count("-->") == 7


@pytest.mark.parametrize("suffix", [".dot", ".gv", ".mmd", ".md"])
def test_texts_are_written_as_they_are(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    plot_model(chain(torchkeras_lite), path)
    begin = {".mmd": "flowchart TB", ".md": "```mermaid\nflowchart TB"}.get(suffix, "digraph G {")
    assert path.read_text().startswith(begin)


def test_without_graphviz_a_diagram_is_written_beside(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(model_plot.shutil, "which", lambda name: None)
    drawing = plot_model(chain(torchkeras_lite), tmp_path / "model.png")
    assert not (tmp_path / "model.png").exists()
    assert (tmp_path / "model.mmd").read_text() == drawing.to_mermaid()
    assert "graphviz is not installed" in capsys.readouterr().out
    assert drawing._repr_markdown_().startswith("```mermaid\n")


def fake_dot(tmp_path, monkeypatch, code):
    program = tmp_path / "dot"
    program.write_text(f"#!{sys.executable}\nimport sys\n{code}\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setattr(model_plot.shutil, "which", lambda name: str(program))


def test_graphviz_gets_the_text_and_the_format(tmp_path, monkeypatch):
    code = "open(sys.argv[3], 'w').write(sys.argv[1] + sys.stdin.read())"
    fake_dot(tmp_path, monkeypatch, code)
    assert plot_model(chain(torchkeras_lite), tmp_path / "model.svg", show_layer_names=True) is None
    written = (tmp_path / "model.svg").read_text()
    assert written == "-Tsvg" + model_to_dot(chain(torchkeras_lite)).to_string()


def test_what_graphviz_complains_about_is_told(tmp_path, monkeypatch):
    fake_dot(tmp_path, monkeypatch, "sys.exit('Format: xyz not recognized')")
    with pytest.raises(RuntimeError, match=r"could not draw .*model.xyz: Format: xyz not recognized"):
        plot_model(chain(torchkeras_lite), tmp_path / "model.xyz")


@pytest.mark.parametrize("function", ["plot_model", "model_to_dot"])
def test_signatures_are_keras_s(function):
    import inspect

    ours = inspect.signature(getattr(torchkeras_lite.utils, function)).parameters
    theirs = inspect.signature(getattr(keras.utils, function)).parameters
    assert {name: p.default for name, p in ours.items()} == {name: p.default for name, p in theirs.items()}


def test_wrong_calls_are_told():
    model = chain(torchkeras_lite)
    with pytest.raises(ValueError, match="`rankdir` must be one of 'TB', 'BT', 'LR', 'RL'"):
        model_to_dot(model, rankdir="down")
    with pytest.raises(
        TypeError, match="unrecognized keyword argument `layer_rang`; did you mean 'layer_range'"
    ):
        plot_model(model, layer_rang=["a", "b"])
    with pytest.raises(ValueError, match="not yet been built"):
        plot_model(torchkeras_lite.Sequential([layers.Dense(2)]))
