"""`plot_model`: a picture of a model, drawn by graphviz where it is there, as text where it is not."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.callbacks.extras import extra
from torchkeras_lite.callbacks.progress import announce
from torchkeras_lite.utils.model_drawing import DrawingOptions, draw

TEXT_SUFFIXES = (".dot", ".gv", ".mmd", ".md")


def model_to_dot(
    model,
    show_shapes=False,
    show_dtype=False,
    show_layer_names=True,
    rankdir="TB",
    expand_nested=False,
    dpi=200,
    subgraph=False,
    show_layer_activations=False,
    show_trainable=False,
    splines="ortho",
    **kwargs,
):
    """Return the graph of a model in graphviz's language, DOT.

    Args:
        model: A built model.
        show_shapes: Whether boxes tell the shapes of inputs and outputs.
        show_dtype: Whether boxes tell the dtype of outputs.
        show_layer_names: Whether boxes tell the names of layers beside their classes.
        rankdir: `"TB"`, `"BT"`, `"LR"` or `"RL"`: from top to bottom, from left to right and so on.
        expand_nested: Whether the layers of models inside are drawn, each model in a frame.
        dpi: Resolution of the picture.
        subgraph: Whether to return a cluster to put into another graph.
        show_layer_activations: Whether boxes tell the activation of layers that have one.
        show_trainable: Whether boxes tell if a layer is trained.
        splines: How graphviz draws lines: `"ortho"`, `"curved"`, `"polyline"`, `"spline"`, `"line"`.
        **kwargs: `layer_range`, names (or regular expressions) of the first and the last layer to draw.

    Returns:
        A `pydot.Dot` (or `pydot.Cluster`) where the package pydot is installed; else an object with
        `to_string()`, `to_mermaid()` and `write(path)`. The text is the same.

    Raises:
        ValueError: the model is not built; an unknown `rankdir`.
        TypeError: an unknown argument.

    Source: Keras 3 `keras.utils.model_to_dot`. Differs: works without pydot, and with `layer_range`.
    """
    drawing = draw(
        model,
        DrawingOptions(
            show_shapes=show_shapes,
            show_dtype=show_dtype,
            show_layer_names=show_layer_names,
            rankdir=rankdir,
            expand_nested=expand_nested,
            dpi=dpi,
            show_layer_activations=show_layer_activations,
            show_trainable=show_trainable,
            splines=splines,
            layer_range=_layer_range(kwargs),
        ),
    )
    if importlib.util.find_spec("pydot") is None:
        return drawing
    pydot = extra("pydot", "pydot", "model_to_dot")
    if subgraph:
        (whole,) = pydot.graph_from_dot_data(f"digraph G {{ {drawing.to_string(subgraph=True)} }}")
        return whole.get_subgraphs()[0]
    return pydot.graph_from_dot_data(drawing.to_string())[0]


def _layer_range(kwargs):
    known = ("layer_range",)
    for name in kwargs:
        if name not in known:
            raise TypeError(f"plot_model: unrecognized keyword argument `{name}`{suggestion(name, known)}")
    return kwargs.get("layer_range")


def plot_model(
    model,
    to_file="model.png",
    show_shapes=False,
    show_dtype=False,
    show_layer_names=False,
    rankdir="TB",
    expand_nested=False,
    dpi=200,
    show_layer_activations=False,
    show_trainable=False,
    splines="ortho",
    **kwargs,
):
    """Draw a model into a file.

    Args:
        model: A built model.
        to_file: Path of the picture; its ending says the format (`.png`, `.svg`, `.pdf`, ...). With `.dot`
            the text of graphviz's language is written, with `.mmd` or `.md` a Mermaid diagram, which
            Markdown viewers draw. `None` writes nothing.
        show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi, show_layer_activations,
            show_trainable, splines, **kwargs: As in `model_to_dot`.

    Returns:
        In a notebook the picture. Without graphviz an object with the diagram as text, which notebooks
        show too: a Mermaid diagram is then written beside the place of the picture, as `model.mmd`.

    Raises:
        ValueError: the model is not built; an unknown `rankdir`.
        RuntimeError: graphviz does not know the format or the layout.

    Source: Keras 3 `keras.utils.plot_model`. Differs: needs graphviz's program `dot`, and not pydot; without
    it a text is written instead of an error.
    """
    drawing = draw(
        model,
        DrawingOptions(
            show_shapes=show_shapes,
            show_dtype=show_dtype,
            show_layer_names=show_layer_names,
            rankdir=rankdir,
            expand_nested=expand_nested,
            dpi=dpi,
            show_layer_activations=show_layer_activations,
            show_trainable=show_trainable,
            splines=splines,
            layer_range=_layer_range(kwargs),
        ),
    )
    if to_file is None:
        return drawing
    path = Path(to_file)
    if path.suffix in TEXT_SUFFIXES:
        drawing.write(path)
        return drawing
    path = path if path.suffix else path.with_suffix(".png")
    program = shutil.which("dot")
    if program is None:
        instead = path.with_suffix(".mmd")
        drawing.write(instead)
        announce(
            f"plot_model: graphviz is not installed, so {instead} holds the model as a Mermaid diagram. For "
            "a picture install graphviz: https://graphviz.org/download/"
        )
        return drawing
    return _render(program, drawing, path)


def _render(program, drawing, path):
    kind = path.suffix[1:]
    made = subprocess.run(
        [program, f"-T{kind}", "-o", str(path)],
        input=drawing.to_string().encode(),
        capture_output=True,
        check=False,
    )
    if made.returncode:
        raise RuntimeError(
            f"plot_model: graphviz could not draw {path}: {made.stderr.decode(errors='replace').strip()}. "
            "Try another format, or write the text: to_file='model.dot'."
        )
    if importlib.util.find_spec("IPython") is None or kind == "pdf":
        return None
    display = extra("IPython.display", "ipython", "plot_model")
    return display.SVG(str(path)) if kind == "svg" else display.Image(filename=str(path))
