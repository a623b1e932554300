"""Discretization: numbers to the numbers of the intervals they lie in."""

import itertools

import numpy as np
import torch

from torchkeras_lite.base import dtypes
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.device import default_device
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.engine.shapes import TensorSpec
from torchkeras_lite.layers.category_encoding import encode, encoded_shape, refuse_sparse
from torchkeras_lite.layers.preprocessing import AdaptableLayer, read_array

OUTPUT_MODES = ("int", "one_hot", "multi_hot", "count")


class Discretization(AdaptableLayer):
    """Replaces numbers by the number of the interval (bin) they lie in.

    Args:
        bin_boundaries: Where one bin ends and the next begins, in ascending order: `[0., 1.]` makes the bins
            `(-inf, 0)`, `[0, 1)` and `[1, inf)`.
        num_bins: Number of bins, whose boundaries `adapt` chooses so that about as many values lie in each.
        epsilon: Precision of the quantiles that `adapt` estimates: 0.01 keeps about 100 of them.
        output_mode: `"int"`: numbers of bins; `"one_hot"`, `"multi_hot"`, `"count"`: as `CategoryEncoding`.
        sparse: Must be false.

    Shapes:
        `"int"`: output = input, int32. `"one_hot"`: `(batch, ...)` -> `(batch, ..., bins)`, a last axis of
        size 1 dropped first. `"multi_hot"`, `"count"`: axis 1 goes, `bins` comes last

    Raises:
        ValueError: both or neither of `bin_boundaries` and `num_bins`; boundaries that do not ascend; a call
            before `adapt`.

    Source: Keras 3 `keras.layers.Discretization`.
    """

    def __init__(
        self,
        bin_boundaries=None,
        num_bins=None,
        epsilon=0.01,
        output_mode="int",
        sparse=False,
        dtype=None,
        name=None,
    ):
        super().__init__(name=name, dtype=dtype)
        if num_bins is not None and bin_boundaries is not None:
            raise ValueError(
                f"{describe(self)}: Both `num_bins` and `bin_boundaries` should not be set, got "
                f"num_bins={num_bins} and bin_boundaries={bin_boundaries}. Pass one of them."
            )
        if num_bins is None and bin_boundaries is None:
            raise ValueError(f"{describe(self)}: You need to set either `num_bins` or `bin_boundaries`.")
        if num_bins is not None and num_bins < 0:
            raise ValueError(
                f"{describe(self)}: `num_bins` must be greater than or equal to 0, got num_bins={num_bins}."
            )
        if output_mode not in OUTPUT_MODES:
            raise ValueError(
                f"{describe(self)}: Unknown value for `output_mode`. Allowed values are: {OUTPUT_MODES}, got "
                f"output_mode={output_mode!r}."
            )
        refuse_sparse(self, sparse)
        self.input_bin_boundaries = bin_boundaries
        self.num_bins = num_bins
        self.epsilon = epsilon
        self.output_mode = output_mode
        self.sparse = bool(sparse)
        self.reset_state()

    @property
    def learns(self):
        """Whether `adapt` is of use: not where the boundaries were given."""
        return self.input_bin_boundaries is None

    @property
    def bin_boundaries(self):
        """The boundaries in use, a list; `None` before `adapt`."""
        return self._boundaries

    @bin_boundaries.setter
    def bin_boundaries(self, boundaries):
        self.__dict__["_boundaries"] = boundaries = None if boundaries is None else list(boundaries)
        edges = None
        if boundaries is not None:
            if any(not low <= high for low, high in itertools.pairwise(boundaries)):
                raise ValueError(
                    f"{describe(self)}: `bin_boundaries` must be numbers in ascending order, got "
                    f"{boundaries}. Sort them."
                )
            dtype = torch.float64 if self.compute_dtype == "float64" else torch.float32
            edges = torch.tensor(boundaries, dtype=dtype, device=self._device or default_device())
        self.register_buffer("_edges", edges, persistent=False)

    @property
    def output_dtype(self):
        """Dtype name of the outputs."""
        return "int32" if self.output_mode == "int" else self.compute_dtype

    @property
    def _depth(self):
        return self.num_bins if self._boundaries is None else len(self._boundaries) + 1

    def adapt(self, data, steps=None):
        """Choose the boundaries from `data`; see `AdaptableLayer.adapt`.

        Raises:
            ValueError: the boundaries were given.
        """
        self._refuse_given()
        super().adapt(data, steps)

    def update_state(self, data):
        """Take the values of one batch into the summary of all values."""
        self._refuse_given()
        values = read_array(self, data)
        if not isinstance(values, torch.Tensor):
            raise TypeError(f"{describe(self)}: expected numbers to adapt to, got strings.")
        values = values.detach().cpu().to(torch.float32).numpy()
        summary = summarize(values, self.epsilon)
        if self._summary is not None:
            summary = np.concatenate([self._summary, summary], axis=1)
            summary = summary[:, np.argsort(summary[0], kind="stable")]
        self.__dict__["_summary"] = compress(summary, self.epsilon)

    def finalize_state(self):
        """Choose the boundaries from the values taken in."""
        if self.input_bin_boundaries is not None or self._summary is None:
            return
        self.bin_boundaries = compress(self._summary, 1.0 / self.num_bins)[0, :-1].tolist()

    def reset_state(self):
        """Forget the values taken in, and the boundaries unless they were given."""
        self.__dict__["_summary"] = None
        self.bin_boundaries = self.input_bin_boundaries

    def _refuse_given(self):
        if self.input_bin_boundaries is not None:
            raise ValueError(
                f"{describe(self)}: Cannot adapt a Discretization layer that has been initialized with "
                "`bin_boundaries`, use `num_bins` instead."
            )

    def compute_output_shape(self, input_shape):
        """Return the output shape for an input shape."""
        return encoded_shape(input_shape, self._depth, self.output_mode)

    def compute_output_spec(self, inputs):
        """Return the symbolic output for a symbolic input."""
        spec = TensorSpec(self.compute_output_shape(inputs.shape), self.output_dtype)
        return KerasTensor(spec.shape, spec.dtype)

    def call(self, inputs):
        """Find the bins."""
        if self._edges is None:
            raise ValueError(
                f"{describe(self)}: You need to either pass the `bin_boundaries` argument at construction "
                "time or call `adapt(data)` before you can start using the layer."
            )
        if not isinstance(inputs, torch.Tensor):
            raise TypeError(f"{describe(self)}: expected numbers, got strings. Use StringLookup for them.")
        bins = torch.bucketize(inputs.to(self._edges.dtype), self._edges, right=True, out_int32=True)
        if self.output_mode == "int":
            return bins
        dtype = dtypes.torch_dtype(self.compute_dtype)
        return encode(bins.to(torch.int64), self._depth, self.output_mode, dtype)

    def get_config(self):
        """Return the constructor's arguments, with the boundaries that `adapt` chose."""
        return {
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "name": self.name,
            "dtype": self.dtype,
        }

    @classmethod
    def from_config(cls, config):
        """Return a new layer; one that was adapted has `num_bins` and the boundaries."""
        config = dict(config)
        adapted = config.get("num_bins") is not None and config.get("bin_boundaries") is not None
        boundaries = config.pop("bin_boundaries") if adapted else None
        layer = cls(**config)
        if adapted:
            layer.bin_boundaries = boundaries
        return layer


def summarize(values, epsilon):
    """Return quantiles of `values` and the number of values each stands for, as an array of two rows.

    Args:
        values: Array of numbers.
        epsilon: One part in `1 / epsilon` is kept.
    """
    ordered = np.sort(values.reshape(-1))
    spacing = ordered.size * epsilon
    kept = ordered[int(max(spacing - 1.0, 0.0)) :: int(max(spacing, 1.0))]
    return np.stack([kept, np.full_like(kept, max(spacing, 1.0))])


def compress(summary, epsilon):
    """Return a summary with `1 / epsilon` quantiles, between those of `summary`.

    One that has fewer stays as it is.
    """
    if summary.shape[1] * epsilon < 1:
        return summary
    fractions = epsilon + np.arange(0.0, 1.0, epsilon)
    total = np.cumsum(summary[1])
    quantiles = np.interp(fractions, total / total[-1], summary[0])
    reached = np.interp(fractions, total / total[-1], total)
    return np.stack([quantiles, np.diff(reached, prepend=0.0)]).astype("float32")
