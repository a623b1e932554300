"""Low-rank adaptation (LoRA): a frozen kernel, and a product of two small matrices that is trained instead.

Layers that have it swap the class of the torch module inside for one of the classes here; its parameters,
hooks and keys stay.
"""

import torch
import torch.nn.functional as F
from torch import nn

from torchkeras_lite import initializers
from torchkeras_lite.base.checks import describe, positive_int
from torchkeras_lite.engine import building
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.stored_weights import by_number
from torchkeras_lite.engine.weights import Weight, WeightInfo, WeightSpec, set_trainable_tensor, to_numpy
from torchkeras_lite.layers.data_format import ChannelsLastConv1d
from torchkeras_lite.layers.quantized_values import QuantizedLinear, QuantizedTable

__all__ = ["LowRankLayer"]


class LowRankLinear(nn.Linear):
    """`torch.nn.Linear` with low-rank weights `lora_a` (rank, in_features), `lora_b` (out_features, rank)."""

    def forward(self, input):
        """Add the product of the low-rank weights to what the frozen weight gives."""
        low = F.linear(F.linear(input, self.lora_a), self.lora_b)
        return super().forward(input) + self.lora_scale * low


class LowRankEmbedding(nn.Embedding):
    """`torch.nn.Embedding` with low-rank weights `lora_a` (rows, rank), `lora_b` (rank, embedding_dim)."""

    def forward(self, input):
        """Add the product of the low-rank rows to the frozen rows."""
        low = F.embedding(input, self.lora_a) @ self.lora_b
        return super().forward(input) + self.lora_scale * low


class LowRankQuantizedLinear(QuantizedLinear):
    """`QuantizedLinear` with low-rank weights of floats, as those of `LowRankLinear`."""

    def forward(self, inputs):
        """Add the product of the low-rank weights to what the quantized matrix gives."""
        a, b = self.lora_a.to(inputs.dtype), self.lora_b.to(inputs.dtype)
        return super().forward(inputs) + self.lora_scale * F.linear(F.linear(inputs, a), b)


class LowRankQuantizedTable(QuantizedTable):
    """`QuantizedTable` with low-rank weights of floats, as those of `LowRankEmbedding`."""

    def forward(self, ids):
        """Add the product of the low-rank rows to the quantized rows."""
        return super().forward(ids) + self.lora_scale * (F.embedding(ids, self.lora_a) @ self.lora_b)


class _LowRankConvolution:
    """A convolution by `lora_a` (rank, in_channels, ...), and one of size 1 by `lora_b` (filters, rank)."""

    def _conv_forward(self, input, weight, bias):
        if self.groups > 1:  # the filters of a group see its channels alone, those of `lora_a` see all groups
            product = torch.tensordot(self.lora_b, self.lora_a, 1)
            return super()._conv_forward(input, weight + self.lora_scale * product, bias)
        outputs = super()._conv_forward(input, weight, bias)
        low = super()._conv_forward(input, self.lora_a, None)
        low = torch.movedim(F.linear(torch.movedim(low, 1, -1), self.lora_b), -1, 1)
        return outputs + self.lora_scale * low


class LowRankConv1d(_LowRankConvolution, nn.Conv1d):
    """`torch.nn.Conv1d` with low-rank weights."""


class LowRankChannelsLastConv1d(_LowRankConvolution, ChannelsLastConv1d):
    """`ChannelsLastConv1d` with low-rank weights."""


class LowRankConv2d(_LowRankConvolution, nn.Conv2d):
    """`torch.nn.Conv2d` with low-rank weights."""


class LowRankConv3d(_LowRankConvolution, nn.Conv3d):
    """`torch.nn.Conv3d` with low-rank weights."""


ADAPTED = {
    nn.Linear: LowRankLinear,
    nn.Embedding: LowRankEmbedding,
    QuantizedLinear: LowRankQuantizedLinear,
    QuantizedTable: LowRankQuantizedTable,
    nn.Conv1d: LowRankConv1d,
    ChannelsLastConv1d: LowRankChannelsLastConv1d,
    nn.Conv2d: LowRankConv2d,
    nn.Conv3d: LowRankConv3d,
}


