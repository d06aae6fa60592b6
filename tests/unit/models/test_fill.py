"""What generators draw in holes alone, against what they draw of the whole image."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.layers import attention_transfer, contextual_attention
from tf_inpaint.models import DeepFillV1Generator, DeepFillV2Generator, PENNetGenerator
from tf_inpaint.models.weights import named_weights
from tf_inpaint.ops.boxes import bounding_box, crop, paste

HEIGHT, WIDTH = 192, 320
HOLES = ((80, 100, 90, 125), (0, 0, 9, 9), (180, 300, 192, 320), (60, 7, 130, 10), (0, 0, HEIGHT, WIDTH))
GENERATORS = {
    "v1": (lambda: DeepFillV1Generator(4), 1.0),
    "v1, partial": (lambda: DeepFillV1Generator(4, convolution="partial"), 1.3),
    "v2": (lambda: DeepFillV2Generator(8), 2.2),
    "PEN-Net": (lambda: PENNetGenerator(4), 5.0),
}
OTHER_FORMS = {
    "v1, zeros around it": (lambda: DeepFillV1Generator(4, padding="SAME"), 1.0),
    "v1, reflecting": (lambda: DeepFillV1Generator(4, padding="REFLECT"), 1.0),
    "v1, without attention": (lambda: DeepFillV1Generator(4, attention="none"), 1.0),
    "v2, guided": (lambda: DeepFillV2Generator(8, guided=True), 2.2),
    "PEN-Net, without attention": (lambda: PENNetGenerator(4, "none"), 5.0),
}


@pytest.fixture(
    scope="module", params=[*GENERATORS, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHER_FORMS)]
)
def generator(request):
    """One whose images differ from place to place."""
    tf.keras.utils.set_random_seed(1)
    make, gain = {**GENERATORS, **OTHER_FORMS}[request.param]
    generator = make()
    generator(_inputs(generator, HOLES[:1]))
    for name, weight in named_weights(generator).items():
        weight.assign(weight * (gain if name.endswith("kernel") else 1.0))
    return generator


def _inputs(generator, holes):
    rng = np.random.default_rng(0)
    mask = np.zeros([len(holes), HEIGHT, WIDTH, 1], np.float32)
    for plane, (top, left, bottom, right) in zip(mask, holes):
        plane[top:bottom, left:right] = 1
    image = rng.uniform(-1, 1, [*mask.shape[:3], 3]).astype(np.float32) * (1 - mask)
    edges = (rng.random(mask.shape) < 0.1).astype(np.float32)
    return tuple(map(tf.constant, (image, mask, edges) if generator.guided else (image, mask)))


def _compiled(generator):
    planes = [tf.TensorSpec([None, None, None, 3])] + [tf.TensorSpec([None, None, None, 1])] * (
        2 if generator.guided else 1
    )
    return tf.function(lambda *inputs: generator.fill(inputs), input_signature=planes, autograph=False)


def test_in_the_holes_it_is_what_is_drawn_of_the_whole(generator):
    fill = _compiled(generator)
    for holes in [HOLES[i : i + 1] for i in range(len(HOLES))] + [HOLES[::2][:2]]:
        inputs = _inputs(generator, holes)
        part = bounding_box(inputs[1])
        outputs = generator(inputs)
        expected = crop(outputs["predicted"], part).numpy()
        assert expected.std() > 0.01 or holes != HOLES[:1]
        filled = fill(*inputs)
        assert filled["predicted"].shape == inputs[0].shape
        np.testing.assert_allclose(crop(filled["predicted"], part), expected, atol=3e-5)
        if "offsets" in filled:
            cells = part.shrunk(8)
            near = cells.grown(1).within(tf.constant([HEIGHT // 8, WIDTH // 8]))
            same = crop(filled["offsets"], near) == crop(outputs["offsets"], near)
            assert np.mean(same) > 0.98, "keys that score alike may change places"
    assert fill.experimental_get_tracing_count() == 1


def test_what_attention_says_elsewhere_changes_nothing_in_the_holes(generator, monkeypatch):
    inputs = _inputs(generator, HOLES[:1])
    part = bounding_box(inputs[1])
    expected = crop(generator.fill(inputs)["predicted"], part)
    attend, spoilt = contextual_attention.attend, []

    def spoiling(queries, *more, rate, needed=None, **settings):
        pasted, best = attend(queries, *more, rate=rate, needed=needed, **settings)
        if needed is not None:
            asked = needed.enlarged(rate)
            inside = paste(tf.ones_like(crop(pasted, asked)), asked, tf.shape(pasted)[1:3])
            pasted += 1e3 * (1 - inside)
            spoilt.append(needed)
        return pasted, best

    monkeypatch.setattr(contextual_attention, "attend", spoiling)
    monkeypatch.setattr(attention_transfer, "attend", spoiling)
    np.testing.assert_array_equal(crop(generator.fill(inputs)["predicted"], part), expected)
    assert len(spoilt) == (1 if generator.attention else 0)
