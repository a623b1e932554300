"""Clear errors in place of those from torch's depths, found out after a step failed.

A step checks nothing beforehand. When one fails with an error that an index or a label out of range causes,
the batch is looked through, and the error says which value is wrong, and where.
"""

import torch
from torch import nn

from torchkeras_lite.base import nested
from torchkeras_lite.training.torch_loss import CLASS_FUNCTIONS, CLASS_LOSSES, TorchLoss

SIGNS = (
    "index out of range",
    "is out of bounds",
    "out of bounds for dimension",
    "must be smaller than num_classes",
    "device-side assert",
    "indexSelect",
)


def explain(model, batch, error):
    """Raise a clear error where an index out of range made a step fail; return where it is something else.

    Args:
        model: The model.
        batch: `(x, y, sample_weight)` of the step, or `None`.
        error: What was raised, an `IndexError` or `RuntimeError`.

    Raises:
        ValueError: an index or a label out of range.
        RuntimeError: an assertion failed on the device, after which its memory cannot be read.
    """
    said = str(error)
    if batch is None or not any(sign in said for sign in SIGNS):
        return
    if "device-side assert" in said:
        raise RuntimeError(
            "A kernel failed on the device, which as a rule means an embedding index or a label out of "
            "range. The device tells no more, and this process can't use it any longer: run the same batch "
            'on the CPU, `with keras.device("cpu"):`, to see which value is wrong.'
        ) from error
    x, y, _ = batch
    found = bad_index(model, x)
    found = found or bad_label(model, x, y)
    if found:
        raise ValueError(found) from error


def bad_index(model, x):
    """Run the model once more, and return what to say of the first embedding index out of range."""
    found, hooks = [], []
    paths = {id(module): path for path, module in model.named_modules()}

    def check(module, args):
        message = _outside(args[0], module.num_embeddings)
        if message:
            size = module.num_embeddings
            found.append(
                f"Embedding '{paths[id(module)]}': expected indices from 0 to {size - 1}, as the table has "
                f"{size} rows, got {message}. Make the table larger (`input_dim`, or torch's "
                "`num_embeddings`), or check the data."
            )

    for module in model.modules():
        if isinstance(module, nn.Embedding):
            hooks.append(module.register_forward_pre_hook(check))
    try:
        with torch.no_grad():
            model(x)
    except Exception:
        if not found:
            return None
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None


def bad_label(model, x, y):
    """Return what to say of the first integer label that is no class of its output."""
    compiled = model.compiled_loss
    if y is None or compiled is None or not compiled.parts:
        return None
    with torch.no_grad():
        outputs = nested.flatten(model(x))
    targets = nested.flatten(y)
    names = getattr(compiled, "names", None) or [None] * len(outputs)
    for index, loss, *_ in compiled.parts:
        if index >= min(len(targets), len(outputs)) or not isinstance(targets[index], torch.Tensor):
            continue
        of_torch = isinstance(loss, TorchLoss)
        if not (loss.integer_targets or (of_torch and loss.kind in (*CLASS_LOSSES, *CLASS_FUNCTIONS))):
            continue
        shape, pred = tuple(targets[index].shape), outputs[index]
        classes_last = pred.ndim < 3 or shape in (tuple(pred.shape[:-1]), (*pred.shape[:-1], 1))
        count = pred.shape[-1 if classes_last or not of_torch else 1]
        ignored = (
            getattr(loss.module, "ignore_index", -100) if of_torch else getattr(loss, "ignore_class", None)
        )
        message = _outside(targets[index], count, ignored)
        if message:
            output = "the output" if names[index] is None else f"the output {names[index]!r}"
            return (
                f"{loss.name}: expected labels from 0 to {count - 1}, because {output} has {count} classes; "
                f"got {message}. Number the classes from 0, or give the last layer as many units as there "
                "are classes."
            )
    return None


def _outside(tensor, count, ignored=None):
    """Say which value of `tensor` is not in [0, count), and where; `None` where all are."""
    values = tensor.detach().cpu()
    wrong = (values < 0) | (values >= count)
    if ignored is not None:
        wrong &= values != ignored
    if not wrong.any():
        return None
    place = wrong.nonzero()[0].tolist()
    value = values[tuple(place)].item()
    return f"{int(value) if float(value).is_integer() else value} at {place} of the batch"
