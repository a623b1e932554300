"""Compare data pipelines with Keras's: `python scripts/bench_data.py [--rounds N] [--images N]`.

The folder loader against Keras's on torch (`format="grain"` and `"tf"`, where grain and TensorFlow are
installed) and `ImageDataGenerator` against Keras's, on the same files; rounds are interleaved. What is
printed is the time of an epoch here, and there, and their ratio (median and minimum over the rounds): below
1 this package is faster.
"""

import argparse
import importlib.util
import os
import statistics
import tempfile
import time

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
    parser.add_argument("--images", type=int, default=128)
    arguments = parser.parse_args()
    print(f"{'workload':34} {'here ms':>9} {'Keras ms':>9} {'median':>8} {'minimum':>8}")
    with tempfile.TemporaryDirectory() as folder:
        write_images(folder, arguments.images)
        for name, (here, there) in workloads(folder, arguments.images).items():
            here(), there()
            times = [(clock(here), clock(there)) for _ in range(arguments.rounds)]
            mine, his = (min(column) * 1e3 for column in zip(*times, strict=True))
            ratio = statistics.median(one / other for one, other in times)
            print(f"{name:34} {mine:9.1f} {his:9.1f} {ratio:8.2f} {mine / his:8.2f}")


def clock(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def write_images(folder, count):
    """Write photographs (smooth, so that they are as quick to decode as real ones) of two classes."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(count):
        place = os.path.join(folder, "ab"[number % 2])
        os.makedirs(place, exist_ok=True)
        small = Image.fromarray(rng.integers(0, 255, (20, 30, 3), dtype="uint8"))
        small.resize(SIZE[::-1], Image.Resampling.BICUBIC).save(os.path.join(place, f"{number}.jpg"))


def workloads(folder, count):
    import keras
    import numpy as np
    from keras.src.legacy.preprocessing import image as keras_image

    import torchkeras_lite as tkl

    rounds = -(-count // 32)
    loads = {"image_size": TARGET, "verbose": False}
    found = {}
    for kind, package in (("grain", "grain"), ("tf", "tensorflow")):
        if importlib.util.find_spec(package) is not None:
            his = keras.utils.image_dataset_from_directory(folder, format=kind, **loads)
            mine = tkl.utils.image_dataset_from_directory(folder, **loads)
            found[f"image_dataset_from_directory {kind}"] = (epoch(mine), epoch(his))
    flows = [room.ImageDataGenerator(**AUGMENTED) for room in (tkl.preprocessing.image, keras_image)]
    folders = [flow.flow_from_directory(folder, target_size=TARGET, seed=0) for flow in flows]
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
