import numpy as np
import pytest
import tensorflow as tf
from small_recipes import make_inputs

from tf_inpaint.models import DeepFillV1Discriminator, DeepFillV1Generator, DeepFillV2Generator
from tf_inpaint.models.weights import named_weights


@pytest.fixture(scope="module")
def generator():
    return DeepFillV1Generator(width=4)


def test_the_refinement_trains_the_coarse_network_too(generator):
    images, masks = make_inputs(1, 64, 64)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(generator((images, masks))["refined"] ** 2)
    gradients = tape.gradient(loss, generator.trainable_variables)
    assert all(gradient is not None for gradient in gradients)
    assert len(gradients) == 84


def test_coarse_only_is_the_first_stage(generator):
    batch = make_inputs(1, 64, 64)
    np.testing.assert_allclose(generator.coarse_only(batch), generator(batch)["coarse"], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("make", [DeepFillV1Generator, DeepFillV2Generator])
@pytest.mark.parametrize("padding, minimum", [("SAME", 8), ("SYMMETRIC", 64), ("REFLECT", 72)])
def test_minimum_size_works_and_is_minimal(make, padding, minimum):
    generator = make(width=4, padding=padding)
    assert generator.minimum_size == minimum
    assert np.isfinite(generator(make_inputs(1, minimum, minimum))["refined"]).all()
    if padding != "SAME":
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
            make(width=4, padding=padding)(make_inputs(1, minimum - 8, minimum - 8))


def test_scores_of_both_critics():
    critics = DeepFillV1Discriminator(width=4)
    scores = critics((tf.random.normal([2, 64, 64, 3]), tf.random.normal([2, 32, 32, 3])))
    assert {name: tuple(score.shape) for name, score in scores.items()} == {"global": (2, 1), "local": (2, 1)}


def test_weights_of_an_unbuilt_model_have_no_names():
    with pytest.raises(ValueError, match="`model` must be built"):
        named_weights(DeepFillV1Generator(width=4))


@pytest.mark.parametrize("attention", ["spatial_transformer", "appearance_flow"])
def test_what_takes_attentions_place_starts_as_no_attention(attention):
    """And adds its own weights to the 84, nothing else."""
    batch = make_inputs(2, 64, 72)
    other, none = DeepFillV1Generator(width=4, attention=attention), DeepFillV1Generator(width=4, attention="none")
    outputs, without = other(batch), none(batch)
    names = named_weights(other)
    assert "offsets" not in without and outputs["offsets"].shape == (2, 16, 18, 2)
    assert {name for name in names if not name.startswith("refinement.attention.")} == set(named_weights(none))
    for name, weight in named_weights(none).items():
        weight.assign(names[name])
    np.testing.assert_allclose(outputs["refined"], none(batch)["refined"], atol=1e-6)


def test_unknown_attention_is_named():
    with pytest.raises(ValueError, match="`attention` must be one of contextual, .*none. Received: True"):
        DeepFillV1Generator(width=4, attention=True)


@pytest.fixture(scope="module", params=["contextual", "appearance_flow", "none"])
def partial_generator(request):
    generator = DeepFillV1Generator(width=4, attention=request.param, convolution="partial")
    generator(make_inputs(1, 64, 64))
    return generator


def test_partial_convolutions_have_the_weights_of_plain_ones_and_do_not_read_holes(partial_generator, generator):
    image, mask = make_inputs(2, 64, 64)
    plain = {name: weight.shape for name, weight in named_weights(generator).items()}
    own = {name: weight.shape for name, weight in named_weights(partial_generator).items()}
    assert {name: shape for name, shape in own.items() if ".attention." not in name} == plain
    outputs, other = partial_generator((image, mask)), partial_generator((image + 7 * mask, mask))
    for name in outputs:
        np.testing.assert_array_equal(outputs[name], other[name])


def test_partial_convolutions_of_pictures_without_a_hole_are_plain_ones(partial_generator):
    image, _ = make_inputs(1, 64, 64)
    plain = DeepFillV1Generator(width=4, attention=partial_generator.attends_by)
    plain((image, image[..., :1]))
    for name, weight in named_weights(plain).items():
        weight.assign(named_weights(partial_generator)[name])
    no_hole = tf.zeros([1, 64, 64, 1])
    for name in ("coarse", "refined"):
        np.testing.assert_allclose(
            partial_generator((image, no_hole))[name], plain((image, no_hole))[name], atol=1e-5, err_msg=name
        )


def test_partial_convolutions_keep_pictures_apart_and_have_finite_gradients(partial_generator):
    image, mask = make_inputs(3, 64, 64)
    mask = tf.concat([mask[:2], tf.ones_like(mask[2:])], axis=0)  # of the last one nothing is known
    with tf.GradientTape() as tape:
        outputs = partial_generator((image, mask))
        loss = tf.reduce_mean(outputs["refined"] ** 2) + tf.reduce_mean(outputs["coarse"] ** 2)
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, partial_generator.trainable_variables))
    for i in range(3):
        alone = partial_generator((image[i : i + 1], mask[i : i + 1]))
        np.testing.assert_allclose(outputs["refined"][i], alone["refined"][0], atol=1e-5)
    assert not np.any(outputs["coarse"][2])  # its biases are 0 yet


def test_the_hole_closes_from_layer_to_layer():
    generator = DeepFillV1Generator(width=4, convolution="partial")
    image, mask = make_inputs(2, 64, 64)
    generator((image, mask))
    planes = tf.concat([image, mask, mask], axis=-1)
    first = generator.coarse.conv1((planes, mask))[1]
    assert np.array_equal(first[0, :, :, 0], np.pad(np.ones([20, 20], "f"), [(10, 34), (18, 26)]))  # 2 from each side
    unknown = generator.coarse((planes, mask))[1]
    assert unknown.shape == mask.shape and not np.any(unknown)
    assert np.all(generator.coarse((planes, tf.ones_like(mask)))[1] == 1)
