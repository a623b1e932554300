"""Small files of the same make as those of the data sets, and a server for them."""

import contextlib
import functools
import gzip
import http.server
import io
import json
import pickle
import tarfile
import threading

import numpy as np

RNG = np.random.default_rng(0)


@contextlib.contextmanager
def serving(folder, fails=()):
    """Serve a folder, after `fails`: status codes, or functions of the handler that answer.

    Gives the address and a list of what was asked.
    """
    asked, answers = [], list(fails)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            answer = answers.pop(0) if answers else None
            if callable(answer):
                answer(self)
            elif answer is not None:
                self.send_error(answer)
            else:
                super().do_GET()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def lists(count, longest=12):
    """An array of lists of word numbers."""
    texts = np.empty(count, dtype=object)
    texts[:] = [RNG.integers(1, 60, RNG.integers(3, longest)).tolist() for _ in range(count)]
    return texts


def write_files(folder):
    """Write all files into a folder, under the names that their addresses end with."""
    pictures = lambda count: RNG.integers(0, 255, (count, 28, 28), dtype="uint8")
    classes = lambda count, top=10: RNG.integers(0, top, count)
    np.savez(
        folder / "mnist.npz",
        x_train=pictures(6),
        y_train=classes(6).astype("uint8"),
        x_test=pictures(4),
        y_test=classes(4).astype("uint8"),
    )
    for part, count in (("train", 6), ("t10k", 4)):
        with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(b"12345678" + classes(count).astype("uint8").tobytes())
        with gzip.open(folder / f"{part}-images-idx3-ubyte.gz", "wb") as file:
            file.write(b"1234567890123456" + pictures(count).tobytes())
    photographs = lambda count: RNG.integers(0, 255, (count, 3072), dtype="uint8")
    with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz") as archive:
        for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
            held = {b"data": photographs(5), b"labels": classes(5).tolist()}
            _add(archive, f"cifar-10-batches-py/{name}", held)
    with tarfile.open(folder / "cifar-100-python.tar.gz", "w:gz") as archive:
        for name in ("train", "test"):
            held = {b"fine_labels": classes(5, 100).tolist(), b"coarse_labels": classes(5, 20).tolist()}
            _add(archive, f"cifar-100-python/{name}", {b"data": photographs(5), **held})
    np.savez(
        folder / "imdb.npz",
        x_train=lists(20),
        y_train=classes(20, 2),
        x_test=lists(15),
        y_test=classes(15, 2),
    )
    np.savez(folder / "reuters.npz", x=lists(30), y=classes(30, 46))
    np.savez(folder / "boston_housing.npz", x=RNG.random((25, 13)), y=RNG.random(25))
    np.savez(folder / "california_housing.npz", x=RNG.random((700, 8)), y=RNG.random(700))
    for name in ("imdb", "reuters"):
        (folder / f"{name}_word_index.json").write_text(json.dumps({"der": 1, "é": 2}))


def _add(archive, name, held):
    data = pickle.dumps(held, protocol=3)
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))
