"""Models as a file: TensorFlow Lite, of its built-in operations alone and one image size, and ONNX, also of any size.

Their inputs are `image` uint8 [1, H, W, 3] and `mask` uint8 [1, H, W, 1] (above half = hole), guided ones' also `edges`
uint8 [1, H, W, 1] (above 0.6 of white = edge); their outputs `completed` uint8 and `predicted` float32 in [-1, 1], both
[1, H, W, 3]. Of any size, only what the hole needs is computed, and in place of `predicted` there is `drawn` uint8
[1, H, W, 3], what the network makes of the hole and some pixels around it. Into `completed` alone textures are drawn.
Nothing checks what they are given; a file tells all this itself, see `contract`.
"""

from __future__ import annotations

import gc
import importlib
import json
import warnings
from contextlib import ExitStack

import numpy as np
import tensorflow as tf

import tf_inpaint
from tf_inpaint.errors import InputError, first_line, without_warnings
from tf_inpaint.inference.graph import Completion
from tf_inpaint.ops.fourier import products_alone
from tf_inpaint.ops.images import composite
from tf_inpaint.ops.levels import EDGE_THRESHOLD, MASK_THRESHOLD, from_levels
from tf_inpaint.ops.texture import redrawn
from tf_inpaint.serving.signatures import input_channels
from tf_inpaint.serving.weights import weights_module

BESIDE = 8  # pixels around a hole that `drawn` is right in
METADATA = "tf_inpaint"  # under which a file keeps its contract, as JSON
_OPSET = 17
_MOST = 1e-3  # by which the predictions of a float32 file may differ from the network's, in [-1, 1]
_TRIED_SIDE = 136  # of the image that a file of any size is tried on
_LEVEL = 2 / 255  # by which rounding may differ
_LEAST_HALVED = 256  # numbers of a constant that is kept as float16


def contract(inpainter, size=None, edges=True) -> dict:
    """What whoever runs a file has to know, as JSON that is kept inside of it; arguments as `graph_of` takes them."""
    height, width = size or ("H", "W")
    generator, channels = inpainter.recipe.generator, input_channels(edges and inpainter.takes_edges)
    levels = {
        "image": "RGB levels 0 to 255; what stands in the hole is not read",
        "mask": f"above {MASK_THRESHOLD} = hole",
        "edges": f"above {EDGE_THRESHOLD} = line",
    }
    outputs = {"completed": ("uint8", "RGB levels 0 to 255; known pixels are those of the image")}
    if size:
        outputs["predicted"] = ("float32", "RGB in [-1, 1], what the network predicts of all pixels")
    else:
        outputs["drawn"] = ("uint8", f"RGB levels 0 to 255 of the hole and {BESIDE} pixels around; elsewhere anything")
    return {
        "tf_inpaint": tf_inpaint.__version__,
        "model": generator.name,
        "layout": "NHWC, one image",
        "size": list(size) if size else "any; from some thousand pixels a side on, by what memory allows",
        "trained_size": inpainter.trained_size,
        "hole": generator.region if generator.fixed_size else "any",
        "residuals": inpainter.residuals,
        "texture": inpainter.texture,
        "inputs": {
            name: {"type": "uint8", "shape": [1, height, width, depth], "levels": levels[name]}
            for name, depth in channels.items()
        },
        "outputs": {
            name: {"type": kind, "shape": [1, height, width, 3], "levels": text}
            for name, (kind, text) in outputs.items()
        },
    }


def graph_of(inpainter, size=None, edges=True):
    """A tf.function of an `Inpainter`'s completion for one image of (height, width); None is any. A guided one takes
    `edges`, or completes as with empty ones."""
    height, width = size or (None, None)
    channels = input_channels(edges and inpainter.takes_edges)
    signature = [tf.TensorSpec([1, height, width, depth], tf.uint8, name) for name, depth in channels.items()]
    completion = Completion(
        inpainter.recipe, windows=size is None, all_outputs=size is not None, residuals=inpainter.residuals
    )
    attention = inpainter.recipe.generator.attention

    def complete(image, mask, edges=None):
        hole = tf.cast(mask, tf.int32) > MASK_THRESHOLD  # [1, H, W, 1]
        edge = tf.zeros_like(hole) if edges is None else tf.cast(edges, tf.int32) > EDGE_THRESHOLD
        with ExitStack() as stack:  # these runtimes have fewer operations
            stack.enter_context(products_alone())
            for layer in attention.layers if attention else ():
                stack.callback(setattr, layer, "max_memory", layer.max_memory)
                layer.max_memory = None  # at once
            wanted = [] if size else [_widened(hole)[..., 0]]
            outputs = completion(image, hole[..., 0], edge[..., 0], *wanted)
        completed = _pasted(image, hole, outputs["completed"])
        if inpainter.texture != "none":
            example = image[0], completed[0], hole[0, :, :, 0]
            drawn = tf.cond(tf.reduce_any(edge & hole), lambda: example[1], lambda: _textured(*example))
            completed = _pasted(image, hole, tf.expand_dims(drawn, 0))
        shown = {"predicted": outputs["predicted"]} if size else {"drawn": outputs["completed"]}
        return {"completed": completed, **shown}

    return tf.function(complete, input_signature=signature, autograph=False)


