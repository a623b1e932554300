"""What TensorBoard is given, read back from its files."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

from callbacks.callback_fakes import FakeModel, drive
from torchkeras_lite.callbacks import TensorBoard
from torchkeras_lite.callbacks.tensorboard_records import as_images, profile_range, read_labels

EPOCHS = [{"loss": 2.0, "val_loss": 3.0}, {"loss": 1.0, "val_loss": 2.5}]


class Named:
    def __init__(self, **attributes):
        vars(self).update(attributes)

    def numpy(self):
        return self.values


class Net(nn.Module):
    """A torch module with the few attributes of a Keras model that are looked at."""

    def __init__(self, inputs=None):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.dropout = nn.Dropout(0.5)
        self.optimizer = FakeModel().optimizer
        self.stop_training = False
        self.inputs = [Named(shape=(None, 3), dtype="float32")] if inputs is None else inputs
        weight = Named(path="dense/kernel", values=np.arange(6.0).reshape(3, 2))
        table = Named(values=np.ones((2, 4)))
        self.layers = [
            Named(name="dense", weights=[weight]),
            Named(name="table", weights=[], embeddings=table),
        ]

    def forward(self, x):
        return self.dropout(self.linear(x))


@pytest.fixture
def read():
    """A function that returns `{tag: [(step, value)]}` of the scalars of a run, and its other tags."""
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def read(folder):
        events = module.EventAccumulator(str(folder), size_guidance=dict.fromkeys(("scalars", "tensors"), 0))
        events.Reload()
        tags = events.Tags()
        scalars = {
            tag: [(e.step, round(e.value, 4)) for e in events.Scalars(tag)] for tag in tags.pop("scalars")
        }
        return scalars, tags

    return read


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_epochs_are_written_to_two_runs(read, tmp_path):
    drive(TensorBoard(tmp_path), EPOCHS, model=Net(), batches=2)
    scalars, tags = read(tmp_path / "train")
    assert scalars == {"epoch_loss": [(0, 2.0), (1, 1.0)], "epoch_learning_rate": [(0, 0.1), (1, 0.1)]}
    assert tags["graph"] is True
    assert read(tmp_path / "validation")[0] == {"epoch_loss": [(0, 3.0), (1, 2.5)]}


@pytest.mark.parametrize(
    ("update_freq", "steps"), [("batch", [1, 2, 3, 4, 5, 6]), (2, [2, 4, 6]), (4, [4]), ("epoch", [])]
)
def test_batches_are_written_every_so_often(update_freq, steps, read, tmp_path):
    callback = TensorBoard(tmp_path, update_freq=update_freq, write_graph=False, write_steps_per_second=True)
    drive(callback, EPOCHS, model=Net(), batches=3)
    scalars, _ = read(tmp_path / "train")
    assert [step for step, _ in scalars.get("batch_loss", [])] == steps
    assert [step for step, _ in scalars.get("batch_steps_per_second", [])] == steps
    assert [step for step, _ in scalars["epoch_steps_per_second"]] == [0, 1]


def test_steps_go_on_in_the_next_training(read, tmp_path):
    model = Net()
    model.optimizer.iterations = 3
    drive(TensorBoard(tmp_path, update_freq="batch", write_graph=False), EPOCHS[:1], model=model, batches=2)
    assert [step for step, _ in read(tmp_path / "train")[0]["batch_loss"]] == [4, 5]


def test_evaluations_are_written_against_iterations(read, tmp_path):
    callback, model = TensorBoard(tmp_path, write_graph=False), Net()
    model.optimizer.iterations = 7
    callback.set_model(model)
    callback.on_test_begin()
    callback.on_test_end({"loss": 0.5})
    assert read(tmp_path / "validation")[0] == {"evaluation_loss_vs_iterations": [(7, 0.5)]}
    assert not (tmp_path / "train").exists()


def test_histograms_and_images_of_weights(read, tmp_path):
    callback = TensorBoard(tmp_path, histogram_freq=2, write_images=True, write_graph=False)
    drive(callback, EPOCHS + EPOCHS[:1], model=Net())
    _, tags = read(tmp_path / "train")
    assert tags["histograms"] == ["dense/kernel/histogram"]
    assert tags["images"] == ["dense/kernel/image"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_graph_leaves_the_model_as_it_was(read, tmp_path):
    model = Net()
    model.train()
    model.linear.eval()
    drive(TensorBoard(tmp_path), EPOCHS, model=model)
    assert (model.training, model.linear.training, model.dropout.training) == (True, False, True)


def test_graph_that_cannot_be_traced_only_warns(read, tmp_path):
    wrong = Net(inputs=[Named(shape=(None, 4), dtype="float32")])
    with pytest.warns(UserWarning, match="the graph of the model could not be traced .*write_graph=False"):
        drive(TensorBoard(tmp_path), EPOCHS, model=wrong)


def test_model_without_known_inputs_has_no_graph(read, tmp_path):
    drive(TensorBoard(tmp_path), EPOCHS, model=Net(inputs=[]))
    assert read(tmp_path / "train")[1]["graph"] is False


@pytest.mark.parametrize("profile_batch", [2, (1, 2), "2,3", (5, 9)])
def test_profile_is_a_trace_of_the_run(profile_batch, read, tmp_path):
    callback = TensorBoard(tmp_path, profile_batch=profile_batch, write_graph=False)
    drive(callback, EPOCHS, model=Net(), batches=3)
    assert len(list((tmp_path / "train").glob("*.pt.trace.json"))) == 1
    assert callback._profile is None


def test_no_profile_by_default(read, tmp_path):
    drive(TensorBoard(tmp_path, write_graph=False), EPOCHS, model=Net(), batches=3)
    assert list((tmp_path / "train").glob("*.json")) == []


def test_embeddings_with_labels(read, tmp_path):
    labels = tmp_path / "labels.tsv"
    labels.write_text("a\nb\n")
    callback = TensorBoard(
        tmp_path, embeddings_freq=1, embeddings_metadata={"table": labels}, write_graph=False
    )
    drive(callback, EPOCHS[:1], model=Net())
    folder = tmp_path / "train" / "00000" / "table"
    assert (folder / "metadata.tsv").read_text().split() == ["a", "b"]
    assert len((folder / "tensors.tsv").read_text().splitlines()) == 2


def test_labels_for_a_layer_that_is_not_there(read, tmp_path):
    callback = TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"other": "x"}, write_graph=False)
    with pytest.raises(
        ValueError, match=r"Unrecognized `Embedding` layer names .*other. The model has table"
    ):
        drive(callback, EPOCHS[:1], model=Net())
    callback.on_train_end()


def test_columns_of_labels(tmp_path):
    path = tmp_path / "labels.tsv"
    path.write_text("word\tcount\na\t1\nb\t2\n")
    assert read_labels(path) == ([["a", "1"], ["b", "2"]], ["word", "count"])
    assert read_labels(None) == (None, None)


def test_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(
        ImportError, match=r"TensorBoard needs the package tensorboard, .*pip install tensorboard"
    ):
        TensorBoard(tmp_path).set_model(Net())


@pytest.mark.parametrize("update_freq", ["epochs", 0, 2.5, True])
def test_unknown_update_freq(update_freq):
    with pytest.raises(ValueError, match="`update_freq` must be 'epoch', 'batch' or a number of batches"):
        TensorBoard(update_freq=update_freq)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(0, (1, 0)), (3, (3, 3)), ((2, 5), (2, 5)), ("2,5", (2, 5)), ("4", (4, 4)), ([1, 1], (1, 1))],
)
def test_profile_range(given, expected):
    assert profile_range(given) == expected


@pytest.mark.parametrize("given", [-1, (5, 2), "a", None, (1, 2, 3), 2.5])
def test_unknown_profile_range(given):
    with pytest.raises(ValueError, match="`profile_batch` must be a batch counted from 1, a pair"):
        profile_range(given)


@pytest.mark.parametrize(
    ("shape", "pictures"),
    [
        ((5,), (1, 5, 1, 1)),
        ((2, 6), (1, 2, 6, 1)),
        ((6, 2), (1, 2, 6, 1)),
        ((3, 4, 5), (5, 3, 4, 1)),
        ((3, 3, 3, 8), (8, 3, 3, 3)),
        ((3, 3, 1, 8), (8, 3, 3, 1)),
        ((3, 3, 7, 8), None),
        ((), None),
    ],
)
def test_weights_as_images(shape, pictures, rng):
    images = as_images(rng.normal(size=shape))
    assert (None if images is None else images.shape) == pictures
    assert images is None or (images.min(), images.max()) == (0.0, 1.0)


def test_constant_weights_are_an_image_too():
    assert torch.as_tensor(as_images(np.ones((2, 2)))).isfinite().all()
