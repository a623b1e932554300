"""scikit-learn estimators as Keras 1 and 2 had them: `KerasClassifier(build_fn=create_model, epochs=10)`.

Scripts of that time import them from `keras.wrappers.scikit_learn`. New code has `SKLearnClassifier` and
`SKLearnRegressor`, which pass scikit-learn's checks of estimators.
"""

import inspect

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
except ImportError as error:
    raise ImportError(
        "keras.wrappers.scikit_learn needs scikit-learn 1.6 or later. Install it: pip install scikit-learn"
    ) from error

from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.models import Model
from torchkeras_lite.utils import to_categorical

__all__ = ["KerasClassifier", "KerasRegressor"]

instead = "write `keras.wrappers.SKLearnClassifier` and `SKLearnRegressor`, or scikeras"

# Arguments of `fit`, `predict` and `evaluate` may be given to the constructor, too.
_TAKING = (Model.fit, Model.predict, Model.evaluate)


class _BaseWrapper(BaseEstimator):
    """What both estimators share.

    Args:
        build_fn: Function or object that returns a compiled model when it is called; `None` for the
            `__call__` of a subclass.
        **sk_params: Arguments of `build_fn`, and of `fit`, `predict` and `evaluate` of the model. Grid
            searches vary them.

    Raises:
        ValueError: an argument that none of them takes.
    """

    def __init__(self, build_fn=None, **sk_params):
        self.build_fn = build_fn
        self.sk_params = sk_params
        self._check(sk_params)

    def _check(self, params):
        known = {
            name for taking in (*_TAKING, self._builder()) for name in inspect.signature(taking).parameters
        }
        for name in params:
            if name not in known and name != "nb_epoch":
                raise ValueError(
                    f"{type(self).__name__}: {name!r} is no argument of `build_fn`, nor of fit, predict or "
                    f"evaluate{suggestion(name, known)}"
                )

    def _builder(self):
        return type(self).__call__ if self.build_fn is None else self.build_fn

    def get_params(self, deep=True):
        """Return `build_fn` and all that the constructor was given."""
        return {"build_fn": self.build_fn, **self.sk_params}

    def set_params(self, **params):
        """Change arguments; see the constructor."""
        self._check({name: value for name, value in params.items() if name != "build_fn"})
        self.build_fn = params.pop("build_fn", self.build_fn)
        self.sk_params.update(params)
        return self

    def filter_sk_params(self, function, override=None):
        """Return those of the constructor's arguments that `function` takes, and `override`."""
        names = inspect.signature(function).parameters
        return {name: self.sk_params[name] for name in self.sk_params if name in names} | (override or {})

    def fit(self, x, y, **kwargs):
        """Build the model and train it.

        Args:
            x: Array `(samples, features)`.
            y: Targets, `(samples,)` or `(samples, outputs)`.
            **kwargs: Arguments of `model.fit`, before those of the constructor.

        Returns:
            The `History`, as in Keras 2.
        """
        build = self.__call__ if self.build_fn is None else self.build_fn
        self.model = build(**self.filter_sk_params(build))
        y = np.asarray(y)
        if self._wants_categories() and y.ndim != 2:
            y = to_categorical(y)
        arguments = self.filter_sk_params(Model.fit, kwargs)
        if "nb_epoch" in self.sk_params:
            arguments.setdefault("epochs", self.sk_params["nb_epoch"])
        return self.model.fit(x, y, **arguments)

    def _wants_categories(self):
        loss = getattr(self.model.loss, "__name__", self.model.loss)
        return loss == "categorical_crossentropy"

    def __sklearn_is_fitted__(self):
        return hasattr(self, "model")


class KerasClassifier(ClassifierMixin, _BaseWrapper):
    """A model as a classifier of scikit-learn; see the file."""

    def fit(self, x, y, **kwargs):
        """Build the model and train it; classes may be numbers, strings, or rows with a 1.

        Raises:
            ValueError: `y` has another shape.
        """
        y = np.array(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
        elif y.ndim == 1 or y.shape[1:] == (1,):
            self.classes_ = np.unique(y)
            y = np.searchsorted(self.classes_, y)
        else:
            raise ValueError(f"Invalid shape for y: {y.shape}. Expected (samples,) or (samples, classes).")
        self.n_classes_ = len(self.classes_)
        return super().fit(x, y, **kwargs)

    def predict(self, x, **kwargs):
        """Return the class of every sample."""
        return self.classes_[self._numbers(x, **kwargs)]

    def _numbers(self, x, **kwargs):
        outputs = self.model.predict(x, **self.filter_sk_params(Model.predict, kwargs))
        return outputs.argmax(-1) if outputs.shape[-1] > 1 else (outputs > 0.5).astype("int32")

    def predict_proba(self, x, **kwargs):
        """Return the probabilities `(samples, classes)`."""
        outputs = self.model.predict(x, **self.filter_sk_params(Model.predict, kwargs))
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs

    def score(self, x, y, **kwargs):
        """Return the accuracy that `evaluate` computes.

        Raises:
            ValueError: the model was compiled without the metric.
        """
        y = np.searchsorted(self.classes_, np.asarray(y)) if np.ndim(y) == 1 else np.asarray(y)
        if self._wants_categories() and y.ndim != 2:
            y = to_categorical(y, self.n_classes_)
        arguments = self.filter_sk_params(Model.evaluate, kwargs)
        logs = self.model.evaluate(x, y, **{**arguments, "return_dict": True})
        for name in ("accuracy", "acc"):
            if name in logs:
                return logs[name]
        raise ValueError(
            "The model is not configured to compute accuracy. You should pass `metrics=['accuracy']` to "
            "`model.compile()`."
        )


class KerasRegressor(RegressorMixin, _BaseWrapper):
    """A model as a regressor of scikit-learn; see the file."""

    def predict(self, x, **kwargs):
        """Return the predictions, without an axis of size 1."""
        return np.squeeze(self.model.predict(x, **self.filter_sk_params(Model.predict, kwargs)), axis=-1)

    def score(self, x, y, **kwargs):
        """Return the negative loss, so that more is better."""
        arguments = self.filter_sk_params(Model.evaluate, kwargs)
        return -self.model.evaluate(x, y, **{**arguments, "return_dict": True})["loss"]
