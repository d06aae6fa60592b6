"""What an exported model computes: its signatures, of TensorFlow's own operations alone.

Each picture of a request is completed by itself, one after the other: what stands beside it in a batch changes nothing,
not even a rounding, and memory is that of one picture. Complaints are raised inside the graph and begin with the name
of the input; they end the request and nothing else.
"""

from __future__ import annotations

from contextlib import contextmanager

import tensorflow as tf

from tf_inpaint.inference.graph import Completion
from tf_inpaint.models.weights import named_weights
from tf_inpaint.ops.decode import decode_image, decode_mask
from tf_inpaint.ops.images import composite
from tf_inpaint.ops.levels import EDGE_THRESHOLD, MASK_THRESHOLD
from tf_inpaint.serving.weights import replaced_weights

PRECISIONS = ("float32", "bfloat16", "float16")
OUTPUTS = {"coarse": "coarse", "attention_flow": "attention"}  # by name: which of `Completion`'s outputs


class ServedModel:
    """A completion with weights of its own, in the form that TensorFlow Serving asks for.

    Args:
        recipe: a recipe whose generator is built and holds the weights; its completion needs nothing else.
        max_pixels: largest picture accepted, height x width.
        precision: "float32", or "bfloat16" or "float16": how the weights are kept. They are cast to float32 when used:
            all arithmetic is in float32.
        size: (height, width) of all pictures; None is any.
        outputs: further outputs, keys of `OUTPUTS` that the recipe has.
        residuals: as `Completion` takes them.
    Attributes:
        root: tf.Module that holds the weights and nothing else, to be saved with the signatures.
    """

    def __init__(self, recipe, max_pixels, precision="float32", size=None, outputs=(), residuals=0.0):
        self._recipe = recipe
        self._residuals = residuals
        self._completion = Completion(recipe, all_outputs=bool(outputs), residuals=residuals)
        self._max_pixels = max_pixels
        self._size = None if size is None else tuple(size)
        self._outputs = {"completed": "completed", **{name: OUTPUTS[name] for name in outputs}}
        self._own = named_weights(recipe.generator)
        self.root = tf.Module(name="served")
        self.root.weights = [
            tf.Variable(tf.cast(weight, precision), trainable=False, name=name.replace(".", "/"))
            for name, weight in self._own.items()
        ]

    @property
    def guided(self):
        """Whether pictures come with a sketch."""
        return self._recipe.generator.guided

    def signatures(self):
        """The signatures by name, `tf.function`s ready to be saved.

        "serving_default": image uint8 [N, H, W, 3], mask uint8 [N, H, W, 1] (above half = hole) and, if guided, edges
            uint8 [N, H, W, 1] (above 0.6 of white = line) -> completed uint8 [N, H, W, 3].
        "encoded": image_bytes, mask_bytes and, if guided, edges_bytes, strings [N], each a PNG or JPEG file (an empty
            sketch: no line) -> completed_bytes strings [N], PNG files. Sizes may differ from picture to picture.
        """
        height, width = self._size or (None, None)
        planes = {"image": 3, "mask": 1, **({"edges": 1} if self.guided else {})}
        specs = [tf.TensorSpec([None, height, width, depth], tf.uint8, name) for name, depth in planes.items()]
        files = [tf.TensorSpec([None], tf.string, f"{name}_bytes") for name in planes]
        return {
            "serving_default": tf.function(self._serve_tensors, input_signature=specs, autograph=False),
            "encoded": tf.function(self._serve_files, input_signature=files, autograph=False),
        }

    def draw(self, image, mask, edges=None):
        """Completes pictures of one size, unchecked and all at once: for runtimes with fewer operations.

        Args:
            image: uint8 [N, H, W, 3].
            mask, edges: uint8 [N, H, W, 1].
        Returns:
            dict of "completed" uint8 and "predicted" float32 in [-1, 1], both [N, H, W, 3].
        """
        hole = tf.cast(mask, tf.int32)[..., 0] > MASK_THRESHOLD
        line = tf.zeros_like(hole) if edges is None else tf.cast(edges, tf.int32)[..., 0] > EDGE_THRESHOLD
        with self._weights_of_its_own(), _attention_at_once(self._recipe.generator):
            drawn = Completion(self._recipe, windows=False, residuals=self._residuals)(image, hole, line)
        inside = tf.cast(hole, tf.float32)[..., tf.newaxis]
        levels = (tf.cast(picture, tf.float32) for picture in (drawn["completed"], image))
        completed = tf.cast(composite(*levels, inside), tf.uint8)
        return {"completed": completed, "predicted": drawn["predicted"]}

    def _serve_tensors(self, image, mask, edges=None):
        image, mask = self._checked("image", image, 3), self._checked("mask", mask, 1)
        mask = _like(image, "mask", mask)
        edges = tf.zeros_like(mask) if edges is None else _like(image, "edges", self._checked("edges", edges, 1))
        with self._weights_of_its_own():
            return self._map(lambda one: self._picture(*one), (image, mask, edges))

    def _serve_files(self, image_bytes, mask_bytes, edges_bytes=None):
        count = tf.shape(image_bytes)
        for name, files in (("mask_bytes", mask_bytes), ("edges_bytes", edges_bytes)):
            if files is not None:
                same = tf.reduce_all(tf.equal(tf.shape(files), count))
                message = f"`{name}` must be as many as `image_bytes`. Received:"
                image_bytes = _require(same, image_bytes, message, tf.shape(files), count)
        if edges_bytes is None:
            edges_bytes = tf.zeros_like(image_bytes)

        def one(files):
            image = self._decoded("image", files[0], decode_image)
            mask = _like(image, "mask", self._decoded("mask", files[1], decode_mask))

            def sketch():
                return _like(image, "edges", self._decoded("edges", files[2], decode_mask))

            edges = tf.cond(tf.equal(tf.strings.length(files[2]), 0), lambda: tf.zeros_like(mask), sketch)
            outputs = self._picture(image, mask, edges)
            return {f"{name}_bytes": tf.io.encode_png(value) for name, value in outputs.items()}

        with self._weights_of_its_own():
            return self._map(one, (image_bytes, mask_bytes, edges_bytes), files=True)

    def _picture(self, image, mask, edges):
        """All outputs of one picture: uint8 [H, W, 3] each."""
        lit = tf.reduce_max(mask)
        mask = _require(
            tf.not_equal(lit, 1), mask, f"`mask` counts where above {MASK_THRESHOLD}. Received: at most", lit
        )
        hole = mask[..., 0] > MASK_THRESHOLD
        line = edges[..., 0] > EDGE_THRESHOLD
        drawn = self._completion(image[tf.newaxis], hole[tf.newaxis], line[tf.newaxis])
        outputs = {name: drawn[of][0] for name, of in self._outputs.items()}
        for name in outputs.keys() & {"completed", "coarse"}:
            outputs[name] = tf.where(hole[..., tf.newaxis], outputs[name], image)
        return outputs

    def _map(self, function, inputs, files=False):
        """`function` of each picture, one at a time, so that memory is that of one."""
        count = tf.shape(inputs[0])[0]
        message = "a request must have at least one picture. Received:"
        inputs = (_require(count > 0, inputs[0], message, count), *inputs[1:])
        height, width = self._size or (None, None)
        file, picture = tf.TensorSpec([], tf.string), tf.TensorSpec([height, width, 3], tf.uint8)
        spec = {f"{name}_bytes": file for name in self._outputs} if files else dict.fromkeys(self._outputs, picture)
        return tf.map_fn(function, inputs, fn_output_signature=spec, parallel_iterations=1)

    def _weights_of_its_own(self):
        tensors = [tf.cast(weight, own.dtype) for weight, own in zip(self.root.weights, self._own.values())]
        by_id = {id(own): tensor for own, tensor in zip(self._own.values(), tensors)}
        return replaced_weights(self._recipe.generator, by_id)

    def _checked(self, name, planes, channels):
        """An input of the first signature, if its shape is right and not too large."""
        planes = _as_it_arrives(planes)
        shape = tf.shape(planes)
        height, width = self._size or ("H", "W")
        message = f"`{name}` must be [N, {height}, {width}, {channels}]. Received:"
        fits = tf.equal(tf.rank(planes), 4) & tf.reduce_all(tf.equal(shape[-1:], channels))
        if self._size is not None:
            fits &= tf.reduce_all(tf.equal(shape[1:3], self._size))
        planes = _require(fits, planes, message, shape)
        planes.set_shape([None, *(self._size or (None, None)), channels])
        return self._limited(name, planes, tf.shape(planes)[1], tf.shape(planes)[2])

    def _decoded(self, name, contents, decode):
        """A file of the second signature as uint8 [H, W, C]; too large ones are refused before they are decoded."""
        is_png = tf.strings.substr(contents, 0, 4) == b"\x89PNG"
        is_jpeg = tf.io.is_jpeg(contents)
        message = f"`{name}_bytes` must be a PNG or JPEG file. Received bytes:"
        contents = _require(is_png | is_jpeg, contents, message, tf.strings.length(contents))

        def png():
            head = tf.strings.substr(tf.strings.join([contents, b"\0" * 24]), 16, 8)
            return tf.io.decode_raw(head, tf.int32, little_endian=False)

        sides = tf.cond(is_jpeg, lambda: tf.image.extract_jpeg_shape(contents)[:2], lambda: png()[::-1])
        contents = self._limited(f"{name}_bytes", contents, sides[0], sides[1])
        plane = decode(contents)
        if self._size is not None:
            message = f"`{name}_bytes` must be {self._size[0]} x {self._size[1]} pixels high and wide. Received:"
            sides = tf.shape(plane)[:2]
            plane = _require(tf.reduce_all(tf.equal(sides, self._size)), plane, message, sides)
            plane.set_shape([*self._size, None])
        return plane

    def _limited(self, name, value, height, width):
        """`value`, if its picture is not too large."""
        pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
        fits = (height > 0) & (width > 0) & (pixels <= self._max_pixels)
        message = f"`{name}` must have 1 to {self._max_pixels} pixels. Received height and width:"
        return _require(fits, value, message, height, width)


