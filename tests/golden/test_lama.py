"""LaMa against its PyTorch release: layers, generators, discriminator, losses with their gradients, three steps."""

import json
import os
import pickle
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from runs import small_config
from torch_files import hwio, nhwc

from tf_inpaint import export
from tf_inpaint.checkpoints.description import describe
from tf_inpaint.checkpoints.lama_names import FOURIER, discriminator_names, generator_names
from tf_inpaint.config import OptimizerConfig, config_from_dict
from tf_inpaint.demo import command as demo
from tf_inpaint.errors import InputError
from tf_inpaint.features.resnet50_dilated import ResNet50Dilated
from tf_inpaint.inference.inpainter import Inpainter
from tf_inpaint.inference.refinement import Refinement, Settings, comparable, pyramid
from tf_inpaint.io.images import write_png
from tf_inpaint.layers.batch_norm import advance_statistics
from tf_inpaint.layers.fourier_convolution import (
    FourierConv2D,
    FourierResidualBlock,
    FourierUnit,
    NormFourierConv2D,
    SpectralTransform,
)
from tf_inpaint.losses.adversarial import (
    feature_matching_loss,
    masked_discriminator_loss,
    masked_generator_loss,
    r1_penalty,
)
from tf_inpaint.losses.perceptual import perceptual_loss
from tf_inpaint.losses.reconstruction import weighted_l1
from tf_inpaint.models.lama import LaMaDiscriminator, LaMaGenerator, NormTransposedConv, ResidualBlock
from tf_inpaint.models.weights import named_weights, parameter_count
from tf_inpaint.ops.boxes import mirrored
from tf_inpaint.ops.resampling import shrink_mask
from tf_inpaint.predict import command as predict
from tf_inpaint.recipes.lama import LaMaRecipe
from tf_inpaint.training.optimizers import Optimizers
from tf_inpaint.training.trainer import Trainer

_ENDS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def _nhwc(array):
    return tf.constant(nhwc(array))


def _fill(model, arrays, name_of):
    """Assigns every array and returns {its name: our variable}; each of ours is filled."""
    weights = named_weights(model)
    named = {name: weights[name_of(name)] for name in arrays if not name.endswith("num_batches_tracked")}
    for name, weight in named.items():
        weight.assign(hwio(arrays[name]))
    assert {id(weight) for weight in named.values()} == {id(weight) for weight in weights.values()}
    return named


def _end(path, end):
    return _ENDS[end] if path.rpartition(".")[2].startswith("norm") else {"weight": "kernel", "bias": "bias"}[end]


def _by(paths):
    """A naming by a table of paths: "conv1.0.weight" -> "conv1.kernel"."""

    def name_of(name):
        path, _, end = name.rpartition(".")
        ours = paths(path)
        return f"{ours}.{_end(ours, end)}" if ours else _end(path, end)

    return name_of


_SPECTRAL = {
    "conv1.0": "conv1",
    "conv1.1": "norm1",
    "fu.conv_layer": "unit.conv",
    "fu.bn": "unit.norm",
    "lfu.conv_layer": "local_unit.conv",
    "lfu.bn": "local_unit.norm",
    "conv2": "conv2",
}


def _block_name(path):
    outer, _, inner = path.partition(".")
    return f"{outer}.{FOURIER[inner]}"


def _conv_only(path):
    return FOURIER[f"ffc.{path}"].removeprefix("conv.")


def _cases(file, *names):
    return [(file, name) for name in names]


