"""The authors' checkpoints and our own into our networks: names, colours, reports, refusals."""

import dataclasses
import functools
import json

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.checkpoints import open_checkpoint
from tf_inpaint.checkpoints.description import describe, describe_shapes
from tf_inpaint.checkpoints.load import compare, load_weights, to_release_arrays
from tf_inpaint.checkpoints.releases import DEEPFILL_V1
from tf_inpaint.checkpoints.training_state import read_training_state
from tf_inpaint.errors import InputError
from tf_inpaint.models import DeepFillV1Discriminator, DeepFillV1Generator
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes import DeepFillV2Recipe, LaMaRecipe, PENNetRecipe, Pix2PixRecipe

NETWORKS, SLOTS = ("generator", "discriminator"), ("Adam", "Adam_1")


@functools.lru_cache(maxsize=None)
def _networks(width=4, critic_width=2, size=64, patch=32, copy=0):
    """Built once and never changed, but for the copies that tests fill."""
    image, mask = tf.zeros([1, size, size, 3]), tf.zeros([1, size, size, 1])
    generator, discriminator = DeepFillV1Generator(width), DeepFillV1Discriminator(critic_width)
    generator((image, mask))
    discriminator((image, tf.zeros([1, patch, patch, 3])))
    return generator, discriminator


@functools.lru_cache(maxsize=None)
def _built(recipe, width, critic_width, copy=0, **options):
    recipe = recipe(recipe.Options(width=width, critic_width=critic_width, **options))
    side = max(64, recipe.generator.minimum_size)
    recipe.build(side, side)
    return recipe.generator, recipe.discriminator


_gated = functools.partial(_built, DeepFillV2Recipe)
_pen_net = functools.partial(_built, PENNetRecipe)
_lama = functools.partial(_built, LaMaRecipe, 4, 2, blocks=1, perceptual_weight=0.0)


@pytest.fixture
def target():
    networks = _networks(copy=1)
    for model in networks:
        for weight in named_weights(model).values():
            weight.assign(tf.fill(weight.shape, 0.25))
    return networks


def _shapes(model):
    return {name: tuple(weight.shape) for name, weight in named_weights(model).items()}


def _values(model):
    return {name: weight.numpy() for name, weight in named_weights(model).items()}


def _assert_equal(values, expected):
    assert values.keys() == expected.keys()
    for name, value in values.items():
        np.testing.assert_array_equal(value, expected[name], name)


def _assert_fills(path, source, target, count):
    """Every weight of the target becomes the source's."""
    assert str(load_weights(path, *target)) == f"{count} variables loaded, 0 missing, 0 unexpected, 0 of another shape"
    for before, after in zip(source, target):
        _assert_equal(_values(after), _values(before))


def _assert_maps(shapes, networks, recipe, options, count):
    """A release of that description whose variables are those of networks, without rest."""
    description = describe_shapes(shapes)
    assert (description.kind, description.recipe, description.options) == ("release", recipe, options)
    report = compare(description, {network: _shapes(model) for network, model in networks.items()})
    assert (report.missing, report.unexpected, report.mis_shaped) == ((), (), ())
    assert len(report.loaded) == count


def _save_run(folder, generator, discriminator, **more):
    optimizer = tf.keras.optimizers.Adam()
    optimizer.build(generator.trainable_variables)
    state = tf.train.Checkpoint(
        step=tf.Variable(3, dtype=tf.int64),
        generator=named_weights(generator),
        discriminator=named_weights(discriminator),
        optimizer=optimizer,
        **more,
    )
    return state.write(str(folder / "step-00000003"))


def _release_arrays(generator, discriminator):
    arrays = to_release_arrays(generator, discriminator)
    slots = {f"{name}/{slot}": np.zeros_like(value) for name, value in arrays.items() for slot in ("Adam", "Adam_1")}
    loop = {name: np.float32(0.5) for name in ("beta1_power", "beta2_power", "lr")}
    return {**arrays, **slots, **loop, "global_step": np.int32(7)}


def _listed(reference, release):
    """Name -> shape of the variables of a real release."""
    listed = json.loads((reference / "release_variables" / f"{release}_256.json").read_text())
    return {name: entry["shape"] for name, entry in listed.items()}


