"""One column and one workload of the benchmark: `python benchmark_worker.py COLUMN '["mlp", 1.0, 1, "cpu"]'`.

For every line of the standard input it runs an epoch and prints the seconds.
"""

import json
import os
import sys
import time


def main():
    """Make the workload, and run epochs until the input ends."""
    column, described = sys.argv[1:]
    name, steps, scale, device = json.loads(described)
    answers, sys.stdout = sys.stdout, sys.stderr
    if column.startswith("keras "):
        os.environ["KERAS_BACKEND"] = column.removeprefix("keras ")
    import torch

    from benchmark_columns import COLUMNS
    from benchmark_workloads import workloads

    torch.set_num_threads(1)
    run = COLUMNS[column](workloads(scale, steps)[name], device)
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        print(time.perf_counter() - start, file=answers, flush=True)


if __name__ == "__main__":
    main()
