"""Models of one picture size as a file: TensorFlow Lite, of its built-in operations alone, and ONNX.

Their inputs are `image` uint8 [1, H, W, 3] and `mask` uint8 [1, H, W, 1] (above half = hole), guided ones' also `edges`
uint8 [1, H, W, 1] (above 0.6 of white = line); their outputs `completed` uint8 and `predicted` float32 in [-1, 1], both
[1, H, W, 3]. Nothing checks what they are given.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_inpaint.errors import InputError, first_line

_OPSET = 17
_MOST = 1e-3  # by which the predictions of a float32 file may differ from the network's, in [-1, 1]


def graph_of(model, size):
    """A tf.function of a `ServedModel` for one picture of (height, width)."""
    planes = {"image": 3, "mask": 1, **({"edges": 1} if model.guided else {})}
    specs = [tf.TensorSpec([1, *size, depth], tf.uint8, name) for name, depth in planes.items()]
    return tf.function(model.draw, input_signature=specs, autograph=False)


def to_tflite(model, size, half: bool = False) -> tuple[bytes, float]:
    """A TensorFlow Lite model, tried on a picture of noise.

    Args:
        model: a `ServedModel` whose weights are kept as float32.
        size: (height, width) of its pictures.
        half: keep the weights as float16; arithmetic stays in float32, unless a device's delegate is told otherwise.
    Returns:
        (contents of the file, largest difference of its predictions from the network's).
    Raises:
        InputError: if it needs an operation that TensorFlow Lite lacks, or with float32 differs by more than 1e-3.
    """
    drawing = graph_of(model, size).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([drawing], model.root)
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
    return contents, _compared("TensorFlow Lite", model, size, lambda inputs: run(**inputs)["predicted"], not half)


def to_onnx(model, size) -> tuple[bytes, float]:
    """An ONNX model; arguments, result and errors as `to_tflite`.

    Needs the packages `tf2onnx` and `onnxruntime`, whose absence is an error too.
    """
    try:
        import onnxruntime
        import tf2onnx
    except ImportError as error:
        raise InputError(f"ONNX needs packages ({error}): pip install 'tf_inpaint[onnx]'") from error
    graph = graph_of(model, size)
    proto, _ = tf2onnx.convert.from_function(graph, input_signature=graph.input_signature, opset=_OPSET)
    contents = proto.SerializeToString()

    def predict(inputs):
        session = onnxruntime.InferenceSession(contents, providers=["CPUExecutionProvider"])
        return session.run(None, inputs)[1]

    return contents, _compared("ONNX", model, size, predict)


def _compared(what, model, size, predict, exactly=True):
    """The largest difference of `predict(inputs)` from the network's prediction."""
    rng = np.random.default_rng(0)
    mask = np.zeros((1, *size, 1), np.uint8)
    mask[:, size[0] * 3 // 8 : size[0] * 5 // 8, size[1] * 3 // 8 : size[1] * 5 // 8] = 255
    inputs = {"image": rng.integers(0, 256, (1, *size, 3), np.uint8), "mask": mask}
    if model.guided:
        inputs["edges"] = np.where(rng.random(mask.shape) < 0.1, np.uint8(255), np.uint8(0))
    expected = graph_of(model, size)(**inputs)["predicted"].numpy()
    try:
        difference = float(np.abs(predict(inputs) - expected).max())
    except Exception as error:  # runtimes have exceptions of their own
        raise InputError(f"as {what} this model does not run ({error})") from error
    if exactly and not difference < _MOST:
        raise InputError(f"as {what} this model's predictions differ by {difference:.2g}: nothing is written")
    return difference
