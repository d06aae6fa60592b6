"""A loss scale for float16: as large as gradients allow, so that the small ones among them do not vanish."""

from __future__ import annotations

import tensorflow as tf

FIRST = 2.0**15
PATIENCE = 2000  # updates in a row without overflow, after which twice the scale is tried


class LossScale:
    """What one network's loss is multiplied by before, and its gradients are divided by after differentiation.

    An update whose gradients overflow is left out, and the scale halved for the next; at 1 nothing is left out, and
    whoever watches the gradients sees what they became. Scales are powers of 2, which round nothing.

    Attributes:
        variables: what a checkpoint must hold, by name.
    Reference: Micikevicius et al. 2018, section 3.2.
    """

    def __init__(self):
        with tf.device("CPU:0"):
            self._scale = tf.Variable(FIRST, trainable=False, name="scale")
            self._good = tf.Variable(0, dtype=tf.int64, trainable=False, name="good")
        self.variables = {"scale": self._scale, "good": self._good}

    def read(self):
        """The scale now: float32 scalar."""
        return tf.convert_to_tensor(self._scale)

    def accepts(self, finite):
        """Whether an update may be made, and the scale moved on.

        Args:
            finite: bool scalar, whether all gradients of all replicas are.
        Returns:
            bool scalar.
        """
        scale, good = self.read(), tf.convert_to_tensor(self._good) + 1
        accepted = finite | (scale <= 1.0)
        doubled = good >= PATIENCE
        self._scale.assign(tf.where(finite, tf.where(doubled, 2.0 * scale, scale), tf.maximum(0.5 * scale, 1.0)))
        self._good.assign(tf.where(finite & ~doubled, good, 0))
        return accepted
