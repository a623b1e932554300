"""What several processes do, and one alone for comparison: `distributed_jobs.py FOLDER NAME...`.

Run under `torchrun`, every process writes `FOLDER/<rank>.json` with the results of the jobs by name.
"""

import contextlib
import faulthandler
import functools
import io
import itertools
import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import mse_loss

import torchkeras_lite as keras
from torchkeras_lite import callbacks, layers
from torchkeras_lite.data import Dataset

RANK = int(os.environ.get("RANK", "0"))
COUNT = int(os.environ.get("WORLD_SIZE", "1"))
JOBS = {}
LONGEST = 110  # seconds

_rng = np.random.default_rng(0)
X = _rng.normal(size=(37, 6)).astype("float32")
Y = (X[:, :1] * 2 + 1).astype("float32")
WEIGHTS = _rng.uniform(0.1, 3, size=37).astype("float32")
WORDS = _rng.integers(0, 5, size=(37, 7))
LABELS = (X[:, 0] > 0).astype("int64")
LABELS[1:30:5] = -100
SAMPLES = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))


def job(function):
    """Enter `function` among the jobs; it takes a folder and returns numbers, nested."""

    @functools.wraps(function)
    def seeded(folder):
        keras.utils.set_random_seed(3)
        return function(folder)

    JOBS[function.__name__] = seeded
    return seeded


def network(*more):
    """Return a small model, with `more` layers before the last one."""
    return keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="tanh"), *more, layers.Dense(1)])


def trained(model, *data, optimizer="adam", loss="mse", compiled=(), **arguments):
    """Train `model` and return history and weights."""
    model.compile(optimizer, loss, **dict(compiled))
    history = model.fit(*data, **{"batch_size": 9, "epochs": 2, "verbose": 0, **arguments}).history
    return history, [array.tolist() for array in model.get_weights()]


@job
def arrays(folder):
    """Shuffled arrays, sample weights, a validation split; then evaluation, prediction and single batches."""
    model = network()
    metrics = {"metrics": ["mae", keras.metrics.R2Score()], "weighted_metrics": ["mse"]}
    found = trained(model, X, Y, sample_weight=WEIGHTS, validation_split=0.2, compiled=metrics)
    on_batches = [model.train_on_batch(X[:7], Y[:7]) for _ in range(3)] + [model.test_on_batch(X[:5], Y[:5])]
    return [
        found,
        model.evaluate(X, Y, batch_size=8, verbose=0),
        model.predict(X, batch_size=8, verbose=0).tolist(),
        model.predict(X[:1], verbose=0).tolist(),
        model.evaluate(X[:1], Y[:1], verbose=0),
        on_batches,
    ]


@job
def loaders(folder):
    """A `DataLoader` with and without workers, and a map-style dataset."""
    load = torch.utils.data.DataLoader
    return [
        trained(network(), load(SAMPLES, batch_size=9, shuffle=True)),
        trained(network(), load(SAMPLES, batch_size=9, num_workers=1)),
        trained(network(), SAMPLES),
    ]


@job
def streams(folder):
    """Sources of whole batches: a shuffled `Dataset`, a generator, a `PyDataset`."""

    def generator():
        while True:
            for start in range(0, 36, 9):
                yield X[start : start + 9], Y[start : start + 9]

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            rows = slice(index * 9, index * 9 + 9)
            return X[rows], Y[rows]

    return [
        trained(network(), Dataset.from_tensor_slices((X, Y)).shuffle(20).batch(9)),
        trained(network(), generator(), steps_per_epoch=3),
        trained(network(), Batches()),
    ]


@job
def own_data(folder):
    """Each process reads every COUNT-th row by itself, until the last one has read all."""
    rows = slice(RANK, None, COUNT)
    mine = torch.utils.data.TensorDataset(torch.from_numpy(X[rows]), torch.from_numpy(Y[rows]))
    distribution = keras.distribution.DataParallel(auto_shard_dataset=False)
    with distribution.scope():
        return trained(network(), torch.utils.data.DataLoader(mine, batch_size=12 // COUNT))


@job
def synchronized_batch_norm(folder):
    """Batch normalization over the whole batch; the last batch has one row."""
    norm = layers.BatchNormalization(synchronized=True)
    return trained(network(norm), X, Y, validation_data=(X, Y), optimizer="sgd")


@job
def reductions(folder):
    """Losses that are sums, or means by the weights."""
    return [
        trained(
            network(),
            X,
            Y,
            sample_weight=WEIGHTS,
            loss=keras.losses.MeanSquaredError(reduction=reduction),
            optimizer=keras.optimizers.SGD(1e-3),
        )
        for reduction in ("sum", "mean_with_sample_weight")
    ]


@job
def torch_losses(folder):
    """A mean that is over the weights of classes, without the ignored ones; a sum."""
    results = []
    for loss in (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 4.0])), nn.CrossEntropyLoss(reduction="sum")):
        model = keras.Sequential([keras.Input((6,)), layers.Dense(2)])
        model.set_weights([np.full((6, 2), 0.1), np.zeros(2)])
        sgd = keras.optimizers.SGD(1e-3)
        results.append(trained(model, X, LABELS, loss=loss, optimizer=sgd, shuffle=False))
    return results