def _layer(file, case):
    """(layer, naming) of a stored case."""
    ratios = {"ratio_in": case.get("ratio_gin"), "ratio_out": case.get("ratio_gout")}
    if file == "fourier_unit":
        return FourierUnit(case["channels_out"]), _by({"conv_layer": "conv", "bn": "norm"}.get)
    if file == "spectral_transform":
        return SpectralTransform(case["channels_out"], case["stride"], case["enable_lfu"]), _by(_SPECTRAL.get)
    if file in ("ffc", "ffc_bn_act"):
        cls = FourierConv2D if file == "ffc" else NormFourierConv2D
        layer = cls(case["channels_out"], case["kernel"], case["stride"], border=case["padding"], **ratios)
        return layer, _by(_conv_only if file == "ffc" else FOURIER.get)
    if case["case"].startswith("ffc"):
        return FourierResidualBlock(case["channels"]), _by(_block_name)
    if case["case"].startswith("regular"):
        table = {"1": "conv1_1", "2": "norm1", "5": "conv2_1", "6": "norm2"}
        return ResidualBlock(case["channels"]), _by(lambda path: table[path.removeprefix("conv_block.")])
    return NormTransposedConv(case["channels_out"]), _by({"0": None, "1": "norm"}.get)


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize(
    "file, name",
    [
        *_cases("fourier_unit", "case0", "case1", "case2", "case3", "case4", "case5"),
        *_cases("spectral_transform", "case0", "case1", "case2", "case3", "case4"),
        *_cases("ffc", "case0", "case1", "case2", "case3"),
        *_cases("ffc_bn_act", "case0", "case1", "case2", "case3", "case4"),
        *_cases("blocks", "ffc0", "ffc1", "regular0", "upsample0", "upsample1"),
    ],
)
def test_layer(arrays, agree, file, name, mode):
    file_arrays = arrays(f"lama/{file}")
    case = next(case for case in json.loads(str(file_arrays["cases_json"])) if case["case"] == name)
    stored = file_arrays.under(f"{name}/")
    layer, name_of = _layer(file, case)
    pair = file in ("ffc", "ffc_bn_act")
    joined = name.startswith("ffc")  # a pair, stored as one
    local = case.get("channels", 0) - int(case.get("channels", 0) * 0.75)

    def split(x):
        return (x[..., :local], x[..., local:]) if joined else x

    keys = [key for key in ("x_l", "x_g", "x") if key in stored]
    given = [_nhwc(stored[key]) for key in keys]
    inputs = (given[0], given[1] if len(given) > 1 else None) if pair else split(given[0])
    layer(inputs)
    weights = _fill(layer, {key[2:]: value for key, value in stored.items() if key.startswith("w/")}, name_of)
    with tf.GradientTape() as tape:
        tape.watch(given)
        inputs = (given[0], given[1] if len(given) > 1 else None) if pair else split(given[0])
        outputs, statistics = layer(inputs, training=mode == "train")
        outputs = tf.concat(outputs, axis=-1) if joined else outputs
        outputs = dict(zip("lg", outputs)) if pair else {"": outputs}
        outputs = {f"_{part}" if part else "": y for part, y in outputs.items() if y is not None}
        product = tf.add_n([tf.reduce_sum(y * _nhwc(stored[f"{mode}/cotangent{part}"])) for part, y in outputs.items()])
    trained = {key: weight for key, weight in weights.items() if f"{mode}/grad/{key}" in stored}
    gradients, of_weights = tape.gradient(product, (given, trained))
    for part, y in outputs.items():
        agree(f"LaMa {file}, absolute", np.abs(y - _nhwc(stored[f"{mode}/y{part}"])).max(), 1e-5)
    for key, gradient in zip(keys, gradients):
        stored_key = f"{mode}/grad_{key}" if f"{mode}/grad_{key}" in stored else f"{mode}/grad_x"
        expected = _nhwc(stored[stored_key])
        agree(f"LaMa {file} gradients, relative", np.abs(gradient - expected).max() / np.abs(expected).max(), 1e-5)
    scale = max(np.abs(stored[f"{mode}/grad/{key}"]).max() for key in trained)
    for key, gradient in of_weights.items():
        expected = hwio(stored[f"{mode}/grad/{key}"])
        largest = np.abs(expected).max()
        largest = largest if largest > 1e-4 * scale else scale  # a bias before a normalisation has but rounding
        agree(f"LaMa {file} gradients, relative", np.abs(gradient - expected).max() / largest, 1e-5)
    if mode == "train":
        advance_statistics(layer, statistics)
        for key, expected in stored.items():
            if key.startswith("train/after/") and not key.endswith("tracked"):
                deviation = np.abs(weights[key[12:]] - expected).max()
                agree("LaMa running statistics, absolute", deviation, 1e-5)


def _generator_weights(arrays, name):
    return arrays(f"lama/generator_{name}_weights")


@pytest.mark.parametrize(
    "name, kind, case, mode",
    [
        ("fourier_ngf8", "fourier", "64x64_b2", "eval"),
        ("fourier_ngf8", "fourier", "72x104_b1", "eval"),
        ("fourier_ngf8", "fourier", "64x64_b2_train", "train"),
        ("regular_ngf8", "regular", "64x64_b2", "eval"),
        ("regular_ngf8", "regular", "72x104_b1", "eval"),
        ("regular_ngf8", "regular", "64x64_b2_train", "train"),
        ("dilated_ngf8", "dilated", "96x80_b1", "eval"),
    ],
)
def test_generator(arrays, agree, name, kind, case, mode):
    stored = arrays(f"lama/generator_{name}_{case}")
    weights = _generator_weights(arrays, name)
    model = LaMaGenerator(width=8, blocks=2, kind=kind)
    image = _nhwc(stored["image_u8"].astype(np.float32) / np.float32(255)) * 2 - 1
    mask = tf.cast(_nhwc(stored["mask"]), tf.float32)
    inputs = (image * (1 - mask), mask)
    model(inputs)
    names = generator_names(weights.names)
    filled = _fill(model, {n: weights[n] for n in weights.names if n in names}, names.get)
    outputs = model(inputs, training=mode == "train")
    predicted = (outputs["predicted"] + 1) / 2
    tolerance = 2e-4 if mode == "train" else 1e-4
    agree(f"LaMa {kind} generator, {mode}, absolute", np.abs(predicted - _nhwc(stored["predicted"])).max(), tolerance)
    if mode == "train":
        advance_statistics(model, outputs["statistics"])
        for key in stored.names:
            if key.startswith("after/") and not key.endswith("tracked"):
                agree("LaMa running statistics, absolute", np.abs(filled[key[6:]] - stored[key]).max(), 1e-5)


