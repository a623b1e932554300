"""Features: what an architecture finds in images, read at several depths by a linear classifier.

Even untrained convolutions tell digits apart; `--imagenet` takes trained ones, which are downloaded once.

Run: python examples/feature_extraction.py [--quick] [--imagenet]
"""

import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import torchkeras_lite as keras
from torchkeras_lite.applications.vgg16 import VGG16, preprocess_input

DEPTHS = ("block1_pool", "block2_pool", "block3_pool", "block4_pool")


def load_images(count):
    """Digits as grey images of 32x32 pixels with values from 0 to 255, and their classes."""
    x, y = load_digits(return_X_y=True)
    x = np.kron(x.reshape(-1, 8, 8), np.ones((4, 4))) * (255 / 16)
    return np.repeat(x[:count, :, :, None], 3, axis=-1).astype("float32"), y[:count]


def build_extractor(weights):
    """One model with an output for each depth: the maxima in the quarters of the image."""
    base = VGG16(include_top=False, weights=weights, input_shape=(32, 32, 3))
    outputs = {}
    for name in DEPTHS:
        features = base.get_layer(name).output
        pooled = keras.layers.AdaptiveMaxPooling2D(2)(features)
        outputs[name] = keras.layers.Flatten()(pooled)
    return keras.Model(base.input, outputs)


def main(quick=False, imagenet=False):
    keras.utils.set_random_seed(0)
    x, y = load_images(600 if quick else 1797)
    extractor = build_extractor("imagenet" if imagenet else None)
    features = extractor.predict(preprocess_input(x), batch_size=64, verbose=0)

    scores = {}
    for name in DEPTHS:
        parts = train_test_split(features[name], y, test_size=0.3, random_state=0, stratify=y)
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        scores[name] = classifier.fit(parts[0], parts[2]).score(parts[1], parts[3])
        print(f"{name}: {features[name].shape[1]:4d} features, accuracy {scores[name]:.4f}")
    best = max(scores, key=scores.get)
    print(f"best depth: {best}")
    print(f"test accuracy: {scores[best]:.4f}")


if __name__ == "__main__":
    main("--quick" in sys.argv, "--imagenet" in sys.argv)
