"""Global and Local's training: the completion network alone, the discriminators alone, then both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Tuple

import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.layers.batch_norm import advance_statistics
from tf_inpaint.losses.adversarial import minimax_discriminator_loss, minimax_generator_loss, saturating_generator_loss
from tf_inpaint.losses.reconstruction import overlap_l2
from tf_inpaint.models.global_local import PLACES2_MEAN, GlobalLocalDiscriminator, GlobalLocalGenerator
from tf_inpaint.ops.boxes import corners_around, crop_boxes
from tf_inpaint.ops.random import uniform_per_example
from tf_inpaint.recipes.base import Phase, Recipe, RecipeOptions, check_image_size


@dataclass(frozen=True)
class Options(RecipeOptions):
    """What a config may set for Global and Local; the defaults are the paper's for Places2.

    Attributes:
        width, critic_width: channels of the first layer of the completion network and of each discriminator.
        order: in both: "conv_bn_relu", that of the released weights; or "conv_relu_bn", that of some other programs.
        mean: colour that holes are filled with and that images are seen less of, red, green, blue in [0, 1].
        local_patch: (height, width) of the patch that the local discriminator sees: around the hole of a completed
            image, anywhere in a true one.
        critic_layers: halvings of the local and of the global discriminator.
        completion_steps: steps of the first phase, of the completion network alone, by `l2`.
        discriminator_steps: steps of the second phase, of the discriminators alone.
        l2_weight: of the squared error in the hole, `l2`, a mean over all pixels, of images in [0, 1].
        adversarial_weight: of the completion network's adversarial term in the third phase, `adversarial`; 0 trains
            without discriminators, in one phase.
        gan: that term: "non_saturating", -log of what the discriminators say; or "saturating", the paper's log(1 - it).
        shown: to the discriminators: "completed", known pixels with the prediction in the hole; or "predicted", the
            network's whole output.
    """

    width: int = 64
    critic_width: int = 64
    order: Literal["conv_bn_relu", "conv_relu_bn"] = "conv_bn_relu"
    mean: Tuple[float, float, float] = PLACES2_MEAN
    local_patch: Tuple[int, int] = (128, 128)
    critic_layers: Tuple[int, int] = (5, 6)
    completion_steps: int = 90_000
    discriminator_steps: int = 10_000
    l2_weight: float = 1.0
    adversarial_weight: float = 0.0004
    gan: Literal["non_saturating", "saturating"] = "non_saturating"
    shown: Literal["completed", "predicted"] = "completed"


class GlobalLocalRecipe(Recipe):
    """Losses of Global and Local. A step of the third phase updates the discriminators first, on the same batch.

    Every pass in training moves the running statistics of the network that makes it.

    Reference: Iizuka et al. 2017, section 3.4.
    Deviations: the completed images that a discriminator sees have the holes of its true ones' batch; the running
        statistics of a batch in parts (`training.accumulation_steps`) are the means of the parts', each of which is
        normalised by itself.
    """

    Options = Options
    fresh_batch_per_update = False

    def __init__(self, options=None):
        super().__init__(options or Options())
        options = self.options
        self.generator = GlobalLocalGenerator(options.width, options.order, options.mean)
        self.discriminator = GlobalLocalDiscriminator(options.critic_width, options.critic_layers, options.order)
        self.n_critic = 1 if options.adversarial_weight else 0

    @classmethod
    def check(cls, options, image_size, mask_options):
        check_image_size("Global and Local", image_size, GlobalLocalGenerator.size_multiple, 16)
        patch = tuple(options.local_patch)
        if any(extent > side for extent, side in zip(patch, image_size)):
            raise InputError(f"options.local_patch {patch} is larger than the image, data.image_size {image_size}")
        if not options.l2_weight and not options.adversarial_weight:
            raise InputError("options.l2_weight and options.adversarial_weight are 0: nothing to learn")
        if options.completion_steps and not options.l2_weight:
            raise InputError("options.completion_steps must be 0 with options.l2_weight: 0, which it trains by")

    def build(self, height, width):
        self.build_generator()
        self.discriminator((tf.zeros([1, height, width, 3]), tf.zeros([1, *self.options.local_patch, 3])))

    @property
    def phases(self):
        options, (joint,) = self.options, super().phases
        if not self.n_critic:
            return [joint]
        first, second = options.completion_steps, options.completion_steps + options.discriminator_steps
        return [
            Phase(0, ["generator"], {"generator": self.completion_losses}),
            joint._replace(first_step=first, updates=["discriminator"]),
            joint._replace(first_step=second),
        ]

    def completion_losses(self, batch):
        """`generator_losses` without the discriminators' word."""
        outputs = self.complete(batch, training=True)
        return {"l2": self._l2(outputs, batch)}, {"generator": outputs["statistics"], "discriminator": []}

    def generator_losses(self, batch):
        if not self.n_critic:
            return self.completion_losses(batch)
        options, outputs = self.options, self.complete(batch, training=True)
        terms = {"l2": self._l2(outputs, batch)} if options.l2_weight else {}
        scores, seen = self._judge(outputs[options.shown], corners_around(batch["mask"], *options.local_patch))
        loss = minimax_generator_loss if options.gan == "non_saturating" else saturating_generator_loss
        terms["adversarial"] = options.adversarial_weight * loss(scores)
        return terms, {"generator": outputs["statistics"], "discriminator": [seen]}

    def discriminator_losses(self, batch):
        outputs = self.complete(batch, training=True)
        shown = tf.stop_gradient(outputs[self.options.shown])
        fake_scores, of_fake = self._judge(shown, corners_around(batch["mask"], *self.options.local_patch))
        real_scores, of_real = self._judge(batch["image"], self.true_patches(batch))
        # The cross entropies of both are added, where the loss has their mean.
        terms = {"critic": 2.0 * minimax_discriminator_loss(real_scores, fake_scores)}
        return terms, {"generator": outputs["statistics"], "discriminator": [of_fake, of_real]}

    def true_patches(self, batch):
        """Top left corner of the patch of each true image, anywhere: int32 [B, 2]."""
        image, patch = batch["image"], self.options.local_patch
        places = [side - extent + 1 for side, extent in zip(image.shape[1:3], patch)]
        drawn = [uniform_per_example(batch["seed"], axis + 1) * float(count) for axis, count in enumerate(places)]
        return tf.stack([tf.minimum(tf.cast(at, tf.int32), count - 1) for at, count in zip(drawn, places)], axis=1)

    def _l2(self, outputs, batch):
        error = overlap_l2(outputs["predicted"], batch["image"], batch["mask"], known_weight=0.0)
        return self.options.l2_weight * error / 4.0  # of images in [0, 1]

    def _judge(self, images, corners):
        """(scores, statistics) of a pass in training."""
        return self.discriminator((images, crop_boxes(images, corners, *self.options.local_patch)), training=True)

    def advance(self, network, statistics=()):
        advance_statistics(self.generator, statistics["generator"])
        for of_pass in statistics["discriminator"]:
            advance_statistics(self.discriminator, of_pass)
