"""GroupedQueryAttention: attention whose keys and values have fewer heads than its queries."""

import math

from torchkeras_lite.base.checks import describe, positive_int
from torchkeras_lite.layers.projected_attention import ProjectedAttention, written_config

__all__ = ["GroupQueryAttention", "GroupedQueryAttention"]


class GroupedQueryAttention(ProjectedAttention):
    """Attention of several heads, of which groups share one head of keys and values.

    In `keras.layers` its name is `GroupQueryAttention`. Runs on
    `torch.nn.functional.scaled_dot_product_attention` where scores are not asked for. One head of keys and
    values makes it multi-query attention, as many as of queries multi-head attention.

    Args:
        head_dim: Size of a head, an integer > 0.
        num_query_heads: Number of heads of queries, an integer > 0.
        num_key_value_heads: Number of heads of keys and values, a divisor of `num_query_heads`.
        dropout: Fraction of the weights set to 0 in training, from 0 to 1.
        use_bias: Whether the projections have biases.
        sliding_window: If set, a query sees only keys nearer than this many steps, on both sides.
        flash_attention: `True`: only torch's flash kernel will do. Otherwise torch takes the fastest that
            can.
        kernel_initializer, bias_initializer: What the weights are drawn from, each kernel on its own.
        kernel_regularizer, bias_regularizer: Penalties on the weights, added to the loss.
        activity_regularizer: Penalty on the output, and on the outputs of each projection.
        kernel_constraint, bias_constraint: Projections of the weights after every update.
        use_gate: Whether the heads' outputs are multiplied by the sigmoid of a further projection of the
            query (arXiv:2505.06708).
        seed: Integer for dropout of the layer's own; see `Dropout`.

    Call arguments:
        those of `MultiHeadAttention`

    Shapes:
        query `(batch, queries, features)`, value `(batch, keys, ...)`, key `(batch, keys, ...)`
        -> output `(batch, queries, features)`, scores `(batch, query_heads, queries, keys)`
        kernels of query and gate `(features, query_heads, head_dim)`, of key and value `(features,
        key_value_heads, head_dim)`, of the output `(query_heads, head_dim, features)`; biases: the last
        sizes of these

    Raises:
        ValueError: sizes that are no positive integers; heads that can't be shared evenly; key and value of
            different lengths; inputs of another rank than 3; dropout or scores together with
            `flash_attention=True`.
        RuntimeError: `flash_attention=True` where the flash kernel can't run.

    Source: Keras 3 `keras.layers.GroupQueryAttention`; Ainslie et al. 2023 (arXiv:2305.13245). Differs from
    torch, which has no such module, only the kernel (`enable_gqa`).
    """

    def __init__(
        self,
        head_dim,
        num_query_heads,
        num_key_value_heads,
        dropout=0.0,
        use_bias=True,
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
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            use_gate=use_gate,
            seed=seed,
            **kwargs,
        )
        self.head_dim = positive_int(self, "head_dim", head_dim)
        self.num_query_heads = positive_int(self, "num_query_heads", num_query_heads)
        self.num_key_value_heads = positive_int(self, "num_key_value_heads", num_key_value_heads)
        if self.num_query_heads % self.num_key_value_heads:
            raise ValueError(
                f"{describe(self)}: `num_query_heads` must be divisible by `num_key_value_heads`, got "
                f"num_query_heads={num_query_heads} and num_key_value_heads={num_key_value_heads}."
            )
        self._inner_regularizer = self.activity_regularizer
        self._score_scale = 1.0 / math.sqrt(self.head_dim)

    def build(self, query_shape, value_shape, key_shape=None):
        """Make the projections."""
        if len(query_shape) != 3:
            raise ValueError(
                f"{describe(self)}: expected a query of shape (batch, steps, features), got "
                f"query_shape={query_shape}. Merge the axes of steps, or use `MultiHeadAttention`."
            )
        key_shape = self._choose_axes(query_shape, value_shape, key_shape)
        queries, shared = (self.num_query_heads, self.head_dim), (self.num_key_value_heads, self.head_dim)
        self._query_dense = self._project("query", query_shape, queries)
        self._key_dense = self._project("key", key_shape, shared)
        if self.use_gate:
            self._gate_dense = self._project("gate", query_shape, queries, activation="sigmoid")
        self._value_dense = self._project("value", value_shape, shared)
        joined = (*query_shape[:-1], *queries)
        self._output_dense = self._project("attention_output", joined, (query_shape[-1],), summed=2)

    def get_config(self):
        """Return the constructor's arguments, but `flash_attention`, which belongs to the machine."""
        return {
            "activity_regularizer": None,
            **written_config(super().get_config()),
            "head_dim": self.head_dim,
            "num_query_heads": self.num_query_heads,
            "num_key_value_heads": self.num_key_value_heads,
        }


GroupQueryAttention = GroupedQueryAttention
