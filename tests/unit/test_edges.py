"""Sketches: Canny, HED with small real networks written here, thinning, and the command."""

import struct
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tf_inpaint import edges
from tf_inpaint.edges import HedDetector, canny_edges, main, sketch, thin
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import read_mask, write_png
from tf_inpaint.io.listing import list_files, source_root, split_edges


def _square(size=64, low=40, high=200):
    picture = np.full((size, size, 3), low, np.uint8)
    picture[16:48, 16:48] = high
    return picture


def test_a_square_has_lines_at_its_border_only():
    edges = canny_edges(_square())
    assert edges.dtype == np.uint8 and set(np.unique(edges)) == {0, 255}
    y, x = np.nonzero(edges)
    inside = np.maximum(np.abs(y - 31.5), np.abs(x - 31.5))  # 16 on the border
    assert (np.abs(inside - 16) <= 2).all()
    for middle in (edges[32], edges[:, 32]):
        assert (middle > 0).sum() == 2


@pytest.mark.parametrize("low, high", [(10, 30), (40, 200), (225, 255)])
def test_faint_pictures_have_lines_too_and_flat_ones_none(low, high):
    assert (canny_edges(_square(low=low, high=high)) > 0).sum() > 90
    assert not canny_edges(_square(low=high, high=high)).any()
    noise = np.random.default_rng(0).integers(low, low + 3, (64, 64, 3)).astype(np.uint8)
    assert not canny_edges(noise).any()


def test_what_is_faint_has_lines_beside_what_is_not():
    picture = np.full((256, 256, 3), 30, np.uint8)
    picture[:, 150:180] = picture[:, 220:] = 255  # windows
    picture[100:150, 30:80] = 60  # a face in the shade
    assert (canny_edges(picture)[90:160, 20:90] > 0).sum() > 150


def test_a_larger_picture_has_the_same_lines():
    tiles = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    lengths = []
    for side in (32, 64, 256, 512):
        picture = np.kron(tiles, np.ones((side, side, 1), np.uint8))
        lengths.append((canny_edges(picture) > 0).sum() / side)
    assert 10 < min(lengths) and max(lengths) < 1.25 * min(lengths) and max(lengths) < 24  # the borders are 24 sides


def test_specks_are_left_out():
    picture = np.full((256, 256, 3), 90, np.uint8)
    picture[60:62, 60:62] = 255
    assert 5 < (canny_edges(picture, smallest=1) > 0).sum() < 30
    assert not canny_edges(picture, smallest=30).any()


def _components(lines, connectivity):
    return cv2.connectedComponents(lines.astype(np.uint8), connectivity=connectivity)[0] - 1


def test_a_thick_ring_becomes_a_thin_ring():
    y, x = np.mgrid[:61, :61] - 30
    radius = np.hypot(y, x)
    ring = (radius > 15) & (radius < 23)
    lines = thin(ring)
    blocks = lines[1:, 1:] & lines[1:, :-1] & lines[:-1, 1:] & lines[:-1, :-1]
    assert not blocks.any() and not (lines & ~ring).any()
    assert _components(lines, 8) == 1 and _components(~lines, 4) == 2  # still closed: an inside and an outside
    assert 2 * np.pi * 15 * 0.7 < lines.sum() < 2 * np.pi * 23


def _blobs(generator):
    return cv2.GaussianBlur(generator.random((64, 64)).astype(np.float32), (0, 0), 2) > 0.52


def test_thinning_neither_breaks_nor_joins_nor_loses_anything():
    generator = np.random.default_rng(0)
    for lines in [_blobs(generator) for _ in range(20)] + [generator.random((40, 40)) < 0.5 for _ in range(20)]:
        thinned = thin(lines)
        assert not (thinned & ~lines).any()
        assert _components(thinned, 8) == _components(lines, 8)
        outside, outside_before = (~np.pad(each, 1) for each in (thinned, lines))
        assert _components(outside, 4) == _components(outside_before, 4)
        np.testing.assert_array_equal(thin(thinned), thinned)


def test_lines_two_pixels_wide_stay():
    diagonal = np.eye(20, dtype=bool) | np.eye(20, k=1, dtype=bool)
    assert thin(diagonal).sum() == 19
    assert thin(np.ones((2, 2), bool)).sum() == 2


