"""HED with small real networks written here."""

import struct
from unittest.mock import Mock

import cv2
import numpy as np
import pytest

from tf_inpaint.edges import main
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import read_mask, write_png
from tf_inpaint.ops import hed
from tf_inpaint.ops.hed import HedDetector

# Small networks in the two formats: fields of Google's protocol buffers, written by hand.


def _varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def _field(number, content):
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    content = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def _blob(values):
    """An array of a Caffe network."""
    values = np.asarray(values, float)
    dims = b"".join(_varint(d) for d in values.shape)
    return _field(7, _field(5, _floats(*values.ravel())) + _field(7, _field(1, dims)))


def _layer(name, kind, *arrays):
    return _field(100, _field(1, name) + _field(2, kind) + b"".join(map(_blob, arrays)))


BAR = np.full((64, 64, 3), 40, np.uint8)
BAR[8:56, 28:36] = 200
WEIGHTS, BIAS = (0.02, 0.03, 0.05), -0.5  # of B, G, R


def _onnx(sigmoid=True):
    """sigmoid(conv 1 x 1) of a image of any size, or without the sigmoid."""

    def value(name, channels):
        dims = [_field(1, 1), _field(1, channels), _field(2, "h"), _field(2, "w")]
        shape = b"".join(_field(1, dim) for dim in dims)
        return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, shape)))

    def tensor(name, dims, values):
        return b"".join(_field(1, d) for d in dims) + _field(2, 1) + _field(8, name) + _field(9, _floats(*values))

    def node(kind, inputs, output, attributes=b""):
        return b"".join(_field(1, i) for i in inputs) + _field(2, output) + _field(4, kind) + attributes

    kernel = _field(5, _field(1, "kernel_shape") + _field(8, 1) + _field(8, 1) + _field(20, 7))
    graph = _field(1, node("Conv", ["x", "w", "b"], "c", kernel)) + _field(
        1, node("Sigmoid" if sigmoid else "Neg", ["c"], "y")
    )
    graph += _field(2, "g") + _field(5, tensor("w", [1, 3, 1, 1], WEIGHTS)) + _field(5, tensor("b", [1], [BIAS]))
    graph += _field(11, value("x", 3)) + _field(12, value("y", 1))
    return _field(1, 7) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13))


PROTOTXT = """
name: "tiny"
input: "data"
input_dim: 1 input_dim: 3 input_dim: 32 input_dim: 32
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 1 kernel_size: 1 pad: 3 } }
layer { name: "crop" type: "Crop" bottom: "conv" bottom: "data" top: "crop" }
layer { name: "sigmoid" type: "Sigmoid" bottom: "crop" top: "out" }
"""


@pytest.fixture
def networks(tmp_path):
    (tmp_path / "tiny.onnx").write_bytes(_onnx())
    (tmp_path / "tiny.prototxt").write_text(PROTOTXT)
    (tmp_path / "tiny.caffemodel").write_bytes(
        _field(1, "tiny") + _layer("conv", "Convolution", np.reshape(WEIGHTS, (1, 3, 1, 1)), [BIAS])
    )
    return {"onnx": [tmp_path / "tiny.onnx"], "caffe": [tmp_path / "tiny.caffemodel", tmp_path / "tiny.prototxt"]}


@pytest.mark.parametrize("kind", ["onnx", "caffe"])
def test_hed_is_what_its_network_says(networks, kind):
    if kind == "caffe" and not hasattr(cv2.dnn, "readNetFromCaffe"):
        with pytest.raises(InputError, match="reads no Caffe networks"):
            HedDetector(networks[kind])
        pytest.skip(f"OpenCV {cv2.__version__} reads no Caffe networks, and says so")
    image = np.random.default_rng(0).integers(0, 256, (20, 32, 3)).astype(np.uint8)
    likelihood = HedDetector(networks[kind])(image)
    bgr = image[..., ::-1] - np.array([104.00698793, 116.66876762, 122.67891434])
    np.testing.assert_allclose(likelihood, 1 / (1 + np.exp(-(bgr @ WEIGHTS + BIAS))), atol=1e-5)


