"""scikit-learn estimators around models."""

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        "torchkeras_lite.wrappers needs scikit-learn 1.6 or later. Install it: pip install scikit-learn"
    ) from error

from torchkeras_lite.models import Model, clone_model


class _Estimator(BaseEstimator):
    """What the three estimators share.

    Args:
        model: A compiled model, of which each `fit` trains a clone; or a function of `X`, `y` and
            `model_kwargs` that returns a compiled model.
        warm_start: Whether `fit` goes on with the model of the last one.
        model_kwargs: Dict of further arguments of `model`, where that is a function.
        fit_kwargs: Dict of arguments of every `model.fit`; those given to `fit` come first.

    After `fit`, `model_` is the trained model and `history_` what its `fit` returned.
    """

    def __init__(self, model, warm_start=False, model_kwargs=None, fit_kwargs=None):
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def fit(self, X, y, **kwargs):
        """Train the model.

        Args:
            X: Array `(samples, features)`.
            y: Targets, `(samples,)` or `(samples, outputs)`.
            **kwargs: Arguments of `model.fit`.

        Raises:
            RuntimeError: the model is not compiled.
            TypeError: `model` is neither a model nor a function.
        """
        X, y = validate_data(self, X, y, **self._checks())
        target = self._learn_target(y)
        model = self._model_for(X, target)
        if not model.compiled or not model.loss or not model.optimizer:
            raise RuntimeError(
                "Given model needs to be compiled, and have a loss and an optimizer. Call "
                "`model.compile(optimizer=..., loss=...)` on it."
            )
        self.history_ = model.fit(X, target, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def predict(self, X):
        """Return predictions in the form of the targets that `fit` was given."""
        return self._as_target(self._outputs(X))

    def _outputs(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return self.model_.predict(X, verbose=(self.fit_kwargs or {}).get("verbose", 0))

    def _model_for(self, X, y):
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if isinstance(self.model, Model):
            return self.model if self.warm_start else clone_model(self.model)
        if not callable(self.model):
            raise TypeError(
                f"{type(self).__name__}: expected `model` to be a compiled model or a function that "
                "returns one, "
                f"got {self.model!r}."
            )
        return self.model(X=X, y=y, **(self.model_kwargs or {}))

    def _checks(self):
        return {"multi_output": True, "y_numeric": True}

    def _learn_target(self, y):
        """Remember the form of `y` and return what the model is trained on."""
        self._target_ndim = y.ndim
        return y.reshape(-1, 1) if y.ndim == 1 else y

    def _as_target(self, outputs):
        flat = self._target_ndim == 1 and outputs.ndim == 2 and outputs.shape[1] == 1
        return outputs[:, 0] if flat else outputs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags


class SKLearnClassifier(ClassifierMixin, _Estimator):
    """A classifier: its model is trained on one-hot targets, whatever the labels are.

    Args:
        model, warm_start, model_kwargs, fit_kwargs: A compiled model (each `fit` trains a clone) or a
            function of `X`, `y` that returns one; whether `fit` goes on with the last model; further
            arguments of that function; and of every `model.fit`.

    Source: Keras 3 `keras.wrappers.SKLearnClassifier`. Differs from Keras: `predict_proba` where the outputs
    are probabilities; `decision_function` of two classes has one value a sample, as scikit-learn's checks and
    scorers want, where Keras returns both outputs; predictions show no progress bar.
    """

    def decision_function(self, X):
        """Return the outputs of the model, one column a class.

        Of two classes, return the second's outputs less the first's: above 0 means the second class, which is
        what scorers such as `roc_auc` read.
        """
        outputs = self._outputs(X)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[-1] == 2 else outputs

    def predict_proba(self, X):
        """Return the probabilities of the classes.

        Raises:
            ValueError: the outputs are no probabilities; end the model with a softmax.
        """
        outputs = self._outputs(X)
        if not (np.all(outputs >= 0) and np.allclose(outputs.sum(-1), 1, atol=1e-3)):
            raise ValueError(
                "predict_proba: the outputs of the model are no probabilities. End it with a softmax, or use "
                "`decision_function`."
            )
        return outputs

    def _checks(self):
        return {}

    def _learn_target(self, y):
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if kind not in ("binary", "multiclass"):
            raise ValueError(
                f"Only binary and multiclass target types are supported. Target type: {kind}. Use a model of "
                "your own for several outputs."
            )
        self.classes_, numbers = np.unique(y, return_inverse=True)
        return np.eye(len(self.classes_), dtype="float32")[numbers]

    def _as_target(self, outputs):
        return self.classes_[np.argmax(outputs, axis=-1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


class SKLearnRegressor(RegressorMixin, _Estimator):
    """A regressor with one or more outputs.

    Args:
        model, warm_start, model_kwargs, fit_kwargs: See `SKLearnClassifier`.

    Source: Keras 3 `keras.wrappers.SKLearnRegressor`. Differs from Keras: predictions are float64, as those
    of scikit-learn's regressors.
    """

    def _as_target(self, outputs):
        return super()._as_target(outputs).astype("float64")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        tags.target_tags.multi_output = True
        return tags


class SKLearnTransformer(TransformerMixin, _Estimator):
    """A transformer: `transform` gives the outputs of the model.

    Args:
        model, warm_start, model_kwargs, fit_kwargs: See `SKLearnClassifier`.

    Source: Keras 3 `keras.wrappers.SKLearnTransformer`.
    """

    def transform(self, X):
        """Return the outputs of the model, `(samples, outputs)`."""
        return self._outputs(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.required = True
        return tags
