"""`tf.errors`: the kinds of errors that scripts catch."""


class OpError(Exception):
    """Base of the errors of operations."""

    @property
    def message(self):
        """What is said."""
        return str(self)


class InvalidArgumentError(OpError, ValueError):
    """An argument that does not fit."""


class OutOfRangeError(OpError, StopIteration):
    """An iterator is at its end."""


class NotFoundError(OpError, FileNotFoundError):
    """A file that is not there."""


class ResourceExhaustedError(OpError, MemoryError):
    """No memory is left. Differs: torch raises `torch.OutOfMemoryError`."""


class FailedPreconditionError(OpError, RuntimeError):
    """Something is not in the state that an operation needs."""


class UnimplementedError(OpError, NotImplementedError):
    """An operation that there is not."""


__all__ = [
    "FailedPreconditionError",
    "InvalidArgumentError",
    "NotFoundError",
    "OpError",
    "OutOfRangeError",
    "ResourceExhaustedError",
    "UnimplementedError",
]
