"""PEN-Net's training: l1 in and outside the hole, l1 at every scale of the pyramid, and a patch discriminator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from tf_inpaint.losses.adversarial import (
    hinge_discriminator_loss,
    hinge_generator_loss,
    minimax_discriminator_loss,
    minimax_generator_loss,
)
from tf_inpaint.losses.reconstruction import hole_l1, pyramid_l1, valid_l1
from tf_inpaint.models.pen_net import PENNetDiscriminator, PENNetGenerator
from tf_inpaint.recipes.base import Recipe, RecipeOptions, check_image_size

_LOSSES = {
    "hinge": (hinge_discriminator_loss, hinge_generator_loss),
    "minimax": (minimax_discriminator_loss, minimax_generator_loss),
}


@dataclass(frozen=True)
class Options(RecipeOptions):
    """What a config may set for PEN-Net; the defaults are the release's values.

    Attributes:
        width: channels of the generator's first layer.
        critic_width: channels of the discriminator's first layer.
        attention: "transfer", or for the paper's comparison "none".
        gan: "hinge" (CelebA-HQ and Places2 in the release) or "minimax" (DTD and Facade).
        hole_weight: of the l1 in the hole, `hole`.
        valid_weight: of the l1 outside, `valid`.
        pyramid_weight: of the l1 of the pyramid's images, `pyramid`.
        adversarial_weight: of the generator's adversarial term, `adversarial`; 0 trains without a discriminator.
    """

    width: int = 32
    critic_width: int = 64
    attention: Literal["transfer", "none"] = "transfer"
    gan: Literal["hinge", "minimax"] = "hinge"
    hole_weight: float = 6.0
    valid_weight: float = 1.0
    pyramid_weight: float = 0.5
    adversarial_weight: float = 0.1


class PENNetRecipe(Recipe):
    """Losses of PEN-Net. One batch serves the discriminator's update and the generator's.

    Reference: Zeng et al. 2019, section 3.3, in the form of the release.
    Deviations: hole and valid l1 are means over each image's own hole, then over images, where the release divides
        by the hole of the whole batch; equal where all holes of a batch have one area.
    """

    Options = Options
    fresh_batch_per_update = False

    def __init__(self, options=None):
        super().__init__(options or Options())
        self.generator = PENNetGenerator(self.options.width, self.options.attention)
        self.discriminator = PENNetDiscriminator(self.options.critic_width)
        self._critic_loss, self._generator_loss = _LOSSES[self.options.gan]
        self.n_critic = 1 if self.options.adversarial_weight else 0

    @classmethod
    def check(cls, options, image_size, mask_options):
        check_image_size("PEN-Net", image_size, PENNetGenerator.size_multiple)

    def build(self, height, width):
        self.build_generator()
        self.discriminator(tf.zeros([1, height, width, 3]))

    def generator_losses(self, batch):
        options, image, mask = self.options, batch["image"], batch["mask"]
        outputs = self.complete(batch, training=True)
        terms = {
            "hole": options.hole_weight * self.hole_l1(outputs["predicted"], image, mask),
            "valid": options.valid_weight * self.valid_l1(outputs["predicted"], image, mask),
            "pyramid": options.pyramid_weight * pyramid_l1(outputs["pyramid"], image),
        }
        if options.adversarial_weight:
            scores = self.discriminator(outputs["completed"], iterations=1)
            terms["adversarial"] = options.adversarial_weight * self._generator_loss(scores)
        return terms

    def discriminator_losses(self, batch):
        completed = tf.stop_gradient(self.complete(batch, training=True)["completed"])
        # Two passes, each with the power iteration one further.
        real = self.discriminator(batch["image"], iterations=1)
        fake = self.discriminator(completed, iterations=2)
        return {"critic": self._critic_loss(real, fake)}

    def advance(self, network, statistics=()):
        self.discriminator.advance(2 if network == "discriminator" else 1)

    hole_l1 = staticmethod(hole_l1)
    valid_l1 = staticmethod(valid_l1)