@pytest.mark.parametrize("data", ["celeba", "celeba_hq", "dtd", "imagenet", "places2"])
def test_the_variables_of_the_real_releases_map_without_rest(reference, data):
    shapes = _listed(reference, f"deepfill_v1_release_{data}")
    options, patch = {"width": 32}, {"celeba_hq": 144, "dtd": 128}.get(data)
    generator, discriminator = _networks(32, 64, 256, patch or 128)
    if patch is None:
        options = describe_shapes(shapes).options
        assert options["width"] == 32
        _assert_maps(shapes, {"generator": generator}, "deepfill_v1", options, 84)
    else:
        options = {"width": 32, "critic_width": 64, "local_patch": (patch, patch)}
        networks = {"generator": generator, "discriminator": discriminator}
        _assert_maps(shapes, networks, "deepfill_v1", options, 84 + 20)


@pytest.mark.parametrize("data", ["celeba_hq", "places2"])
def test_the_variables_of_the_real_releases_of_v2_map_without_rest(reference, data):
    networks = dict(zip(("generator", "discriminator"), _gated(48, 64)))
    options = {"width": 48, "guided": False, "critic_width": 64}
    _assert_maps(_listed(reference, f"deepfill_v2_release_{data}"), networks, "deepfill_v2", options, 84 + 18)


@pytest.mark.parametrize("guided", [False, True])
def test_a_gated_release_round_trip(tmp_path, save_release, guided):
    source, target = (_gated(8, 2, guided=guided, copy=copy) for copy in (0, 1))
    prefix = save_release(tmp_path, to_release_arrays(*source, recipe="deepfill_v2"))
    assert describe(prefix).options == {"width": 8, "guided": guided, "critic_width": 2}
    _assert_fills(prefix, source, target, 102)


def test_release_round_trip_with_optimiser_state(tmp_path, save_release, target):
    source = _networks()
    prefix = save_release(tmp_path, _release_arrays(*source))
    description = describe(prefix)
    assert description.options == {"width": 4, "critic_width": 2, "local_patch": (32, 32)}
    options = "width 4, critic_width 2, local_patch (32, 32)"
    assert str(description) == f"DeepFill v1 release ({options}, with discriminators)"

    _assert_fills(prefix, source, target, 104)


def test_colours_are_turned_where_pixels_enter_and_leave():
    generator, discriminator = _networks()
    ours = {**_values(generator), **_values(discriminator)}
    theirs = to_release_arrays(generator, discriminator)
    order = [2, 1, 0, 3, 4]
    for name in ("conv1", "xconv1", "pmconv1"):
        stage = "coarse" if name == "conv1" else "refinement"
        turned = ours[f"{stage}.{name}.kernel"][:, :, order]
        np.testing.assert_array_equal(theirs[f"inpaint_net/{name}/kernel"], turned)
    for critic in ("global", "local"):
        turned = ours[f"{critic}_critic.conv1.kernel"][:, :, ::-1]
        np.testing.assert_array_equal(theirs[f"discriminator/discriminator_{critic}/conv1/kernel"], turned)
    for stage, name in (("coarse", "conv17"), ("refinement", "allconv17")):
        for part in ("kernel", "bias"):
            turned = ours[f"{stage}.{name}.{part}"][..., ::-1]
            np.testing.assert_array_equal(theirs[f"inpaint_net/{name}/{part}"], turned)
    inner = "inpaint_net/conv13_upsample/conv13_upsample_conv/kernel"
    np.testing.assert_array_equal(theirs[inner], ours["coarse.conv13_upsample.kernel"])


def test_a_generator_alone_fills_the_generator_and_reports_the_critics(tmp_path, save_release, target):
    source = _networks()
    critics = _values(target[1])
    report = load_weights(save_release(tmp_path, to_release_arrays(source[0])), *target)
    assert len(report.loaded) == 84 and not report.missing and not report.unexpected and report.no_discriminator
    assert str(report) == "84 variables loaded, 0 missing, 0 unexpected, 0 of another shape, no discriminator there"
    _assert_equal(_values(target[0]), _values(source[0]))
    _assert_equal(_values(target[1]), critics)


