"""Global and Local against independent programs of the paper's tables (its release holds no training)."""

import json

import numpy as np
import pytest
import tensorflow as tf
from torch_files import hwio, nhwc

from tf_inpaint.config import OptimizerConfig
from tf_inpaint.inference.blending import blend_into_marched, march
from tf_inpaint.models import GlobalLocalDiscriminator, GlobalLocalGenerator
from tf_inpaint.models.weights import named_weights, parameter_count
from tf_inpaint.ops.boxes import corners_around, crop_boxes
from tf_inpaint.ops.images import composite
from tf_inpaint.ops.masks.box import box_mask
from tf_inpaint.recipes.global_local import GlobalLocalRecipe
from tf_inpaint.training.optimizers import Optimizers

ORDERS = ("conv_bn_relu", "conv_relu_bn")


def _our_name(name):
    """ "local/bn2.var" is local_critic.conv2.norm.moving_variance here, and deconv13.bias conv13.bias."""
    *critic, name = name.split("/")
    layer, kind = name.replace("deconv", "conv").split(".")
    path = [f"{critic[0]}_critic"] if critic else []
    if layer == "fc":
        return ".".join([*path, "fc" if critic else "score", kind])
    if layer.startswith("bn"):
        statistics = {"mean": "moving_mean", "var": "moving_variance"}
        return ".".join([*path, layer.replace("bn", "conv"), "norm", statistics.get(kind, kind)])
    inner = ["conv"] if kind == "kernel" and layer != "conv17" else []
    return ".".join([*path, layer, *inner, kind])


def _ours(name, array, channels):
    """A dense layer's rows are in the order of channels, rows, columns there; ours of rows, columns, channels."""
    if array.ndim == 2:
        if "/" in name:
            side = int(round((array.shape[1] / channels) ** 0.5))
            array = array.reshape(-1, channels, side, side).transpose(0, 2, 3, 1).reshape(array.shape)
        return array.T
    return hwio(array)


def _fill(model, *arrays, channels=0):
    """Every weight from dicts of arrays, running statistics excepted; {the reference's name: weight}."""
    weights, named = named_weights(model), {}
    for name, array in ((name, array) for each in arrays for name, array in each.items()):
        named[name] = weights[_our_name(name)]
        named[name].assign(_ours(name, array, channels))
    trained = {name for name, weight in weights.items() if weight.trainable}
    assert trained <= {_our_name(name) for name in named}
    return named


def _image(levels):
    return tf.constant(levels / 127.5 - 1.0, tf.keras.backend.floatx())


def _mask(mask):
    return tf.constant(nhwc(mask), tf.keras.backend.floatx())


def _generator(*arrays, width=8, order="conv_bn_relu"):
    model = GlobalLocalGenerator(width, order)
    model((tf.zeros([1, 16, 16, 3]), tf.zeros([1, 16, 16, 1])))
    _fill(model, *arrays)
    return model


