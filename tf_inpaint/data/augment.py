"""What becomes of an image, and of its edges with it, on the way into an example: fitted, mirrored, recoloured.

All here take and return {"image": [H, W, 3]}, with "edges" [H, W, 1] where there are any, in levels 0 .. 255; edges are
0 or 255 and stay so. Seeds are stateless, int32 [2].
"""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.ops.colour import jitter_colours


def fit(layers, how, size, crop_seed=None, shorter_side=0, zoom=1.0):
    """An image brought to the size of the examples.

    Args:
        layers: see above, uint8.
        how: "resize" squashes it to `size`, "resize_crop" scales it to just cover `size` and cuts a box, "crop" cuts
            without such scaling, except that a smaller image is enlarged to cover `size`.
        size: (height, width).
        crop_seed: where to cut; None cuts at the centre.
        shorter_side: for "crop", what the image's shorter side is scaled to first; 0 leaves it.
        zoom: a factor on `shorter_side`, float64.
    Returns:
        The same, float32 [height, width, C].
    """
    if how == "resize":
        return {name: _RESIZE[name](layer, size) for name, layer in layers.items()}
    have = tf.shape(layers["image"])[:2]
    scale = tf.reduce_max(tf.constant(size, tf.float64) / tf.cast(have, tf.float64))
    if how == "crop":
        wanted = shorter_side * zoom / tf.cast(tf.reduce_min(have), tf.float64) if shorter_side else 1.0
        scale = tf.maximum(scale, wanted)
    scaled = tf.maximum(tf.cast(tf.round(tf.cast(have, tf.float64) * scale), tf.int32), size)
    slack = scaled - size  # [2]
    if crop_seed is None:
        corner = slack // 2
    else:
        fraction = tf.random.stateless_uniform([2], crop_seed, dtype=tf.float64)
        corner = tf.cast(fraction * tf.cast(slack + 1, tf.float64), tf.int32)

    def scaled_and_cut(name, layer):
        def cut(whole):  # [H, W, C] -> [height, width, C]
            return tf.slice(whole, [corner[0], corner[1], 0], [*size, layer.shape[2]])

        layer = tf.cond(
            tf.reduce_all(scaled == have),
            lambda: tf.cast(cut(layer), tf.float32),
            lambda: cut(_RESIZE[name](layer, scaled)),
        )
        return tf.ensure_shape(layer, [*size, layer.shape[2]])

    return {name: scaled_and_cut(name, layer) for name, layer in layers.items()}


def flip(layers, seed):
    """Mirrored, left and right, for one seed in two."""
    flipped = tf.random.stateless_uniform([], seed) < 0.5
    return tf.cond(flipped, lambda: {name: tf.reverse(layer, [1]) for name, layer in layers.items()}, lambda: layers)


def jitter(layers, seed, strength):
    """The image in other colours (see `jitter_colours`), its edges as they are."""
    return {**layers, "image": jitter_colours(layers["image"] / 255.0, seed, strength) * 255.0}


def _resize_image(image, size):
    """Bilinear, averaging over all source pixels where it shrinks."""
    resized = tf.image.resize(tf.cast(image, tf.float32), size, "bilinear", antialias=True)
    return tf.clip_by_value(resized, 0.0, 255.0)


def _resize_edges(edges, size):
    # A line one pixel wide keeps at least 23 / 48 of `scale` of its brightness somewhere across it (a diagonal between
    # two pixels; half of `scale` where it is upright): cut at 0.45, it never breaks and hardly widens.
    scale = tf.cast(tf.reduce_min(size / tf.shape(edges)[:2]), tf.float32)
    return tf.where(_resize_image(edges, size) > 0.45 * 255.0 * tf.minimum(scale, 1.0), 255.0, 0.0)


_RESIZE = {"image": _resize_image, "edges": _resize_edges}
