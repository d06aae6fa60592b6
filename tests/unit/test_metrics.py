import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint import metrics


def test_hole_l1_is_the_mean_error_inside_the_hole_on_the_unit_range():
    image = np.zeros([2, 4, 4, 3], np.float32)
    completed, mask = image.copy(), np.zeros([2, 4, 4, 1], np.float32)
    mask[0, :2] = 1.0
    completed[0, 0] = 0.5  # half of the hole is off by 0.25 of the range
    completed[0, 3] = 1.0  # outside the hole
    assert metrics.hole_l1(completed, image, mask).numpy() == pytest.approx([0.125, 0.0])


def test_psnr_by_hand_and_as_tensorflow_has_it():
    generator = np.random.default_rng(0)
    image, completed = (generator.uniform(-1, 1, [3, 8, 8, 3]).astype(np.float32) for _ in range(2))
    expected = tf.image.psnr((completed + 1) / 2, (image + 1) / 2, max_val=1.0)
    np.testing.assert_allclose(metrics.psnr(completed, image), expected, rtol=1e-5)
    assert metrics.psnr(tf.fill([1, 2, 2, 3], 0.2), tf.zeros([1, 2, 2, 3])).numpy() == pytest.approx([20.0], rel=1e-5)


def test_psnr_of_equal_images_is_a_hundred():
    image = tf.zeros([1, 4, 4, 3])
    assert metrics.psnr(image, image).numpy() == pytest.approx([100.0])


# Two pixels of one channel, on the range [0, 1]: truth 0.5 and 0.25, completed 0.75 and 0.25; the first is the hole.
TRUTH = tf.constant([[[[0.0], [-0.5]]]])
COMPLETED = tf.constant([[[[0.5], [-0.5]]]])
MASK = tf.constant([[[[1.0], [0.0]]]])


@pytest.mark.parametrize(
    "metric, expected",
    [
        (metrics.hole_l1, 0.25),
        (metrics.hole_l2, 0.0625),
        (metrics.hole_psnr, -10 * np.log10(0.0625)),
        (metrics.l1, 0.125),
        (metrics.l2, 0.03125),
        (metrics.psnr, -10 * np.log10(0.03125)),
        (metrics.relative_l1, 0.25 / 0.75),
        (metrics.relative_l2, 0.0625 / (0.25 + 0.0625)),
        (metrics.symmetric_l1, 0.25 / (0.75 + 1.0)),
    ],
)
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_two_pixels_by_hand(metric, expected, dtype):
    arrays = [tf.cast(array, dtype) for array in (COMPLETED, TRUTH, MASK)]
    value = metric(*(arrays if metric.__name__.startswith("hole") else arrays[:2]))
    assert value.dtype == dtype and value.numpy() == pytest.approx([expected], rel=1e-6)


def test_total_variation_by_hand():
    completed = tf.constant([[[[-1.0], [0.0]], [[1.0], [1.0]]]])  # 0 and 0.5 above 1 and 1, on the range [0, 1]
    assert metrics.total_variation(completed).numpy() == pytest.approx([(1.0 + 0.5 + 0.5 + 0.0) / 4])


def test_relative_errors_of_a_black_image_are_nothing():
    black = -tf.ones([1, 2, 2, 3])
    for metric in (metrics.relative_l1, metrics.relative_l2, metrics.symmetric_l1):
        assert metric(black, black).numpy() == pytest.approx([0.0])


def _pair(side, noise, seed=0):
    """A smooth uint8 image, and the same with noise: [side, side, 3]."""
    generator = np.random.default_rng(seed)
    wave = np.sin(np.arange(side)[:, None, None] / 9 + np.arange(3)) * np.cos(np.arange(side)[:, None] / 7)
    image = 128 + 90 * wave
    noisy = image + noise * generator.standard_normal(image.shape)
    return [np.clip(np.rint(values), 0, 255).astype(np.uint8) for values in (noisy, image)]


def _scaled(image):
    return tf.constant(image[np.newaxis] / 127.5 - 1.0)


@pytest.mark.parametrize("noise", [2, 25])
def test_psnr_and_ssim_are_those_of_scikit_image(noise):
    skimage = pytest.importorskip("skimage.metrics")
    noisy, image = _pair(48, noise)
    psnr = skimage.peak_signal_noise_ratio(image, noisy, data_range=255)
    assert metrics.psnr(_scaled(noisy), _scaled(image)).numpy() == pytest.approx([psnr], abs=1e-9)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    ssim = skimage.structural_similarity(image, noisy, channel_axis=2, **options)
    assert metrics.ssim(_scaled(noisy), _scaled(image)).numpy() == pytest.approx([ssim], abs=2e-5)  # float32


def test_ms_ssim_is_the_product_of_five_scales():
    noisy, image = (levels / 255.0 for levels in _pair(metrics.MS_SSIM_LEAST_SIDE, 25))
    window = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2

    def blur(plane):
        return np.einsum("yxij,ij->yx", np.lib.stride_tricks.sliding_window_view(plane, (11, 11)), window)

    def halved(plane):
        plane = np.pad(plane, [(0, side % 2) for side in plane.shape], mode="symmetric")
        return plane.reshape(plane.shape[0] // 2, 2, plane.shape[1] // 2, 2).mean(axis=(1, 3))

    products = []
    for channel in range(3):
        a, b, product = noisy[..., channel], image[..., channel], 1.0
        for scale, exponent in enumerate([0.0448, 0.2856, 0.3001, 0.2363, 0.1333]):
            means, squares = blur(a) * blur(b), blur(a) ** 2 + blur(b) ** 2
            contrast = (2 * (blur(a * b) - means) + 0.03**2) / (blur(a * a) + blur(b * b) - squares + 0.03**2)
            luminance = (2 * means + 0.01**2) / (squares + 0.01**2)
            product *= (contrast * luminance if scale == 4 else contrast).mean() ** exponent
            a, b = halved(a), halved(b)
        products.append(product)
    value = metrics.ms_ssim(*(tf.constant(unit[np.newaxis] * 2.0 - 1.0) for unit in (noisy, image)))
    assert value.numpy() == pytest.approx([np.mean(products)], abs=1e-5)


def test_seam_by_hand():
    mask = np.zeros((1, 2, 3, 1))
    mask[0, :, 2] = 1.0  # the last column: two pairs across its border
    image = np.zeros((1, 2, 3, 3))
    image[0, :, 2] = 0.2  # steps of 0.1 on the range [0, 1]
    completed = image.copy()
    completed[0, 0, 2], completed[0, 1, 2] = 1.0, 0.0  # steps of 0.5 and 0
    np.testing.assert_allclose(metrics.seam(completed, image, mask), [(0.5 + 0.0) / 2 - 0.1], atol=1e-12)
    np.testing.assert_allclose(metrics.seam(image, image, mask), [0.0])
    np.testing.assert_allclose(metrics.seam(completed, image, np.zeros_like(mask)), [0.0])
