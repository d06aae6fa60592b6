"""Image Transformer against tensor2tensor: attention, logits, losses, gradients, completions."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.losses.mixture import draw_from_mixture, mixture_nll
from tf_inpaint.models import ImageTransformerGenerator
from tf_inpaint.models.image_transformer import shift, timing_signal
from tf_inpaint.models.weights import named_weights, parameter_count
from tf_inpaint.ops.local_attention import along_rows, around_blocks, attend

PARTS = {
    "layer_postprocess/layer_norm/layer_norm_scale": "norm1.gamma",
    "layer_postprocess/layer_norm/layer_norm_bias": "norm1.beta",
    "layer_postprocess_1/layer_norm/layer_norm_scale": "norm2.gamma",
    "layer_postprocess_1/layer_norm/layer_norm_bias": "norm2.beta",
    "self_attention/output_transform/kernel": "joined.kernel",
    **{f"self_attention/{part}/kernel": f"{part}.kernel" for part in "qkv"},
    **{
        f"ffn/{there}/{kind}": f"{here}.{kind}"
        for there, here in (("conv1", "wide"), ("conv2", "narrow"))
        for kind in ("kernel", "bias")
    },
}
OTHERS = {
    "image_modality/rgb_target_emb_input_bottom": "embedding.table",
    "image_modality/output_bottom/conv_input/kernel": "embedding.kernel",
    "image_modality/output_bottom/conv_input/bias": "embedding.bias",
    "body/dec_pos/dec_pos_0": "place.rows",
    "body/dec_pos/dec_pos_1": "place.columns",
    "body/output_conv/kernel": "outputs_layer.kernel",
    "body/output_conv/bias": "outputs_layer.bias",
}
MODELS = ("cat_local_1d", "cat_local_2d", "dmol")
SHAPES = {"query_shape": (4, 12), "flange": (2, 6)}


def _our_name(name):
    name = name.partition("/")[2]
    if name in OTHERS:
        return OTHERS[name]
    layer, _, part = name[len("body/decoder_layer_") :].partition("/")
    part = part.replace("local_1d_self_att/", "").replace("local_2d_self_att/", "")
    return f"layer{int(layer) + 1}.{PARTS[part]}"


def _model(stored):
    there = json.loads(str(stored["hparams"]))
    mixture = there["likelihood"] == "dmol"
    model = ImageTransformerGenerator(
        image_size=there["img_len"],
        width=there["hidden_size"],
        filters=there["filter_size"],
        depth=there["num_decoder_layers"],
        heads=there["num_heads"],
        attention_width=there["attention_key_channels"],
        attention=there["dec_attention_type"],
        block_length=there["block_length"],
        output="mixture" if mixture else "categorical",
        mixtures=there["num_mixtures"],
        position={"timing": "timing", "emb": "learned"}[there["pos"]],
        max_length=there["max_length"],
        **SHAPES,
    )
    model(tf.zeros([1, 8, 8, 3], tf.int32))
    weights, arrays = named_weights(model), stored.under("w/")
    assert {_our_name(name) for name in arrays} == set(weights)
    for name, array in arrays.items():
        weight = weights[_our_name(name)]
        weight.assign(array.reshape(weight.shape))
    return model


def _nats(model, levels):
    outputs = model(levels)
    if model.categorical:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(levels, outputs))
    return tf.reduce_mean(mixture_nll(outputs, levels)) / 3.0


def _visible(neighbourhood, length):
    """bool [L, L], in the order of the grid."""
    queries, seen = neighbourhood.visible.shape[1], np.zeros([length, length], bool)
    for place in range(length):
        block, query = divmod(place, queries)
        memory = neighbourhood.memory[block][neighbourhood.visible[block, query]]
        seen[neighbourhood.order[place], neighbourhood.order[memory]] = True
    return seen


def _unpacked(bits, length):
    return np.unpackbits(bits)[: length**2].reshape(length, length).astype(bool)


@pytest.mark.parametrize("case", range(4))
def test_local_attention_in_one_dimension(arrays, agree, case):
    stored, prefix = arrays("image_transformer/operations"), f"local1d_masked/{case}/"
    q, k, v = (tf.constant(stored[prefix + name]) for name in "qkv")
    neighbourhood = along_rows(q.shape[2], int(stored[prefix + "block_length"]))
    np.testing.assert_array_equal(
        _visible(neighbourhood, q.shape[2]), _unpacked(stored[prefix + "visible"], q.shape[2])
    )
    with tf.GradientTape() as tape:
        tape.watch([q, k, v])
        y = attend(q, k, v, neighbourhood)
        total = tf.reduce_sum(y * stored[prefix + "cotangent"])
    agree("Image Transformer's attention, absolute", np.abs(y - stored[prefix + "y"]).max(), 1e-5)
    for name, gradient in zip("qkv", tape.gradient(total, [q, k, v])):
        deviation = np.abs(gradient - stored[f"{prefix}grad_{name}"]).max()
        agree("Image Transformer's gradients of attention, absolute", deviation, 1e-5)


@pytest.mark.parametrize("case", (0, 1, 2, 4))
def test_local_attention_in_two_dimensions(arrays, agree, case):
    stored, prefix = arrays("image_transformer/operations"), f"local2d_masked/{case}/"
    q, k, v = (stored[prefix + name] for name in "qkv")
    size = q.shape[2:4]
    neighbourhood = around_blocks(size, stored[prefix + "query_shape"], stored[prefix + "memory_flange"])
    length = size[0] * size[1]
    visible = _unpacked(stored[prefix + "visible"], length)
    np.testing.assert_array_equal(_visible(neighbourhood, length), visible)

    def attended(neighbourhood, k=k):
        flat = (each.reshape(*each.shape[:2], length, -1)[:, :, neighbourhood.order] for each in (q, k, v))
        y = attend(*map(tf.constant, flat), neighbourhood).numpy()[:, :, np.argsort(neighbourhood.order)]
        return y.reshape(*v.shape)

    agree("Image Transformer's attention, absolute", np.abs(attended(neighbourhood) - stored[prefix + "y"]).max(), 1e-5)
    # There a key of zeros inside the image is taken for one outside of it, but in its own block: here it counts.
    zeroed = k.copy()
    zeroed[:, :, 1, 2] = 0
    place = int(np.argsort(neighbourhood.order)[size[1] + 2])
    queries = neighbourhood.visible.shape[1]
    hidden = neighbourhood.visible & ~(
        (neighbourhood.memory == place)[:, np.newaxis]
        & (np.arange(len(neighbourhood.memory)) != place // queries)[:, np.newaxis, np.newaxis]
    )
    expected = stored[prefix + "y_with_zero_key_at_1_2"]
    theirs, ours = attended(replace(neighbourhood, visible=hidden), zeroed), attended(neighbourhood, zeroed)
    agree("Image Transformer's attention, absolute", np.abs(theirs - expected).max(), 1e-5)
    assert (np.abs(ours - expected).max() > 1e-3) == bool(np.any(hidden != neighbourhood.visible))
    sequence = stored[prefix + "shift_in"].reshape(-1, length, q.shape[-1])[:, neighbourhood.order]
    shifted = shift(tf.constant(sequence), queries).numpy()[:, np.argsort(neighbourhood.order)]
    np.testing.assert_array_equal(shifted.reshape(stored[prefix + "shift_out"].shape), stored[prefix + "shift_out"])


def test_sizes_must_be_multiples_of_blocks(arrays):
    """There padded places stay visible, in case 3."""
    stored = arrays("image_transformer/operations")
    with pytest.raises(ValueError, match="`size` must be multiples of `block`. Received: .9, 10. and .4, 4."):
        around_blocks(stored["local2d_masked/3/q"].shape[2:4], (4, 4), (2, 2))


def test_timing_signal(arrays):
    stored = arrays("image_transformer/operations")
    for name in ("8x12x16", "5x7x10"):
        signal = timing_signal(*map(int, name.split("x")))
        np.testing.assert_allclose(signal, stored[f"timing/2d_{name}"][0], atol=2e-6)


def test_mixture_of_logistics(arrays, agree):
    stored = arrays("image_transformer/operations")
    outputs, levels = tf.constant(stored["dmol/pred"]), tf.constant(stored["dmol/labels"].astype(np.int32))
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        nats = mixture_nll(outputs, levels)
        total = tf.reduce_sum(nats) / 3.0
    expected = stored["dmol/nll_per_pixel"]
    agree("Image Transformer's mixture, nats of a pixel, relative", np.max(np.abs(nats / expected - 1)), 1e-3)
    agree("Image Transformer's losses, relative", abs(total / stored["dmol/loss_numerator"] - 1), 1e-4)
    assert stored["dmol/loss_denominator"] == expected.size
    gradient = tape.gradient(total, outputs)
    distance = np.linalg.norm(gradient - stored["dmol/grad_of_numerator"]) / np.linalg.norm(gradient)
    agree("Image Transformer's mixture, gradient, relative (L2)", distance, 1e-3)
    drawn = draw_from_mixture(outputs, stored["dmol/uniform_mixture"], stored["dmol/uniform_logistic"])
    agree("Image Transformer's mixture, draws, absolute", np.abs(drawn - stored["dmol/sample"]).max(), 1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_logits_loss_and_gradients(arrays, agree, name):
    stored = arrays(f"image_transformer/model_{name}")
    model, levels = _model(stored), tf.constant(stored["image_u8"].astype(np.int32))
    outputs = model(levels)
    agree("Image Transformer's logits, absolute", np.abs(outputs - stored["logits"]).max(), 1e-4)
    weights = named_weights(model)
    with tf.GradientTape() as tape:
        nats = _nats(model, levels)
    agree("Image Transformer's losses, relative", abs(nats / stored["loss_nats"] - 1), 1e-5)
    agree("Image Transformer's losses, relative", abs(nats / math.log(2) / stored["bits_per_dim"] - 1), 1e-5)
    gradients = {name: tf.convert_to_tensor(each) for name, each in tape.gradient(nats, weights).items()}
    for name, norm in zip(stored["names"], stored["grad_norm"]):
        deviation = abs(float(tf.norm(gradients[_our_name(name)])) / norm - 1)
        agree("Image Transformer's gradient norms, relative", deviation, 1e-3)
    # Which outputs hang on one value: none before it.
    changed = levels.numpy()
    changed[:, 4, 5, 1] = (changed[:, 4, 5, 1] + 100) % 256
    differs = np.any(model(changed) != outputs, axis=(0, -1))
    np.testing.assert_array_equal(differs, stored["changed_by_pixel_4_5_green"])


@pytest.mark.parametrize("kind, temperature", [("greedy", 0.0), ("T1", 1.0), ("T05", 0.5)])
def test_completions(arrays, kind, temperature):
    """Every value that is drawn, from keys and values that are kept, is tensor2tensor's, which computes all anew."""
    stored = arrays("image_transformer/model_cat_local_1d")
    model, hole = _model(stored), np.tile(stored["hole"][..., np.newaxis] > 0, [1, 1, 3]).reshape(-1)
    noise = np.zeros([hole.size, 2, 256], np.float32)
    state = np.random.RandomState(int(stored["gumbel_seed"]))
    noise[hole] = state.gumbel(size=(hole.sum(), 2, 256)).astype(np.float32)

    def choose(position, logits):
        scores = logits / temperature + tf.constant(noise)[position] if temperature else logits
        return tf.argmax(scores, -1, tf.int32)[:, tf.newaxis]

    levels, holes = tf.constant(stored["image_u8"].astype(np.int32)), np.tile(stored["hole"] > 0, [2, 1, 1])
    levels = tf.where(holes[..., np.newaxis], 0, levels)
    completed = tf.function(lambda: model.complete(levels, tf.constant(holes), choose), autograph=False)()
    np.testing.assert_array_equal(completed, stored[f"completed_{kind}"])


