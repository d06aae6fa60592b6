"""LaMa against its PyTorch release: layers with their gradients, generators, discriminator, counts and names."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.checkpoints.lama_names import discriminator_names, fourier_name, generator_names
from tf_inpaint.layers.batch_norm import advance_statistics
from tf_inpaint.layers.fourier_convolution import (
    FourierConv2D,
    FourierResidualBlock,
    FourierUnit,
    NormFourierConv2D,
    SpectralTransform,
)
from tf_inpaint.models.lama import LaMaDiscriminator, LaMaGenerator, NormTransposedConv, ResidualBlock
from tf_inpaint.models.weights import named_weights, parameter_count

_ENDS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def _nhwc(array):
    return tf.constant(np.asarray(array).transpose(0, 2, 3, 1))


def _value(array):
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def _fill(model, arrays, name_of):
    """Assigns every array and returns {its name: our variable}; each of ours is filled."""
    weights = named_weights(model)
    named = {name: weights[name_of(name)] for name in arrays if not name.endswith("num_batches_tracked")}
    for name, weight in named.items():
        weight.assign(_value(arrays[name]))
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
    "conv2": "conv2",
}


def _block_name(path):
    outer, _, inner = path.partition(".")
    return f"{outer}.{fourier_name(inner)}"


def _conv_only(path):
    return fourier_name(path).removeprefix("conv.")


def _cases(file, *names):
    return [(file, name) for name in names]


def _layer(file, case):
    """(layer, naming) of a stored case."""
    ratios = {"ratio_in": case.get("ratio_gin"), "ratio_out": case.get("ratio_gout")}
    if file == "fourier_unit":
        return FourierUnit(case["channels_out"]), _by({"conv_layer": "conv", "bn": "norm"}.get)
    if file == "spectral_transform":
        return SpectralTransform(case["channels_out"], case["stride"]), _by(_SPECTRAL.get)
    if file in ("ffc", "ffc_bn_act"):
        cls = FourierConv2D if file == "ffc" else NormFourierConv2D
        layer = cls(case["channels_out"], case["kernel"], case["stride"], border=case["padding"], **ratios)
        return layer, _by(_conv_only if file == "ffc" else fourier_name)
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
        *_cases("spectral_transform", "case0", "case1", "case2", "case3"),
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
        expected = _value(stored[f"{mode}/grad/{key}"])
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
    names = generator_names(shapes)
    ours = {name: tuple(weight.shape) for name, weight in named_weights(model).items()}
    assert sorted(names.values()) == sorted(ours)
    assert all(_value(np.empty(shapes[theirs])).shape == ours[name] for theirs, name in names.items())
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
