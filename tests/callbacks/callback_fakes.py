"""A model that only writes down what callbacks do to it, and a loop that drives them."""


class FakeOptimizer:
    built = True
    iterations = 0

    def __init__(self, learning_rate=0.1):
        self.learning_rates = [learning_rate]

    @property
    def learning_rate(self):
        return self.learning_rates[-1]

    @learning_rate.setter
    def learning_rate(self, value):
        self.learning_rates.append(float(value))


class FakeModel:
    """Weights are the number of times they were read; files hold the number of calls."""

    built = True
    layers = ()

    def __init__(self, metrics=()):
        self.optimizer = FakeOptimizer()
        self.metrics = list(metrics)
        self.stop_training = False
        self._initial_epoch = 0
        self.calls = []
        self.time = 0

    def get_weights(self):
        return self.time

    def set_weights(self, weights):
        self.calls.append(("set_weights", weights))

    def _write(self, method, path):
        self.calls.append((method, str(path)))
        with open(path, "w") as file:
            file.write(f"{method} {self.time}")

    def save(self, filepath, overwrite=True):
        self._write("save", filepath)

    def save_weights(self, filepath, overwrite=True):
        self._write("save_weights", filepath)

    def load_weights(self, filepath):
        with open(filepath) as file:
            content = file.read()
        if not content.startswith("save"):
            raise ValueError("no weights")
        self.calls.append(("load_weights", content))


def drive(callback, epochs, *, model=None, batches=0):
    """Run the hooks of `callback` over `epochs`, a list of logs; return the model and the logs at the end."""
    model = model or FakeModel()
    callback.set_params({"epochs": len(epochs), "steps": batches, "verbose": 0})
    callback.set_model(model)
    callback.on_train_begin()
    left = []
    for epoch, logs in enumerate(epochs):
        model.time = epoch
        logs = dict(logs)
        callback.on_epoch_begin(epoch, {})
        for batch in range(batches):
            callback.on_train_batch_begin(batch)
            callback.on_train_batch_end(batch, dict(logs))
        callback.on_epoch_end(epoch, logs)
        left.append(logs)
        if model.stop_training:
            break
    callback.on_train_end(left[-1] if left else None)
    return model, left
