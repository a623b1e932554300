"""Training on several devices, one process for each: `torchrun --nproc-per-node=N script.py`.

`fit`, `evaluate` and `predict` divide their work among the processes by themselves; nothing here has to be
called for it. This room has Keras's names for it, so that scripts which use them run unchanged.
"""

from torchkeras_lite.distribution.layout_map import LayoutMap
from torchkeras_lite.distribution.mesh import (
    DeviceMesh,
    TensorLayout,
    distribute_tensor,
    get_device_count,
    initialize,
    list_devices,
)
from torchkeras_lite.distribution.strategies import (
    DataParallel,
    ModelParallel,
    distribution,
    set_distribution,
)

__all__ = [
    "DataParallel",
    "DeviceMesh",
    "LayoutMap",
    "ModelParallel",
    "TensorLayout",
    "distribute_tensor",
    "distribution",
    "get_device_count",
    "initialize",
    "list_devices",
    "set_distribution",
]
