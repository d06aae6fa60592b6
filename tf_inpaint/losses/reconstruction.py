"""Reconstruction losses. Each is a mean over examples of a number of that example alone, so that splitting a batch over
devices changes nothing."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.ops.images import resize_bilinear


def discounted_l1(predicted, image, weights):
    """mean(weights * |image - predicted|).

    Args:
        predicted, image: float [B, H, W, C].
        weights: float [B or 1, H, W, 1]; see `ops.discount`.
    Returns:
        A scalar.
    Reference: Yu et al. 2018, section 4.2.
    """
    return tf.reduce_mean(weights * tf.abs(image - predicted))


def hole_l1(predicted, image, mask, weights=1.0):
    """Mean of weights * |image - predicted| inside each image's hole, averaged over images.

    Args:
        predicted, image: float [B, H, W, C].
        mask: float [B, H, W, 1], 1 = hole; images without a hole count 0.
        weights: float [B, H, W, 1] or a number; see `ops.discount.distance_discount`.
    Returns:
        A scalar.
    """
    return _region_l1(predicted, image, mask, weights)


def valid_l1(predicted, image, mask):
    """Mean absolute error outside each image's hole, averaged over images.

    Args:
        predicted, image: float [B, H, W, C].
        mask: float [B, H, W, 1], 1 = hole; images without known pixels count 0.
    Returns:
        A scalar.
    Reference: the "ae loss" of DeepFill release 1.0.0.
    Deviations: each image has its own mask; with one mask for the batch the value is the release's.
    """
    return _region_l1(predicted, image, 1.0 - mask, 1.0)


def weighted_l1(predicted, image, mask, known_weight, missing_weight):
    """Mean absolute error over all elements, known ones times one weight and those of holes times another.

    Args:
        predicted, image: float [B, H, W, C].
        mask: float [B, H, W, 1], 1 = hole.
    Returns:
        A scalar.
    Reference: Suvorov et al. 2022, in the form of the release: not divided by the mask's area.
    """
    weights = known_weight * (1.0 - mask) + missing_weight * mask
    return tf.reduce_mean(weights * tf.abs(predicted - image))


def overlap_l2(predicted, image, mask, known_weight=1.0):
    """Mean squared error over all elements, that of known pixels times `known_weight`.

    Args:
        predicted, image: float [B, H, W, C].
        mask: float [B, H, W, 1], 1 = hole.
    Returns:
        A scalar.
    Reference: Pathak et al. 2016, section 3.2; the release has the weight in its gradient but not in the number it
        prints.
    """
    weights = mask + known_weight * (1.0 - mask)
    return tf.reduce_mean(weights * tf.square(predicted - image))


def pyramid_l1(pyramid, image):
    """Sum over levels of mean |level - image at its size|.

    Args:
        pyramid: list of float [B, h, w, C] of any sizes.
        image: float [B, H, W, C], resized bilinearly with aligned corners.
    Returns:
        A scalar.
    Reference: Zeng et al. 2019, section 3.3.
    """
    levels = [tf.reduce_mean(tf.abs(level - resize_bilinear(image, tf.shape(level)[1:3]))) for level in pyramid]
    return tf.add_n(levels)


def total_variation(completed, mask):
    """Mean |difference| of neighbouring pixels in and along each image's hole, averaged over images.

    A pair, side by side or one above the other, counts if at least one of its pixels lies in the hole: all that filling
    the hole can change.

    Args:
        completed: float [B, H, W, C], known pixels pasted back.
        mask: float [B, H, W, 1], 1 = hole; images without a hole count 0.
    Returns:
        A scalar.
    Reference: Johnson et al. 2016, section 3.2, on the region of Liu et al. 2018, section 3.3.
    Deviations: differences are absolute, as in Liu et al. Their region, the hole grown by a pixel, has pairs of known
        pixels in it, which do not depend on the network; and they divide by the size of the image, not by the number
        of pairs.
    """
    total = count = 0.0
    for axis in (1, 2):
        first, second = (_shifted(completed, axis, end) for end in (0, 1))
        pairs = tf.maximum(_shifted(mask, axis, 0), _shifted(mask, axis, 1))
        total += tf.reduce_sum(pairs * tf.reduce_mean(tf.abs(second - first), -1, keepdims=True), axis=[1, 2, 3])
        count += tf.reduce_sum(pairs, axis=[1, 2, 3])
    return tf.reduce_mean(tf.math.divide_no_nan(total, count))


def total_variation_of_region(completed, mask):
    """Sum of |difference| of neighbouring pixels in each image's grown hole, divided by the image's elements.

    A pair counts if both of its pixels lie in the hole grown by one pixel, diagonally too.

    Args:
        completed: float [B, H, W, C], known pixels pasted back.
        mask: float [B, H, W, 1], 1 = hole.
    Returns:
        A scalar, averaged over images.
    Reference: Liu et al. 2018, section 3.3.
    """
    region = tf.nn.max_pool2d(mask, 3, 1, "SAME")
    total = 0.0
    for axis in (1, 2):
        pairs = _shifted(region, axis, 0) * _shifted(region, axis, 1)
        difference = tf.abs(_shifted(completed, axis, 1) - _shifted(completed, axis, 0))
        total += tf.reduce_sum(pairs * difference, axis=[1, 2, 3])
    return tf.reduce_mean(total) / tf.cast(tf.reduce_prod(tf.shape(completed)[1:]), total.dtype)


def total_variation_of_image(completed):
    """Mean |difference| of all pixels side by side, and of all one above the other, added.

    Args:
        completed: float [B, H, W, C].
    Returns:
        A scalar.
    Reference: what a program that many compare by (naoto0804's) takes for Liu et al.'s term.
    """
    pairs = (_shifted(completed, axis, 1) - _shifted(completed, axis, 0) for axis in (1, 2))
    return tf.add_n([tf.reduce_mean(tf.abs(difference)) for difference in pairs])


def _shifted(image, axis, end):
    """All but the last (end 0) or the first (end 1) row (axis 1) or column (axis 2)."""
    kept = slice(1, None) if end else slice(None, -1)
    return image[:, kept] if axis == 1 else image[:, :, kept]


def _region_l1(predicted, image, region, weights):
    """sum over the region of weights * mean over channels of |image - predicted|, divided by the region's area."""
    error = tf.reduce_mean(tf.abs(image - predicted) * (region * weights), axis=[1, 2, 3])  # [B]
    return tf.reduce_mean(tf.math.divide_no_nan(error, tf.reduce_mean(region, axis=[1, 2, 3])))
