"""Layers one after another: written once as a list, walked forwards by features and backwards by boxes."""

from __future__ import annotations

from tf_inpaint.ops.boxes import crop, paste


class Chain:
    """A list of layers, each an attribute of the layer that owns them, under the name that it has there.

    Args:
        owner: the Keras layer or model.
        layers: functions of `name` that make them, in order.
    """

    def __init__(self, owner, **layers):
        self.layers = {name: make(name=name) for name, make in layers.items()}
        for name, layer in self.layers.items():
            setattr(owner, name, layer)

    def __iter__(self):
        return iter(self.layers.values())

    def __call__(self, x, **settings):
        for layer in self:
            x = layer(x, **settings)
        return x

    def reads(self, box):
        """The `Box` of the input that a box of the output is made of."""
        for layer in reversed(self.layers.values()):
            box = layer.reads(box)
        return box


def run_within(layers, x, size, *box):
    """What a layer or `Chain` makes of `x`, maps of int32 [2] (height, width); in a `Box` alone if one is given.

    Beyond the box are zeros.
    """
    if not box:
        return layers(x)
    read = layers.reads(*box).within(size)
    return paste(crop(layers(crop(x, read)), box[0].seen_from(read)), *box, size)
