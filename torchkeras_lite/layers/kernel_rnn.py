"""`KernelRNN`: what SimpleRNN, LSTM and GRU share."""

from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.layers.recurrent import RNN

__all__ = ["KernelRNN"]


class KernelRNN(RNN):
    """A recurrent layer that makes its own cell, and shows the cell's arguments as attributes.

    Args:
        cell: The arguments of the cell, a dict.
        use_cudnn: `False` runs step by step, `True` refuses arguments that torch's kernel cannot honour.
        **kwargs: Those of `RNN` and `Layer`.
    """

    casts_integers = True

    def __init__(self, cell, use_cudnn="auto", **kwargs):
        if "implementation" in kwargs and len(self.cell_class.gates) > 1:
            cell = {**cell, "implementation": kwargs.pop("implementation")}
        shared = {key: kwargs[key] for key in ("dtype", "trainable") if key in kwargs}
        super().__init__(self.cell_class(**cell, **shared, name=self.cell_name), **kwargs)
        self.input_spec = InputSpec(ndim=3)
        self.use_cudnn = use_cudnn
        for name in cell:
            self.__dict__[name] = getattr(self.cell, name)
        if use_cudnn is True and not self.cell.fits_kernel():
            raise ValueError(
                f"{describe(self)}: `use_cudnn=True` needs the default activations and `reset_after=True`, "
                "which torch's kernel computes. Pass `use_cudnn='auto'` to run other ones step by step."
            )

    def _runs_kernel(self, training):
        return self.use_cudnn is not False and super()._runs_kernel(training)
