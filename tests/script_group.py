"""Runs scripts for Keras, the arguments, one after the other in this process, under `as_keras`.

Prints a line `<name> <seconds>` for each that came to its end, and the traceback of one that did not.
"""

import contextlib
import os
import pathlib
import random
import runpy
import sys
import tempfile
import time
import traceback
import warnings

import numpy as np
import torch

import torchkeras_lite.as_keras


def run(path):
    """Run the script at `path` in an empty folder, from the same start each time."""
    torchkeras_lite.utils.clear_session()
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    back = os.getcwd()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        os.chdir(folder)
        try:
            runpy.run_path(str(path), run_name="__main__")
        finally:
            os.chdir(back)
            torchkeras_lite.config.set_image_data_format("channels_last")
            torchkeras_lite.mixed_precision.set_dtype_policy("float32")


def main():
    """Run the scripts, and return the number of those that failed."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    failed = 0
    for argument in sys.argv[1:]:
        path = pathlib.Path(argument).resolve()
        started = time.perf_counter()
        try:
            run(path)
        except BaseException:
            failed += 1
            traceback.print_exc(file=sys.stdout)
            continue
        print(f"{path.stem} {time.perf_counter() - started:.1f}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
