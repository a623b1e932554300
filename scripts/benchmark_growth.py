"""How the cost of a step grows with the batch, the layers and the rows: `benchmark.py --growth`."""

import json
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import torchkeras_lite as keras

BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
DEPTHS = (2, 8, 32, 100, 400)
ROWS = (1_000, 10_000, 100_000, 1_000_000)


def growth(path):
    """Measure, and write `path`.json and a picture."""
    found = {
        "batch size": [(size, *steps(size, 2, 100)) for size in BATCHES],
        "layers": [(depth, *steps(32, depth, 30)) for depth in DEPTHS],
        "rows": [(rows, *steps(256, 2, max(rows // 256, 4))) for rows in ROWS],
    }
    path.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    draw(found, path.with_suffix(".png"))


def steps(batch_size, depth, count):
    """Return milliseconds a step of `fit` and of the tuned loop."""
    rows = batch_size * count
    x = np.random.default_rng(0).standard_normal((rows, 16), dtype="float32")
    y = x[:, :1].copy()
    model = keras.Sequential([keras.Input((16,)), *(keras.layers.Dense(16) for _ in range(depth - 1))])
    model.add(keras.layers.Dense(1))
    model.compile("adam", "mse")
    net = nn.Sequential(*(nn.Linear(16, 16) for _ in range(depth - 1)), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def loop():
        order, total = torch.randperm(rows), torch.zeros(())
        for start in range(0, rows, batch_size):
            chosen = order[start : start + batch_size]
            optimizer.zero_grad(set_to_none=True)
            loss = F.mse_loss(net(inputs[chosen]), targets[chosen])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(chosen)
        return total.item()

    def fit():
        model.fit(x, y, batch_size=batch_size, verbose=0)

    fit(), loop()
    best = {fit: float("inf"), loop: float("inf")}
    for _ in range(3):
        for run in best:
            begin = time.perf_counter()
            run()
            best[run] = min(best[run], time.perf_counter() - begin)
    return [round(seconds / count * 1e3, 4) for seconds in best.values()]


def draw(found, path):
    """Draw three panels: milliseconds a step of `fit` and of the loop."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    for axes, (name, points) in zip(panels, found.items(), strict=True):
        sizes, ours, theirs = zip(*points, strict=True)
        axes.loglog(sizes, ours, "o-", label="fit")
        axes.loglog(sizes, theirs, "s--", label="tuned loop")
        axes.set_xlabel(name)
        axes.set_ylabel("ms a step")
        axes.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
