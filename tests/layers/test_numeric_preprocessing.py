"""Normalization, CategoryEncoding, Discretization and the spectrograms, against real Keras."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from oracle import assert_close, assert_layer_matches
from torchkeras_lite import layers


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("axis", [-1, 1, (1, 2), (2, 1), None, [-1]], ids=str)
def test_normalization_learns_what_keras_learns(axis, invert, rng):
    x = (rng.normal(size=(13, 4, 3)) * [1.0, 5.0, 0.1] + 7.0).astype("float32")
    ours, theirs = (kind.Normalization(axis=axis, invert=invert) for kind in (layers, keras.layers))
    ours.adapt(x)
    theirs.adapt(x)
    assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-4)
    assert_close(ours.mean, theirs.mean)
    assert_close(ours.variance, theirs.variance, rtol=1e-4)
    for mine, his in zip(ours.weights, theirs.weights, strict=True):
        assert (mine.name, mine.shape, mine.dtype) == (his.name, tuple(his.shape), his.dtype)
    assert not ours.trainable_weights
    parts = layers.Normalization(axis=axis, invert=invert)
    parts.adapt(torch.utils.data.DataLoader(torch.as_tensor(x), batch_size=5))
    assert_close(parts(x), ours(x), rtol=1e-4, atol=1e-4)
    by_hand = layers.Normalization(axis=axis, invert=invert)
    for part in (x[:1], x[1:]):
        by_hand.update_state(part)
    by_hand.finalize_state()
    assert_close(by_hand(x), ours(x), rtol=1e-4, atol=1e-4)
    copied = layers.Normalization(axis=axis, invert=invert)
    copied.build(x.shape)
    copied.load_state_dict(ours.state_dict())
    assert_close(copied(x), ours(x))


def test_normalization_with_given_statistics_and_extremes(rng):
    x = rng.normal(size=(2, 7, 5, 3)).astype("float32")
    for axis, shape in ((3, (3,)), ((1, 2), (5,)), ((1, 2), (7, 5)), (-1, ())):
        given = {"mean": rng.normal(size=shape), "variance": rng.uniform(1, 2, size=shape), "axis": axis}
        ours = layers.Normalization(**given)
        assert_layer_matches(ours, keras.layers.Normalization(**given), x)
        assert not ours.weights
        assert not ours.learns
        assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()
    constant = layers.Normalization()
    constant.adapt(np.ones((4, 2)))
    assert constant(np.array([[1.0, 2.0]])).tolist() == [[0.0, 10000000.0]]
    late = layers.Normalization()
    late.adapt([[1.6e9], [1.6e9 + 2.0]])
    assert late.variance.item() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: layers.Normalization(mean=1.0), ValueError, "both `mean` and `variance` must be set"),
        (lambda: layers.Normalization(mean=[1.0], variance=1.0), ValueError, "must have the same shape"),
        (lambda: layers.Normalization(mean=[[1.0]], variance=[[1.0]]), ValueError, "rank of `mean`"),
        (lambda: layers.Normalization(axis=3).build((2, 2)), ValueError, "must be in the range"),
        (
            lambda: layers.Normalization(axis=1).build((None, None)),
            ValueError,
            "to be kept must have a known",
        ),
        (lambda: layers.Normalization().adapt([]), ValueError, "empty iterable"),
        (lambda: layers.Normalization().adapt(iter([42])), TypeError, r"`\.shape`"),
        (lambda: layers.Normalization().adapt(["a"]), TypeError, "got strings"),
        (
            lambda: layers.Normalization(mean=1.0, variance=1.0).adapt(np.ones((2, 2))),
            ValueError,
            "were given",
        ),
        (
            lambda: layers.Normalization().adapt([np.ones((2, 3)), np.ones((2, 4))]),
            ValueError,
            "incompatible sh",
        ),
        (lambda: layers.CategoryEncoding(), ValueError, "num_tokens must be set"),
        (lambda: layers.CategoryEncoding(0), ValueError, "`num_tokens` must be >= 1"),
        (lambda: layers.CategoryEncoding(3, output_mode="x"), ValueError, "Unknown arg for output_mode: x"),
        (lambda: layers.CategoryEncoding(3, sparse=True), ValueError, "cannot be used with torch"),
        (lambda: layers.CategoryEncoding(3, name="c")([1, 5]), ValueError, "'c'.*got 5.*num_tokens=6"),
        (
            lambda: layers.CategoryEncoding(3)([1], count_weights=[1.0]),
            ValueError,
            "`count_weights` is not used",
        ),
        (lambda: layers.Discretization(), ValueError, "either `num_bins` or `bin_boundaries`"),
        (
            lambda: layers.Discretization([1.0], num_bins=2),
            ValueError,
            "Both `num_bins` and `bin_boundaries`",
        ),
        (lambda: layers.Discretization(num_bins=-1), ValueError, "greater than or equal to 0"),
        (lambda: layers.Discretization([1.0, 0.0]), ValueError, "ascending order.*Sort"),
        (
            lambda: layers.Discretization([1.0], output_mode="x"),
            ValueError,
            "Unknown value for `output_mode`",
        ),
        (lambda: layers.Discretization(num_bins=3)([1.0]), ValueError, "You need to either pass.*adapt"),
        (lambda: layers.Discretization([1.0]).adapt([1.0]), ValueError, "Cannot adapt a Discretization"),
        (lambda: layers.Discretization([1.0])(["a"]), TypeError, "expected numbers, got strings"),
        (lambda: layers.MelSpectrogram(100, sequence_length=200), ValueError, "`fft_length` must be greater"),
        (lambda: layers.MelSpectrogram(window="x"), ValueError, "'hann', 'hamming'"),
        (lambda: layers.MelSpectrogram()(np.ones(100)), ValueError, "more than fft_length // 2 = 1024"),
        (lambda: layers.STFTSpectrogram(mode="x"), ValueError, "`mode` must be one of"),
        (lambda: layers.STFTSpectrogram(frame_length=0), ValueError, "frame_length"),
        (lambda: layers.STFTSpectrogram(frame_step=500), ValueError, "not greater than `frame_length`"),
        (lambda: layers.STFTSpectrogram(fft_length=100), ValueError, "not less than `frame_length`"),
        (lambda: layers.STFTSpectrogram(window="x"), ValueError, "unknown window 'x'"),
        (
            lambda: layers.STFTSpectrogram()(np.ones((2, 100, 1))),
            ValueError,
            "frame_length=256 samples, got 100",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_errors_name_the_layer_and_the_remedy(make, error, match):
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(), (5,), (4, 5), (4, 1), (4, 5, 3)], ids=str)
def test_category_encoding_matches_keras(mode, shape, rng):
    x = rng.integers(-1, 6, shape)
    ours, theirs = (kind.CategoryEncoding(6, output_mode=mode) for kind in (layers, keras.layers))
    # Keras gives a single number a batch axis, where its own `compute_output_shape` has none.
    assert_close(ours(x), theirs(x)[0] if mode == "one_hot" and not shape else theirs(x))
    assert ours.compute_output_shape(shape) == tuple(ours(x).shape)
    for dtype in ("int32", "float16"):
        again = layers.CategoryEncoding(6, output_mode=mode, dtype=dtype)
        assert_close(again(x.tolist()), ours(x).to(getattr(torch, dtype)))


def test_category_encoding_weighs_counts(rng):
    x, weights = rng.integers(0, 4, (3, 5)), rng.uniform(size=(3, 5)).astype("float32")
    ours, theirs = (kind.CategoryEncoding(4, output_mode="count") for kind in (layers, keras.layers))
    assert_close(ours(x, count_weights=weights.tolist()), theirs(x, count_weights=weights))


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.5, 0.003])
@pytest.mark.parametrize("num_bins", [2, 4, 10])
def test_discretization_chooses_the_boundaries_of_keras(num_bins, epsilon, rng):
    parts = [rng.normal(size=(size, 2)).astype("float32") for size in (317, 3, 40)]
    ours, theirs = (
        kind.Discretization(num_bins=num_bins, epsilon=epsilon) for kind in (layers, keras.layers)
    )
    ours.adapt(parts)
    for part in parts:
        theirs.update_state(part)
    theirs.finalize_state()
    np.testing.assert_allclose(ours.bin_boundaries, theirs.bin_boundaries, rtol=1e-6)
    config = ours.get_config()
    assert {**config, "name": ""} == {**theirs.get_config(), "name": ""}
    again = layers.Discretization.from_config(config)
    assert again.get_config() == config
    assert_close(again(parts[0]), theirs(parts[0]))


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(), (5,), (4, 5), (4, 1), (4, 5, 3)], ids=str)
def test_discretization_matches_keras(mode, shape, rng):
    x = np.asarray(rng.normal(size=shape), dtype="float32")
    arguments = {"bin_boundaries": [-0.5, 0.0, 0.35], "output_mode": mode}
    ours, theirs = layers.Discretization(**arguments), keras.layers.Discretization(**arguments)
    if shape or mode != "one_hot":
        assert_close(ours(x), theirs(x))
    unknown = (None, *shape[1:])
    assert ours.compute_output_shape(unknown) == tuple(theirs.compute_output_shape(unknown))
    assert layers.Discretization([0.0, 0.35])(np.array([0.35, np.nan, -np.inf], "float32")).tolist() == [
        2,
        2,
        0,
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"mode": "psd", "scaling": "spectrum"},
        {"mode": "stft", "expand_dims": True},
        {"mode": "angle", "padding": "same", "data_format": "channels_first", "expand_dims": True},
        {"mode": "real", "fft_length": 16},
        {"mode": "imag", "window": None, "scaling": None},
        {"mode": "magnitude", "padding": "same", "frame_step": 1, "data_format": "channels_first"},
        {"mode": "log", "window": "hamming", "periodic": True},
    ],
    ids=str,
)
def test_stft_spectrogram_matches_keras(arguments, rng):
    arguments = {"frame_length": 8, "frame_step": 3, **arguments}
    x = rng.normal(size=(2, 3, 20) if arguments.get("data_format") == "channels_first" else (2, 20, 3))
    ours, theirs = layers.STFTSpectrogram(**arguments), keras.layers.STFTSpectrogram(**arguments)
    fresh = layers.STFTSpectrogram(**arguments)
    assert_close(fresh(x), theirs(x), rtol=1e-4, atol=1e-4)
    assert_layer_matches(ours, theirs, x, rtol=1e-4, atol=1e-4)


def test_mel_spectrogram_matches_keras(rng):
    sound = np.concatenate([rng.normal(size=(1, 400)) * 1e-4, rng.normal(size=(1, 400)) * 10])
    common = {"fft_length": 64, "sequence_stride": 16, "num_mel_bins": 8, "sampling_rate": 2000}
    for arguments in (
        {},
        {"window": None},
        {"sequence_length": 48, "ref_power": 2.0},
        {"power_to_db": False},
    ):
        ours = layers.MelSpectrogram(**common, **arguments)
        theirs = keras.layers.MelSpectrogram(**common, **arguments)
        assert_layer_matches(ours, theirs, sound, rtol=1e-4, atol=1e-4)
        assert_close(ours(sound[0]), theirs(sound[0]), rtol=1e-4, atol=1e-4)
    arguments = {"num_mel_bins": 5, "num_spectrogram_bins": 33, "lower_edge_hertz": 0.0}
    mine, his = (
        kind.MelSpectrogram().linear_to_mel_weight_matrix(**arguments) for kind in (layers, keras.layers)
    )
    assert_close(mine, torch.as_tensor(his), atol=1e-5)
    quiet = layers.MelSpectrogram(**common, top_db=None)(sound)
    assert quiet[0].max() < quiet[1].max() - 80


def test_spectrograms_of_sounds_of_any_length():
    inputs = torchkeras_lite.Input((None,))
    model = torchkeras_lite.Model(inputs, layers.MelSpectrogram()(inputs))
    assert model.output_shape == (None, 128, None)
    assert model(np.zeros((2, 16000), "float32")).shape == (2, 128, 32)
    inputs = torchkeras_lite.Input((None, 7))
    model = torchkeras_lite.Model(inputs, layers.STFTSpectrogram()(inputs))
    assert model.output_shape == (None, None, 7 * 129)


def test_normalization_is_saved_and_trained_around(tmp_path, rng):
    x = rng.normal(size=(20, 3)).astype("float32") * 9 + 4
    normalization = layers.Normalization()
    normalization.adapt(x)
    bins = layers.Discretization(num_bins=3, output_mode="multi_hot")
    bins.adapt(x)
    inputs = torchkeras_lite.Input((3,))
    features = layers.Concatenate()([normalization(inputs), layers.Flatten()(bins(inputs))])
    model = torchkeras_lite.Model(inputs, layers.Dense(1)(features))
    model.compile("sgd", "mse")
    model.fit(x, x[:, :1], verbose=0)
    model.save(tmp_path / "model.keras")
    for library in (torchkeras_lite, keras):
        again = library.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(
            again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4, atol=1e-4
        )
