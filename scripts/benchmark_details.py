"""Single figures of the benchmark: evaluate, predict, bars, calls and starts. See `benchmark.py`."""

import contextlib
import io
import os
import statistics
import subprocess
import sys
import time
import timeit
from pathlib import Path

import numpy as np
import torch
from torch import nn

import torchkeras_lite as keras
from benchmark_workloads import torch_loss, torch_metric, workloads

layers = keras.layers


def details():
    """Return figures by name: ratios, or texts with their unit."""
    found = {}
    every = workloads(steps=0.5)
    for name in ("mlp", "tabular", "cnn"):
        found |= inference(every[name])
    found["verbose=1 / verbose=0, mlp"] = bars(every["mlp"])
    found |= calls()
    found["train_on_batch / bare step, mlp"] = on_batch(every["mlp"])
    found |= memory()
    found["import above torch, s"] = start("import torch", "import torch, torchkeras_lite")
    found["200 layers built, ms"] = started(BUILD)
    found["first fit of a small model, ms"] = started(FIRST_FIT)
    return found


def ratio(ours, theirs, rounds=7):
    """Return the median ratio of two functions' times over interleaved rounds."""
    ours(), theirs()
    pairs = []
    for _ in range(rounds):
        pairs.append((timeit.timeit(ours, number=1), timeit.timeit(theirs, number=1)))
    return round(statistics.median(a / b for a, b in pairs), 3)


def inference(workload):
    """Return `evaluate` and `predict` against loops over the same batches."""
    model, net = workload.compiled(keras), workload.torch_net("cpu").eval()
    inputs, targets = workload.torch_arrays("cpu")
    size, kind = workload.batch_size, workload.kind

    def evaluate():
        total, metric = torch.zeros(()), torch.zeros(())
        with torch.inference_mode():
            for start in range(0, len(inputs), size):
                x, y = inputs[start : start + size], targets[start : start + size]
                outputs = net(x)
                total += torch_loss(kind, outputs, y) * len(x)
                metric += torch_metric(kind, outputs, y) * len(x)
        return total.item(), metric.item()

    def predict():
        with torch.inference_mode():
            parts = [net(inputs[start : start + size]) for start in range(0, len(inputs), size)]
        return torch.cat(parts).numpy()

    options = {"batch_size": size, "verbose": 0}
    return {
        f"evaluate / loop, {workload.name}": ratio(
            lambda: model.evaluate(workload.x, workload.y, **options), evaluate
        ),
        f"predict / loop, {workload.name}": ratio(lambda: model.predict(workload.x, **options), predict),
    }


def bars(workload):
    """Return the cost of the progress bar, on a terminal that is not there."""

    class Terminal(io.StringIO):
        """Text that says it is a terminal."""

        def isatty(self):
            return True

    model = workload.compiled(keras)

    def run(verbose):
        with contextlib.redirect_stdout(Terminal()):
            model.fit(workload.x, workload.y, batch_size=workload.batch_size, verbose=verbose, epochs=3)

    return ratio(lambda: run(1), lambda: run(0), rounds=9)


def calls():
    """Return the costs of single calls."""
    model = keras.Sequential([keras.Input((16,)), layers.Dense(64, "relu"), layers.Dense(1)])
    net = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 1))
    x, row = torch.randn(32, 16), np.ones((1, 16), "float32")
    with torch.inference_mode():
        both = [min(timeit.repeat(lambda f=f: f(x), number=2000, repeat=7)) for f in (model, net)]
    predict = min(timeit.repeat(lambda: model.predict(row, verbose=0), number=200, repeat=7)) / 200
    return {
        "call / nn.Sequential": round(both[0] / both[1], 3),
        "predict of a row, ms": round(predict * 1e3, 4),
    }


