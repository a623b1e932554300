"""`keras.wrappers.scikit_learn` of Keras 2, in cross-validation and grid searches."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import torchkeras_lite as tk
from torchkeras_lite.legacy.scikit_learn import KerasClassifier, KerasRegressor


@pytest.fixture(autouse=True)
def seed():
    tk.utils.set_random_seed(0)


def classifier(units=8, loss="categorical_crossentropy"):
    model = tk.Sequential([tk.layers.Dense(units, "relu"), tk.layers.Dense(3, "softmax")])
    model.compile(loss=loss, optimizer=tk.optimizers.Adam(0.05), metrics=["accuracy"])
    return model


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_classes_of_any_kind(loss):
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    estimator = KerasClassifier(build_fn=classifier, loss=loss, epochs=10, batch_size=16, verbose=0)
    history = estimator.fit(x, names)
    assert len(history.history["loss"]) == 10
    assert np.mean(estimator.predict(x) == names) > 0.9
    assert estimator.score(x, names) == pytest.approx(np.mean(estimator.predict(x) == names))
    assert estimator.predict_proba(x).shape == (150, 3)


def test_cross_validation_and_grid_search():
    x, y = load_iris(return_X_y=True)
    estimator = KerasClassifier(build_fn=classifier, epochs=8, batch_size=16, verbose=0)
    scores = cross_val_score(estimator, x, y, cv=KFold(3, shuffle=True, random_state=0))
    assert scores.mean() > 0.8
    grid = GridSearchCV(estimator, {"units": [1, 12], "epochs": [6]}, cv=3)
    grid.fit(x, y)
    assert grid.best_params_ == {"units": 12, "epochs": 6}
    assert clone(estimator).get_params() == estimator.get_params()


def test_binary_outputs_and_a_class_of_ones_own():
    class Own(KerasClassifier):
        def __call__(self, units=4):
            model = tk.Sequential([tk.layers.Dense(units, "relu"), tk.layers.Dense(1, "sigmoid")])
            model.compile(loss="binary_crossentropy", optimizer=tk.optimizers.Adam(0.05), metrics=["acc"])
            return model

    x, y = load_iris(return_X_y=True)
    estimator = Own(units=6, nb_epoch=8, verbose=0)
    estimator.fit(x, (y > 0).astype(int))
    assert estimator.predict_proba(x).shape == (150, 2)
    np.testing.assert_allclose(estimator.predict_proba(x).sum(1), 1, rtol=1e-6)
    assert estimator.score(x, (y > 0).astype(int)) > 0.9


def test_regression_in_a_pipeline():
    def regressor():
        model = tk.Sequential([tk.layers.Dense(16, "relu"), tk.layers.Dense(1)])
        model.compile(loss="mean_squared_error", optimizer=tk.optimizers.Adam(0.02))
        return model

    x, y = load_diabetes(return_X_y=True)
    estimator = KerasRegressor(build_fn=regressor, epochs=20, batch_size=32, verbose=0)
    pipeline = Pipeline([("standardize", StandardScaler()), ("mlp", estimator)])
    pipeline.fit(x, y / 100)
    assert pipeline.predict(x).shape == (442,)
    assert pipeline.score(x, y / 100) == pytest.approx(
        -np.mean((pipeline.predict(x) - y / 100) ** 2), rel=1e-4
    )
    assert pipeline.score(x, y / 100) > -np.var(y / 100)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"'unitz' is no argument of `build_fn`.*'units'"):
        KerasClassifier(build_fn=classifier, unitz=3)
    estimator = KerasClassifier(build_fn=classifier, epochs=1, verbose=0)
    with pytest.raises(ValueError, match="Invalid shape for y"):
        estimator.fit(np.ones((2, 2)), np.ones((2, 2, 2)))
