"""`tf.distribute`: strategies as one process, or as the processes that `torchrun` starts.

One process trains on one device. Under `torchrun` each process is a replica: `run` computes on its share,
gradients that a tape takes inside `run` are summed over the processes, and `reduce` joins results.
"""

import contextlib
import contextvars
import enum
import os

import torch
import torch.distributed as processes

from torchkeras_lite.base import nested
from torchkeras_lite.base.processes import start
from torchkeras_lite.tf import tape
from torchkeras_lite.tf.config import device
from torchkeras_lite.tf.conversion import convert
from torchkeras_lite.tf.tensor import plain, wrap
from torchkeras_lite.tf.unknown import missing

_current: contextvars.ContextVar = contextvars.ContextVar("strategy", default=None)


class ReduceOp(enum.Enum):
    """How results of replicas are joined."""

    SUM = "sum"
    MEAN = "mean"


def _world():
    return int(os.environ.get("WORLD_SIZE", "1"))


class Strategy:
    """Where models are made and steps run.

    Args:
        place: Name of the device; `None`: the default one, under `torchrun` the process's own.

    Source: `tf.distribute.Strategy`. Differs: several GPUs are used by `torchrun`, one process for each, and
    not inside one process; `fit` divides its batches among the processes by itself.
    """

    def __init__(self, place=None):
        self._place = place
        if _world() > 1:
            start()
        if _world() > 1 and place is None and torch.accelerator.is_available():
            kind = torch.accelerator.current_accelerator().type
            self._place = f"{kind}:{os.environ.get('LOCAL_RANK', '0')}"

    @property
    def num_replicas_in_sync(self):
        """Number of processes that train together."""
        return _world()

    @property
    def extended(self):
        """The strategy itself."""
        return self

    worker_devices = property(lambda self: (self._place or "/device:CPU:0",), doc="Name of the device.")

    @contextlib.contextmanager
    def scope(self):
        """Make models and variables inside on the strategy's device."""
        token = _current.set(self)
        try:
            with device(self._place) if self._place else contextlib.nullcontext():
                yield self
        finally:
            _current.reset(token)

    def run(self, fn, args=(), kwargs=None, options=None):
        """Call `fn` on this replica, and return its result.

        Gradients of variables that a `GradientTape` takes inside are summed over the processes.
        """
        with self.scope(), _summing_gradients(self):
            return fn(*args, **(kwargs or {}))

    def reduce(self, reduce_op, value, axis=None):
        """Return the sum or mean of results over the processes, and over `axis` of each."""
        return nested.map_structure(lambda leaf: self._reduced(reduce_op, convert(leaf), axis), value)

    def _reduced(self, reduce_op, value, axis):
        is_mean = ReduceOp(getattr(reduce_op, "value", str(reduce_op).lower())) is ReduceOp.MEAN
        count = torch.ones((), device=value.device)
        if axis is not None:
            count = count * value.shape[axis]
            value = value.sum(axis)
        if _world() > 1:
            value, count = _summed(value.detach()), _summed(count)
        divides = is_mean and (axis is not None or _world() > 1)
        return value / count if divides else value

    def experimental_distribute_dataset(self, dataset, options=None):
        """Return the dataset; with several processes, that of this process's rows of each batch."""
        if _world() == 1:
            return dataset
        share = lambda leaf: leaf.tensor_split(_world())[processes.get_rank()]
        return dataset.map(lambda *parts: nested.map_structure(share, parts if len(parts) > 1 else parts[0]))

    def distribute_datasets_from_function(self, dataset_fn, options=None):
        """Return what `dataset_fn` makes for this process."""
        rank = processes.get_rank() if _world() > 1 else 0
        return dataset_fn(InputContext(_world(), rank))

    experimental_distribute_datasets_from_function = distribute_datasets_from_function

    def experimental_local_results(self, value):
        """Return the results of the replicas of this process, a tuple of one."""
        return (value,)

    def gather(self, value, axis):
        """Return the values of all processes, joined along an axis."""
        value = convert(value)
        if _world() == 1:
            return value
        parts = [torch.empty_like(plain(value)) for _ in range(_world())]
        processes.all_gather(parts, plain(value).contiguous())
        return wrap(torch.cat(parts, axis))


