import numpy as np
import tensorflow as tf

from tf_inpaint.ops.masks.blobs import blobs


def _many(samples, **options):
    draw = tf.function(lambda seed: blobs(seed, 64, 96, **options), input_signature=[tf.TensorSpec([2], tf.int32)])
    return np.stack([draw([1, i])[..., 0] for i in range(samples)])


def test_blobs_have_about_the_area_of_their_circles():
    masks = _many(200, count=(1, 1), radius=(0.2, 0.2))
    whole = ~(masks[:, [0, -1]].any((1, 2)) | masks[:, :, [0, -1]].any((1, 2)))  # not cut by the picture's edge
    areas = masks[whole].sum((1, 2)) / (np.pi * (0.2 * 64) ** 2)
    assert len(areas) > 30 and 0.9 < areas.mean() < 1.4 and areas.std() > 0.01


def test_more_blobs_cover_more():
    assert 1.5 * _many(60, count=(1, 1)).mean() < _many(60, count=(4, 4)).mean()


def test_never_empty_even_if_tiny():
    assert _many(50, radius=(1e-3, 2e-3)).any((1, 2)).all()
