"""`compile(jit_compile=True)`: whole steps as one graph. `cuda_graphs`."""

import copy
import functools

import numpy as np
import pytest
import sklearn.metrics
import torch
import torchmetrics
from torch import nn

import torchkeras_lite as tkl
from torchkeras_lite import layers, metrics, optimizers
from torchkeras_lite.training import compiled_step, cuda_graph, steps, tracing

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 6)).astype("float32")
TOKENS = RNG.integers(0, 10, (70, 6))
Y = RNG.integers(0, 3, 70)
ONE_HOT = np.eye(3, dtype="float32")[Y]
W = RNG.random(70).astype("float32")
SPARSE = "sparse_categorical_crossentropy"
TRACED = {"backend": "eager"}  # the graph as torch runs it, without the time that inductor takes


@pytest.fixture
def always(monkeypatch):
    """Compiled steps are kept without a race."""
    monkeypatch.setattr(compiled_step, "Race", lambda eager, compiled, untimed, settle: compiled)


def dense():
    hidden = layers.Dense(8, "relu", kernel_regularizer="l2")
    return of(hidden, layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(3, "softmax"))


def of(*stack, dtype="float32"):
    return tkl.Sequential([tkl.Input((6,), dtype=dtype), *stack])


def graphs(model, kind="train"):
    return model._compiled_steps[kind].graphs


def seeded(make):
    """The model that `make` makes, with the same weights every time."""
    tkl.utils.set_random_seed(3)
    return make()


def run(model, jit, x, y, compile_options, **fit_options):
    """What a training, an evaluation and a prediction give."""
    options = {name: value() if callable(value) else value for name, value in compile_options.items()}
    model.compile(**{"optimizer": "adam", "loss": SPARSE, **options}, jit_compile=jit)
    tkl.utils.set_random_seed(5)
    history = model.fit(x, y, batch_size=16, epochs=3, verbose=0, **fit_options).history
    scores = model.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)
    return history, model.get_weights(), scores, model.predict(x, batch_size=16, verbose=0)


def assert_same(make, x=X, y=Y, jit=TRACED, rtol=1e-4, fit_options=None, **compile_options):
    """Train a model eagerly and compiled, compare all numbers, and return the compiled one."""
    ours, eager = seeded(make), seeded(make)
    found = run(ours, jit, x, y, compile_options, **(fit_options or {}))
    expected = run(eager, "auto", x, y, compile_options, **(fit_options or {}))
    for mine, his in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, his, rtol=rtol, atol=1e-5)
    return ours


BASE = (optimizers.Optimizer, optimizers.LossScaleOptimizer, optimizers.MultiOptimizer)
FAMILIES = [
    value
    for value in vars(optimizers).values()
    if isinstance(value, type)
    and issubclass(value, optimizers.Optimizer)
    and value not in BASE
    and value is not optimizers.TorchOptimizer
]


@pytest.mark.parametrize("cls", dict.fromkeys(FAMILIES), ids=lambda cls: cls.__name__)
def test_every_optimizer(cls, always):
    model = assert_same(dense, optimizer=cls, metrics=["accuracy"])
    (graph,) = graphs(model)  # the smaller last batch stays eager
    assert graph.metrics
    assert graph.updates is (cls not in (optimizers.Nadam, optimizers.Ftrl))
    assert len(graphs(model, "test")) == len(graphs(model, "predict")) == 1


