"""The graph from images to completions, whatever their size: what is exported for serving, and an engine that runs it.

Images are uint8, RGB; masks and edges are bool. A network of any size sees an image continued as its mirror image:
below and to the right up to a size that it takes, and wherever a hole reaches the border, so that something known lies
beyond. One of a single size sees a window around the hole.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_inpaint.checkpoints import WITH_ATTENTION
from tf_inpaint.errors import InputError
from tf_inpaint.inference.engine import Engine
from tf_inpaint.inference.large import boxes_apart, is_thin, thin_size
from tf_inpaint.inference.memory import (
    GATHERED_BYTES_PER_PIXEL,
    attention_budget,
    installed_memory,
    memory_needed,
    parse_memory,
)
from tf_inpaint.inference.stored import StoredGraph
from tf_inpaint.layers.contextual_attention import ContextualAttention
from tf_inpaint.layers.precision import set_precision
from tf_inpaint.models.weights import named_weights
from tf_inpaint.ops.boxes import Box, bounds, crop_window, margins_of, mirrored, paste_window, window_around
from tf_inpaint.ops.flow import flow_to_image
from tf_inpaint.ops.images import composite, to_float, to_uint8
from tf_inpaint.ops.plain import keep_to_levels_beside
from tf_inpaint.ops.residuals import add_residuals

ATTENTIONS = ("exact", "coarse")
_IMAGE, _MASK = tf.TensorSpec([None, None, None, 3], tf.uint8), tf.TensorSpec([None, None, None], tf.bool)
# Of the graphs that come in files.
_SOURCES = ("inference/graph.py", "layers/*.py", "models/*.py", "ops/*.py", "recipes/base.py", "recipes/lama.py")
COARSE_STEP = 2  # of rows and columns of positions that are matched


class Completion:
    """A recipe's completion as a function of tensors, to be traced.

    Args:
        recipe: a recipe whose generator is built.
        windows: False hands images as they are to a network of one size, which must be theirs.
        all_outputs: False asks for "completed" alone, of which nothing but the holes counts, so that networks need not
            predict what is known.
        residuals: strength of `ops.residuals.add_residuals`; above 0 for a recipe whose outputs have integer "offsets".
    Call:
        image: uint8 [B, H, W, 3].
        mask: bool [B, H, W], True = hole.
        edges: bool [B, H, W], for a guided model, True = line.
        wanted: bool [B, H, W], without `all_outputs`: which holes are; None is all.
        returns: dict of tensors of the images' height and width, known pixels predicted too (not `all_outputs`:
            as anything):
            "completed", "coarse": uint8 [B, H, W, 3], the last and the first stage's prediction;
            "attention": uint8 [B, H, W, 3], offsets as colours;
            "predicted": float32 [B, H, W, 3] in [-1, 1], without residuals;
            "offsets": int32 [B, h, w, 2], with residuals alone: what they were taken by.
            A model without a coarse stage or attention lacks that entry.
    """

    def __init__(self, recipe, windows=True, all_outputs=True, residuals=0.0):
        self._recipe = recipe
        self._residuals = residuals
        self._all_outputs = all_outputs
        self._windows = windows
        self._in_one_size = windows and recipe.generator.fixed_size is not None

    def __call__(self, image, mask, edges, wanted=None):
        wanted = mask if wanted is None else wanted
        if self._in_one_size:
            return self._outputs(image, mask, edges, wanted)
        margin = self._recipe.generator.margin
        margins = margins_of(mask, margin) if self._windows and margin else [(0, 0), (0, 0)]
        outputs = self._outputs(*self._padded((image, mask, edges, wanted), margins))
        height, width, (top, left) = _side(image, 1), _side(image, 2), (first for first, _ in margins)
        shown = {name: value[:, top : top + height, left : left + width] for name, value in outputs.items()}
        return {**shown, **({"offsets": outputs["offsets"]} if "offsets" in outputs else {})}

    def _outputs(self, image, mask, edges, wanted):
        mask, edges, wanted = (tf.cast(array, tf.float32)[..., tf.newaxis] for array in (mask, edges, wanted))
        batch, wanted = {"image": to_float(image), "mask": mask, "edges": edges}, None if self._all_outputs else wanted
        image, results = batch["image"], {}
        outputs = self._in_windows(batch) if self._in_one_size else self._at_once(batch, wanted)
        completed = outputs["predicted"]
        if self._residuals:
            offsets, stride = outputs["offsets"], self._recipe.generator.attention.stride
            pasted = composite(completed, image, mask)
            detailed = add_residuals(pasted, mask, offsets, stride, self._residuals, wanted)
            completed = composite(detailed, completed, mask)  # blending looks at what is predicted beside the hole
            results["offsets"] = offsets
        drawn = tf.reduce_any(edges * mask > 0.0, axis=[1, 2, 3], keepdims=True)

        def limited(predicted):
            if not self._recipe.generator.keeps_levels:
                return predicted
            # Lines that are drawn need not occur beside the hole.
            return tf.where(drawn, predicted, keep_to_levels_beside(predicted, image, mask, wanted))

        results["completed"] = to_uint8(limited(completed))
        if not self._all_outputs:
            return results
        results["predicted"] = outputs["predicted"]
        if "coarse" in outputs:
            results["coarse"] = to_uint8(limited(outputs["coarse"]))
        if "offsets" in outputs:
            flow = to_uint8(flow_to_image(outputs["offsets"]))  # [B, h, w, 3]
            stride = tf.shape(image)[1] // tf.shape(flow)[1]
            results["attention"] = tf.repeat(tf.repeat(flow, stride, axis=1), stride, axis=2)
        return results

    def _padded(self, arrays, margins):
        """Continued by margins, and below and to the right up to a size that the network takes."""
        size = _side(arrays[0], 1), _side(arrays[0], 2)
        wide = (first + side + last for side, (first, last) in zip(size, margins))
        for axis, side, padded, (first, _) in zip((1, 2), size, padded_size(self._recipe.generator, *wide), margins):
            index = mirrored(tf.range(padded) - first, side)
            arrays = [tf.gather(array, index, axis=axis) for array in arrays]
        return arrays

    def _at_once(self, batch, wanted):
        return self._recipe.complete(batch, training=False) if wanted is None else self._recipe.fill(batch, wanted)

    def _in_windows(self, batch):
        """Of a network of one image size: each image by the window around its hole."""
        generator = self._recipe.generator
        size, ratio = generator.fixed_size, generator.hole_size / generator.fixed_size

        def crop(example):
            image, mask = example
            window = window_around(mask, size, ratio, centred=generator.region == "centre")
            seen = crop_window(image * (1.0 - mask), window, size)
            return window, seen, tf.cast(crop_window(mask, window, size) > 0.0, tf.float32)

        shown = tf.TensorSpec([size, size, None], tf.float32)
        corner = tf.TensorSpec([2], tf.int32)
        windows, seen, masks = tf.map_fn(
            crop, (batch["image"], batch["mask"]), fn_output_signature=(Box(corner, corner), shown, shown)
        )
        seen, masks = tf.ensure_shape(seen, [None, size, size, 3]), tf.ensure_shape(masks, [None, size, size, 1])
        outputs = self._recipe.complete({"image": seen, "mask": masks}, training=False)
        predicted = tf.map_fn(
            lambda example: paste_window(*example),
            (outputs["predicted"], windows, batch["image"]),
            fn_output_signature=tf.TensorSpec([None, None, 3], tf.float32),
        )
        return {"predicted": predicted}


class KerasEngine(Engine):
    """Completes with a recipe's own networks.

    Args:
        recipe: a recipe whose generator is built and holds the weights.
        max_memory: how much memory completing may take, in bytes or as "8G"; None is what the machine has.
        precision: what convolutions compute in, see `tf_inpaint.layers.precision`; the recipe's networks keep it.
        residuals: strength, in [0, 1], of the fine detail that holes get from what contextual attention matched, see
            `ops.residuals`; 0 is what the network predicts.
        attention: "exact"; or "coarse", in which contextual attention matches only every `COARSE_STEP`-th row and
            column of positions.
        fill: `fill_graph` of the recipe, where that is of these settings.
    Raises:
        InputError: if `max_memory` cannot be read, or `residuals` is out of range, or it or coarse attention is asked
            of a model without contextual attention.
        ValueError: if `attention` is neither.
    """

    def __init__(self, recipe, max_memory=None, precision="float32", residuals=0.0, attention="exact", fill=None):
        if attention not in ATTENTIONS:
            raise ValueError(f"`attention` must be one of {', '.join(ATTENTIONS)}. Received: {attention!r}")
        if not 0 <= residuals <= 1:
            raise InputError(f"residuals is a strength, 0 to 1, not {residuals}")
        for option, asked in (("residuals", residuals), ("attention coarse", attention == "coarse")):
            if asked and not _matches_patches(recipe):
                raise InputError(
                    f"this model matches no patches by contextual attention: leave out {option}, or take the weights "
                    f"{WITH_ATTENTION}"
                )
        self.recipe = recipe
        self.guided = recipe.generator.guided
        self.fixed_size = recipe.generator.fixed_size
        self.whole_pixels = recipe.generator.whole_pixels
        self.blending = recipe.blending
        made = {"coarse": "coarse", "offsets": "attention"}
        self.images = {made[name] for name in recipe.generator.returned if name in made}
        self.residuals = residuals
        self._stored = fill
        self.max_memory = installed_memory() if max_memory is None else parse_memory(max_memory)
        attends = recipe.generator.attention
        for layer in attends.layers if attends else ():
            layer.max_memory = attention_budget(self.max_memory)
            if _matches_patches(recipe):
                layer.step = COARSE_STEP if attention == "coarse" else 1
        for network in recipe.networks.values():
            set_precision(network, precision)
        self._complete, self._fill = (
            tf.function(
                Completion(recipe, all_outputs=every, residuals=residuals),
                input_signature=[_IMAGE, _MASK, _MASK] + [_MASK] * (not every),
                autograph=False,
            )
            for every in (True, False)
        )

    @property
    def margin(self):
        return 0 if self.fixed_size else self.recipe.generator.margin

    @property
    def graphs(self):
        stored = self._stored is not None and self._stored.made
        return stored + sum(graph.experimental_get_tracing_count() for graph in (self._complete, self._fill))

    def run(self, image, mask, edges, all_outputs):
        graph = self._complete if all_outputs else self._fill_apart
        which = self._margins(mask).reshape(len(mask), 4)
        if (which == which[0]).all():
            return graph(image, mask, edges)
        # Images whose holes reach other borders are continued otherwise.
        groups = [np.flatnonzero((which == kind).all(axis=1)) for kind in np.unique(which, axis=0)]
        outputs = [graph(image[group], mask[group], edges[group]) for group in groups]
        order = np.argsort(np.concatenate(groups))
        names = outputs[0].keys() - {"offsets"}
        return {name: tf.gather(tf.concat([each[name] for each in outputs], 0), order) for name in names}

    def _fill_apart(self, image, mask, edges):
        """Holes far apart one after the other: the rectangle around all would be mostly known."""
        results = None
        for rows, columns in self._boxes(mask.any(axis=0)):
            wanted = np.zeros_like(mask)
            wanted[:, rows, columns] = mask[:, rows, columns]
            if self._stored is None:
                outputs = self._fill(image, mask, edges, wanted)
            else:
                outputs = {"completed": self._stored(image, mask, edges, wanted)}
            if results is not None:
                outputs["completed"] = tf.where(wanted[..., np.newaxis], outputs["completed"], results["completed"])
            results = outputs
        return results

    def _boxes(self, mask):
        """The boxes of a mask, bool [H, W], that are completed one after the other."""
        cost = self.recipe.generator.known_cost
        return boxes_apart(mask, cost * mask.size) if cost else [(slice(None), slice(None))]

    def joint_size(self, mask):
        size = mask.shape if self.fixed_size else tuple(padded_size(self.recipe.generator, *mask.shape))
        # An image is continued from where a hole reaches its own border, not from where the hole or its mirror image
        # reaches that of what has been padded.
        rows, columns = (mirrored(np.arange(side), length).numpy() for side, length in zip(size, mask.shape))
        masks = mask, mask[rows][:, columns]
        return None if size != mask.shape and any(self._margins(seen[np.newaxis]).any() for seen in masks) else size

    def in_pieces(self, height, width):
        return self.fixed_size is None and is_thin(height, width)

    def memory(self, height, width, batch=1, mask=None):
        generator, hole = self.recipe.generator, None
        if self.fixed_size is not None:
            return memory_needed(generator, self.fixed_size, self.fixed_size, self.max_memory, batch)
        if self.in_pieces(height, width):
            return self.memory(*thin_size(height, width)) + GATHERED_BYTES_PER_PIXEL * height * width * batch
        if mask is not None:
            mask = mask.reshape(-1, *mask.shape[-2:]).any(axis=0)  # [H, W]
            margins = self._margins(mask[np.newaxis])[0].sum(axis=1)
            largest = max((mask[box] for box in self._boxes(mask)), key=np.size)  # of those one after the other
            sides = zip(bounds(largest[..., np.newaxis]).size.numpy(), margins)
            hole = tuple(max(0, int(side + margin)) for side, margin in sides)
            height, width = (int(side + margin) for side, margin in zip((height, width), margins))
        return memory_needed(generator, *padded_size(generator, height, width), self.max_memory, batch, hole)

    def _margins(self, mask):
        """By how much each image is continued, int [B, 2, 2]: before and behind its rows and columns."""
        reached = [np.stack([mask.take(0, axis), mask.take(-1, axis)], 1).any(axis=2) for axis in (1, 2)]
        return self.recipe.generator.margin * np.stack(reached, axis=1).astype(int)


def fill_graph(recipe, file):
    """`Completion` of holes alone by a built recipe of LaMa's without residuals, as a `StoredGraph`."""
    complete, side = Completion(recipe, all_outputs=False), recipe.generator.minimum_size
    image, mask = np.zeros([1, side, side, 3], np.uint8), np.zeros([1, side, side], bool)
    mask[:, side // 2, side // 2] = True

    def fill(*arguments):
        return complete(*arguments)["completed"]

    signature, example = [_IMAGE, _MASK, _MASK, _MASK], [image, mask, np.zeros_like(mask), mask]
    weights, options = named_weights(recipe.generator), repr(recipe.options)
    return StoredGraph(file, _SOURCES, fill, signature, example, weights, options)


def padded_size(generator, height, width):
    """The [height, width] that a network sees of an image; numbers of numbers, tensors of tensors."""
    larger = max if isinstance(height, int) and isinstance(width, int) else tf.maximum
    multiple = generator.size_multiple
    return [(larger(side, generator.minimum_size) + multiple - 1) // multiple * multiple for side in (height, width)]


def _matches_patches(recipe):
    """Whether a recipe's outputs have "offsets" of patches."""
    attention = recipe.generator.attention
    if attention is None or recipe.options.pretrain_coarse:
        return False
    return any(isinstance(layer, ContextualAttention) for layer in attention.layers)


def _side(array, axis):
    """A side as a number where it is known while tracing, otherwise as a tensor."""
    return array.shape[axis] if array.shape[axis] is not None else tf.shape(array)[axis]
