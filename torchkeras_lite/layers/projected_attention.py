"""What the attention layers with heads share: projections, masks, and the choice of the computation."""

import torch
import torch.nn.functional as F

from torchkeras_lite import constraints, initializers, regularizers
from torchkeras_lite.base.checks import describe, positive_int
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.layers import scaled_dot_product as dot_product
from torchkeras_lite.layers.attention_axes import AttentionAxes
from torchkeras_lite.layers.einsum_dense import EinsumDense
from torchkeras_lite.layers.regularization import draws, fraction

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Projection(EinsumDense):
    """An `EinsumDense` that sums over the last axes of its input, computed as one matrix product.

    Shapes:
        input `(batch, ..., *summed)` -> output `(batch, ..., *sizes)`
        kernel `(*summed, *sizes)`; bias `sizes`

    Source: Keras 3 `keras.layers.EinsumDense`; torch's `F.linear`.
    """

    def build(self, input_shape):
        """Make the weights."""
        super().build(input_shape)
        kernel, output = self.equation.split(",")[1].split("->")
        self._summed = sum(letter not in output for letter in kernel)

    def call(self, inputs):
        """Multiply, add the bias and apply the activation."""
        if self.quantized_at is not None:
            return super().call(inputs)
        kernel, summed = self.kernel, self._summed
        x = inputs if summed == 1 else inputs.flatten(-summed)
        bias = None if self.bias is None else self.bias.flatten()
        y = F.linear(x, kernel.reshape(x.shape[-1], -1).t(), bias)
        return self.activation(y if kernel.ndim == summed + 1 else y.unflatten(-1, kernel.shape[summed:]))

    def _quantized(self, values, config):  # its own, which says that this subclass computes the same
        return super()._quantized(values, config)

    def _masks_end_here(self):
        """Whether a mask that comes in calls for a warning: the attention around takes care of it."""
        return False

    def _input_place(self, index):
        return f" (the projection '{self.name}' of {self.owner})"


