"""However a checkpoint is used, it is looked for once and its files are read once."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from runs import write_run

from tf_inpaint import export
from tf_inpaint.checkpoints import checkpoint as module
from tf_inpaint.checkpoints import npz, open_checkpoint
from tf_inpaint.checkpoints.load import load_weights, to_release_arrays
from tf_inpaint.checkpoints.npz import About, write_weight_file
from tf_inpaint.checkpoints.training_state import read_training_state
from tf_inpaint.inference.inpainter import Inpainter
from tf_inpaint.io.images import write_png
from tf_inpaint.models.weights import named_weights
from tf_inpaint.predict import command as predict
from tf_inpaint.recipes import DeepFillV1Recipe, PENNetRecipe


@pytest.fixture(scope="module")
def paths(tmp_path_factory, torch_save, save_release):
    """Kind -> what a user points at."""
    folder = tmp_path_factory.mktemp("checkpoints")
    recipe = DeepFillV1Recipe(DeepFillV1Recipe.Options(width=4, critic_width=2))
    recipe.build(128, 128)
    named = named_weights(recipe.generator)
    adam = {f"{moment}.{name}": tf.Variable(weight) for name, weight in named.items() for moment in "mv"}
    adam["iterations"] = step = tf.Variable(3, dtype=tf.int64)
    values = {"recipe": "deepfill_v1", "options": dataclasses.asdict(recipe.options)}
    write_run(folder / "run", recipe, values, generator_optimizer=adam, step=step)

    (folder / "release").mkdir()
    save_release(folder / "release", to_release_arrays(recipe.generator))

    pen_net = PENNetRecipe(PENNetRecipe.Options(width=4, critic_width=4))
    pen_net.build(64, 64)
    torch_save(folder / "gen_00300.pth", {"netG": to_release_arrays(pen_net.generator, recipe="pen_net")})
    about = About("deepfill_v1", dataclasses.asdict(recipe.options), 64, "tiny")
    write_weight_file(str(folder / "tiny.npz"), {name: weight.numpy() for name, weight in named.items()}, about)
    written = {kind: str(folder / kind) for kind in ("run", "release", "gen_00300.pth", "tiny.npz")}
    return {**written, "shipped": "photos_v1"}


@pytest.fixture
def spied(monkeypatch):
    """Counts of look-ups, of files opened, and of each array read, since the test began."""
    counts = {"located": 0, "opened": 0}

    def counting(what, function):
        def counted(*args, **kwargs):
            counts[what] += 1
            return function(*args, **kwargs)

        return counted

    def reading(read):
        def counted(self, names):
            for name, value in read(self, names):
                counts[name] = counts.get(name, 0) + 1
                yield name, value

        return counted

    monkeypatch.setattr(module, "locate_checkpoint", counting("located", module.locate_checkpoint))
    monkeypatch.setattr(module, "TorchFile", counting("opened", module.TorchFile))
    monkeypatch.setattr(tf.train, "load_checkpoint", counting("opened", tf.train.load_checkpoint))
    monkeypatch.setattr(npz, "_opened", counting("opened", npz._opened))
    for kind in module.Checkpoint.__subclasses__():
        monkeypatch.setattr(kind, "read", reading(kind.read))
    return counts


KINDS = pytest.mark.parametrize("kind", ["run", "release", "gen_00300.pth", "tiny.npz", "shipped"])


@KINDS
def test_loading_an_inpainter(paths, spied, kind):
    Inpainter.load(paths[kind])
    assert len(spied) > 60 and set(spied.values()) == {1}


def test_loading_the_default_weights(spied):
    Inpainter.load()
    assert len(spied) > 60 and set(spied.values()) == {1}


@KINDS
def test_the_commands(paths, spied, kind, tmp_path, monkeypatch):
    image = np.zeros([16, 16, 3], np.uint8)
    write_png(tmp_path / "image.png", image)
    write_png(tmp_path / "mask.png", image + np.uint8(255) * (np.arange(16) < 8)[:, np.newaxis])
    monkeypatch.setattr(Inpainter, "outputs", lambda *_, **__: {"completed": image})
    files = [f"--{name}={tmp_path / name}.png" for name in ("image", "mask")]
    assert predict.main([*files, f"--output={tmp_path / 'o.png'}", "--checkpoint_dir", paths[kind]]) == 0
    assert len(spied) > 60 and set(spied.values()) == {1}
    export.main(["--checkpoint_dir", paths[kind], "--format=npz", f"--output={tmp_path / 'w.npz'}"])
    assert set(spied.values()) == {2}


def test_what_a_run_begins_with(paths, spied):
    checkpoint = open_checkpoint(paths["run"], exported=False)
    recipe = DeepFillV1Recipe(DeepFillV1Recipe.Options(width=4, critic_width=2))
    recipe.build(128, 128)
    load_weights(checkpoint, recipe.generator, recipe.discriminator, averaged=False)
    assert read_training_state(checkpoint, 0.999, 1).step == 3
    assert len(spied) > 250 and set(spied.values()) == {1}
