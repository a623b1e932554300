"""What a model is called with: symbolic inputs, and real ones of the same shapes."""

import torch

from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.dtypes import standardize_dtype
from torchkeras_lite.base.nested import flatten_with_path, map_structure
from torchkeras_lite.engine.keras_tensor import KerasTensor

__all__ = ["example_inputs", "symbolic_inputs"]


def symbolic_inputs(model, input_signature=None):
    """Return the inputs of `model`, nested, as `KerasTensor`s, and a name for each.

    Args:
        model: A built model.
        input_signature: The inputs, nested as the model takes them: `KerasTensor`, `InputSpec`, tensors or
            arrays (their batch size counts as unknown). `None`: those that the model was made or built with.

    Raises:
        ValueError: the model is not built, and nothing is given.
    """
    recording = model.__dict__.get("_recording")
    if input_signature is not None:
        structure = map_structure(_as_symbol, _first(input_signature))
    elif recording is not None:
        structure = recording.inputs
    else:
        structure = _built_with(model)
    names = []
    for path, tensor in flatten_with_path(structure):
        if tensor.dtype == "string":
            raise ValueError(
                f"{describe(model)}: its input '{tensor.name}' is a string, which torch has no tensors of. "
                "Take the layers that read strings out of the model, and run them before it."
            )
        given = tensor.name if recording is not None and input_signature is None else None
        named = path[-1] if path and isinstance(path[-1], str) else given
        names.append(named if named and not named.startswith("keras_tensor") else None)
    if len(names) == 1 and (names[0] or "").startswith(("input_layer", "keras_tensor")):
        names = ["inputs"]
    return structure, names


def _first(signature):
    """Return what stands alone in a list: Keras has the signature as a list of arguments."""
    return signature[0] if isinstance(signature, (list, tuple)) and len(signature) == 1 else signature


def _as_symbol(leaf):
    if isinstance(leaf, KerasTensor):
        return leaf
    shape = getattr(leaf, "shape", None)
    if shape is None:
        raise ValueError(
            f"input_signature: expected tensors, arrays, `KerasTensor`s or `InputSpec`s, got {leaf!r} of "
            f"type {type(leaf).__name__}. Pass for example keras.InputSpec(shape=(None, 28, 28, 1))."
        )
    real = isinstance(leaf, torch.Tensor) or hasattr(leaf, "__array__")
    shape = (None, *tuple(shape)[1:]) if real else tuple(shape)
    return KerasTensor(shape, standardize_dtype(getattr(leaf, "dtype", None) or "float32"))


def _built_with(model):
    arguments = model.__dict__.get("_build_arguments")
    shapes = None if arguments is None else [*arguments[0], *arguments[1].values()]
    if not shapes:
        raise ValueError(
            f"{describe(model)}: its inputs are not known, because it was never called. Call it on a batch "
            "first, or pass `input_signature`, such as [keras.InputSpec(shape=(None, 28, 28, 1))]."
        )

    dtypes = next(iter(model.__dict__.get("_build_dtypes", {}).values()), None)

    def stand_in(shape, dtype):
        if isinstance(shape, dict):
            return {key: stand_in(part, dtype and dtype[key]) for key, part in shape.items()}
        if shape and not isinstance(shape[0], (int, type(None))):
            parts = zip(shape, dtype or [None] * len(shape), strict=True)
            return type(shape)(stand_in(*part) for part in parts)
        name = model.compute_dtype if dtype is None else standardize_dtype(dtype)
        return KerasTensor((None, *shape[1:]), model.compute_dtype if "float" in name else name)

    return stand_in(shapes[0], dtypes)


def example_inputs(structure, batch, other, device):
    """Return real tensors for symbolic inputs: random floats, small integers.

    Args:
        structure: Nested `KerasTensor`s.
        batch: Size of unknown first axes.
        other: Size of other unknown axes.
        device: Where they lie.
    """
    generator = torch.Generator().manual_seed(0)

    def example(tensor):
        unknown = [batch if axis == 0 else other for axis in range(tensor.ndim)]
        shape = [new if size is None else size for size, new in zip(tensor.spec.shape, unknown, strict=True)]
        probe = torch.empty(shape, dtype=getattr(torch, tensor.spec.dtype))
        if probe.is_floating_point():
            return probe.normal_(generator=generator).to(device)
        return probe.random_(0, 2, generator=generator).to(device)

    return map_structure(example, structure)
