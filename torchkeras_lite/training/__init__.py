"""The training room: how data becomes batches, what a step does, and the loops around it.

The loops are plain code (`loops` for `fit`, `evaluation` for the rest), over batches (`data`) and steps
(`steps`). Nothing in a step waits for the device: losses and metrics stay tensors until somebody looks at the
logs. `Trainer` only has the methods of a Keras model, each a call of a function of this room.
"""
