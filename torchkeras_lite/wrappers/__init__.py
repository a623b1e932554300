"""Models as scikit-learn estimators: in pipelines, grid searches and cross-validation."""

from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.wrappers.sklearn import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]

__getattr__ = old_members(__name__)