OPTIONS = {
    "momentum": (True, lambda: optimizers.SGD(0.01, 0.9)),
    "nesterov": (True, lambda: optimizers.SGD(0.01, 0.9, True)),
    "amsgrad": (True, lambda: optimizers.Adam(amsgrad=True)),
    "schedule": (True, lambda: optimizers.Adam(optimizers.schedules.ExponentialDecay(0.01, 2, 0.9))),
    "clipnorm": (True, lambda: optimizers.Adam(clipnorm=0.1)),
    "clipvalue": (True, lambda: optimizers.SGD(clipvalue=0.01)),
    "global clipnorm": (True, lambda: optimizers.SGD(global_clipnorm=0.1)),
    "weight decay": (True, lambda: optimizers.SGD(weight_decay=0.1)),
    "scaled loss": (True, lambda: optimizers.SGD(loss_scale_factor=8.0)),
    "averages": (False, lambda: optimizers.Adam(use_ema=True, ema_overwrite_frequency=3)),
    "accumulation": (False, lambda: optimizers.Adam(gradient_accumulation_steps=3)),
    "growing scale": (False, lambda: optimizers.LossScaleOptimizer(optimizers.SGD(), dynamic_growth_steps=3)),
    "torch": (False, lambda: functools.partial(torch.optim.Adam, lr=0.01)),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_optimizers(name, always):
    inside, optimizer = OPTIONS[name]
    model = assert_same(dense, optimizer=optimizer)
    assert [graph.updates for graph in graphs(model)] == [inside]


@pytest.mark.parametrize(
    "options",
    [
        dict(weighted_metrics=["accuracy"], fit_options=dict(sample_weight=W)),
        dict(fit_options=dict(class_weight={0: 1.0, 1: 2.0, 2: 0.5}), metrics=["accuracy"]),
        dict(precision="bf16", rtol=5e-3),
        dict(precision="float64"),
        dict(
            y=ONE_HOT,
            loss="categorical_crossentropy",
            metrics=lambda: [metrics.AUC(name="auc"), metrics.F1Score(name="f1")],
        ),
    ],
    ids=["sample weights", "class weights", "bf16", "float64", "metrics with states"],
)
def test_options_of_fit_and_compile(options, always):
    model = assert_same(dense, **options)
    assert [(graph.updates, graph.metrics) for graph in graphs(model)] == [(True, True)]


class Counting(layers.Layer):
    """Has weights by `add_weight`, one of which a call changes, and adds a loss."""

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen")

    def call(self, x):
        self.seen.assign_add(1.0)
        self.add_loss(0.01 * (x**2).mean())
        return x * self.scale


def several():
    inputs = tkl.Input((6,))
    hidden = layers.Dense(5, "relu")(inputs)
    outputs = {"a": layers.Dense(3, "softmax", name="a")(hidden), "b": layers.Dense(1, name="b")(hidden)}
    return tkl.Model(inputs, outputs)


MODELS = {
    "added losses": (
        lambda: of(layers.Dense(8, activity_regularizer="l2"), Counting(), layers.Dense(3, "softmax")),
        {},
    ),
    "policies": (
        lambda: of(
            layers.Dense(8, "relu", dtype="mixed_bfloat16"), layers.Dense(3, "softmax", dtype="float32")
        ),
        dict(rtol=5e-3),
    ),
    "masks": (
        lambda: of(layers.Embedding(10, 4, mask_zero=True), layers.Dense(3, "softmax"), dtype="int32"),
        dict(x=TOKENS, y=TOKENS % 3, metrics=["accuracy"]),
    ),
    "several outputs": (
        several,
        dict(y={"a": Y, "b": X[:, :1]}, loss={"a": SPARSE, "b": "mse"}, metrics={"a": ["accuracy"]}),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_models(name, always):
    make, options = MODELS[name]
    model = assert_same(make, **options)
    assert [graph.updates for graph in graphs(model)] == [True]


def test_constraints_and_a_weight_without_gradient(always):
    class Unused(layers.Layer):
        def build(self, input_shape):
            self.spare = self.add_weight(shape=(2,), name="spare")

        def call(self, x):
            return x

    limited = lambda: of(layers.Dense(3, "softmax", kernel_constraint="unit_norm"))
    assert [graph.updates for graph in graphs(assert_same(limited))] == [False]
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        assert_same(lambda: of(Unused(), layers.Dense(3, "softmax")))


@pytest.mark.parametrize(
    "metric",
    [lambda: sklearn.metrics.accuracy_score, lambda: torchmetrics.classification.MulticlassAccuracy(3)],
    ids=["scikit-learn", "torchmetrics"],
)
def test_metrics_behind_the_graph(metric, always):
    model = assert_same(dense, metrics=lambda: [metric()])
    assert [(graph.updates, graph.metrics) for graph in graphs(model)] == [(True, False)]
    assert [graph.metrics for graph in graphs(model, "test")] == [False]


class InPython(layers.Layer):
    def call(self, x):
        self.calls = getattr(self, "calls", 1000) + 1
        return x


class Looks(layers.Layer):
    def call(self, x):
        return x if x.sum() > 0 else x * 2


class Seeded(layers.Layer):
    def __init__(self):
        super().__init__()
        self.seeds = tkl.random.SeedGenerator(1)

    def call(self, x):
        return x + tkl.random.normal(x.shape, seed=self.seeds)


class FromNumpy(layers.Layer):
    def call(self, x):
        return x * float(np.random.rand())


def hooked():
    layer = layers.Dense(4)
    layer.register_forward_hook(lambda module, args, output: None)
    return layer


REASONS = {
    "state in Python": (InPython, "a step changes `calls` of InPython in Python"),
    "values decide": (Looks, "torch cannot trace it"),
    "seed of a layer": (lambda: layers.Dropout(0.5, seed=1), "a generator of its own"),
    "seed generator": (Seeded, "a generator of its own"),
    "numpy": (FromNumpy, "random numbers from Python or NumPy"),
    "hooks": (hooked, "has hooks"),
    "recurrent": (
        lambda: tkl.Sequential([layers.Reshape((3, 2)), layers.LSTM(4)]),
        "torch's recurrent kernels",
    ),
}


@pytest.mark.parametrize("name", REASONS)
def test_what_cannot_be_traced_runs_eagerly_and_says_why(name):
    make, reason = REASONS[name]
    model = lambda: of(make(), layers.Dense(3, "softmax"))
    ours = seeded(model)
    with pytest.warns(UserWarning, match=f"the training step of '.*' runs eagerly: .*{reason}") as told:
        found = run(ours, TRACED, X, Y, {})
    assert len({str(one.message).partition("eagerly: ")[2] for one in told}) == len(told)
    expected = run(seeded(model), "auto", X, Y, {})
    torch.testing.assert_close(found[:3], expected[:3], rtol=1e-5, atol=1e-6)
    with pytest.raises(RuntimeError, match=f"training step of '.*' cannot be one graph: .*{reason}"):
        run(seeded(model), {**TRACED, "fullgraph": True}, X, Y, {})


def test_a_compiler_that_fails_leaves_the_step_eager():
    def broken(graph, inputs):
        raise RuntimeError("no C++ compiler\nand more")

    with pytest.warns(UserWarning, match="torch cannot compile it \\(RuntimeError: no C\\+\\+ compiler\\)"):
        assert_same(dense, jit={"backend": broken})


def counted(monkeypatch):
    """Counts the graphs that are compiled."""
    made = []
    original = compiled_step.tracing.compile_graph
    monkeypatch.setattr(
        compiled_step.tracing, "compile_graph", lambda *args: made.append(1) or original(*args)
    )
    return made


def test_one_graph_for_all_epochs_rates_and_calls(always, monkeypatch):
    made, model = counted(monkeypatch), dense()
    model.compile(optimizers.SGD(0.1), SPARSE, jit_compile=TRACED)
    model.fit(X, Y, batch_size=16, epochs=3, verbose=0)
    model.optimizer.learning_rate = 0.0
    before = model.get_weights()[0].copy()
    model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)
    assert len(made) == 1
    model.layers[0].trainable = False  # another graph
    model.compile("sgd", SPARSE, jit_compile=TRACED)
    model.fit(X, Y, batch_size=16, verbose=0)
    assert len(made) == 2


def test_shapes_that_come_again_have_graphs_of_their_own(always, monkeypatch):
    made, model = counted(monkeypatch), dense()
    model.compile("sgd", SPARSE, jit_compile=TRACED)
    sizes = [8, 8, 6, 8, 6, 8, 6, 6, 8]  # 6 follows itself once
    data = [(X[:size], Y[:size]) for size in sizes]
    step = compiled_step.compiled_step(model, "train")
    model.fit(iter(data), steps_per_epoch=7, verbose=0)
    assert len(made) == 1
    model.fit(iter(data), steps_per_epoch=9, verbose=0)
    assert len(made) == 2
    assert {key[0][0][0] for key in step.ways} == {6, 8}


def test_changed_options_are_seen(always, monkeypatch):
    made, model = counted(monkeypatch), dense()
    model.compile(optimizers.SGD(0.1, momentum=0.5), SPARSE, jit_compile=TRACED)
    model.fit(X, Y, batch_size=16, verbose=0)
    model.optimizer.momentum = 0.9
    model.fit(X, Y, batch_size=16, verbose=0)
    assert len(made) == 2


def test_the_faster_way_stays():
    class Clock:
        now = 0.0

    def way(name, seconds):
        def step(*batch):
            calls.append(name)
            Clock.now += seconds.pop(0) if len(seconds) > 1 else seconds[0]

        return step

    races = ((2.0, 1.0, "compiled"), (1.0, 2.0, "eager"), (1.0, 0.97, "eager"), (1.0, 0.9, "compiled"))
    for eager, compiled, winner in races:
        calls, settled = [], []
        ways = way("eager", [9.0, eager]), way("compiled", [50.0, compiled])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compiled_step, "perf_counter", lambda: Clock.now)
            race = compiled_step.Race(*ways, 1, settled.append)
            while not settled:
                race(torch.zeros(1))
        assert settled == [ways[winner == "compiled"]]
        assert calls.count("eager") == calls.count("compiled") == compiled_step.TIMED + 1


def test_no_step_is_lost_in_the_race():
    model = assert_same(dense, fit_options=dict(validation_data=(X, Y)), metrics=["accuracy"])
    assert int(model.optimizer.iterations) == 15


def test_single_batches(always):
    ours, eager = seeded(dense), seeded(dense)
    ours.compile("adam", SPARSE, metrics=["accuracy"], jit_compile=TRACED)
    eager.compile("adam", SPARSE, metrics=["accuracy"])
    for model in (ours, eager):
        tkl.utils.set_random_seed(1)
        model.found = [model.train_on_batch(X[:16], Y[:16]) for _ in range(4)]
        model.found.append(model.test_on_batch(X[:16], Y[:16]))
    np.testing.assert_allclose(ours.found, eager.found, rtol=1e-4)
    assert len(graphs(ours)) == 1


def test_copies_and_files_leave_graphs_out(always, tmp_path):
    model = dense()
    model.compile("adam", SPARSE, jit_compile=TRACED)
    model.fit(X, Y, batch_size=16, verbose=0)
    other = copy.deepcopy(model)
    assert "_compiled_steps" not in vars(other)
    other.fit(X, Y, batch_size=16, verbose=0)
    assert graphs(other)[0].model is other
    model.save(tmp_path / "model.keras")
    again = tkl.saving.load_model(tmp_path / "model.keras")
    assert again.jit_compile is True
    again.fit(X, Y, batch_size=16, verbose=0)


@pytest.mark.parametrize("jit", [True, {"backend": "aot_eager"}], ids=str)
def test_compilers(jit, always):
    model = assert_same(dense, jit=jit, metrics=["accuracy"])
    assert [(graph.updates, graph.metrics) for graph in graphs(model)] == [(True, True)]


def test_modes_become_settings_of_inductor():
    settings = compiled_step.tracing.inductor_options
    assert settings({})["fallback_random"] is True
    tuned = settings({"mode": "max-autotune", "options": {"fallback_random": False}})
    assert tuned["max_autotune"] is True
    assert tuned["fallback_random"] is False
    assert settings({"mode": "reduce-overhead"})["triton.cudagraphs"] is False


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(cuda_graphs=True), ValueError, "needs a CUDA device, and .* is on 'cpu'"),
        (dict(cuda_graphs="yes"), TypeError, "must be True, False or None, got 'yes'"),
        (dict(cuda_graphs=True, run_eagerly=True), ValueError, "exclude each other"),
    ],
    ids=["cpu", "kind", "run_eagerly"],
)
def test_cuda_graphs_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        dense().compile("sgd", SPARSE, **arguments)


