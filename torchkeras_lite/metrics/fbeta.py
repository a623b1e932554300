"""F-scores: harmonic means of precision and recall, for each class or averaged."""

import torch

from torchkeras_lite.base import checks, config
from torchkeras_lite.metrics.metric import Metric
from torchkeras_lite.metrics.tensors import as_pair, as_tensor, check_shapes

AVERAGES = (None, "micro", "macro", "weighted")


class FBetaScore(Metric):
    """Weighted harmonic mean of precision and recall: `(1 + beta^2) p r / (beta^2 p + r)`.

    Args:
        average: `None` gives one score a class, `"micro"` one score of all classes together, `"macro"` the
            mean of the scores, `"weighted"` their mean weighted by how often each class is true.
        beta: Weight of recall, a float > 0.
        threshold: Predictions above it are positive, a float in (0, 1]. `None`: the largest of a row is.

    Shapes:
        `y_true` and `y_pred` `(batch, classes)`; `sample_weight` `(batch,)`; the result `(classes,)` or a
        scalar

    Raises:
        ValueError: arguments of other kinds; inputs of another rank than 2.

    Source: Keras 3 `keras.metrics.FBetaScore`.
    """

    _direction = "up"
    config_arguments: tuple[str, ...] = ("average", "beta", "threshold")

    def __init__(self, average=None, beta=1.0, threshold=None, name="fbeta_score", dtype=None):
        super().__init__(name=name, dtype=dtype)
        if average not in AVERAGES:
            raise ValueError(
                "Invalid `average` argument value. Expected one of: {None, 'micro', 'macro', 'weighted'}. "
                f"Received: average={average}"
            )
        _check_float("beta", beta)
        if beta <= 0.0:
            raise ValueError(f"Invalid `beta` argument value. It should be > 0. Received: beta={beta}")
        if threshold is not None:
            _check_float("threshold", threshold)
            if not 0.0 < threshold <= 1.0:
                raise ValueError(
                    "Invalid `threshold` argument value. It should verify 0 < threshold <= 1. "
                    f"Received: threshold={threshold}"
                )
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self._built = False

    def _build(self, y_true_shape, y_pred_shape):
        classes = check_matrix_shapes(type(self).__name__, y_true_shape, y_pred_shape)
        shape = () if self.average == "micro" else (classes,)
        for name in ("true_positives", "false_positives", "false_negatives", "intermediate_weights"):
            setattr(self, name, self.add_variable(shape, dtype=self.dtype, name=name))
        self._built = True

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch."""
        y_true, y_pred = as_pair(y_true, y_pred, self.torch_dtype)
        if not self._built:
            self._build(tuple(y_true.shape), tuple(y_pred.shape))
        check_shapes(checks.describe(self), y_true, y_pred)
        if self.threshold is None:
            positive = (y_pred >= y_pred.amax(-1, keepdim=True)) & (y_pred.abs() > 1e-9)
        else:
            positive = y_pred > self.threshold
        positive = positive.to(self.torch_dtype)
        weighted = y_true
        if sample_weight is not None:
            weight = as_tensor(sample_weight, self.torch_dtype, y_pred.device).reshape(-1, 1)
            weighted, positive = y_true * weight, positive * weight
        axes = (0, 1) if self.average == "micro" else (0,)
        # `weighted` and `positive` carry the weight already, so that each product below carries it once.
        hits = (positive * y_true).sum(axes)
        actual = weighted.sum(axes)
        self.true_positives.add_scaled(hits)
        self.false_positives.add_scaled(positive.sum(axes) - hits)
        self.false_negatives.add_scaled(actual - hits)
        self.intermediate_weights.add_scaled(actual)

    def result(self):
        """Return the score so far."""
        if not self._built:
            return torch.zeros((), dtype=self.torch_dtype)
        epsilon = config.epsilon()
        hits = self.true_positives.value
        precision = hits / (hits + self.false_positives.value + epsilon)
        recall = hits / (hits + self.false_negatives.value + epsilon)
        square = self.beta**2
        score = precision * recall / (square * precision + recall + epsilon) * (1 + square)
        if self.average == "weighted":
            weights = self.intermediate_weights.value
            return (score * weights / (weights.sum() + epsilon)).sum()
        return score if self.average is None else score.mean()


class F1Score(FBetaScore):
    """Harmonic mean of precision and recall: `FBetaScore` with `beta=1.0`, whose other arguments it takes.

    Source: Keras 3 `keras.metrics.F1Score`.
    """

    config_arguments = ("average", "threshold")

    def __init__(self, average=None, threshold=None, name="f1_score", dtype=None):
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)


def _check_float(argument, value):
    if not isinstance(value, float):
        raise ValueError(
            f"Invalid `{argument}` argument value. It should be a Python float. "
            f"Received: {argument}={value} of type '{type(value)}'"
        )


def check_matrix_shapes(owner, y_true_shape, y_pred_shape):
    """Return the number of columns of two matrices.

    Raises:
        ValueError: other ranks than 2, or an unknown number of columns.
    """
    shapes = f"Received input shapes: y_pred.shape={y_pred_shape} and y_true.shape={y_true_shape}."
    expected = f"{owner} expects 2D inputs with shape (batch_size, output_dim)"
    if len(y_pred_shape) != 2 or len(y_true_shape) != 2:
        raise ValueError(f"{expected}. {shapes} Reshape both to one row a sample.")
    if y_pred_shape[-1] is None or y_true_shape[-1] is None:
        raise ValueError(f"{expected}, with output_dim fully defined (not None). {shapes}")
    return y_pred_shape[-1]
