"""What is taken down: statements, and the frame of one `forward` that they belong to."""

from torchkeras_lite.base.nested import flatten
from torchkeras_lite.export.traced import Traced

__all__ = ["Frame", "Statement"]


class Statement:
    """One line: what it computes, and what it is called after.

    Args:
        text: An expression, with marks for variables, modules and tensors.
        targets: The `Traced` that it makes, nested as they are unpacked; `None` for what is called for its
            effect.
        hint: Name for the results.
    """

    def __init__(self, text, targets, hint):
        self.text = text
        self.targets = targets
        self.hint = hint

    @property
    def results(self):
        """The `Traced` that it makes, flat."""
        return [] if self.targets is None else flatten(self.targets)


class Frame:
    """The statements of one `forward`.

    Args:
        owner: The module.
        training: The mode it is traced in.
    """

    def __init__(self, owner, training):
        self.owner = owner
        self.training = training
        self.statements = []
        self.inputs = []
        self.outputs = None
        self.held = {}  # modules that stay in inference mode
        self.device_of = None
        self.known = {}  # text -> result, of what need not be computed twice

    def effect(self, text):
        """Add a statement that changes a tensor."""
        self.statements.append(Statement(text, None, ""))
        self.known.clear()

    def normalized(self):
        """The text of all statements, which is equal for equal computations."""
        names = {one.text: f"input{number}" for number, one in enumerate(self.inputs)}
        lines = []
        for statement in self.statements:
            for result in statement.results:
                names.setdefault(result.text, f"v{len(names)}")
            lines.append(f"{[names[one.text] for one in statement.results]} = {statement.text}")
        outputs = [one.text if isinstance(one, Traced) else repr(one) for one in flatten(self.outputs)]
        text = "\n".join([*lines, repr(outputs), repr(sorted(self.held))])
        for mark, name in sorted(names.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(mark, name)
        return text