class AdaptedWeight(Weight):
    """View of an adapted weight: what was frozen, plus the scaled product of the low-rank weights."""

    @property
    def value(self):
        """The sum, in Keras's layout, differentiable with respect to the low-rank weights."""
        frozen = self.spec.to_keras(self.tensor)
        return frozen + self._owner.low_rank_product().to(frozen.dtype)

    def numpy(self):
        """Return the sum as a NumPy array in Keras's layout."""
        return to_numpy(self.value)

    def assign(self, value):
        """Refuse: the sum is computed.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(
            f"Weight '{self.path}' is the sum of a frozen weight and low-rank weights, and cannot be "
            "assigned. Assign `layer.weights[0]` (the frozen one) or the `lora_` weights."
        )


class LowRankLayer(Layer):
    """Base of the layers with `lora_rank`, `lora_alpha` and `enable_lora`.

    A subclass names the adapted weight in `adapted_weight`, and calls `_take_low_rank` in its constructor.
    """

    adapted_weight = "kernel"

    def _take_low_rank(self, lora_rank, lora_alpha):
        self.lora_rank = positive_int(self, "lora_rank", lora_rank) if lora_rank else None
        self.lora_alpha = (lora_alpha or lora_rank) if lora_rank else None
        self.lora_enabled = False

    def _finish_build(self, args, kwargs, device):
        super()._finish_build(args, kwargs, device)
        if self.lora_rank and not self.lora_enabled:
            self._adapt(self.lora_rank, self.lora_alpha, "he_uniform", "zeros")

    def enable_lora(self, rank, lora_alpha=None, a_initializer="he_uniform", b_initializer="zeros"):
        """Freeze the kernel (or the embeddings), and train a product of two low-rank matrices beside it.

        The layer then computes with `kernel + lora_alpha / rank * lora_kernel_a @ lora_kernel_b`, which is
        what `layer.kernel` shows; other weights, such as the bias, are trained as before. Enable it before
        `compile`. Both matrices get the regularizer of what is frozen. Saved files hold the sum; loading one
        starts the low-rank weights anew.

        Args:
            rank: Size of the axis between the two matrices, an integer > 0.
            lora_alpha: Scale of the product, times `rank`; `None`: `rank`, a scale of 1.
            a_initializer, b_initializer: What the two matrices are drawn from.

        Raises:
            ValueError: the layer is not built, has LoRA already, or has a constraint on the kernel.

        Source: Keras 3 `Dense.enable_lora`; Hu et al. 2021 (arXiv:2106.09685). peft's adapters fit on the
        torch module inside, too.
        """
        if getattr(self, f"{self.adapted_weight}_constraint", None) is not None:
            kind = self.adapted_weight.removesuffix("s")
            raise ValueError(
                f"{describe(self)}: Lora is incompatible with {kind} constraints. In order to enable lora on "
                f"this layer, remove the `{self.adapted_weight}_constraint` argument."
            )
        if not self.built:
            raise ValueError(
                f"{describe(self)}: Cannot enable lora on a layer that isn't yet built. Call it on data, or "
                "`build(input_shape)`, first."
            )
        if self.lora_enabled:
            raise ValueError(
                f"{describe(self)}: lora is already enabled. This can only be done once per layer."
            )
        self._adapt(positive_int(self, "rank", rank), lora_alpha or rank, a_initializer, b_initializer)

    def _adapt(self, rank, alpha, a_initializer, b_initializer):
        weight = next(own for own in self.weights if own.name == self.adapted_weight)
        self._add_low_rank(weight, weight.spec, weight.shape, rank, alpha, (a_initializer, b_initializer))
        if "." not in weight.spec.at:
            frozen = f"frozen_{self.adapted_weight}"  # the attribute of its own name shows the sum
            setattr(self, frozen, weight.tensor)
            weight = Weight(self, WeightSpec(self.adapted_weight, frozen), weight._info)
        set_trainable_tensor(weight.tensor, False)
        self.__dict__[self.adapted_weight] = AdaptedWeight(self, weight.spec, weight._info)

    def _add_low_rank(self, weight, spec, shape, rank, alpha, drawn_from):
        """Make the low-rank weights for a matrix of `shape` beside `weight`, which holds its values.

        `spec` says which module computes with it, and how the axes lie there.
        """
        first, second = map(initializers.get, drawn_from)
        low_rank = {"a": ((*shape[:-1], rank), first), "b": ((rank, shape[-1]), second)}
        prefix = spec.at.rpartition(".")[0]
        if prefix:
            self._adapt_module(prefix, spec.keras_axes, weight, low_rank, alpha / rank)
        else:
            for letter, (size, initializer) in low_rank.items():
                name = f"lora_{self.adapted_weight}_{letter}"
                self.add_weight(size, initializer, regularizer=self._adapted_regularizer(), name=name)
        self.lora_rank, self.lora_alpha, self.lora_enabled = rank, alpha, True

    def _adapted_regularizer(self):
        return getattr(self, f"{self.adapted_weight}_regularizer", None)

    def _adapt_module(self, prefix, axes, weight, low_rank, scale):
        """Make the module at `prefix` one that adds the product, with its weights."""
        module = self.get_submodule(prefix)
        for letter, keras_axes in (("a", axes), ("b", None if axes is None else (1, 0))):
            shape, initializer = low_rank[letter]
            spec = WeightSpec(f"lora_{self.adapted_weight}_{letter}", f"{prefix}.lora_{letter}", keras_axes)
            values = building.draw(initializer, shape, self.variable_dtype, weight.tensor.device)
            parameter = nn.Parameter(spec.from_keras(values).contiguous())
            module.register_parameter(f"lora_{letter}", parameter)
            path = f"{weight.path.rpartition('/')[0]}/{spec.name}"
            info = WeightInfo(spec.name, path, initializer, regularizer=self._adapted_regularizer())
            self.declare(Weight(self, spec, info))
        module.lora_scale = scale
        module.__class__ = ADAPTED[type(module)]

    def _carry_low_rank(self, before, after):
        """Give the low-rank weights of one module to the one that takes its place."""
        if type(before) in ADAPTED.values():
            for letter in ("lora_a", "lora_b"):
                after.register_parameter(letter, getattr(before, letter))
            after.lora_scale = before.lora_scale
            after.__class__ = ADAPTED[type(after)]

    def low_rank_product(self):
        """Return the scaled product of the low-rank weights, in Keras's layout."""
        weights = (getattr(self, f"lora_{self.adapted_weight}_{letter}") for letter in "ab")
        a, b = (
            getattr(weight, "value", weight) for weight in weights
        )  # torch.export puts plain tensors there
        return self.lora_alpha / self.lora_rank * (a @ b)

    def stored_weights(self):
        """Return the weights that a file has: all but the low-rank ones."""
        return [weight for weight in super().stored_weights() if not weight.name.startswith("lora_")]

    def save_own_variables(self, store):
        """Write the weights to `store` by their numbers, the low-rank product added to what it adapts."""
        for number, weight in enumerate(self.stored_weights()):
            adapted = self.lora_enabled and weight.name == self.adapted_weight
            store[str(number)] = getattr(self, self.adapted_weight) if adapted else weight

    @by_number
    def load_own_variables(self, store):
        """Read the weights from `store` by their numbers; the low-rank product becomes 0.

        Raises:
            ValueError: another number of weights, or another shape.
        """
        super().load_own_variables(store)
        if self.lora_enabled:
            product = getattr(self, f"lora_{self.adapted_weight}_b")
            product.assign(torch.zeros(product.shape))
