"""Attention without projections: Attention (dot products) and AdditiveAttention (sums)."""

import torch

from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.layers import scaled_dot_product as dot_product
from torchkeras_lite.layers.regularization import draws, fraction

__all__ = ["AdditiveAttention", "Attention"]


class Attention(Layer):
    """Averages values, each weighted by how well its key fits the query: `softmax(query @ key.T) @ value`.

    Runs on `torch.nn.functional.scaled_dot_product_attention` where scores are not asked for.

    Args:
        use_scale: Whether the scores are multiplied by a trained scalar, 1 at the start.
        score_mode: `"dot"` for dot products, `"concat"` for `weight * sum(tanh(query + key))` with a trained
            scalar weight.
        dropout: Fraction of the weights set to 0 in training, from 0 to 1.
        seed: Integer for a sequence of the layer's own; see `Dropout`.

    Call arguments:
        inputs: A list `[query, value]` or `[query, value, key]`; the key is the value where not given.
        mask: A list `[query_mask, value_mask]`, boolean, `(batch, queries)` and `(batch, keys)`, either may
            be `None`; the masks that travel with the inputs where not given. Masked values count for
            nothing; the output is 0 at masked queries.
        training: Whether to drop.
        return_attention_scores: Whether the weights, after dropout, are returned, too.
        use_causal_mask: Whether query `i` sees the values up to `i` only.

    Shapes:
        query `(batch, queries, dim)`, value `(batch, keys, value_dim)`, key `(batch, keys, dim)`
        -> output `(batch, queries, value_dim)`, scores `(batch, queries, keys)`
        scale `()`; concat_score_weight `()`

    Raises:
        ValueError: inputs or masks that are no list of two or three; queries and keys of different sizes;
            another `score_mode`; `dropout` outside [0, 1].

    Source: Keras 3 `keras.layers.Attention`; Luong et al. 2015 (arXiv:1508.04025). Differs from torch:
    scores are not divided by sqrt(dim); where all values are masked the weights are equal, not nan.
    """

    casts_integers = True

    def __init__(self, use_scale=False, score_mode="dot", dropout=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.use_scale = use_scale
        self.score_mode = score_mode
        if score_mode not in ("dot", "concat"):
            raise ValueError(
                f"{describe(self)}: Invalid value for argument score_mode. Expected one of {{'dot', "
                f"'concat'}}, got score_mode={score_mode!r}."
            )
        self.dropout = fraction(self, "dropout", dropout)
        self.seed = seed
        self.supports_masking = True
        self.scale = None
        self.concat_score_weight = None
        self._draws = draws(self, seed)
        self.__dict__["_watches_mode"] = dropout > 0

    def build(self, input_shape):
        """Make the scalars that the arguments ask for."""
        _check_list(self, input_shape)
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(
                name="concat_score_weight", shape=(), initializer="ones"
            )

    def call(self, inputs, mask=None, training=False, return_attention_scores=False, use_causal_mask=False):
        """Average the values."""
        _check_list(self, inputs, mask)
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) == 3 else value
        self._check_sizes(query, key)
        query_mask, value_mask = (None, None) if mask is None else mask[:2]
        dropout = self.dropout if training else 0.0
        plain = query.ndim > 2 and self._scores_are_dots and not return_attention_scores
        if plain and (not dropout or self.seed is None):
            output, weights = self._fused(query, key, value, value_mask, use_causal_mask, dropout), None
        else:
            scores = self._calculate_scores(query, key)  # (batch, queries, keys)
            kept = _kept(query, key, value_mask, use_causal_mask)
            weights = dot_product.masked_softmax(scores, kept).to(value.dtype)
            if dropout:
                weights = dot_product.drop(weights, dropout, self._draws, self.seed)
            output = torch.matmul(weights, value)  # (batch, queries, value_dim)
        if query_mask is not None:
            output = output.masked_fill(~query_mask.bool().unsqueeze(-1), 0.0)
        return (output, weights) if return_attention_scores else output

    def compute_mask(self, inputs, mask=None):
        """Return the query's mask."""
        _check_list(self, inputs, mask)
        return None if mask is None else mask[0]

    def _check_sizes(self, query, key):
        """Raise unless queries and keys have features of one size.

        Raises:
            ValueError: they have not.
        """
        known = (Attention._calculate_scores, AdditiveAttention._calculate_scores)
        if query.shape[-1] != key.shape[-1] and type(self)._calculate_scores in known:
            raise ValueError(
                f"{describe(self)}: expected queries and keys with features of one size, got a query of "
                f"shape {tuple(query.shape)} and a key of shape {tuple(key.shape)}. Pass a key of its own, "
                "[query, value, key], or project one of them with a Dense layer."
            )

    @property
    def _scores_are_dots(self):
        return self.score_mode == "dot" and type(self)._calculate_scores is Attention._calculate_scores

    def _calculate_scores(self, query, key):
        """Return scores `(batch, queries, keys)` of how well keys fit queries; for subclasses to replace."""
        if self.score_mode == "dot":
            return torch.matmul(self._scaled(query), key.transpose(-2, -1))
        sums = query.unsqueeze(-2) + key.unsqueeze(-3)  # (batch, queries, keys, dim)
        return (self.concat_score_weight * torch.tanh(self._scaled(sums)).sum(-1)).to(query.dtype)

    def _scaled(self, x):
        return x if self.scale is None else x * self.scale

    def _fused(self, query, key, value, value_mask, causal, dropout):
        """Return the output by one of torch's kernels."""
        only_causal = causal and value_mask is None
        kept = None if only_causal else _kept(query, key, value_mask, causal)
        query = self._scaled(query)
        one_head = query.ndim == 3  # torch's fast kernels want an axis of heads
        if one_head:
            query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
            kept = None if kept is None else kept.unsqueeze(-3)
        output = dot_product.fused(query, key, value, kept, causal=only_causal, scale=1.0, dropout=dropout)
        return output.squeeze(1) if one_head else output

    def _leave_masks(self, args, kwargs, masks, outputs):
        """Let the query's mask travel with the output alone: scores have other axes."""
        super()._leave_masks(args, kwargs, masks, outputs[0] if isinstance(outputs, tuple) else outputs)


