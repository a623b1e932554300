"""A look at the first batch of a training, for mistakes that would not fail but train something else.

It is made beside the first step, with the outputs which that step computes anyway. All questions about values
are put to the device at once; later steps cost nothing.
"""

import torch

from torchkeras_lite import losses
from torchkeras_lite.base import nested
from torchkeras_lite.base.warning import warn_user
from torchkeras_lite.engine import collecting
from torchkeras_lite.engine.direct import forward_of
from torchkeras_lite.training.torch_loss import TorchLoss

PACKAGE = __name__.split(".")[0]
PROBABILITY_LOSSES = (
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
)

# What losses of torch apply themselves.
ACTIVATION_OF = {
    "CrossEntropyLoss": "softmax",
    "cross_entropy": "softmax",
    "BCEWithLogitsLoss": "sigmoid",
    "binary_cross_entropy_with_logits": "sigmoid",
}


class FirstLook:
    """Watches the first step of a training and warns of what looks wrong in it.

    Args:
        model: A compiled, built model.
    """

    def __init__(self, model):
        self.model = model

    def around(self, step):
        """Return `step`, with a look at its batch; to be called once."""

        def watched(*batch):
            y_pred, returned = self._run(step, batch)
            for text in problems(self.model, *batch[:2], y_pred):
                warn_user(text)
            return returned

        return watched

    def _run(self, step, batch):
        model, seen = self.model, []
        if getattr(model, "_compiled_call_impl", None) is not None:  # a hook would be compiled as well
            return None, step(*batch)
        hook = model.register_forward_hook(lambda module, args, outputs: seen.append(outputs))
        try:
            returned = step(*batch)
        finally:
            hook.remove()
            forward_of(model)  # which else saw that there is another hook, and left all to the model
        return (seen[0] if seen else None), returned


def problems(model, x, y, y_pred):
    """Return a line for everything that looks wrong in a batch.

    Args:
        model: The model, whose loss knows its outputs.
        x: The inputs.
        y: The targets.
        y_pred: The outputs, `None` where they are not known.
    """
    findings = [*_of_values(x, "input"), *_of_values(y, "targets")]
    if not model.trainable_weights:
        findings.append((True, "The model does not have any trainable weights: `fit` will not change it."))
    ours = all(
        getattr(type(model), name) is getattr(model.trainer_base, name)
        for name in ("train_step", "compute_loss")
    )
    if ours and y_pred is not None and y is not None and model.compiled_loss is not None:
        findings += _of_outputs(model, y, y_pred)
    questions = [question for question, _ in findings if isinstance(question, torch.Tensor)]
    answers = iter(torch.stack(questions).tolist() if questions else ())
    return [text for asked, text in findings if (next(answers) if isinstance(asked, torch.Tensor) else asked)]


def _of_values(values, what):
    for path, tensor in nested.flatten_with_path(values):
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and tensor.numel():
            where = f"the {what} {path[-1]!r}" if path else f"the {what}"
            yield (
                ~torch.isfinite(tensor).all(),
                f"The first batch of {where} {'holds' if what == 'input' else 'hold'} NaN or infinity, so "
                "the loss will be NaN. Clean the data, for example with numpy.nan_to_num, or fill in missing "
                "values.",
            )


def _of_outputs(model, y, y_pred):
    compiled = model.compiled_loss
    outputs = nested.flatten(y_pred)
    parts = list(compiled.parts or ())
    scored = compiled.wanted or ()
    names = getattr(compiled, "names", None) or [None] * len(outputs)
    if isinstance(compiled.given, dict) and len(outputs) > 1:
        for index, name in enumerate(names):
            if index not in scored and name not in compiled.given:
                yield (
                    True,
                    f"The output {name!r} gets no loss: `compile(loss=...)` does not name it, so what only "
                    "it depends on is not trained. Add it, or name it with None to say that this is meant.",
                )
    targets = _by_index(y, y_pred, outputs)
    for index, loss, *_ in parts:
        true, pred = targets[index], outputs[index]
        if isinstance(true, torch.Tensor) and isinstance(pred, torch.Tensor) and pred.numel():
            yield from _of_output(model, loss, true, pred, names[index])


