"""`ReversibleEmbedding`: a table of vectors that also turns vectors back into scores of its rows."""

import torch
import torch.nn.functional as F

from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.layers.core import Embedding
from torchkeras_lite.layers.quantized_values import ScaledColumns
from torchkeras_lite.layers.reversible_embedding_values import PackedColumns

__all__ = ["ReversibleEmbedding"]


class ReversibleEmbedding(Embedding):
    """Table of vectors, looked up by integers, or with `reverse=True` multiplied by vectors.

    The two directions are a language model's first and last layer: `layer(tokens)` gives vectors,
    `layer(vectors, reverse=True)` the score of each token.

    Args:
        input_dim, output_dim, embeddings_initializer, embeddings_regularizer, embeddings_constraint,
            mask_zero: See `Embedding`.
        tie_weights: Whether both directions use one table. Otherwise the second one has a matrix of its own,
            drawn from the same initializer.
        reverse_dtype: Dtype of the second direction's product; `None`: the wider one of
            the input's and the layer's.
        logit_soft_cap: Scores are kept within this number, by `cap * tanh(scores / cap)`; `None`: they are
            as they are.

    Shapes:
        input `(batch, ...)` of ids -> output `(batch, ..., output_dim)`
        with `reverse=True`: input `(batch, ..., output_dim)` -> output `(batch, ..., input_dim)`
        embeddings `(input_dim, output_dim)`, in `embedding.weight`; without `tie_weights` also
        reverse_embeddings `(output_dim, input_dim)`

    Raises:
        ValueError: `input_dim` or `output_dim` is no positive integer; `logit_soft_cap` is not above 0.

    Source: Keras 3 `keras.layers.ReversibleEmbedding`. Differs from Keras: `reverse_dtype` counts for a
    quantized layer too, and so does a low-rank product in both directions of one table.
    """

    config_adds = ("quantization_config",)
    stored_modules = ("reverse_values",)

    def __init__(
        self,
        input_dim,
        output_dim,
        tie_weights=True,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        embeddings_constraint=None,
        mask_zero=False,
        reverse_dtype=None,
        logit_soft_cap=None,
        **kwargs,
    ):
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer,
            embeddings_regularizer,
            embeddings_constraint,
            mask_zero,
            **kwargs,
        )
        if logit_soft_cap is not None and logit_soft_cap <= 0:
            raise ValueError(
                f"{describe(self)}: `logit_soft_cap` must be above 0, got {logit_soft_cap}. Pass None for "
                "scores without a limit."
            )
        self.tie_weights = tie_weights
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap

    def build(self, input_shape=None):
        """Make the table, and the matrix of the second direction where it has one."""
        super().build(input_shape)
        if not self.tie_weights:
            with torch.device(self._device or "cpu"):
                self.reverse_embeddings = self.add_weight(
                    shape=(self.output_dim, self.input_dim),
                    initializer=self.embeddings_initializer,
                    name="reverse_embeddings",
                )

    def call(self, inputs, reverse=False):
        """Look rows up, or score them."""
        if not reverse:
            return super().call(inputs)
        given, computed = self.reverse_dtype, torch_dtype(self.compute_dtype)
        dtype = torch_dtype(given) if given else torch.promote_types(inputs.dtype, computed)
        with torch.autocast(inputs.device.type, enabled=False):  # a mixed policy has its own dtype
            scores = self._scores(inputs.to(dtype), computed)
        cap = self.logit_soft_cap
        return scores if cap is None else torch.tanh(scores / cap) * cap

    def _scores(self, inputs, computed):
        if self.quantized_at is None:
            weight = self.embeddings.value if self.tie_weights else self.reverse_embeddings.t()
            return F.linear(inputs, weight.to(computed).to(inputs.dtype))
        if not self.tie_weights:
            values = self.reverse_values
            return values.rounded(inputs, -1) @ values.floats(inputs.dtype)
        values = self.embedding.values
        scores = F.linear(values.rounded(inputs, -1), values.floats(inputs.dtype))
        if self.lora_enabled:
            scores = scores + F.linear(inputs, self.low_rank_product().to(inputs.dtype))
        return scores

    def _quantized(self, values, config):  # its own, which says that this subclass computes the same
        return super()._quantized(values, config)

    def _quantize(self, config):
        super()._quantize(config)
        if not self.tie_weights:
            weight = next(own for own in self.weights if own.name == "reverse_embeddings")
            kind = ScaledColumns if config.mode == "int8" else PackedColumns
            self.reverse_values = kind(weight.value.detach(), config)
            self._put_parts(weight, "reverse_values")

    def compute_mask(self, inputs, previous_mask=None, reverse=False):
        """Return where the ids are not 0, with `mask_zero`; scores carry no mask."""
        return None if inputs.is_floating_point() else super().compute_mask(inputs, previous_mask)