def test_what_every_layer_of_the_fourier_generator_says(arrays, agree):
    stored = arrays("lama/generator_fourier_ngf8_64x64_b2")
    weights = _generator_weights(arrays, "fourier_ngf8")
    model = LaMaGenerator(width=8, blocks=2)
    image, mask = (image_or_mask[:1] for image_or_mask in (_image(stored["image_u8"]), _mask(stored["mask"])))
    model((image, mask))
    names = generator_names(weights.names)
    _fill(model, {name: weights[name] for name in names}, names.get)

    def compare(x, place):
        deviation = np.abs(tf.nn.relu(x) - tf.nn.relu(_nhwc(stored[f"feat/model.{place}"]))).max()
        agree("LaMa layers of a generator, absolute", deviation, 1e-4)

    x = tf.concat([(image + 1) / 2 * (1 - mask), mask], axis=-1), None
    for place, name in enumerate(("conv_in", "down1", "down2", "down3", "block1", "block2"), 1):
        x, _ = getattr(model, name)(x)
        for part, letter in zip(x, "lg"):
            if part is not None:
                compare(part, f"{place}_{letter}")
    x = tf.concat(x, axis=-1)
    for place, name in zip((9, 12, 15), ("up1", "up2", "up3")):
        x, _ = getattr(model, name)(x)
        compare(x, place)


@pytest.mark.parametrize(
    "network, options",
    [
        ("big-lama", {"blocks": 18}),
        ("lama-fourier", {"blocks": 9}),
        ("lama-regular", {"blocks": 9, "kind": "regular"}),
        ("big-lama-regular", {"blocks": 15, "kind": "regular"}),
        ("lama-dilated", {"blocks": 9, "kind": "dilated"}),
    ],
)
@pytest.mark.slow
def test_every_name_and_count_of_the_releases(reference, network, options):
    listed = json.loads((reference / "lama" / "state_dict_variables.json").read_text())[network]
    shapes = {name.removeprefix("generator."): tuple(v["shape"]) for name, v in listed["variables"].items()}
    model = LaMaGenerator(**options)
    model((tf.zeros([1, 80, 80, 3]), tf.zeros([1, 80, 80, 1])))
    assert parameter_count(model) == listed["parameters"]
    counts = [1 for name in shapes if name.endswith("num_batches_tracked")]
    assert sum(np.prod(weight.shape) for weight in model.weights) + sum(counts) == listed["elements"]
    names = generator_names(shapes)
    ours = {name: tuple(weight.shape) for name, weight in named_weights(model).items()}
    assert sorted(names.values()) == sorted(ours)
    assert all(hwio(np.empty(shapes[theirs])).shape == ours[name] for theirs, name in names.items())
    assert {name.rpartition(".")[2] for name in set(shapes) - set(names)} == {"num_batches_tracked"}


