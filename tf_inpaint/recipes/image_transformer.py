"""Image Transformer's training, by likelihood alone, and completion by drawing value by value.

The network is trained on whole images and knows no holes. What it draws, it draws given what comes before: of a hole,
what is above and to the left. What is known below and to the right is not seen, and need not fit.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import Literal, Tuple

import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.losses.mixture import draw_from_mixture, mixture_nll
from tf_inpaint.models.image_transformer import ImageTransformerGenerator
from tf_inpaint.ops.levels import from_levels, to_levels
from tf_inpaint.recipes.base import Recipe, RecipeOptions, check_one_size, with_completed

_DRAWING = ("temperature", "seed")
_LEAST = 1e-5  # random numbers lie between this and 1 less this


@dataclass(frozen=True)
class Options(RecipeOptions):
    """What a config may set for Image Transformer; the defaults are a network small enough for processors.

    Attributes:
        image_size: side of the square images, a power of 2 from 8; `data.image_size` must be the same.
        width: channels between layers, a multiple of 4 and of `heads`.
        filters: channels inside of the feed-forward layers.
        depth, heads: layers, and heads of each one's attention.
        attention_width: channels of queries, keys and values, a multiple of `heads`; 0 is `width`.
        attention: "local_1d", to the block of values before and to its own; or "local_2d", to its block and what is
            around it, above and to the left.
        block_length: values (pixels with output "mixture") in a block of local_1d.
        query_shape, flange: (rows, columns) of a block of local_2d, and of what is seen beyond it, of a grid of three
            columns a pixel (one with output "mixture").
        output: "categorical", 256 levels for each value; or "mixture", of logistics, for pixels.
        mixtures: logistics in a mixture.
        position: "timing", sines of the place; or "learned".
        max_length: rows and columns for which "learned" has vectors.
        dropout: fraction dropped in training, in [0, 1).
        temperature: of drawing: below 1 likelier values are drawn more often, at 0 the likeliest always.
        seed: of the random numbers that completions are drawn by.
    """

    image_size: int = 32
    width: int = 128
    filters: int = 256
    depth: int = 4
    heads: int = 4
    attention_width: int = 0
    attention: Literal["local_1d", "local_2d"] = "local_1d"
    block_length: int = 192
    query_shape: Tuple[int, int] = (8, 16)
    flange: Tuple[int, int] = (8, 32)
    output: Literal["categorical", "mixture"] = "categorical"
    mixtures: int = 10
    position: Literal["timing", "learned"] = "timing"
    max_length: int = 96
    dropout: float = 0.0
    temperature: float = 1.0
    seed: int = 0


class ImageTransformerRecipe(Recipe):
    """Bits for each value of an image, and completions drawn at random.

    Reference: Parmar et al. 2018, in tensor2tensor's form, unconditional.
    Deviations: the loss is in bits, where theirs is in nats; tensor2tensor has no completion, and draws no mixtures.
    """

    Options = Options
    fresh_batch_per_update = False
    n_critic = 0
    draws = True

    def __init__(self, options=None):
        super().__init__(options or Options())
        of_network = {name: value for name, value in vars(self.options).items() if name not in _DRAWING}
        self.generator = ImageTransformerGenerator(**of_network)

    @classmethod
    def check(cls, options, image_size, mask_options):
        check_one_size(options, image_size, least=8)
        columns = options.image_size * (3 if options.output == "categorical" else 1)
        if options.width % 4 or options.width % options.heads or options.attention_width % options.heads:
            raise InputError(
                f"options.width must be a multiple of 4 and, as options.attention_width, of options.heads, not "
                f"{options.width} and {options.attention_width} with {options.heads}"
            )
        high, wide = options.query_shape
        if options.attention == "local_2d" and (options.image_size % high or columns % wide):
            raise InputError(
                f"options.query_shape must divide a grid of {options.image_size} x {columns}, not be {high} x {wide}"
            )
        if options.position == "learned" and options.max_length < columns:
            raise InputError(f"options.max_length must be at least {columns}, not {options.max_length}")

    def build(self, height, width):
        self.build_generator()

    def build_generator(self):
        self.generator(tf.zeros([1, *[self.options.image_size] * 2, 3], tf.int32))

    def complete(self, batch, training):
        """What is drawn for the hole, after as many passes as there are values from its first to its last one."""
        inputs = self.inputs(batch)
        completed = self.generator.complete(_levels(inputs[0]), inputs[1][..., 0] > 0.0, self.choose)
        return with_completed({"predicted": from_levels(tf.cast(completed, tf.float32))}, inputs)

    def fill(self, batch, wanted=None):
        return self.complete(batch, training=False)

    def choose(self, position, outputs):
        """The values drawn at a position of the sequence, by the same random numbers for all examples.

        Args:
            position: int32 scalar.
            outputs: float32 [B, .], the network's there.
        Returns:
            int32 [B, 1], or [B, 3] of a mixture.
        """
        options, seed = self.options, tf.stack([self.options.seed, position])

        def uniform(count, stream):
            drawn = tf.random.stateless_uniform([count], tf.random.experimental.stateless_fold_in(seed, stream))
            return tf.clip_by_value(drawn, _LEAST, 1.0 - _LEAST)

        if self.generator.categorical:
            gumbel = -tf.math.log(-tf.math.log(uniform(outputs.shape[-1], 0)))
            return tf.argmax(outputs + options.temperature * gumbel, -1, tf.int32)[:, tf.newaxis]
        values = draw_from_mixture(outputs, uniform(options.mixtures, 0), uniform(3, 1), options.temperature)
        return _levels(values)

    def drawing(self, seed):
        """The same networks in a recipe that draws other completions."""
        other = copy.copy(self)
        other.options = replace(self.options, seed=seed)
        return other

    def generator_losses(self, batch):
        return {"bits_per_dim": tf.reduce_mean(self._bits(batch, batch["seed"]))}

    def measure(self, batch):
        return {"validation_bits_per_dim": self._bits(batch)}

    def _bits(self, batch, seeds=None):
        """Of each value of each image, on average: float32 [B]."""
        levels = _levels(batch["image"])
        outputs = self.generator(levels, seeds=seeds)
        if self.generator.categorical:
            nats = tf.nn.sparse_softmax_cross_entropy_with_logits(levels, outputs)
        else:
            nats = mixture_nll(outputs, levels) / 3.0
        return tf.reduce_mean(nats, tf.range(1, tf.rank(nats))) / math.log(2.0)


def _levels(image):
    """Of an image in [-1, 1], the nearest ones: int32."""
    return tf.cast(tf.round(tf.clip_by_value(to_levels(image), 0.0, 255.0)), tf.int32)
