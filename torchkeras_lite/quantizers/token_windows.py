"""Texts or token numbers as windows of one length, to calibrate by."""

import numpy as np
import torch

_SEED = 42


def token_windows(dataset, tokenizer, num_samples, sequence_length):
    """Return windows `(num_samples, sequence_length)` of the tokens of all texts, one text behind the other.

    The windows begin at equal distances; where there are fewer tokens than asked for, they come again.

    Args:
        dataset: Texts, or arrays of token numbers; any iterable.
        tokenizer: What turns texts into token numbers, by a method `tokenize` or by being called.
        num_samples: Number of windows.
        sequence_length: Tokens of a window.

    The first window is at a place drawn from a fixed seed. Differs from Keras, whose first window is at
    another place in every process, since it follows from Python's hash of a text.

    Raises:
        TypeError: `dataset` is a text, or nothing that can be gone through.
        ValueError: it has no tokens.
    """
    if isinstance(dataset, (str, bytes)) or not hasattr(dataset, "__iter__"):
        raise TypeError(
            "The `dataset` argument must be an iterable (e.g., a list of strings, a generator, or a NumPy "
            f"array). Got type: {type(dataset).__name__}. Please pass the loaded dataset directly."
        )
    tokens = [_tokens(part, tokenizer) for part in dataset]
    if not tokens:
        raise ValueError("Provided dataset is empty.")
    tokens = np.concatenate(tokens)
    if not tokens.size:
        raise ValueError(f"Not enough tokens to form one sample of length {sequence_length} (have 0).")
    repeats = -(-num_samples * sequence_length // tokens.size)
    tokens = np.tile(tokens, max(1, repeats))
    starts = tokens.size - sequence_length + 1
    first = np.random.default_rng(_SEED).integers(0, starts)
    distance = max(1, starts // num_samples)
    chosen = (first + distance * np.arange(num_samples)) % starts
    return torch.from_numpy(tokens[chosen[:, None] + np.arange(sequence_length)])


def _tokens(part, tokenizer):
    if isinstance(part, str):
        part = getattr(tokenizer, "tokenize", tokenizer)(part)
    if isinstance(part, torch.Tensor):
        part = part.cpu()
    return np.asarray(part).reshape(-1).astype("int32")
