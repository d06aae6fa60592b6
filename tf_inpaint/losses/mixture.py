"""The discretised mixture of logistics: three colours of a pixel, each given those before it; density and draws."""

from __future__ import annotations

import math

import tensorflow as tf

from tf_inpaint.ops.levels import from_levels

_LEAST_LOG_SCALE = -7.0


def mixture_nll(outputs, levels):
    """Negative log-likelihood of pixels.

    Args:
        outputs: float [..., 10 K]: K logits of the mixture, then K x 3 means, log-scales and coefficients.
        levels: int32 [..., 3], 0 .. 255, RGB.
    Returns:
        float [...]: nats for each pixel, of three values.
    Reference: Salimans et al. 2017 (PixelCNN++), in tensor2tensor's form.
    """
    x = from_levels(tf.cast(levels, outputs.dtype))[..., tf.newaxis, :]  # [..., 1, 3]
    logits, means, log_scales, coefficients = _split(outputs)
    means = tf.stack([_mean(means, coefficients, x, channel) for channel in range(3)], axis=-1)
    inverse = tf.exp(-log_scales)
    centred = x - means
    above, below = inverse * (centred + 1.0 / 255.0), inverse * (centred - 1.0 / 255.0)
    middle = inverse * centred
    mass = tf.sigmoid(above) - tf.sigmoid(below)
    density = middle - log_scales - 2.0 * tf.nn.softplus(middle) - math.log(127.5)
    inside = tf.where(mass > 1e-5, tf.math.log(tf.maximum(mass, 1e-12)), density)
    log_mass = tf.where(x < -0.999, tf.math.log_sigmoid(above), inside)  # the tails take all that lies beyond
    log_mass = tf.where(x > 0.999, tf.math.log_sigmoid(-below), log_mass)
    return -tf.reduce_logsumexp(tf.reduce_sum(log_mass, -1) + tf.nn.log_softmax(logits), -1)


def draw_from_mixture(outputs, uniform_mixture, uniform_logistic, temperature=1.0):
    """Pixels by given random numbers.

    Args:
        outputs: as above.
        uniform_mixture: float [..., K], in (0, 1).
        uniform_logistic: float [..., 3], in (0, 1).
        temperature: what logits are divided by and the spread is multiplied by; 0 is the likeliest mixture's mean.
    Returns:
        float [..., 3] in [-1, 1], not rounded.
    """
    logits, means, log_scales, coefficients = _split(outputs)
    gumbel = -tf.math.log(-tf.math.log(uniform_mixture))
    chosen = tf.one_hot(tf.argmax(logits + temperature * gumbel, -1), logits.shape[-1], dtype=outputs.dtype)
    means, log_scales, coefficients = (
        tf.reduce_sum(each * chosen[..., tf.newaxis], -2, keepdims=True) for each in (means, log_scales, coefficients)
    )
    noise = tf.math.log(uniform_logistic) - tf.math.log(1.0 - uniform_logistic)
    spread = temperature * tf.exp(log_scales[..., 0, :]) * noise
    drawn = []
    for channel in range(3):
        known = tf.stack([*drawn, *[tf.zeros_like(spread[..., 0])] * (3 - channel)], axis=-1)[..., tf.newaxis, :]
        drawn.append(_mean(means, coefficients, known, channel)[..., 0] + spread[..., channel])
    return tf.clip_by_value(tf.stack(drawn, axis=-1), -1.0, 1.0)  # at the end: a colour sees others as they were drawn


def _split(outputs):
    """(logits [..., K], means, log-scales, coefficients [..., K, 3])."""
    mixtures = outputs.shape[-1] // 10
    logits, rest = outputs[..., :mixtures], outputs[..., mixtures:]
    rest = tf.reshape(rest, tf.concat([tf.shape(rest)[:-1], [3, mixtures, 3]], 0))
    means, log_scales, coefficients = tf.unstack(rest, axis=-3)
    return logits, means, tf.maximum(log_scales, _LEAST_LOG_SCALE), tf.tanh(coefficients)


def _mean(means, coefficients, x, channel):
    """[..., K], of a channel given those of x before it."""
    if channel == 0:
        return means[..., 0]
    if channel == 1:
        return means[..., 1] + coefficients[..., 0] * x[..., 0]
    return means[..., 2] + coefficients[..., 1] * x[..., 0] + coefficients[..., 2] * x[..., 1]
