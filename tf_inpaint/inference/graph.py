"""The graph from pictures to completions, whatever their size: what `Inpainter` runs and what is exported for serving.

Pictures are uint8, RGB; holes and lines are planes of bools. A network that takes sizes of its own sees a picture
continued below and to the right as its mirror image; one of a single size sees a window around the hole.
"""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.ops.boxes import Box, crop_window, mirrored, paste_window, window_around
from tf_inpaint.ops.flow import flow_to_image
from tf_inpaint.ops.images import composite, to_float, to_uint8
from tf_inpaint.ops.residuals import add_residuals


class Completion:
    """A recipe's completion as a function of tensors, to be traced.

    Args:
        recipe: a recipe whose generator is built.
        windows: False hands pictures as they are to a network of one size, which must be theirs.
        whole: False asks for "completed" alone, of which nothing but the holes counts, so that networks need not draw
            what is known.
        residuals: strength of `ops.residuals.add_residuals`; above 0 for a recipe whose outputs have integer "offsets".
    Call:
        images: uint8 [B, H, W, 3].
        holes: bool [B, H, W], True = hole.
        lines: bool [B, H, W], a guided model's sketch, True = line.
        returns: dict of tensors of the pictures' height and width, known pixels drawn anew too (not `whole`:
            drawn as anything):
            "completed", "coarse": uint8 [B, H, W, 3], the last and the first stage's prediction;
            "attention": uint8 [B, H, W, 3], offsets as colours;
            "predicted": float32 [B, H, W, 3] in [-1, 1], without residuals;
            "offsets": int32 [B, h, w, 2], with residuals alone: what they were taken by.
            A model without a coarse stage or attention lacks that entry.
    """

    def __init__(self, recipe, windows=True, whole=True, residuals=0.0):
        self._recipe = recipe
        self._residuals = residuals
        self._whole = whole
        self._in_one_size = windows and recipe.generator.fixed_size is not None

    def __call__(self, images, holes, lines):
        if self._in_one_size:
            return self._drawn(images, holes, lines)
        height, width = _side(images, 1), _side(images, 2)
        drawn = self._drawn(*(self._padded(planes) for planes in (images, holes, lines)))
        return {name: value[:, :height, :width] for name, value in drawn.items()}

    def _drawn(self, images, holes, lines):
        mask, edges = (tf.cast(plane, tf.float32)[..., tf.newaxis] for plane in (holes, lines))
        complete = self._in_windows if self._in_one_size else self._at_once
        image = to_float(images)
        outputs = complete({"image": image, "mask": mask, "edges": edges})
        completed, drawn = outputs["predicted"], {}
        if self._residuals:
            offsets, cell = outputs["offsets"], self._recipe.generator.attention.stride
            completed = composite(completed, image, mask)
            completed = add_residuals(completed, mask, offsets, cell, self._residuals, in_part=not self._whole)
            drawn["offsets"] = offsets
        drawn["completed"] = to_uint8(completed)
        if not self._whole:
            return drawn
        drawn["predicted"] = outputs["predicted"]
        if "coarse" in outputs:
            drawn["coarse"] = to_uint8(outputs["coarse"])
        if "offsets" in outputs:
            flow = to_uint8(flow_to_image(outputs["offsets"]))
            cell = tf.shape(images)[1] // tf.shape(flow)[1]
            drawn["attention"] = tf.repeat(tf.repeat(flow, cell, axis=1), cell, axis=2)
        return drawn

    def _padded(self, planes):
        """Continued below and to the right, where it moves no pixel, so that the network takes the picture."""
        sides = _side(planes, 1), _side(planes, 2)
        for axis, side, padded in zip((1, 2), sides, padded_sides(self._recipe.generator, *sides)):
            planes = tf.gather(planes, mirrored(tf.range(padded), side), axis=axis)
        return planes

    def _at_once(self, batch):
        return self._recipe.complete(batch, training=False) if self._whole else self._recipe.fill(batch)

    def _in_windows(self, batch):
        """Of a network of one picture size: each picture by the window around its hole."""
        generator = self._recipe.generator
        size, share = generator.fixed_size, generator.hole_size / generator.fixed_size

        def crop(example):
            image, mask = example
            window = window_around(mask, size, share, centred=generator.region == "centre")
            seen = crop_window(image * (1.0 - mask), window, size)
            return window, seen, tf.cast(crop_window(mask, window, size) > 0.0, tf.float32)

        plane = tf.TensorSpec([size, size, None], tf.float32)
        corner = tf.TensorSpec([2], tf.int32)
        windows, seen, masks = tf.map_fn(
            crop, (batch["image"], batch["mask"]), fn_output_signature=(Box(corner, corner), plane, plane)
        )
        seen, masks = tf.ensure_shape(seen, [None, size, size, 3]), tf.ensure_shape(masks, [None, size, size, 1])
        outputs = self._recipe.complete({"image": seen, "mask": masks}, training=False)
        predicted = tf.map_fn(
            lambda example: paste_window(*example),
            (outputs["predicted"], windows, batch["image"]),
            fn_output_signature=tf.TensorSpec([None, None, 3], tf.float32),
        )
        return {"predicted": predicted}


def padded_sides(generator, height, width):
    """The height and width that a network sees of a picture; numbers of numbers, tensors of tensors."""
    larger = max if isinstance(height, int) and isinstance(width, int) else tf.maximum
    multiple = generator.size_multiple
    return [-(-larger(side, generator.minimum_size) // multiple) * multiple for side in (height, width)]


def _side(planes, axis):
    """A side as a number where it is known while tracing, otherwise as a tensor."""
    return planes.shape[axis] if planes.shape[axis] is not None else tf.shape(planes)[axis]
