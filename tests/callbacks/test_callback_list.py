"""The list calls every hook in order, and batches cost nothing where no hook or reader is."""

import copy
import pickle
import re

import pytest

from torchkeras_lite.base import registry
from torchkeras_lite.callbacks import (
    Callback,
    CallbackList,
    EarlyStopping,
    History,
    LambdaCallback,
    LazyLogs,
    ProgbarLogger,
)

MODES = ("train", "test", "predict")
PLAIN_HOOKS = [f"on_{mode}_{place}" for mode in MODES for place in ("begin", "end")]
EPOCH_HOOKS = ["on_epoch_begin", "on_epoch_end"]
BATCH_HOOKS = [f"on_{mode}_batch_{place}" for mode in MODES for place in ("begin", "end")]
OLD_HOOKS = ["on_batch_begin", "on_batch_end"]


class Net:
    history = None


def recorder(calls, name, hooks):
    """A callback that writes down the calls of `hooks`."""

    def note(hook):
        return lambda self, *arguments: calls.append((name, hook, *arguments[:-1]))

    return type(name, (Callback,), {hook: note(hook) for hook in hooks})()


def call_all(callbacks):
    for hook in PLAIN_HOOKS:
        getattr(callbacks, hook)()
    for hook in EPOCH_HOOKS + BATCH_HOOKS:
        getattr(callbacks, hook)(3)


def test_every_hook_is_called_in_the_order_of_the_list():
    calls = []
    hooks = PLAIN_HOOKS + EPOCH_HOOKS + BATCH_HOOKS
    call_all(CallbackList([recorder(calls, "a", hooks), [recorder(calls, "b", hooks)]]))
    expected = [(hook,) for hook in PLAIN_HOOKS] + [(hook, 3) for hook in EPOCH_HOOKS + BATCH_HOOKS]
    assert calls == [(name, *call) for call in expected for name in ("a", "b")]


@pytest.mark.parametrize("hook", BATCH_HOOKS + OLD_HOOKS)
def test_only_filled_batch_hooks_are_called(hook):
    calls = []
    callbacks = CallbackList([recorder(calls, "a", [hook])], add_history=True)
    mode = "train" if hook in OLD_HOOKS else hook.split("_")[1]
    has = {name: getattr(callbacks, f"has_{name}_batch_hooks") for name in MODES}
    assert has == {name: name == mode for name in MODES}
    for name in BATCH_HOOKS:
        getattr(callbacks, name)(7)
    assert calls == [("a", hook, 7)]


def test_hooks_set_on_an_object_or_later_count():
    calls = []
    callback = Callback()
    callbacks = CallbackList([LambdaCallback(on_train_batch_end=lambda b, logs: calls.append(b)), callback])
    callbacks.on_train_batch_begin(1)
    callbacks.on_train_batch_end(1)
    callback.on_train_batch_begin = lambda batch, logs: calls.append("late")
    callbacks.on_epoch_begin(0)
    callbacks.on_train_batch_begin(2)
    assert calls == [1, "late"]


def test_old_names_work_on_the_list_and_through_super():
    calls = []

    class Both(Callback):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            calls.append("new")

        def on_batch_end(self, batch, logs=None):
            calls.append("old")

    CallbackList([Both()]).on_batch_end(0)
    assert calls == ["old", "new"]


def test_history_bar_model_and_params_are_handed_out():
    model, own = Net(), Callback()
    callbacks = CallbackList(
        own, add_history=True, add_progbar=True, model=model, verbose=0, epochs=2, steps=3
    )
    assert [type(c) for c in callbacks] == [Callback, History, ProgbarLogger]
    assert (own.model, own.params) == (model, {"verbose": 0, "epochs": 2, "steps": 3})
    late = Callback()
    callbacks.append(late)
    assert (late.model, late.params, len(callbacks)) == (model, own.params, 4)
    given = [History(), ProgbarLogger()]
    assert CallbackList(given, add_history=True, add_progbar=True).callbacks == given


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        (EarlyStopping, r"Pass an instance: EarlyStopping\("),
        (lambda epoch, logs: None, r"Wrap a function: LambdaCallback\("),
        (3, "subclasses of `Callback`"),
        (None, "subclasses of `Callback`"),
    ],
)
def test_what_is_no_callback_is_refused(wrong, remedy):
    with pytest.raises(TypeError, match=f"expected instances of Callback, got .*{remedy}"):
        CallbackList([wrong])


def counted():
    """A function that returns logs, and the list of its calls."""
    calls = []

    def read():
        calls.append(None)
        return {"acc": 0.5, "loss": 1.0}

    return read, calls


def test_logs_are_not_read_unless_looked_at():
    read, reads = counted()
    seen = []
    ignores = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs or {}) or seen.clear())
    callbacks = CallbackList([ignores])
    callbacks.on_train_batch_end(0, read)
    callbacks.on_train_batch_begin(1)
    assert reads == []


