"""How far a completed image is from the truth. Every metric returns one number for each image: float [B].

Images are float32 [B, H, W, C] in [-1, 1], RGB; a mask is [B, H, W, 1], 1 = hole. Errors are stated on the range
[0, 1], that is, halved; below, c is the completed image and t the truth on that range. Means and sums go over all
channels and the whole image, known pixels included, but for the metrics called after the hole. float64 is taken too,
and then all but SSIM, which is TensorFlow's, are computed and returned in it.
"""

from __future__ import annotations

import math

import tensorflow as tf

SSIM_LEAST_SIDE = 11  # of an image: the window
MS_SSIM_LEAST_SIDE = 161  # still a window after four halvings, rounded up
_LARGEST_PSNR = 100.0
_SUMMED = [1, 2, 3]  # rows, columns and channels


def hole_l1(completed, image, mask):
    """Mean absolute error inside the hole: sum(mask * |c - t|) / (channels * sum(mask)).

    0 for an image without a hole. Times 100 it is a percentage of the full range.
    """
    return _mean_in_hole(_absolute(completed, image), mask)


def hole_l2(completed, image, mask):
    """Mean squared error inside the hole: sum(mask * (c - t)^2) / (channels * sum(mask)); 0 without a hole."""
    return _mean_in_hole(_squared(completed, image), mask)


def hole_psnr(completed, image, mask):
    """Peak signal-to-noise ratio of the hole alone, in decibels: -10 log10(hole_l2), at most 100.

    Known pixels do not count, so that it compares across holes of different sizes.
    """
    return _decibels(hole_l2(completed, image, mask))


def psnr(completed, image):
    """Peak signal-to-noise ratio in decibels: -10 log10(l2), at most 100, which is also what equal images get."""
    return _decibels(l2(completed, image))


def l1(completed, image):
    """Mean absolute error: mean|c - t|."""
    return tf.reduce_mean(_absolute(completed, image), axis=_SUMMED)


def l2(completed, image):
    """Mean squared error: mean (c - t)^2."""
    return tf.reduce_mean(_squared(completed, image), axis=_SUMMED)


def relative_l1(completed, image):
    """The l1 error of DeepFill's tables, relative to the image itself: sum|c - t| / sum|t|; 0 for a black one.

    Reference: Yu et al. 2018, table 1 and 2019, table 2: "mean l1 error"; the author calls it the relative l1 error.
    Deviations: neither paper prints the formula, nor over which region and range it is taken.
    """
    return _ratio(_absolute(completed, image), _on_unit_range(image))


def relative_l2(completed, image):
    """The l2 error of DeepFill's tables, relative to the image itself: sum (c - t)^2 / sum t^2; 0 for a black one.

    Reference, Deviations: as `relative_l1`; the author calls it the squared relative l2 error.
    """
    return _ratio(_squared(completed, image), tf.square(_on_unit_range(image)))


def symmetric_l1(completed, image):
    """The MAE of PEN-Net's tables, relative to both images: sum|c - t| / sum(c + t); 0 where both are black.

    Reference: Zeng et al. 2019, section 4; the formula is the one usual in that line of work, which the paper does not
        print.
    """
    return _ratio(_absolute(completed, image), _on_unit_range(completed) + _on_unit_range(image))


def total_variation(completed):
    """How much an image changes from pixel to pixel; it knows no truth.

    Near that of the truth is good; less is blurred.
    (sum|c[y+1, x] - c[y, x]| + sum|c[y, x+1] - c[y, x]|) / (height * width * channels).

    Reference: Yu et al. 2018, table 1: "TV loss", a percentage.
    Deviations: the paper does not say what the sum is divided by.
    """
    pixels = tf.cast(tf.reduce_prod(tf.shape(completed)[1:]), completed.dtype)
    return tf.image.total_variation(_on_unit_range(completed)) / pixels


def seam(completed, image, mask):
    """How much more an image steps across the border of the hole than the truth does.

    mean|c[p] - c[q]| - mean|t[p] - t[q]| over all pairs of neighbours p, q, one above or beside the other, of which one
    is known and the other in the hole. 0 is the truth's own; more is a visible edge, less a border smoother than the
    truth. 0 without a hole.
    """
    total = pairs = 0.0
    for axis in (1, 2):
        border = tf.abs(_differences(mask, axis))  # 1 where a known pixel and one of the hole meet
        steps = (tf.abs(_differences(one, axis)) / 2.0 for one in (completed, image))
        ours, truth = (tf.reduce_mean(step, axis=-1, keepdims=True) for step in steps)
        total += tf.reduce_sum(border * (ours - truth), axis=_SUMMED)
        pairs += tf.reduce_sum(border, axis=_SUMMED)
    return tf.math.divide_no_nan(total, pairs)


def ssim(completed, image):
    """Structural similarity, TensorFlow's `tf.image.ssim`, of images with no side below 11; 1 is equality.

    The mean of Wang's index, K1 0.01, K2 0.03, over all Gaussian windows of 11 x 11 pixels, sigma 1.5, that lie inside
    the image, and all channels.

    Reference: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity".
    Deviations: TensorFlow computes in float32, which shows in the fifth digit after the point.
    """
    return tf.image.ssim(_on_unit_range(completed), _on_unit_range(image), max_val=1.0)


def ms_ssim(completed, image):
    """Structural similarity at five scales, TensorFlow's `tf.image.ssim_multiscale`, of images with no side below 161.

    The product of contrast and structure at five scales, each half of the one before, and the whole index at the
    coarsest, with exponents 0.0448, 0.2856, 0.3001, 0.2363, 0.1333; windows as in `ssim`.

    Reference: Wang et al. 2003, "Multiscale structural similarity for image quality assessment".
    """
    return tf.image.ssim_multiscale(_on_unit_range(completed), _on_unit_range(image), max_val=1.0)


def _differences(image, axis):
    """Between neighbours in rows (1) or columns (2)."""
    return image[:, 1:] - image[:, :-1] if axis == 1 else image[:, :, 1:] - image[:, :, :-1]


def _absolute(completed, image):
    return tf.abs(completed - image) / 2.0


def _squared(completed, image):
    return tf.square((completed - image) / 2.0)


def _on_unit_range(image):
    return (image + 1.0) / 2.0


def _ratio(error, total):
    return tf.math.divide_no_nan(tf.reduce_sum(error, axis=_SUMMED), tf.reduce_sum(total, axis=_SUMMED))


def _mean_in_hole(error, mask):
    return _ratio(mask * tf.reduce_mean(error, axis=-1, keepdims=True), mask)  # [B, H, W, 1] each


def _decibels(error):
    return -10.0 * tf.math.log(tf.maximum(error, 10.0 ** (-_LARGEST_PSNR / 10.0))) / math.log(10.0)
