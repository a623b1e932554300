"""How a model is trained by several processes, in Keras's words."""

import contextlib
import warnings

import numpy as np

from torchkeras_lite.base import processes
from torchkeras_lite.distribution.layout_map import LayoutMap
from torchkeras_lite.distribution.mesh import DeviceMesh, TensorLayout, list_devices

_chosen: dict[str, "Distribution | None"] = {"distribution": None}


class Distribution:
    """Base of the ways to train by several processes.

    Args:
        device_mesh: The `DeviceMesh`.
        batch_dim_name: Name of the mesh axis along which batches are divided.
        auto_shard_dataset: Whether `fit` divides the data; `False`: each process reads data of its own, and
            a batch is what all of them read at one time.
    """

    def __init__(self, device_mesh, batch_dim_name=None, auto_shard_dataset=True):
        self._device_mesh = device_mesh
        self._batch_dim_name = batch_dim_name
        self._auto_shard_dataset = auto_shard_dataset

    @property
    def device_mesh(self):
        """The mesh."""
        return self._device_mesh

    @property
    def batch_dim_name(self):
        """Name of the mesh axis along which batches are divided."""
        return self._batch_dim_name

    @property
    def auto_shard_dataset(self):
        """Whether `fit` divides the data."""
        return self._auto_shard_dataset

    @property
    def num_processes(self):
        """Number of processes."""
        return len(list_devices())

    @property
    def num_model_replicas(self):
        """Number of parts that a batch is divided into."""
        return self._device_mesh.shape[self._device_mesh.axis_names.index(self._batch_dim_name)]

    @property
    def data_shard_id(self):
        """Number of this process's part of a batch."""
        return processes.rank() * self.num_model_replicas // self.num_processes

    def get_data_layout(self, data_shape):
        """Return the layout of data of a shape: cut along its first axis."""
        axes = [None] * len(data_shape)
        axes[0] = self._batch_dim_name
        return TensorLayout(axes, self._device_mesh)

    def get_variable_layout(self, variable):
        """Return the layout of a weight: whole in every process."""
        return TensorLayout([None] * len(variable.shape), self._device_mesh)

    def get_tensor_layout(self, path):
        """Return the layout for the output of a layer, `None` for no change."""
        return None

    def distribute_dataset(self, dataset):
        """Return the dataset: `fit` itself divides its batches."""
        return dataset

    distribute_tf_dataset = distribute_dataset

    @contextlib.contextmanager
    def scope(self):
        """Make this the distribution inside."""
        before = distribution()
        set_distribution(self)
        try:
            yield
        finally:
            set_distribution(before)

    def __repr__(self):
        return f"<{type(self).__name__} device_mesh={self.device_mesh}>"


class DataParallel(Distribution):
    """Every process has all weights and computes its part of every batch. This is what `fit` does anyway.

    Args:
        device_mesh: A `DeviceMesh` with one axis.
        devices: Names of devices instead; `None`: `list_devices()`.
        auto_shard_dataset: As in `Distribution`.

    Raises:
        ValueError: something that is no mesh.

    Source: Keras 3 `keras.distribution.DataParallel`.
    """

    def __init__(self, device_mesh=None, devices=None, auto_shard_dataset=True):
        if device_mesh is not None and not isinstance(device_mesh, DeviceMesh):
            raise ValueError(f"Expect `mesh` to be an instance of `DeviceMesh`. Received: {device_mesh}.")
        if device_mesh is None:
            devices = list_devices() if devices is None else devices
            device_mesh = DeviceMesh(np.shape(devices), ["batch"], devices)
        elif device_mesh.devices.ndim != 1:
            warnings.warn(
                "Expect the input mesh to be 1D, but received mesh.devices.ndim="
                f"{device_mesh.devices.ndim}. The first axis will be used for data parallel sharding.",
                stacklevel=2,
            )
        super().__init__(device_mesh, device_mesh.axis_names[0], auto_shard_dataset)


class ModelParallel(Distribution):
    """Weights are cut over the processes as a `LayoutMap` says.

    It tells layouts, by which `distribute_tensor` cuts tensors. `fit` trains by it where no weight is cut,
    as `DataParallel` does; weights, gradients and the optimizer's state are cut by
    `compile(distribute="fsdp")`.

    Args:
        layout_map: A `LayoutMap`.
        batch_dim_name: Name of the mesh axis along which batches are divided; `None`: the first one.
        auto_shard_dataset: As in `Distribution`.
        **kwargs: None are known.

    Raises:
        ValueError: something that is no `LayoutMap`, or unknown arguments.

    Source: Keras 3 `keras.distribution.ModelParallel`.
    """

    def __init__(self, *, layout_map=None, batch_dim_name=None, auto_shard_dataset=True, **kwargs):
        if kwargs:
            raise ValueError(f"ModelParallel: unknown arguments {sorted(kwargs)}.")
        if layout_map is None:
            raise ValueError("You must specify a layout_map argument.")
        if not isinstance(layout_map, LayoutMap):
            raise ValueError(
                f"Argument `layout_map` must be a `LayoutMap` instance. Received: layout_map={layout_map}"
            )
        mesh = layout_map.device_mesh
        super().__init__(mesh, batch_dim_name or mesh.axis_names[0], auto_shard_dataset)
        self._layout_map = layout_map

    def get_variable_layout(self, variable):
        """Return the layout of a weight by its path, whole where the map has none."""
        found = self._layout_map[variable.path]
        return super().get_variable_layout(variable) if found is None else found

    def get_tensor_layout(self, path):
        """Return the layout that the map has for a path, `None` where it has none."""
        return self._layout_map[path]

    def cuts(self):
        """Return the patterns of weights that are cut over several devices."""
        sizes = dict(zip(self.device_mesh.axis_names, self.device_mesh.shape, strict=True))
        return [
            pattern
            for pattern, layout in self._layout_map.items()
            if any(axis is not None and sizes[axis] > 1 for axis in layout.axes)
        ]


def distribution():
    """Return the distribution that was set, `None` where none was.

    Source: Keras 3 `keras.distribution.distribution`.
    """
    return _chosen["distribution"]


def set_distribution(value):
    """Set how models are trained from here on.

    Args:
        value: A `DataParallel` or `ModelParallel`; `None`: as `torchrun` says.

    Raises:
        TypeError: something else.
        ValueError: more devices than processes, or weights that are to be cut.

    Source: Keras 3 `keras.distribution.set_distribution`.
    """
    if value is not None and not isinstance(value, Distribution):
        raise TypeError(f"set_distribution: expected a DataParallel or a ModelParallel, got {value!r}.")
    if value is not None:
        _check(value)
    _chosen["distribution"] = value
    processes.divides_data(value is None or value.auto_shard_dataset)


def _check(value):
    wanted, there = value.device_mesh.devices.size, len(list_devices())
    if wanted != there:
        raise ValueError(
            f"set_distribution: the mesh has {wanted} devices, and there are {there} processes. torch has "
            f"one process a device: start the script by `torchrun --nproc-per-node={wanted} script.py`."
        )
    cuts = value.cuts() if isinstance(value, ModelParallel) else []
    if cuts:
        raise ValueError(
            f"set_distribution: weights whose path matches {cuts[0]!r} are to be cut over devices, which "
            "fit() does not do by a LayoutMap. Leave the distribution out and pass `distribute='fsdp'` to "
            "compile(), which cuts weights, gradients and the optimizer's state over all processes; or cut "
            "modules by torch's `parallelize_module`."
        )
