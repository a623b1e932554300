"""What packages made for Keras are asked to do; each is a program of its own, by the package's name."""

keras_tuner = """
import keras, keras_tuner, numpy as np, tempfile
keras.utils.set_random_seed(0)

def build(hp):
    units, activation = hp.Int("units", 4, 16, step=4), hp.Choice("activation", ["relu", "tanh"])
    model = keras.Sequential([keras.layers.Dense(units, activation=activation), keras.layers.Dense(1)])
    rate = hp.Float("lr", 1e-3, 1e-1, sampling="log")
    model.compile(keras.optimizers.Adam(rate), "mse", metrics=["mae"])
    return model

x = np.random.default_rng(0).normal(size=(128, 3)).astype("float32")
y = x.sum(1, keepdims=True)
with tempfile.TemporaryDirectory() as folder:
    for kind, options in (
        (keras_tuner.RandomSearch, {"max_trials": 3}),
        (keras_tuner.Hyperband, {"max_epochs": 3}),
        (keras_tuner.BayesianOptimization, {"max_trials": 3}),
    ):
        tuner = kind(build, "val_loss", directory=folder, project_name=kind.__name__, seed=0, **options)
        tuner.search(x, y, epochs=3, validation_split=0.25, verbose=0)
        best = tuner.get_best_models(1)[0]
        assert best.evaluate(x, y, verbose=0)[0] < 6
        assert best.layers[0].units == tuner.get_best_hyperparameters()[0].get("units")
"""

scikeras = """
import pickle
import keras
from scikeras.wrappers import KerasClassifier
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, KFold

def build(meta, hidden=8):
    return keras.Sequential([
        keras.Input((meta["n_features_in_"],)),
        keras.layers.Dense(hidden, activation="relu"),
        keras.layers.Dense(meta["n_classes_"], activation="softmax"),
    ])

x, y = load_iris(return_X_y=True)
keras.utils.set_random_seed(0)  # `random_state` of scikeras seeds TensorFlow alone
classifier = KerasClassifier(
    build, loss="sparse_categorical_crossentropy", optimizer="adam", optimizer__learning_rate=0.05,
    epochs=15, verbose=0, random_state=0,
)
folds = KFold(3, shuffle=True, random_state=0)
search = GridSearchCV(classifier, {"model__hidden": [1, 12]}, cv=folds).fit(x, y)
assert search.best_params_ == {"model__hidden": 12} and search.best_score_ > 0.8, search.cv_results_
again = pickle.loads(pickle.dumps(search.best_estimator_))
assert (again.predict(x) == search.predict(x)).all()
"""

tcn = """
import keras, numpy as np
from tcn import TCN
keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(256, 20, 1)).astype("float32")
y = x[:, -3:].sum(1)
block = TCN(nb_filters=16, kernel_size=3, dilations=(1, 2, 4), use_skip_connections=True)
model = keras.Sequential([keras.Input((20, 1)), block, keras.layers.Dense(1)])
assert model.count_params() == 4033  # real Keras's
model.compile("adam", "mse")
losses = model.fit(x, y, epochs=12, verbose=0).history["loss"]
assert losses[-1] < 0.1 * losses[0], losses
"""

bayesflow = """
import keras, numpy as np, bayesflow
keras.utils.set_random_seed(0)
simulator = bayesflow.make_simulator([
    lambda: {"theta": np.random.normal(size=2)},
    lambda theta: {"x": theta + np.random.normal(scale=0.3, size=(5, 2))},
])
workflow = bayesflow.BasicWorkflow(
    simulator=simulator,
    inference_network=bayesflow.networks.CouplingFlow(depth=2),
    summary_network=bayesflow.networks.DeepSet(),
    inference_variables=["theta"],
    summary_variables=["x"],
)
history = workflow.fit_online(epochs=3, batch_size=32, num_batches_per_epoch=15, verbose=0)
assert history.history["loss"][-1] < history.history["loss"][0]
assert workflow.sample(conditions=simulator.sample(3), num_samples=10)["theta"].shape == (3, 10, 2)
"""

shap = """
import keras, numpy as np, shap, torch
keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
parts = [keras.Input((4,)), keras.layers.Dense(8), keras.layers.ReLU(), keras.layers.Dense(1)]
model = keras.Sequential(parts)
model.compile("adam", "mse")
model.fit(x, x[:, :1], epochs=3, verbose=0)
expected = model.predict(x[:5], verbose=0) - model.predict(x[:50], verbose=0).mean()
explained = shap.DeepExplainer(model, torch.tensor(x[:50])).shap_values(torch.tensor(x[:5]))
np.testing.assert_allclose(np.asarray(explained).sum(1), expected, atol=1e-5)
explained = shap.GradientExplainer(model, torch.tensor(x[:50])).shap_values(torch.tensor(x[:5]))
assert np.asarray(explained).shape == (5, 4, 1)
"""

visualkeras = """
import keras, visualkeras
layers = keras.layers
model = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.Conv2D(8, 3), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(10)]
)
assert min(visualkeras.layered_view(model).size) > 50
"""
