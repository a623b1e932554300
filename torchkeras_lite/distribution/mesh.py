"""Devices of the processes, meshes of them, and how tensors lie on a mesh."""

import os

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh as TorchMesh

from torchkeras_lite.base import processes

DEFAULT_PORT = "29500"


def list_devices(device_type=None):
    """Return the names of the devices in use: one for each process, `["gpu:0", "gpu:1"]`.

    Args:
        device_type: `"cpu"`, `"gpu"` or `"tpu"`; `None`: the accelerator where there is one.

    Raises:
        ValueError: another type.

    Source: Keras 3 `keras.distribution.list_devices`. Differs: torch has one process a device, so a process
    that was started alone has one, however many GPUs there are. `torchrun` starts more.
    """
    has_accelerator = torch.accelerator.is_available()
    kind = (device_type or ("gpu" if has_accelerator else "cpu")).lower()
    if kind not in ("cpu", "gpu", "cuda", "tpu"):
        raise ValueError(f"list_devices: `device_type` must be 'cpu', 'gpu' or 'tpu', got {device_type!r}.")
    if kind == "tpu" or (kind != "cpu" and not has_accelerator):
        return []
    kind = "cpu" if kind == "cpu" else "gpu"
    return [f"{kind}:{number}" for number in range(_count())]


def _count():
    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size()
    return int(os.environ["WORLD_SIZE"]) if processes.several() else 1


def get_device_count(device_type=None):
    """Return the number of devices in use; see `list_devices`.

    Source: Keras 3 `keras.distribution.get_device_count`.
    """
    return len(list_devices(device_type))


def initialize(job_addresses=None, num_processes=None, process_id=None):
    """Have the processes meet that were started by hand, one call in each; `torchrun` needs no call.

    Args:
        job_addresses: `"host:port"` of the first process, or of all with commas between; `None`: the
            environment's `KERAS_DISTRIBUTION_JOB_ADDRESSES`.
        num_processes: Number of processes; `None`: `KERAS_DISTRIBUTION_NUM_PROCESSES`, or the number of
            addresses.
        process_id: Number of this process, from 0; `None`: `KERAS_DISTRIBUTION_PROCESS_ID`.

    Raises:
        ValueError: something is missing.

    Source: Keras 3 `keras.distribution.initialize`.
    """
    given = {"job_addresses": job_addresses, "num_processes": num_processes, "process_id": process_id}
    for name, value in given.items():
        given[name] = os.environ.get(f"KERAS_DISTRIBUTION_{name.upper()}") if value is None else value
    if all(value is None for value in given.values()):
        if processes.several():
            processes.start()
        return
    addresses = (given["job_addresses"] or "").split(",")
    if given["num_processes"] is None and len(addresses) > 1:
        given["num_processes"] = len(addresses)
    missing = [name for name, value in given.items() if value in (None, "")]
    if missing:
        raise ValueError(
            f"initialize: {', '.join(f'`{name}`' for name in missing)} is missing. Pass the address of the "
            "first process, the number of processes and the number of this one; or start all by `torchrun`, "
            "which tells them."
        )
    host, _, port = addresses[0].partition(":")
    os.environ.update(
        MASTER_ADDR=host,
        MASTER_PORT=port or DEFAULT_PORT,
        WORLD_SIZE=str(given["num_processes"]),
        RANK=str(given["process_id"]),
    )
    processes.start()


