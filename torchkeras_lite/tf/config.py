"""`tf.config` and `tf.device`: which devices there are."""

import contextlib
from collections import namedtuple

import torch

from torchkeras_lite.base.device import device as keras_device
from torchkeras_lite.tf.function import functions_run_eagerly, run_functions_eagerly
from torchkeras_lite.tf.unknown import missing

PhysicalDevice = namedtuple("PhysicalDevice", "name device_type")
LogicalDevice = namedtuple("LogicalDevice", "name device_type")
LogicalDeviceConfiguration = namedtuple(
    "LogicalDeviceConfiguration", "memory_limit experimental_priority", defaults=(None, None)
)
_visible: dict[str, list] = {}


def _count():
    return torch.accelerator.device_count() if torch.accelerator.is_available() else 0


def list_physical_devices(device_type=None):
    """Return the devices: one CPU, and a `GPU` for each accelerator that torch knows."""
    names = [("CPU", 0), *(("GPU", number) for number in range(_count()))]
    devices = [PhysicalDevice(f"/physical_device:{kind}:{number}", kind) for kind, number in names]
    return [device for device in devices if device_type in (None, device.device_type)]


def list_logical_devices(device_type=None):
    """Return the devices that can be used."""
    return [
        LogicalDevice(device.name.replace("physical_", ""), device.device_type)
        for device in get_visible_devices(device_type)
    ]


def get_visible_devices(device_type=None):
    """Return the devices that `set_visible_devices` left, all without it."""
    kinds = dict.fromkeys(device.device_type for device in list_physical_devices())
    devices = [one for kind in kinds for one in _visible.get(kind, list_physical_devices(kind))]
    return [device for device in devices if device_type in (None, device.device_type)]


def set_visible_devices(devices, device_type=None):
    """Leave devices out. Without any accelerator left, new tensors and models go to the CPU."""
    devices = [devices] if isinstance(devices, PhysicalDevice) else list(devices)
    kinds = [device_type] if device_type else ["CPU", "GPU"]
    for kind in kinds:
        _visible[kind] = [device for device in devices if device.device_type == kind]
    accelerators = get_visible_devices("GPU")
    if not accelerators and _count():
        torch.set_default_device("cpu")
    elif accelerators:
        number = int(accelerators[0].name.rpartition(":")[2])
        torch.set_default_device(torch.device(torch.accelerator.current_accelerator().type, number))


def set_soft_device_placement(enabled):
    """Accepted: `tf.device` takes the CPU where there is no accelerator."""


def get_soft_device_placement():
    """Return true."""
    return True


def set_logical_device_configuration(device, logical_devices):
    """Limit the memory of an accelerator by the sum of the limits given, in MiB.

    Raises:
        ValueError: the CPU.
    """
    limits = [one.memory_limit for one in logical_devices if one.memory_limit]
    if device.device_type == "CPU":
        raise ValueError("torch has one CPU device, which cannot be divided.")
    if limits and torch.cuda.is_available():
        number = int(device.name.rpartition(":")[2])
        whole = torch.cuda.get_device_properties(number).total_memory / 2**20
        torch.cuda.set_per_process_memory_fraction(min(sum(limits) / whole, 1.0), number)


class experimental:
    """`tf.config.experimental`."""

    list_physical_devices = staticmethod(list_physical_devices)
    list_logical_devices = staticmethod(list_logical_devices)
    set_visible_devices = staticmethod(set_visible_devices)
    get_visible_devices = staticmethod(get_visible_devices)
    VirtualDeviceConfiguration = LogicalDeviceConfiguration
    set_virtual_device_configuration = staticmethod(set_logical_device_configuration)

    @staticmethod
    def set_memory_growth(device, enable):
        """Accepted: torch takes memory as it needs it."""

    @staticmethod
    def get_memory_growth(device):
        """Return true."""
        return True

    @staticmethod
    def get_memory_info(device):
        """Return the bytes in use on an accelerator, and the most that there were."""
        where = _torch_device(device)
        return {
            "current": torch.accelerator.memory_allocated(where),
            "peak": torch.accelerator.max_memory_allocated(where),
        }

    @staticmethod
    def reset_memory_stats(device):
        """Count the most bytes in use from here on."""
        torch.accelerator.reset_peak_memory_stats(_torch_device(device))

    @staticmethod
    def get_device_details(device):
        """Return name and compute capability of a GPU."""
        if device.device_type != "GPU" or not torch.cuda.is_available():
            return {}
        number = int(device.name.rpartition(":")[2])
        capability = torch.cuda.get_device_capability(number)
        return {"device_name": torch.cuda.get_device_name(number), "compute_capability": capability}

    @staticmethod
    def enable_tensor_float_32_execution(enabled):
        """Let products of `float32` use TF32 where the GPU has it."""
        torch.backends.cuda.matmul.allow_tf32 = bool(enabled)
        torch.backends.cudnn.allow_tf32 = bool(enabled)

    @staticmethod
    def enable_op_determinism():
        """Let torch use only algorithms that give the same result every time."""
        torch.use_deterministic_algorithms(True)


class threading:
    """`tf.config.threading`."""

    @staticmethod
    def set_intra_op_parallelism_threads(num_threads):
        """Set how many threads an operation uses; 0 leaves it."""
        if num_threads:
            torch.set_num_threads(num_threads)

    @staticmethod
    def get_intra_op_parallelism_threads():
        """Return how many threads an operation uses."""
        return torch.get_num_threads()

    @staticmethod
    def set_inter_op_parallelism_threads(num_threads):
        """Set how many operations may run at a time; 0 leaves it."""
        if num_threads:
            torch.set_num_interop_threads(num_threads)

    @staticmethod
    def get_inter_op_parallelism_threads():
        """Return how many operations may run at a time."""
        return torch.get_num_interop_threads()


class optimizer:
    """`tf.config.optimizer`."""

    @staticmethod
    def set_jit(enabled):
        """Accepted: pass `jit_compile=True` to `compile` and `tf.function`."""


def _torch_device(name):
    kind = torch.accelerator.current_accelerator()
    number = str(getattr(name, "name", name)).rpartition(":")[2]
    return torch.device(kind.type if kind else "cpu", int(number) if number.isdigit() else 0)


def device(device_name):
    """Make tensors and weights of the code inside on a device: `"/GPU:0"`, `"/CPU:0"`, `"cuda:1"`.

    As in TensorFlow, the CPU takes the place of an accelerator that is not there.
    """
    if device_name is None:
        return contextlib.nullcontext()
    name = getattr(device_name, "name", device_name)
    name = str(name).rpartition("device:")[2] if "device:" in str(name) else str(name)
    is_gpu = name.strip("/").lower().startswith(("gpu", "xla_gpu", "tpu"))
    return keras_device("cpu" if is_gpu and not _count() else name.lower().removeprefix("/xla_"))


__all__ = [
    "LogicalDevice",
    "LogicalDeviceConfiguration",
    "PhysicalDevice",
    "experimental",
    "functions_run_eagerly",
    "get_soft_device_placement",
    "get_visible_devices",
    "list_logical_devices",
    "list_physical_devices",
    "optimizer",
    "run_functions_eagerly",
    "set_logical_device_configuration",
    "set_soft_device_placement",
    "set_visible_devices",
    "threading",
]
__getattr__ = missing("tf.config", {"experimental_connect_to_cluster": "torchrun"})
