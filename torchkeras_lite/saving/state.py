"""The state of a model, to a file and back: collected by path, compared as a whole, then assigned."""

import os
import tempfile

from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.warning import warn_user
from torchkeras_lite.engine.stored_weights import StoredWeights
from torchkeras_lite.saving.archive import AssetFolder
from torchkeras_lite.saving.walk import walk


def save_state(model, writer, assets=None, skip=()):
    """Write the state of `model` and of everything in it.

    Args:
        model: The model.
        writer: An `H5Writer` or what else has its `write`.
        assets: An `AssetFolder`, where things with `save_assets` put their files; `None`: they are left out.
        skip: Objects that are left out, with all in them.
    """
    for path, thing in walk(model, skip):
        if hasattr(thing, "save_own_variables"):
            store = {}
            thing.save_own_variables(store)
            name = getattr(thing, "name", None)
            writer.write(path, name if isinstance(name, str) else None, store)
        if assets is not None and hasattr(thing, "save_assets"):
            thing.save_assets(assets.make(path))


def warn_of_assets(model, name):
    """Warn where things in `model` keep files, which the file `name` has no place for."""
    with tempfile.TemporaryDirectory() as folder:
        assets, lost = AssetFolder(folder), []
        for path, thing in walk(model):
            if hasattr(thing, "save_assets") and not any(path.startswith(f"{other}/") for other, _ in lost):
                thing.save_assets(assets.make(path))
                if os.listdir(assets.make(path)):
                    lost.append((path, thing))
    if lost:
        warn_user(
            f"{name}: what {', '.join(describe(thing) for _, thing in lost)} learned is not saved: "
            "this format has no place for it. Save as `.keras`, or give the layer its `vocabulary`."
        )


class StateLoader:
    """The state of a file, about to be read into a model.

    Everything is compared first: after `check` finds a fault, the model is as it was.

    Args:
        model: The model, or another thing with a state.
        reader: An `H5Reader` or what else has its `paths` and `read`.
        name: What messages call the file.
        skip: Objects that are left as they are, with all in them.
        skip_mismatch: Whether objects that do not fit are left as they are, with a warning.
    """

    def __init__(self, model, reader, name, *, skip=(), skip_mismatch=False):
        self.model = model
        self.reader = reader
        self.name = name
        self.skip_mismatch = skip_mismatch
        self.stored = reader.paths()
        self.aliases = {}
        self.things = [(path, thing) for path, thing in walk(model, skip, self.aliases) if _loads(thing)]
        self.failed = {}

    def _path(self, path):
        """Return where the file has what is at `path`: there, or where else the model holds it.

        Older Keras named some attributes with an underscore.
        """
        parent, _, last = path.rpartition("/")
        places = (path, *self.aliases.get(path, ()), f"{parent}/_{last}".lstrip("/"))
        return next((place for place in places if place in self.stored), path)

    def check(self):
        """Compare what is stored with what the model has, without reading values.

        Raises:
            ValueError: a layer whose weights differ in number or shape from those stored; all are listed.
        """
        for path, thing in self.things:
            if _is_checked(thing):
                shapes = {key: d.shape for key, d in self.stored.get(self._path(path), {}).items()}
                try:
                    type(thing).load_own_variables.compare(thing, shapes)
                except ValueError as error:
                    self.failed[path] = thing, error
        if self.failed and not self.skip_mismatch:
            raise ValueError(self._failures())

    def assign(self):
        """Read the values and assign them.

        Raises:
            ValueError: damaged data; an own `load_own_variables` of a layer failed.
        """
        values = {
            path: self.reader.read(self._path(path)) for path, _ in self.things if path not in self.failed
        }
        # Methods that a user wrote may fail, so they come first.
        order = sorted(self.things, key=lambda pair: _is_checked(pair[1]))
        before = self._snapshot()
        for path, thing in order:
            if path in values:
                try:
                    thing.load_own_variables(values[path])
                except Exception as error:
                    self.failed[path] = thing, error
                    if not self.skip_mismatch:
                        break
        if self.failed and not self.skip_mismatch:
            if before is not None:
                self.model.load_state_dict(before)
            raise ValueError(self._failures()) from next(iter(self.failed.values()))[1]
        if self.failed:
            warn_user(self._failures())
        self._tell_unexpected()

    def _snapshot(self):
        """Return copies of all weights where a method of a user's could leave some of them changed."""
        if not any(isinstance(t, StoredWeights) and not _is_checked(t) for _, t in self.things):
            return None
        return {key: value.clone() for key, value in self.model.state_dict().items()}

    def _failures(self):
        listed = "\n".join(f"- {path or 'the model'}: {error}" for path, (_, error) in self.failed.items())
        return (
            f"{self.name}: A total of {len(self.failed)} objects could not be loaded. "
            f"{'They were left as they are' if self.skip_mismatch else 'Nothing should be used'}:\n{listed}"
        )

    def _tell_unexpected(self):
        known = {self._path(path) for path, _ in self.things}
        unexpected = [
            path
            for path in self.stored
            if path not in known and path.partition("/")[0] not in ("optimizer", "lr_scheduler")
        ]
        if unexpected:
            warn_user(
                f"{self.name}: the file has weights that the model has no place for: "
                f"{', '.join(unexpected[:20])}{' and more' if len(unexpected) > 20 else ''}."
            )


def _loads(thing):
    return hasattr(thing, "load_own_variables")


def _is_checked(thing):
    """Whether what is stored for `thing` can be compared with its weights before it is read."""
    return hasattr(type(thing).load_own_variables, "compare")


def load_assets(model, assets):
    """Let everything in `model` that has `load_assets` read its files.

    Raises:
        ValueError: the method of a thing failed.
    """
    for path, thing in walk(model):
        folder = assets.get(path) if hasattr(thing, "load_assets") else None
        if folder is not None:
            try:
                thing.load_assets(folder)
            except Exception as error:
                raise ValueError(f"{describe(thing)}: its assets could not be loaded: {error}") from error