@contextmanager
def _attention_at_once(generator):
    """While this lasts, no attention is traced that would do large pictures in chunks."""
    layers = generator.attention.layers if generator.attention else ()
    kept = [layer.max_memory for layer in layers]
    try:
        for layer in layers:
            layer.max_memory = None
        yield
    finally:
        for layer, max_memory in zip(layers, kept):
            layer.max_memory = max_memory


def _like(image, name, planes):
    """`planes`, if they have the size of `image`."""
    here, there = tf.shape(planes)[:-1], tf.shape(image)[:-1]
    same = tf.reduce_all(tf.raw_ops.Equal(x=here, y=there, incompatible_shape_error=False))
    planes = _require(same, planes, f"`{name}` must have the size of the image. Received:", here, there)
    planes.set_shape([*image.shape[:-1], planes.shape[-1]])
    return planes


def _as_it_arrives(planes):
    """`planes`, of whose shape nothing is known: TensorFlow takes it to be as declared, and servers do not look.

    No level is above 255, but TensorFlow does not know, and so it cannot tell which of two shapes will come.
    """
    never = tf.cast(tf.reduce_max(tf.reshape(planes, [-1])), tf.int32) > 255
    return tf.cond(never, lambda: tf.zeros([0], planes.dtype), lambda: tf.identity(planes))


def _require(condition, value, message, *received):
    """`value`, computed only where the condition holds."""
    with tf.control_dependencies([tf.debugging.Assert(condition, [message, *received], summarize=8)]):
        return tf.identity(value)
