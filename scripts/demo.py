"""Train a CNN on handwritten digits, save and reload it, and draw what it learned: `python scripts/demo.py`.

Makes the repository's environment on the first run. Writes into `demo_output/`, or the folder given
with `--output`. Exits with 1 when test accuracy is below 97 % or the reloaded model predicts otherwise.
"""

import environment

environment.enter("demo")  # from here on, this runs in .venv

import argparse
import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
import torch
from matplotlib import pyplot as plt

import torchkeras_lite as keras

sys.path.insert(0, str(environment.ROOT / "examples"))
from digits_cnn import load_data, make_model

REQUIRED_ACCURACY = 0.97


def main():
    parser = argparse.ArgumentParser(description="Train a CNN on scikit-learn's handwritten digits.")
    parser.add_argument("--output", type=Path, default=environment.ROOT / "demo_output")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)

    keras.utils.set_random_seed(0)
    x_train, x_test, y_train, y_test = load_data()
    model = make_model()
    model.summary()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    begin = time.perf_counter()
    history = model.fit(x_train, y_train, epochs=15, batch_size=32, validation_split=0.1).history
    seconds = time.perf_counter() - begin
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    predictions = model.predict(x_test, verbose=0)

    weights = output / "weights.pt"
    torch.save(model.state_dict(), weights)
    reloaded = make_model()
    reloaded.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    difference = float(np.abs(reloaded.predict(x_test, verbose=0) - predictions).max())

    draw_curves(history, output / "curves.png")
    draw_predictions(x_test, y_test, predictions, output / "predictions.png")

    same = difference <= 1e-6
    good = accuracy >= REQUIRED_ACCURACY
    print()
    print(f"trained      {len(x_train)} images, {len(history['loss'])} epochs, {seconds:.1f} s")
    print(f"test         {len(x_test)} images, loss {loss:.4f}")
    print(f"accuracy     {accuracy:.2%}, at least {REQUIRED_ACCURACY:.0%} needed: {verdict(good)}")
    print(f"reloaded     largest difference of predictions {difference:.1e}: {verdict(same)}")
    for name in ("weights.pt", "curves.png", "predictions.png"):
        print(f"written      {output / name}")
    return 0 if good and same else 1


def verdict(passed):
    return "ok" if passed else "FAILED"


def draw_curves(history, path):
    """Loss and accuracy by epoch, training beside validation."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    epochs = range(1, len(history["loss"]) + 1)
    for ax, name in zip(axes, ("loss", "accuracy"), strict=True):
        ax.plot(epochs, history[name], label="training")
        ax.plot(epochs, history[f"val_{name}"], label="validation")
        ax.set(title=name.capitalize(), xlabel="epoch")
        ax.grid(alpha=0.3)
        ax.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_predictions(images, labels, predictions, path):
    """A grid of test images with the predicted digit and its probability, wrong ones first and in red."""
    predicted = predictions.argmax(-1)
    order = np.argsort(predicted == labels, kind="stable")[:40]
    figure, axes = plt.subplots(5, 8, figsize=(10, 7.5), layout="constrained")
    for ax, index in zip(axes.flat, order, strict=True):
        right = predicted[index] == labels[index]
        title = f"{predicted[index]}  ({predictions[index].max():.0%})" + (
            "" if right else f", is {labels[index]}"
        )
        ax.imshow(images[index, ..., 0], cmap="gray_r")
        ax.set_title(title, color="black" if right else "crimson", fontsize=9)
        ax.set_axis_off()
    figure.suptitle(f"Predictions on test images; {np.sum(predicted != labels)} of {len(labels)} are wrong")
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
