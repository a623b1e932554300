"""MultiHeadAttention: attention of several heads, over projections of query, key and value."""

import math

from torchkeras_lite import regularizers
from torchkeras_lite.base.checks import describe, positive_int
from torchkeras_lite.engine.auto_config import serialize_argument
from torchkeras_lite.layers.attention_names import PrivateNames
from torchkeras_lite.layers.projected_attention import ProjectedAttention, written_config

__all__ = ["MultiHeadAttention"]


class MultiHeadAttention(PrivateNames, ProjectedAttention):
    """Attention of several heads at once, each over projections of its own.

    Runs on `torch.nn.functional.scaled_dot_product_attention` where scores are not asked for. The
    projections are the layers `query_dense`, `key_dense`, `value_dense` and `output_dense`.

    Args:
        num_heads: Number of heads, an integer > 0.
        key_dim: Size of a head's queries and keys, an integer > 0.
        value_dim: Size of a head's values; `None`: `key_dim`.
        dropout: Fraction of the weights set to 0 in training, from 0 to 1.
        use_bias: Whether the projections have biases.
        output_shape: Size or sizes of the last output axes; `None`: the size of the query's last axis.
        attention_axes: Axes of query and value that attention runs over; `None`: all between batch and
            features. The others are like further batch axes.
        sliding_window: If set, a query sees only keys nearer than this many steps, on both sides.
        flash_attention: `True`: only torch's flash kernel will do. Otherwise torch takes the fastest that
            can.
        kernel_initializer, bias_initializer: What the weights are drawn from, each kernel on its own. Fans
            are those of the matrix product: a query kernel has `features` inputs and `num_heads * key_dim`
            outputs.
        kernel_regularizer, bias_regularizer: Penalties on the weights, added to the loss.
        activity_regularizer: Penalty on the outputs of each projection.
        kernel_constraint, bias_constraint: Projections of the weights after every update.
        use_gate: Whether the heads' outputs are multiplied by the sigmoid of a further projection of the
            query (arXiv:2505.06708).
        seed: Integer for dropout of the layer's own; see `Dropout`.

    Call arguments:
        query, value, key: See the shapes; in this order. The key is the value where not given.
        query_mask, value_mask, key_mask: Boolean, `(batch, steps)`; the masks that travel with the inputs
            where not given.
        attention_mask: Boolean, `(batch, queries, keys)`, `(batch, heads, queries, keys)` or `(queries,
            keys)`; true where a query may look at a key. All masks count together.
        return_attention_scores: Whether the weights, before dropout, are returned, too.
        training: Whether to drop.
        use_causal_mask: Whether query `i` sees the keys up to `i` only.

    Shapes:
        query `(batch, queries, features)`, value `(batch, keys, ...)`, key `(batch, keys, ...)`
        -> output `(batch, queries, features)`, scores `(batch, heads, queries, keys)`
        kernels of query and key `(features, heads, key_dim)`, of gate and value `(features, heads,
        value_dim)`, of the output `(heads, value_dim, features)`; biases: the last sizes of these

    Raises:
        ValueError: sizes that are no positive integers; key and value of different lengths; an attention
            axis there is not; dropout or scores together with `flash_attention=True`.
        RuntimeError: `flash_attention=True` where the flash kernel can't run.

    Source: Keras 3 `keras.layers.MultiHeadAttention`; Vaswani et al. 2017 (arXiv:1706.03762). Differs from
    torch: `nn.MultiheadAttention` ties the sizes (`key_dim = features / heads`), and its masks are True
    where keys are hidden. A query without a key to look at gets equal weights, or zeros with scores,
    dropout or further axes; torch gives nan. Differs from Keras: a `query_mask` given as an argument
    counts, and a causal mask follows the attention axis.
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=True,
        output_shape=None,
        attention_axes=None,
        sliding_window=None,
        flash_attention=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        use_gate=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            dropout=dropout,
            use_bias=use_bias,
            sliding_window=sliding_window,
            flash_attention=flash_attention,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            use_gate=use_gate,
            seed=seed,
            **kwargs,
        )
        self.num_heads = positive_int(self, "num_heads", num_heads)
        self.key_dim = positive_int(self, "key_dim", key_dim)
        self.value_dim = self.key_dim if value_dim is None else positive_int(self, "value_dim", value_dim)
        self._output_shape = _sizes(self, output_shape)
        self.attention_axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes
        if not isinstance(self.attention_axes, (tuple, list, type(None))):
            raise ValueError(
                f"{describe(self)}: `attention_axes` must be an int, list, or tuple, got "
                f"attention_axes={attention_axes!r}."
            )
        self._inner_regularizer = regularizers.get(activity_regularizer)
        self._score_scale = 1.0 / math.sqrt(self.key_dim)

    def build(self, query_shape, value_shape, key_shape=None):
        """Make the projections."""
        key_shape = self._choose_axes(query_shape, value_shape, key_shape, self.attention_axes)
        self.attention_axes = self._axes.axes
        heads = self.num_heads
        self.query_dense = self._project("query", query_shape, (heads, self.key_dim))
        self.key_dense = self._project("key", key_shape, (heads, self.key_dim))
        if self.use_gate:
            sizes = (heads, self.value_dim)
            self._gate_dense = self._project("gate", query_shape, sizes, activation="sigmoid")
        self.value_dense = self._project("value", value_shape, (heads, self.value_dim))
        joined = (*query_shape[:-1], heads, self.value_dim)
        sizes = self._output_shape or (query_shape[-1],)
        self.output_dense = self._project("attention_output", joined, sizes, summed=2)

    def get_config(self):
        """Return the constructor's arguments, but `flash_attention`, which belongs to the machine."""
        return {
            **written_config(super().get_config()),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "output_shape": self._output_shape,
            "attention_axes": self.attention_axes,
            "activity_regularizer": serialize_argument(self._inner_regularizer),
        }


def _sizes(layer, output_shape):
    """Return `output_shape` as a tuple of positive integers, `None` where not given."""
    if not output_shape and output_shape != 0:
        return None
    given = output_shape if isinstance(output_shape, (tuple, list)) else (output_shape,)
    if any(isinstance(size, bool) or not isinstance(size, int) or size <= 0 for size in given):
        raise ValueError(
            f"{describe(layer)}: Invalid `output_shape`: expected a positive integer or a tuple of them, "
            f"got output_shape={output_shape!r}."
        )
    return tuple(given)