@pytest.mark.parametrize("name", ["cat_local_2d", "dmol"])
def test_what_is_kept_is_what_is_computed_anew(arrays, name):
    """The likeliest values, of other orders and outputs: one by one, and again with all of them known."""
    model, hole = _model(arrays(f"image_transformer/model_{name}")), np.zeros([2, 8, 8], bool)
    hole[:, 3:5, 2:7] = True
    levels = tf.random.stateless_uniform([2, 8, 8, 3], [1, 2], 0, 256, tf.int32)

    def likeliest(outputs):
        if model.categorical:
            return tf.argmax(outputs, -1, tf.int32)
        half = tf.fill([*outputs.shape[:-1], 5], 0.5)
        values = draw_from_mixture(outputs, half, half[..., :3], temperature=0.0)
        return tf.cast(tf.round((values + 1.0) * 127.5), tf.int32)

    def choose(position, outputs):
        chosen = likeliest(outputs)
        return chosen[:, tf.newaxis] if model.categorical else chosen

    completed = tf.function(lambda: model.complete(levels, tf.constant(hole), choose), autograph=False)()
    expected = np.where(hole[..., np.newaxis], likeliest(model(completed)), levels)
    np.testing.assert_array_equal(completed, expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting, options",
    [
        ("cifar10_base", {"width": 512, "filters": 2048, "depth": 12, "block_length": 256}),
        (
            "cifar10_base_dmol",
            {"width": 256, "filters": 512, "depth": 12, "heads": 8, "attention_width": 512, "block_length": 256}
            | {"output": "mixture", "position": "learned", "max_length": 3075},
        ),
    ],
)
def test_parameters_of_the_published_settings(reference, setting, options):
    about = json.loads((reference / "image_transformer" / "variables.json").read_text())
    model = ImageTransformerGenerator(**options)
    model(tf.zeros([1, 32, 32, 3], tf.int32))
    expected = {"cifar10_base": 38_328_576, "cifar10_base_dmol": 11_059_712}[setting]
    assert parameter_count(model) == about[f"imagetransformer_{setting}"]["trainable"] == expected
