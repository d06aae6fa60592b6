"""The original programs' numbers: the full set where it is at hand, small extracts of it in any clone."""

import bz2
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.config import OptimizerConfig
from tf_inpaint.layers import MirrorConv2D, UpsampleConv2D
from tf_inpaint.models.weights import named_weights
from tf_inpaint.ops.images import composite, to_float
from tf_inpaint.training.optimizers import Optimizers

DECIDED = 1e-3  # lead of the best key below which an offset may differ
EXTRACTS = Path(__file__).parent / "data"
_AGREEMENT = {}  # what -> (largest deviation met, tolerance)


def agree(what, deviation, tolerance):
    """Fail if the deviation exceeds the tolerance; the largest of each kind is printed at the end."""
    deviation = float(deviation)
    _AGREEMENT[what] = (max(deviation, _AGREEMENT.get(what, (0.0,))[0]), tolerance)
    if not deviation <= tolerance:
        pytest.fail(f"{what}: deviates by {deviation:.3g}, {tolerance:.3g} is tolerated")


@pytest.fixture(name="agree", scope="session")
def _agree():
    return agree


def pytest_sessionfinish(session):
    output = getattr(session.config, "workeroutput", None)  # where tests run in several processes
    if output is None:
        session.config.agreement.update(_AGREEMENT)
    else:
        output["agreement"] = _AGREEMENT


class Arrays:
    """Arrays of one reference file by name; what an extract leaves out skips the test that asks for it."""

    def __init__(self, *paths):
        self._home = {name: file for file in map(np.load, paths) for name in file.files}
        self.names = list(self._home)

    def __getitem__(self, name):
        if name not in self._home:
            pytest.skip(f"{name} is not in the extract of the reference arrays")
        return self._home[name][name]

    def __contains__(self, name):
        return name in self._home

    def under(self, prefix):
        """{rest of the name: array} of all names that begin so."""
        return {name[len(prefix) :]: self[name] for name in self.names if name.startswith(prefix)}


@pytest.fixture(scope="session")
def arrays(request):
    """arrays("ops") -> Arrays of ops.npz, or of the extract of the same name."""

    def load(name):
        extracts = sorted([*EXTRACTS.glob(f"{name}.npz"), *EXTRACTS.glob(f"{name}+*.npz")])
        try:
            return Arrays(request.getfixturevalue("reference") / f"{name}.npz")
        except pytest.skip.Exception:
            if extracts:
                return Arrays(*extracts)
            raise

    return load


@pytest.fixture(scope="session")
def original_checkpoint(reference, tmp_path_factory):
    """original_checkpoint("deepfill_v1") -> folder holding the original's TensorFlow 1 checkpoint, unpacked."""

    def unpack(model):
        folder = tmp_path_factory.mktemp(model)
        for file in (reference / model / "checkpoint").iterdir():
            if file.suffix == ".bz2":
                (folder / file.stem).write_bytes(bz2.decompress(file.read_bytes()))
            else:
                shutil.copy(file, folder / file.name)
        return folder

    return unpack


@pytest.fixture
def convolutions(monkeypatch):
    """{layer name: output before the activation} of whatever runs meanwhile."""
    seen = {}

    def record(cls):
        convolve = cls.convolve

        def recording(self, inputs):
            seen[self.name] = convolve(self, inputs)
            return seen[self.name]

        monkeypatch.setattr(cls, "convolve", recording)

    record(MirrorConv2D)
    record(UpsampleConv2D)
    return seen


@pytest.fixture
def float64():
    """Networks made meanwhile have weights of 64 bits, and convolve in them."""
    tf.keras.backend.set_floatx("float64")
    tf.keras.mixed_precision.set_global_policy("float64")
    yield
    tf.keras.backend.set_floatx("float32")
    tf.keras.mixed_precision.set_global_policy("float32")


