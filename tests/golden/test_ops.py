"""Single operations against the original programs' arrays (ops.npz)."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.layers import GatedConv2D, GatedUpsampleConv2D, MirrorConv2D, SpectralConv2D, UpsampleConv2D
from tf_inpaint.layers.activations import leaky_relu
from tf_inpaint.layers.spectral_norm import spectral_norm
from tf_inpaint.losses import adversarial
from tf_inpaint.ops import discount, flow, images
from tf_inpaint.ops.boxes import crop_boxes


@pytest.fixture(scope="module")
def ops(arrays):
    return arrays("ops")


def test_nearest_resizing_takes_the_same_source_pixels(ops):
    cases = ops.under("nearest_index/")
    assert len(cases) >= 17
    for name, expected in cases.items():
        source, target = map(int, name.split("_to_"))
        row = tf.reshape(tf.range(source, dtype=tf.float32), [1, source, 1, 1])
        np.testing.assert_array_equal(images.resize_nearest(row, (target, 1))[0, :, 0, 0], expected, err_msg=name)


@pytest.mark.parametrize("case", ["0", "1", "2"])
def test_resizing(ops, case):
    x = ops[f"resize/{case}/x"]
    height, width = x.shape[1:3]
    down = (int(height * 0.5), int(width * 0.5))
    np.testing.assert_array_equal(images.enlarge_twice(tf.constant(x)), ops[f"resize/{case}/up2"])
    sizes = {"up2": (2 * height, 2 * width), "down_half": down, "to_24x10": (24, 10), "to_40x9": (40, 9)}
    for name, size in sizes.items():
        np.testing.assert_array_equal(images.resize_nearest(x, size), ops[f"resize/{case}/{name}"], err_msg=name)
    for scale in (2, 4):
        enlarged = images.resize_bilinear(x, (scale * height, scale * width))
        np.testing.assert_allclose(enlarged, ops[f"resize/{case}/bilinear_up{scale}"], atol=1e-6)


def test_mask_shrinks_to_a_quarter(ops):
    shrunk = images.resize_nearest(ops["resize_mask_like/mask"], ops["resize_mask_like/y"].shape[1:3])
    np.testing.assert_array_equal(shrunk, ops["resize_mask_like/y"])


def test_spatial_discounting(ops):
    cases = ops.under("spatial_discounting_mask/")
    assert cases
    for name, expected in cases.items():
        size, gamma = name.split("_g")
        weights = discount.box_discount(*map(int, size.split("x")), float(gamma))
        np.testing.assert_allclose(weights, expected, atol=1e-7, err_msg=name)


def _check_convolution(ops, case, layer):
    x, kernel, bias = (ops[f"{case}/{name}"] for name in ("x", "kernel", "bias"))
    layer.build(x.shape)
    layer.set_weights([kernel, bias])
    np.testing.assert_allclose(layer(x), ops[f"{case}/y"], atol=2e-6)  # values reach 2


@pytest.mark.parametrize("of_release, layer", [("gen_conv_v1", MirrorConv2D), ("gen_conv_v2", GatedConv2D)])
@pytest.mark.parametrize("padding", ["SAME", "SYMMETRIC"])
@pytest.mark.parametrize(
    "case, options",
    [
        ("k5s1", dict(kernel_size=5)),
        ("k3s2", dict(strides=2)),
        ("k3r2", dict(dilation=2)),
        ("k3r4", dict(dilation=4)),
        ("k3r8", dict(dilation=8)),
    ],
)
def test_convolutions_of_generators(ops, case, options, padding, of_release, layer):
    _check_convolution(ops, f"{of_release}/{case}_{padding}", layer(8, padding=padding, **options))


def test_gated_convolution_with_relu(ops):
    _check_convolution(ops, "gen_conv_v2/relu", GatedConv2D(8, activation="relu", padding="SAME"))


@pytest.mark.parametrize("padding", ["SAME", "SYMMETRIC"])
def test_gated_upsampling_convolution(ops, padding):
    _check_convolution(ops, f"gen_deconv_v2/{padding}", GatedUpsampleConv2D(8, padding=padding))


def test_spectral_convolution(ops):
    x, kernel, bias, u = (ops[f"dis_conv_v2/{name}"] for name in ("x", "kernel", "bias", "u"))
    layer = SpectralConv2D(8, 5, strides=2, activation=leaky_relu, padding="SAME")
    layer.build(x.shape)
    layer.kernel.assign(kernel)
    layer.bias.assign(bias)
    layer.u.assign(u)
    np.testing.assert_allclose(layer(x), ops["dis_conv_v2/y_first"], atol=1e-6)
    for pass_ in ("first", "second"):
        np.testing.assert_allclose(layer(x, training=True), ops[f"dis_conv_v2/y_{pass_}"], atol=1e-6)
        np.testing.assert_allclose(layer.u, ops[f"dis_conv_v2/u_after_{pass_}"], atol=1e-6)
    np.testing.assert_array_equal(layer.kernel, kernel)


@pytest.mark.parametrize("case", ["0", "1"])
def test_spectral_norm(ops, case):
    kernel, u, cotangent = (tf.constant(ops[f"kernel_spectral_norm/{case}/{x}"]) for x in ("kernel", "u", "cotangent"))
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        sigma, u_after = spectral_norm(kernel, u)
        normalised = kernel / sigma
    np.testing.assert_allclose(normalised, ops[f"kernel_spectral_norm/{case}/normalised"], atol=1e-6)
    np.testing.assert_allclose(u_after, ops[f"kernel_spectral_norm/{case}/u_after"], atol=1e-6)
    gradient = tape.gradient(normalised, kernel, cotangent)
    np.testing.assert_allclose(gradient, ops[f"kernel_spectral_norm/{case}/grad_kernel"], atol=1e-5)


def test_output_convolution(ops):
    _check_convolution(ops, "gen_conv_v1/output", MirrorConv2D(3, activation=None, padding="SAME"))


@pytest.mark.parametrize("padding", ["SAME", "SYMMETRIC"])
def test_upsampling_convolution(ops, padding):
    _check_convolution(ops, f"gen_deconv_v1/{padding}", UpsampleConv2D(8, padding=padding))


def test_critic_convolution(ops):
    _check_convolution(ops, "dis_conv_v1", MirrorConv2D(8, 5, strides=2, activation=leaky_relu, padding="SAME"))


@pytest.mark.parametrize("case", ["0", "1", "zero"])
def test_flow_colours(ops, case):
    colours = flow.flow_to_image(ops[f"flow_to_image/{case}/flow"], cumulative=True)
    np.testing.assert_allclose(colours, ops[f"flow_to_image/{case}/image"], atol=1e-6)


def test_wasserstein_losses(ops):
    real, fake = ops["gan/pos"], ops["gan/neg"]
    np.testing.assert_allclose(adversarial.wasserstein_discriminator_loss(real, fake), ops["gan/wgan_d"], rtol=1e-6)
    np.testing.assert_allclose(adversarial.wasserstein_generator_loss(fake), ops["gan/wgan_g"], rtol=1e-6)


def test_hinge_losses(ops):
    real, fake = ops["gan/pos"], ops["gan/neg"]
    np.testing.assert_allclose(adversarial.hinge_discriminator_loss(real, fake), ops["gan/hinge_d"], rtol=1e-6)
    np.testing.assert_allclose(adversarial.hinge_generator_loss(fake), ops["gan/hinge_g"], rtol=1e-6)


def test_gradient_penalty(ops):
    points = adversarial.interpolate(tf.constant(ops["penalty/x"]), ops["penalty/y"], ops["penalty/alpha"][:, 0])
    np.testing.assert_allclose(points, ops["penalty/interpolates"], atol=1e-6)

    def critic(x):
        return tf.reshape(tf.square(x), [x.shape[0], -1]) @ ops["penalty/critic_weights"]

    masked = adversarial.gradient_penalty(critic, points, ops["penalty/mask"])
    np.testing.assert_allclose(masked, ops["penalty/penalty_masked"], rtol=1e-6)
    unmasked = adversarial.gradient_penalty(critic, points)
    np.testing.assert_allclose(unmasked, ops["penalty/penalty_unmasked"], rtol=1e-6)


def test_local_patch(ops):
    top, left, height, width = ops["local_patch/bbox"]
    x = tf.constant(ops["local_patch/x"])
    position = tf.tile([[top, left]], [x.shape[0], 1])
    np.testing.assert_array_equal(crop_boxes(x, position, height, width), ops["local_patch/y"])
