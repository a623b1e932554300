"""Compare `fit` with a tuned hand-written PyTorch loop and with others: `python scripts/benchmark.py`.

The loop indexes arrays by a permutation, uses a fused optimizer and never waits for the device inside an
epoch; all sides keep the loss and one metric. Rounds are interleaved, so machines that drift do not disturb
the figures: the time of an epoch divided by that of the loop in the same round, median and minimum. Written
are a table, `benchmarks/NAME.json` and a picture beside it.

Every column has a process of its own for every workload, so that none finds the memory that another left in
pieces; and in all of them glibc keeps the memory that is freed (`STEADY_MEMORY`), which by default it gives
back and takes again, page by page, in some runs of one program and not in others.

`--details` adds single figures (evaluate, predict, bars, calls, start), `--growth` how the overhead of a step
grows with batches, layers and rows.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import environment

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
BASE = "tuned loop"
STEADY_MEMORY = dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(2**31))


def main():
    """Run what the arguments name."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="*", metavar="WORKLOAD", help="workloads, by name")
    parser.add_argument("--columns", nargs="*", help="columns, by name; the tuned loop is always there")
    parser.add_argument("--quick", action="store_true", help="a quarter of the steps")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda with larger batches")
    parser.add_argument("--name", default=None, help="of the files in benchmarks/; by default the device's")
    parser.add_argument("--details", action="store_true")
    parser.add_argument("--growth", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    results = {"machine": machine(given.device), "workloads": compare(given)}
    if given.details:
        from benchmark_details import details

        results["details"] = details()
        for name, figure in results["details"].items():
            print(f"{name:44} {figure}")
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / (given.name or given.device)
    path.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")
    draw(results, path.with_suffix(".png"))
    if given.growth:
        from benchmark_growth import growth

        growth(path.with_name(f"{path.name}_growth"))
    print(f"written: {path}.json and pictures")


def machine(device):
    """Return what is known of the machine, without its name."""
    import torch

    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line for line in cpuinfo.read_text().splitlines() if line.startswith("model name"))
        model = next(lines, model).partition(":")[2].strip() or model
    found = {"cpu": model, "threads": 1, "python": platform.python_version(), "torch": torch.__version__}
    return found | ({"gpu": torch.cuda.get_device_name()} if device == "cuda" else {})


def compare(given):
    """Return the figures of all workloads and columns, and print them."""
    from benchmark_columns import COLUMNS, is_installed
    from benchmark_workloads import workloads

    steps, scale = (0.25 if given.quick else 1.0), (16 if given.device == "cuda" else 1)
    wanted = given.columns if given.columns is not None else COLUMNS
    columns = [BASE, *(c for c in COLUMNS if c in wanted and c != BASE and is_installed(c))]
    print(f"{'workload':14}" + "".join(f"{column:>16}" for column in columns), flush=True)
    results = {}
    for name, workload in workloads(scale, steps).items():
        if given.only and name not in given.only:
            continue
        described = [name, steps, scale, given.device]
        times = timed({column: Worker(column, described) for column in columns}, given.rounds)
        results[name] = figures(times, workload.steps)
        print(
            f"{name:14}" + "".join(f"{cell(results[name].get(column)):>16}" for column in columns), flush=True
        )
    return results


def timed(workers, rounds):
    """Return the seconds of the epochs of each worker that does not fail, and end them all."""
    running = {}
    for column, one in workers.items():
        try:
            for _ in range(3 if column == "ours jit" else 2):
                one.epoch()
            running[column] = one
        except (OSError, ValueError):  # it is gone
            print(f"{column}: {one.end()[-400:]}", file=sys.stderr)
    times = {column: [] for column in running}
    for _ in range(rounds):
        for column, one in running.items():
            times[column].append(one.epoch())
    for one in running.values():
        one.end()
    return times


def figures(times, steps):
    """Return milliseconds a step, and the ratio to the tuned loop, median and minimum over the rounds."""
    best = min(times[BASE])
    return {
        column: {
            "ms": round(min(seconds) / steps * 1e3, 4),
            "median": round(statistics.median(a / b for a, b in zip(seconds, times[BASE], strict=True)), 3),
            "minimum": round(min(seconds) / best, 3),
        }
        for column, seconds in times.items()
    }


def cell(figure):
    """Return a figure as text: the loop's is milliseconds a step."""
    return "-" if figure is None else f"{figure['median']:.2f} ({figure['ms']:.2f})"


class Worker:
    """The process of a column and a workload.

    Args:
        column: Name of the column.
        workload: Name, steps, scale and device of the workload.
    """

    def __init__(self, column, workload):
        one_thread = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}
        script = str(Path(__file__).with_name("benchmark_worker.py"))
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in `end`
        self.process = subprocess.Popen(
            [sys.executable, script, column, json.dumps(workload)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            env={**os.environ, **one_thread, **STEADY_MEMORY, "PYTHONWARNINGS": "ignore"},
        )  # fmt: skip

    def epoch(self):
        """Run an epoch and return its seconds."""
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self):
        """End the process and return what it wrote as errors."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.wait()
        with self.errors as errors:
            errors.seek(0)
            return errors.read()


def draw(results, path):
    """Draw the ratios as bars, one group a workload; without matplotlib, nothing."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        print("no picture: pip install matplotlib", file=sys.stderr)
        return
    rows = results["workloads"]
    columns = [c for c in next(iter(rows.values())) if c != BASE]
    figure, axes = pyplot.subplots(figsize=(11, 4.5), layout="constrained")
    width = 0.8 / max(len(columns), 1)
    for place, column in enumerate(columns):
        places = [row + (place - (len(columns) - 1) / 2) * width for row in range(len(rows))]
        heights = [figures_of.get(column, {}).get("median", 0) for figures_of in rows.values()]
        axes.bar(places, heights, width, label=column)
    axes.axhline(1, color="black", linewidth=1)
    axes.set_yscale("log")
    axes.set_xticks(range(len(rows)), list(rows))
    axes.set_ylabel("time of an epoch / that of a tuned PyTorch loop")
    axes.set_title(f"{results['machine'].get('gpu', results['machine']['cpu'])}, lower is better")
    axes.legend(ncols=4, fontsize="small")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    environment.enter("test", "keras-tests")
    main()
