"""A plain `nn.Module` called on a symbolic tensor becomes one recorded call.

torch runs such a module's `forward` piece by piece, and every piece arrives alone at
`KerasTensor.__torch_function__`. The first piece finds the module by walking up to the outermost
`nn.Module._call_impl` frame that was given a symbolic tensor. The module is then recorded as a single call,
and run once more on stand-ins under our eyes, which shows what each of the following pieces will be and
which of them the module returns. So its dropout and batch normalization follow the mode and its parameters
are registered, as those of a layer.
"""

import contextlib
import sys

import torch

_CALL_CODE = torch.nn.Module._call_impl.__code__


def enclosing_module_frame(is_symbolic_structure):
    """Return the outermost frame in which a torch module is being called on symbolic tensors, or `None`."""
    found = None
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _CALL_CODE:
            variables = frame.f_locals
            if is_symbolic_structure((variables["args"], variables["kwargs"])):
                found = frame
        frame = frame.f_back
    return found


@contextlib.contextmanager
def same_statistics(module):
    """Give the buffers of scripted modules in `module` their values back.

    TorchScript runs such a module as one function, with its real buffers, and does not count in their
    `_version` what batch normalization writes to them.
    """
    scripts = [one for one in module.modules() if isinstance(one, torch.jit.ScriptModule)]
    kept = [(buffer, buffer.clone()) for script in scripts for buffer in script.buffers()]
    try:
        yield
    finally:
        for buffer, values in kept:
            buffer.copy_(values)


class Piece:
    """One torch function (or layer) that ran inside a module: what it was and the specs of its results."""

    def __init__(self, function, outputs):
        self.function = function
        self.outputs = outputs


class ModuleReplay:
    """The pieces of one module call, known in advance, handed out one by one.

    Args:
        key: Identity of the module call, to tell it from the next one.
        pieces: What the module runs, in order.
        returned: `(piece number, path)` to the symbolic tensor that the module returns there.
    """

    def __init__(self, key, pieces, returned):
        self.key = key
        self.pieces = pieces
        self.returned = returned
        self.position = 0

    def expects(self, key, function):
        """Whether `function`, in the module call `key`, is the next piece."""
        return (
            self.key == key
            and self.position < len(self.pieces)
            and self.pieces[self.position].function is function
        )


class Recorder:
    """Where the pieces of the module that is being called go."""

    def __init__(self):
        self.current: ModuleReplay | None = None
        self.rehearsal: list[Piece] | None = None

    @contextlib.contextmanager
    def rehearse(self):
        """Collect pieces instead of handing them out."""
        outer, self.rehearsal = self.rehearsal, []
        try:
            yield self.rehearsal
        finally:
            self.rehearsal = outer


recorder = Recorder()