def test_a_critic_of_another_patch_size_keeps_its_own_head(tmp_path, save_release, target):
    source = _networks(patch=64)
    head = named_weights(target[1])["local_critic.head.kernel"].numpy()
    report = load_weights(save_release(tmp_path, _release_arrays(*source)), *target)
    assert report.mis_shaped == (("local_critic.head.kernel", (256, 1), (64, 1)),)
    assert "(256, 1) in the checkpoint and (64, 1) here" in str(report)
    np.testing.assert_array_equal(named_weights(target[1])["local_critic.head.kernel"], head)
    np.testing.assert_array_equal(
        named_weights(target[1])["local_critic.conv4.kernel"], named_weights(source[1])["local_critic.conv4.kernel"]
    )


def test_a_variable_nobody_knows_is_unexpected(tmp_path, save_release, target):
    arrays = {**to_release_arrays(_networks()[0]), "inpaint_net/extra/kernel": np.zeros(3, np.float32)}
    report = load_weights(save_release(tmp_path, arrays), target[0])
    assert report.unexpected == ("inpaint_net/extra/kernel",)


@pytest.mark.parametrize("lacking", ["inpaint_net/allconv12/bias", "inpaint_net/conv1/kernel"])
def test_a_generator_that_lacks_a_variable_is_refused_untouched(tmp_path, save_release, lacking, target):
    source = _networks()
    arrays = to_release_arrays(source[0])
    del arrays[lacking]
    before = _values(target[0])
    name = DEEPFILL_V1.networks["generator"][lacking]
    with pytest.raises(InputError, match=rf"cannot fill the generator: 83 variables loaded, 1 missing \({name}\)"):
        load_weights(save_release(tmp_path, arrays), target[0])
    _assert_equal(_values(target[0]), before)


def test_a_generator_of_another_width_is_refused(tmp_path, save_release, target):
    prefix = save_release(tmp_path, to_release_arrays(_networks(width=6)[0]))
    with pytest.raises(InputError, match="82 of another shape"):
        load_weights(prefix, target[0])


def test_damaged_data_leaves_the_generator_untouched(tmp_path, save_release, target):
    generator, _ = target
    prefix = save_release(tmp_path, to_release_arrays(_networks()[0]))
    with open(f"{prefix}.data-00000-of-00001", "r+b") as file:
        file.truncate(2000)
    before = _values(generator)
    with pytest.raises(InputError, match="damaged or incomplete"):
        load_weights(prefix, generator)
    _assert_equal(_values(generator), before)


def test_a_run_of_ours(tmp_path, target):
    source = _networks()
    prefix = _save_run(tmp_path, *source)
    description = describe(prefix)
    assert (description.kind, description.recipe, description.averaged) == ("run", "deepfill_v1", False)
    assert description.options["width"] == 4
    _assert_fills(prefix, source, target, 104)


def test_the_moving_average_of_a_run_is_preferred(tmp_path, target):
    source = _networks()
    average = {name: weight.numpy() + 1 for name, weight in named_weights(source[0]).items()}
    prefix = _save_run(tmp_path, *source, ema={name: tf.Variable(value) for name, value in average.items()})
    assert describe(prefix).averaged
    load_weights(prefix, *target)
    _assert_equal(_values(target[0]), average)
    _assert_equal(_values(target[1]), _values(source[1]))


GUIDED = {
    "v2": (DeepFillV2Recipe, {}, ("coarse.conv1.kernel", "conv1.kernel")),
    "fourier": (LaMaRecipe, {"blocks": 1, "perceptual_weight": 0.0}, ("conv_in.conv.local_to_local.kernel",)),
    "regular": (LaMaRecipe, {"blocks": 1, "kind": "regular", "perceptual_weight": 0.0}, ("conv_in.conv.kernel",)),
}


@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize("model", GUIDED)
def test_a_guided_model_and_one_that_is_not_may_start_from_each_other(tmp_path, model, guided):
    kind, options, reading_edges = GUIDED[model]
    options = kind.Options(width=4, critic_width=2, guided=guided, **options)
    source, target = (kind(each) for each in (options, dataclasses.replace(options, guided=not guided)))
    for recipe in (source, target):
        recipe.build(64, 64)
    prefix = _save_run(tmp_path, source.generator, source.discriminator)
    report = load_weights(prefix, target.generator, target.discriminator)
    assert str(report).endswith("0 of another shape, what reads edges left out or 0")
    assert report.edges == reading_edges
    draw = np.random.default_rng(0)
    image, hole = draw.uniform(-1, 1, [1, 64, 64, 3]), draw.integers(0, 2, [1, 64, 64, 1])
    batch = {"image": image, "mask": hole, "edges": np.zeros([1, 64, 64, 1])}
    batch = {name: tf.constant(value, tf.float32) for name, value in batch.items()}
    before, after = (recipe.complete(batch, training=False)["predicted"] for recipe in (source, target))
    np.testing.assert_allclose(before, after, atol=1e-6)


