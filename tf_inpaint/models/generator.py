"""What every generator has, so that whoever completes images asks no architecture what it is."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import tensorflow as tf

from tf_inpaint.models.network import Network


class Attention(NamedTuple):
    """Attention whose memory grows with the square of the pixels.

    Attributes:
        stride: pixels between positions that attend to all others.
        layers: the layers whose `max_memory` may be set.
    """

    stride: int
    layers: Sequence[tf.keras.layers.Layer]


class Generator(Network):
    """A network that completes images.

    Attributes:
        size_multiple: H and W must be multiples of it.
        minimum_size: shortest side of an image, in pixels.
        fixed_size: height and width of all images, for a network that takes one size; None is any size.
        hole_size: side of the largest hole it fills, with `fixed_size` alone.
        region: what of an image it predicts: the "centre", as large a "box" around the hole, or the "whole".
        margin: pixels by which an image is continued, as its mirror image, beyond borders that a hole reaches, where
            too dark a hole would be predicted otherwise.
        keeps_levels: whether completions keep to the levels beside the holes, see `ops.plain`.
        guided: whether it reads edges.
        refinable: whether it has `encode` and `decode`, between which `inference.refinement` changes features.
        attention: `Attention`, or None.
        bytes_per_pixel: memory that completing takes for each pixel beside attention, measured.
        bytes_per_known_pixel: the same of pixels far from holes, where `fill` looks at them only; None if it does not.
        bytes_per_refined_pixel: the same of all pixels where an image is refined; of `refinable` ones alone.
        whole_pixels: largest image that it is shown whole unless told otherwise, where all of an image costs time and
            memory; None is any.
        known_cost: time that `fill` takes for a pixel far from what is wanted, as a fraction of that for others; None
            where it looks at all alike.
        returned: names of what `call` returns, not in training.
    Call:
        inputs: (masked_image, mask) or, if guided, (masked_image, mask, edges): float32 [B, H, W, 3] in [-1, 1], RGB, 0
            in the holes; float32 [B, H, W, 1] in {0, 1}, 1 = hole; float32 [B, H, W, 1] in {0, 1}, 1 = line. Without
            edges a guided one completes as with empty ones.
        returns: dict with "predicted", float32 [B, H, W, 3] in [-1, 1].
    """

    size_multiple = 1
    minimum_size = 1
    fixed_size = None
    hole_size = None
    region = "whole"
    margin = 0
    keeps_levels = True
    guided = False
    refinable = False
    attention = None
    bytes_per_pixel: int
    bytes_per_known_pixel = None
    bytes_per_refined_pixel: int
    whole_pixels = None
    known_cost = None
    returned = ("predicted",)

    def split(self, inputs):
        """(masked_image, mask, edges) of inputs, edges in the hole alone in a list, empty where it reads none."""
        masked_image, mask, *edges = inputs
        if len(edges) > self.guided:
            wanted = "(masked_image, mask[, edges])" if self.guided else "(masked_image, mask)"
            raise ValueError(f"`inputs` must be {wanted}. Received: {len(inputs)} tensors")
        if not self.guided:
            return masked_image, mask, []
        return masked_image, mask, [edges[0] * mask if edges else tf.zeros_like(mask)]

    def fill(self, inputs, wanted=None):
        """What the mask needs of "predicted", and of "offsets" where residuals go by them; anything beyond the mask.

        Args:
            inputs: as of `call`.
            wanted: float32 like the mask, those of its holes that count; None is all.
        """
        return self(inputs)
