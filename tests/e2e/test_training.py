"""The papers' recipes, trained for three steps: the number of replicas and of parts does not change the run."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from runs import assert_same_bits, logged_scalars, saved_arrays, small_config

from tf_inpaint.checkpoints.releases import RELEASES
from tf_inpaint.config import config_from_dict
from tf_inpaint.errors import InputError
from tf_inpaint.training.trainer import Trainer

pytestmark = pytest.mark.slow

STEPS = 3


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    for i in range(7):
        blocks = generator.integers(0, 256, (9, 11, 3), np.uint8)
        Image.fromarray(np.kron(blocks, np.ones((10, 10, 1), np.uint8))).save(folder / f"{i}.png")
    return folder


OPTIONS = {
    # Adversarial terms of full weight: at the paper's 0.001 they would be lost in the tolerance.
    "deepfill_v1": {"n_critic": 2, "adversarial_weight": 1.0},
    "deepfill_v2": {"n_critic": 2, "guided": True},
    "pen_net": {},
    "context_encoder": {"adversarial_weight": 1.0},
    "dcgan": {},
    "lama": {"blocks": 2},
    "partial_convolution": {"fine_tune_from": 2},
    "global_local": {"adversarial_weight": 1.0, "completion_steps": 0, "discriminator_steps": 0},
    "pix2pix": {},
    "image_transformer": {},
}
IN_PARTS = ("deepfill_v1", "deepfill_v2")  # of those without batch normalisation, which takes a part's statistics
# Several updates, joint ones, batch statistics, phases: one of each.
IN_ONE_CALL = ("deepfill_v1", "pix2pix", "lama", "global_local")
DATA = {"deepfill_v2": {"edges": "canny", "edges_drop": 0.3}}
MASKS = {
    "deepfill_v1": "box",
    "deepfill_v2": "union",
    "pen_net": "shapes",
    "context_encoder": "noise",
    "dcgan": "box",
    "lama": "union",
    "partial_convolution": "union",
    "global_local": "box",
    "pix2pix": "centre",
    "image_transformer": "half",
}
WEIGHTS = {  # of the generator, of the discriminator, of which not trained
    "deepfill_v1": (84, 20, 0),
    "deepfill_v2": (84, 18, 6),
    "pen_net": (68, 14, 8),
    "context_encoder": (52, 22, 22),
    "dcgan": (26, 22, 14),
    "lama": (133, 28, 56),
    "partial_convolution": (33, 0, 12),
    "global_local": (98, 60, 50),
    "pix2pix": (44, 16, 0),
    "image_transformer": (27, 0, 0),
}
BRIEFLY = ("pix2pix", "image_transformer")  # without a state of their own: replicas alone are compared
STATE = ("..u", "..v", "..moving_mean", "..moving_variance")


def train(recipe, images, run_folder, options=None, **training):
    """(scalars of each step, everything in the checkpoint), batch 4; `options` besides those of `OPTIONS`."""
    common = {"steps": STEPS, "deterministic": False, "log_every": 1, "ema_decay": 0.9, "strategy": "one_device"}
    values = small_config(
        recipe,
        {**OPTIONS[recipe], **(options or {})},
        images,
        run_folder,
        {**common, **training},
        DATA.get(recipe, ()),
        # Some gradients are zero but for rounding (discriminators' biases, where truth and completion cancel). With an
        # epsilon
        # of 1e-8 Adam makes steps of them, of either sign; with this one it does not, and the comparison can be strict.
        optimizer={"epsilon": 1e-4},
    )
    values["mask"]["kind"] = MASKS[recipe]
    Trainer(config_from_dict(values, "e2e"), report=lambda line: None).train()
    return logged_scalars(run_folder), saved_arrays(run_folder)


@pytest.fixture(scope="module", params=OPTIONS)
def recipe(request):
    return request.param


@pytest.fixture(scope="module")
def run_folder(recipe, tmp_path_factory):
    """Of the run that the others are compared with."""
    return tmp_path_factory.mktemp("runs") / recipe


@pytest.fixture(scope="module")
def one_device(recipe, images, run_folder):
    return train(recipe, images, run_folder, checkpoint_every=1)


@pytest.mark.parametrize(
    "training", [{"strategy": "mirrored"}, {"accumulation_steps": 2}], ids=["two replicas", "two parts"]
)
def test_batch_of_four_is_the_same_run_however_it_is_shared_out(recipe, images, one_device, tmp_path, training):
    if recipe not in IN_PARTS and "accumulation_steps" in training:
        pytest.skip("its batch normalisation takes the statistics of a part, or its updates are like DeepFill's")
    scalars, saved = train(recipe, images, tmp_path / "run", **training)
    assert len(scalars) == STEPS
    assert_same_run((scalars, saved), one_device, chaotic=recipe in ("lama", "global_local"))


def _skip_if_brief(recipe):
    if recipe in BRIEFLY:
        pytest.skip(f"the steps of {recipe} are those of the others")


def assert_same_run(run, expected_run, chaotic=False):
    """But for rounding, which ReLUs behind batch statistics and Adam's first updates, of the learning rate each,
    make more of: its first step is compared 20 times as widely, the later ones 2,000 times, as its reference asks."""
    (scalars, saved), (expected_scalars, expected) = run, expected_run
    assert len(scalars) == len(expected_scalars) and set(saved) == set(expected)
    for index, (line, expected_line) in enumerate(zip(scalars, expected_scalars)):
        looser = (2000 if index else 20) if chaotic else 1
        for name in expected_line:
            # A norm adds up many small numbers, whose rounding depends on the shapes and on the processor.
            tolerance = looser * (5e-5 if name.endswith("_norm") else 1e-5)
            assert line[name] == pytest.approx(expected_line[name], rel=tolerance, abs=1e-6), (line["step"], name)
    for name, value in expected.items():
        if name.split("/")[0] in ("generator", "discriminator", "ema"):
            deviation = np.abs(saved[name] - value)
            assert (deviation.mean() if chaotic else deviation.max()) <= (2e-4 if chaotic else 5e-6), name


def test_several_steps_in_a_call_are_the_same_run(recipe, images, one_device, tmp_path):
    if recipe not in IN_ONE_CALL:
        pytest.skip("its steps are those of another recipe")
    _, found = train(recipe, images, tmp_path / "run", steps_per_call=STEPS, log_every=STEPS)
    assert_same_bits(found, one_device[1])


def test_in_16_bits_the_losses_are_nearly_the_same(recipe, images, one_device, tmp_path):
    _skip_if_brief(recipe)
    scalars, saved = train(recipe, images, tmp_path / "run", precision="mixed_bfloat16")
    for line, expected in zip(scalars, one_device[0]):
        for name in {"generator_loss", "discriminator_loss"} & set(expected):
            assert line[name] == pytest.approx(expected[name], rel=0.05), name
    assert all(value.dtype != np.float16 and value.dtype.itemsize >= 4 for value in saved.values())
    assert any(np.any(saved[name] != value) for name, value in one_device[1].items() if name.startswith("generator"))


ABLATIONS = {  # of DeepFill v1: options, and what is left of the generator's terms
    "partial convolutions, spatial transformer, total variation in place of l1": (
        {"convolution": "partial", "attention": "spatial_transformer"}
        | {"l1_weight": 0.0, "autoencoder_weight": 0.0, "total_variation_weight": 1.0},
        {"total_variation"},
    ),
    "appearance flow, perceptual, style": (
        {"attention": "appearance_flow", "perceptual_weight": 1e-4, "style_weight": 1e-6},
        {"l1", "autoencoder", "perceptual", "style"},
    ),
}


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_ablations_train_and_are_the_same_run_on_two_replicas(ablation, images, vgg16_file, tmp_path):
    options, terms = ABLATIONS[ablation]
    options = {**options, "n_critic": 0, "perceptual_file": str(vgg16_file)}  # what differs is the generator's
    runs = [
        train("deepfill_v1", images, tmp_path / strategy, options, steps=2, strategy=strategy)
        for strategy in ("one_device", "mirrored")
    ]
    assert_same_run(*runs)
    scalars, saved = runs[0]
    possible = {"l1", "autoencoder", "perceptual", "style", "total_variation"}
    assert all(set(line) & possible == terms and np.isfinite(list(line.values())).all() for line in scalars)
    assert all(np.isfinite(value).all() for value in saved.values() if value.dtype == np.float32)
    assert not [name for name in saved if "block" in name]  # VGG is in no checkpoint


def test_checkpoint_holds_both_networks_the_optimiser_the_average_and_the_step(recipe, one_device):
    _, saved = one_device
    suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
    assert saved[f"step{suffix}"] == STEPS
    # Discriminator and generator updates alike.
    updates = {"partial_convolution": 1, "image_transformer": 1, "dcgan": 3}
    updates = updates.get(recipe, OPTIONS[recipe].get("n_critic", 1) + 1)
    assert saved[f"optimizer/iterations{suffix}"] == STEPS * updates
    names = [name[: -len(suffix)] for name in saved]
    generator = [name for name in names if name.startswith("generator/")]
    discriminator = [name for name in names if name.startswith("discriminator/")]
    state = [name for name in generator + discriminator if name.endswith(STATE)]
    assert (len(generator), len(discriminator), len(state)) == WEIGHTS[recipe]
    assert len([name for name in names if name.startswith("ema/")]) == len(generator)
    trained = len(generator) + len(discriminator) - len(state)
    assert len([name for name in names if name.startswith("optimizer/")]) == 2 * trained + 1
    first = {"pen_net": "dw_conv01", "context_encoder": "enc1", "dcgan": "project", "lama": "up1"}
    first.update({"partial_convolution": "enc1..conv", "global_local": "conv1..conv", "pix2pix": "encoder_1"})
    first = {**first, "image_transformer": "embedding"}.get(recipe, "coarse..conv1")
    assert f"generator/{first}..kernel" in generator  # TensorFlow doubles the dots of a name


def test_every_loss_term_is_logged_under_its_name(recipe, one_device):
    scalars, _ = one_device
    v1 = {"l1", "autoencoder", "adversarial_global", "adversarial_local"}
    v1 |= {"critic_global", "critic_local", "penalty_global", "penalty_local"}
    terms = {
        "deepfill_v1": v1,
        "deepfill_v2": {"l1", "adversarial", "critic"},
        "pen_net": {"hole", "valid", "pyramid", "adversarial", "critic"},
        "context_encoder": {"l2", "adversarial", "critic"},
        "dcgan": {"adversarial", "critic"},
        "lama": {"l1", "adversarial", "feature_matching", "critic", "r1"},
        "partial_convolution": {"valid", "hole", "total_variation"},
        "global_local": {"l2", "adversarial", "critic"},
        "pix2pix": {"l1", "adversarial", "critic"},
        "image_transformer": {"bits_per_dim"},
    }
    assert terms[recipe] <= set(scalars[0])


def test_coarse_pre_training_leaves_the_second_stage_and_the_critics_alone(images, tmp_path):
    options = {"pretrain_coarse": True}
    training, data = {"steps": 1, "deterministic": False}, {"batch_size": 2}
    values = small_config("deepfill_v1", options, images, tmp_path / "run", training, data)
    trainer = Trainer(config_from_dict(values, "coarse"), report=lambda line: None)
    networks = trainer.learner.variables()
    weights = {**networks["generator"], **networks["discriminator"]}
    before = {name: weight.numpy() for name, weight in weights.items()}
    trainer.train()
    changed = {name for name, weight in weights.items() if np.any(weight.numpy() != before[name])}
    assert changed == {name for name in before if name.startswith("coarse.")}


def _as_release(prefix, recipe, folder):
    """The checkpoint of a run as the authors' program would have written it."""
    beta2 = 0.9  # of the default section `optimizer`
    release = next(each for each in RELEASES if each.recipe == recipe)
    reader = tf.train.load_checkpoint(prefix)

    def read(name):
        return reader.get_tensor(f"{name.replace('.', '..')}/.ATTRIBUTES/VARIABLE_VALUE")

    arrays = {}
    held = {name.partition("/")[2].partition("/.")[0].replace("..", ".") for name in reader.get_variable_to_shape_map()}
    for network in release.networks:
        for theirs, ours in release.names(network, held).items():
            arrays[theirs] = release.turn_colours(ours, read(f"{network}/{ours}"))
            if not ours.endswith(".u"):
                for slot, moment in (("Adam", "m"), ("Adam_1", "v")):
                    value = read(f"optimizer/{moment}.{network}.{ours}")
                    arrays[f"{theirs}/{slot}"] = release.turn_colours(ours, value)
    arrays["global_step"] = np.int32(read("step"))
    power = np.float32(beta2) ** np.float32(read("optimizer/iterations") + 1)
    arrays.update(dict.fromkeys(release.powers.values(), power))
    names, values = list(arrays), list(arrays.values())
    tf.raw_ops.SaveV2(
        prefix=str(folder / "snap-0"), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values
    )
    return folder / "snap-0"


@pytest.mark.parametrize("kind", ["run", "release"])
def test_another_training_is_gone_on_with(recipe, images, one_device, run_folder, tmp_path, kind):
    """The third step by a new run from the checkpoint of two: the run of three, bit for bit."""
    _skip_if_brief(recipe)
    if kind == "release" and all(recipe != release.recipe or release.pytorch for release in RELEASES):
        pytest.skip(f"no TensorFlow checkpoints of {recipe} were released")
    two_steps = str(run_folder / "checkpoints" / "step-00000002")
    source = two_steps if kind == "run" else _as_release(two_steps, recipe, tmp_path)
    continued = {"init_from": str(source), "init_optimizer": True, "ema_decay": 0.0}
    _, saved = train(recipe, images, tmp_path / "second", **continued)
    for name, value in saved.items():
        np.testing.assert_array_equal(value, one_device[1][name], err_msg=name)


def test_without_an_optimiser_there_is_none_to_go_on_with(recipe, images, guided_run, tmp_path):
    _skip_if_brief(recipe)
    with pytest.raises(InputError, match="holds no optimiser|cannot fill the generator"):
        train(recipe, images, tmp_path / "run", init_from=str(guided_run), init_optimizer=True)