def test_thinning_keeps_thin_lines_and_the_picture_s_edge():
    lines = np.zeros((20, 20), bool)
    lines[5], lines[:, 0] = True, True
    thinned = thin(lines)
    assert thinned[5, 2:-1].all() and thinned[8:18, 0].all()
    assert not thin(np.zeros((5, 5), bool)).any()


def test_a_sketch_is_above_the_level_thin_and_without_specks():
    likelihood = np.zeros((256, 256), np.float32)
    likelihood[10:13, 5:35] = 0.7  # a line
    likelihood[25:28, 5:35] = 0.55  # fainter than 0.6
    likelihood[35, 35:46] = 0.9  # a speck
    lines = sketch(likelihood)
    assert set(np.nonzero(lines)[0]) == {11} and set(np.unique(lines)) == {0, 255}
    assert (sketch(likelihood, level=0.5)[26] > 0).sum() > 20
    assert (sketch(likelihood, smallest=1)[35] > 0).any()


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


WEIGHTS, BIAS = (0.02, 0.03, 0.05), -0.5  # of B, G, R


def _onnx(sigmoid=True):
    """sigmoid(conv 1 x 1) of a picture of any size, or without the sigmoid."""

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


def _caffemodel():
    def blob(shape, values):
        dims = b"".join(_varint(d) for d in shape)
        return _field(7, _field(5, _floats(*values)) + _field(7, _field(1, dims)))

    layer = _field(1, "conv") + _field(2, "Convolution") + blob([1, 3, 1, 1], WEIGHTS) + blob([1], [BIAS])
    return _field(1, "tiny") + _field(100, layer)


@pytest.fixture
def networks(tmp_path):
    (tmp_path / "tiny.onnx").write_bytes(_onnx())
    (tmp_path / "tiny.prototxt").write_text(PROTOTXT)
    (tmp_path / "tiny.caffemodel").write_bytes(_caffemodel())
    return {"onnx": [tmp_path / "tiny.onnx"], "caffe": [tmp_path / "tiny.caffemodel", tmp_path / "tiny.prototxt"]}


@pytest.mark.parametrize("kind", ["onnx", "caffe"])
def test_hed_is_what_its_network_says(networks, kind):
    if kind == "caffe" and not hasattr(cv2.dnn, "readNetFromCaffe"):
        with pytest.raises(InputError, match="reads no Caffe networks"):
            HedDetector(networks[kind])
        pytest.skip(f"OpenCV {cv2.__version__} reads no Caffe networks, and says so")
    picture = np.random.default_rng(0).integers(0, 256, (20, 32, 3)).astype(np.uint8)
    likelihood = HedDetector(networks[kind])(picture)
    bgr = picture[..., ::-1] - np.array([104.00698793, 116.66876762, 122.67891434])
    np.testing.assert_allclose(likelihood, 1 / (1 + np.exp(-(bgr @ WEIGHTS + BIAS))), atol=1e-5)


