"""`export_model`: a model in a file that runs without this package, or without Python."""

import contextlib
import logging
import os
import re
import warnings

import torch
from torch import nn
from torch.export import Dim, _patches
from torch.utils._pytree import tree_leaves

from torchkeras_lite.base.checks import describe, suggestion
from torchkeras_lite.base.nested import flatten, map_structure
from torchkeras_lite.export.onnx_operators import recurrent_functions_whole, translations
from torchkeras_lite.export.onnx_pooling import adaptive_pooling
from torchkeras_lite.export.signature import example_inputs, symbolic_inputs

__all__ = ["FORMATS", "export_model", "export_program"]

FORMATS = {"onnx": ".onnx", "torch": ".pt2", "aot_inductor": ".pt2"}
REMEDIES = {
    "tf_saved_model": "TensorFlow writes SavedModels: export to format='onnx' and run it in onnxruntime, or "
    "load the .keras file in Keras with TensorFlow",
    "openvino": "OpenVINO reads ONNX: export to format='onnx', and load or convert that with `ovc`",
    "litert": "export with format='torch', and convert the .pt2 file with the package litert-torch",
}
SIZES = ((2, 5), (3, 7))  # of unknown axes: the batch, others; of two runs


def export_model(
    model, filepath, format=None, verbose=None, input_signature=None, verify=False, dynamic=True, **kwargs
):
    """Write the model's inference as a graph of torch's operators.

    Args:
        model: A built model.
        filepath: Path of the file: `.onnx`, or `.pt2`.
        format: `"onnx"`, by torch's exporter (needs the packages onnx and onnxscript); `"torch"`, what
            `torch.export.load` reads; `"aot_inductor"`, compiled for this kind of machine (needs a C++
            compiler), read by `torch._inductor.aoti_load_package` and by C++. `None`: by the ending,
            `"torch"` for `.pt2`.
        verbose: Whether a line is printed when the file is written.
        input_signature: The inputs, nested as the model takes them, as `InputSpec`s, `KerasTensor`s, tensors
            or arrays; of the last two the first axis counts as unknown. `None`: those that the model was made
            or built with.
        verify: Whether to run the file too, on random inputs of two sizes, and compare (ONNX: needs
            onnxruntime).
        dynamic: Whether unknown axes may have any size; otherwise they get that of an example, 2 rows.
        **kwargs: Passed on to `torch.onnx.export` or `torch.export.export`; `opset_version` and
            `dynamic_shapes` among them.

    Raises:
        ValueError: a format that is not written here (the text says what to do); a path with another ending;
            results that differ, with `verify`.
        ImportError: a package is missing.

    Source: Keras 3 `Model.export`. Differs: formats by torch's own exporters; `verify`, `dynamic` and
    `"aot_inductor"` are ours.
    """
    path = os.fspath(filepath)
    kind = _format(path, format)
    structure, _ = symbolic_inputs(model, input_signature)
    if kind == "onnx":
        _export_onnx(model, path, structure, dynamic, kwargs)
    else:
        program = export_program(model, structure, dynamic, **kwargs)
        if kind == "torch":
            with _quiet():
                torch.export.save(program, path)
        else:
            with _quiet():
                torch._inductor.aoti_compile_and_package(program, package_path=path)
    if verify:
        _verify(model, path, kind, structure, dynamic)
    if verbose:
        print(f"Saved {describe(model)} at '{path}' ({kind}).")


def _format(path, given):
    ending = os.path.splitext(path)[1]
    if given is None:
        found = next((kind for kind, its in FORMATS.items() if its == ending), None)
        if found is None:
            raise ValueError(
                f"export: the path {path!r} ends in none of {sorted(set(FORMATS.values()))}. Name the file "
                "so, or pass `format`."
            )
        return found
    if given in REMEDIES:
        raise ValueError(f"export: format={given!r} is not written here. {REMEDIES[given]}.")
    if given not in FORMATS:
        raise ValueError(
            f"export: Unrecognized format={given!r}{suggestion(given, FORMATS)} Known: {', '.join(FORMATS)}."
        )
    if ending != FORMATS[given]:
        raise ValueError(
            f"export: format={given!r} needs a path that ends with {FORMATS[given]}, got {path!r}."
        )
    return given


def export_program(model, structure, dynamic=True, **kwargs):
    """Return the `torch.export.ExportedProgram` of a model in inference mode.

    Args:
        model: A built model.
        structure: Its inputs, nested `KerasTensor`s.
        dynamic: Whether unknown axes may have any size.
        **kwargs: Passed on to `torch.export.export`.
    """
    with _loops_for_recurrent_layers(model, structure, dynamic):
        return _export(model, structure, dynamic, kwargs)


class _Call(nn.Module):
    """A model whose attributes hide modules of these names, under a name of its own."""

    def __init__(self, model):
        super().__init__()
        self.module = model.torch_module
        self.__dict__["model"] = model

    def forward(self, inputs):
        return self.model(inputs)


def _exported(model):
    """Return the model, or a module around it where torch would not find its modules by their names."""
    hidden = (key for key, module in model._modules.items() if getattr(model, key) is not module)
    return _Call(model) if hasattr(model, "torch_module") and next(hidden, None) else model


def _export(model, structure, dynamic, kwargs):
    inputs = example_inputs(structure, *SIZES[0], _device(model))
    if dynamic:
        kwargs.setdefault("dynamic_shapes", (_dynamic_shapes(structure),))
    try:
        with _inference(model), _quiet():
            return torch.export.export(_exported(model), (inputs,), **kwargs)
    except Exception as error:
        fixed = isinstance(error, torch._dynamo.exc.UserError) and "Constraints violated" in str(error)
        if not fixed:
            raise
        raise ValueError(
            f"export: {describe(model)} computes with the size of an axis that is unknown, and torch fixed "
            "it while exporting. Make the model with that size, Input(shape) without None, or pass "
            f"dynamic=False. torch says: {str(error).partition('.')[0]}."
        ) from error


