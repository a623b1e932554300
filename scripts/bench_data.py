"""Compare data pipelines with Keras's: `python scripts/bench_data.py [--rounds N] [--files N]`.

The loaders of folders of images, texts and sounds and of time series against Keras's on torch
(`format="grain"` and `"tf"`, where grain and TensorFlow are installed; sounds only with the latter), and
`ImageDataGenerator` against Keras's, on the same files; rounds are interleaved. What is printed is the
time of an epoch here, and there, and their ratio (median and minimum over the rounds): below 1 this package
is faster.
"""

import argparse
import importlib.util
import os
import statistics
import tempfile
import time
import wave

import environment

SIZE = (300, 400)
TARGET = (150, 150)
AUGMENTED = {
    "rescale": 1 / 255,
    "rotation_range": 20,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "shear_range": 0.2,
    "zoom_range": 0.2,
    "horizontal_flip": True,
}


def main():
    os.environ["KERAS_BACKEND"] = "torch"
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=128)
    arguments = parser.parse_args()
    print(f"{'workload':36} {'here ms':>9} {'Keras ms':>9} {'median':>8} {'minimum':>8}")
    with tempfile.TemporaryDirectory() as folder:
        write_files(folder, arguments.files)
        for name, (here, there) in workloads(folder, arguments.files).items():
            here(), there()
            times = [(clock(here), clock(there)) for _ in range(arguments.rounds)]
            mine, his = (min(column) * 1e3 for column in zip(*times, strict=True))
            ratio = statistics.median(one / other for one, other in times)
            print(f"{name:36} {mine:9.1f} {his:9.1f} {ratio:8.3f} {mine / his:8.3f}")


def clock(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def write_files(folder, count):
    """Write photographs (smooth, so that they are as quick to decode as real ones), texts and sounds of two
    classes.
    """
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(count):
        places = [os.path.join(folder, kind, "ab"[number % 2]) for kind in ("images", "texts", "sounds")]
        for place in places:
            os.makedirs(place, exist_ok=True)
        images, texts, sounds = (os.path.join(place, str(number)) for place in places)
        small = Image.fromarray(rng.integers(0, 255, (20, 30, 3), dtype="uint8"))
        small.resize(SIZE[::-1], Image.Resampling.BICUBIC).save(f"{images}.jpg")
        with open(f"{texts}.txt", "w") as file:
            file.write(" ".join(map(str, rng.integers(0, 10000, 200))))
        with wave.open(f"{sounds}.wav", "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(rng.integers(-3000, 3000, 16000, dtype="int16").tobytes())


def workloads(folder, count):
    import keras
    import numpy as np
    from keras.src.legacy.preprocessing import image as keras_image

    import torchkeras_lite as tkl

    rounds = -(-count // 32)
    images, texts, sounds = (os.path.join(folder, kind) for kind in ("images", "texts", "sounds"))
    series = np.random.default_rng(0).random((4000, 8), dtype="float32")
    loads = {
        "image_dataset_from_directory": ((images,), {"image_size": TARGET, "verbose": False}),
        "text_dataset_from_directory": ((texts,), {"max_length": 1000, "verbose": False}),
        "timeseries_dataset_from_array": ((series, series[:, 0], 32), {"shuffle": True}),
        "audio_dataset_from_directory": ((sounds,), {"output_sequence_length": 16000, "verbose": False}),
    }
    found = {}
    for kind, package in (("grain", "grain"), ("tf", "tensorflow")):
        if importlib.util.find_spec(package) is None:
            continue
        for name, (given, options) in loads.items():
            sounding = name.startswith("audio")
            if not sounding or kind == "tf":
                his = getattr(keras.utils, name)(*given, **options, **({} if sounding else {"format": kind}))
                mine = getattr(tkl.utils, name)(*given, **options)
                found[f"{name} {kind}"] = (epoch(mine), epoch(his))
    flows = [room.ImageDataGenerator(**AUGMENTED) for room in (tkl.preprocessing.image, keras_image)]
    folders = [flow.flow_from_directory(images, target_size=TARGET, seed=0) for flow in flows]
    found["flow_from_directory"] = tuple(batches(flow, rounds) for flow in folders)
    x = np.random.default_rng(0).random((count, 64, 64, 3), dtype="float32")
    arrays = [flow.flow(x, seed=0) for flow in flows]
    found["flow 64x64"] = tuple(batches(flow, rounds) for flow in arrays)
    return found


def epoch(dataset):
    return lambda: sum(1 for _ in dataset)


def batches(flow, count):
    return lambda: [next(flow) for _ in range(count)]


if __name__ == "__main__":
    environment.enter("test")
    main()
