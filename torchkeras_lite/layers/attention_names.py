"""Keras's private names of `MultiHeadAttention`, by which subclasses in packages build and compute."""

import string

from torchkeras_lite.layers import scaled_dot_product as dot_product
from torchkeras_lite.layers.attention_axes import AttentionAxes

_LAYERS = {f"_{name}": name for name in ("query_dense", "key_dense", "value_dense", "output_dense")}


def _other_name(name):
    return property(lambda self: getattr(self, name))


class PrivateNames:
    """Mixin with the names, for a subclass whose `build` makes its own projections, and its own `call`."""

    _query_dense = _other_name("query_dense")
    _key_dense = _other_name("key_dense")
    _value_dense = _other_name("value_dense")
    _output_dense = _other_name("output_dense")
    _num_heads = _other_name("num_heads")
    _key_dim = _other_name("key_dim")
    _value_dim = _other_name("value_dim")
    _use_bias = _other_name("use_bias")
    _attention_axes = _other_name("attention_axes")
    _dropout = _other_name("dropout")
    _inverse_sqrt_key_dim = _other_name("_score_scale")

    def __setattr__(self, name, value):
        super().__setattr__(_LAYERS.get(name, name), value)

    def _get_common_kwargs_for_sublayer(self):
        """Return what all projections are made with."""
        return self._settings_of_projections()

    def _build_attention(self, rank):
        """Choose the attention axes for projections with `rank` axes, heads and features included."""
        self._axes = AttentionAxes(self, rank - 1, self.attention_axes)
        self.attention_axes = self._axes.axes

    @property
    def _dot_product_equation(self):
        """The einsum of keys and queries that gives scores."""
        target, source, scores = self._letters()
        return f"{source},{target}->{scores}"

    @property
    def _combine_equation(self):
        """The einsum of weights and values."""
        target, source, scores = self._letters()
        return f"{scores},{source}->{target}"

    def _letters(self):
        axes = self._axes.axes
        letters = iter(string.ascii_lowercase)
        target = [next(letters) for _ in range(self._axes.rank + 1)]
        source = [next(letters) if axis in axes else letter for axis, letter in enumerate(target)]
        scores = [letter for axis, letter in enumerate(target[:-1]) if axis not in axes]
        scores += [side[axis] for side in (target, source) for axis in axes]
        return map("".join, (target, source, scores))

    def _masked_softmax(self, attention_scores, attention_mask=None):
        """Return the weights for scores; a mask without axes for the heads counts for all of them."""
        mask = attention_mask
        if mask is not None:
            place = -2 * len(self.attention_axes) - 1
            for _ in range(attention_scores.ndim - mask.ndim):
                mask = mask.unsqueeze(place)
            mask = mask.bool()
        return dot_product.masked_softmax(attention_scores, mask)

    def _dropout_layer(self, weights):
        """Return the weights, in training with some set to 0."""
        rate = self.dropout if self.training else 0.0
        return dot_product.drop(weights, rate, self._draws, self.seed) if rate else weights
