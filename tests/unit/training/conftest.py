"""A recipe small enough to be trained in a unit test, and images for it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import tensorflow as tf
from runs import write_images

from tf_inpaint.config import config_from_dict
from tf_inpaint.models import Generator
from tf_inpaint.recipes import RECIPES
from tf_inpaint.recipes.base import Recipe, RecipeOptions


@dataclass(frozen=True)
class Options(RecipeOptions):
    n_critic: int = 2
    alone: int = 0  # steps in which the discriminator alone is updated, then as many with the generator's bias frozen


class ToyGenerator(Generator):
    def __init__(self):
        super().__init__(name="generator")
        self.conv = tf.keras.layers.Conv2D(3, 3, padding="same", name="conv")
        self.unused = tf.keras.layers.Dense(2, name="unused")  # like a stage that a pre-training leaves out

    def build(self, shape):
        self.conv.build((None, None, None, 4))
        self.unused.build((None, 3))
        self.built = True

    def call(self, inputs, training=False):
        return {"predicted": self.conv(tf.concat(inputs, -1))}


class Discriminator(tf.keras.Model):
    def __init__(self):
        super().__init__(name="discriminator")
        self.conv = tf.keras.layers.Conv2D(4, 5, strides=4, name="conv")

    def call(self, inputs, training=False):
        return tf.tanh(self.conv(inputs))


class ToyRecipe(Recipe):
    Options = Options

    def __init__(self, options):
        super().__init__(options)
        self.n_critic = options.n_critic
        self.fresh_batch_per_update = not options.alone
        self.generator, self.discriminator = ToyGenerator(), Discriminator()

    @classmethod
    def check(cls, options, image_size, mask_options):
        pass

    def build(self, height, width):
        self.generator.build(None)
        self.discriminator(tf.zeros([1, height, width, 3]))

    @property
    def phases(self):
        (whole,), alone = super().phases, self.options.alone
        if not alone:
            return [whole]
        first = whole._replace(updates=["discriminator"])
        second = whole._replace(first_step=alone, updates=["generator"], frozen=frozenset({"conv.bias"}))
        return [first, second, whole._replace(first_step=2 * alone)]

    def discriminator_losses(self, batch):
        completed = tf.stop_gradient(self.complete(batch, True)["completed"])
        real, fake = self.discriminator(batch["image"]), self.discriminator(completed)
        return {"critic": tf.reduce_mean(fake - real), "regularity": 0.1 * tf.reduce_mean(real**2)}

    def generator_losses(self, batch):
        outputs = self.complete(batch, True)
        l1 = tf.reduce_mean(tf.abs(outputs["predicted"] - batch["image"]))
        return {"l1": l1, "adversarial": -0.01 * tf.reduce_mean(self.discriminator(outputs["completed"]))}


@pytest.fixture
def toy_config(tmp_path, monkeypatch):
    """A function of a run folder's name and section updates to a Config of the toy recipe, on six small images."""
    monkeypatch.setitem(RECIPES, "toy", ToyRecipe)
    folder = tmp_path / "images"
    write_images(folder, 6)

    def make(run="run", **sections):
        values = {
            "recipe": "toy",
            "options": {},
            "data": {"train": str(folder), "validation": str(folder), "image_size": 16, "batch_size": 4},
            "mask": {"height": 8, "width": 8, "max_delta_height": 2, "max_delta_width": 2},
            "optimizer": {"learning_rate": 0.01},
            "training": {"run_folder": str(tmp_path / run), "strategy": "one_device", "deterministic": False}
            | {"steps": 4, "log_every": 1, "view_every": 0, "view_count": 3, "checkpoint_every": 2},
        }
        for section, changes in sections.items():
            values[section].update(changes)
        return config_from_dict(values, name="toy")

    return make
