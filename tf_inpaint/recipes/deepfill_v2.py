"""DeepFill v2's training: l1 on both stages, and a hinge loss on the scores of SN-PatchGAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.losses.adversarial import hinge_discriminator_loss, hinge_generator_loss
from tf_inpaint.losses.reconstruction import hole_l1
from tf_inpaint.models.deepfill_v2 import DeepFillV2Discriminator, DeepFillV2Generator
from tf_inpaint.models.two_stages import minimum_size
from tf_inpaint.recipes.base import Recipe, RecipeOptions, check_image_size


@dataclass(frozen=True)
class Options(RecipeOptions):
    """What a config may set for DeepFill v2; the defaults are the release's values.

    Attributes:
        width: filters of the generator's first layer; with gated convolutions half of them are gates.
        critic_width: channels of the discriminator's first layer.
        padding: of the generator: mirror padding, or zeros.
        guided: whether generator and discriminator see edges (`data.edges`).
        convolution: of the generator: "gated", or for the paper's comparison "plain" or "partial", which hand on all of
            their filters: a width of 32 then is that of v1.
        n_critic: discriminator updates, each on a fresh batch, before each generator update.
        l1_weight: of the l1 over the whole image of both stages, `l1`.
        coarse_l1_weight: of the coarse output in it, relative to the refined one.
        hole_l1_weight: of the l1 inside the hole alone, of both stages, `hole_l1`. The release has none: there the
            hole's share of `l1` is its share of the image, and most of what is learnt is to hand known pixels on.
        adversarial_weight: of the generator's adversarial term, `adversarial`; 0 trains without a discriminator.
    """

    width: int = 48
    critic_width: int = 64
    padding: Literal["SAME", "SYMMETRIC", "REFLECT"] = "SYMMETRIC"
    guided: bool = False
    convolution: Literal["gated", "partial", "plain"] = "gated"
    n_critic: int = 1
    l1_weight: float = 1.0
    coarse_l1_weight: float = 1.0
    hole_l1_weight: float = 0.0
    adversarial_weight: float = 1.0


class DeepFillV2Recipe(Recipe):
    """Losses of DeepFill v2.

    Reference: Yu et al. 2019, sections 3.3 and 3.4, in the form of the release.
    Deviations: every image has a hole of its own (`mask.per_batch: true` restores the release's one for the batch).
    """

    Options = Options

    def __init__(self, options=None):
        super().__init__(options or Options())
        options = self.options
        self.generator = DeepFillV2Generator(options.width, options.padding, options.guided, options.convolution)
        self.discriminator = DeepFillV2Discriminator(options.critic_width)
        self.n_critic = options.n_critic if options.adversarial_weight else 0

    @classmethod
    def check(cls, options, image_size, mask_options):
        # Messages name the keys of a config, so that a file and line can be told.
        if options.convolution == "gated" and options.width % 4:
            raise InputError(
                f"options.width must be a multiple of 4, since half of the filters of every layer, down to "
                f"options.width / 2 of them, are gates; it is {options.width}"
            )
        if options.convolution == "partial" and options.guided:
            raise InputError(
                "options.guided: true is not for options.convolution partial, which does not read what lies in a hole"
            )
        least = minimum_size(options.padding)
        check_image_size("DeepFill v2", image_size, DeepFillV2Generator.size_multiple, least, options.padding)

    def build(self, height, width):
        image, plane = tf.zeros([1, height, width, 3]), tf.zeros([1, height, width, 1])
        batch = {"image": image, "mask": plane, "edges": plane}
        self.complete(batch, training=False)
        self.discriminator(self._seen_by_critic(image, batch))

    def generator_losses(self, batch):
        options, outputs = self.options, self.complete(batch, training=True)
        image, mask = batch["image"], batch["mask"]

        def of_both_stages(loss):
            return options.coarse_l1_weight * loss(outputs["coarse"]) + loss(outputs["refined"])

        terms = {"l1": options.l1_weight * of_both_stages(lambda drawn: tf.reduce_mean(tf.abs(image - drawn)))}
        if options.hole_l1_weight:
            terms["hole_l1"] = options.hole_l1_weight * of_both_stages(lambda drawn: hole_l1(drawn, image, mask))
        if options.adversarial_weight:
            scores = self.discriminator(self._seen_by_critic(outputs["completed"], batch))
            terms["adversarial"] = options.adversarial_weight * hinge_generator_loss(scores)
        return terms

    def discriminator_losses(self, batch):
        completed = tf.stop_gradient(self.complete(batch, training=True)["completed"])
        pictures = [self._seen_by_critic(image, batch) for image in (batch["image"], completed)]
        real, fake = tf.split(self.discriminator(tf.concat(pictures, axis=0)), 2)
        return {"critic": hinge_discriminator_loss(real, fake)}

    def advance(self, network, statistics=()):
        self.discriminator.advance()

    def _seen_by_critic(self, image, batch):
        """concat[image, mask] or concat[image, mask, edges in the hole]: [B, H, W, 4 or 5]."""
        mask = batch["mask"]
        sketch = [batch["edges"] * mask] if self.options.guided else []
        return tf.concat([image, mask, *sketch], axis=-1)
