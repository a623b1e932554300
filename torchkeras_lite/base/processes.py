"""The processes that train one model together, as `torchrun` starts them, over `torch.distributed`.

A process that was started alone asks `several()` and does nothing else here.
"""

import atexit
import contextlib
import datetime
import os
import sys
from dataclasses import dataclass

import torch
import torch.distributed as dist

LAUNCH_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
LONGEST_WRITING = datetime.timedelta(minutes=10)


@dataclass(frozen=True)
class Part:
    """This process's part of a batch.

    Args:
        rows: Rows of the part. Where it has none, one row stands in, which counts for nothing.
        total: Rows of the whole batch.
    """

    rows: int = 1
    total: int = 1

    @property
    def share(self):
        """What the part weighs in the batch."""
        return self.rows / self.total


WHOLE = Part()
_state = {"part": WHOLE, "saved": 0, "divides": True}


def several():
    """Whether this process is one of several, whether or not they have met already."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size() > 1
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and all(map(os.environ.get, LAUNCH_VARIABLES))


def start():
    """Have the processes meet, where they have not yet: over NCCL for CUDA tensors, over gloo for others.

    They part when the program ends.
    """
    if dist.is_initialized():
        return
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend)
    atexit.register(_part)


def _part():
    failed = getattr(sys, "last_type", None) is not None  # the others may be waiting in the middle of a step
    if dist.is_initialized() and not failed:
        dist.destroy_process_group()


def count():
    """Return the number of processes."""
    return dist.get_world_size() if several() and dist.is_initialized() else 1


def rank():
    """Return the number of this process, from 0."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank()
    return int(os.environ["RANK"]) if several() else 0


def is_first():
    """Whether this process is the one that prints and writes files."""
    return not several() or rank() == 0


def accelerator():
    """Return the accelerator of this process: under `torchrun` the one with its local number."""
    found = torch.accelerator.current_accelerator()
    if several() and torch.accelerator.device_count() > 1:
        return torch.device(found.type, int(os.environ.get("LOCAL_RANK", "0")))
    return found


def divides_data(value=None):
    """Return whether data is divided among the processes, or set it; `False`: each reads data of its own."""
    if value is not None:
        _state["divides"] = value
    return _state["divides"]


def control_device():
    """Return where small tensors are made that processes exchange: the CPU if their backend takes such."""
    kinds = {device.type for device in dist.group.WORLD._device_types}
    return torch.device("cpu" if "cpu" in kinds else next(iter(kinds)))


def agree(flags):
    """Return a list of flags, each true where it is true in any process."""
    tensor = torch.tensor([bool(flag) for flag in flags], dtype=torch.int32, device=control_device())
    dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return [bool(flag) for flag in tensor.tolist()]


def total(number):
    """Return the sum of an integer of every process."""
    tensor = torch.tensor(number, dtype=torch.int64, device=control_device())
    dist.all_reduce(tensor)
    return int(tensor)


def from_first(value):
    """Return the picklable `value` of the first process."""
    box = [value if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def from_all(value):
    """Return the picklable values of all processes, in their order."""
    found = [None] * dist.get_world_size()
    dist.all_gather_object(found, value)
    return found


def part():
    """Return the part of a batch that this process is computing, `WHOLE` outside of a divided step."""
    return _state["part"]


@contextlib.contextmanager
def computing(part):
    """Let losses and layers that look at a whole batch know which part of it is computed inside."""
    before, _state["part"] = _state["part"], part
    try:
        yield
    finally:
        _state["part"] = before


def total_divisor(divisor):
    """Return what the sum of this part's loss values is to be divided by, so that the parts' means, weighed
    by their shares, give the mean of the whole batch.

    Args:
        divisor: What it would be divided by alone, such as the number of values that a mask keeps.
    """
    part = _state["part"]
    if part is WHOLE:
        return divisor
    whole = divisor.detach().clone() if part.rows else torch.zeros_like(divisor)
    dist.all_reduce(whole)
    return whole * part.share if part.rows else divisor


def write_once(write, path):
    """Call `write` in the first process; the others wait until it is done.

    The first one waits for nobody, so a program that calls this there alone does not hang. A process with
    another path than the first one's writes its own file.

    Args:
        write: A function without arguments.
        path: Where it writes.
    """
    start()
    path, number = os.path.abspath(os.fspath(path)), _state["saved"]
    _state["saved"] += 1
    store = dist.distributed_c10d._get_default_store()
    key = f"torchkeras_lite/written/{number}"
    if rank() == 0:
        write()
        store.set(key, path)
        return
    written = None
    with contextlib.suppress(dist.DistStoreError):  # the first process does not write as often
        store.wait([key], LONGEST_WRITING)
        written = store.get(key).decode()
    if written != path:
        write()