@pytest.mark.parametrize(
    "shapes, said",
    [
        ({"encoder/conv/weights": (3, 3, 4, 8), "global_step": ()}, "(1 variable, such as encoder/conv/weights"),
        ({"net/kernel/.ATTRIBUTES/VARIABLE_VALUE": (4, 8)}, "of another model (1 variable, such as net/kernel)"),
        ({"_CHECKPOINTABLE_OBJECT_GRAPH": (), "global_step": ()}, "a checkpoint without network variables"),
        ({"inpaint_net/conv1/kernel": (5, 5, 5, 32), "inpaint_net/conv1/bias": (32,)}, "of another model"),
    ],
)
def test_strangers_are_told_apart_by_their_variables(shapes, said):
    with pytest.raises(InputError) as refused:
        describe_shapes(shapes, "snap-0")
    assert said in str(refused.value) and str(refused.value).startswith("snap-0 is ")


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"weights": "places2"}, "there are no weights named 'places2'"),
        ({"weights": "places2", "checkpoint_dir": "x"}, "exclude each other"),
        ({"checkpoint_dir": "no/such"}, "no checkpoint at no/such"),
    ],
)
def test_nothing_to_load_is_a_sentence(arguments, said):
    with pytest.raises(InputError, match=said):
        open_checkpoint(arguments.get("checkpoint_dir"), arguments.get("weights"))


# PEN-Net, whose release is PyTorch's


def _pen_net_arrays(*networks):
    """netG's and netD's arrays, apart."""
    generator = to_release_arrays(networks[0], recipe="pen_net")
    both = to_release_arrays(*networks, recipe="pen_net")
    return generator, {name: array for name, array in both.items() if name not in generator}


def test_pen_net_at_the_published_widths_maps_without_rest(reference):
    shapes = {}
    for network in ("generator", "discriminator"):
        listed = json.loads((reference / "pennet" / f"{network}_full_weights_recipe.json").read_text())
        shapes.update({entry["name"]: entry["shape"] for entry in listed["parameters"]})
    state = np.load(reference / "pennet" / "discriminator_full_256_b1.npz")
    shapes.update({name[7:]: state[name].shape for name in state.files if name.startswith("state0/")})
    networks = dict(zip(("generator", "discriminator"), _pen_net(32, 64)))
    _assert_maps(shapes, networks, "pen_net", {"width": 32, "critic_width": 64}, 68 + 14)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("form", ["release", "one file", "plain", "DataParallel"])
def test_pen_net_round_trip(tmp_path, torch_save, legacy, form):
    source, target = _pen_net(4, 8), _pen_net(4, 8, copy=1)
    net_g, net_d = _pen_net_arrays(*source)
    moments = {"state": {i: {"step": 3, "exp_avg": np.zeros(5)} for i in range(3)}, "param_groups": [{"lr": 1e-4}]}
    path = tmp_path / "gen_00300.pth"
    if form == "release":
        torch_save(path, {"netG": net_g}, legacy)
        torch_save(tmp_path / "dis_00300.pth", {"netD": net_d}, legacy)
        torch_save(tmp_path / "opt_00300.pth", {"iteration": 300, "optimG": moments}, legacy)
    elif form == "one file":
        both = {"netG": net_g, "netD": net_d, "optimG": moments, "optimD": moments, "iteration": 300}
        torch_save(path, both, legacy)
    elif form == "plain":
        torch_save(path, {**net_g, **net_d}, legacy)
    else:
        parallel = [{f"module.{name}": array for name, array in net.items()} for net in (net_g, net_d)]
        torch_save(path, dict(zip(("netG", "netD"), parallel)), legacy)
    description = describe(path)
    assert str(description) == "PEN-Net release (width 4, critic_width 8, with discriminators)"
    _assert_fills(path, source, target, 82)
    with pytest.raises(InputError, match="gen_00300.pth holds no optimiser"):
        read_training_state(path, 0.999, 1)


