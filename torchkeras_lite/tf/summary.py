"""`tf.summary`: numbers, pictures and texts for TensorBoard, by torch's `SummaryWriter`."""

import contextlib

import numpy as np

from torchkeras_lite.callbacks.extras import extra
from torchkeras_lite.tf.conversion import convert
from torchkeras_lite.tf.unknown import missing

_state: dict = {"writers": [], "step": None, "records": True}


class Writer:
    """Writes summaries into a folder.

    Args:
        logdir: The folder.
    """

    def __init__(self, logdir):
        module = extra("torch.utils.tensorboard", "tensorboard", "tf.summary")
        self.writer = module.SummaryWriter(logdir)

    @contextlib.contextmanager
    def as_default(self, step=None):
        """Let summaries made inside go to this writer, with `step` for those that have none."""
        before = _state["step"]
        _state["writers"].append(self)
        if step is not None:
            _state["step"] = step
        try:
            yield self
        finally:
            _state["writers"].pop()
            _state["step"] = before

    def set_as_default(self, step=None):
        """Let all summaries go to this writer from here on."""
        _state["writers"].append(self)
        if step is not None:
            _state["step"] = step

    def flush(self):
        """Write what is waiting."""
        self.writer.flush()

    def close(self):
        """Write what is waiting, and end."""
        self.writer.close()


def create_file_writer(logdir, max_queue=None, flush_millis=None, filename_suffix=None, name=None):
    """Return a writer into a folder."""
    return Writer(logdir)


def _write(name, step, write):
    """Call `write(writer, step)` with the writer in use.

    Raises:
        ValueError: there is no step.
    """
    if not _state["writers"] or not bool(_state["records"]):
        return False
    step = _state["step"] if step is None else step
    if step is None:
        raise ValueError(
            f"No step set for the summary {name!r}. Pass step=, or tf.summary.experimental.set_step."
        )
    write(_state["writers"][-1].writer, int(step))
    return True


def scalar(name, data, step=None, description=None):
    """Write a number; without a writer nothing happens. Returns whether it was written."""
    return _write(name, step, lambda writer, at: writer.add_scalar(name, float(convert(data)), at))


def histogram(name, data, step=None, buckets=None, description=None):
    """Write the distribution of values."""
    return _write(
        name, step, lambda writer, at: writer.add_histogram(name, np.asarray(convert(data).numpy()), at)
    )


def image(name, data, step=None, max_outputs=3, description=None):
    """Write pictures `(batch, height, width, channels)`, `max_outputs` of them at the most."""
    return _write(
        name,
        step,
        lambda writer, at: writer.add_images(
            name, np.asarray(convert(data).numpy())[:max_outputs], at, dataformats="NHWC"
        ),
    )


def text(name, data, step=None, description=None):
    """Write text."""
    value = convert(data).numpy()
    shown = (
        value.decode() if isinstance(value, bytes) else "\n\n".join(one.decode() for one in value.reshape(-1))
    )
    return _write(name, step, lambda writer, at: writer.add_text(name, shown, at))


def audio(name, data, sample_rate, step=None, max_outputs=3, encoding=None, description=None):
    """Write the first of sounds `(batch, samples, channels)`."""
    sound = np.asarray(convert(data).numpy())[0].mean(-1)
    return _write(name, step, lambda writer, at: writer.add_audio(name, sound, at, int(sample_rate)))


def flush(writer=None, name=None):
    """Write what is waiting."""
    for one in [writer] if writer is not None else _state["writers"]:
        one.flush()


@contextlib.contextmanager
def record_if(condition):
    """Write summaries made inside only where the condition, or what it returns, holds."""
    before = _state["records"]
    _state["records"] = condition() if callable(condition) else condition
    try:
        yield
    finally:
        _state["records"] = before


class experimental:
    """`tf.summary.experimental`."""

    @staticmethod
    def set_step(step):
        """Set the step of summaries that have none; a variable is read each time."""
        _state["step"] = step

    @staticmethod
    def get_step():
        """Return that step."""
        return _state["step"]


__all__ = [
    "Writer",
    "audio",
    "create_file_writer",
    "experimental",
    "flush",
    "histogram",
    "image",
    "record_if",
    "scalar",
    "text",
]
__getattr__ = missing(
    "tf.summary", {"trace_on": "torch.profiler", "graph": "keras.callbacks.TensorBoard(write_graph=True)"}
)