def test_cuda_graphs_is_not_in_configs():
    model = dense()
    model.compile("sgd", SPARSE, cuda_graphs=False)
    assert "cuda_graphs" not in model.get_compile_config()
    assert "train" not in model._compiled_steps


class FakeRecording:
    """Stands for `torch.cuda.CUDAGraph`: replays a function on the recorded tensors."""

    def __init__(self, function, inputs, outputs):
        self.function, self.inputs, self.outputs = function, inputs, outputs
        self.replays = 0

    def replay(self):
        self.replays += 1
        for place, value in zip(self.outputs, self.function(*self.inputs), strict=True):
            place.copy_(value)


def test_a_recording_is_replayed_on_new_inputs():
    def function(total, x):
        total.add_(x)
        return [x * 2, total.clone()]

    class Captured(cuda_graph.CudaGraph):
        def _run_aside(self, tensors):
            return self.function(*tensors)

        def _record(self, tensors):
            self.inputs = [tensor.clone() for tensor in tensors[self.number_fixed :]]
            self.outputs = [torch.zeros(()), torch.zeros(())]
            self.graph = FakeRecording(self.function, (*tensors[:1], *self.inputs), self.outputs)

    total = torch.zeros(())
    captured = Captured(function, 1)
    found = [[float(t) for t in captured(total, torch.tensor(float(x)))] for x in range(1, 7)]
    assert found == [[2.0 * x, x * (x + 1) / 2] for x in range(1, 7)]
    assert captured.graph.replays == 6 - cuda_graph.WARM_UP


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("jit", ["auto", True, "reduce-overhead"], ids=str)
def test_cuda_graphs_train_to_the_same_numbers(jit, always):
    ours, eager = seeded(dense).to("cuda"), seeded(dense).to("cuda")
    found = run(ours, jit, X, Y, dict(cuda_graphs=True, metrics=["accuracy"]))
    expected = run(eager, "auto", X, Y, dict(metrics=["accuracy"]))
    torch.testing.assert_close(found[0]["loss"], expected[0]["loss"], rtol=1e-2, atol=1e-3)  # other dropout
    assert isinstance(graphs(ours)[0].function, cuda_graph.CudaGraph)


