"""pix2pix's training: an absolute error of the whole image and a conditional discriminator of patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.losses.adversarial import minimax_discriminator_loss, minimax_generator_loss
from tf_inpaint.losses.reconstruction import discounted_l1
from tf_inpaint.models.pix2pix import Pix2PixDiscriminator, Pix2PixGenerator
from tf_inpaint.recipes.base import Recipe, RecipeOptions, check_one_size, with_completed


@dataclass(frozen=True)
class Options(RecipeOptions):
    """What a config may set for pix2pix; the defaults are those of the TensorFlow repository.

    Attributes:
        image_size: side of the square images, a power of 2 from 32; `data.image_size` must be the same.
        width, critic_width: channels of the first layer of the generator and of the discriminator.
        bottleneck_norm: normalise the innermost layer, as the repository does; the authors' program does not, since of
            one image alone nothing passes there then.
        hole_fill: colour the hole is painted with, red, green, blue of 0 .. 255; the network is not told the mask.
        l1_weight: of the absolute error of all pixels, `l1`.
        adversarial_weight: of the generator's adversarial term, `adversarial`; 0 trains without a discriminator.
    """

    image_size: int = 256
    width: int = 64
    critic_width: int = 64
    bottleneck_norm: bool = True
    hole_fill: Tuple[int, int, int] = (255, 255, 255)
    l1_weight: float = 100.0
    adversarial_weight: float = 1.0


class Pix2PixRecipe(Recipe):
    """Losses of pix2pix. One batch and one dropout serve both networks, whose gradients are taken at the same weights.

    Reference: Isola et al. 2017, section 3, in the form of affinelayer/pix2pix-tensorflow.
    Deviations: there the generator's gradient goes through the activations of before the discriminator's update, but
        through its kernels of after it, as those change in place; it is the gradient of nothing. Statistics of a batch
        in parts (`training.accumulation_steps`) are each part's own.
    """

    Options = Options
    fresh_batch_per_update = False
    simultaneous = True

    def __init__(self, options=None):
        super().__init__(options or Options())
        options = self.options
        self.generator = Pix2PixGenerator(options.image_size, options.width, options.hole_fill, options.bottleneck_norm)
        self.discriminator = Pix2PixDiscriminator(options.critic_width)
        self.n_critic = 1 if options.adversarial_weight else 0

    @classmethod
    def check(cls, options, image_size, mask_options):
        check_one_size(options, image_size, least=32)
        if not options.l1_weight and not options.adversarial_weight:
            raise InputError("options.l1_weight and options.adversarial_weight are 0: nothing to learn")

    def build(self, height, width):
        self.build_generator()
        image = tf.zeros([1, height, width, 3])
        self.discriminator((image, image))

    def complete(self, batch, training):
        inputs = self.inputs(batch)
        outputs = self.generator(inputs, training=training, seeds=batch["seed"] if training else None)
        return with_completed(outputs, inputs)

    def generator_losses(self, batch):
        options, predicted = self.options, self.complete(batch, training=True)["predicted"]
        terms = {}
        if options.l1_weight:
            terms["l1"] = options.l1_weight * discounted_l1(predicted, batch["image"], 1.0)
        if options.adversarial_weight:
            adversarial = minimax_generator_loss(self._judge(batch, predicted))
            terms["adversarial"] = options.adversarial_weight * adversarial
        return terms

    def discriminator_losses(self, batch):
        predicted = tf.stop_gradient(self.complete(batch, training=True)["predicted"])
        real, fake = self._judge(batch, batch["image"]), self._judge(batch, predicted)
        # The repository adds both parts, where the loss has their mean.
        return {"critic": 2.0 * minimax_discriminator_loss(real, fake)}

    def _judge(self, batch, image):
        context = self.generator.context(*self.inputs(batch))
        return self.discriminator((context, image), training=True)
