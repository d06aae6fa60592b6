"""Scalars and pictures for TensorBoard, written with TensorFlow alone.

`tf.summary.scalar` and `tf.summary.image` live in the tensorboard package, which a current TensorFlow does not install;
the records they write are few, and TensorBoard reads ours as its own.
"""

from __future__ import annotations

import tensorflow as tf

_Metadata = tf.compat.v1.SummaryMetadata
_SCALAR = _Metadata(plugin_data=_Metadata.PluginData(plugin_name="scalars"))
_IMAGE = _Metadata(plugin_data=_Metadata.PluginData(plugin_name="images"))


class EventLog:
    """An event file in a folder."""

    def __init__(self, folder):
        self._writer = tf.summary.create_file_writer(str(folder))

    def scalars(self, step, values):
        """Numbers by name, at a step."""
        with self._writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.write(name, tf.constant(value, tf.float32), metadata=_SCALAR)
        self._writer.flush()

    def picture(self, step, name, picture):
        """uint8 [H, W, 3] under a name, at a step."""
        height, width = picture.shape[:2]
        record = tf.stack([str(width), str(height), tf.io.encode_png(picture)])
        with self._writer.as_default(step=step):
            tf.summary.write(name, record, metadata=_IMAGE)
        self._writer.flush()

    def close(self):
        self._writer.close()
