"""Completion by search: the code whose image agrees best with the known pixels and looks most like a true one."""

from __future__ import annotations

import tensorflow as tf


def neighbourhood_weights(mask, window=7):
    """How much each known pixel says about the hole: the fraction of hole in the window around it.

    Args:
        mask: float [B, H, W, 1], 1 = hole.
        window: odd side of the window; what lies outside of the image is left out of the count.
    Returns:
        float [B, H, W, 1]: 0 in the hole and far from it.
    Reference: Yeh and Chen et al. 2017, equation 3.
    Deviations: none.
    """
    return (1.0 - mask) * tf.nn.avg_pool2d(mask, window, 1, "SAME")


def search_code(code, generate, judge, image, weights, steps, learning_rate, prior_weight):
    """Adam on the codes, each for its image.

    loss = sum(weights * |generate(code) - image|) + prior_weight * softplus(-judge(generate(code))), and after every
    step the code is clipped to [-1, 1].

    Args:
        code: float [B, n], where the search begins.
        generate: function of codes to float [B, H, W, 3], each image of its code alone.
        judge: function of images to logits [B, 1], each of its image alone.
        image: float [B, H, W, 3] in [-1, 1].
        weights: float [B, H, W, 1], 0 where nothing is known.
        steps, learning_rate: of Adam, with betas 0.9 and 0.999 and epsilon 1e-8.
        prior_weight: of the second term (0.1 in the release).
    Returns:
        (code, loss): float [B, n]; float [B], at that code.
    Reference: Amos' code, as described; with the weights, Yeh and Chen et al. 2017, section 3.
    Deviations: Amos' weights are 1 for every known pixel.
    """

    def loss_of(code):
        generated = generate(code)
        context = tf.reduce_sum(weights * tf.abs(generated - image), axis=[1, 2, 3])
        return context + prior_weight * tf.nn.softplus(-tf.reshape(judge(generated), [-1]))

    def step(index, code, first, second):
        with tf.GradientTape() as tape:
            tape.watch(code)
            loss = loss_of(code)
        gradient = tape.gradient(loss, code)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * tf.square(gradient)
        count = tf.cast(index + 1, tf.float32)
        move = first / (1.0 - 0.9**count) / (tf.sqrt(second / (1.0 - 0.999**count)) + 1e-8)
        return index + 1, tf.clip_by_value(code - learning_rate * move, -1.0, 1.0), first, second

    start = (tf.constant(0), code, tf.zeros_like(code), tf.zeros_like(code))
    _, code, _, _ = tf.while_loop(lambda index, *_: index < steps, step, start, parallel_iterations=1)
    return code, loss_of(code)
