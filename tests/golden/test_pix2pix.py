"""pix2pix against the TensorFlow repository's program, and an independent one in float64."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint import Inpainter
from tf_inpaint.checkpoints.description import describe, describe_shapes
from tf_inpaint.checkpoints.load import load_weights
from tf_inpaint.checkpoints.releases import PIX2PIX
from tf_inpaint.config import OptimizerConfig
from tf_inpaint.layers import NormConv2D
from tf_inpaint.models.weights import named_weights, parameter_count
from tf_inpaint.ops.images import to_uint8
from tf_inpaint.recipes.pix2pix import Options, Pix2PixRecipe
from tf_inpaint.training.optimizers import Optimizers
from tf_inpaint.training.strategy import make_strategy
from tf_inpaint.training.update import JointUpdate, Trained, Update

CASES = [f"b{count}_{dropout}" for count in (1, 2) for dropout in ("nodropout", "dropout")]
# Nothing but rounding: before a normalisation, and at the single position that one image has innermost.
ROUNDING = r"(encoder_[2-8]|decoder_[2-8]|layer_[234])\.bias"
OF_ONE_IMAGE = r"encoder_8\.(kernel|norm\.gamma)"
OURS = {**PIX2PIX.networks["generator"], **PIX2PIX.networks["discriminator"]}


@pytest.fixture(scope="module")
def checkpoint(original_checkpoint):
    return original_checkpoint("pix2pix")


def _recipe(checkpoint):
    recipe = Pix2PixRecipe(Options(width=8, critic_width=8))
    image = tf.zeros([1, 256, 256, 3], tf.keras.backend.floatx())
    recipe.generator((image, image[..., :1]))
    recipe.discriminator((image, image))
    report = load_weights(checkpoint, recipe.generator, recipe.discriminator)
    assert not (report.missing or report.unexpected or report.mis_shaped)
    return recipe


def _batch(stored, index=slice(None)):
    levels = stored["target_u8"][index].astype(np.float32)  # whose rounding float64 sees
    image = tf.cast(levels / np.float32(255) * 2 - 1, tf.keras.backend.floatx())
    mask = tf.cast(stored["mask"][index], image.dtype)[..., tf.newaxis]
    return {"image": image, "mask": mask, "seed": tf.zeros([len(image), 2], tf.int32)}


def _keep(recipe, stored):
    """Dropout as stored, or none."""

    def kept(level, shape, seeds):
        return stored[f"keep_decoder_{level}"] if f"keep_decoder_{level}" in stored else 0.5

    recipe.generator.kept = kept


def _relative(value, expected):
    return abs(float(value) - float(expected)) / abs(float(expected))


@pytest.fixture
def layers(monkeypatch):
    """[(layer, its outputs before the activation)] of whatever runs meanwhile."""
    seen, call = [], NormConv2D.call
    inverse = {"tanh": np.arctanh, "leaky_relu": lambda y: np.where(y < 0, y / 0.2, y), "linear": np.asarray}

    def recording(self, inputs, training=False):
        outputs, statistics = call(self, inputs, training)
        seen.append((self.name, inverse[self.activation.__name__](outputs.numpy())))
        return outputs, statistics

    monkeypatch.setattr(NormConv2D, "call", recording)
    return seen


@pytest.mark.parametrize("case", CASES)
def test_layers_outputs_and_patches(checkpoint, arrays, agree, layers, case):
    stored, recipe = arrays(f"pix2pix/model_n8_{case}"), _recipe(checkpoint)
    _keep(recipe, stored)
    batch = _batch(stored)
    layers.clear()
    predicted = recipe.complete(batch, training=True)["predicted"].numpy()
    expected, found = (stored[f"output{'_even' * ('output' not in stored)}"], predicted)
    found = found if "output" in stored else found[:, ::2, ::2]
    agree("pix2pix's output, absolute", np.abs(found - expected).max(), 2e-4)
    context = recipe.generator.context(*recipe.inputs(batch))
    for name, image in (("real", batch["image"]), ("fake", predicted)):
        patches = tf.sigmoid(recipe.discriminator((context, image), training=True))
        assert patches.shape[1:] == (30, 30, 1)
        agree("pix2pix's patches, absolute", np.abs(patches - stored[f"predict_{name}"]).max(), 1e-4)
    of_network = [layers[:16], layers[16:21], layers[21:]]
    assert [len(part) for part in of_network] == [16, 5, 5]
    seen = {f"{which}{name}": value for which, part in zip(("", "real/", "fake/"), of_network) for name, value in part}
    assert set(seen) == set(stored["layer_names"])
    for name, mean, std in zip(stored["layer_names"], stored["layer_mean"], stored["layer_std"]):
        np.testing.assert_allclose([seen[name].mean(), seen[name].std()], [mean, std], atol=1e-4 * max(1, std))
    for name, value in stored.under("layer/").items():
        agree("pix2pix's innermost layers, relative", np.abs(seen[name] - value).max() / np.abs(value).max(), 2e-4)
    if case.startswith("b1"):  # the innermost layer of one image is its beta, whatever the image
        beta = named_weights(recipe.generator)["encoder_8.norm.beta"]
        np.testing.assert_array_equal(seen["encoder_8"][0, 0, 0], beta)
        alone = recipe.generator(recipe.inputs(batch), seeds=batch["seed"])["predicted"]
        agree("pix2pix's output outside of training, absolute", np.abs(alone - predicted).max(), 2e-4)


@pytest.fixture
def exactly(float64, monkeypatch):
    """In float64, leaky ReLU's slope too, which TensorFlow's operation has of 32 bits."""
    monkeypatch.setattr(tf.nn, "leaky_relu", lambda x, slope: tf.where(x < 0, slope * x, x))


@pytest.mark.parametrize("case", CASES)
def test_losses_and_gradients(checkpoint, arrays, agree, exactly, case):
    stored, recipe = arrays(f"pix2pix/model_n8_{case}"), _recipe(checkpoint)
    _keep(recipe, stored)
    batch = _batch(stored)
    predicted = recipe.complete(batch, training=True)["predicted"]
    deviation = np.abs(predicted[:, 124:132, 124:132] - stored["float64/output_center_8x8"]).max()
    agree("pix2pix in float64, absolute", deviation, 1e-6)
    for letter, losses, network in (
        ("d", recipe.discriminator_losses, recipe.discriminator),
        ("g", recipe.generator_losses, recipe.generator),
    ):
        weights = {name: weight for name, weight in named_weights(network).items() if weight.trainable}
        with tf.GradientTape() as tape:
            terms = losses(batch)
            total = tf.add_n(list(terms.values()))
        gradients = tape.gradient(total, weights)
        if letter == "d":
            expected = {"critic": "discrim_loss"}
        else:
            expected = {"l1": "gen_loss_L1", "adversarial": "gen_loss_GAN"}
        for term, name in expected.items():
            value = terms[term] / (100.0 if term == "l1" else 1.0)
            agree("pix2pix's losses, relative", _relative(value, stored[name]), 1e-5)
            agree("pix2pix's losses in float64, relative", _relative(value, stored[f"float64/{name}"]), 1e-6)
        names = [OURS[name] for name in stored[f"{letter}_names"]]
        norms, hybrid = stored[f"float64/{letter}_grad_norm"], stored.under("float64/").get("g_grad_norm_as_run")
        ratios = []
        for index, (name, norm) in enumerate(zip(names, norms)):
            if re.fullmatch(ROUNDING, name):
                assert gradients[name] is None and norm < 1e-8
            elif case.startswith("b1") and re.fullmatch(OF_ONE_IMAGE, name):
                assert not np.any(gradients[name]) and norm < 1e-8
            else:
                deviation = _relative(tf.norm(gradients[name]), norm)
                agree("pix2pix's gradient norms in float64, relative", deviation, 1e-6)
                ratios.append(hybrid[index] / norm if letter == "g" else 1.0)
        # The program's own step goes back through kernels that have already changed.
        assert letter == "d" or 1e-3 < max(abs(ratio - 1) for ratio in ratios) < 0.1
        for name, value in stored.under(f"{letter}_grad/").items():
            distance = np.linalg.norm(gradients[OURS[name]] - value) / max(np.linalg.norm(value), 1e-6)
            agree("pix2pix's whole gradients, of float32, relative (L2)", distance, 2e-2)


@pytest.fixture
def eager():
    """No graph of a step, which takes longer to build than the steps."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_three_steps_of_training(checkpoint, arrays, agree, exactly, eager):
    stored, recipe = arrays("pix2pix/trajectory_n8"), _recipe(checkpoint)
    keep = {level: tf.Variable(stored[f"keep_decoder_{level}"][:1]) for level in (6, 7, 8)}
    recipe.generator.kept = lambda level, shape, seeds: keep[level]
    networks = {name: named_weights(network) for name, network in recipe.networks.items()}
    start = {name: weight.numpy() for weights in networks.values() for name, weight in weights.items()}
    rates = {"learning_rate": 2e-4, "beta1": 0.5, "beta2": 0.999, "epsilon": 1e-8}
    optimizers = Optimizers(OptimizerConfig(**rates, shared_count=False), *networks.values())
    (phase,), strategy = recipe.phases, make_strategy("one_device")
    assert recipe.simultaneous and list(phase.updates) == ["discriminator", "generator"]

    def update(name):
        return Update(Trained(name, phase.losses[name], networks[name], getattr(optimizers, name)), strategy)

    step, shown = JointUpdate([update(name) for name in phase.updates]), np.zeros(3)
    for index, expected in enumerate(stored["float64/simultaneous/losses_GAN_L1_D"]):
        for level, variable in keep.items():
            variable.assign(stored[f"keep_decoder_{level}"][index : index + 1])
        values = step(_batch(stored, slice(index, index + 1)))
        found = np.array([values["adversarial"], values["l1"] / 100.0, values["critic"]])
        agree("pix2pix's losses over three steps in float64, relative", np.max(np.abs(found / expected - 1)), 1e-5)
        # What the repository reports instead begins at 0 and stays below.
        shown = 0.99 * shown + 0.01 * found
        np.testing.assert_allclose(shown, stored["ema_GAN_L1_D"][index], rtol=2e-2)
    weights = {name: weight for of_network in networks.values() for name, weight in of_network.items()}
    for name, change in zip(stored["names"], stored["float64/simultaneous/change_l2"]):
        name = OURS[name]
        if not re.fullmatch(f"{ROUNDING}|{OF_ONE_IMAGE}", name):
            # Images that are rounded otherwise, by 6e-8, move these by 2e-4: Adam's first steps are of its rate each.
            moved = np.linalg.norm(weights[name] - start[name])
            agree("pix2pix's changes over three steps in float64, relative", _relative(moved, change), 1e-3)
    for name, value in stored.under("simultaneous/final/").items():
        if not re.fullmatch(OF_ONE_IMAGE, OURS[name]):
            deviation = np.abs(weights[OURS[name]] - value).max()
            agree("pix2pix after three steps, of float32, absolute", deviation, 1e-3)
    own, ours = (stored[f"{run}/losses_GAN_L1_D"] for run in ("as_run", "simultaneous"))
    np.testing.assert_array_equal(own[0], ours[0])
    assert 1e-5 < np.abs(own / ours - 1).max() < 1e-2  # how far the two kinds of step are apart