def _stages():
    """A Caffe network with the paddings, poolings, enlargements and crops of HED that lets a grey image through."""

    def layer(name, kind, bottoms, parameters=""):
        bottoms = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
        return f'layer {{ name: "{name}" type: "{kind}" {bottoms} top: "{name}" {parameters} }}'

    through = np.zeros((1, 3, 3, 3))
    through[0, :, 1, 1] = 1 / 3
    weights = _layer("conv", "Convolution", through, np.zeros(1))
    text = ['input: "data" input_dim: 1 input_dim: 3 input_dim: 500 input_dim: 500']
    text += [layer("conv", "Convolution", ["data"], "convolution_param { num_output: 1 kernel_size: 3 pad: 35 }")]
    below, sides = "conv", []
    for stage in range(1, 5):
        step, size, pooled = 2**stage, 2 ** (stage + 1), f"pool{stage}"
        tent = 1 - np.abs(np.arange(size) - (size - 1) / 2) / step
        weights += _layer(f"up{stage}", "Deconvolution", np.outer(tent, tent)[None, None])
        enlarge = f"convolution_param {{ num_output: 1 kernel_size: {size} stride: {step} bias_term: false }}"
        text += [
            layer(pooled, "Pooling", [below], "pooling_param { pool: AVE kernel_size: 2 stride: 2 }"),
            layer(f"up{stage}", "Deconvolution", [pooled], enlarge),
            layer(f"side{stage}", "Crop", [f"up{stage}", "data"]),
        ]
        below, sides = pooled, [*sides, f"side{stage}"]
    total = layer("total", "Eltwise", sides, "eltwise_param { operation: SUM }")
    scaled = layer("fuse", "Power", ["total"], "power_param { scale: 0.0005 shift: 0.3 }")
    return "\n".join([*text, total, scaled, layer("last", "Sigmoid", ["conv"])]), _field(1, "stages") + weights


@pytest.mark.skipif(
    not hasattr(cv2.dnn, "readNetFromCaffe"), reason=f"OpenCV {cv2.__version__} reads no Caffe networks"
)
@pytest.mark.parametrize("height, width", [(64, 92), (100, 96), (81, 107)])
def test_all_stages_of_hed_see_the_same_place(tmp_path, height, width):
    text, weights = _stages()
    (tmp_path / "n.prototxt").write_text(text)
    (tmp_path / "n.caffemodel").write_bytes(weights)
    detector = HedDetector([tmp_path / "n.prototxt", tmp_path / "n.caffemodel"])
    image = np.zeros((height, width, 3), np.uint8)
    empty = detector(image)
    image[height // 2 - 12 : height // 2 + 13, width // 2 - 12 : width // 2 + 13] = 255
    seen = detector(image) - empty  # the output named "fuse": the five crops, added up
    assert seen.shape == (height, width) and seen.max() > 0.3
    y, x = np.mgrid[:height, :width]
    centre = (seen * y).sum() / seen.sum(), (seen * x).sum() / seen.sum()
    np.testing.assert_allclose(centre, (height // 2, width // 2), atol=0.3)


def test_large_images_are_shown_to_the_network_smaller(networks, monkeypatch):
    monkeypatch.setattr(hed, "LARGEST_SIDE", 40)
    image = np.zeros((100, 60, 3), np.uint8)
    image[:, 30:] = 255
    detector = HedDetector(networks["onnx"])
    detector._net = net = Mock(wraps=detector._net)
    likelihood = detector(image)
    assert likelihood.shape == (100, 60) and likelihood[50, 0] < 0.01 and likelihood[50, 59] > 0.99
    assert [call.args[0].shape for call in net.setInput.call_args_list] == [(1, 3, 40, 24)]


def test_a_network_without_its_sigmoid_is_refused(tmp_path):
    (tmp_path / "tiny.onnx").write_bytes(_onnx(sigmoid=False))
    with pytest.raises(InputError, match="in 0 .. 1, not .* is its last sigmoid missing?"):
        HedDetector([tmp_path / "tiny.onnx"])(BAR)


def test_strange_networks_are_sentences(tmp_path, networks):
    with pytest.raises(InputError, match="none.onnx does not exist"):
        HedDetector([tmp_path / "none.onnx"])
    with pytest.raises(InputError, match="a .prototxt and a .caffemodel, not .*tiny.prototxt"):
        HedDetector([tmp_path / "tiny.prototxt"])
    (tmp_path / "tiny.onnx").write_bytes(b"no network")
    with pytest.raises(InputError, match="OpenCV cannot read the network"):
        HedDetector([tmp_path / "tiny.onnx"])


def test_the_command_follows_the_network(tmp_path, networks):
    write_png(tmp_path / "photos" / "a.png", BAR)
    write_png(tmp_path / "photos" / "a_edge.png", np.zeros((64, 64), np.uint8))
    model, images = [str(file) for file in networks["onnx"]], str(tmp_path / "photos")
    assert main(["--images", images, "--force", "--method", "hed", "--model", *model, "--level", "0.9"]) == 0
    assert read_mask(tmp_path / "photos" / "a_edge.png").any()
