"""A text classifier as an ONNX file, run by onnxruntime on batches and texts of any size.

Run: python examples/export_onnx.py [--quick]    (needs: pip install "torchkeras_lite[onnx]")
"""

import os
import sys
import tempfile

import numpy as np

try:
    import onnxruntime
except ImportError:
    sys.exit('This example runs an ONNX file. Install what it needs: pip install "torchkeras_lite[onnx]"')

import torchkeras_lite as keras
from torchkeras_lite import layers

WORDS = 50


def make_texts(count, steps):
    """Return texts of words 1 to 49, ended by padding (0), and whether word 7 comes before word 3."""
    generator = np.random.default_rng(0)
    texts = generator.integers(8, WORDS, (count, steps))
    lengths = generator.integers(steps // 2, steps + 1, count)
    places = np.array([generator.permutation(length)[:2] for length in lengths])
    rows = np.arange(count)
    texts[rows, places[:, 0]], texts[rows, places[:, 1]] = 7, 3
    texts[np.arange(steps) >= lengths[:, None]] = 0
    return texts.astype("int32"), (places[:, 0] < places[:, 1]).astype("float32")


def make_model():
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(WORDS, 16, mask_zero=True)(tokens)
    x = layers.Bidirectional(layers.LSTM(16))(x)
    return keras.Model(tokens, layers.Dense(1, activation="sigmoid", name="before")(x))


def main(quick=False):
    keras.utils.set_random_seed(0)
    texts, targets = make_texts(3000, 12)
    model = make_model()
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    model.fit(texts[:2500], targets[:2500], epochs=5 if quick else 8, verbose=2)

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "classifier.onnx")
        model.export(path, verify=True)  # runs the file, too, and compares
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        print("inputs:", [(one.name, one.shape) for one in session.get_inputs()])
        (found,) = session.run(None, {"tokens": texts[2500:]})
        (one,) = session.run(None, {"tokens": texts[2500:2501, :9]})  # another batch, other lengths
    np.testing.assert_allclose(found, model.predict(texts[2500:], verbose=0), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(one, model.predict(texts[2500:2501, :9], verbose=0), rtol=1e-3, atol=1e-4)
    accuracy = ((found[:, 0] > 0.5) == targets[2500:]).mean()
    print(f"test accuracy in onnxruntime: {accuracy:.3f}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
