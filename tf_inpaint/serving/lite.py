"""Models of one image size as a file: TensorFlow Lite, of its built-in operations alone, and ONNX.

Their inputs are `image` uint8 [1, H, W, 3] and `mask` uint8 [1, H, W, 1] (above half = hole), guided ones' also `edges`
uint8 [1, H, W, 1] (above 0.6 of white = edge); their outputs `completed` uint8 and `predicted` float32 in [-1, 1], both
[1, H, W, 3]. Nothing checks what they are given.
"""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import tensorflow as tf

from tf_inpaint.errors import InputError, first_line
from tf_inpaint.inference.graph import Completion
from tf_inpaint.ops.fourier import products_alone
from tf_inpaint.ops.images import composite
from tf_inpaint.ops.levels import EDGE_THRESHOLD, MASK_THRESHOLD
from tf_inpaint.serving.signatures import input_channels
from tf_inpaint.serving.weights import weights_module

_OPSET = 17
_MOST = 1e-3  # by which the predictions of a float32 file may differ from the network's, in [-1, 1]


def graph_of(inpainter, size):
    """A tf.function of an `Inpainter`'s completion for one image of (height, width)."""
    channels = input_channels(inpainter.takes_edges)
    signature = [tf.TensorSpec([1, *size, depth], tf.uint8, name) for name, depth in channels.items()]
    completion = Completion(inpainter.recipe, windows=False, residuals=inpainter.residuals)
    attention = inpainter.recipe.generator.attention

    def complete(image, mask, edges=None):
        hole = tf.cast(mask, tf.int32) > MASK_THRESHOLD  # [1, H, W, 1]
        edge = tf.zeros_like(hole) if edges is None else tf.cast(edges, tf.int32) > EDGE_THRESHOLD
        with ExitStack() as stack:  # these runtimes have fewer operations
            stack.enter_context(products_alone())
            for layer in attention.layers if attention else ():
                stack.callback(setattr, layer, "max_memory", layer.max_memory)
                layer.max_memory = None  # at once
            outputs = completion(image, hole[..., 0], edge[..., 0])
        levels = (tf.cast(value, tf.float32) for value in (outputs["completed"], image))
        completed = tf.cast(composite(*levels, tf.cast(hole, tf.float32)), tf.uint8)
        return {"completed": completed, "predicted": outputs["predicted"]}

    return tf.function(complete, input_signature=signature, autograph=False)


def to_tflite(inpainter, size, half: bool = False) -> tuple[bytes, float]:
    """A TensorFlow Lite model, tried on an image of noise.

    Args:
        inpainter: an `Inpainter`.
        size: (height, width) of its images.
        half: keep the weights as float16; arithmetic stays in float32, unless a device's delegate is told otherwise.
    Returns:
        (contents of the file, largest difference of its predictions from the network's).
    Raises:
        InputError: if it needs an operation that TensorFlow Lite lacks, or with float32 differs by more than 1e-3.
    """
    graph, weights = graph_of(inpainter, size), weights_module(inpainter.recipe)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.get_concrete_function()], weights)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    try:
        contents = converter.convert()
    except Exception as error:  # the converter has an exception of its own, which is not public
        raise InputError(f"this model cannot be converted to TensorFlow Lite: {first_line(error)}") from error
    # Without delegates: of TensorFlow 2.21, XNNPACK prepares some of these graphs wrongly.
    plainly = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tf.lite.Interpreter(model_content=contents, experimental_op_resolver_type=plainly)
    run = interpreter.get_signature_runner()
    return contents, _difference("TensorFlow Lite", graph, lambda inputs: run(**inputs)["predicted"], not half)


def to_onnx(inpainter, size) -> tuple[bytes, float]:
    """An ONNX model; arguments, result and errors as `to_tflite`.

    Needs the packages `tf2onnx` and `onnxruntime`, whose absence is an error too.
    """
    try:
        import onnxruntime
        import tf2onnx
    except ImportError as error:
        raise InputError(f"ONNX needs packages ({error}): pip install 'tf_inpaint[onnx]'") from error
    graph = graph_of(inpainter, size)
    proto, _ = tf2onnx.convert.from_function(graph, input_signature=graph.input_signature, opset=_OPSET)
    contents = proto.SerializeToString()

    def predict(inputs):
        session = onnxruntime.InferenceSession(contents, providers=["CPUExecutionProvider"])
        return session.run(None, inputs)[1]

    return contents, _difference("ONNX", graph, predict)


def _difference(kind, graph, predict, exactly=True):
    """The largest difference of `predict(inputs)` from the network's prediction."""
    rng = np.random.default_rng(0)
    shapes = {spec.name: spec.shape.as_list() for spec in graph.input_signature}
    _, height, width, _ = shapes["image"]
    mask = np.zeros(shapes["mask"], np.uint8)
    mask[:, height * 3 // 8 : height * 5 // 8, width * 3 // 8 : width * 5 // 8] = 255
    inputs = {"image": rng.integers(0, 256, shapes["image"], np.uint8), "mask": mask}
    if "edges" in shapes:
        inputs["edges"] = np.where(rng.random(shapes["edges"]) < 0.1, np.uint8(255), np.uint8(0))
    expected = graph(**inputs)["predicted"].numpy()
    try:
        difference = float(np.abs(predict(inputs) - expected).max())
    except Exception as error:  # runtimes have exceptions of their own
        raise InputError(f"as {kind} this model does not run ({error})") from error
    if exactly and not difference < _MOST:
        raise InputError(f"as {kind} this model's predictions differ by {difference:.2g}: nothing is written")
    return difference
