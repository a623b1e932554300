"""Keras in a process of its own: `KERAS_BACKEND=jax python benchmark_worker.py`, told what to do by lines.

`["make", NAME, STEPS, SCALE]` makes a workload, `["run"]` trains an epoch. Each is answered by a line with
the seconds that it took.
"""

import json
import sys
import time


def main():
    """Answer the lines of the standard input until it ends."""
    import keras
    import torch

    from benchmark_workloads import workloads

    torch.set_num_threads(1)
    answers, sys.stdout = sys.stdout, sys.stderr
    model = workload = None
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        start = time.perf_counter()
        if command == "make":
            name, steps, scale = arguments
            workload = workloads(scale, steps)[name]
            model = workload.compiled(keras)
        else:
            model.fit(workload.x, workload.y, batch_size=workload.batch_size, verbose=0)
        print(time.perf_counter() - start, file=answers, flush=True)


if __name__ == "__main__":
    main()