@contextlib.contextmanager
def _quiet():
    """Keep what torch's exporters tell their developers from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _loops_for_recurrent_layers(model, structure, dynamic):
    """Let recurrent modules be exported as loops where the number of steps is unknown.

    Without that torch fixes the number of steps. The loops are slower, so they are left out elsewhere.
    """
    unknown = any(None in tensor.spec.shape[1:] for tensor in flatten(structure))
    recurrent = any(isinstance(one, nn.RNNBase) for one in model.modules())
    stack = contextlib.ExitStack()
    if dynamic and unknown and recurrent:
        for name in ("lstm", "gru"):
            loop = getattr(_patches, f"register_{name}_while_loop_decomposition", None)
            if loop is not None:  # newer than the oldest torch that is supported
                cache = getattr(torch.ops.aten, name).input._dispatch_cache
                cache.clear()  # torch does not, and an earlier export without loops stays in force
                stack.callback(cache.clear)
                stack.enter_context(loop())
    return stack


def _dynamic_shapes(structure):
    """Return the unknown axes of every input; they are the batch together, and each by itself elsewhere."""
    batch = Dim("batch")

    def axes(tensor):
        unknown = [axis for axis, size in enumerate(tensor.spec.shape) if size is None]
        return {axis: batch if axis == 0 else Dim.DYNAMIC for axis in unknown}

    return map_structure(axes, structure)


def _names_of_axes(structure):
    """Return the names that unknown axes have in an ONNX file: `batch`, `tokens_1`."""

    def names(tensor):
        unknown = [axis for axis, size in enumerate(tensor.spec.shape) if size is None]
        return {axis: "batch" if axis == 0 else f"{tensor.name}_{axis}" for axis in unknown}

    return map_structure(names, structure)


def _device(model):
    tensor = next((t for t in (*model.parameters(), *model.buffers())), None)
    return torch.device("cpu") if tensor is None else tensor.device


@contextlib.contextmanager
def _inference(model):
    """Put a model in inference mode, and back."""
    kept = [(one, one.training) for one in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for one, mode in kept:
            one.training = mode


def _export_onnx(model, path, structure, dynamic, kwargs):
    try:
        import onnx  # noqa: F401  an extra
        from onnxscript import opset18
    except ImportError:
        raise ImportError('export: ONNX needs two packages: pip install "torchkeras_lite[onnx]"') from None
    options = {key: kwargs.pop(key) for key in ("dynamic_shapes", "strict") if key in kwargs}
    settings = {
        "input_names": [tensor.name for tensor in tree_leaves(structure)],
        "custom_translation_table": {**translations(opset18), **kwargs.pop("custom_translation_table", {})},
        "dynamo": True,
        "verbose": False,
        **({"dynamic_shapes": (_names_of_axes(structure),)} if dynamic else {}),
        **kwargs,
    }
    with recurrent_functions_whole() as table, _quiet():
        program = _export(model, structure, dynamic, options)
        program = program.run_decompositions(table | adaptive_pooling())
        try:
            program = torch.onnx.export(program, **settings)
        except torch.onnx.OnnxExporterError as error:
            missing = re.search(r"No ONNX function found for <OpOverload\(op='([\w.]+)'", _causes(error))
            if missing is None:
                raise
            raise ValueError(
                f"export: {describe(model)} uses the torch operator {missing[1]}, for which torch's exporter "
                "has no ONNX. Pass `custom_translation_table`, which torch.onnx.export describes, export "
                "with format='torch', or replace the layer that uses it."
            ) from error
    program.save(path)


def _causes(error):
    """Return the texts of an error and of those that it was raised from."""
    texts = []
    while error is not None:
        texts.append(str(error))
        error = error.__cause__
    return "\n".join(texts)


def _verify(model, path, kind, structure, dynamic):
    """Compare what the file computes with what the model does.

    Raises:
        ValueError: they differ.
    """
    run = {"onnx": _run_onnx, "torch": _run_program, "aot_inductor": _run_package}[kind](path)
    for sizes in SIZES if dynamic else SIZES[:1]:
        inputs = example_inputs(structure, *sizes, _device(model))
        with _inference(model), _quiet(), torch.no_grad():
            expected = tree_leaves(model(inputs))  # in torch's order of keys, as the files have it
            found = tree_leaves(run(inputs))
        for number, (mine, his) in enumerate(zip(expected, found, strict=True)):
            mine, his = mine.cpu(), torch.as_tensor(his).cpu()
            if not torch.allclose(mine, his, rtol=1e-3, atol=1e-4):
                raise ValueError(
                    f"export: the file {path!r} does not compute what {describe(model)} does: output "
                    f"{number} differs by {(mine - his).abs().max():.2g} on inputs of shapes "
                    f"{[tuple(one.shape) for one in flatten(inputs)]}. Keep the model as it is, and report "
                    "this with the layers it has."
                )


def _run_onnx(path):
    try:
        import onnxruntime  # an extra
    except ImportError:
        raise ImportError(
            'export: verify=True needs onnxruntime: pip install "torchkeras_lite[onnx]"'
        ) from None
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def run(inputs):
        arrays = [one.cpu().numpy() for one in tree_leaves(inputs)]
        return session.run(None, dict(zip(names, arrays, strict=True)))

    return run


def _run_program(path):
    return torch.export.load(path).module()


def _run_package(path):
    return torch._inductor.aoti_load_package(path)