def test_the_folder_completes_images_of_any_size(checkpoint):
    description = describe(checkpoint)
    assert description.recipe == "pix2pix" and not description.unexpected
    assert description.options == {"image_size": 256, "width": 8, "critic_width": 8}
    image = np.random.default_rng(0).integers(0, 256, (300, 270, 3), np.uint8)
    hole = np.zeros([300, 270], bool)
    hole[100:160, 90:180] = True
    inpainter = Inpainter.load(checkpoint)
    completed = inpainter.complete(image, hole)
    np.testing.assert_array_equal(completed[~hole], image[~hole])
    assert len(np.unique(completed[hole])) > 10
    np.testing.assert_array_equal(inpainter.complete(image, hole), completed)  # its dropout never changes


def test_every_variable_of_the_repository_s_checkpoints(reference):
    about = json.loads((reference / "pix2pix" / "variables_64.json").read_text())
    shapes = {name: entry["shape"] for name, entry in about["variables"].items()}
    assert len(shapes) == about["n_all"] == 270
    assert set(shapes) >= set(OURS) and len(OURS) == about["n_generator"] + about["n_discriminator"] == 76
    description = describe_shapes(shapes)
    assert not description.unexpected and description.options["width"] == 64
    recipe = Pix2PixRecipe(Options())
    recipe.build(256, 256)
    for network in recipe.networks.values():
        for name, weight in named_weights(network).items():
            assert description.shapes[name] == tuple(weight.shape)
    assert parameter_count(recipe.generator) == about["generator_trainable"] == 54_420_483
    assert parameter_count(recipe.discriminator) == about["discriminator_trainable"] == 2_769_601


def test_written_levels(arrays, agree):
    """The repository writes floor(255.5 v), which is another level here and there."""
    stored = arrays("pix2pix/data_helpers")
    levels = to_uint8(2.0 * tf.constant(stored["to_uint8/x"]) - 1.0).numpy().astype(int)
    agree("pix2pix's images as written, levels", np.abs(levels - stored["to_uint8/y"]).max(), 1)