def test_pen_net_s_arrays_are_in_pytorch_s_order():
    generator, critic = (_values(model) for model in _pen_net(4, 8))
    net_g, net_d = _pen_net_arrays(*_pen_net(4, 8))
    assert net_g["dw_conv01.0.weight"].shape == (4, 4, 3, 3)
    np.testing.assert_array_equal(net_g["up_conv04.0.weight"][3, 5], generator["up_conv04.kernel"][:, :, 5, 3])
    kernel, v = net_d["encoder.2.weight_orig"], net_d["encoder.2.weight_v"]
    ours = critic["encoder2.kernel"].reshape(-1, critic["encoder2.kernel"].shape[-1])
    product = kernel.reshape(len(kernel), -1) @ v  # what v is for
    np.testing.assert_allclose(product, (critic["encoder2.v"] @ ours)[0], atol=1e-5)


def test_pen_net_without_its_critic_and_with_strangers(tmp_path, torch_save):
    source, target = _pen_net(4, 8), _pen_net(4, 8, copy=1)
    net_g, _ = _pen_net_arrays(*source)
    average = {name: array + 1 for name, array in net_g.items() if "torgb" not in name}
    path = torch_save(tmp_path / "G.pth", {"average": average, "netG": {**net_g, "extra": np.zeros(2)}})
    report = load_weights(path, *target)
    assert (len(report.loaded), report.missing, report.no_discriminator) == (68, (), True)
    assert set(report.unexpected) == {"netG/extra", *(f"average/{name}" for name in average)}
    _assert_equal(_values(target[0]), _values(source[0]))
    assert "without discriminators" in str(describe(path))


def test_pen_net_that_lacks_a_weight_or_is_of_another_width_is_refused_untouched(tmp_path, torch_save):
    target = _pen_net(4, 8, copy=1)
    before = _values(target[0])
    net_g, _ = _pen_net_arrays(*_pen_net(4, 8))
    del net_g["torgb3.0.bias"]
    net_g["decoder.0.weight"] = net_g["decoder.0.weight"][:, :, :1]
    path = torch_save(tmp_path / "G.pth", net_g)
    with pytest.raises(
        InputError, match=r"66 variables loaded, 1 missing \(torgb3\.bias\), 0 unexpected, 1 of another"
    ):
        load_weights(path, target[0])
    with pytest.raises(InputError, match="G.pth cannot fill the generator: .* of another shape"):
        load_weights(torch_save(path, _pen_net_arrays(*_pen_net(8, 8))[0]), target[0])
    _assert_equal(_values(target[0]), before)


def test_a_run_of_pen_net_is_known_by_its_weights_too(tmp_path):
    source, target = _pen_net(4, 8), _pen_net(4, 8, copy=1)
    prefix = _save_run(tmp_path, *source)
    assert str(describe(prefix)) == "tf_inpaint run of PEN-Net (width 4, critic_width 8, with discriminators)"
    _assert_fills(prefix, source, target, 82)


def test_a_stranger_from_pytorch_hears_what_can_be_read(tmp_path, torch_save):
    path = torch_save(tmp_path / "other.pth", {"model": {"conv.weight": np.zeros((1, 2, 3, 3))}})
    with pytest.raises(InputError) as refused:
        describe(path)
    assert str(refused.value) == (
        f"{path} is a checkpoint of another model (1 variable, such as model/conv.weight), which this version cannot "
        "use: it reads the authors' DeepFill v1 (TensorFlow), DeepFill v2 (TensorFlow), PEN-Net (PyTorch), LaMa "
        "(PyTorch) and pix2pix (TensorFlow) checkpoints and runs of its own train.py"
    )
    with pytest.raises(InputError, match="is a checkpoint without network variables"):
        describe(torch_save(path, {"iteration": 3}))


# LaMa, whose release is PyTorch Lightning's


