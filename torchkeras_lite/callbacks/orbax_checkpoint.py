"""`OrbaxCheckpoint`, which writes JAX's format in Keras: it says what to use here."""

from torchkeras_lite.callbacks.callback import Callback


class OrbaxCheckpoint(Callback):
    """Keras's writer of Orbax checkpoints, a format of JAX: making one raises an error.

    Args:
        directory, monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold, max_to_keep,
            save_on_background, save_weights_only: As in Keras.

    Raises:
        NotImplementedError: always.

    Source: Keras 3 `keras.callbacks.OrbaxCheckpoint`. Differs from Keras: nothing of torch reads the format.
    """

    def __init__(
        self,
        directory,
        monitor="val_loss",
        verbose=0,
        save_best_only=False,
        mode="auto",
        save_freq="epoch",
        initial_value_threshold=None,
        max_to_keep=1,
        save_on_background=True,
        save_weights_only=False,
    ):
        raise NotImplementedError(
            "OrbaxCheckpoint: Orbax is a format of JAX. Use `callbacks.ModelCheckpoint("
            f"'{directory}/{{epoch:02d}}.keras', monitor={monitor!r})` for models by epoch, or "
            "`callbacks.BackupAndRestore` to go on with an interrupted training."
        )
