"""DCGAN's training, and completion by searching its codes: the historical baseline.

The network is trained on whole images and knows no holes; each completion is a search of its own, of many passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from tf_inpaint.layers.batch_norm import advance_statistics
from tf_inpaint.losses.adversarial import minimax_discriminator_loss, minimax_generator_loss
from tf_inpaint.models.dcgan import DCGANDiscriminator, DCGANGenerator
from tf_inpaint.ops.latent_search import neighbourhood_weights, search_code
from tf_inpaint.recipes.base import Recipe, RecipeOptions, check_one_size, with_completed

_FIRST_CODE = (2017, 7539)  # every search begins at the same code, so that a completion depends on its image alone


@dataclass(frozen=True)
class Options(RecipeOptions):
    """What a config may set for DCGAN; the defaults are those of Amos' code, but for the weighted context and blending.

    Attributes:
        image_size: side of the square images, a power of 2 from 16; `data.image_size` must be the same.
        code_size: numbers in a code.
        width: an eighth of the channels of the generator's first maps.
        critic_width: channels of the discriminator's first layer.
        n_generator: generator updates for each batch, all with the same codes.
        search_steps: Adam steps of a completion.
        search_rate: Adam's learning rate in it.
        context: known pixels count as the share of hole around them, "weighted" (the paper), or all alike, "uniform"
            (Amos' code).
        prior_weight: of the discriminator's word in the search.
        blending: "poisson" (the paper) makes the hole's border seamless; "none" pastes (Amos' code).
    """

    image_size: int = 64
    code_size: int = 100
    width: int = 64
    critic_width: int = 64
    n_generator: int = 2
    search_steps: int = 1000
    search_rate: float = 0.01
    context: Literal["weighted", "uniform"] = "weighted"
    prior_weight: float = 0.1
    blending: Literal["poisson", "none"] = "poisson"


class DCGANRecipe(Recipe):
    """Losses of DCGAN, and the search. One batch serves all updates of a step.

    Reference: Radford et al. 2016 and Yeh and Chen et al. 2017, in the form of Amos' code, as described.
    Deviations: a search begins at the same code for every image, not at a random one; the order of images is drawn
        anew in each epoch.
    """

    Options = Options
    n_critic = 1
    fresh_batch_per_update = False
    completes_with_critic = True
    measured_in_training = False

    def __init__(self, options=None):
        super().__init__(options or Options())
        options = self.options
        self.generator = DCGANGenerator(options.image_size, options.code_size, options.width)
        self.discriminator = DCGANDiscriminator(options.image_size, options.critic_width)
        self.n_generator = options.n_generator
        self.blending = options.blending == "poisson"

    @classmethod
    def check(cls, options, image_size, mask_options):
        check_one_size(options, image_size, least=16)

    def build(self, height, width):
        image, _ = self.generator(tf.zeros([1, self.options.code_size]))
        self.discriminator(image)

    def complete(self, batch, training):
        """In training an image of a random code; otherwise the one that the search finds, after many passes."""
        inputs = self.inputs(batch)
        predicted = self.generator(self.codes(batch["seed"]))[0] if training else self._search(*inputs)
        return with_completed({"predicted": predicted}, inputs)

    def fill(self, batch, wanted=None):
        return self.complete(batch, training=False)

    def preview(self, batch):
        return self.complete(batch, training=True)

    def _search(self, masked_image, mask):
        options = self.options
        weights = neighbourhood_weights(mask) if options.context == "weighted" else 1.0 - mask
        first = tf.random.stateless_uniform([1, options.code_size], _FIRST_CODE, -1.0, 1.0)
        code, _ = search_code(
            tf.tile(first, [tf.shape(mask)[0], 1]),
            lambda code: self.generator(code)[0],
            lambda picture: self.discriminator(picture)[0],
            masked_image,
            weights,
            options.search_steps,
            options.search_rate,
            options.prior_weight,
        )
        return self.generator(code)[0]

    def codes(self, seed):
        """A code for each example, uniform in [-1, 1): float32 [B, code_size]."""
        spec = tf.TensorSpec([self.options.code_size], tf.float32)

        def draw(one):
            return tf.random.stateless_uniform(spec.shape, one, -1.0, 1.0)

        return tf.map_fn(draw, seed, fn_output_signature=spec)

    def generator_losses(self, batch):
        image, statistics = self.generator(self.codes(batch["seed"]), training=True)
        scores, _ = self.discriminator(image, training=True)
        return {"adversarial": minimax_generator_loss(scores)}, statistics

    def discriminator_losses(self, batch):
        image, _ = self.generator(self.codes(batch["seed"]), training=True)
        real, of_real = self.discriminator(batch["image"], training=True)
        fake, of_fake = self.discriminator(tf.stop_gradient(image), training=True)
        return {"critic": 2.0 * minimax_discriminator_loss(real, fake)}, (of_real, of_fake)

    def advance(self, network, statistics=()):
        for of_pass in [statistics] if network == "generator" else statistics:
            advance_statistics(getattr(self, network), of_pass)
