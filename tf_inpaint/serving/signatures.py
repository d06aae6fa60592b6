"""What an exported model computes: its signatures, of TensorFlow's own operations alone.

The images of a request are completed one after the other: what stands beside one in a batch changes nothing, not even a
rounding, and memory is that of one image.
"""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.inference.engine import SERVED
from tf_inpaint.inference.graph import Completion
from tf_inpaint.ops.decode import decode_image, decode_mask
from tf_inpaint.ops.levels import EDGE_THRESHOLD, MASK_THRESHOLD
from tf_inpaint.ops.texture import redraw
from tf_inpaint.serving.checks import Checks, as_large_as, require
from tf_inpaint.serving.weights import keep_weights, weights_module


def input_channels(guided):
    """Name -> channels of what a model takes."""
    return {"image": 3, "mask": 1, **({"edges": 1} if guided else {})}


class ServedModel:
    """A completion in the form that TensorFlow Serving asks for.

    Args:
        recipe: a recipe whose generator is built and holds the weights; its completion needs nothing else.
        max_pixels: largest image accepted, height x width.
        precision: "float32", or "bfloat16" or "float16": how the weights are kept. They are cast to float32 when used:
            all arithmetic is in float32.
        size: (height, width) of all images; None is any.
        outputs: further outputs, keys of `inference.engine.SERVED` that the recipe has.
        residuals: as `Completion` takes them.
        texture: as `Inpainter` takes it.
        edges: whether a guided model's signatures take them; else it completes as with empty ones.
    Attributes:
        guided: whether images come with edges.
        root: tf.Module that holds the weights and nothing else, to be saved with the signatures.
    """

    def __init__(
        self,
        recipe,
        max_pixels,
        precision="float32",
        size=None,
        outputs=(),
        residuals=0.0,
        texture="none",
        edges=True,
    ):
        recipe = keep_weights(recipe, precision)
        self.guided = recipe.generator.guided and edges
        self.root = weights_module(recipe)
        self._completion = Completion(recipe, all_outputs=bool(outputs), residuals=residuals)
        self._texture = texture
        self._size = None if size is None else tuple(size)
        self._checks = Checks(max_pixels, self._size, thin=recipe.generator.fixed_size is not None)
        self._outputs = {"completed": "completed", **{name: SERVED[name] for name in outputs}}

    def signatures(self):
        """The signatures by name, `tf.function`s ready to be saved.

        "serving_default": image uint8 [N, H, W, 3], mask uint8 [N, H, W, 1] (above half = hole) and, if guided, edges
            uint8 [N, H, W, 1] (above 0.6 of white = edge) -> completed uint8 [N, H, W, 3].
        "encoded": image_bytes, mask_bytes and, if guided, edges_bytes, strings [N], each a PNG or JPEG file (an empty
            string: no edges) -> completed_bytes strings [N], PNG files. Sizes may differ from image to image.
        """
        height, width = self._size or (None, None)
        channels = input_channels(self.guided)
        one = [tf.TensorSpec([height, width, depth], tf.uint8) for depth in (3, 1, 1)]
        self._completed = tf.function(self._complete, input_signature=one, autograph=False)  # traced once for both
        arrays = [tf.TensorSpec([None, height, width, depth], tf.uint8, name) for name, depth in channels.items()]
        files = [tf.TensorSpec([None], tf.string, f"{name}_bytes") for name in channels]
        return {
            "serving_default": tf.function(self._serve_arrays, input_signature=arrays, autograph=False),
            "encoded": tf.function(self._serve_files, input_signature=files, autograph=False),
        }

    def _serve_arrays(self, image, mask, edges=None):
        image = self._checks.array("image", image, 3)
        mask = as_large_as(image, "mask", self._checks.array("mask", mask, 1))
        if edges is None:
            edges = tf.zeros_like(mask)
        else:
            edges = as_large_as(image, "edges", self._checks.array("edges", edges, 1))
        height, width = self._size or (None, None)
        spec = dict.fromkeys(self._outputs, tf.TensorSpec([height, width, 3], tf.uint8))
        return _one_by_one(lambda example: self._completed(*example), (image, mask, edges), spec)

    def _serve_files(self, image_bytes, mask_bytes, edges_bytes=None):
        count = tf.shape(image_bytes)
        for name, files in (("mask_bytes", mask_bytes), ("edges_bytes", edges_bytes)):
            if files is not None:
                same = tf.reduce_all(tf.equal(tf.shape(files), count))
                message = f"`{name}` must be as many as `image_bytes`. Received:"
                image_bytes = require(same, image_bytes, message, tf.shape(files), count)
        if edges_bytes is None:
            edges_bytes = tf.zeros_like(image_bytes)

        def complete(files):
            image = self._checks.file("image_bytes", files[0], decode_image)
            mask = as_large_as(image, "mask", self._checks.file("mask_bytes", files[1], decode_mask))
            edges = tf.cond(
                tf.equal(tf.strings.length(files[2]), 0),
                lambda: tf.zeros_like(mask),
                lambda: as_large_as(image, "edges", self._checks.file("edges_bytes", files[2], decode_mask)),
            )
            outputs = self._completed(image, mask, edges)
            return {f"{name}_bytes": tf.io.encode_png(value) for name, value in outputs.items()}

        spec = {f"{name}_bytes": tf.TensorSpec([], tf.string) for name in self._outputs}
        return _one_by_one(complete, (image_bytes, mask_bytes, edges_bytes), spec)

    def _complete(self, image, mask, edges):
        """All outputs of one image, uint8 [H, W, 3]; mask and edges are uint8 [H, W, 1]."""
        largest = tf.reduce_max(mask)
        message = f"`mask` counts where above {MASK_THRESHOLD}. Received: at most"
        hole = require(tf.not_equal(largest, 1), mask, message, largest) > MASK_THRESHOLD  # [H, W, 1]
        lines = edges > EDGE_THRESHOLD
        completion = self._completion(*(tensor[tf.newaxis] for tensor in (image, hole[..., 0], lines[..., 0])))
        outputs = {name: completion[source][0] for name, source in self._outputs.items()}
        for name in outputs.keys() & {"completed", "coarse"}:
            outputs[name] = tf.where(hole, outputs[name], image)
        if self._texture != "none":
            completed = outputs["completed"]
            outputs["completed"] = tf.cond(
                tf.reduce_any(lines & hole), lambda: completed, lambda: redraw(image, completed, hole[..., 0])
            )
        return outputs


def _one_by_one(function, inputs, spec):
    """`function` of each example of a request, so that memory is that of one."""
    count = tf.shape(inputs[0])[0]
    first = require(count > 0, inputs[0], "a request must have at least one image. Received:", count)
    return tf.map_fn(function, (first, *inputs[1:]), fn_output_signature=spec, parallel_iterations=1)