def _convolved(monkeypatch, model):
    """{layer: output of the convolution and bias} of whatever the generator does meanwhile."""
    seen, bias_add, names = {}, tf.nn.bias_add, iter([f"conv{index}" for index in range(1, 18)])

    def recording(x, bias):
        name = next(names)
        seen[name] = bias_add(x, bias)
        return seen[name]

    monkeypatch.setattr(tf.nn, "bias_add", recording)
    return seen


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", ["case0", "case1", "case2"])
def test_completion_network(arrays, agree, monkeypatch, case, order):
    stored = arrays("global_local/completion_w8")
    model = _generator(stored.under("w/"), stored.under(f"stats/{order}/"), order=order)
    seen = _convolved(monkeypatch, model)
    image, mask = _image(stored[f"{case}/image_u8"]), _mask(stored[f"{case}/mask"])
    predicted = model((image * (1 - mask), mask))["predicted"]
    output = (predicted.numpy() + 1) / 2
    if f"{case}/{order}/output" in stored:
        expected = nhwc(stored[f"{case}/{order}/output"])
    else:
        expected, output = nhwc(stored[f"{case}/{order}/output_even"]), output[:, ::2, ::2]
    agree("Global and Local's output, absolute", np.abs(output - expected).max(), 2e-4)
    if f"{case}/{order}/composite" in stored:
        completed = (composite(predicted, image, mask) + 1) / 2
        deviation = np.abs(completed - nhwc(stored[f"{case}/{order}/composite"])).max()
        agree("Global and Local's output, absolute", deviation, 2e-4)
    means, stds = stored[f"{case}/{order}/layer_mean"], stored[f"{case}/{order}/layer_std"]
    for index, (mean, std) in enumerate(zip(means, stds), start=1):
        found = seen[f"conv{index}"]
        np.testing.assert_allclose([np.mean(found), np.std(found)], [mean, std], rtol=1e-4, atol=1e-4 * std)
    for name, value in stored.under(f"{case}/pre/").items():
        order_of, _, name = name.rpartition("/")
        if order_of in ("", order):
            found = seen[name.replace("deconv", "conv")][:1, ..., :8]
            agree("Global and Local's layers, absolute", np.abs(found - nhwc(value)).max(), 5e-4)


