"""scikit-learn's own checks, and pipelines, searches and pickles of the wrapped models."""

import pickle

import numpy as np
import pytest
import sklearn.base
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import torchkeras_lite
from torchkeras_lite import layers
from torchkeras_lite.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

QUIET = {"verbose": 0, "epochs": 4}


def network(X, y, loss, units=8, activation="linear"):
    """Return a compiled model; seeded, because scikit-learn compares estimators that were fitted alike."""
    torchkeras_lite.utils.set_random_seed(0)
    outputs = 1 if y.ndim == 1 else y.shape[1]
    model = torchkeras_lite.Sequential(
        [torchkeras_lite.Input((X.shape[1],)), layers.Dense(units, "relu"), layers.Dense(outputs, activation)]
    )
    model.compile(torchkeras_lite.optimizers.Adam(0.05), loss)
    return model


def classifier(**kwargs):
    settings = {"loss": "categorical_crossentropy", "activation": "softmax"}
    return SKLearnClassifier(network, model_kwargs=settings, **({"fit_kwargs": QUIET} | kwargs))


ESTIMATORS = [
    classifier(),
    SKLearnRegressor(network, model_kwargs={"loss": "mse"}, fit_kwargs=QUIET),
    SKLearnTransformer(network, model_kwargs={"loss": "mse"}, fit_kwargs=QUIET),
]
CHECKS = [pair for estimator in ESTIMATORS for pair in estimator_checks_generator(estimator)]
# Names of their own: scikit-learn's hold the addresses of functions.
CHECK_NAMES = [
    f"{type(estimator).__name__}-{check.func.__name__}-{number}"
    for number, (estimator, check) in enumerate(CHECKS)
]


@pytest.mark.filterwarnings("ignore:You are using a softmax", "ignore:categorical_crossentropy")
@pytest.mark.parametrize(("estimator", "check"), CHECKS, ids=CHECK_NAMES)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


X, LABELS = make_classification(60, 6, random_state=0)
NAMES = np.array(["no", "yes"])[LABELS]


def test_classes_of_any_kind():
    fitted = classifier().fit(X, NAMES, epochs=60)
    assert set(fitted.predict(X)) <= {"no", "yes"}
    assert fitted.score(X, NAMES) > 0.8
    assert len(fitted.history_.history["loss"]) == 60
    np.testing.assert_allclose(fitted.predict_proba(X).sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(np.where(fitted.decision_function(X) > 0, "yes", "no"), fitted.predict(X))
    scores = cross_val_score(classifier(), X, NAMES, cv=2, scoring="roc_auc")  # reads decisions
    assert (scores > 0.7).all()


def test_a_model_is_cloned_unless_it_is_warm():
    model = network(X, np.zeros((60, 2)), "categorical_crossentropy", activation="softmax")
    before = model.get_weights()
    cold = SKLearnClassifier(model, fit_kwargs=QUIET).fit(X, LABELS)
    assert cold.model_ is not model
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    warm = SKLearnClassifier(model, warm_start=True, fit_kwargs=QUIET).fit(X, LABELS)
    assert warm.fit(X, LABELS).model_ is model


def test_pipelines_searches_and_pickles():
    pipeline = make_pipeline(StandardScaler(), classifier())
    assert len(cross_val_score(pipeline, X, NAMES, cv=2)) == 2
    search = GridSearchCV(classifier(), {"fit_kwargs": [QUIET, {"verbose": 0, "epochs": 1}]}, cv=2).fit(
        X, NAMES
    )
    read = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_allclose(read.predict_proba(X), search.best_estimator_.predict_proba(X), rtol=1e-5)
    assert sklearn.base.clone(read).get_params()["fit_kwargs"] == read.fit_kwargs


def test_regressors_and_transformers():
    inputs, targets = make_regression(40, 3, n_targets=2, random_state=0)
    regressor = SKLearnRegressor(network, model_kwargs={"loss": "mse"}, fit_kwargs=QUIET)
    assert regressor.fit(inputs, targets).predict(inputs).shape == (40, 2)
    assert regressor.fit(inputs, targets[:, 0]).predict(inputs).shape == (40,)
    transformer = SKLearnTransformer(network, model_kwargs={"loss": "mse"}, fit_kwargs=QUIET)
    assert transformer.fit(X, LABELS.astype(float)).transform(X).shape == (60, 1)
    assert make_pipeline(transformer, LogisticRegression()).fit(X, LABELS).predict(X).shape == (60,)


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        (3, TypeError, "expected `model` to be a compiled model or a function"),
        (lambda X, y: torchkeras_lite.Sequential([layers.Dense(1)]), RuntimeError, "needs to be compiled"),
    ],
    ids=["number", "not compiled"],
)
def test_refusals(model, kind, message):
    with pytest.raises(kind, match=message):
        SKLearnRegressor(model).fit(X, LABELS)


def test_labels_of_other_kinds_are_refused():
    with pytest.raises(ValueError, match="Unknown label type"):
        classifier().fit(X, X[:, 0])
    with pytest.raises(ValueError, match="are no probabilities"):
        SKLearnClassifier(network, model_kwargs={"loss": "mse"}, fit_kwargs=QUIET).fit(
            X, LABELS
        ).predict_proba(X)