class DeviceMesh:
    """Devices in a grid, whose axes have names.

    Args:
        shape: Sizes of the axes, `(8,)` or `(2, 4)`.
        axis_names: Names of the axes, `["batch", "model"]`.
        devices: Names of devices, as many as the grid has places; `None`: `list_devices()`.

    Raises:
        ValueError: no shape or names, other numbers of them, another number of devices.

    Source: Keras 3 `keras.distribution.DeviceMesh`.
    """

    def __init__(self, shape, axis_names, devices=None):
        if not shape or not axis_names:
            raise ValueError(
                f"Shape and axis_names cannot be empty. Received: shape={shape}, axis_names={axis_names}"
            )
        if len(shape) != len(axis_names):
            raise ValueError(
                "Shape and axis_names should have same size. Received: "
                f"shape={shape}, axis_names={axis_names}"
            )
        devices = np.array(list_devices() if devices is None else devices)
        if np.prod(shape) != devices.size:
            raise ValueError(
                "Shape does not match the number of devices. "
                f"Received: shape={shape}; devices.shape={devices.shape}. `torchrun` starts a process for "
                "each device."
            )
        self._shape = tuple(shape)
        self._axis_names = list(axis_names)
        self._devices = devices.reshape(shape)

    @property
    def shape(self):
        """Sizes of the axes."""
        return self._shape

    @property
    def axis_names(self):
        """Names of the axes."""
        return self._axis_names

    @property
    def devices(self):
        """Names of the devices, an array of the mesh's shape."""
        return self._devices

    @property
    def backend_mesh(self):
        """The mesh of torch, over the processes."""
        processes.start()
        kind = "cpu" if str(self._devices.flat[0]).startswith("cpu") else processes.accelerator().type
        places = [int(str(name).rpartition(":")[2]) for name in self._devices.flat]
        grid = torch.tensor(places).reshape(self._shape)
        return TorchMesh(kind, grid, mesh_dim_names=tuple(self._axis_names))

    def __repr__(self):
        return f"<{type(self).__name__} shape={self.shape}, axis_names={self.axis_names}>"


class TensorLayout:
    """Which axis of a tensor is cut along which axis of a mesh.

    Args:
        axes: For every axis of the tensor the name of a mesh axis, or `None` for an axis that stays whole.
        device_mesh: The `DeviceMesh`; it may be set later.

    Raises:
        ValueError: a name that the mesh does not have.

    Source: Keras 3 `keras.distribution.TensorLayout`.
    """

    def __init__(self, axes, device_mesh=None):
        self._axes = tuple(axes)
        self._device_mesh = device_mesh
        self._check()

    @property
    def axes(self):
        """Names of mesh axes, or `None`, for every axis of the tensor."""
        return self._axes

    @property
    def device_mesh(self):
        """The mesh."""
        return self._device_mesh

    @device_mesh.setter
    def device_mesh(self, device_mesh):
        if self._device_mesh is not None:
            raise ValueError(f"Cannot override device mesh value. Existing value is {self._device_mesh}")
        self._device_mesh = device_mesh
        self._check()

    def _check(self):
        if self._device_mesh is None:
            return
        known = set(self._device_mesh.axis_names)
        named = {axis for axis in self._axes if axis is not None}
        if named - known:
            raise ValueError(f"Invalid axis names for Layout. Valid axis names: {known}, Got {named}")

    @property
    def backend_layout(self):
        """The placements of torch, one for each axis of the mesh."""
        from torch.distributed.tensor import Replicate, Shard  # slow to import

        if self._device_mesh is None:
            raise ValueError("Cannot create sharding when device mesh is not set for TensorLayout.")
        return [
            Shard(self._axes.index(name)) if name in self._axes else Replicate()
            for name in self._device_mesh.axis_names
        ]

    def __repr__(self):
        return f"<{type(self).__name__} axes={self.axes}, device_mesh={self.device_mesh}>"


def distribute_tensor(tensor, layout):
    """Return `tensor` cut over the processes as `layout` says, a `DTensor`; a process alone keeps it whole.

    Args:
        tensor: An array or tensor, the same in all processes.
        layout: A `TensorLayout`.

    Source: Keras 3 `keras.distribution.distribute_tensor`.
    """
    from torch.distributed.tensor import distribute_tensor as distribute  # slow to import

    tensor = torch.as_tensor(tensor)
    if not processes.several():
        return tensor
    return distribute(tensor, layout.device_mesh.backend_mesh, layout.backend_layout)
