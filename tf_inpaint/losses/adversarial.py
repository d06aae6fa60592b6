"""Adversarial losses in pairs (discriminator, generator), on scores of any shape."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.ops.resampling import shrink_mask


def wasserstein_discriminator_loss(real_scores, fake_scores):
    """mean(fake) - mean(real).

    Reference: Arjovsky et al. 2017.
    """
    return tf.reduce_mean(fake_scores) - tf.reduce_mean(real_scores)


def wasserstein_generator_loss(fake_scores):
    """-mean(fake)."""
    return -tf.reduce_mean(fake_scores)


def hinge_discriminator_loss(real_scores, fake_scores):
    """Half the mean of max(0, 1 - real), half that of max(0, 1 + fake).

    Reference: Yu et al. 2019, section 3.3, in the form of the release, which has the halves.
    """
    real = tf.reduce_mean(tf.nn.relu(1.0 - real_scores))
    fake = tf.reduce_mean(tf.nn.relu(1.0 + fake_scores))
    return 0.5 * (real + fake)


def hinge_generator_loss(fake_scores):
    """-mean(fake)."""
    return -tf.reduce_mean(fake_scores)


def minimax_discriminator_loss(real_scores, fake_scores):
    """Half the mean of -log sigmoid(real), half that of -log(1 - sigmoid(fake)).

    Reference: Goodfellow et al. 2014, halved as in PEN-Net's release.
    """
    real, fake = tf.reduce_mean(tf.nn.softplus(-real_scores)), tf.reduce_mean(tf.nn.softplus(fake_scores))
    return 0.5 * (real + fake)


def minimax_generator_loss(fake_scores):
    """mean(-log sigmoid(fake)), the form that does not saturate."""
    return tf.reduce_mean(tf.nn.softplus(-fake_scores))


def saturating_generator_loss(fake_scores):
    """mean(log(1 - sigmoid(fake))), the other side of `minimax_discriminator_loss`."""
    return -tf.reduce_mean(tf.nn.softplus(fake_scores))


def least_squares_discriminator_loss(real_scores, fake_scores):
    """Half the mean of (real - 1)^2, half that of fake^2.

    Reference: Mao et al. 2017, equation 9.
    """
    return 0.5 * (tf.reduce_mean(tf.square(real_scores - 1.0)) + tf.reduce_mean(tf.square(fake_scores)))


def least_squares_generator_loss(fake_scores):
    """mean((fake - 1)^2) / 2."""
    return 0.5 * tf.reduce_mean(tf.square(fake_scores - 1.0))


def masked_discriminator_loss(real_scores, fake_scores, mask, gan="non_saturating"):
    """What a discriminator minimises that takes a prediction for real where it only repeats what was known.

    Args:
        real_scores, fake_scores: float [B, h, w, 1].
        mask: float [B, H, W, 1], 1 = hole, of the images scored; brought to the scores by `shrink_mask`.
        gan: "non_saturating", the log loss, or "hinge".
    Returns:
        A scalar: the mean of real(real_scores) and of fake(fake_scores) in the hole, real(fake_scores) beside it.
    Reference: Suvorov et al. 2022, section 2.3; the release's `mask_as_fake_target`.
    """
    real, fake = _SIDES[gan]
    mask = shrink_mask(mask, tf.shape(fake_scores)[1:3])
    return tf.reduce_mean(real(real_scores) + mask * fake(fake_scores) + (1.0 - mask) * real(fake_scores))


def masked_generator_loss(fake_scores, gan="non_saturating"):
    """What its generator minimises: every score alike."""
    return hinge_generator_loss(fake_scores) if gan == "hinge" else minimax_generator_loss(fake_scores)


_SIDES = {  # what a score costs that should be real, and fake
    "non_saturating": (lambda scores: tf.nn.softplus(-scores), tf.nn.softplus),
    "hinge": (lambda scores: tf.nn.relu(1.0 - scores), lambda scores: tf.nn.relu(1.0 + scores)),
}


def feature_matching_loss(features, targets):
    """Mean over layers of mean((features - targets)^2).

    Args:
        features, targets: lists of float [B, h, w, C].
    Returns:
        A scalar.
    Reference: Wang et al. 2018 (pix2pixHD), equation 4, squared as in LaMa's release.
    """
    layers = [tf.reduce_mean(tf.math.squared_difference(ours, theirs)) for ours, theirs in zip(features, targets)]
    return tf.add_n(layers) / len(layers)


def r1_penalty(discriminator, images):
    """Mean over images of |d scores / d image|^2, where scores of all images are summed.

    Args:
        discriminator: function of float [B, H, W, C] to (list of scores of any shape, anything else).
        images: float [B, H, W, C], real ones.
    Returns:
        (penalty, what `discriminator` returned): a scalar, differentiable; and the pass, which need not be made twice.
    Reference: Mescheder et al. 2018, equation 9, without the factor 1/2.
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = discriminator(images)
        total = tf.add_n([tf.reduce_sum(scores) for scores in outputs[0]])
    squared = tf.square(tape.gradient(total, images))
    return tf.reduce_mean(tf.reduce_sum(squared, axis=[1, 2, 3])), outputs


def interpolate(real, fake, alpha):
    """real + alpha * (fake - real), one alpha for each example.

    Args:
        real, fake: [B, ...].
        alpha: [B], in [0, 1].
    """
    alpha = tf.reshape(alpha, [-1] + [1] * (real.shape.rank - 1))
    return real + alpha * (fake - real)


def gradient_penalty(discriminator, images, mask=None):
    """mean((|d discriminator / d images| - 1)^2), the norm taken over each image.

    Args:
        discriminator: function of float [B, H, W, C] to scores [B, 1], each of its own image alone.
        images: float [B, H, W, C], where the slope is measured (see `interpolate`).
        mask: float [B, H, W, 1] that weights the squared gradient, or None.
    Returns:
        A scalar.
    Reference: Gulrajani et al. 2017; with the mask: Yu et al. 2018, equation 7, in the form of release 1.0.0 (no
        epsilon under the root).
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = discriminator(images)
    squared = tf.square(tape.gradient(scores, images))
    if mask is not None:
        squared = squared * mask
    slopes = tf.sqrt(tf.reduce_sum(squared, axis=[1, 2, 3]))  # [B]
    return tf.reduce_mean(tf.square(slopes - 1.0))
