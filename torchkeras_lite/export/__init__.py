"""Models out of this package: as plain PyTorch, and as graphs for other programs.

How a model becomes source: it runs on stand-ins without values (`traced`), while a `session` takes down each
torch function and each call of a torch module. Layers therefore need no code for it; the few that do not
become what they call have a writer in `writers`. Where a layer permutes axes for torch's convolutions and
back again, `layout` lets the permutations cancel. `class_text` makes a class of the statements, `source` a
file of the classes.
"""

from torchkeras_lite.export.archive import ExportArchive
from torchkeras_lite.export.formats import export_model
from torchkeras_lite.export.source import to_source, to_torch

__all__ = ["ExportArchive", "export_model", "to_source", "to_torch"]
