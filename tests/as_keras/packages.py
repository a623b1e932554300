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
assert min(visualkeras.graph_view(model).size) > 50
"""

# Prints numbers, which are compared with those under real Keras.
keras_hub = """
import json, os, tempfile
import keras, keras_hub, numpy as np
from keras_hub import layers, models, samplers, tokenizers
numbers = {}

def show(name, values):
    values = values if isinstance(values, dict) else {"": values}
    for key in sorted(values):
        value = values[key]
        value = value.detach() if hasattr(value, "detach") else value
        numbers[f"{name} {key}"] = np.asarray(value, "float64").ravel().tolist()

def filled(model):
    rng = np.random.default_rng(2)
    for variable in model.weights:
        if "float" in str(variable.dtype):
            values = rng.normal(0, 0.3, variable.shape)
            variable.assign(np.abs(values) + 0.5 if "variance" in variable.path else values)
    return model

text = {
    "token_ids": np.array([[1, 5, 7, 0, 0, 0, 0, 0], [2, 3, 0, 0, 0, 0, 0, 0]]),
    "padding_mask": np.array([[1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0]]),
}
segments = {**text, "segment_ids": np.zeros((2, 8), int)}
pairs = {f"{side}_{key}": value for side in ("encoder", "decoder") for key, value in text.items()}
images = np.random.default_rng(0).random((2, 32, 32, 3)).astype("float32")
sizes = dict(vocabulary_size=30, num_layers=2, hidden_dim=8, intermediate_dim=16)
heads = dict(num_heads=2, max_sequence_length=10, dropout=0.0)
grouped = dict(num_query_heads=2, num_key_value_heads=1)

def gpt2():
    return filled(models.GPT2CausalLM(models.GPT2Backbone(**sizes, **heads), preprocessor=None))

show("bert", filled(models.BertBackbone(**sizes, **heads)).predict(segments, verbose=0))
show("llama", filled(models.LlamaBackbone(**sizes, **grouped)).predict(text, verbose=0))
show("gemma", filled(models.GemmaBackbone(**sizes, **grouped, head_dim=4)).predict(text, verbose=0))
show("bart", filled(models.BartBackbone(**sizes, **heads)).predict(pairs, verbose=0))
whisper = models.WhisperBackbone(
    **sizes, num_heads=2, max_encoder_sequence_length=6, max_decoder_sequence_length=8
)
features = np.random.default_rng(0).random((2, 5, 80)).astype("float32")
show("whisper", filled(whisper).predict(
    {"encoder_features": features, "decoder_token_ids": text["token_ids"],
     "decoder_padding_mask": text["padding_mask"]}, verbose=0))
vit = models.ViTBackbone((32, 32, 3), 16, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=16)
classifier = models.ViTImageClassifier(vit, num_classes=3, preprocessor=None)
show("vit", filled(classifier).predict(images, verbose=0))

for sampler in ("greedy", "contrastive", samplers.BeamSampler(num_beams=2)):
    model = gpt2()
    model.compile(sampler=sampler)
    show(f"generate {type(sampler).__name__ + str(sampler)[:8]}", model.generate(text, stop_token_ids=None))
show("score", gpt2().score(text["token_ids"], text["padding_mask"]))

