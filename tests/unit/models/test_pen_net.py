import numpy as np
import pytest
import tensorflow as tf
from small_recipes import make_inputs

from tf_inpaint.models import PENNetDiscriminator, PENNetGenerator
from tf_inpaint.models.weights import named_weights


def test_the_pyramid_halves_from_level_to_level():
    pyramid = PENNetGenerator(width=4)(make_inputs(2, 64, 128))["pyramid"]
    assert [tuple(level.shape) for level in pyramid] == [(2, 64 // 2**k, 128 // 2**k, 3) for k in range(1, 6)]


def test_without_attention_the_decoder_sees_the_encoders_levels():
    inputs = make_inputs(2, 64, 128)
    generator, attentive = PENNetGenerator(width=4, attention="none"), PENNetGenerator(width=4)
    outputs, others = generator(inputs), attentive(inputs)
    assert generator.attention is None and set(others) - set(outputs) == {"offsets"}
    assert generator.returned == ("predicted", "pyramid")
    names = set(named_weights(generator))
    assert {name for name in named_weights(attentive) if "at_conv" not in name} == names
    weights = {name: weight.numpy() for name, weight in named_weights(attentive).items()}
    for name, weight in named_weights(generator).items():
        weight.assign(weights[name])
    for found, other in zip(generator(inputs)["pyramid"], others["pyramid"]):  # the same weights, other features
        assert not np.array_equal(found, other)
    with pytest.raises(ValueError, match="`attention` must be one of transfer, none. Received: 'some'"):
        PENNetGenerator(attention="some")


def test_scores_and_state():
    critic, pictures = PENNetDiscriminator(width=4), tf.random.normal([2, 64, 64, 3])
    scores = critic(pictures)
    assert scores.shape == (2, 3, 3, 1)
    state = {name: weight for name, weight in named_weights(critic).items() if not weight.trainable}
    assert len(state) == 8
    for vector in state.values():
        np.testing.assert_allclose(tf.norm(vector), 1, rtol=1e-5)
    before = {name: weight.numpy() for name, weight in state.items()}
    second = critic(pictures, iterations=2)
    assert all(np.array_equal(weight, before[name]) for name, weight in state.items())
    critic(pictures, training=True)
    np.testing.assert_allclose(critic(pictures, training=True), second, atol=1e-6)
    after = {name: weight.numpy() for name, weight in state.items()}
    for name, weight in state.items():
        weight.assign(before[name])
    critic.advance(2)
    for name, weight in state.items():
        np.testing.assert_allclose(weight, after[name], atol=1e-6)
