"""`tf.function`, and what has no oracle: random, io, config, debugging, distribute, train, summary."""

import functools
import logging

import numpy as np
import pytest
import torch

import torchkeras_lite as keras
import torchkeras_lite.tf as tf


def test_a_function_runs_as_it_stands():
    @tf.function
    def collatz(n):
        steps = 0
        while n > 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            steps += 1
        return steps

    assert collatz(tf.constant(6)) == 8
    assert collatz.__name__ == "collatz"
    assert collatz.get_concrete_function(tf.TensorSpec((), tf.int32))(tf.constant(6)) == 8


def test_arrays_become_tensors_and_signatures_are_checked():
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def total(x):
        assert isinstance(x, tf.Tensor)
        return tf.reduce_sum(x)

    assert total(np.ones((3, 2), "float32")).numpy() == 6.0
    assert total([[1, 2]]).numpy() == 3.0
    with pytest.raises(ValueError, match="input_signature"):
        total(tf.ones((3, 4)))
    with pytest.raises(ValueError, match="has 1 arguments"):
        total(tf.ones((1, 2)), 1)


def test_methods_are_functions():
    class Counter:
        def __init__(self):
            self.value = tf.Variable(0.0)

        @tf.function(input_signature=[tf.TensorSpec((), tf.float32)])
        def add(self, x):
            return self.value.assign_add(x)

    counter = Counter()
    counter.add(2.0)
    counter.add(tf.constant(3.0))
    assert counter.value.numpy() == 5.0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, as it loads its compiler
def test_a_compiled_function_gives_the_same_and_its_gradient(monkeypatch):
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    w = tf.Variable([1.0, 2.0])

    @tf.function(jit_compile=True)
    def loss(x):
        return tf.reduce_sum(tf.nn.relu(x * w) ** 2)

    x = tf.constant([3.0, -1.0])
    with tf.GradientTape() as tape:
        y = loss(x)
    assert (type(y), y.numpy()) == (tf.Tensor, 9.0)
    assert tape.gradient(y, w).numpy().tolist() == [18.0, 0.0]


def test_random_numbers_follow_the_seed():
    tf.random.set_seed(3)
    first = [tf.random.normal((2,)), tf.random.uniform((2,)), tf.random.truncated_normal((2,))]
    tf.random.set_seed(3)
    again = [tf.random.normal((2,)), tf.random.uniform((2,)), tf.random.truncated_normal((2,))]
    for a, b in zip(first, again, strict=True):
        assert a.numpy().tolist() == b.numpy().tolist()
    stateless = [tf.random.stateless_uniform((3,), seed=(1, 2)).numpy().tolist() for _ in range(2)]
    assert stateless[0] == stateless[1]
    generators = [tf.random.Generator.from_seed(5).normal((3,)).numpy().tolist() for _ in range(2)]
    assert generators[0] == generators[1]


@pytest.mark.parametrize(
    ("draw", "mean", "deviation"),
    [
        (lambda: tf.random.normal((20000,), 2.0, 3.0), 2.0, 3.0),
        (lambda: tf.random.uniform((20000,), -1.0, 3.0), 1.0, 4 / 12**0.5),
        (lambda: tf.random.truncated_normal((20000,)), 0.0, 0.88),
        (lambda: tf.random.gamma((20000,), 4.0, 2.0), 2.0, 1.0),
        (lambda: tf.random.poisson((20000,), 4.0), 4.0, 2.0),
        (lambda: tf.cast(tf.random.uniform((20000,), 0, 10, dtype=tf.int32), tf.float32), 4.5, 2.872),
        (lambda: tf.cast(tf.random.categorical([[0.0, 0.0]], 20000), tf.float32), 0.5, 0.5),
    ],
    ids=["normal", "uniform", "truncated_normal", "gamma", "poisson", "integers", "categorical"],
)
def test_moments_of_random_numbers(draw, mean, deviation):
    tf.random.set_seed(0)
    sample = draw().numpy()
    assert abs(sample.mean() - mean) < 0.05
    assert abs(sample.std() - deviation) < 0.05


