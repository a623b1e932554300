"""`tf.train`: checkpoints of models, optimizers and variables, each one file of `torch.save`."""

import os
import re

import torch

from torchkeras_lite.base.atomic_file import replacing
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.weights import Weight
from torchkeras_lite.optimizers import Optimizer
from torchkeras_lite.tf.errors import NotFoundError
from torchkeras_lite.tf.unknown import missing
from torchkeras_lite.tf.variables import Module, Variable

SUFFIX = ".ckpt.pt"


class Checkpoint:
    """Saves and restores what scripts train.

    Args:
        root: An object whose values are saved.
        **kwargs: Models, layers, modules, optimizers and variables, by name.

    Source: `tf.train.Checkpoint`. Differs: a checkpoint is one file in torch's format, named
    `<prefix>.ckpt.pt`; objects need their weights when it is restored.
    """

    def __init__(self, root=None, **kwargs):
        self._objects = {**({} if root is None else {"root": root}), **kwargs}
        self.save_counter = Variable(0, trainable=False, dtype="int64", name="save_counter")
        for name, value in kwargs.items():
            setattr(self, name, value)

    def write(self, file_prefix, options=None):
        """Write the values into `<file_prefix>.ckpt.pt`, and return the prefix."""
        prefix = os.fspath(file_prefix)
        os.makedirs(os.path.dirname(prefix) or ".", exist_ok=True)
        state = {name: _values(name, value) for name, value in self._objects.items()}
        state["save_counter"] = _values("save_counter", self.save_counter)
        with replacing(prefix + SUFFIX) as path:
            torch.save(state, path)
        return prefix

    def save(self, file_prefix, options=None):
        """Write the values into the next of `<file_prefix>-1.ckpt.pt`, ..., and return its prefix."""
        self.save_counter.assign_add(1)
        return self.write(f"{os.fspath(file_prefix)}-{int(self.save_counter)}")

    def read(self, save_path, options=None):
        """Set the objects to the values that were written; see `restore`."""
        return self.restore(save_path)

    def restore(self, save_path, options=None):
        """Set the objects to the values that were written. `None` does nothing.

        Returns:
            A status, whose methods are TensorFlow's checks.

        Raises:
            NotFoundError: there is no such file.
            ValueError: an object has other weights than were written.
        """
        if save_path is None:
            return Status([], [])
        path = os.fspath(save_path) + SUFFIX
        if not os.path.exists(path):
            raise NotFoundError(f"Unsuccessful: there is no checkpoint file {path}.")
        state = torch.load(path, weights_only=True)
        known = {**self._objects, "save_counter": self.save_counter}
        for name, value in known.items():
            if name in state:
                _restore(name, value, state[name], known)
        return Status(sorted(set(known) - set(state)), sorted(set(state) - set(known)))


class Status:
    """What a restored checkpoint did not hold, and what it held besides.

    Args:
        missing: Names of objects that were not in the file.
        unused: Names in the file for which there is no object.
    """

    def __init__(self, missing, unused):
        self._missing, self._unused = missing, unused

    def assert_consumed(self):
        """Raise `AssertionError` unless objects and file have the same names."""
        if self._missing or self._unused:
            raise AssertionError(
                f"Not in the checkpoint: {self._missing}; without an object: {self._unused}."
            )
        return self

    def assert_existing_objects_matched(self):
        """Raise `AssertionError` where an object was not in the file."""
        if self._missing:
            raise AssertionError(f"Not in the checkpoint: {self._missing}.")
        return self

    assert_nontrivial_match = assert_existing_objects_matched

    def expect_partial(self):
        """Return the status: what is left over is fine."""
        return self


def _variables(name, value):
    if isinstance(value, Weight):
        return [value]
    if isinstance(value, (Layer, Module, Optimizer)):
        return list(value.weights if isinstance(value, Layer) else value.variables)
    raise TypeError(
        f"Checkpoint: `{name}` must be a model, a layer, a module, an optimizer or a variable, got "
        f"{type(value).__name__}."
    )


def _values(name, value):
    return [torch.as_tensor(variable.numpy()) for variable in _variables(name, value)]