def _pasted(image, hole, drawn):
    """uint8 [1, H, W, 3]: `drawn`, levels of any type, in the hole; TensorFlow Lite cannot choose between uint8."""
    drawn, image = (tf.cast(levels, tf.float32) for levels in (drawn, image))
    return tf.cast(composite(drawn, image, tf.cast(hole, tf.float32)), tf.uint8)


def _textured(image, completed, mask):
    """uint8 [H, W, 3], as `ops.texture.redraw`, but right in holes alone."""
    places, levels = redrawn(image, completed, mask)
    return tf.cast(tf.scatter_nd(places, levels, tf.shape(image)), tf.uint8)


def _widened(hole):
    """A hole and `BESIDE` pixels around it: bool [1, H, W, 1]."""
    return tf.nn.max_pool2d(tf.cast(hole, tf.float32), 2 * BESIDE + 1, 1, "SAME") > 0.0


def to_tflite(inpainter, size, half: bool = False, edges: bool = True) -> tuple[bytes, float]:
    """A TensorFlow Lite model, tried on an image of noise.

    Args:
        inpainter: an `Inpainter`.
        size: (height, width) of its images.
        half: keep the weights as float16; arithmetic stays in float32, unless a device's delegate is told otherwise.
        edges: whether a guided model takes them.
    Returns:
        (contents of the file, largest difference of its predictions from the network's).
    Raises:
        InputError: if it needs an operation that TensorFlow Lite lacks, or with float32 differs by more than 1e-3.
    """
    graph, weights = graph_of(inpainter, size, edges), weights_module(inpainter.recipe)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.get_concrete_function()], weights)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    try:
        with without_warnings("absl"):  # of gradients, which nobody wants of it
            contents = converter.convert()
    except Exception as error:  # the converter has an exception of its own, which is not public
        raise InputError(f"this model cannot be converted to TensorFlow Lite: {first_line(error)}") from error
    contents = _described(contents, contract(inpainter, size, edges))
    run = interpreter_of(contents).get_signature_runner()
    return contents, _difference("TensorFlow Lite", graph, lambda inputs: run(**inputs)["predicted"], not half)


def interpreter_of(contents: bytes):
    """LiteRT's interpreter of a model, or TensorFlow's where the package `ai-edge-litert` is not installed.

    Without delegates: of TensorFlow 2.21, XNNPACK prepares some of these graphs wrongly.
    """
    try:
        lite = importlib.import_module("ai_edge_litert.interpreter")
        kinds = lite.OpResolverType
    except ImportError:
        lite, kinds = tf.lite, tf.lite.experimental.OpResolverType
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own interpreter tells that it will go
        return lite.Interpreter(
            model_content=contents, experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )


def contract_of(contents: bytes) -> dict:
    """The contract that a TensorFlow Lite model keeps."""
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(contents))
    place = next(entry.buffer for entry in model.metadata if entry.name == METADATA.encode())
    return json.loads(bytes(model.buffers[place].data))


