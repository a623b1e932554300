"""`tf.autograph`: Python's own control flow runs on tensors here, so nothing is converted."""


class experimental:
    """`tf.autograph.experimental`."""

    @staticmethod
    def do_not_convert(func=None):
        """Return the function."""
        return func if func is not None else experimental.do_not_convert

    @staticmethod
    def set_loop_options(**options):
        """Accepted: loops are Python's."""


def set_verbosity(level, alsologtostdout=False):
    """Accepted: there is nothing to report."""


__all__ = ["experimental", "set_verbosity"]
