"""Functional model with two inputs and two outputs: support tickets get a priority and a department.

A ticket is a set of word counts and a vector of facts about the customer. The data is made here:
the priority is a number that follows from both, the department a class that the words decide.

Run: python examples/two_inputs_two_outputs.py [--quick]
"""

import sys

import numpy as np

import torchkeras_lite as keras
from torchkeras_lite import layers

WORDS, FACTS, DEPARTMENTS = 50, 6, 4


def make_data(samples):
    rng = np.random.default_rng(0)
    words = rng.poisson(0.5, (samples, WORDS)).astype("float32")
    facts = rng.normal(size=(samples, FACTS)).astype("float32")
    department = (words @ rng.normal(size=(WORDS, DEPARTMENTS))).argmax(-1)
    urgency = words @ rng.normal(size=(WORDS, 1)) / 10 + facts @ rng.normal(size=(FACTS, 1)) / 2
    priority = (1 / (1 + np.exp(-urgency))).astype("float32")
    return {"words": words, "facts": facts}, {"priority": priority, "department": department}


def make_model():
    words = keras.Input((WORDS,), name="words")
    facts = keras.Input((FACTS,), name="facts")
    text = layers.Dense(64, activation="relu")(words)
    customer = layers.Dense(16, activation="relu")(facts)
    ticket = layers.concatenate([text, customer])
    ticket = layers.Dropout(0.1)(ticket)
    priority = layers.Dense(1, activation="sigmoid", name="priority")(ticket)
    department = layers.Dense(DEPARTMENTS, activation="softmax", name="department")(ticket)
    return keras.Model(
        inputs={"words": words, "facts": facts},
        outputs={"priority": priority, "department": department},
    )


def main(quick=False):
    keras.utils.set_random_seed(0)
    x, y = make_data(2000)
    model = make_model()
    model.summary()
    model.compile(
        optimizer="adam",
        loss={"priority": "mse", "department": "sparse_categorical_crossentropy"},
        loss_weights={"priority": 5.0, "department": 1.0},
        metrics={"priority": ["mae"], "department": ["accuracy"]},
    )
    model.fit(x, y, epochs=8 if quick else 25, validation_split=0.2, verbose=2)

    results = model.evaluate(x, y, verbose=0, return_dict=True)
    for name in sorted(results):
        print(f"{name}: {results[name]:.4f}")
    answers = model.predict({name: values[:1] for name, values in x.items()}, verbose=0)
    print(
        "the first ticket's priority:",
        answers["priority"].round(2),
        "departments:",
        answers["department"].round(2),
    )


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
