"""The results of all epochs sent to a server."""

import json
import urllib.parse
import urllib.request
import warnings

from torchkeras_lite.callbacks.callback import Callback


class RemoteMonitor(Callback):
    """Posts the logs of every epoch to a web server. A server that cannot be reached only warns.

    Args:
        root: Address of the server.
        path: Path on it.
        field: Name of the form's field that holds the JSON text.
        headers: Dict of further HTTP headers.
        send_as_json: Whether to send the JSON text as the body instead of a form.

    Source: Keras 3 `keras.callbacks.RemoteMonitor`. Needs no further package.
    """

    first_process_only = True
    timeout = 10.0

    def __init__(
        self,
        root="http://localhost:9000",
        path="/publish/epoch/end/",
        field="data",
        headers=None,
        send_as_json=False,
    ):
        super().__init__()
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch, logs=None):
        """Send the logs."""
        values = {"epoch": epoch, **{name: _plain(value) for name, value in (logs or {}).items()}}
        text = json.dumps(values)
        if self.send_as_json:
            body, kind = text, "application/json"
        else:
            body, kind = urllib.parse.urlencode({self.field: text}), "application/x-www-form-urlencoded"
        request = urllib.request.Request(
            self.root + self.path, data=body.encode(), headers={"Content-Type": kind, **(self.headers or {})}
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout):
                pass
        except OSError as error:
            warnings.warn(
                f"Could not reach RemoteMonitor root server at {self.root}: {error}. "
                "The logs of this epoch were not sent.",
                stacklevel=2,
            )


def _plain(value):
    return value.tolist() if hasattr(value, "tolist") else value