@pytest.mark.parametrize(
    ("look", "result"),
    [
        (lambda logs: logs["loss"], 1.0),
        (lambda logs: logs.get("loss"), 1.0),
        (lambda logs: logs.get("nothing", 3), 3),
        (lambda logs: "loss" in logs, True),
        (list, ["acc", "loss"]),
        (dict, {"acc": 0.5, "loss": 1.0}),
        (lambda logs: {**logs, "b": 2}, {"acc": 0.5, "loss": 1.0, "b": 2}),
        (lambda logs: {"b": 2} | logs, {"b": 2, "acc": 0.5, "loss": 1.0}),
        (lambda logs: logs | {"loss": 2}, {"acc": 0.5, "loss": 2}),
        (lambda logs: list(logs.items()), [("acc", 0.5), ("loss", 1.0)]),
        (len, 2),
        (repr, "{'acc': 0.5, 'loss': 1.0}"),
        (lambda logs: logs.copy(), {"acc": 0.5, "loss": 1.0}),
        (copy.copy, {"acc": 0.5, "loss": 1.0}),
        (copy.deepcopy, {"acc": 0.5, "loss": 1.0}),
        (lambda logs: pickle.loads(pickle.dumps(logs)), {"acc": 0.5, "loss": 1.0}),
        (lambda logs: logs == {"acc": 0.5, "loss": 1.0}, True),
        (lambda logs: logs.update(loss=3.0) or logs["loss"], 3.0),
    ],
)
def test_lazy_logs_read_once_and_act_like_a_dict(look, result):
    read, reads = counted()
    logs = LazyLogs(read)
    assert logs
    assert (logs or {}) is logs
    assert reads == []
    assert look(logs) == result
    assert look(logs) == result
    assert len(reads) == 1


def test_truth_of_lazy_logs_that_turned_out_empty():
    logs = LazyLogs(dict)
    assert (len(logs), bool(logs)) == (0, False)


@pytest.mark.parametrize("next_hook", ["on_train_batch_begin", "on_epoch_end", "on_test_begin"])
def test_logs_that_a_callback_keeps_hold_the_values_of_their_batch(next_hook):
    kept, state = [], {"loss": 1.0}
    callbacks = CallbackList([LambdaCallback(on_train_batch_end=lambda batch, logs: kept.append(logs))])
    callbacks.on_train_batch_end(0, lambda: dict(state))
    getattr(callbacks, next_hook)(*([] if "test" in next_hook else [1]))
    state["loss"] = 2.0
    assert kept == [{"loss": 1.0}]


def test_all_callbacks_of_an_epoch_share_the_logs():
    seen = []
    adds = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(extra=1))
    CallbackList(
        [adds, LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dict(logs)))]
    ).on_epoch_end(0, {"a": 2})
    assert seen == [{"a": 2, "extra": 1}]


def test_history_keeps_epochs_and_becomes_a_frame():
    pandas = pytest.importorskip("pandas")
    model, history = Net(), History()
    history.set_model(model)
    history.on_train_begin()
    history.on_epoch_end(0, {"loss": 2.0})
    history.on_epoch_end(1, {"loss": 1.0, "val_loss": 3.0})
    assert (history.epoch, history.history) == ([0, 1], {"loss": [2.0, 1.0], "val_loss": [3.0]})
    assert model.history is history
    frame = history.to_frame()
    assert (list(frame.columns), list(frame.index), frame.index.name) == (
        ["loss", "val_loss"],
        [0, 1],
        "epoch",
    )
    assert frame["val_loss"].isna().tolist() == [True, False]
    assert isinstance(frame, pandas.DataFrame)


def test_frame_without_pandas_names_the_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(
        ImportError, match=re.escape("History.to_frame() needs the package pandas") + ".*pip install pandas"
    ):
        History().to_frame()


def test_model_inside_of_distributed_data_parallel_is_found(monkeypatch):
    from torchkeras_lite.callbacks import callback as module

    class Wrapper:
        module = "inner"

    monkeypatch.setattr(module, "DistributedDataParallel", Wrapper)
    callback = Callback()
    callback.set_model(Wrapper())
    assert callback.model == "inner"


def test_callbacks_that_forget_the_constructor_of_their_base_work():
    class Forgetful(Callback):
        def __init__(self):
            pass

    callback = Forgetful()
    assert (callback.model, callback.params) == (None, None)
    callback.model = "set"
    assert callback.model == "set"


def test_public_names_are_published():
    import keras

    theirs = {name for name in dir(keras.callbacks) if name[0].isupper()} - {"OrbaxCheckpoint"}
    assert theirs <= set(registry.public_members("keras.callbacks"))
