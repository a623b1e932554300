"""The engine: layers that are torch modules, weights seen Keras's way, symbolic tensors, fx graphs.

Why it is apart: everything above (layers, models, training, saving) is written in these few ideas, and
nothing here knows a particular layer. A `Layer` is an `nn.Module` that builds itself at its first call; a
`KerasTensor` records calls; `graph` lowers what was recorded to an `fx.GraphModule`.
"""

from torchkeras_lite.base.old_names import old_members

__getattr__ = old_members(__name__)