def weights_by_recipe(recipe):
    """(name, array) of a seeded recipe of numbers in [-bound, bound], by which a reference's program was run too."""
    state = np.random.RandomState(recipe["seed"])
    for entry in recipe["parameters"]:
        middle, bound = (1.0, 0.5) if entry["bound"] == "1+0.5" else (0.0, entry["bound"])
        array = ((2 * state.random_sample(entry["shape"]) - 1) * bound).astype(np.float32)
        yield entry["name"], (middle + array).astype(np.float32)


@pytest.fixture(scope="session", name="weights_by_recipe")
def _weights_by_recipe():
    return weights_by_recipe


def rgb(bgr_u8):
    """The network's image for the original's: float RGB in [-1, 1]."""
    return to_float(bgr_u8[..., ::-1])


def relative(value, expected):
    """Largest |value - expected| / |expected|."""
    return np.max(np.abs(value - expected) / np.abs(expected))


class Comparison:
    """Agreement of one DeepFill with the program of its release, which is BGR."""

    rgb, relative = staticmethod(rgb), staticmethod(relative)

    def __init__(self, release):
        self.title = release.title
        self.names = {**release.networks["generator"], **release.networks["discriminator"]}
        self._turn_colours = release.turn_colours

    def holed(self, stored):
        """(masked image, mask) of a stored case, with its one mask for every image."""
        image = rgb(stored["image_u8_bgr"])
        mask = tf.tile(tf.cast(stored["mask"], tf.float32), [image.shape[0], 1, 1, 1])
        return image * (1 - mask), mask

    def outputs(self, stored, outputs, masked_image, mask):
        """The generator's images and offsets; returns whether all offsets are decided."""
        completed = composite(outputs["predicted"], masked_image, mask)
        # The original fed through a placeholder moves by 2e-5 itself.
        for what, output, name in (
            ("coarse", outputs["coarse"], "x1"),
            ("refined", outputs["refined"], "x2"),
            ("completed", completed, "complete"),
        ):
            agree(f"{self.title} {what}, absolute", np.abs(output[..., ::-1] - stored[name]).max(), 5e-5)
        truncated = tf.cast(tf.clip_by_value((completed + 1) * 127.5, 0, 255), tf.uint8)
        levels = np.abs(truncated[..., ::-1].numpy().astype(int) - stored["output_u8_bgr"])
        agree(f"{self.title} completed as the release writes it, levels of 255", levels.max(), 1)
        decided = stored["offset_gap"] > DECIDED
        np.testing.assert_array_equal(outputs["offsets"].numpy()[decided], stored["offsets"][decided])
        return decided.all()

    def layers(self, stored, whole, convolutions):
        """Every convolution of the generator before its activation; `whole` holds some of them completely."""
        assert len(stored["layer_names"]) == 42
        for name, mean, std in zip(stored["layer_names"], stored["layer_mean"], stored["layer_std"]):
            output = convolutions[name.split("/")[0]].numpy()
            np.testing.assert_allclose(
                [output.mean(), output.std()], [mean, std], atol=1e-5 * max(1, std), err_msg=name
            )
        for name in whole.names if whole else ():
            layer = name.split("__")[0]
            output = convolutions[layer][:1]
            if layer in ("conv17", "allconv17"):
                output = output[..., ::-1]
            scale = max(1, np.abs(whole[name]).max())
            np.testing.assert_allclose(output, whole[name], atol=1e-5 * scale, err_msg=name)

    def gradients(self, losses, model):
        """Terms, and gradients of their sum: {original's name: gradient in the original's order of colours}."""
        weights = {name: weight for name, weight in named_weights(model).items() if weight.trainable}
        with tf.GradientTape() as tape:
            terms = losses()
            total = tf.add_n(list(terms.values()))
        gradients = dict(zip(weights, tape.gradient(total, list(weights.values()))))
        named = {}
        for original, ours in self.names.items():
            if ours in weights:
                gradient = gradients[ours]
                named[original] = None if gradient is None else self._turn_colours(ours, gradient.numpy())
        return terms, named

    def check_gradients(self, stored, prefix, gradients, whole_tolerance):
        """Norms of all gradients, and those that are stored whole."""
        network = {"g": "generator", "d": "critic"}[prefix[0]]
        for name, norm in zip(stored[prefix + "_names"], stored[prefix + "_norm"]):
            gradient = gradients[name]
            if norm == 0:  # the bias of a v1 head: real and fake cancel
                agree(f"{self.title} {network} gradients that are 0, absolute", np.linalg.norm(gradient), 1e-6)
                continue
            agree(f"{self.title} {network} gradient norms, relative", relative(np.linalg.norm(gradient), norm), 1e-3)
            if f"{prefix}/{name}" in stored:
                distance = np.linalg.norm(gradient - stored[f"{prefix}/{name}"]) / norm
                agree(f"{self.title} {network} whole gradients, relative (L2)", distance, whole_tolerance)

    def trajectory(self, recipe, stored, batch_of):
        """The stored run's updates, made by ours: batch_of(self, stored, i) is what update i sees.

        Returns:
            Trajectory; its dicts go by the original's names.
        """
        networks = {"d": named_weights(recipe.discriminator), "g": named_weights(recipe.generator)}
        trained = {w: {n: v for n, v in weights.items() if v.trainable} for w, weights in networks.items()}
        start = {name: weight.numpy() for weights in networks.values() for name, weight in weights.items()}
        rate, beta1, beta2, epsilon = (float(stored[x]) for x in ("learning_rate", "beta1", "beta2", "epsilon"))
        options = OptimizerConfig(learning_rate=rate, beta1=beta1, beta2=beta2, epsilon=epsilon)
        optimizers = Optimizers(options, trained["g"], trained["d"])
        optimizer = {"d": optimizers.discriminator, "g": optimizers.generator}
        objectives = {"d": recipe.discriminator_losses, "g": recipe.generator_losses}

        def make_update(which):
            @tf.function(autograph=False)
            def update(batch):
                weights = list(trained[which].values())
                with tf.GradientTape() as tape:
                    loss = tf.add_n(list(objectives[which](batch).values()))
                gradients = tape.gradient(loss, weights)
                recipe.advance({"d": "discriminator", "g": "generator"}[which])
                optimizer[which].apply_gradients(zip(gradients, weights))
                return loss, [tf.norm(gradient) for gradient in gradients]

            return update

        updates = {which: make_update(which) for which in "dg"}
        losses, first_norms = [], {}
        for i, which in enumerate(stored["which"]):
            loss, norms = updates[which](batch_of(self, stored, i))
            losses.append(float(loss))
            if which not in stored["which"][:i]:
                first_norms.update(zip(trained[which], norms))
        end = {name: weight.numpy() for weights in networks.values() for name, weight in weights.items()}
        return Trajectory(
            losses,
            {original: first_norms[ours] for original, ours in self.names.items() if ours in first_norms},
            {original: np.linalg.norm(end[ours] - start[ours]) for original, ours in self.names.items()},
            {original: self._turn_colours(ours, end[ours]) for original, ours in self.names.items()},
        )


class Trajectory(NamedTuple):
    """What a short training did: the loss before each update, the first gradients' norms, how far each weight moved."""

    losses: list
    first_norms: dict
    moved: dict
    final: dict


@pytest.fixture(scope="session")
def comparison():
    """comparison(release table) -> Comparison."""
    return Comparison


class Setting:
    """The arrays of one setting of a losses file, with the shared ones."""

    def __init__(self, arrays, name):
        self._arrays, self._prefix = arrays, name + "/"

    def __getitem__(self, name):
        return self._arrays[self._prefix + name]

    def __contains__(self, name):
        return self._prefix + name in self._arrays


@pytest.fixture(scope="session")
def setting():
    """setting(arrays, "full") -> what is stored under "full/"."""
    return Setting