class AdditiveAttention(Attention):
    """Averages values, each weighted by `sum(scale * tanh(query + key))`.

    Args:
        use_scale: Whether the summands are multiplied by a trained vector.
        dropout: Fraction of the weights set to 0 in training, from 0 to 1.
        **kwargs: `seed` of the dropout, and those of `Layer`.

    Call arguments:
        those of `Attention`

    Shapes:
        query `(batch, queries, dim)`, value `(batch, keys, value_dim)`, key `(batch, keys, dim)`
        -> output `(batch, queries, value_dim)`, scores `(batch, queries, keys)`
        scale `(dim,)`, Glorot uniform

    Raises:
        ValueError: as in `Attention`.

    Source: Keras 3 `keras.layers.AdditiveAttention`; Bahdanau et al. 2014 (arXiv:1409.0473).
    """

    def __init__(self, use_scale=True, dropout=0.0, **kwargs):
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape):
        """Make the vector."""
        _check_list(self, input_shape)
        if self.use_scale:
            dim = input_shape[0][-1]
            self.scale = self.add_weight(name="scale", shape=(dim,), initializer="glorot_uniform")

    def _calculate_scores(self, query, key):
        sums = torch.tanh(query.unsqueeze(-2) + key.unsqueeze(-3))  # (batch, queries, keys, dim)
        if self.scale is None:
            return sums.sum(-1).to(query.dtype)
        return torch.matmul(sums, self.scale.to(sums.dtype))

    def get_config(self):
        """Return the constructor's arguments."""
        config = super().get_config()
        del config["score_mode"]
        return config


def _kept(query, key, value_mask, causal):
    """Return the mask of the scores, or `None`."""
    kept = dot_product.causal_mask(query.shape[-2], key.shape[-2], query.device) if causal else None
    if value_mask is not None:
        kept_values = value_mask.bool()
        if kept_values.ndim == 2:
            between = (1,) * (query.ndim - 2)
            kept_values = kept_values.reshape(kept_values.shape[0], *between, kept_values.shape[1])
        kept = dot_product.both(kept_values, kept)
    return kept


def _check_list(layer, inputs, mask=None):
    """Raise unless `inputs` is a list of two or three (tensors or shapes), and `mask` likewise."""
    name = describe(layer)
    if not isinstance(inputs, (list, tuple)) or (inputs and isinstance(inputs[0], (int, type(None)))):
        raise ValueError(
            f"{name}: the layer must be called on a list of inputs, namely [query, value] or [query, value, "
            f"key], got {_brief(inputs)}."
        )
    if not 2 <= len(inputs) <= 3:
        raise ValueError(
            f"{name}: the layer accepts inputs list of length 2 or 3, namely [query, value] or [query, "
            f"value, key], got {len(inputs)} inputs."
        )
    if mask is not None and not isinstance(mask, (list, tuple)):
        raise ValueError(
            f"{name}: the layer mask must be a list, namely [query_mask, value_mask], got {_brief(mask)}. "
            "Pass None for a mask there is not."
        )
    if mask is not None and not 2 <= len(mask) <= 3:
        raise ValueError(
            f"{name}: the layer accepts mask list of length 2 or 3, namely [query_mask, value_mask], got "
            f"{len(mask)} masks."
        )


def _brief(value):
    shape = getattr(value, "shape", None)
    return f"{value!r}" if shape is None else f"one tensor of shape {tuple(shape)}"
