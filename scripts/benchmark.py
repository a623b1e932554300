"""Compare `fit` with a tuned hand-written PyTorch loop and with others: `python scripts/benchmark.py`.

The loop indexes arrays by a permutation, uses a fused optimizer and never waits for the device inside an
epoch; all sides keep the loss and one metric. Rounds are interleaved, so machines that drift do not disturb
the figures: the time of an epoch divided by that of the loop in the same round, median and minimum. Written
are a table, `benchmarks/NAME.json` and a picture beside it.

`--details` adds single figures (evaluate, predict, bars, calls, start), `--growth` how the overhead of a step
grows with batches, layers and rows.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import environment

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
KERAS = {"keras torch": "torch", "keras jax": "jax"}
BASE = "tuned loop"


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
    from benchmark_columns import LOCAL, is_installed
    from benchmark_workloads import workloads

    steps, scale = (0.25 if given.quick else 1.0), (16 if given.device == "cuda" else 1)
    wanted = given.columns if given.columns is not None else [*LOCAL, *KERAS]
    columns = [BASE, *(c for c in (*LOCAL, *KERAS) if c in wanted and c != BASE and is_installed(c))]
    print(f"{'workload':14}" + "".join(f"{column:>16}" for column in columns), flush=True)
    workers = {column: worker(KERAS[column]) for column in columns if column in KERAS}
    results = {}
    for name, workload in workloads(scale, steps).items():
        if given.only and name not in given.only:
            continue
        runs = {}
        for column in columns:
            try:
                if column in KERAS:
                    ask(workers[column], ["make", name, steps, scale])
                    runs[column] = lambda process=workers[column]: ask(process, ["run"])
                else:
                    run = LOCAL[column](workload, given.device)
                    runs[column] = lambda run=run: clock(run)
                for _ in range(3 if column == "ours jit" else 2):
                    runs[column]()
            except Exception as error:
                print(f"{name}, {column}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
                runs.pop(column, None)
        times = {column: [] for column in runs}
        for _ in range(given.rounds):
            for column, run in runs.items():
                times[column].append(run())
        results[name] = figures(times, workload.steps)
        print(
            f"{name:14}" + "".join(f"{cell(results[name].get(column)):>16}" for column in columns), flush=True
        )
    for process in workers.values():
        process.stdin.close()
        process.wait()
    return results


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


def clock(run):
    """Return the seconds of a call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def worker(backend):
    """Start Keras on a backend in a process of its own."""
    environment_of_keras = {**os.environ, "KERAS_BACKEND": backend, "PYTHONWARNINGS": "ignore"}
    environment_of_keras |= {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("benchmark_worker.py"))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=environment_of_keras,
    )  # fmt: skip


def ask(process, command):
    """Tell a worker something and return its seconds."""
    process.stdin.write(json.dumps(command) + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError(f"the worker ended at {command}")
    return float(answer)


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