model = gpt2()
model.compile(
    keras.optimizers.Adam(1e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    weighted_metrics=[keras_hub.metrics.Perplexity(from_logits=True)],
)
targets = np.roll(text["token_ids"], -1, 1)
history = model.fit(text, targets, 2, epochs=3, verbose=0, sample_weight=text["padding_mask"])
show("fit", history.history)

with tempfile.TemporaryDirectory() as folder:
    model = gpt2()
    model.backbone.enable_lora(2)
    filled(model)
    show("lora", model.predict(text, verbose=0))
    model.backbone.save_lora_weights(os.path.join(folder, "a.lora.h5"))
    model = gpt2()
    model.backbone.load_lora_weights(os.path.join(folder, "a.lora.h5"))
    show("lora file", model.predict(text, verbose=0))
    backbone = gpt2().backbone
    backbone.save_to_preset(os.path.join(folder, "preset"))
    show("preset", models.Backbone.from_preset(os.path.join(folder, "preset")).predict(text, verbose=0))

words = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]", "the", "qu", "##ick", "fox"]
preprocessor = models.BertTextClassifierPreprocessor(models.BertTokenizer(words), sequence_length=8)
show("preprocessed", preprocessor(["the quick fox", "fox"]))
classifier = models.BertTextClassifier(
    models.BertBackbone(**sizes, **heads), num_classes=2, preprocessor=preprocessor, dropout=0.0
)
show("trained", filled(classifier).fit(["the quick fox", "fox"], [0, 1], 2, epochs=2, verbose=0).history)
show("classified", classifier.predict(["the fox"], verbose=0))
pieces = tokenizers.BytePairTokenizer({"a": 0, "b": 1, "ab": 2}, merges=["a b"], sequence_length=4)
show("pieces", pieces(["ab", "aab"]))
print("numbers", json.dumps(numbers))
"""

autokeras = """
import autokeras, keras, numpy as np, tempfile
from sklearn.datasets import load_digits
keras.utils.set_random_seed(0)
x, y = load_digits(return_X_y=True)
x = x.reshape(-1, 8, 8, 1)[:300]
with tempfile.TemporaryDirectory() as folder:
    search = autokeras.ImageClassifier(max_trials=1, directory=folder, seed=0)
    search.fit(x, y[:300], epochs=2, verbose=0)
    assert search.evaluate(x, y[:300], verbose=0)[1] > 0.5
    model = search.export_model()
    model.save(f"{folder}/model.keras")
    again = keras.saving.load_model(f"{folder}/model.keras", autokeras.CUSTOM_OBJECTS)
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
"""

keras_rs = """
import json
import keras, keras_rs, numpy as np
from keras_rs import layers, losses, metrics
numbers = {}

def show(name, *values):
    for place, value in enumerate(values):
        value = value.detach() if hasattr(value, "detach") else value
        numbers[f"{name} {place}"] = np.asarray(value, "float64").ravel().tolist()

def filled(model):
    rng = np.random.default_rng(2)
    for variable in model.weights:
        variable.assign(rng.normal(0, 0.3, variable.shape))
    return model

rng = np.random.default_rng(0)
x, scores = rng.normal(size=(6, 4)).astype("float32"), rng.normal(size=(4, 5)).astype("float32")
relevance = rng.integers(0, 3, (4, 5)).astype("float32")
hit = (relevance > 0).astype("float32")
show("dot", layers.DotInteraction()([x, x * 2, x + 1]))
cross = keras.Sequential([keras.Input((4,)), layers.FeatureCross(projection_dim=2), keras.layers.Dense(1)])
show("cross", filled(cross).predict(x, verbose=0))
show("retrieval", *layers.BruteForceRetrieval(candidate_embeddings=x[::-1].copy(), k=3)(x))
show("negatives", *layers.HardNegativeMining(2)(scores, np.eye(4, 5, dtype="float32")))
show("hits", layers.RemoveAccidentalHits()(scores[:, :4], np.eye(4, dtype="float32"), np.array([1, 2, 1, 4])))
for kind in (losses.PairwiseHingeLoss, losses.PairwiseMeanSquaredError, losses.ListMLELoss):
    show(kind.__name__, kind()(relevance, scores))
for kind in (metrics.NDCG, metrics.MeanReciprocalRank, metrics.PrecisionAtK):
    show(kind.__name__, kind(k=3)(relevance if kind is metrics.NDCG else hit, scores))
table = layers.TableConfig("t", 10, 4, initializer="ones")
feature = layers.FeatureConfig("f", table, (4,), (4, 4))
show("table", layers.DistributedEmbedding(feature)(np.ones((4, 1), int)))

class TwoTowers(keras.Model):
    def __init__(self):
        super().__init__()
        self.queries = layers.EmbedReduce(10, 4, combiner="sum")
        self.candidates = keras.layers.Embedding(20, 4)
        self.loss_fn = keras.losses.CategoricalCrossentropy(from_logits=True)

    def call(self, inputs):
        return {"query": self.queries(inputs["query"]), "candidate": self.candidates(inputs["candidate"])}

    def compute_loss(self, x, y, y_pred, sample_weight, training=True):
        scores = keras.ops.matmul(y_pred["query"], keras.ops.transpose(y_pred["candidate"]))
        return self.loss_fn(keras.ops.eye(keras.ops.shape(scores)[0]), scores)

model, data = TwoTowers(), {"query": np.arange(20).reshape(10, 2) % 10, "candidate": np.arange(10)}
model(data)
filled(model).compile(keras.optimizers.Adam(0.1))
show("training", model.fit(data, epochs=4, batch_size=10, verbose=0, shuffle=False).history["loss"])
print("numbers", json.dumps(numbers))
"""