@pytest.mark.parametrize("kind, count", [("fourier", 117), ("regular", 84), ("dilated", 96)])
@pytest.mark.parametrize("form", ["Lightning", "plain", "generator alone"])
def test_lama_round_trip(tmp_path, torch_save, form, kind, count):
    source, target = _lama(kind=kind), _lama(kind=kind, copy=1)
    arrays = to_release_arrays(*source, recipe="lama")
    norms = [name for name in arrays if name.endswith("running_mean")]
    arrays |= {name.replace("running_mean", "num_batches_tracked"): np.zeros([], np.int64) for name in norms}
    if form == "Lightning":
        foreign = {f"val_evaluator.scores.lpips.{i}": np.zeros(2, np.float32) for i in range(5)}
        contents = {"epoch": 3, "state_dict": {**arrays, **foreign}, "callbacks": {}, "lr_schedulers": []}
        path = torch_save(tmp_path / "best.ckpt", contents)
        description = describe(path)
        told = "global_ratio 0.75" if kind == "fourier" else f"kind {kind}"
        assert str(description) == f"LaMa release (width 4, blocks 1, {told}, critic_width 2, with discriminators)"
        report = load_weights(path, *target)
        assert (len(report.loaded), report.missing, report.mis_shaped) == (count, (), ())
        assert "5 unexpected (state_dict/val_evaluator... 5)" in str(report)
        for before, after in zip(source, target):
            _assert_equal(_values(after), _values(before))
    elif form == "plain":
        _assert_fills(torch_save(tmp_path / "lama.pt", arrays), source, target, count)
    else:
        alone = {name.partition(".")[2]: value for name, value in arrays.items() if name.startswith("generator.")}
        _assert_fills(torch_save(tmp_path / "lama.pth", alone, legacy=True), source[:1], target[:1], count - 28)


def test_a_lama_with_further_paths_is_another_network(tmp_path, torch_save):
    arrays = to_release_arrays(_lama()[0], recipe="lama")
    more = {"generator.model.5.conv1.ffc.convg2g.lfu.conv_layer.weight": np.zeros((2, 2, 1, 1), np.float32)}
    with pytest.raises(InputError, match=r"is of a LaMa that .* with state_dict/generator\.model\.5\.conv1\.ffc.*lfu"):
        describe(torch_save(tmp_path / "best.ckpt", {"state_dict": {**arrays, **more}}))


@pytest.mark.parametrize(
    "text, said",
    [
        ("generator:\n  ngf: 4\n  kind: ffc_resnet\n  resnet_conv_kwargs:\n    ratio_gin: ${generator.x}\n", ()),
        ("a: [", ("config.yaml cannot be read, and is passed over",)),
        ("[1, 2]", ()),
        (
            "generator: {ngf: 64, n_blocks: 18, kind: pix2pixhd_global}",
            ("generator.kind: regular, but", "generator.ngf: 64, but its weights are of 4", "n_blocks: 18, but"),
        ),
    ],
)
def test_what_a_config_beside_lama_says_otherwise(tmp_path, torch_save, text, said):
    (tmp_path / "models").mkdir()
    path = torch_save(tmp_path / "models" / "best.ckpt", to_release_arrays(_lama()[0], recipe="lama"))
    (tmp_path / "config.yaml").write_text(text)
    notes = load_weights(tmp_path, _lama(copy=1)[0]).notes
    assert len(notes) == len(said) and all(part in note for part, note in zip(said, notes))
    (tmp_path / "config.yaml").write_text("generator: {add_out_act: true}")
    with pytest.raises(InputError, match="generator.add_out_act: True, but .* has sigmoid alone"):
        describe(path)


@pytest.mark.parametrize("updates, step, expected", [(7, 7, 7), (100_000, 100_000, 100_000)])
def test_pix2pix_has_an_optimiser_for_each_network(tmp_path, updates, step, expected):
    generator, critic = _built(Pix2PixRecipe, 4, 2, image_size=256)
    arrays = to_release_arrays(generator, critic, "pix2pix")
    assert len(arrays) == 76
    slots = {f"{name}/{slot}": value + index for name, value in arrays.items() for index, slot in enumerate(SLOTS)}
    powers = {f"{network}_train/beta2_power": np.float32(0.999 ** (updates + 1)) for network in NETWORKS}
    names = {**arrays, **slots, **powers, "global_step": np.int64(step), "generator/encoder_2/x/moving_mean": 0.0}
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "model-7"),
        tensor_names=list(names),
        shape_and_slices=[""] * len(names),
        tensors=list(names.values()),
    )
    state = read_training_state(tmp_path / "model-7", 0.999, 1)
    assert (state.step, state.updates) == (step, dict.fromkeys(NETWORKS, expected))
    kernel = named_weights(generator)["encoder_1.kernel"]
    np.testing.assert_array_equal(state.moments["encoder_1.kernel"], [kernel, kernel + 1])
    assert str(describe(tmp_path / "model-7")) == (
        "pix2pix release (image_size 256, width 4, critic_width 2, with discriminators)"
    )
