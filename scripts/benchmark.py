"""Compare `fit` with a tuned hand-written PyTorch loop: `python scripts/benchmark.py [--rounds N]`.

The loop indexes arrays by a permutation, uses a fused optimizer and never waits for the device inside an
epoch; both sides keep the loss and one metric. Rounds are interleaved, and what is printed is the time of
`fit` divided by that of the loop (median and minimum over the rounds), which machines that drift do not
disturb.
"""

import argparse
import statistics
import time

import environment

ROWS = {"mlp 784-128-10": 6400, "tabular 16-64-32-1": 12800, "cnn 28x28": 1280}


def main():
    import torch

    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    print(f"{'workload':20} {'loop ms/step':>13} {'fit ms/step':>12} {'median':>8} {'minimum':>8}")
    for name, (loop, fit, steps) in workloads().items():
        loop(), fit()
        times = [(clock(loop), clock(fit)) for _ in range(rounds)]
        ratios = [ours / theirs for theirs, ours in times]
        theirs, ours = (min(column) / steps * 1e3 for column in zip(*times, strict=True))
        print(f"{name:20} {theirs:13.3f} {ours:12.3f} {statistics.median(ratios):8.2f} {ours / theirs:8.2f}")


def clock(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def workloads():
    import numpy as np
    from torch import nn
    from torch.nn import functional as F

    from torchkeras_lite import layers, losses

    rng = np.random.default_rng(0)
    crossentropy = losses.SparseCategoricalCrossentropy(from_logits=True)
    flat = rng.standard_normal((ROWS["mlp 784-128-10"], 784)).astype("float32")
    labels = rng.integers(0, 10, len(flat))
    rows = rng.standard_normal((ROWS["tabular 16-64-32-1"], 16)).astype("float32")
    targets = rows.sum(1, keepdims=True)
    images = rng.random((ROWS["cnn 28x28"], 28, 28, 1), dtype="float32")
    digits = rng.integers(0, 10, len(images))
    mlp = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    tabular = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
    convolutions = [nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU()]
    cnn = nn.Sequential(*convolutions, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(800, 10))
    conv = [layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D()]
    conv += [layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()]
    return {
        "mlp 784-128-10": pair(
            mlp,
            [layers.Dense(128, "relu"), layers.Dense(10)],
            flat,
            labels,
            F.cross_entropy,
            crossentropy,
            32,
        ),
        "tabular 16-64-32-1": pair(
            tabular,
            [layers.Dense(64, "relu"), layers.Dense(32, "relu"), layers.Dense(1)],
            rows,
            targets,
            F.mse_loss,
            "mse",
            32,
        ),
        "cnn 28x28": pair(cnn, [*conv, layers.Dense(10)], images, digits, F.cross_entropy, crossentropy, 64),
    }


def pair(net, stack, x, y, torch_loss, loss, batch_size):
    """Return the tuned loop, the same with `fit`, and the number of steps of an epoch."""
    import torch

    import torchkeras_lite as keras

    model = keras.Sequential([keras.Input(x.shape[1:]), *stack])
    model.compile("adam", loss, metrics=["accuracy" if y.ndim == 1 else "mae"])
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    if inputs.ndim == 4:
        inputs = inputs.permute(0, 3, 1, 2).contiguous()
    optimizer = torch.optim.Adam(net.parameters(), fused=True)

    def loop():
        order = torch.randperm(len(inputs))
        total, metric = torch.zeros(()), torch.zeros(())
        for start in range(0, len(inputs), batch_size):
            chosen = order[start : start + batch_size]
            xb, yb = inputs[chosen], targets[chosen]
            optimizer.zero_grad(set_to_none=True)
            outputs = net(xb)
            value = torch_loss(outputs, yb)
            value.backward()
            optimizer.step()
            with torch.no_grad():
                total += value * len(xb)
                metric += (outputs.argmax(1) == yb).sum() if yb.ndim == 1 else (outputs - yb).abs().sum()
        return total.item(), metric.item()

    return loop, lambda: model.fit(x, y, batch_size=batch_size, verbose=0), -(-len(x) // batch_size)


if __name__ == "__main__":
    environment.enter()
    main()
