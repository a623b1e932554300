"""Callbacks: what `fit`, `evaluate` and `predict` call at every begin and end.

A step pays only for the hooks that some callback has filled, and the logs it hands out stay on the device
until one of them looks: see `CallbackList` and `LazyLogs`.
"""

from torchkeras_lite.base import registry
from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.callbacks.backup_and_restore import BackupAndRestore
from torchkeras_lite.callbacks.callback import Callback
from torchkeras_lite.callbacks.callback_list import CallbackList
from torchkeras_lite.callbacks.csv_logger import CSVLogger
from torchkeras_lite.callbacks.early_stopping import EarlyStopping
from torchkeras_lite.callbacks.history import History
from torchkeras_lite.callbacks.lambda_callback import LambdaCallback
from torchkeras_lite.callbacks.learning_rate_scheduler import LearningRateScheduler
from torchkeras_lite.callbacks.logs import LazyLogs
from torchkeras_lite.callbacks.model_checkpoint import ModelCheckpoint
from torchkeras_lite.callbacks.monitor import MonitorCallback
from torchkeras_lite.callbacks.orbax_checkpoint import OrbaxCheckpoint
from torchkeras_lite.callbacks.progbar_logger import ProgbarLogger
from torchkeras_lite.callbacks.progress import Progbar
from torchkeras_lite.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from torchkeras_lite.callbacks.remote_monitor import RemoteMonitor
from torchkeras_lite.callbacks.swap_ema_weights import SwapEMAWeights
from torchkeras_lite.callbacks.tensorboard import TensorBoard
from torchkeras_lite.callbacks.terminate_on_nan import TerminateOnNaN

_PUBLIC = {
    cls.__name__: cls
    for cls in (
        BackupAndRestore,
        Callback,
        CallbackList,
        CSVLogger,
        EarlyStopping,
        History,
        LambdaCallback,
        LearningRateScheduler,
        ModelCheckpoint,
        OrbaxCheckpoint,
        ProgbarLogger,
        ReduceLROnPlateau,
        RemoteMonitor,
        SwapEMAWeights,
        TensorBoard,
        TerminateOnNaN,
    )
}

__all__ = [*_PUBLIC, "LazyLogs", "MonitorCallback", "Progbar"]

registry.publish("callbacks", _PUBLIC)

__getattr__ = old_members(__name__)