@job
def masks(folder):
    """Values that a mask leaves out, of another number in each part."""
    stack = [layers.Embedding(5, 4, mask_zero=True), layers.LSTM(4, return_sequences=True), layers.Dense(1)]
    model = keras.Sequential([keras.Input((7,), dtype="int32"), *stack])
    return trained(model, WORDS, np.ones((37, 7, 1)), compiled={"metrics": ["mae"]})


@job
def accumulation(folder):
    """Updates of three batches each, with clipping."""
    adam = keras.optimizers.Adam(gradient_accumulation_steps=3, clipnorm=0.1)
    return trained(network(), X, Y, optimizer=adam, epochs=3)


@job
def torch_optimizers(folder):
    """Optimizers of torch; LBFGS computes the loss several times a step."""
    lbfgs = functools.partial(torch.optim.LBFGS, lr=0.1, max_iter=3)
    return [
        trained(network(), X, Y, optimizer=torch.optim.AdamW),
        trained(network(), X, Y, optimizer=lbfgs, batch_size=37),
    ]


@job
def foreign_metrics(folder):
    """Metrics of scikit-learn, over the whole epoch, and of torchmetrics."""
    import sklearn.metrics
    import torchmetrics

    keras.utils.set_random_seed(3)  # importing them draws
    metrics = [sklearn.metrics.r2_score, torchmetrics.MeanAbsoluteError(), keras.metrics.AUC(name="auc")]
    labels = (Y > 1).astype("float32")
    model = network()
    return trained(model, X, labels, validation_data=(X, labels), compiled={"metrics": metrics})


@job
def unused_weights(folder):
    """A trainable layer that takes no part in the loss, and an added loss."""

    class Partly(keras.Model):
        def __init__(self):
            super().__init__()
            self.used, self.idle = layers.Dense(1), layers.Dense(2)
            self.idle.build((None, 6))

        def call(self, x):
            output = self.used(x)
            self.add_loss(0.1 * output.square().mean())
            return output

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gradients do not exist")
        return trained(Partly(), X, Y)


@job
def own_step(folder):
    """A `train_step` in Keras's words for torch."""

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(4), layers.Dense(1)

        def call(self, x):
            return self.second(self.first(x))

        def train_step(self, data):
            x, y = data
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
            self.zero_grad()
            loss.backward()
            weights = list(self.trainable_weights)
            with torch.no_grad():
                self.optimizer.apply([weight.value.grad for weight in weights], weights)
            for metric in self.metrics:
                metric.update_state(loss) if metric.name == "loss" else metric.update_state(y, y_pred)
            return {**{metric.name: metric.result() for metric in self.metrics}, "rows": 1.0}

    return trained(Own(), X[:36], Y[:36], batch_size=12, compiled={"metrics": ["mae"]})


@job
def dropout(folder):
    """Random numbers: other ones in each process while it trains, the same ones before and behind."""
    model = network(layers.Dropout(0.5), layers.BatchNormalization())
    found = trained(model, X, Y)
    return [found, float(torch.rand(())), float(np.random.rand())]


class Stops(callbacks.Callback):
    """Asks to stop in the last process alone, and keeps the losses of the batches."""

    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        """Stop behind the third batch of the second epoch."""
        self.losses.append(logs["loss"])
        if RANK == COUNT - 1 and len(self.losses) == 8:
            self.model.stop_training = True


@job
def decisions(folder):
    """Callbacks that stop, that change the learning rate, and that write files."""
    stops = Stops()
    found = trained(
        network(),
        X,
        Y,
        validation_data=(X, Y),
        epochs=4,
        verbose=2,
        callbacks=[
            stops,
            callbacks.ModelCheckpoint(folder / "{epoch}.keras", verbose=1),
            callbacks.CSVLogger(folder / "log.csv"),
            callbacks.ReduceLROnPlateau(patience=0, min_delta=100),
            callbacks.BackupAndRestore(folder / "backup"),
        ],
    )
    loaded = keras.models.load_model(folder / "2.keras")
    return [found, stops.losses, [array.tolist() for array in loaded.get_weights()]]


@job
def callback_of_one(folder):
    """A callback that the last process alone has; the first one has a bar, which draws nothing yet."""
    own = [Stops()] if RANK == COUNT - 1 else []
    with contextlib.redirect_stdout(io.StringIO()):
        return trained(network(), X, Y, epochs=4, verbose=2, callbacks=own)


