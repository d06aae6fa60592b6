"""DeepFill v2's training: l1 on both stages, and a hinge loss on the scores of SN-PatchGAN.

For small data sets and short trainings there are, as in LaMa's recipe, a perceptual term, a discriminator on the
features of a trained network, and augmentation of what discriminators see; all are off by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.features.distance import feature_distance
from tf_inpaint.features.efficientnet_lite import STAGES, EfficientNetLite0
from tf_inpaint.losses.adversarial import hinge_discriminator_loss, hinge_generator_loss, masked_discriminator_loss
from tf_inpaint.losses.reconstruction import hole_l1
from tf_inpaint.models.deepfill_v2 import DeepFillV2Discriminator, DeepFillV2Generator
from tf_inpaint.models.feature_discriminator import FeatureDiscriminator
from tf_inpaint.models.two_stages import minimum_size
from tf_inpaint.ops.diffaugment import diffaugment
from tf_inpaint.recipes.base import Recipe, RecipeOptions, check_image_size, mean_loss


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
        skips: whether the generator's decoders also see what their encoder made at each scale, as a U-Net's do; for the
            paper's comparison.
        n_critic: discriminator updates, each on a fresh batch, before each generator update.
        l1_weight: of the l1 over the whole image of both stages, `l1`.
        coarse_l1_weight: of the coarse output in it, relative to the refined one.
        hole_l1_weight: of the l1 inside the hole alone, of both stages, `hole_l1`. The release has none: there the
            hole's share of `l1` is its share of the image, and most of what is learnt is to hand known pixels on.
        adversarial_weight: of the generator's adversarial term, `adversarial`; 0 trains without a discriminator.
        discriminator: "sn_patch", SN-PatchGAN; or "features", heads of width `critic_width` on what EfficientNet-Lite0
            sees of the completed image at several depths (Projected GANs), from the package of the extra `features`;
            it sees no edges, and takes for real what was known.
        augment: of what the discriminator sees, real and completed alike: "none"; or "diffaugment", colours, shifts and
            boxes cut out, for small data sets.
        perceptual_weight: of the distance of what EfficientNet-Lite0 sees of the completed image, `perceptual`.
    """

    width: int = 48
    critic_width: int = 64
    padding: Literal["SAME", "SYMMETRIC", "REFLECT"] = "SYMMETRIC"
    guided: bool = False
    convolution: Literal["gated", "partial", "plain"] = "gated"
    skips: bool = False
    n_critic: int = 1
    l1_weight: float = 1.0
    coarse_l1_weight: float = 1.0
    hole_l1_weight: float = 0.0
    adversarial_weight: float = 1.0
    discriminator: Literal["sn_patch", "features"] = "sn_patch"
    augment: Literal["none", "diffaugment"] = "none"
    perceptual_weight: float = 0.0


class DeepFillV2Recipe(Recipe):
    """Losses of DeepFill v2.

    Reference: Yu et al. 2019, sections 3.3 and 3.4, in the form of the release.
    Deviations: every image has a hole of its own (`mask.per_batch: true` restores the release's one for the batch).
    """

    Options = Options

    def __init__(self, options=None):
        super().__init__(options or Options())
        options = self.options
        self.generator = DeepFillV2Generator(
            options.width, options.padding, options.guided, options.convolution, options.skips
        )
        self._on_features = options.discriminator == "features"
        if self._on_features:
            self.discriminator = FeatureDiscriminator(len(STAGES), options.critic_width)
        else:
            self.discriminator = DeepFillV2Discriminator(options.critic_width)
        self._features = None  # EfficientNet-Lite0
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
        self.build_generator()
        image, plane = tf.zeros([1, height, width, 3]), tf.zeros([1, height, width, 1])
        batch = {"image": image, "mask": plane, "edges": plane}
        if self._on_features or self.options.perceptual_weight:
            self._features = EfficientNetLite0()
        self.discriminator(self._seen_by_discriminator(image, self._planes(batch)))

    def generator_losses(self, batch):
        options, outputs = self.options, self.complete(batch, training=True)
        image, mask = batch["image"], batch["mask"]

        def of_both_stages(loss):
            return options.coarse_l1_weight * loss(outputs["coarse"]) + loss(outputs["refined"])

        terms = {"l1": options.l1_weight * of_both_stages(lambda drawn: tf.reduce_mean(tf.abs(image - drawn)))}
        if options.hole_l1_weight:
            terms["hole_l1"] = options.hole_l1_weight * of_both_stages(lambda drawn: hole_l1(drawn, image, mask))
        if options.adversarial_weight:
            losses = [hinge_generator_loss(scores) for scores in self._judge([outputs["completed"]], batch)[0]]
            terms["adversarial"] = options.adversarial_weight * mean_loss(losses)
        if options.perceptual_weight:
            seen = [self._features(shown) for shown in (outputs["completed"], image)]
            terms["perceptual"] = options.perceptual_weight * tf.reduce_mean(feature_distance(*seen))
        return terms

    def discriminator_losses(self, batch):
        completed = tf.stop_gradient(self.complete(batch, training=True)["completed"])
        scores, mask = self._judge([batch["image"], completed], batch)
        pairs = [tf.split(of_both, 2) for of_both in scores]
        if self._on_features:
            losses = [masked_discriminator_loss(real, fake, mask, "hinge") for real, fake in pairs]
        else:
            losses = [hinge_discriminator_loss(real, fake) for real, fake in pairs]
        return {"critic": mean_loss(losses)}

    def advance(self, network, statistics=()):
        self.discriminator.advance()

    def _judge(self, images, batch):
        """(list of scores of the images one after another, mask): as the discriminator is shown them."""
        planes = self._planes(batch)
        if self.options.augment == "diffaugment":
            images, planes = zip(*[diffaugment(image, planes, batch["seed"]) for image in images])
            planes = planes[0]
        shown = [self._seen_by_discriminator(image, planes) for image in images]
        if self._on_features:
            scores = self.discriminator([tf.concat(maps, axis=0) for maps in zip(*shown)], training=True)[0]
        else:
            scores = [self.discriminator(tf.concat(shown, axis=0))]
        return scores, planes[..., :1]

    def _planes(self, batch):
        """The mask, and where there are any the edges in it: [B, H, W, 1 or 2]."""
        mask = batch["mask"]
        return tf.concat([mask, batch["edges"] * mask], axis=-1) if self.options.guided else mask

    def _seen_by_discriminator(self, image, planes):
        """concat[image, planes]: [B, H, W, 4 or 5]; or the features of the image."""
        return self._features(image) if self._on_features else tf.concat([image, planes], axis=-1)
