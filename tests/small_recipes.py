"""Every recipe at a size for unit tests, and batches for it."""

import numpy as np
import tensorflow as tf

from tf_inpaint.ops.masks import MASKS, MaskOptions
from tf_inpaint.recipes import RECIPES

OPTIONS = {
    "deepfill_v1": {"width": 4, "critic_width": 4, "local_patch": (32, 32)},
    "deepfill_v2": {"width": 8, "critic_width": 4},
    "pen_net": {"width": 4, "critic_width": 4},
    "context_encoder": {"image_size": 32, "width": 4, "critic_width": 4, "bottleneck": 10, "overlap": 2},
    "dcgan": {"image_size": 32, "code_size": 8, "width": 4, "critic_width": 4, "search_steps": 2},
    "lama": {"width": 4, "blocks": 1, "critic_width": 4, "perceptual_weight": 0.0},
    "partial_convolution": {"width": 4, "depth": 4, "perceptual_weight": 0.0, "style_weight": 0.0},
    "pix2pix": {"image_size": 32, "width": 4, "critic_width": 4},
    "image_transformer": {"image_size": 8, "width": 8, "filters": 8, "depth": 2, "heads": 2, "block_length": 48},
    "global_local": {"width": 4, "critic_width": 4, "local_patch": (32, 32), "critic_layers": (4, 5)},
}
BOX = MaskOptions("box", 32, 32, 8, 8)


def make_options(name, **options):
    return RECIPES[name].Options(**{**OPTIONS[name], **options})


def make_recipe(name, side=64, **options):
    """A recipe with all of its weights, for images of side x side."""
    recipe = RECIPES[name](make_options(name, **options))
    recipe.build(*[recipe.generator.fixed_size or side] * 2)
    return recipe


def make_batch(count=2, side=64, holes=BOX):
    """What a recipe takes; every example is a function of its index."""
    seeds = tf.constant([[5, index] for index in range(count)])
    return {
        "image": tf.stack([tf.random.stateless_uniform([side, side, 3], seed, -1, 1) for seed in seeds]),
        "mask": tf.stack([MASKS[holes.kind](seed, side, side, holes) for seed in seeds]),
        "edges": tf.stack([tf.round(tf.random.stateless_uniform([side, side, 1], seed)) for seed in seeds]),
        "seed": seeds,
    }


def make_inputs(count, height, width):
    """What an unguided generator takes: (masked_image, mask), each example with a hole of its own."""
    image = tf.random.stateless_uniform([count, height, width, 3], [1, 2], -1, 1)
    mask = np.zeros([count, height, width, 1], np.float32)
    for i in range(count):
        mask[i, 8 + 4 * i : 32, 16 : 40 - 4 * i] = 1
    return image * (1 - mask), tf.constant(mask)


def split(batch, *indices):
    """The batch's examples between the indices."""
    return {name: values[slice(*indices)] for name, values in batch.items()}