def _restore(name, value, stored, known):
    if isinstance(value, Optimizer) and not value.built:
        models = [one for one in known.values() if isinstance(one, (Layer, Module))]
        value.build([variable for model in models for variable in model.trainable_variables])
    variables = _variables(name, value)
    if [tuple(v.shape) for v in variables] != [tuple(s.shape) for s in stored]:
        raise ValueError(
            f"Checkpoint: `{name}` has {len(variables)} variables, and the file {len(stored)}, or their "
            "shapes differ. Build it first, for example by a call on a batch, and with the same arguments."
        )
    for variable, tensor in zip(variables, stored, strict=True):
        variable.assign(tensor.numpy())


class CheckpointManager:
    """Numbers checkpoints in a folder and keeps the last ones.

    Args:
        checkpoint: The `Checkpoint`.
        directory: The folder.
        max_to_keep: How many are kept; `None`: all.
        checkpoint_name: What file names begin with.
        step_counter, checkpoint_interval: A variable and the least number of steps between two checkpoints.
        keep_checkpoint_every_n_hours, init_fn: Must be left out.

    Source: `tf.train.CheckpointManager`.
    """

    def __init__(
        self,
        checkpoint,
        directory,
        max_to_keep,
        keep_checkpoint_every_n_hours=None,
        checkpoint_name="ckpt",
        step_counter=None,
        checkpoint_interval=None,
        init_fn=None,
    ):
        if keep_checkpoint_every_n_hours is not None or init_fn is not None:
            raise ValueError("CheckpointManager: keep_checkpoint_every_n_hours and init_fn are not there.")
        self.checkpoint, self.directory, self.max_to_keep = checkpoint, os.fspath(directory), max_to_keep
        self.checkpoint_name, self._step_counter = checkpoint_name, step_counter
        self._interval, self._last_step = checkpoint_interval, None

    @property
    def checkpoints(self):
        """Prefixes of the checkpoints in the folder, the oldest first."""
        return _numbered(self.directory, self.checkpoint_name)

    @property
    def latest_checkpoint(self):
        """Prefix of the last checkpoint, or `None`."""
        return (self.checkpoints or [None])[-1]

    def save(self, checkpoint_number=None, check_interval=True, options=None):
        """Write a checkpoint, remove the oldest beyond `max_to_keep`, and return its prefix."""
        if self._interval is not None and check_interval:
            step = int(self._step_counter)
            if self._last_step is not None and step < self._last_step + self._interval:
                return None
            self._last_step = step
        if checkpoint_number is None:
            self.checkpoint.save_counter.assign_add(1)
            checkpoint_number = self.checkpoint.save_counter
        prefix = os.path.join(self.directory, f"{self.checkpoint_name}-{int(checkpoint_number)}")
        self.checkpoint.write(prefix)
        if self.max_to_keep:
            for old in self.checkpoints[: -self.max_to_keep]:
                os.remove(old + SUFFIX)
        return prefix

    def restore_or_initialize(self):
        """Restore the last checkpoint and return its prefix, `None` where there is none."""
        if self.latest_checkpoint is not None:
            self.checkpoint.restore(self.latest_checkpoint)
        return self.latest_checkpoint


def latest_checkpoint(checkpoint_dir, latest_filename=None):
    """Return the prefix of the checkpoint in a folder that was written last, or `None`."""
    found = _numbered(os.fspath(checkpoint_dir), None)
    return max(found, key=lambda prefix: os.stat(prefix + SUFFIX).st_mtime_ns) if found else None


def _numbered(folder, name):
    pattern = re.compile(rf"({'.+' if name is None else re.escape(name)})-(\d+){re.escape(SUFFIX)}")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = sorted((int(m.group(2)), one) for one in names if (m := pattern.fullmatch(one)))
    return [os.path.join(folder, one.removesuffix(SUFFIX)) for _, one in found]


__all__ = ["Checkpoint", "CheckpointManager", "latest_checkpoint"]
__getattr__ = missing(
    "tf.train",
    {
        "Example": "arrays or a torch Dataset; TFRecord files are not there",
        "Feature": "arrays or a torch Dataset; TFRecord files are not there",
        "AdamOptimizer": "torchkeras_lite.optimizers.Adam",
        "GradientDescentOptimizer": "torchkeras_lite.optimizers.SGD",
        "ExponentialMovingAverage": "optimizers with use_ema=True",
    },
)