def _by_index(y, y_pred, outputs):
    """Return the target of each flat output, `None` where it is not plain which one is meant."""
    if len(outputs) == 1:
        return nested.flatten(y)[:1]
    if nested.same_structure(y, y_pred):
        return nested.flatten(y)
    if isinstance(y, (list, tuple)) and len(y) == len(outputs):
        return list(y)
    return [None] * len(outputs)


def _of_output(model, loss, true, pred, name):
    output = "the output" if name is None else f"the output {name!r}"
    yield from _of_shapes(loss, true, pred, output)
    if isinstance(loss, TorchLoss):
        yield from _of_torch(model, loss, pred, name, output)
    kind = function_name(loss)
    if kind not in PROBABILITY_LOSSES:
        return
    if kind.startswith("binary") and true.shape[:1] == pred.shape[:1]:
        yield (
            ((true < 0) | (true > 1)).any(),
            f"{loss.name}: the first batch has targets of {output} outside of [0, 1]. Binary targets are 0 "
            "and 1; for more classes use sparse_categorical_crossentropy.",
        )
    values = pred.detach()
    if not getattr(loss, "from_logits", False):
        yield (
            ((values < -1e-6) | (values > 1 + 1e-6)).any(),
            f"{loss.name} takes probabilities, and {output} has values outside of [0, 1]: they look like "
            "logits. Pass from_logits=True to the loss, or end the model with a "
            f"{'sigmoid' if kind.startswith('binary') else 'softmax'}.",
        )
    elif kind.startswith("binary"):
        if last_activation(model, name) == "sigmoid":
            yield True, _double(loss, output, "sigmoid")
    elif values.ndim > 1 and values.shape[-1] > 1:
        rows = ((values >= 0).all(-1) & ((values.float().sum(-1) - 1).abs() < 1e-3)).all()
        yield rows, _double(loss, output, "softmax")


def _of_torch(model, loss, pred, name, output):
    """Warn where a loss of torch that takes logits is given something else."""
    activation = ACTIVATION_OF.get(loss.kind)
    if activation is not None and last_activation(model, name) == activation:
        yield (
            True,
            f"{loss.name} takes logits, and {output} ends with a {activation}: it would be applied twice. "
            f"Leave out the {activation} of the last layer.",
        )
    if activation == "softmax" and pred.shape[-1] == 1:
        yield (
            True,
            f"{loss.name} compares classes, and {output} has one, so the loss is 0 whatever it says. Use "
            "BCEWithLogitsLoss, or as many units as there are classes.",
        )


def _double(loss, output, activation):
    return (
        f"{loss.name} was made with from_logits=True, and {output} ends with a {activation} already: it "
        f"would be applied twice. Leave from_logits out, or the {activation}."
    )


def _of_shapes(loss, true, pred, output):
    """Warn where a loss of the user's own class would spread `(n,)` over `(n, 1)` to `(n, n)`."""
    wrapper = losses.LossFunctionWrapper
    own = isinstance(loss, losses.Loss) and not type(loss).__module__.startswith(PACKAGE)
    matches = isinstance(loss, wrapper) and type(loss).call is wrapper.call
    targets, outputs = tuple(true.shape), tuple(pred.shape)
    spread = (*targets, 1) == outputs or targets == (*outputs, 1)
    if own and not matches and spread and outputs[0] > 1:
        yield (
            True,
            f"{output[:1].upper()}{output[1:]} has shape {outputs} and its targets have shape {targets}. In "
            f"{type(loss).__name__}, a loss of your own, torch would spread one over the other. Give both "
            "the same shape, for example y[:, None].",
        )


def function_name(loss):
    """Return the name of the function that a loss stands for, or an empty string."""
    return getattr(getattr(loss, "fn", None), "__name__", "")


def last_activation(model, name):
    """Return the name of the activation with which an output ends, or `None` where it is not known."""
    layers = [layer for layer in collecting.all_layers(model) if layer is not model]
    recording = getattr(model, "_recording", None)
    if recording is not None:
        outputs = nested.flatten(recording.outputs)
        index = 0 if name is None else list(model.output_names).index(name)
        layer = outputs[index].call.target
    else:
        layer = layers[-1] if layers else None
    activation = getattr(layer, "activation", None)
    kind = getattr(activation, "__name__", None) or type(layer).__name__.lower()
    return kind.lower() if isinstance(kind, str) else None