def on_batch(workload):
    """Return `train_on_batch` against a bare step that keeps the same loss and metric."""
    model, net = workload.compiled(keras), workload.torch_net("cpu")
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    x, y = (array[: workload.batch_size] for array in workload.torch_arrays("cpu"))

    def bare():
        for _ in range(200):
            optimizer.zero_grad(set_to_none=True)
            outputs = net(x)
            loss = torch_loss(workload.kind, outputs, y)
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                metric = torch_metric(workload.kind, outputs, y)
            loss.item(), metric.item()

    def ours():
        for _ in range(200):
            model.train_on_batch(x, y)

    return ratio(ours, bare)


MEMORY = """
import resource, sys
import torch
from benchmark_columns import ours, tuned
from benchmark_workloads import workloads
torch.set_num_threads(1)
workload = workloads(steps=0.25)[sys.argv[1]]
epoch = {"ours": ours, "loop": tuned}[sys.argv[2]](workload, "cpu")
for _ in range(3):
    epoch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
STREAMING = """
import resource
import numpy as np
import torchkeras_lite as keras
layers = keras.layers
model = keras.Sequential([keras.Input((256,)), layers.Dense(512, "relu"), layers.Dense(1)])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def stream(batches):
    for _ in range(batches):
        yield np.ones((256, 256), "float32")

model.predict(stream(50), verbose=0)
before = peak()
result = model.predict(stream(1000), verbose=0)
print(peak() - before - result.nbytes // 1024)
"""
CALLS = """
import gc
import numpy as np
import torch
import torchkeras_lite as keras
layers = keras.layers
model = keras.Sequential([keras.Input((16,)), layers.Dense(32, "relu"), layers.Dense(1)])
model.compile("adam", "mse")
x, y = np.ones((64, 16), "float32"), np.ones((64, 1), "float32")

def use(times):
    for _ in range(times):
        model.fit(x, y, verbose=0)
        model.evaluate(x, y, verbose=0)
        model.predict(x, verbose=0)
        model.train_on_batch(x, y)
        model(x)
    gc.collect()
    return len(gc.get_objects()), sum(t.nbytes for t in gc.get_objects() if type(t) is torch.Tensor)

before = use(20)
after = use(300)
print(max(after[0] - before[0], after[1] - before[1]))
"""


def memory():
    """Return peak memory of training as ratios, and what `predict` and 300 calls leave behind."""

    def printed(code, *arguments):
        command = [sys.executable, "-c", code, *arguments]
        folder = str(Path(__file__).parent)
        paths = [folder, str(Path(keras.__file__).parent.parent)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        return int(
            subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
        )

    found = {}
    for name in ("mlp", "cnn", "resnet"):
        ratio = printed(MEMORY, name, "ours") / printed(MEMORY, name, "loop")
        found[f"peak memory / loop, {name}"] = round(ratio, 3)
    found["growth of predict on a stream of 256 MB, KiB"] = printed(STREAMING)
    found["growth over 300 calls of each loop, objects or bytes of tensors"] = printed(CALLS)
    return found


def start(less, more, rounds=5):
    """Return how many seconds more a process takes for `more` than for `less`."""

    keeps_bytecode = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}

    def seconds(code):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=keeps_bytecode)
        return time.perf_counter() - begin

    seconds(more)
    pairs = [(seconds(less), seconds(more)) for _ in range(rounds)]
    return round(min(b for _, b in pairs) - min(a for a, _ in pairs), 3)


BUILD = """
x = inputs = keras.Input((16,))
for _ in range(200):
    x = keras.layers.Dense(16)(x)
keras.Model(inputs, x)
"""
FIRST_FIT = """
model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(np.ones((32, 8), "float32"), np.ones((32, 1), "float32"), verbose=0)
"""


def started(code, rounds=3):
    """Return the milliseconds of code in a fresh process, after the imports."""
    code = (
        "import time, numpy as np, torch, torchkeras_lite as keras\ntorch.set_num_threads(1)\n"
        f"start = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"
    )
    run = [sys.executable, "-c", code]
    found = [subprocess.run(run, check=True, capture_output=True, text=True).stdout for _ in range(rounds)]
    return round(min(map(float, found)) * 1e3, 1)
