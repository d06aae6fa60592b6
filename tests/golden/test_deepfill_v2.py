"""DeepFill v2, plain and guided, against the original program: outputs, scores, losses, gradients, two updates of each.

The originals are BGR. Images are turned here; weights, and gradients by name, by the importer under test. The
original updates the spectral norms' u in place, before its backward pass reads it: gradients are compared with the
mathematical ones, which are stored too.
"""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.checkpoints.description import describe
from tf_inpaint.checkpoints.load import load_weights
from tf_inpaint.checkpoints.releases import DEEPFILL_V2
from tf_inpaint.models.weights import named_weights, parameter_count
from tf_inpaint.ops.flow import flow_to_image
from tf_inpaint.ops.images import resize_bilinear
from tf_inpaint.recipes import DeepFillV2Recipe

GUIDED = [pytest.param(False, id="plain"), pytest.param(True, id="guided")]


def _files(guided):
    return ("deepfill_v2_guided", "v2_guided") if guided else ("deepfill_v2", "v2")


@pytest.fixture(scope="module")
def v2(comparison):
    return comparison(DEEPFILL_V2)


@pytest.fixture(scope="module")
def fresh(original_checkpoint):
    """fresh(guided, padding) -> a recipe at full width with the original's weights."""
    folders = {}

    def make(guided, padding="SAME"):
        folder = _files(guided)[0]
        if guided not in folders:
            folders[guided] = original_checkpoint(folder)
        recipe = DeepFillV2Recipe(DeepFillV2Recipe.Options(padding=padding, guided=guided))
        recipe.build(64, 64)
        report = load_weights(folders[guided], generator=recipe.generator, discriminator=recipe.discriminator)
        assert (len(report.loaded), report.missing, report.unexpected, report.mis_shaped) == (102, (), (), ())
        return recipe

    return make


@pytest.fixture(scope="module")
def recipes(fresh):
    """The same, each made once, for tests that leave its weights alone."""
    made = {}

    def make(guided, padding="SAME"):
        if (guided, padding) not in made:
            made[guided, padding] = fresh(guided, padding)
        return made[guided, padding]

    return make


@pytest.mark.parametrize("guided", GUIDED)
def test_parameter_counts(recipes, guided):
    recipe = recipes(guided)
    assert parameter_count(recipe.generator) == (4_053_678 if guided else 4_052_478)
    assert parameter_count(recipe.discriminator) == (5_948_416 if guided else 5_946_816)
    state = [w for w in named_weights(recipe.discriminator).values() if not w.trainable]
    assert sum(int(tf.size(weight)) for weight in state) == 1_216


def test_the_checkpoints_are_told_apart(original_checkpoint):
    for guided in (False, True):
        description = describe(original_checkpoint(_files(guided)[0]))
        assert description.recipe == "deepfill_v2"
        assert description.options == {"width": 48, "guided": guided, "critic_width": 64}


def _lines(sketch_u8):
    """The original's edges: first channel, above 0.6."""
    return tf.cast(sketch_u8[..., :1] / 255 > 0.6, tf.float32)


@pytest.mark.parametrize("guided", GUIDED)
@pytest.mark.parametrize(
    "size, padding",
    [
        ("64x64_b2", "SAME"),
        ("64x64_b2", "SYMMETRIC"),
        ("128x192_b1", "SAME"),
        ("128x192_b1", "SYMMETRIC"),
        ("256x256_b1", "SAME"),  # the original was not run at this size with the other padding
    ],
)
def test_generator(arrays, recipes, v2, convolutions, guided, size, padding):
    folder, name = _files(guided)
    stored = arrays(f"{folder}/generator_{name}_{size}_{padding}")
    holed = v2.holed(stored)
    sketch = [_lines(stored["sketch_u8"])] if guided else []
    outputs = recipes(guided, padding).generator((*holed, *sketch))
    if v2.outputs(stored, outputs, *holed):
        flow = flow_to_image(outputs["offsets"], cumulative=True)
        flow = resize_bilinear(flow, stored["flow"].shape[1:3])
        np.testing.assert_allclose(flow, stored["flow"], atol=1.01 / 127.5)  # the release floors to whole levels
    if size == "64x64_b2":
        whole = None
        if padding == "SAME" and not guided:
            whole = arrays(f"{folder}/generator_{name}_{size}_{padding}_intermediates")
        v2.layers(stored, whole, convolutions)