class InputContext:
    """What a function that makes datasets is told.

    Args:
        num_replicas_in_sync: Number of processes.
        input_pipeline_id: Number of this one.
    """

    def __init__(self, num_replicas_in_sync, input_pipeline_id):
        self.num_replicas_in_sync = self.num_input_pipelines = num_replicas_in_sync
        self.input_pipeline_id = input_pipeline_id

    def get_per_replica_batch_size(self, global_batch_size):
        """Return the size of a process's share of a batch.

        Raises:
            ValueError: the batch cannot be divided evenly.
        """
        if global_batch_size % self.num_replicas_in_sync:
            raise ValueError(
                f"The batch of {global_batch_size} cannot be divided among "
                f"{self.num_replicas_in_sync} replicas."
            )
        return global_batch_size // self.num_replicas_in_sync


class MirroredStrategy(Strategy):
    """One replica a GPU: this process, or those that `torchrun` starts.

    Args:
        devices: Names of devices. Several need `torchrun`.
        cross_device_ops: Accepted; `torch.distributed` chooses.
    """

    def __init__(self, devices=None, cross_device_ops=None):
        devices = [devices] if isinstance(devices, str) else devices
        super().__init__(devices[0] if devices and _world() == 1 else None)


class MultiWorkerMirroredStrategy(Strategy):
    """Several machines: this process, or those that `torchrun` starts.

    Args:
        cluster_resolver, communication_options: Accepted; `torchrun` knows the processes.
    """

    def __init__(self, cluster_resolver=None, communication_options=None):
        super().__init__()


class OneDeviceStrategy(Strategy):
    """One device.

    Args:
        device: Its name.
    """

    def __init__(self, device):
        super().__init__(device)


def get_strategy():
    """Return the strategy whose `scope` is open, else one of this process alone."""
    return _current.get() or Strategy()


def has_strategy():
    """Return whether the `scope` of a strategy is open."""
    return _current.get() is not None


class ReplicaContext:
    """The replica that runs."""

    @property
    def num_replicas_in_sync(self):
        """Number of processes."""
        return _world()

    @property
    def replica_id_in_sync_group(self):
        """Number of this one."""
        return processes.get_rank() if _world() > 1 else 0

    @property
    def strategy(self):
        """The strategy."""
        return get_strategy()

    def all_reduce(self, reduce_op, value, options=None):
        """Return the sum or mean over the processes."""
        return get_strategy().reduce(reduce_op, value)


def get_replica_context():
    """Return the replica that runs."""
    return ReplicaContext()


def in_cross_replica_context():
    """Return whether no replica runs."""
    return not has_strategy()


def _summed(value):
    value = plain(value).clone()
    processes.all_reduce(value)
    return wrap(value)


@contextlib.contextmanager
def _summing_gradients(strategy):
    """Let tapes sum gradients of variables over the processes."""
    if strategy.num_replicas_in_sync == 1:
        yield
        return
    tape.synchronizers.append(_summed)
    try:
        yield
    finally:
        tape.synchronizers.pop()


__all__ = [
    "InputContext",
    "MirroredStrategy",
    "MultiWorkerMirroredStrategy",
    "OneDeviceStrategy",
    "ReduceOp",
    "ReplicaContext",
    "Strategy",
    "experimental",
    "get_replica_context",
    "get_strategy",
    "has_strategy",
    "in_cross_replica_context",
]


class experimental:
    """`tf.distribute.experimental`: older names."""

    MultiWorkerMirroredStrategy = MultiWorkerMirroredStrategy


__getattr__ = missing(
    "tf.distribute",
    {
        "TPUStrategy": "torch_xla; TPUs are not used here",
        "ParameterServerStrategy": "torchrun and MultiWorkerMirroredStrategy",
        "cluster_resolver": "torchrun, which knows the processes",
    },
)