def test_steps_of_ours_are_compiled_and_calls_stay_eager(always):
    model = dense()
    model.compile("sgd", SPARSE, jit_compile=TRACED)
    assert model._compiled_call_impl is None
    assert isinstance(compiled_step.compiled_step(model, "train").eager, steps.TrainStep)
    assert compiled_step.compiled_step(dense(), "train") is None
    assert isinstance(nn.Module.__call__(model, torch.tensor(X)), torch.Tensor)


def test_graphs_over_images_move_axes_once(always, monkeypatch):
    moved, compile_graph = [], tracing.compile_graph

    def counting(graph, *rest):
        moved.append(sum(node.target is torch.ops.aten.permute.default for node in graph.graph.nodes))
        return compile_graph(graph, *rest)

    monkeypatch.setattr(tracing, "compile_graph", counting)
    blocks = [(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU()) for _ in range(3)]
    parts = [layer for block in blocks for layer in block]
    model = tkl.Sequential([tkl.Input((8, 8, 3)), *parts, layers.GlobalAveragePooling2D()])
    model.compile("adam", "mse", jit_compile=TRACED)
    model.fit(np.ones((32, 8, 8, 3), "float32"), np.ones((32, 4), "float32"), batch_size=8, verbose=0)
    assert moved
    assert max(moved) <= 3


@pytest.mark.parametrize(("few", "fails"), [(1000, False), (1, False), (1, True)])
def test_long_graphs_are_called_from_c(few, fails, always, monkeypatch):
    asked = []

    def compiled(graph, inputs, options):
        asked.append(options.get("cpp_wrapper", False))
        if fails and asked[-1]:
            raise NotImplementedError("no such operation in C++")
        return graph

    monkeypatch.setattr(tracing, "FEW_OPERATIONS", few)
    monkeypatch.setattr(torch._inductor, "compile", compiled)
    ours = seeded(dense)
    history, *_ = run(ours, True, X, Y, {})
    expected, *_ = run(seeded(dense), False, X, Y, {})
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    first = [False] if few > 1 else [True, False] if fails else [True]
    assert asked[: len(first)] == first
    given = {"options": {"cpp_wrapper": False}}
    asked.clear()
    run(seeded(dense), given, X, Y, {})
    assert not any(asked)
