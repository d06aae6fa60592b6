"""A layer made of layers."""

from __future__ import annotations

from tf_inpaint.layers.layer import Layer


class Composite(Layer):
    """A layer whose weights are all those of layers within, each built when it is first called.

    Without a `build` of its own Keras 3 traces a layer once more to build what is within, which takes 2^n times as long
    where layers are n deep.
    """

    def build(self, input_shape):
        self.built = True