def _stages():
    """A Caffe network with the paddings, poolings, enlargements and crops of HED that lets a grey picture through."""

    def blob(values):
        dims = b"".join(_varint(d) for d in values.shape)
        return _field(7, _field(5, _floats(*values.ravel())) + _field(7, _field(1, dims)))

    def layer(name, kind, bottoms, parameters=""):
        bottoms = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
        return f'layer {{ name: "{name}" type: "{kind}" {bottoms} top: "{name}" {parameters} }}'

    through = np.zeros((1, 3, 3, 3))
    through[0, :, 1, 1] = 1 / 3
    weights = _field(100, _field(1, "conv") + _field(2, "Convolution") + blob(through) + blob(np.zeros(1)))
    text = ['input: "data" input_dim: 1 input_dim: 3 input_dim: 500 input_dim: 500']
    text += [layer("conv", "Convolution", ["data"], "convolution_param { num_output: 1 kernel_size: 3 pad: 35 }")]
    below, sides = "conv", []
    for stage in range(1, 5):
        step, size, pooled = 2**stage, 2 ** (stage + 1), f"pool{stage}"
        tent = 1 - np.abs(np.arange(size) - (size - 1) / 2) / step
        weights += _field(
            100, _field(1, f"up{stage}") + _field(2, "Deconvolution") + blob(np.outer(tent, tent)[None, None])
        )
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
    picture = np.zeros((height, width, 3), np.uint8)
    empty = detector(picture)
    picture[height // 2 - 12 : height // 2 + 13, width // 2 - 12 : width // 2 + 13] = 255
    seen = detector(picture) - empty  # the output named "fuse": the five crops, added up
    assert seen.shape == (height, width) and seen.max() > 0.3
    y, x = np.mgrid[:height, :width]
    centre = (seen * y).sum() / seen.sum(), (seen * x).sum() / seen.sum()
    np.testing.assert_allclose(centre, (height // 2, width // 2), atol=0.3)


def test_large_pictures_are_shown_to_the_network_smaller(networks, monkeypatch):
    monkeypatch.setattr(edges, "HED_SIDE", 40)
    picture = np.zeros((100, 60, 3), np.uint8)
    picture[:, 30:] = 255
    detector = HedDetector(networks["onnx"])
    detector._net = _Spy(detector._net)
    likelihood = detector(picture)
    assert likelihood.shape == (100, 60) and likelihood[50, 0] < 0.01 and likelihood[50, 59] > 0.99
    assert detector._net.shapes == [(1, 3, 40, 24)]


class _Spy:
    def __init__(self, net):
        self._net, self.shapes = net, []

    def setInput(self, blob):
        self.shapes.append(blob.shape)
        self._net.setInput(blob)

    def forward(self, name):
        return self._net.forward(name)


def test_a_network_without_its_sigmoid_is_refused(tmp_path):
    (tmp_path / "tiny.onnx").write_bytes(_onnx(sigmoid=False))
    with pytest.raises(InputError, match="in 0 .. 1, not .* is its last sigmoid missing?"):
        HedDetector([tmp_path / "tiny.onnx"])(_square())


def test_strange_networks_are_sentences(tmp_path, networks):
    with pytest.raises(InputError, match="none.onnx does not exist"):
        HedDetector([tmp_path / "none.onnx"])
    with pytest.raises(InputError, match="a .prototxt and a .caffemodel, not .*tiny.prototxt"):
        HedDetector([tmp_path / "tiny.prototxt"])
    (tmp_path / "tiny.onnx").write_bytes(b"no network")
    with pytest.raises(InputError, match="OpenCV cannot read the network"):
        HedDetector([tmp_path / "tiny.onnx"])


def _bar():
    picture = np.full((64, 64, 3), 40, np.uint8)
    picture[8:56, 28:36] = 200
    return picture


def _folder(tmp_path):
    for name in ("a", "sub/b", "sub/c_edge"):
        write_png(tmp_path / "photos" / f"{name}.png", _bar())
    return tmp_path / "photos"


def test_the_command_writes_what_is_missing(tmp_path, networks, capsys):
    folder = _folder(tmp_path)
    assert main(["--images", str(folder)]) == 0
    assert "3 sketches written, 0 kept" in capsys.readouterr().out
    np.testing.assert_array_equal(read_mask(folder / "sub" / "b_edge.png"), canny_edges(_bar()))
    assert (folder / "sub" / "c_edge_edge.png").exists()  # there is no c: it is a picture

    (folder / "a_edge.png").unlink()
    write_png(folder / "sub" / "b_edge.png", np.zeros((64, 64), np.uint8))
    assert main(["--images", str(folder)]) == 0
    assert "1 sketches written, 2 kept" in capsys.readouterr().out
    assert not read_mask(folder / "sub" / "b_edge.png").any()
    model = [str(file) for file in networks["onnx"]]
    assert main(["--images", str(folder), "--force", "--method", "hed", "--model", *model, "--level", "0.9"]) == 0
    assert read_mask(folder / "sub" / "b_edge.png").any()


def test_a_broken_picture_is_named_and_the_rest_is_done(tmp_path, capsys):
    folder = _folder(tmp_path)
    (folder / "broken.png").write_text("text")
    assert main(["--images", str(folder)]) == 1
    captured = capsys.readouterr()
    assert "broken.png is not a picture" in captured.err and "3 sketches written, 0 kept, 1 pictures" in captured.out


def test_sketches_go_into_another_folder_laid_out_alike(tmp_path, capsys):
    folder, output = _folder(tmp_path), tmp_path / "lines"
    assert main(["--images", str(folder), "--output", str(output)]) == 0
    assert sorted(path.relative_to(output).as_posix() for path in output.rglob("*.png")) == [
        "a_edge.png",
        "sub/b_edge.png",
        "sub/c_edge_edge.png",
    ]
    assert not (folder / "a_edge.png").exists()
    assert main(["--images", str(folder), "--output", str(output)]) == 0
    assert "0 sketches written, 3 kept" in capsys.readouterr().out
    pictures, sketches = split_edges(list_files(str(folder)), str(folder), str(output))
    assert [sketches[picture] for picture in pictures] == [
        str(output / name) for name in ("a_edge.png", "sub/b_edge.png", "sub/c_edge_edge.png")
    ]


def test_two_pictures_with_one_sketch_are_refused(tmp_path):
    folder = _folder(tmp_path)
    write_png(folder / "x.png", _bar())
    (folder / "x.png").rename(folder / "a.jpg")
    with pytest.raises(InputError, match="a.jpg and .*a.png would have the same sketch, .*a_edge.png: rename one"):
        main(["--images", str(folder)])


def _run(*arguments):
    return subprocess.run([sys.executable, "-m", "tf_inpaint.edges", *arguments], capture_output=True, text=True)


def test_the_command_from_a_shell(tmp_path):
    folder = _folder(tmp_path)
    done = _run("--images", str(folder), "--fraction", "0.05")
    assert (done.returncode, done.stderr) == (0, "") and "3 sketches written, 0 kept, 0 pictures" in done.stdout
    assert (folder / "sub" / "b_edge.png").exists()
    done = _run("--images", str(tmp_path), "--method", "hed")
    assert done.returncode == 2 and done.stderr.startswith("error: --method hed needs --model")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--model", "x.onnx"], "--model is not for --method canny"),
        (["--level", "0"], "--level is not for --method canny"),
        (["--method", "hed", "--model", "x.onnx", "--fraction", "0.1"], "--fraction is not for --method hed"),
        (["--method", "hed", "--model", "x.onnx", "--level", "1.5"], "--level must be above 0 and below 1, not 1.5"),
        (["--smoothing", "nan"], "--smoothing must be above 0 and below 100, not nan"),
        (["--smallest", "-1"], "--smallest must be at least 0, not -1"),
    ],
)
def test_wrong_options(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        main(["--images", str(tmp_path), *arguments])
    assert caught.value.code == 2 and message in capsys.readouterr().err


def test_sketches_of_a_folder_apart_may_have_their_pictures_names(tmp_path):
    folder, apart = _folder(tmp_path), tmp_path / "lines"
    write_png(apart / "a.png", np.zeros((64, 64), np.uint8))
    files = list_files(str(folder))
    assert split_edges(files, str(folder), str(apart))[1] == {files[0]: str(apart / "a.png")}
    assert split_edges(files, str(folder), str(folder))[1] == {}  # a picture is not its own sketch


def test_the_root_of_a_source(tmp_path):
    folder = _folder(tmp_path)
    files = list_files(str(folder))
    assert source_root(str(folder), files) == str(folder)
    assert source_root(str(folder / "sub" / "*.png"), files[1:]) == str(folder / "sub")
    assert source_root([str(folder / "sub"), files[0]], files) == str(folder)


def test_sketches_are_told_from_pictures(tmp_path):
    names = ["a.jpg", "a_edge.jpg", "a_edge.png", "b.png", "c_edge.png", "d_edge.png", "d_edge_edge.png"]
    for name in names:
        (tmp_path / name).touch()
    files = [str(tmp_path / name) for name in names]
    pictures, sketches = split_edges(files)
    assert pictures == [files[0], files[3], files[4], files[5]]
    assert sketches == {files[0]: files[2], files[5]: files[6]}
    assert split_edges(files[:1]) == (files[:1], {files[0]: files[2]})  # found though not listed
