"""Programs for Keras run as they are: `import torchkeras_lite.as_keras` as the first line.

From then on, in this process, `import keras`, `from tensorflow.keras import layers`, `import tensorflow as
tf` and their like mean this package: submodules, star imports and the module paths of older Keras included.
What is installed under those names elsewhere is neither used nor touched. `python -m torchkeras_lite run
script.py` does the same for a script without a change.

Packages made for Keras work too: the private paths from which they import (`keras.src.layers.layer.Layer`)
give the public object of that name. Whether TensorFlow is there, they are told "no", unless the facade
`torchkeras_lite.tf` was asked for: by the program itself, which is any code outside of `site-packages`, when
it imports `tensorflow`; or by a package that imports `tensorflow.keras`.

Processes that the program starts do the same: their `PYTHONPATH` begins with the folder `children`.
"""

from torchkeras_lite.as_keras.finder import install

__all__ = ["install"]

install()