@pytest.mark.parametrize("size", ["256x256_b2", "128x192_b1"])
@pytest.mark.parametrize("guided", GUIDED)
def test_critic_at_its_first_second_and_23rd_pass(arrays, fresh, setting, v2, agree, convolutions, guided, size):
    stored = setting(arrays(f"{_files(guided)[0]}/discriminators"), size)
    image = v2.rgb(stored["image_u8"])
    planes = [stored["mask"], *([stored["sketch"]] if guided else [])]
    planes = [tf.broadcast_to(tf.cast(plane, tf.float32), [*image.shape[:3], 1]) for plane in planes]
    inputs = tf.concat([image, *planes], axis=-1)
    critic = fresh(guided).discriminator
    weights = named_weights(critic)
    critic(inputs, training=False)  # changes nothing

    for number in range(1, 24):
        name = {1: "first", 2: "second", 23: "23rd"}.get(number)
        if name is None:
            critic.advance()
            continue
        scores = critic(inputs, training=True)
        agree("DeepFill v2 discriminator scores, absolute", np.abs(scores - stored[f"logits_{name}"]).max(), 5e-5)
        if number == 1:
            for layer, mean, std in zip(stored["layer_names"], stored["layer_mean"], stored["layer_std"]):
                output = convolutions[layer].numpy()
                np.testing.assert_allclose([output.mean(), output.std()], [mean, std], atol=1e-5, err_msg=layer)
        if number < 3:
            for layer in stored["layer_names"]:
                u = weights[f"{layer}.u"]
                deviation = np.abs(u - stored[f"u_after_{name}/{layer}"]).max()
                agree("DeepFill v2 discriminator's u, absolute", deviation, 1e-5)


@pytest.mark.parametrize("guided", GUIDED)
def test_losses_and_gradients(arrays, fresh, setting, v2, agree, guided):
    folder, name = _files(guided)
    shared = arrays(f"{folder}/losses_{name}")
    stored = setting(shared, "full")
    recipe = fresh(guided)
    batch = {
        "image": v2.rgb(shared["image_u8"]),
        "mask": tf.tile(tf.cast(shared["mask"], tf.float32), [2, 1, 1, 1]),
        "edges": _lines(shared["sketch_u8"]) if guided else None,
    }

    terms, gradients = v2.gradients(lambda: recipe.generator_losses(batch), recipe.generator)
    assert set(terms) == {"l1", "adversarial"}
    totals = {
        "l1": (terms["l1"], stored["ae_loss"]),
        "generator": (sum(terms.values()), stored["g_loss"]),
    }
    agree("DeepFill v2 adversarial term, absolute", abs(terms["adversarial"] - stored["g_adv"]), 1e-5)
    v2.check_gradients(stored, "g_grad", gradients, 1e-3)
    assert not [name for name, gradient in gradients.items() if gradient is None]

    terms, gradients = v2.gradients(lambda: recipe.discriminator_losses(batch), recipe.discriminator)
    totals["critic"] = (terms["critic"], stored["d_loss"])
    for what, (total, expected) in totals.items():
        agree(f"DeepFill v2 {what} loss, relative", v2.relative(total, expected), 1e-5)
    # Leaky ReLU's kinks: weights moved by 1e-7 of themselves move conv1's gradient by up to 1.5e-3 (L2) here too, and
    # two TensorFlows differ by 3e-3 in it.
    v2.check_gradients(stored, "d_grad", gradients, 1e-2)

    recipe.advance("discriminator")
    weights = named_weights(recipe.discriminator)
    for layer in ("conv1", "conv2", "conv3", "conv4", "conv5", "conv6"):
        expected = stored[f"u_after/discriminator/sn_patch_gan/{layer}/kernel_sn/u"]
        agree("DeepFill v2 discriminator's u, absolute", np.abs(weights[f"{layer}.u"] - expected).max(), 1e-5)


def _trajectory_batch(v2, stored, update):
    top, left, height, width = stored["bbox"][update]
    rows, columns = stored["inset"][update]
    mask = np.unpackbits(stored["irregular_mask_packed"][update]).reshape(1, 256, 256, 1).astype(np.float32)
    mask[:, top + rows : top + height - rows, left + columns : left + width - columns] = 1
    return {"image": v2.rgb(stored["images_u8"][stored["image_index"][update]]), "mask": tf.constant(mask)}


@pytest.mark.slow
def test_trajectory(arrays, fresh, v2, agree):
    """Discriminator, generator, discriminator, generator, one Adam for both."""
    stored = arrays("deepfill_v2/trajectory_v2")
    run = v2.trajectory(fresh(guided=False), stored, _trajectory_batch)
    for loss, expected in zip(run.losses, stored["loss"]):
        agree("DeepFill v2 losses along two updates of each network, relative", v2.relative(loss, expected), 1e-4)
    for which in "dg":
        for name, norm in zip(stored[f"first_{which}_grad_names"], stored[f"first_{which}_grad_norm"]):
            agree(
                "DeepFill v2 gradient norms of the first updates, relative", abs(run.first_norms[name] / norm - 1), 1e-3
            )
    for name, change, size in zip(stored["names"], stored["change_l2"], stored["size"]):
        what = "of 1,000 and more elements" if size >= 1000 else "of fewer elements"
        deviation = abs(run.moved[name] / change - 1)
        agree(f"DeepFill v2 changes of weights {what}, relative", deviation, 0.01 if size >= 1000 else 0.05)
    for name, u in stored.under("final/").items():
        if name.endswith("/u"):
            agree("DeepFill v2 discriminator's u after the updates, absolute", np.abs(run.final[name] - u).max(), 1e-4)