@pytest.mark.parametrize("case", ["64x64_b2", "96x72_b1"])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_discriminator(arrays, agree, case, mode):
    stored = arrays(f"lama/discriminator_ndf8_{case}")
    weights = arrays("lama/discriminator_ndf8_weights")
    model = LaMaDiscriminator(width=8)
    image = _nhwc(stored["image_u8"].astype(np.float32) / np.float32(255)) * 2 - 1
    model(image)
    names = discriminator_names(weights.names)
    _fill(model, {name: weights[name] for name in weights.names if name in names}, names.get)
    with tf.GradientTape() as tape:
        tape.watch(image)
        scores, features, _ = model(image, training=mode == "train")
        total = tf.reduce_sum(scores)
    agree("LaMa scores, absolute", np.abs(scores - _nhwc(stored[f"{mode}/scores"])).max(), 5e-5)
    for index, feature in enumerate(features):
        deviation = np.abs(feature - _nhwc(stored[f"{mode}/feature{index}"])).max()
        agree("LaMa discriminator features, absolute", deviation, 5e-5)
    expected = _nhwc(stored[f"{mode}/grad_image"]) / 2  # there of an image in [0, 1]
    deviation = np.abs(tape.gradient(total, image) - expected).max() / np.abs(expected).max()
    agree("LaMa gradients of scores, relative", deviation, 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_the_discriminator_at_full_width(arrays, reference, agree, mode):
    stored = arrays("lama/discriminator_full_128x96_b1")
    recipe = json.loads((reference / "lama" / "discriminator_full_weights_recipe.json").read_text())
    weights = {**dict(_by_recipe(recipe)), **stored.under("buffer/")}
    model, image = LaMaDiscriminator(), _image(stored["image_u8"])
    model(image)
    assert parameter_count(model) == recipe["total_parameters"]
    filled = _fill(model, weights, discriminator_names(weights).get)
    with tf.GradientTape() as tape:
        tape.watch(image)
        scores, features, statistics = model(image, training=mode == "train")
        total = tf.reduce_sum(scores)
    agree("LaMa scores, absolute", np.abs(scores - _nhwc(stored[f"{mode}/scores"])).max(), 5e-5)
    for index, feature in enumerate(features):
        told = stored.under(f"{mode}/feature{index}_")
        assert [*feature.shape[::3], *feature.shape[1:3]] == list(told["shape"])
        for found, name in ((np.mean(feature), "mean"), (np.std(feature), "std")):
            agree("LaMa discriminator features, absolute", abs(found - told[name]), 5e-5)
    deviation = _off(2 * tape.gradient(total, image), _nhwc(stored[f"{mode}/grad_image"]))
    agree("LaMa gradients of scores, relative", deviation, 1e-4)
    if mode == "train":
        advance_statistics(model, statistics)
        for name, value in stored.under("train/after/").items():
            agree("LaMa running statistics, absolute", np.abs(filled[name] - value).max(), 1e-5)


# Losses

RELATIVE = "LaMa loss terms and gradients of given tensors, relative"


def _image(levels):
    """Ours, in [-1, 1], of stored levels."""
    return _nhwc(levels.astype(np.float32) / np.float32(255)) * 2 - 1


def _mask(stored):
    return tf.cast(_nhwc(stored), tf.float32)


def _off(found, expected):
    """Relative to the largest entry."""
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.fixture(scope="module")
def losses(reference):
    return json.loads((reference / "lama" / "losses.json").read_text())


def test_l1(arrays, agree, losses):
    stored = arrays("lama/losses")
    predicted, image, mask = (*map(_nhwc, (stored["l1/pred"], stored["l1/target"])), _mask(stored["l1/mask"]))
    for index, case in enumerate(losses["l1"]):
        with tf.GradientTape() as tape:
            tape.watch(predicted)
            loss = weighted_l1(predicted, image, mask, case["weight_known"], case["weight_missing"])
        agree(RELATIVE, _off(loss, case["value"]), 1e-5)
        if f"l1/grad{index}" in stored:
            agree(RELATIVE, _off(tape.gradient(loss, predicted), _nhwc(stored[f"l1/grad{index}"])), 1e-5)


def test_adversarial_losses_on_given_scores(arrays, agree, losses):
    stored, case = arrays("lama/losses"), losses["adv"][0]  # the published options
    real, fake = (_nhwc(stored[f"adv/{which}_scores"]) for which in ("real", "fake"))
    mask = _mask(stored["adv/mask"])
    np.testing.assert_array_equal(shrink_mask(mask, fake.shape[1:3]), _mask(stored["adv/mask_nearest"]))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((real, fake))
        of_generator = 10.0 * masked_generator_loss(fake)
        of_discriminator = masked_discriminator_loss(real, fake, mask)
    agree(RELATIVE, _off(of_generator, case["generator"]), 1e-5)
    agree(RELATIVE, _off(of_discriminator, case["discriminator_without_penalty"]), 1e-5)
    for loss, scores, name in (
        (of_generator, fake, "fake_generator"),
        (of_discriminator, real, "real_discriminator"),
        (of_discriminator, fake, "fake_discriminator"),
    ):
        agree(RELATIVE, _off(tape.gradient(loss, scores), _nhwc(stored[f"adv/grad_{name}0"])), 1e-5)


def test_which_pixel_of_a_mask_a_score_looks_at(losses):
    for sizes, index in losses["nearest_index"].items():
        length, target = map(int, sizes.split("_to_"))
        mask = tf.reshape(tf.range(length), [1, length, 1, 1])
        np.testing.assert_array_equal(tf.squeeze(shrink_mask(mask, (target, 1))), index)


def test_feature_matching(arrays, agree, losses):
    stored = arrays("lama/losses")
    fake, real = ([_nhwc(stored[f"fm/{which}{index}"]) for index in range(3)] for which in ("fake", "real"))
    with tf.GradientTape() as tape:
        tape.watch(fake)
        loss = feature_matching_loss(fake, real)
    agree(RELATIVE, _off(loss, losses["fm"]["value_unweighted"]), 1e-5)
    for index, gradient in enumerate(tape.gradient(loss, fake)):
        agree(RELATIVE, _off(gradient, _nhwc(stored[f"fm/grad{index}"])), 1e-5)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_r1_and_the_discriminator_s_whole_loss(arrays, agree, losses, mode):
    stored, expected = arrays("lama/losses"), losses["critic"][mode]
    weights = arrays("lama/discriminator_ndf8_weights")
    model = LaMaDiscriminator(width=8)
    image, predicted = _image(stored["critic/image_u8"]), _image(stored["critic/predicted_u8"])
    model(image)
    names = discriminator_names(weights.names)
    filled = _fill(model, {name: weights[name] for name in weights.names if name in names}, names.get)
    trained = {name: weight for name, weight in filled.items() if weight.trainable}

    def judge(images):
        scores, features, _ = model(images, training=mode == "train")
        return [scores], features

    @tf.function(autograph=False)
    def differentiate():
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(predicted)
            penalty, ((real_scores,), real_features) = r1_penalty(judge, image)
            penalty *= 4.0  # of images in [0, 1]
            (fake_scores,), fake_features = judge(predicted)
            loss = masked_discriminator_loss(real_scores, fake_scores, _mask(stored["critic/mask"])) + 0.001 * penalty
            adversarial = 10.0 * masked_generator_loss(fake_scores)
            matching = 100.0 * feature_matching_loss(fake_features, list(map(tf.stop_gradient, real_features)))
        of_weights = [
            tape.gradient(of, trained, unconnected_gradients=tf.UnconnectedGradients.ZERO) for of in (penalty, loss)
        ]
        return (
            penalty,
            loss,
            adversarial,
            matching,
            of_weights,
            [tape.gradient(x, predicted) for x in (adversarial, matching)],
        )

    penalty, loss, adversarial, matching, (of_penalty, of_loss), (by_adversarial, by_matching) = differentiate()
    agree("LaMa R1 and the discriminator's loss, relative", _off(penalty, expected["penalty_unweighted"]), 1e-5)
    agree("LaMa R1 and the discriminator's loss, relative", _off(loss, expected["loss"]), 1e-5)
    agree(RELATIVE, _off(adversarial, expected["generator_adv"]), 1e-5)
    agree(RELATIVE, _off(matching, expected["feature_matching_weighted"]), 1e-5)
    for gradients, norms in ((of_penalty, "penalty_grad_norm"), (of_loss, "loss_grad_norm")):
        total = np.linalg.norm(list(expected[norms].values()))
        for name, norm in expected[norms].items():
            deviation = abs(np.linalg.norm(gradients[name]) - norm) / total
            agree("LaMa gradient norms of R1 and of the discriminator's loss, relative", deviation, 1e-5)
    for gradient, name in ((by_adversarial, "adv"), (by_matching, "fm")):
        deviation = _off(2 * gradient, _nhwc(stored[f"critic/{mode}/grad_predicted_{name}"]))
        agree("LaMa gradients at the predicted image, relative", deviation, 1e-4)


def _by_recipe(recipe):
    """Arrays of a seeded recipe, which the release's program was run with too."""
    state = np.random.RandomState(recipe["seed"])
    for entry in recipe["parameters"]:
        low, high = entry["low"], entry["high"]
        yield entry["name"], (low + (high - low) * state.random_sample(entry["shape"])).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("statistics", ["stored", "batch"])
def test_the_perceptual_network(arrays, reference, agree, tmp_path, torch_save, statistics):
    stored = arrays("lama/resnet_pl_64x64_b2")
    recipe = json.loads((reference / "lama" / "resnet50dilated_weights_recipe.json").read_text())
    path = torch_save(tmp_path / "encoder_epoch_20.pth", {**dict(_by_recipe(recipe)), **stored.under("buffer/")})
    network = ResNet50Dilated(path, statistics)
    predicted, target = _image(stored["pred_u8"]), _image(stored["target_u8"])
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        loss = 30.0 * perceptual_loss(network(predicted), network(target))
    result = json.loads(str(stored["result_json"]))
    value = result["value_weight30" if statistics == "stored" else "train_mode_value_weight30"]
    agree("LaMa perceptual term, relative", _off(loss, value), 1e-4)
    name = "grad_pred" if statistics == "stored" else "train_mode/grad_pred"
    expected = _nhwc(stored[name])
    distance = np.linalg.norm(2 * tape.gradient(loss, predicted) - expected) / np.linalg.norm(expected)
    agree("LaMa gradients of the perceptual term, relative (L2)", distance, 2e-2)  # ReLUs on their kinks
    if statistics == "stored":
        for index, features in enumerate(network(predicted)):
            deviation = np.abs(features[:1, ..., :32] - _nhwc(stored[f"feature{index}_first32"])).max()
            agree("LaMa perceptual features, absolute", deviation, 5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name, case", [("big_lama", "64x96_b1"), ("fourier_ngf16", "96x80_b1")])
def test_a_file_with_all_the_names_of_the_released_one(arrays, reference, agree, tmp_path, torch_save, name, case):
    """Weights by recipe in a folder as the release is unpacked, with what stands beside them in it."""
    stored = arrays(f"lama/generator_{name}_{case}")
    recipe = json.loads((reference / "lama" / f"generator_{name}_weights_recipe.json").read_text())
    weights = {**dict(_by_recipe(recipe)), **stored.under("buffer/")}
    counts = [name.replace("running_mean", "num_batches_tracked") for name in weights if name.endswith("running_mean")]
    weights |= {name: np.zeros([], np.int64) for name in counts}
    others = json.loads((reference / "lama" / "big_lama_other_keys.json").read_text())["keys"]
    state = {f"generator.{name}": weight for name, weight in weights.items()}
    state |= {other["name"]: np.broadcast_to(np.zeros([], other["dtype"]), other["shape"]) for other in others}
    (tmp_path / "models").mkdir()
    torch_save(tmp_path / "models" / "best.ckpt", {"epoch": 39, "state_dict": state, "callbacks": {}})
    if name == "big_lama":
        (tmp_path / "config.yaml").write_text("generator: {kind: ffc_resnet, ngf: 64, n_blocks: 18}")
        assert len(weights) == 989 and sum(weight.size for weight in weights.values()) == 51_057_179
    inpainter = Inpainter.load(tmp_path)
    strangers = [other for other in others if not other["name"].endswith("num_batches_tracked")]
    assert f" {len(weights) - len(counts)} variables loaded, 0 missing, {len(strangers)} unexpected" in inpainter.origin
    assert inpainter.origin.endswith("0 of another shape")
    image, mask = _image(stored["image_u8"]), _mask(stored["mask"])
    predicted = (inpainter.recipe.generator((image * (1 - mask), mask))["predicted"] + 1) / 2
    agree(f"LaMa {name}, absolute", np.abs(predicted - _nhwc(stored["predicted"])).max(), 1e-4)


@pytest.mark.parametrize("case", ["case0", "case1", "case2"])
def test_images_of_any_size_and_grey_masks(arrays, reference, agree, case):
    stored = arrays("lama/inference").under(f"{case}/")
    inpainter = Inpainter.load(reference / "lama" / "checkpoint")
    padded, hole = _nhwc(stored["padded_image"][np.newaxis]) * 2 - 1, _mask(stored["padded_mask"][np.newaxis])
    predicted = inpainter.recipe.generator((padded * (1 - hole), hole))["predicted"]
    deviation = np.abs((predicted[0] + 1) / 2 - stored["predicted"].transpose(1, 2, 0)).max()
    agree("LaMa images of any size, absolute", deviation, 1e-4)
    image, mask = stored["image_u8"].transpose(1, 2, 0), stored["mask_u8"][0] > 0  # there every grey is a hole
    rows, columns = (mirrored(np.arange(side), length).numpy() for side, length in zip(padded.shape[1:3], mask.shape))
    np.testing.assert_array_equal(padded[0], image[rows][:, columns].astype(np.float32) / np.float32(255) * 2 - 1)
    np.testing.assert_array_equal(hole[0, ..., 0], mask[rows][:, columns])
    if case == "case2":
        return  # padded there to a multiple of 32, of which the network would see another spectrum
    difference = np.abs(inpainter.complete(image, mask).astype(int) - stored["output_u8"].transpose(1, 2, 0))
    agree("LaMa files, in levels (its own are cut off, ours rounded)", difference[mask].max(), 1)
    assert not difference[~mask].any()


# Training

NETWORKS = {"generator": "G", "discriminator": "D"}
TOLERANCES = [  # of each step: generator's terms, discriminator's terms, norms of all gradients, mean scores
    (1e-5, 2e-3, 1e-2, 2e-3),
    (3e-2, 3e-2, 1e-1, 2e-2),
    (5e-2, 5e-2, 2e-1, 3e-2),
]


def _training(arrays, kind):
    """(recipe with the weights that the release's program began with, {network: {its name: our weight}})."""
    recipe = LaMaRecipe(LaMaRecipe.Options(width=8, blocks=2, kind=kind, critic_width=8, perceptual_weight=0.0))
    recipe.build(64, 64)
    filled = {}
    for network, name_all, file in (
        (recipe.generator, generator_names, f"generator_{kind}_ngf8_weights"),
        (recipe.discriminator, discriminator_names, "discriminator_ndf8_weights"),
    ):
        weights = arrays(f"lama/{file}")
        names = name_all(weights.names)
        named = _fill(network, {name: weights[name] for name in weights.names if name in names}, names.get)
        filled["generator" if network is recipe.generator else "discriminator"] = named
    return recipe, filled


def _without_gradient(expected):
    """Biases before a normalisation, whose gradient is rounding alone."""
    return {name for name, norm in expected.items() if norm < 1e-5}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fourier", "regular"])
@pytest.mark.parametrize("run, clip_norm", [("noclip", 0.0), ("clip1", 1.0)])
def test_three_steps_of_training(arrays, reference, agree, kind, run, clip_norm):
    stored = arrays(f"lama/train_{kind}_ngf8")
    told = json.loads((reference / "lama" / f"train_{kind}_ngf8.json").read_text())
    recipe, filled = _training(arrays, kind)
    assert recipe.generator_first
    trained = {which: {n: w for n, w in named.items() if w.trainable} for which, named in filled.items()}
    rates = {"learning_rate": 1e-3, "discriminator_learning_rate": 1e-4}
    options = OptimizerConfig(**rates, beta1=0.9, beta2=0.999, epsilon=1e-8, shared_count=False)
    optimizers = Optimizers(options, *trained.values())
    optimizers.assign_learning_rates(optimizers.learning_rates(0, 10).values())
    losses = {"generator": recipe.generator_losses, "discriminator": recipe.discriminator_losses}
    judge, judged = recipe._judge, []

    def recording(images):
        scores, *rest = judge(images)
        judged.append(tf.reduce_mean(scores[0]))
        return scores, *rest

    recipe._judge = recording

    def make(which):
        @tf.function(autograph=False)
        def update(batch):
            with tf.GradientTape() as tape:
                judged.clear()
                terms, statistics = losses[which](batch)
                total = tf.add_n(list(terms.values()))
            gradients = tape.gradient(total, trained[which])
            norm = tf.linalg.global_norm(list(gradients.values()))
            recipe.advance(which, statistics)
            factor = tf.minimum(1.0, clip_norm / (norm + 1e-6)) if clip_norm else 1.0
            optimizer = optimizers.generator if which == "generator" else optimizers.discriminator
            optimizer.apply_gradients([(factor * gradients[name], trained[which][name]) for name in gradients])
            return terms, gradients, norm, list(judged)

        return update

    updates = {which: make(which) for which in NETWORKS}
    for number, (expected, tolerances) in enumerate(zip(told[run], TOLERANCES)):
        of_generator, of_discriminator, of_norms, of_scores = tolerances
        batch = {"image": _image(stored["images_u8"][number]), "mask": _mask(stored["masks"][number])}
        for which, letter in NETWORKS.items():
            terms, gradients, norm, scores = updates[which](batch)
            if which == "generator":
                named = {"l1": "gen_l1", "adversarial": "gen_adv", "feature_matching": "gen_fm"}
                tolerance = of_generator
            else:
                terms = {"critic": terms["critic"] + terms["r1"], "r1": terms["r1"]}
                named, tolerance = {"critic": "loss_D", "r1": "adv_discr_real_gp"}, of_discriminator
                for score, theirs in zip(scores, ("adv_discr_real_out", "adv_discr_fake_out")):
                    deviation = abs(score - expected[theirs])
                    agree(f"LaMa mean scores at step {number + 1}, absolute", deviation, of_scores)
            for ours, theirs in named.items():
                deviation = _off(terms[ours], expected[theirs])
                agree(f"LaMa {which}'s terms at step {number + 1}, relative", deviation, tolerance)
            deviation = _off(norm, expected[f"grad_norm_{letter}"])
            agree(f"LaMa norms of all gradients at step {number + 1}, relative", deviation, of_norms)
            if number == 0:
                norms = told[f"{run}_step1_grad_norms"][letter]
                total = np.linalg.norm(list(norms.values()))
                for name in set(norms) - _without_gradient(norms):
                    deviation = abs(np.linalg.norm(gradients[name]) - norms[name]) / total
                    agree("LaMa gradient norms of each variable at step 1, relative to all", deviation, 1e-2)
        if number == 0 and run == "noclip" and kind == "fourier":
            norms = told[f"{run}_step1_grad_norms"]
            for which, letter in NETWORKS.items():
                for name, value in stored.under(f"state1/{letter}/").items():
                    if not name.endswith("tracked") and name not in _without_gradient(norms[letter]):
                        deviation = np.abs(filled[which][name] - hwio(value)).mean() / np.abs(value).mean()
                        agree("LaMa weights and statistics after a step, relative (mean)", deviation, 2e-3)


def test_the_second_step_from_the_state_after_the_first(arrays, reference, agree):
    stored = arrays("lama/train_fourier_ngf8")
    expected = json.loads((reference / "lama" / "train_fourier_ngf8.json").read_text())["noclip"][1]
    recipe, filled = _training(arrays, "fourier")
    for which, letter in NETWORKS.items():
        for name, value in stored.under(f"state1/{letter}/").items():
            if not name.endswith("num_batches_tracked"):
                filled[which][name].assign(hwio(value))
    terms, _ = recipe.generator_losses({"image": _image(stored["images_u8"][1]), "mask": _mask(stored["masks"][1])})
    for ours, theirs in (("l1", "gen_l1"), ("adversarial", "gen_adv"), ("feature_matching", "gen_fm")):
        agree("LaMa terms at step 2 from the state after step 1, relative", _off(terms[ours], expected[theirs]), 1e-5)


# Checkpoints


@pytest.mark.parametrize("file", ["best.ckpt", "best_legacy_format.ckpt"])
def test_the_release_s_files_open_by_what_is_in_them(reference, arrays, agree, file):
    path = reference / "lama" / "checkpoint" / "models" / file
    description = describe(path)
    assert (description.kind, description.recipe) == ("release", "lama")
    assert description.options == {"width": 8, "blocks": 2, "global_ratio": 0.75}
    assert description.unexpected and all("_evaluator." in name for name in description.unexpected)
    inpainter = Inpainter.load(path)
    stored = arrays("lama/generator_fourier_ngf8_weights")
    names = generator_names(stored.names)
    weights = named_weights(inpainter.recipe.generator)
    for name, ours in names.items():
        np.testing.assert_array_equal(weights[ours], hwio(stored[name]))
    assert set(names.values()) == set(weights)


def test_wherever_a_checkpoint_is_named_a_file_that_would_run_something_is_refused(reference, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    contents = pickle.dumps({"state_dict": {}, "callbacks": Evil()}, protocol=2)
    source = reference / "lama" / "checkpoint" / "models" / "best.ckpt"
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(tmp_path / "best.ckpt", "w") as target:
        for name in archive.namelist():
            target.writestr(name, contents if name.endswith("data.pkl") else archive.read(name))
    for name in ("image", "mask"):
        write_png(tmp_path / f"{name}.png", np.zeros([16, 16, 3], np.uint8))
    files = [f"--{name}={tmp_path / name}.png" for name in ("image", "mask", "output")]
    given = ["--checkpoint_dir", str(tmp_path / "best.ckpt")]
    training = {"init_from": given[1], "strategy": "one_device"}
    config = small_config("lama", {}, tmp_path, tmp_path / "run", training)
    for use in (
        lambda: Inpainter.load(given[1]),
        lambda: predict.main([*files, *given]),
        lambda: demo.main(["--web", *given]),
        lambda: export.main([*given, "--output", str(tmp_path / "model")]),
        lambda: Trainer(config_from_dict(config, "evil"), report=lambda line: None).train(),
    ):
        with pytest.raises(InputError, match="which is never run"):
            use()
    left = {"best.ckpt", "image.png", "mask.png", "run"}
    assert {path.name for path in tmp_path.iterdir()} <= left


REFINED = [  # what is refined, at most and in the mean, and losses, relative
    ("2scales", (2e-2, 1e-3, 1e-4)),
    ("3scales", (1e-1, 1e-2, 2e-3)),
]


@pytest.mark.slow
@pytest.mark.parametrize("scales, tolerances", REFINED)
def test_refinement(arrays, agree, scales, tolerances):
    stored = arrays(f"lama/refinement_{scales}")
    settings = json.loads(str(stored["settings_json"]))
    weights = _generator_weights(arrays, "fourier_ngf8")
    model = LaMaGenerator(width=8, blocks=2)
    model((tf.zeros([1, 64, 64, 3]), tf.zeros([1, 64, 64, 1])))
    names = generator_names(weights.names)
    _fill(model, {name: weights[name] for name in names}, names.get)
    image = tf.constant(stored["image_u8"].transpose(1, 2, 0) / np.float32(255))
    mask = tf.cast(stored["mask"].transpose(1, 2, 0), tf.float32)
    chosen = Settings(settings["min_side"], settings["max_scales"], settings["n_iters"], settings["lr"])
    for index, (level, hole) in enumerate(pyramid(image[None], mask[None], chosen)):
        agree("LaMa refinement pyramid", np.abs(level - _nhwc(stored[f"pyramid/image{index}"])).max(), 1e-5)
        np.testing.assert_array_equal(hole, _nhwc(stored[f"pyramid/mask{index}"]))
        if index:
            np.testing.assert_array_equal(comparable(hole), _nhwc(stored[f"scale{index}/mask_eroded"]))
    results = Refinement(model, chosen)(image, mask)
    assert len(results) == int(scales[0])
    most, mean, of_losses = tolerances
    for (_, losses), expected in zip(results, settings["losses"]):
        assert len(losses) == len(expected)
        if expected:
            agree(f"LaMa refinement, {scales}, losses, relative", _off(np.array(losses), np.array(expected)), of_losses)
    refined = np.abs(results[-1][0] - _nhwc(stored["refined"]))
    agree(f"LaMa refinement, {scales}, at most", refined.max(), most)
    agree(f"LaMa refinement, {scales}, in the mean", refined.mean(), mean)
    assert np.abs(results[-1][0] - _nhwc(stored["plain"])).max() > 2 * most  # else a pass without refinement would do