def test_random_images_change_within_bounds():
    tf.random.set_seed(1)
    batch = tf.random.uniform((4, 6, 6, 3))
    flipped = tf.image.random_flip_left_right(batch)
    for before, after in zip(batch, flipped, strict=True):
        assert any(bool(tf.reduce_all(after == one)) for one in (before, before[:, ::-1]))
    assert tf.image.random_crop(batch[0], (2, 3, 3)).shape == (2, 3, 3)
    for function in (tf.image.stateless_random_brightness, tf.image.stateless_random_hue):
        a, b = (function(batch, 0.2, seed=(1, 2)).numpy() for _ in range(2))
        assert np.array_equal(a, b)
        assert not np.array_equal(a, batch.numpy())
    with pytest.raises(ValueError, match="greater"):
        tf.image.random_crop(batch[0], (9, 3, 3))


def test_pictures_and_tensors_are_written_and_read(tmp_path):
    picture = tf.constant(np.arange(48).reshape(4, 4, 3), tf.uint8)
    path = str(tmp_path / "new" / "a.png")
    tf.io.write_file(path, tf.io.encode_png(picture))
    assert np.array_equal(tf.io.decode_png(tf.io.read_file(path), channels=3), picture)
    assert tf.image.decode_image(tf.io.read_file(path), dtype=tf.float32).numpy().max() == np.float32(
        47 / 255
    )
    assert tf.io.decode_jpeg(tf.io.encode_jpeg(picture)).shape == (4, 4, 3)
    again = tf.io.parse_tensor(tf.io.serialize_tensor(picture), tf.uint8)
    assert np.array_equal(again, picture)
    assert tf.io.gfile.exists(path)
    assert tf.io.gfile.glob(str(tmp_path / "new" / "*.png")) == [path]
    with pytest.raises(tf.errors.NotFoundError):
        tf.io.read_file(str(tmp_path / "none"))


def test_files_are_listed_and_read_by_lines(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.txt").write_bytes(f"{name}1\r\n{name}2\n".encode())
    files = tf.data.Dataset.list_files(str(tmp_path / "*.txt"), shuffle=False)
    assert [name.numpy().decode()[-5:] for name in files] == ["a.txt", "b.txt"]
    lines = files.flat_map(tf.data.TextLineDataset)
    assert list(lines.as_numpy_iterator()) == [b"a1", b"a2", b"b1", b"b2"]
    with pytest.raises(ValueError, match="No files matched"):
        tf.data.Dataset.list_files(str(tmp_path / "*.csv"))


def test_datasets_train_models():
    x = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices((x, x.sum(1, keepdims=True)))
    dataset = dataset.map(lambda a, b: (a * 2, b)).shuffle(32, seed=1).batch(8).prefetch(tf.data.AUTOTUNE)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(dataset, epochs=3, validation_data=dataset.take(1), verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert model.predict(dataset, verbose=0).shape == (32, 1)
    assert tf.nest.map_structure(lambda spec: spec.shape.as_list(), dataset.element_spec) == ([8, 3], [8, 1])


def test_datasets_shuffle_every_epoch_and_take_only_datasets():
    dataset = tf.data.Dataset.range(50).shuffle(50)
    assert list(dataset.as_numpy_iterator()) != list(dataset.as_numpy_iterator())
    mixed = tf.data.Dataset.sample_from_datasets(
        [dataset, dataset.map(lambda x: x + 100)], [0.5, 0.5], seed=1
    )
    assert sorted(int(one) for one in mixed) == [*range(50), *range(100, 150)]
    with pytest.raises(TypeError, match="returns a dataset"):
        list(dataset.flat_map(lambda x: x))
    with pytest.raises(TypeError, match="function"):
        tf.data.Dataset.from_generator([1, 2])


def test_devices_are_listed_and_missing_ones_replaced():
    assert [one.device_type for one in tf.config.list_physical_devices("CPU")] == ["CPU"]
    gpus = tf.config.list_physical_devices("GPU")
    assert len(gpus) == (torch.accelerator.device_count() if torch.accelerator.is_available() else 0)
    for name in ("/GPU:0", "/device:GPU:0", "/CPU:0", None):
        with tf.device(name):
            assert tf.constant([1.0]).shape == (1,)
    assert tf.test.is_gpu_available() == bool(gpus)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("tf.debugging.assert_equal([1, 2], [1, 3], message='no')", "no"),
        ("tf.debugging.assert_less(2, 1)", "x < y"),
        ("tf.debugging.assert_non_negative([-1])", "x >= 0"),
        ("tf.debugging.assert_near(1., 1.1)", "tolerance"),
        ("tf.debugging.assert_rank(tf.zeros((2,)), 2)", "rank 2"),
        ("tf.debugging.assert_shapes([(tf.zeros((2, 3)), ('N', 'D')), (tf.zeros((4,)), ('N',))])", "fit"),
        ("tf.debugging.check_numerics([1., float('nan')], 'bad')", "bad : Tensor had NaN"),
        ("tf.debugging.Assert(tf.constant(False), ['data'])", "data"),
        ("tf.ensure_shape(tf.zeros((2, 3)), (2, 4))", "not compatible"),
    ],
)
def test_checks_raise(code, error):
    with pytest.raises(ValueError, match=error):
        eval(code, {"tf": tf})