@job
def sharded(folder):
    """FSDP: clipping by norms, a penalty, an own weight, the best weights restored, whole files."""

    class Scale(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(1,), initializer="ones", name="scale")

        def call(self, x):
            return x * self.scale

    kernel = {"kernel_regularizer": "l2", "activation": "relu"}
    model = network(layers.Dense(6, **kernel), layers.LayerNormalization(), Scale())
    adam = keras.optimizers.Adam(0.01, global_clipnorm=0.5, weight_decay=0.01, use_ema=True)
    best = callbacks.EarlyStopping(patience=1, restore_best_weights=True)
    data = {"validation_data": (X, Y), "callbacks": [best]}
    found = trained(model, X, Y, optimizer=adam, compiled={"distribute": "fsdp"}, **data)
    path = folder / "whole.weights.h5"
    model.save_weights(path)
    state = [variable.numpy().tolist() for variable in model.optimizer.variables]
    prediction = model.predict(X, verbose=0).tolist()
    model.fit(X, Y, verbose=0)
    model.load_weights(path)
    alone = network(layers.Dense(6, **kernel), layers.LayerNormalization(), Scale())
    alone.load_weights(path)
    return [found, state, prediction, [m.evaluate(X, Y, verbose=0) for m in (model,)], alone(X[:3]).tolist()]


@job
def cut_tensors(folder):
    """A tensor cut over the processes by a layout, gathered again."""
    mesh = keras.distribution.DeviceMesh((COUNT,), ["model"])
    layout = keras.distribution.TensorLayout((None, "model"), mesh)
    tensor = keras.distribution.distribute_tensor(X[:4], layout)
    if COUNT > 1:
        assert tensor.to_local().shape == (4, 6 // COUNT)
        tensor = tensor.full_tensor()
    cuts = keras.distribution.LayoutMap(mesh)
    cuts["kernel"] = (None, "model")
    refused = 0
    try:
        keras.distribution.set_distribution(keras.distribution.ModelParallel(layout_map=cuts))
    except ValueError as error:
        refused = int("are to be cut over devices" in str(error))
    assert refused == int(COUNT > 1)
    keras.distribution.set_distribution(None)
    return tensor.tolist()


def rows_of_this_process():
    """Return this process's rows of 36."""
    size = 36 // COUNT
    return slice(RANK * size, RANK * size + size)


@job
def plain_loops(folder):
    """`DistributedDataParallel` and `fully_shard` around our models in loops of plain PyTorch."""
    results = []
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view")  # as of a plain nn.LSTM
    if COUNT > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo")
    x, y = torch.from_numpy(X[rows_of_this_process()]), torch.from_numpy(Y[rows_of_this_process()])
    convolution = [layers.Reshape((3, 2, 1)), layers.Conv2D(4, 2, padding="same"), layers.Flatten()]
    recurrent = [layers.Reshape((3, 2)), layers.LSTM(4, return_sequences=True), layers.GRU(3)]
    for kind, parts in itertools.product(("ddp", "fsdp"), ([], convolution, recurrent)):
        model = keras.Sequential(
            [keras.Input((6,)), *parts, layers.LayerNormalization(), layers.Dense(1)]
        ).train()
        called = model
        if COUNT > 1 and kind == "ddp":
            called = nn.parallel.DistributedDataParallel(model)
        elif COUNT > 1:
            from torch.distributed.fsdp import fully_shard

            for layer in model.layers:
                fully_shard(layer)
            fully_shard(model)
        optimizer = torch.optim.Adam(called.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            mse_loss(called(x), y).backward()
            optimizer.step()
        whole = [getattr(p, "full_tensor", lambda p=p: p)() for p in model.parameters()]
        results.append([tensor.tolist() for tensor in whole])
    return results


@job
def accelerated(folder):
    """Accelerate in charge of model, optimizer and data."""
    import accelerate

    accelerator = accelerate.Accelerator(cpu=True)
    model = network().train()
    loader = torch.utils.data.DataLoader(SAMPLES, batch_size=12 // COUNT)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    for number, (x, y) in enumerate(loader):
        if number < 3:  # the last batch is smaller
            optimizer.zero_grad()
            accelerator.backward(mse_loss(model(x), y))
            optimizer.step()
    return [p.tolist() for p in accelerator.unwrap_model(model).parameters()]


@job
def fails(folder):
    """One process fails in the middle of an epoch; the others wait for it in a collective."""

    class Fails(callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if RANK == 1 and batch == 2:
                raise RuntimeError("process 1 has had enough")

    return trained(network(), X, Y, callbacks=[Fails()], epochs=1000)


@job
def differs(folder):
    """The processes have data of different lengths."""
    try:
        return trained(network(), X[: 20 + RANK], Y[: 20 + RANK])
    except ValueError as error:
        return str(error)


if __name__ == "__main__":
    faulthandler.dump_traceback_later(
        LONGEST, exit=True
    )  # says where a process waits, and leaves none behind
    results = {name: JOBS[name](Path(sys.argv[1])) for name in sys.argv[2:]}
    Path(sys.argv[1], f"{RANK}.json").write_text(json.dumps(results, default=float), encoding="utf-8")
