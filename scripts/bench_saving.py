"""Saving and loading a model of 200 layers, against real Keras on torch: milliseconds, best of several.

python scripts/bench_saving.py [--layers 200] [--units 64] [--repeat 5]
"""

import argparse
import os
import tempfile
import time

os.environ["KERAS_BACKEND"] = "torch"

import keras
import torch

import torchkeras_lite


def make(package, kind, layers, units):
    """Return a model of `layers` layers, compiled."""
    inputs = x = package.Input((units,))
    for number in range(layers // 2):
        x = package.layers.Dense(units, activation="relu")(x)
        x = package.layers.BatchNormalization()(x)
        if kind == "residual" and number % 2:
            x = package.layers.Add()([x, inputs])
    model = package.Model(inputs, x)
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def best(function, repeat):
    """Return the shortest time of `function()`, in milliseconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=200)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'':28}{'ours':>10}{'Keras':>10}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("plain", "residual"):
            rows = {}
            for package in (torchkeras_lite, keras):
                model = make(package, kind, options.layers, options.units)
                whole = os.path.join(folder, f"{package.__name__}.keras")
                weights = os.path.join(folder, f"{package.__name__}.weights.h5")
                saving = package.saving
                for name, function in {
                    "save": lambda m=model, p=whole: m.save(p),
                    "load": lambda s=saving, p=whole: s.load_model(p),
                    "save_weights": lambda m=model, p=weights: m.save_weights(p),
                    "load_weights": lambda m=model, p=weights: m.load_weights(p),
                }.items():
                    rows.setdefault(name, []).append(best(function, options.repeat))
            for name, (ours, theirs) in rows.items():
                print(f"{kind + ' ' + name:28}{ours:10.1f}{theirs:10.1f}{ours / theirs:8.2f}")


if __name__ == "__main__":
    main()
