"""Attention offsets shown as colours: the Middlebury wheel of optical flow."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_inpaint.ops.levels import from_levels

# Steps between neighbouring primaries: red-yellow, yellow-green, green-cyan, cyan-blue, blue-magenta, magenta-red.
_SEGMENTS = (15, 6, 4, 11, 13, 6)


def colour_wheel():
    """The 55 colours of the Middlebury flow wheel (Baker et al. 2011): uint8-valued float32 [55, 3], RGB."""
    wheel = []
    for segment, steps in enumerate(_SEGMENTS):
        ramp = np.floor(255 * np.arange(steps) / steps)
        colours = np.zeros((steps, 3))
        if segment % 2 == 0:  # `full` stays, the next primary rises
            full, moving, values = segment // 2, (segment // 2 + 1) % 3, ramp
        else:  # the next primary stays, the old one falls
            full, moving, values = (segment // 2 + 1) % 3, segment // 2, 255 - ramp
        colours[:, full] = 255
        colours[:, moving] = values
        wheel.append(colours)
    return np.concatenate(wheel).astype(np.float32)


def flow_to_image(offsets, cumulative=False):
    """Colour offsets: hue tells the direction, saturation the length; no offset is white.

    Args:
        offsets: [B, h, w, 2], (row, column) displacements.
        cumulative: lengths are measured against the longest offset of this image (False), or of this and those before
            it in the batch (True, as the release does, which lets an image's colours depend on its neighbours).
    Returns:
        float32 [B, h, w, 3] in [-1, 1], RGB.
    Reference: Baker et al. 2011, in the form of release 1.0.0 (rows play u, columns v).
    """
    flow = tf.cast(offsets, tf.float32)
    u, v = flow[..., 0], flow[..., 1]
    radius = tf.sqrt(tf.square(u) + tf.square(v))
    longest = tf.reduce_max(radius, axis=[1, 2])  # [B]
    if cumulative:
        longest = tf.scan(tf.maximum, longest)
    radius = radius / (longest[:, tf.newaxis, tf.newaxis] + np.finfo(np.float32).eps)

    # [B, h, w]: the angle as a position on the wheel, between two of its colours
    wheel = tf.constant(colour_wheel() / 255.0)
    count = wheel.shape[0]
    position = (tf.atan2(-v, -u) / np.pi + 1.0) / 2.0 * (count - 1)
    lower = tf.cast(tf.floor(position), tf.int32)
    between = (position - tf.floor(position))[..., tf.newaxis]
    colour = (1 - between) * tf.gather(wheel, lower % count) + between * tf.gather(wheel, (lower + 1) % count)
    # Towards white the shorter the offset.
    colour = 1.0 - radius[..., tf.newaxis] * (1.0 - colour)
    return from_levels(tf.floor(255.0 * colour))
