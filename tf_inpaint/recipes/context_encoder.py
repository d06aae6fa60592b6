"""Context Encoders' training: a weighted squared error and a discriminator, both on the region the network draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Tuple

import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.layers.batch_norm import advance_statistics
from tf_inpaint.losses.adversarial import minimax_discriminator_loss, minimax_generator_loss
from tf_inpaint.losses.reconstruction import overlap_l2
from tf_inpaint.models.context_encoder import (
    AlexNetContextEncoder,
    ContextEncoderDiscriminator,
    ContextEncoderGenerator,
)
from tf_inpaint.recipes.base import Recipe, RecipeOptions, check_one_size


@dataclass(frozen=True)
class Options(RecipeOptions):
    """What a config may set for Context Encoders; the defaults are the release's published training of the centre.

    Attributes:
        form: "release"; or "paper", the paper's network for learning features: AlexNet, the channel-wise layer and five
            convolutions upwards, for images of 227 pixels, region "whole", without a discriminator, a frame or a choice
            of `width`, `code`, `bottleneck` and `train_bias`. It learns by the hole alone with `known_weight` 0.
        image_size: side of the square images, a power of 2 from 32; `data.image_size` must be the same.
        region: what the network draws: "centre", the central half; "box", as large a box wherever the hole is;
            "whole", the whole image, for holes of any shape.
        hole: height and width of the hole within the region; 0 is as large as the region without its frame. What the
            region has beside the hole is seen, as the frame is. A config that says nothing has smaller `mask.height`
            and `mask.width`, which must be the same.
        width, critic_width: channels of the first layer of the generator and of the discriminator.
        code: "dense", a code of `bottleneck` numbers; or "channelwise", the paper's channel-wise fully connected layer.
        bottleneck: length of the dense code.
        overlap: width in pixels of the frame inside the region that stays known; 0 for region "whole".
        known_weight: of the squared error of known pixels, relative to the hole's: the frame's, or for region "whole"
            that of all known pixels (1 in the release's random-region training, 10 with its useOverlapPred).
        l2_weight: of the squared error, `l2`.
        adversarial_weight: of the generator's adversarial term, `adversarial`; 0 trains without a discriminator.
        hole_fill: colour the hole is painted with, red, green, blue of 0 .. 255.
        conditional: the discriminator also sees the image around the region; not for region "whole".
        train_bias: biases of convolutions act in training; the release sets them to zero before each evaluation.
    """

    form: Literal["release", "paper"] = "release"
    image_size: int = 128
    region: Literal["centre", "box", "whole"] = "centre"
    hole: Tuple[int, int] = (0, 0)
    width: int = 64
    critic_width: int = 64
    code: Literal["dense", "channelwise"] = "dense"
    bottleneck: int = 4000
    overlap: int = 4
    known_weight: float = 10.0
    l2_weight: float = 0.999
    adversarial_weight: float = 0.001
    hole_fill: Tuple[int, int, int] = (117, 104, 123)
    conditional: bool = False
    train_bias: bool = False


class ContextEncoderRecipe(Recipe):
    """Losses of Context Encoders. One batch serves the discriminator's update and the generator's.

    Reference: Pathak et al. 2016, section 3.2, in the form of the release; the weights are its wtl2 and 1 - wtl2.
    Deviations: the generator's adversarial term is computed with the discriminator as updated (the release reuses its
        scores from before); each image has its own hole (`mask.per_batch: true` restores one for the batch); the
        running statistics of a batch in parts (`training.accumulation_steps`) are the means of the parts', each of
        which is normalised by itself.
    """

    Options = Options
    fresh_batch_per_update = False

    def __init__(self, options=None):
        super().__init__(options or Options())
        options = self.options
        self.n_critic = 1 if options.adversarial_weight else 0
        if options.form == "paper":
            self.generator = AlexNetContextEncoder(options.hole_fill)
            return
        self.generator = ContextEncoderGenerator(
            options.image_size,
            options.region,
            options.width,
            options.bottleneck,
            options.code,
            options.overlap,
            options.hole_fill,
            options.train_bias,
            options.hole,
        )
        self.discriminator = ContextEncoderDiscriminator(
            self.generator.target_size, options.critic_width, options.conditional, options.train_bias
        )

    @classmethod
    def implied(cls, written, mask_options):
        options, hole = Options(**written), (mask_options.height, mask_options.width)
        most = _most(options)
        smaller = max(hole) <= most and min(hole) < most
        return {"hole": hole} if smaller and options.region != "whole" and "hole" not in written else {}

    @classmethod
    def check(cls, options, image_size, mask_options):
        if options.form == "paper":
            side = AlexNetContextEncoder.fixed_size
            if (options.region, options.adversarial_weight, options.image_size) != ("whole", 0, side):
                raise InputError(f"options.form paper needs image_size {side}, region whole and adversarial_weight 0")
            if tuple(image_size) != (side, side):
                raise InputError(f"data.image_size must be {side} x {side} with options.form paper, not {image_size}")
        else:
            check_one_size(options, image_size, least=32)
        if options.region == "whole":
            if options.overlap or options.conditional or any(options.hole):
                raise InputError(
                    "options.region whole has no frame or surroundings: overlap 0, hole [0, 0], conditional false"
                )
            return
        region = options.image_size // 2
        most = _most(options)
        if most < 1:
            raise InputError(f"options.overlap must leave a hole in {region} pixels, not {options.overlap}")
        if max(options.hole) > most:
            raise InputError(
                f"options.hole must be at most {most} pixels high and wide, since region {options.region} is half the "
                f"image less its frame, not {options.hole}; region whole has holes of any size"
            )
        if options.region == "box" and options.overlap:
            raise InputError("options.overlap is for region centre: with region box it must be 0")
        deltas = mask_options.max_delta_height, mask_options.max_delta_width
        height, width = hole = tuple(side or most for side in options.hole)
        if (mask_options.kind, mask_options.height, mask_options.width, *deltas) != (options.region, *hole, 0, 0):
            raise InputError(
                f"options.region {options.region} needs its holes: mask.kind {options.region}, height {height} and "
                f"width {width} (or smaller, where options.hole says nothing), max_delta_height and max_delta_width 0; "
                "region whole has holes of any shape"
            )

    def build(self, height, width):
        image = tf.zeros([1, height, width, 3])
        patch = self.generator((image, image[..., :1]))["patch"]
        if self.discriminator is not None:
            self.discriminator((patch, image) if self.options.conditional else patch)

    def preview(self, batch):
        inputs = self.inputs(batch)
        context, _ = self.generator.context(*inputs)
        return {**self.complete(batch, training=False), "context": context}

    def generator_losses(self, batch):
        options, mask = self.options, batch["mask"]
        outputs = self.complete(batch, training=True)
        patch, target = outputs["patch"], self.generator.target(batch["image"], mask)
        error = overlap_l2(patch, target, self.generator.target(mask, mask), options.known_weight)
        terms = {"l2": options.l2_weight * error}
        if options.adversarial_weight:
            scores, _ = self._judge(patch, batch)
            terms["adversarial"] = options.adversarial_weight * minimax_generator_loss(scores)
        return terms, outputs["statistics"]

    def discriminator_losses(self, batch):
        patch = tf.stop_gradient(self.complete(batch, training=True)["patch"])
        real, of_real = self._judge(self.generator.target(batch["image"], batch["mask"]), batch)
        fake, of_fake = self._judge(patch, batch)
        # The release adds both parts, where the loss has their mean.
        return {"critic": 2.0 * minimax_discriminator_loss(real, fake)}, (of_real, of_fake)

    def _judge(self, patch, batch):
        if not self.options.conditional:
            return self.discriminator(patch, training=True)
        context, _ = self.generator.context(batch["image"], batch["mask"])
        return self.discriminator((patch, context), training=True)

    def advance(self, network, statistics=()):
        for of_pass in [statistics] if network == "generator" else statistics:
            advance_statistics(getattr(self, network), of_pass)


def _most(options):
    """How high and wide a hole may be in a region that is half the image: as much as its frame leaves."""
    return options.image_size // 2 - 2 * options.overlap