def test_checks_pass():
    tf.debugging.assert_equal([1, 2], [1, 2])
    tf.debugging.assert_shapes({tf.zeros((2, 3)).ref(): ("N", "D"), tf.zeros((2, 5, 3)).ref(): ("N", 5, "D")})
    with pytest.raises(TypeError, match="type"):
        tf.debugging.assert_type(tf.constant(1), tf.float32)


@pytest.mark.parametrize("make", [tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy])
def test_a_strategy_is_one_process(make):
    strategy = make()
    with strategy.scope():
        assert tf.distribute.get_strategy() is strategy
        w = tf.Variable(2.0)

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.nn.compute_average_loss(x * w, global_batch_size=4)
        w.assign_sub(tape.gradient(loss, w))
        return loss

    dataset = tf.data.Dataset.range(4).map(lambda x: tf.cast(x, tf.float32)).batch(4)
    for batch in strategy.experimental_distribute_dataset(dataset):
        per_replica = strategy.run(step, args=(batch,))
    assert strategy.num_replicas_in_sync == 1
    assert strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica, axis=None).numpy() == 3.0
    assert strategy.reduce("MEAN", tf.constant([1.0, 3.0]), axis=0).numpy() == 2.0
    assert w.numpy() == 0.5


def test_checkpoints_restore_models_and_optimizers(tmp_path):
    def made():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        return model, keras.optimizers.Adam(0.1)

    model, optimizer = made()
    x = tf.ones((4, 2))
    for _ in range(2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(x, training=True) ** 2)
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer, step=tf.Variable(7))
    manager = tf.train.CheckpointManager(checkpoint, str(tmp_path), max_to_keep=2)
    for _ in range(3):
        saved = manager.save()
    assert [path[-1] for path in manager.checkpoints] == ["2", "3"]
    assert tf.train.latest_checkpoint(str(tmp_path)) == saved == manager.latest_checkpoint
    other, other_optimizer = made()
    step = tf.Variable(0)
    again = tf.train.Checkpoint(model=other, optimizer=other_optimizer, step=step)
    again.restore(saved).assert_consumed()
    assert step.numpy() == 7
    assert int(other_optimizer.iterations.numpy()) == 2
    for mine, theirs in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(AssertionError, match="other"):
        tf.train.Checkpoint(other=tf.Variable(1.0)).restore(saved).assert_existing_objects_matched()
    with pytest.raises(tf.errors.NotFoundError):
        again.restore(str(tmp_path / "none"))


def test_summaries_need_a_step_and_a_writer(tmp_path):
    pytest.importorskip("tensorboard")
    assert not tf.summary.scalar("nothing", 1.0, step=0)
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default():
        assert tf.summary.scalar("loss", tf.constant(1.5), step=1)
        assert tf.summary.histogram("w", tf.ones((3,)), step=1)
        with tf.summary.record_if(False):
            assert not tf.summary.scalar("loss", 1.0, step=2)
        with pytest.raises(ValueError, match="No step"):
            tf.summary.scalar("loss", 1.0)
    writer.close()
    assert any("tfevents" in path.name for path in tmp_path.iterdir())


def test_print_shows_values(capsys):
    tf.print("x:", tf.constant([1, 2]), {"a": tf.constant(1.5)}, tf.constant("t"), sep=" ")
    assert capsys.readouterr().err == "x: [1 2] {'a': 1.5} t\n"
    assert tf.get_logger() is logging.getLogger("tensorflow")
