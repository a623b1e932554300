"""Text classification: from which chapter of Python's own manual does a passage come?

The texts are those of `help()`, in `pydoc_data.topics` of the standard library. `TextVectorization` is a
layer of the model, so the model takes plain strings.

Run: python examples/text_classification.py [--quick]
"""

import sys
from pydoc_data.topics import topics

import numpy as np

import torchkeras_lite as keras
from torchkeras_lite import layers

CHAPTERS = ("debugger", "formatstrings", "import", "string-methods", "typesmapping", "execmodel")
WORDS = 25  # a passage


def load_data():
    """Passages as strings and the numbers of their chapters, training and test data apart."""
    texts, labels = [], []
    for number, chapter in enumerate(CHAPTERS):
        words = topics[chapter].split()
        passages = [" ".join(words[i : i + WORDS]) for i in range(0, len(words) - WORDS, WORDS)]
        texts += passages
        labels += [number] * len(passages)
    order = np.random.default_rng(0).permutation(len(texts))
    texts, labels = np.array(texts)[order], np.array(labels)[order]
    cut = len(texts) * 3 // 4
    return (texts[:cut], labels[:cut]), (texts[cut:], labels[cut:])


def main(quick=False):
    keras.utils.set_random_seed(0)
    (x_train, y_train), (x_test, y_test) = load_data()
    vectorize = layers.TextVectorization(max_tokens=4000, output_sequence_length=WORDS)
    vectorize.adapt(x_train)
    model = keras.Sequential(
        [
            keras.Input((), dtype="string"),
            vectorize,
            layers.Embedding(4000, 48, mask_zero=True),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.3),
            layers.Dense(len(CHAPTERS), activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(1e-2), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(x_train, y_train, epochs=8 if quick else 20, validation_split=0.1, verbose=2)

    results = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
    passage = "Set a breakpoint, step into the next line of the current function and print the stack trace."
    probabilities = model.predict(np.array([passage]), verbose=0)[0]
    print(f"a passage about breakpoints: {CHAPTERS[probabilities.argmax()]}")
    print(f"test accuracy: {results['accuracy']:.4f}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