@pytest.mark.parametrize("order", ORDERS)
def test_completion_network_in_training(arrays, agree, order):
    stored = arrays("global_local/completion_w8")
    model = _generator(stored.under("w/"), stored.under(f"stats/{order}/"), order=order)
    image, mask = _image(stored["case0/image_u8"]), _mask(stored["case0/mask"])
    outputs = model((image * (1 - mask), mask), training=True)
    deviation = np.abs((outputs["predicted"] + 1) / 2 - nhwc(stored[f"case0/{order}/train_output"])).max()
    agree(f"Global and Local in training, {order}, absolute", deviation, 1e-3 if order == ORDERS[0] else 5e-3)
    for name, expected in stored.under(f"case0/{order}/stats_after/").items():
        layer, _, weight = _our_name(name).split(".")
        norm = getattr(model, layer).norm
        if weight == "moving_mean":
            norm.advance(outputs["statistics"][layer]["norm"])
        agree("Global and Local's statistics, absolute", np.abs(getattr(norm, weight) - expected).max(), 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
def test_completion_network_of_full_width(arrays, reference, agree, weights_by_recipe, order):
    stored = arrays("global_local/completion_full_128")
    recipe = json.loads((reference / "global_local" / "completion_full_weights_recipe.json").read_text())
    statistics = stored.under(f"stats/{order}/") or stored.under("stats/")
    model = _generator(dict(weights_by_recipe(recipe)), statistics, width=64, order=order)
    assert parameter_count(model) == recipe["total_parameters"] == 6_072_131
    image, mask = _image(stored["image_u8"]), _mask(stored["mask"])
    output = (model((image * (1 - mask), mask))["predicted"].numpy() + 1) / 2
    whole = f"{order}/output" in stored
    expected = nhwc(stored[f"{order}/output" if whole else f"{order}/output_even"])
    agree(
        "Global and Local's output, absolute", np.abs((output if whole else output[:, ::2, ::2]) - expected).max(), 2e-4
    )


def _discriminator(image, patch, arrays, width=4, layers=(5, 6), order="conv_bn_relu"):
    model = GlobalLocalDiscriminator(width, layers, order)
    model((tf.zeros([1, image, image, 3]), tf.zeros([1, patch, patch, 3])))
    _fill(model, *arrays, channels=8 * width)
    return model


def _patches(images, corners, side):
    return crop_boxes(images, tf.constant(corners, tf.int32), side, side)


@pytest.mark.parametrize("order", ORDERS)
def test_discriminators(arrays, agree, order):
    stored = arrays("global_local/critic_w4")
    statistics = stored.under(f"stats/{order}/")
    model = _discriminator(128, 64, [stored.under("w/"), statistics], order=order)
    image = _image(stored["image_u8"])
    seen = (image + 1) / 2  # the critics themselves see them in [0, 1]
    for training, name in ((False, "logit"), (True, "train_logit")):
        scores, _ = model((image, _patches(image, stored["patch_top_left"], 64)), training=training)
        deviation = np.abs(scores - stored[f"{order}/{name}"]).max()
        agree("Global and Local's scores, absolute", deviation, 2e-4 if not training else 2e-3)
    boxes = stored["box_top_left_height_width"]
    mask = tf.stack([box_mask(128, 128, t, x, t + h, x + w) for t, x, h, w in boxes])
    np.testing.assert_array_equal(corners_around(mask, 64, 64), stored["patch_top_left"])
    for critic, images in (("local", _patches(seen, stored["patch_top_left"], 64)), ("global", seen)):
        found, _ = getattr(model, f"{critic}_critic")(images)
        deviation = np.abs(found - np.maximum(stored[f"{order}/{critic}_fc"], 0)).max()
        agree("Global and Local's codes, absolute", deviation, 2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "kind, image, patch, layers, parameters",
    [("places2", 256, 128, (5, 6), 45_063_681), ("celeba", 160, 96, (5, 5), 39_557_121)],
)
def test_discriminators_of_full_width(
    arrays, reference, agree, weights_by_recipe, kind, image, patch, layers, parameters, order
):
    stored = arrays("global_local/critic_full")
    recipe = json.loads((reference / "global_local" / f"critic_full_{kind}_weights_recipe.json").read_text())
    model = _discriminator(image, patch, [dict(weights_by_recipe(recipe))], 64, layers, order)
    assert parameter_count(model) == recipe["total_parameters"] == parameters
    images = _image(stored[f"{kind}/image_u8"])
    scores, _ = model((images, _patches(images, stored[f"{kind}/patch_top_left"], patch)), training=True)
    deviation = np.abs(scores - stored[f"{kind}/{order}/train_logit"]).max()
    agree("Global and Local's scores, absolute", deviation, 2e-3)


# Losses and training, in float64


class _Recipe(GlobalLocalRecipe):
    """One whose true patches lie where the batch says."""

    def true_patches(self, batch):
        return batch["true_patches"]


def _recipe(generator_arrays, discriminator_arrays, **options):
    given = {"width": 8, "critic_width": 4, "local_patch": (64, 64), "completion_steps": 2, "discriminator_steps": 2}
    recipe = _Recipe(GlobalLocalRecipe.Options(**{**given, **options}))
    recipe.generator((tf.zeros([1, 16, 16, 3]), tf.zeros([1, 16, 16, 1])))
    recipe.discriminator((tf.zeros([1, 128, 128, 3]), tf.zeros([1, 64, 64, 3])))
    named = {"c": _fill(recipe.generator, *generator_arrays)}
    named["d"] = _fill(recipe.discriminator, *discriminator_arrays, channels=32)
    return recipe, named


def _relative(value, expected):
    return abs(float(value) - float(expected)) / abs(float(expected))


def _check_norms(agree, gradients, names, norms):
    for name, norm in zip(names, norms):
        if gradients[name] is not None:  # biases before a normalisation have a gradient of rounding alone there
            agree("Global and Local's gradient norms, relative", _relative(tf.norm(gradients[name]), norm), 1e-9)
        else:
            assert norm < 1e-9 and name.endswith("bias")


@pytest.mark.slow
@pytest.mark.parametrize("gan", ["non_saturating", "saturating"])
@pytest.mark.parametrize("shown, prefix", [("completed", "composite"), ("predicted", "raw")])
def test_losses(arrays, agree, float64, shown, prefix, gan):
    stored, completion = arrays("global_local/losses_w8w4"), arrays("global_local/completion_w8")
    weights = [completion.under("w/")], [arrays("global_local/critic_w4").under("w/")]
    recipe, named = _recipe(*weights, adversarial_weight=1.0, gan=gan, shown=shown)
    mask, corners = _mask(stored["mask"]), tf.constant(stored["real_patch_top_left"])
    batch = {"image": _image(stored["image_u8"]), "mask": mask, "true_patches": corners}
    np.testing.assert_array_equal(corners_around(mask, 64, 64), stored["fake_patch_top_left"])
    with tf.GradientTape(persistent=True) as tape:
        terms, _ = recipe.generator_losses(batch)
        critic = recipe.discriminator_losses(batch)[0]["critic"]
    expected = {name: stored[f"{prefix}/{name}"] for name in stored[f"{prefix}/term_names"]}
    adversarial = f"adv_{gan.replace('_', '')}"
    elements = 3 * tf.size(mask, tf.int64).numpy()
    for value, wanted in (
        (terms["l2"], expected["mse_all"]),
        (terms["l2"] * elements, expected["mse_sum"]),
        (terms["l2"] * elements / (3 * tf.reduce_sum(mask)), expected["mse_hole"]),
        (terms["adversarial"], expected[adversarial]),
        (critic, expected["bce_fake"] + expected["bce_real"]),
    ):
        agree("Global and Local's losses, relative", _relative(value, wanted), 1e-10)
    for loss, names, network, key in (
        (terms["l2"], stored["c_names"], "c", "c_grad_norm/mse_all"),
        (terms["adversarial"], stored["c_names"], "c", f"c_grad_norm/{adversarial}"),
        (critic, stored["d_names"], "d", "d_grad_norm"),
    ):
        gradients = tape.gradient(loss, {name: named[network][name] for name in names})
        _check_norms(agree, gradients, names, stored[f"{prefix}/{key}"])
        for name, whole in stored.under(f"{prefix}/{key.replace('grad_norm', 'grad')}/").items():
            if gradients[name] is None:
                continue
            deviation = np.abs(gradients[name] - _ours(name, whole, 32)).max() / np.abs(whole).max()
            agree("Global and Local's whole gradients, relative", deviation, 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("run, steps", [("warm", range(6)), ("cold_phase1", [0]), ("cold_phase2", [0])])
def test_three_phases_of_training(arrays, agree, float64, run, steps):
    stored, completion = arrays("global_local/trajectory_w8w4"), arrays("global_local/completion_w8")
    critic = arrays("global_local/critic_w4")
    given = [stored.under("w_c/") or completion.under("w/"), completion.under("stats/conv_bn_relu/")]
    recipe, named = _recipe(given, [critic.under("w/"), critic.under("stats/conv_bn_relu/")])
    trained = {network: {n: w for n, w in of.items() if w.trainable} for network, of in named.items()}
    start = {network: {name: weight.numpy() for name, weight in of.items()} for network, of in trained.items()}
    settings = OptimizerConfig("adadelta", learning_rate=1.0, rho=0.9, epsilon=1e-6, shared_count=False)
    optimizers = Optimizers(settings, trained["c"], trained["d"])
    if run == "warm":
        first = {"squares": 1.0, "changes": 2e-5}
        for state in optimizers.variables().values():
            for name, variable in state.items():
                if name != "iterations":
                    variable.assign(np.full(variable.shape, first[name.partition(".")[0]]))
    letters = {"generator": "c", "discriminator": "d"}
    phases = recipe.phases
    assert [phase.first_step for phase in phases] == [0, 2, 4]
    assert [list(phase.updates) for phase in phases] == [
        ["generator"],
        ["discriminator"],
        ["discriminator", "generator"],
    ]

    def make(phase, which):
        weights = trained[letters[which]]
        optimizer = optimizers.generator if which == "generator" else optimizers.discriminator

        @tf.function(autograph=False)
        def update(batch):
            with tf.GradientTape() as tape:
                terms, statistics = phase.losses[which](batch)
                total = tf.add_n(list(terms.values()))
            gradients = tape.gradient(total, weights)
            recipe.advance(which, statistics)
            pairs = [(gradient, weights[name]) for name, gradient in gradients.items() if gradient is not None]
            optimizer.apply_gradients(pairs)
            return terms

        return update

    updates = [{which: make(phase, which) for which in phase.updates} for phase in phases]
    for row, step in enumerate(steps):
        phase = 2 if run == "cold_phase2" else stored["phase"][step]
        boxes = stored["box_top_left_height_width"][step]
        batch = {
            "image": _image(stored["images_u8"][stored["image_index"][step]]),
            "mask": tf.cast(tf.stack([box_mask(128, 128, t, x, t + h, x + w) for t, x, h, w in boxes]), tf.float64),
            "true_patches": tf.constant(stored["real_patch_top_left"][step]),
        }
        expected = dict(zip(stored["term_names"], stored[f"{run}/terms"][row]))
        wanted = {"l2": expected["mse_all"], "critic": expected["bce_fake"] + expected["bce_real"]}
        wanted["adversarial"] = 4e-4 * expected["adv_after_d_update"]
        for update in updates[phase - 1].values():
            for name, value in update(batch).items():
                agree("Global and Local's terms over six updates, relative", _relative(value, wanted[name]), 1e-9)
    for network, of in trained.items():
        for name, change in zip(stored[f"{network}_names"], stored[f"{run}/{network}_change_l2"]):
            if name in of and not np.isnan(change):
                moved = np.linalg.norm(of[name] - start[network][name])
                if change < 1e-7:  # a bias before a normalisation, or a network that stands still
                    assert moved < 1e-7
                else:
                    agree("Global and Local's changes over six updates, relative", _relative(moved, change), 1e-9)
        for name, value in stored.under(f"{run}/final_{network}/").items():
            if not name.endswith((".mean", ".var")):
                deviation = np.abs(named[network][name] - _ours(name, value, 32)).max() / np.abs(value).max()
                agree("Global and Local after six updates, relative", deviation, 1e-9)


def test_adadelta_is_torch_s(arrays, agree, float64):
    stored = arrays("global_local/adadelta")
    weight = {"w": tf.Variable(stored["initial"].astype(np.float64))}
    rates = {"learning_rate": float(stored["lr"]), "rho": 0.9, "epsilon": 1e-6}
    optimizers = Optimizers(OptimizerConfig("adadelta", **rates), weight)
    for gradient, expected in zip(stored["grads"], stored["values"]):
        optimizers.generator.apply_gradients([(tf.constant(gradient, tf.float64), weight["w"])])
        agree("AdaDelta, absolute", np.abs(weight["w"] - expected).max(), 1e-6)
    state = optimizers.variables()["optimizer"]
    np.testing.assert_allclose(state["squares.generator.w"], stored["square_avg"], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(state["changes.generator.w"], stored["acc_delta"], rtol=1e-4, atol=1e-12)


# Post-processing


@pytest.mark.parametrize("case", range(4))
def test_post_processing(arrays, agree, case):
    stored = arrays("global_local/postprocess")
    completed, mask = stored[f"case{case}/composite_u8"], stored[f"case{case}/mask"]
    hole, given = mask > 127, mask.copy()
    agree("fast marching, levels", np.abs(march(completed, hole).astype(int) - stored[f"case{case}/telea_u8"]).max(), 2)
    blended = blend_into_marched(completed, completed, hole)
    deviation = np.abs(blended.astype(int) - stored[f"case{case}/blended_u8"])[hole].max()
    agree("blended into what fast marching fills, levels", deviation, 2)
    np.testing.assert_array_equal(blended[~hole], completed[~hole])  # the release lets these move
    np.testing.assert_array_equal(mask, given)