def _described(contents, about):
    """A TensorFlow Lite model with its contract as metadata."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(contents))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(json.dumps(about).encode(), np.uint8)
    entry.name, entry.buffer = METADATA, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def to_onnx(inpainter, size=None, half: bool = False, edges: bool = True) -> tuple[bytes, float]:
    """An ONNX model, of any size with None; arguments, result and errors as `to_tflite`.

    Of any size the difference is that of levels in the hole and around it, brought to the range [-1, 1].

    Needs the packages `tf2onnx` and `onnxruntime`, whose absence is an error too.
    """
    onnxruntime = _package("onnxruntime")
    graph = graph_of(inpainter, size, edges)
    proto = _converted(graph)
    if half:
        _halve(proto.graph)
    entry = proto.metadata_props.add()
    entry.key, entry.value = METADATA, json.dumps(contract(inpainter, size, edges))
    contents = proto.SerializeToString()

    def predict(inputs):
        session = onnxruntime.InferenceSession(contents, providers=["CPUExecutionProvider"])
        return session.run(["predicted" if size else "drawn"], inputs)[0]

    return contents, _difference("ONNX", graph, predict, not half)


def texture_to_onnx() -> bytes:
    """`ops.texture.redraw` as an ONNX model of any size, for the page.

    Inputs `image` and `completed` uint8 [H, W, 3] and `mask` uint8 [H, W] (above half = hole); output `drawn` uint8
    [H, W, 3], right in holes alone. Needs the package `tf2onnx`.
    """

    def draw(image, completed, mask):
        return {"drawn": _textured(image, completed, tf.cast(mask, tf.int32) > MASK_THRESHOLD)}

    shapes = {"image": [None, None, 3], "completed": [None, None, 3], "mask": [None, None]}
    signature = [tf.TensorSpec(shape, tf.uint8, name) for name, shape in shapes.items()]
    proto = _converted(tf.function(draw, input_signature=signature, autograph=False))
    _name_shortly(proto.graph, {name: name for name in [*shapes, "drawn"]})
    return proto.SerializeToString()


def _package(name):
    """A package that ONNX needs."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        remedy = "pip install 'tf_inpaint[onnx]' on Python 3.12 or later"
        raise InputError(f"ONNX needs packages ({error}): {remedy}") from error


def _converted(graph):
    """A tf.function of one signature as ONNX."""
    convert = _package("tf2onnx").convert.from_function
    context = importlib.import_module("tensorflow.python.eager.context").context()
    context.ensure_initialized()
    before = set(context.list_function_names())
    with without_warnings("tf2onnx"):  # of shapes within loops, which are not known before
        proto, _ = convert(graph, input_signature=graph.input_signature, opset=_OPSET)
    # TensorFlow keeps loops by names that the next model's have as well, and refuses these.
    gc.collect()
    for name in set(context.list_function_names()) - before:
        while "_function" in name and context.has_function(name):
            context.remove_function(name)
    _complete_loops(proto.graph)
    return proto


def _name_shortly(graph, names):
    """Numbers in place of names that say where in TensorFlow's graph something stood: they are most of a small file."""

    def short(name):
        return name and names.setdefault(name, f"{len(names):x}")

    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = short(value.name)
    del graph.value_info[:]
    for node in graph.node:
        node.name = ""
        node.input[:], node.output[:] = map(short, node.input), map(short, node.output)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _name_shortly(attribute.g, names)


def _complete_loops(graph):
    """Says that loops within loops count by scalars, which their conversion leaves out."""
    for node in graph.node:
        for inner in (attribute.g for attribute in node.attribute if attribute.HasField("g")):
            for counter in inner.input[:2] if node.op_type == "Loop" else ():
                counter.type.tensor_type.shape.SetInParent()
            _complete_loops(inner)


def _halve(graph):
    """Keeps an ONNX graph's large constants as float16, cast to float32 when it is loaded."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for constant in graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.size < _LEAST_HALVED or np.abs(values).max() > np.finfo(np.float16).max:
            continue
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [constant.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _difference(kind, graph, predict, exactly=True):
    """The largest difference of `predict(inputs)` from the network's prediction."""
    rng = np.random.default_rng(0)
    shapes = {
        spec.name: [side or _TRIED_SIDE + 17 * axis for axis, side in enumerate(spec.shape.as_list())]
        for spec in graph.input_signature
    }
    _, height, width, _ = shapes["image"]
    mask = np.zeros(shapes["mask"], np.uint8)
    mask[:, height * 3 // 8 : height * 5 // 8, width * 3 // 8 : width * 5 // 8] = 255
    inputs = {"image": rng.integers(0, 256, shapes["image"], np.uint8), "mask": mask}
    if "edges" in shapes:
        inputs["edges"] = np.where(rng.random(shapes["edges"]) < 0.1, np.uint8(255), np.uint8(0))
    outputs = graph(**inputs)
    drawn = "drawn" in outputs
    expected = outputs["drawn" if drawn else "predicted"].numpy()
    try:
        got = predict(inputs)
        if drawn:
            near = _widened(mask > MASK_THRESHOLD).numpy()
            got, expected = (from_levels(np.where(near, value, 0).astype(np.float32)) for value in (got, expected))
        difference = float(np.abs(got - expected).max())
    except Exception as error:  # runtimes have exceptions of their own
        raise InputError(f"as {kind} this model does not run ({error})") from error
    if exactly and not difference < (_MOST + _LEVEL if drawn else _MOST):
        raise InputError(f"as {kind} this model's predictions differ by {difference:.2g}: nothing is written")
    return difference
