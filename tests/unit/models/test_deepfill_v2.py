import numpy as np
import pytest
import tensorflow as tf
from small_recipes import make_inputs

from tf_inpaint.models import DeepFillV2Discriminator, DeepFillV2Generator
from tf_inpaint.models.weights import named_weights


@pytest.fixture(scope="module")
def generator():
    return DeepFillV2Generator(width=8)


@pytest.fixture(scope="module")
def guided():
    """With a gain that lets edges survive a dozen untrained gates."""
    generator, plane = DeepFillV2Generator(width=8, guided=True), tf.zeros([1, 64, 64, 1])
    generator((tf.zeros([1, 64, 64, 3]), plane, plane))
    for name, weight in named_weights(generator).items():
        if name.endswith("kernel"):
            weight.assign(2.5 * weight)
    return generator


def _edges(height, width, row):
    edges = np.zeros([1, height, width, 1], np.float32)
    edges[:, row] = 1
    return tf.constant(edges)


def test_only_the_sketch_inside_the_hole_is_read(guided):
    holed = make_inputs(1, 64, 64)  # rows 8 to 31
    sketches = [0 * holed[1], _edges(64, 64, row=20), _edges(64, 64, row=50)]
    empty, inside, outside = (guided((*holed, edges))["coarse"] for edges in sketches)
    assert np.abs(inside - empty).max() > 1e-3
    np.testing.assert_array_equal(outside, empty)


def test_a_sketch_is_taken_by_guided_models_only_and_without_one_they_take_an_empty_one(generator, guided):
    holed = make_inputs(1, 64, 64)
    with pytest.raises(ValueError, match=r"\(masked_image, mask\). Received: 3 tensors"):
        generator((*holed, holed[1]))
    with pytest.raises(ValueError, match=r"\(masked_image, mask\[, edges\]\). Received: 4 tensors"):
        guided((*holed, holed[1], holed[1]))
    without, empty = (guided(inputs)["predicted"] for inputs in (holed, (*holed, 0 * holed[1])))
    np.testing.assert_array_equal(without, empty)


@pytest.mark.parametrize("height, width, scores", [(64, 64, 1 * 1), (100, 72, 2 * 2), (128, 192, 2 * 3)])
def test_a_score_for_every_place_and_channel(height, width, scores):
    critic = DeepFillV2Discriminator(width=2)
    assert critic(tf.random.normal([2, height, width, 4])).shape == (2, scores * 8)


def test_training_moves_every_layer_s_u_on_and_inference_none():
    critic, inputs = DeepFillV2Discriminator(width=2), tf.random.normal([1, 64, 64, 4])
    critic(inputs)
    state = {name: weight for name, weight in named_weights(critic).items() if name.endswith(".u")}
    assert len(state) == 6
    before = {name: u.numpy() for name, u in state.items()}
    critic(inputs)
    assert all(np.array_equal(u, before[name]) for name, u in state.items())
    critic(inputs, training=True)
    after = {name: u.numpy() for name, u in state.items()}
    assert all(not np.array_equal(after[name], before[name]) for name in state)
    for name, u in state.items():
        u.assign(before[name])
    critic.advance()
    assert all(np.array_equal(u, after[name]) for name, u in state.items())


@pytest.mark.parametrize("convolution", ["plain", "partial"])
def test_other_convolutions_hand_on_all_their_filters(convolution):
    """At 2/3 of the gated width there are about as many weights (those of v1 but for the second stage's input)."""
    batch = make_inputs(2, 64, 64)
    generator = DeepFillV2Generator(width=4, convolution=convolution)
    with tf.GradientTape() as tape:
        outputs = generator(batch)
        loss = tf.reduce_mean(outputs["refined"] ** 2) + tf.reduce_mean(outputs["coarse"] ** 2)
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, generator.trainable_variables))
    names = named_weights(generator)
    assert len(names) == 84 and names["coarse.conv2_downsample.kernel"].shape == (3, 3, 4, 8)
    image, mask = batch
    refined = generator((image + 7 * mask, mask))["refined"]
    assert (np.abs(refined - outputs["refined"]).max() == 0) == (convolution == "partial")


def test_skip_connections_bring_the_encoders_maps_to_the_decoders_scales(generator):
    """Half of a gated layer's filters are handed on: 8 of conv13 and conv3, 4 of conv15 and conv1."""
    skipping, inputs = DeepFillV2Generator(width=8, skips=True), make_inputs(1, 64, 64)
    _, outputs = generator(inputs), skipping(inputs)
    plain, weights = ({name: tuple(w.shape) for name, w in named_weights(net).items()} for net in (generator, skipping))
    wider = {name: (plain[name][2], weights[name][2]) for name in plain if plain[name] != weights[name]}
    assert wider == {
        f"{stage}.{layer}.kernel": (channels, 2 * channels)
        for stage, conv in (("coarse", "conv"), ("refinement", "allconv"))
        for layer, channels in ((f"{conv}14", 8), (f"{conv}16", 4))
    }
    np.testing.assert_array_equal(skipping.fill(inputs)["predicted"], outputs["predicted"])
