"""Connectionist temporal classification: label sequences shorter than the sequences of predictions."""

import math

import torch
import torch.nn.functional as F

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensors, to_float


@operation(tensors=4, name="CTCLoss")
def ctc_loss(target, output, target_length, output_length, mask_index=0):
    """Return minus the log likelihood of each label sequence, over all alignments.

    Args:
        target: Integer labels (batch, max_length).
        output: Logits (batch, steps, classes).
        target_length: How many labels count, (batch,).
        output_length: How many steps count, (batch,).
        mask_index: The class that stands for no label.

    Raises:
        ValueError: other numbers of axes.

    Source: Keras 3 `keras.ops.ctc_loss`. Differs from `F.ctc_loss`: takes logits, batch first.
    """
    output, target, lengths, steps = as_tensors([output, target, target_length, output_length])
    if target.ndim != 2 or output.ndim != 3:
        raise ValueError(
            "ctc_loss: expected `target` of shape (batch, max_length) and `output` of shape (batch, steps, "
            f"classes). Received: target.shape={tuple(target.shape)}, output.shape={tuple(output.shape)}."
        )
    output = output.float() if output.dtype in (torch.float16, torch.bfloat16) else to_float(output)
    logarithms = F.log_softmax(output, -1).transpose(0, 1)
    return F.ctc_loss(
        logarithms, target.long(), steps.long(), lengths.long(), blank=mask_index, reduction="none"
    )


@operation(tensors=2, name="CTCDecode")
def ctc_decode(
    inputs,
    sequence_lengths,
    strategy="greedy",
    beam_width=100,
    top_paths=1,
    merge_repeated=True,
    mask_index=0,
):
    """Return the label sequences that predictions stand for.

    Args:
        inputs: Logits (batch, steps, classes).
        sequence_lengths: How many steps count, (batch,).
        strategy: `"greedy"`: the likeliest class of each step; `"beam_search"`: the likeliest sequences,
            summed over alignments.
        beam_width: How many sequences are kept at each step of a beam search.
        top_paths: How many sequences a beam search returns.
        merge_repeated: Whether equal neighbours, without the mask between them, are one label.
        mask_index: The class that stands for no label.

    Returns:
        Integers (paths, batch, steps), -1 after the end; and scores (batch, paths): for a beam search log
        likelihoods, for the greedy strategy minus the sum of the chosen logits.

    Raises:
        ValueError: another strategy.

    Source: Keras 3 `keras.ops.ctc_decode`.
    """
    inputs, lengths = as_tensors([inputs, sequence_lengths])
    inputs, lengths = to_float(inputs), lengths.long()
    inputs = inputs.float() if inputs.dtype in (torch.float16, torch.bfloat16) else inputs
    if strategy not in ("greedy", "beam_search"):
        raise ValueError(
            f"ctc_decode: Invalid strategy {strategy}. Supported values are 'greedy' and 'beam_search'."
        )
    if strategy == "greedy":
        return _greedy(inputs, lengths, merge_repeated, mask_index)
    return _beam_search(inputs, lengths, beam_width, top_paths, mask_index)


def _greedy(inputs, lengths, merge_repeated, mask_index):
    steps = inputs.shape[1]
    scores, labels = inputs.max(-1)
    inside = torch.arange(steps, device=inputs.device) < lengths[:, None]
    kept = inside & (labels != mask_index % inputs.shape[-1])
    if merge_repeated:
        first = torch.ones_like(kept[:, :1])
        kept = kept & torch.cat([first, labels[:, 1:] != labels[:, :-1]], 1)
    order = torch.argsort((~kept).byte(), dim=1, stable=True)
    sorted_labels = labels.gather(1, order)
    ended = torch.arange(steps, device=inputs.device) >= kept.sum(1, keepdim=True)
    decoded = sorted_labels.masked_fill(ended, -1).int()
    return decoded.unsqueeze(0), -scores.masked_fill(~inside, 0.0).sum(1, keepdim=True)


def _beam_search(inputs, lengths, beam_width, top_paths, mask_index):
    """Search for all samples, one after the other: the prefixes of each are its own."""
    logarithms = F.log_softmax(inputs, -1).cpu()
    if inputs.is_meta:
        shape = (top_paths, inputs.shape[0], inputs.shape[1])
        return inputs.new_empty(shape, dtype=torch.int32), inputs.new_empty(inputs.shape[0], top_paths)
    mask_index = mask_index % inputs.shape[-1]
    decoded = torch.full((top_paths, *inputs.shape[:2]), -1, dtype=torch.int32)
    scores = torch.full((inputs.shape[0], top_paths), -math.inf, dtype=logarithms.dtype)
    for sample, length in enumerate(lengths.tolist()):
        paths = _search_paths(logarithms[sample, :length].tolist(), beam_width, mask_index)
        for rank, (labels, score) in enumerate(paths[:top_paths]):
            decoded[rank, sample, : len(labels)] = torch.tensor(labels, dtype=torch.int32)
            scores[sample, rank] = score
    return decoded.to(inputs.device), scores.to(inputs.device)


def _search_paths(steps, beam_width, mask_index):
    """Return the likeliest label sequences of one sample and their log likelihoods, best first.

    Every prefix has two likelihoods: of the alignments that end with the mask, and of those that don't.
    """
    beam = {(): (0.0, -math.inf)}
    for logarithms in steps:
        grown = {}
        for prefix, (masked, labelled) in beam.items():
            either = _log_add(masked, labelled)
            for label, logarithm in enumerate(logarithms):
                if label == mask_index:
                    _collect(grown, prefix, either + logarithm, -math.inf)
                elif prefix and prefix[-1] == label:
                    _collect(grown, prefix, -math.inf, labelled + logarithm)
                    _collect(grown, (*prefix, label), -math.inf, masked + logarithm)
                else:
                    _collect(grown, (*prefix, label), -math.inf, either + logarithm)
        best = sorted(grown.items(), key=lambda item: -_log_add(*item[1]))
        beam = dict(best[:beam_width])
    return [(labels, _log_add(*likelihoods)) for labels, likelihoods in beam.items()]


def _collect(beam, prefix, masked, labelled):
    before = beam.get(prefix, (-math.inf, -math.inf))
    beam[prefix] = _log_add(before[0], masked), _log_add(before[1], labelled)


def _log_add(a, b):
    """Return log(exp(a) + exp(b))."""
    high, low = (a, b) if a > b else (b, a)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