class ProjectedAttention(Layer):
    """Base of attention over learned projections; says no sizes. See `MultiHeadAttention`.

    Subclasses make `_query_dense`, `_key_dense`, `_value_dense`, `_output_dense` and, with `use_gate`,
    `_gate_dense` in `build`, and tell the attention axes and the size of a head.

    Args:
        dropout: Fraction of the weights set to 0 in training, from 0 to 1.
        use_bias: Whether the projections have biases.
        sliding_window: If set, a query sees only keys nearer than this many steps, on both sides.
        flash_attention: `True`: only torch's flash kernel will do. Otherwise torch takes the fastest that
            can.
        kernel_initializer, bias_initializer: What the weights are drawn from, each kernel on its own.
        kernel_regularizer, bias_regularizer: Penalties on the weights, added to the loss.
        kernel_constraint, bias_constraint: Projections of the weights after every update.
        use_gate: Whether the heads' outputs are multiplied by `sigmoid` of a further projection of the query.
        seed: Integer for dropout of the layer's own; see `Dropout`.
    """

    casts_integers = True

    def __init__(
        self,
        dropout=0.0,
        use_bias=True,
        sliding_window=None,
        flash_attention=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        use_gate=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.dropout = fraction(self, "dropout", dropout)
        self.use_bias = use_bias
        self.sliding_window = sliding_window
        if sliding_window is not None:
            self.sliding_window = positive_int(self, "sliding_window", sliding_window)
        self.flash_attention = flash_attention
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.use_gate = use_gate
        self.seed = seed
        if flash_attention and dropout:
            raise ValueError(
                f"{describe(self)}: Dropout is not supported when flash attention is enabled, got "
                f"dropout={dropout!r} with flash_attention=True. Set one of them off."
            )
        self._axes = None
        self._draws = draws(self, seed)
        self.__dict__["_watches_mode"] = dropout > 0

    def call(
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
    ):
        """Project, average the values by how well keys fit queries, and project back."""
        key = value if key is None else key
        queries, keys = self._axes.sizes(query), self._axes.sizes(value)
        mask = self._compute_attention_mask(
            queries, keys, query.device, query_mask, value_mask, key_mask, attention_mask, use_causal_mask
        )
        asked = {"return_attention_scores": True} if return_attention_scores else {}
        if use_causal_mask and mask is None:
            if type(self)._compute_attention is ProjectedAttention._compute_attention:
                asked["use_causal_mask"] = True  # the kernels need no mask for it
            else:
                mask = dot_product.causal_mask(*queries, *keys, query.device)
        output, weights = self._compute_attention(
            self._query_dense(query),  # (batch, ..., heads, dim)
            self._key_dense(key),
            self._value_dense(value),
            mask,
            training,
            **asked,
        )
        if self.use_gate:
            output = output * self._gate_dense(query)
        output = self._output_dense(output)
        return (output, weights) if return_attention_scores else output

    def _compute_attention(
        self,
        query,
        key,
        value,
        attention_mask=None,
        training=None,
        return_attention_scores=False,
        use_causal_mask=False,
    ):
        """Return the averaged values and, where asked for, the weights before dropout; for subclasses.

        With scores, dropout or further axes a query without a key to look at gets zeros. Otherwise all its
        weights are equal: this is what Keras computes.

        Args:
            query, key, value: What the projections returned, `(batch, ..., heads, dim)`.
            attention_mask: Conjunction of all masks, `(batch, ..., heads, queries, keys)`, boolean or
                numbers; several attention axes are one, and the heads may be missing.
            training: Whether to drop; `None`: as the layer's mode says.
            return_attention_scores: Whether the weights are wanted.
            use_causal_mask: Whether query `i` sees the keys up to `i` only.
        """
        axes = self._axes
        queries, keys = axes.sizes(query), axes.sizes(key)
        query, key, value = axes.split(query), axes.split(key), axes.split(value)
        if self.flash_attention and return_attention_scores:
            raise ValueError(
                f"{describe(self)}: Returning attention scores is not supported when flash attention is "
                "enabled. Make the layer without flash_attention=True."
            )
        dropout = self.dropout if (self.training if training is None else training) else 0.0
        by_hand = return_attention_scores or (dropout and (self.seed is not None or dropout == 1))
        mask = attention_mask
        if mask is not None:  # that of a subclass may be of numbers, and without an axis for the heads
            mask = (mask if mask.ndim >= query.ndim else mask.unsqueeze(-3)).bool()
        if use_causal_mask and (by_hand or mask is not None):
            mask = dot_product.both(mask, dot_product.causal_mask(*queries, *keys, query.device))
        if by_hand:
            weights = dot_product.masked_weights(query, key, mask, self._score_scale)
            kept = dot_product.drop(weights, dropout, self._draws, self.seed) if dropout else weights
            output = axes.join(dot_product.weighted_sum(kept, value), queries)
            return output, axes.join_scores(weights, queries, keys)
        try:
            output = dot_product.fused(
                query,
                key,
                value,
                mask,
                causal=use_causal_mask and mask is None,
                scale=self._score_scale,
                dropout=dropout,
                flash=bool(self.flash_attention),
            )
        except RuntimeError as error:
            if not self.flash_attention:
                raise
            raise RuntimeError(
                f"{describe(self)}: Flash attention is not supported with the provided inputs, of dtype "
                f"{query.dtype} on {query.device}{'' if mask is None else ', masked'}: {error} Make the "
                "layer without flash_attention=True: torch then takes the fastest kernel that can."
            ) from error
        if mask is not None and (self.dropout or axes.rank != 3):
            output = output.masked_fill(~mask.any(-1, keepdim=True), 0.0)
        return axes.join(output, queries), None

    def _compute_attention_mask(
        self,
        queries,
        keys,
        device,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        use_causal_mask=False,
    ):
        """Return the conjunction of all masks, `None` where there is none, or only the causal one."""
        axes = self._axes
        mask = None
        if query_mask is not None:
            self._check_mask("query_mask", query_mask, queries)
            mask = axes.split_steps(query_mask, queries).unsqueeze(-1)  # (batch, ..., 1, queries, 1)
        for name, of_keys in (("value_mask", value_mask), ("key_mask", key_mask)):
            if of_keys is not None:
                self._check_mask(name, of_keys, keys)
                mask = dot_product.both(mask, axes.split_steps(of_keys, keys).unsqueeze(-2))
        if attention_mask is not None:
            self._check_mask("attention_mask", attention_mask, (*queries, *keys))
            mask = dot_product.both(mask, axes.split_pairs(attention_mask, queries, keys))
        if (use_causal_mask or self.sliding_window) and len(queries) > 1:
            raise ValueError(
                f"{describe(self)}: a causal mask or a sliding window needs one attention axis, got "
                f"attention_axes={axes.axes}. Pass `attention_axes` with one axis, or an `attention_mask`."
            )
        if self.sliding_window:
            window = dot_product.window_mask(queries[0], keys[0], self.sliding_window, device)
            mask = dot_product.both(mask, window)
        if use_causal_mask and mask is not None:
            mask = dot_product.both(mask, dot_product.causal_mask(queries[0], keys[0], device))
        return mask

    def _check_mask(self, name, mask, sizes):
        """Raise unless `mask` has the `sizes` of the attention axes, or 1; those of pairs are at the end.

        Raises:
            ValueError: it has not.
        """
        if torch.compiler.is_compiling():
            return
        places = range(-len(sizes), 0) if name == "attention_mask" else self._axes.axes
        least = len(sizes) if name == "attention_mask" else 1
        if mask.ndim < least or any(
            mask.shape[axis] not in (1, size)
            for axis, size in zip(places, sizes, strict=True)
            if axis < mask.ndim
        ):
            raise ValueError(
                f"{describe(self)}: expected `{name}` to have the sizes {sizes} for these steps, got a mask "
                f"of shape {tuple(mask.shape)}. Pass a mask made for this query and value."
            )

    def _leave_masks(self, args, kwargs, masks, outputs):
        """Let the query's mask travel with the output alone: scores have other axes."""
        super()._leave_masks(args, kwargs, masks, outputs[0] if isinstance(outputs, tuple) else outputs)

    def _choose_axes(self, query_shape, value_shape, key_shape, given=None):
        """Keep the attention axes; return the shape of the key.

        Raises:
            ValueError: ranks that differ, lengths of key and value that differ, axes that there are not.
        """
        key_shape = value_shape if key_shape is None else key_shape
        if not len(query_shape) == len(value_shape) == len(key_shape) >= 3:
            raise ValueError(
                f"{describe(self)}: the ranks of query, value and key must be equal, and 3 at least, (batch, "
                f"steps, features); got query_shape={query_shape}, value_shape={value_shape} and "
                f"key_shape={key_shape}."
            )
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ValueError(
                f"{describe(self)}: All dimensions of `value` and `key`, except the last one, must be "
                f"equal, got value_shape={value_shape} and key_shape={key_shape}."
            )
        self._axes = AttentionAxes(self, len(query_shape), given)
        return key_shape

    def _project(self, name, shape, sizes, summed=1, activation=None):
        """Return a new projection of the last `summed` axes of inputs of `shape`, built."""
        free = len(shape) - summed
        before, over = _LETTERS[:free], _LETTERS[free : free + summed]
        after = _LETTERS[len(shape) : len(shape) + len(sizes)]
        dense = Projection(
            f"{before}{over},{over}{after}->{before}{after}",
            output_shape=(None,) * (free - 1) + tuple(sizes),
            bias_axes=after if self.use_bias else None,
            activation=activation,
            **self._settings_of_projections(),
            name=name,
        )
        dense.owner = describe(self)
        dense.build(shape)
        return dense

    def _settings_of_projections(self):
        return {
            "kernel_initializer": _cloned(self.kernel_initializer),
            "bias_initializer": _cloned(self.bias_initializer),
            "kernel_regularizer": self.kernel_regularizer,
            "bias_regularizer": self.bias_regularizer,
            "activity_regularizer": self._inner_regularizer,
            "kernel_constraint": self.kernel_constraint,
            "bias_constraint": self.bias_constraint,
            "dtype": self.dtype_policy,
        }


def _cloned(initializer):
    """Return an initializer like it, so that two weights without a seed do not start equal."""
    return initializer.clone() if hasattr(initializer, "clone") else initializer


def written_config(config):
    """Return what the automatic config found, without what Keras does not write."""
    return {key: value for key, value in config.items() if key != "flash_attention"}
