"""How far a completed image is from the truth. Every metric returns one number for each image.

Images are float32 [B, H, W, 3] in [-1, 1]; errors are stated on the range [0, 1], that is, halved. float64 is taken
too, and then all but SSIM, which is TensorFlow's, are computed and returned in it.
"""

from __future__ import annotations

import math

import tensorflow as tf

SSIM_LEAST_SIDE = 11  # of an image: the window
MS_SSIM_LEAST_SIDE = 161  # still a window after four halvings, rounded up
_LARGEST_PSNR = 100.0


def hole_l1(completed, image, mask):
    """Mean absolute error inside the hole, on the range [0, 1].

    sum(mask * |completed - image| / 2) / (channels * sum(mask)): over the pixels of the hole (mask 1) and all channels;
    0 for an image without a hole. Times 100 it is a percentage of the full range.

    Args:
        completed, image: float32 [B, H, W, C] in [-1, 1].
        mask: float32 [B, H, W, 1] in {0, 1}, 1 = hole.
    Returns:
        float32 [B].
    """
    return _mean_in_hole(tf.abs(completed - image) / 2.0, mask)


def psnr(completed, image):
    """Peak signal-to-noise ratio in decibels.

    -10 log10(mean(((completed - image) / 2)^2)): over the whole image, known pixels included, and all channels; at
    most 100, which is also what equal images get.

    Args:
        completed, image: float32 [B, H, W, C] in [-1, 1].
    Returns:
        float32 [B].
    """
    return _decibels(l2(completed, image))


def hole_l2(completed, image, mask):
    """Mean squared error inside the hole, on the range [0, 1].

    sum(mask * ((completed - image) / 2)^2) / (channels * sum(mask)); arguments and result as `hole_l1`.
    """
    return _mean_in_hole(tf.square((completed - image) / 2.0), mask)


def hole_psnr(completed, image, mask):
    """Peak signal-to-noise ratio of the hole alone, in decibels.

    -10 log10(hole_l2): known pixels do not count, so that it compares across holes of different sizes; at most 100.
    Arguments and result as `hole_l1`.
    """
    return _decibels(hole_l2(completed, image, mask))


def l1(completed, image):
    """Mean absolute error of the whole image, on the range [0, 1].

    mean(|completed - image| / 2): over all pixels, known ones included, and all channels; arguments and result as
    `psnr`.
    """
    return tf.reduce_mean(tf.abs(completed - image) / 2.0, axis=[1, 2, 3])


def l2(completed, image):
    """Mean squared error of the whole image, on the range [0, 1].

    mean(((completed - image) / 2)^2): over all pixels, known ones included, and all channels; arguments and result as
    `psnr`.
    """
    return tf.reduce_mean(tf.square((completed - image) / 2.0), axis=[1, 2, 3])


def relative_l1(completed, image):
    """The l1 error of DeepFill's tables: relative to the image itself.

    sum|c - t| / sum|t| with c and t on the range [0, 1], over the whole image; 0 for a black one.

    Args, Returns: as `psnr`.
    Reference: Yu et al. 2018, table 1 and 2019, table 2: "mean l1 error"; the author calls it the relative l1 error.
    Deviations: neither paper prints the formula, nor over which region and range it is taken.
    """
    error = tf.reduce_sum(tf.abs(completed - image) / 2.0, axis=[1, 2, 3])
    return tf.math.divide_no_nan(error, tf.reduce_sum(_on_unit_range(image), axis=[1, 2, 3]))


def relative_l2(completed, image):
    """The l2 error of DeepFill's tables: squared, and relative to the image itself.

    sum((c - t)^2) / sum(t^2) with c and t on the range [0, 1], over the whole image; 0 for a black one.

    Args, Returns: as `psnr`.
    Reference, Deviations: as `relative_l1`; the author calls it the squared relative l2 error.
    """
    error = tf.reduce_sum(tf.square((completed - image) / 2.0), axis=[1, 2, 3])
    return tf.math.divide_no_nan(error, tf.reduce_sum(tf.square(_on_unit_range(image)), axis=[1, 2, 3]))


def symmetric_l1(completed, image):
    """The MAE of PEN-Net's tables: an l1 error relative to both images.

    sum|c - t| / sum(c + t) with c and t on the range [0, 1], over the whole image; 0 where both are black.

    Args, Returns: as `psnr`.
    Reference: Zeng et al. 2019, section 4; the formula is the one usual in that line of work, which the paper does not
        print.
    """
    error = tf.reduce_sum(tf.abs(completed - image) / 2.0, axis=[1, 2, 3])
    both = tf.reduce_sum(_on_unit_range(completed) + _on_unit_range(image), axis=[1, 2, 3])
    return tf.math.divide_no_nan(error, both)


def total_variation(completed):
    """How much an image changes from pixel to pixel, on the range [0, 1]; it knows no truth.

    (sum|c[y+1, x] - c[y, x]| + sum|c[y, x+1] - c[y, x]|) / (height * width * channels), over the whole image. Near
    that of the truth is good; less is blurred.

    Args:
        completed: float32 [B, H, W, C] in [-1, 1].
    Returns:
        float32 [B].
    Reference: Yu et al. 2018, table 1: "TV loss", a percentage.
    Deviations: the paper does not say what the sum is divided by.
    """
    pixels = tf.cast(tf.reduce_prod(tf.shape(completed)[1:]), completed.dtype)
    return tf.image.total_variation(_on_unit_range(completed)) / pixels


def ssim(completed, image):
    """Structural similarity, TensorFlow's `tf.image.ssim`.

    The mean of Wang's index on the range [0, 1], K1 0.01, K2 0.03, in Gaussian windows of 11 x 11 pixels, sigma 1.5,
    that lie inside the image; over all windows of the whole image and all channels. 1 is equality.

    Args:
        completed, image: float32 [B, H, W, C] in [-1, 1], no side below 11.
    Returns:
        float32 [B].
    Reference: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity".
    Deviations: TensorFlow computes in float32, which shows in the fifth digit after the point.
    """
    return tf.image.ssim(_on_unit_range(completed), _on_unit_range(image), max_val=1.0)


def ms_ssim(completed, image):
    """Structural similarity at five scales, TensorFlow's `tf.image.ssim_multiscale`.

    The product of contrast and structure at five scales, each half of the one before, and the whole index at the
    coarsest, with exponents 0.0448, 0.2856, 0.3001, 0.2363, 0.1333; windows as in `ssim`; the whole image.

    Args:
        completed, image: float32 [B, H, W, C] in [-1, 1], no side below 161.
    Returns:
        float32 [B].
    Reference: Wang et al. 2003, "Multiscale structural similarity for image quality assessment".
    """
    return tf.image.ssim_multiscale(_on_unit_range(completed), _on_unit_range(image), max_val=1.0)


def _on_unit_range(image):
    return (image + 1.0) / 2.0


def _mean_in_hole(error, mask):
    error = tf.reduce_mean(error, axis=-1, keepdims=True)  # [B, H, W, 1]
    return tf.math.divide_no_nan(tf.reduce_sum(mask * error, axis=[1, 2, 3]), tf.reduce_sum(mask, axis=[1, 2, 3]))


def _decibels(error):
    return -10.0 * tf.math.log(tf.maximum(error, 10.0 ** (-_LARGEST_PSNR / 10.0))) / math.log(10.0)
