"""Sketches from photographs: white lines on black, thin, where a hand would draw them.

Canny's edges need nothing but OpenCV. Holistically-nested edges (HED), which the paper takes for natural scenes, need
its network, which users bring along: `deploy.prototxt` and `hed_pretrained_bsds.caffemodel` of the authors (Xie and Tu
2015, repository s9xie/hed), or any ONNX file of one output with values in 0 .. 1.

    python -m tf_inpaint.edges --images photos                  # photos/a.jpg -> photos/a_edge.png
    python -m tf_inpaint.edges --images photos --output lines   # photos/a.jpg -> lines/a_edge.png

Lengths in pixels are for pictures of 256 pixels on their shorter side, and grow with it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence

import cv2
import numpy as np

from tf_inpaint import cli
from tf_inpaint.errors import InputError, one_line
from tf_inpaint.io.images import read_image, write_png
from tf_inpaint.io.listing import EDGES_SUFFIX, list_files, source_root, split_edges
from tf_inpaint.ops.levels import EDGE_THRESHOLD

LINE_LEVEL = EDGE_THRESHOLD / 255  # brighter is a line
FRACTION = 0.08  # of a picture, its steepest pixels, where Canny's lines may begin
SMOOTHING = 2.0  # pixels
SMALLEST = 12  # pixels
HED_SIDE = 1024  # pixels: its network's first two layers alone take half a gigabyte for a picture of this side

_REFERENCE_SIDE = 256
_REACH = 40  # pixels to every side, with whose steepness that of a pixel is compared
_LEAST_CONTRAST = 8.0  # levels; fainter steps are noise
_HED_MEAN = (104.00698793, 116.66876762, 122.67891434)  # BGR, of the network's training pictures


def canny_edges(rgb, fraction=FRACTION, smoothing=SMOOTHING, smallest=SMALLEST):
    """Canny's edges, relative to the picture, so that dark and faint ones have lines too.

    Steepness is divided by the root of what is usual around, or a face before a bright window would have a contour but
    no eyes. A line begins among the pixels that are steepest then, and goes on at 0.4 of that.

    Args:
        rgb: uint8 [H, W, 3].
        fraction: in (0, 1), of the pixels, that count as steepest.
        smoothing: > 0, deviation of the blur; more leaves only what is large.
        smallest: lines of fewer pixels are left out.
    Returns:
        edges: uint8 [H, W], 255 on lines, which are one pixel wide, 0 elsewhere.
    Reference: Canny 1986, by OpenCV.
    """
    scale = _scale(rgb)
    deviation = max(smoothing * scale, 0.7)
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY).astype(np.float32)
    blurred = cv2.GaussianBlur(grey, (0, 0), deviation)
    slopes = [cv2.Sobel(blurred, cv2.CV_32F, *order, borderType=cv2.BORDER_REPLICATE) for order in ((1, 0), (0, 1))]
    steepness = np.hypot(*slopes)
    # A step of c levels has the slope c / (sqrt(2 pi) deviation) after the blur; Sobel's weights add up to 8.
    least = 8 * _LEAST_CONTRAST / (np.sqrt(2 * np.pi) * deviation)
    usual = np.sqrt(cv2.blur(steepness**2, (2 * round(_REACH * scale) + 1,) * 2) + least**2)
    relative = np.where(steepness < least, np.float32(0), usual**-0.5)
    steepness *= relative
    # OpenCV takes whole numbers, here as large as they can be, lest a broad blur leave only a few different ones.
    unit = (steepness.max() or 1.0) / np.iinfo(np.int16).max
    across, down = ((slope * relative / unit).astype(np.int16) for slope in slopes)
    high = np.quantile(steepness, 1.0 - fraction) / unit
    edges = cv2.Canny(across, down, 0.4 * high, high, L2gradient=True)
    return _without_specks(edges, round(smallest * scale))


class HedDetector:
    """Holistically-nested edges by a network that the user provides.

    Args:
        files: [ONNX file], or [prototxt, caffemodel] in either order.
    Call:
        rgb: uint8 [H, W, 3].
        returns: float32 [H, W] in [0, 1], how likely each pixel is an edge; lines are several pixels wide (see `thin`).
    Raises:
        InputError: if the files are missing or no network that OpenCV reads.
    Reference: Xie and Tu 2015.
    Deviations: pictures of a side above `HED_SIDE` are shown to the network at that size. Tested with small networks of
        both formats made for the tests, not with the authors' weights.
    """

    def __init__(self, files: Sequence[str]):
        files = [os.fspath(file) for file in files]
        for file in files:
            if not os.path.isfile(file):
                raise InputError(f"the network {file} does not exist")
        endings = sorted(os.path.splitext(file)[1].lower() for file in files)
        self._step, self._rest = (16, 12) if ".prototxt" in endings else (1, 0)  # of its sides, see `_Crop`
        try:
            if endings == [".onnx"]:
                self._net = cv2.dnn.readNetFromONNX(files[0])
            elif endings == [".caffemodel", ".prototxt"]:
                self._net = _read_caffe(*sorted(files, key=lambda file: not file.lower().endswith(".prototxt")))
            else:
                raise InputError(f"a network is an .onnx file, or a .prototxt and a .caffemodel, not {' '.join(files)}")
        except cv2.error as error:
            raise InputError(f"OpenCV cannot read the network {' '.join(files)}: {one_line(error)[-200:]}") from error
        names = self._net.getUnconnectedOutLayersNames()  # the authors' has five side outputs besides
        self._output = next((name for name in names if "fuse" in name), names[-1])

    def __call__(self, rgb):
        height, width = rgb.shape[:2]
        shrink = min(1.0, HED_SIDE / max(height, width))
        seen = cv2.resize(rgb, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1.0 else rgb
        rows, columns = seen.shape[:2]
        below, right = ((self._rest - side) % self._step for side in (rows, columns))
        padded = cv2.copyMakeBorder(seen, 0, below, 0, right, cv2.BORDER_REPLICATE)
        blob = cv2.dnn.blobFromImage(padded[..., ::-1].astype(np.float32), mean=_HED_MEAN)
        try:
            self._net.setInput(blob)
            output = self._net.forward(self._output)
        except cv2.error as error:
            raise InputError(f"the network fails at {columns} x {rows} pixels: {one_line(error)[-200:]}") from error
        if output.shape != (1, 1, *padded.shape[:2]):
            raise InputError(
                f"the network must make one map of edges, of its input's size, and it makes {list(output.shape)} of "
                f"{padded.shape[0]} x {padded.shape[1]}"
            )
        output = output[0, 0, :rows, :columns]
        if not (-0.01 <= output.min() and output.max() <= 1.01):  # so are NaN refused
            raise InputError(
                f"the network must say how likely edges are, in 0 .. 1, not {output.min():.3g} .. {output.max():.3g}: "
                "is its last sigmoid missing?"
            )
        return np.clip(cv2.resize(output, (width, height)) if shrink < 1.0 else output, 0.0, 1.0)


def sketch(likelihood, level=LINE_LEVEL, smallest=SMALLEST):
    """Lines one pixel wide from a map of likely edges.

    Args:
        likelihood: float [H, W] in [0, 1].
        level: what is above becomes a line (0.6 in the paper).
        smallest: lines of fewer pixels are left out.
    Returns:
        edges: uint8 [H, W], 255 on lines.
    Deviations: the paper only thresholds; lines are thinned here, since users draw thin ones.
    """
    lines = np.where(thin(likelihood > level), np.uint8(255), np.uint8(0))
    return _without_specks(lines, round(smallest * _scale(likelihood)))


def thin(lines):
    """Wears lines away from their four sides by turns until they are one pixel wide.

    What hangs together (also over corners) still does, holes stay holes, nothing vanishes.

    Args:
        lines: bool [H, W].
    Returns:
        bool [H, W].
    Reference: Rosenfeld 1975, "A characterization of parallel thinning algorithms". The better known one of Zhang and
        Suen loses diagonals and blocks two pixels wide.
    """
    padded = np.pad(lines, 1).astype(np.uint8)
    height, width = lines.shape
    inner, *around = (padded[1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in ((0, 0), *_AROUND))
    changed = True
    while changed:
        changed = False
        for side in (0, 4, 2, 6):  # north, south, east, west
            border = np.nonzero(inner > around[side])
            neighbours = sum(each[border] << bit for bit, each in enumerate(around))
            worn = tuple(index[_SPARE[neighbours]] for index in border)
            inner[worn] = 0
            changed = changed or worn[0].size > 0
    return inner.astype(bool)


# (y, x) from the north clockwise: bits 0 .. 7 of a neighbourhood.
_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def _spare():
    """bool [256]: the neighbourhoods without whose middle all neighbours still hang together, but for ends of lines."""
    bits = (np.arange(256)[:, np.newaxis] >> np.arange(8)) & 1
    empty = 1 - bits
    groups = sum(empty[:, i] * (1 - empty[:, i + 1] * empty[:, (i + 2) % 8]) for i in (0, 2, 4, 6))  # Yokoi's number
    return (groups == 1) & (bits.sum(axis=1) > 1)


_SPARE = _spare()


def _without_specks(lines, smallest):
    """uint8 [H, W] of 0 and 255 without connected lines of fewer pixels."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    keep = statistics[:, cv2.CC_STAT_AREA] >= smallest
    return np.where(keep[labels], lines, np.uint8(0))


def _scale(picture):
    return min(picture.shape[:2]) / _REFERENCE_SIDE


def main(argv: Sequence[str]) -> int:
    """The command: a sketch for each picture that has none; returns the exit code."""
    arguments = _parse(argv)
    files = list_files(arguments.images)
    root = source_root(arguments.images, files) if arguments.output else ""
    pictures, sketches = split_edges(files, root, arguments.output)
    targets = _targets(pictures, root, arguments.output)
    todo = [picture for picture in pictures if arguments.force or picture not in sketches]
    draw = _drawer(arguments)
    broken = 0
    for number, picture in enumerate(todo, 1):
        try:
            rgb = read_image(picture).rgb
        except InputError as error:
            broken += 1
            cli.warn(str(error))
        else:
            write_png(targets[picture], draw(rgb))
        if number % 100 == 0:
            print(f"{number} of {len(todo)}", flush=True)
    kept = len(pictures) - len(todo)
    print(f"{len(todo) - broken} sketches written, {kept} kept, {broken} pictures could not be read")
    return cli.SOME_FAILED if broken else cli.DONE


def _parse(argv):
    parser = cli.Parser(
        prog="python -m tf_inpaint.edges",
        description="Write x_edge.png, a sketch, for each picture x. Lengths are for pictures of 256 x 256.",
        renamed={"--share": "--fraction"},
    )
    add = parser.add_argument
    add("--images", required=True, help="a folder (with those in it), a glob, a list, or a picture")
    add("--output", default="", help="folder for the sketches, laid out as that of the pictures (default: beside them)")
    add("--method", choices=("canny", "hed"), default="canny", help="hed needs --model (default: canny)")
    add("--model", nargs="+", default=[], metavar="FILE", help="an .onnx, or the .prototxt and .caffemodel of HED")
    add("--fraction", type=float, help=f"canny: fraction of pixels where lines may begin (default: {FRACTION})")
    add("--smoothing", type=float, help=f"canny: blur in pixels before; more leaves less (default: {SMOOTHING})")
    add("--level", type=float, help=f"hed: what is above becomes a line, in 0 .. 1 (default: {LINE_LEVEL})")
    add("--smallest", type=float, default=SMALLEST, help=f"leave out lines of fewer pixels (default: {SMALLEST})")
    add("--force", action="store_true", help="write again what is there already")
    arguments = parser.parse_args(argv)
    if arguments.method == "hed" and not arguments.model:
        parser.error("--method hed needs --model, the files of its network")
    strangers = ("fraction", "smoothing") if arguments.method == "hed" else ("model", "level")
    for name in strangers:
        if getattr(arguments, name) not in (None, []):
            parser.error(f"--{name} is not for --method {arguments.method}")
    limits = (("fraction", FRACTION, 1.0), ("level", LINE_LEVEL, 1.0), ("smoothing", SMOOTHING, 100.0))
    for name, default, most in limits:
        value = default if getattr(arguments, name) is None else getattr(arguments, name)
        if not 0.0 < value < most:
            parser.error(f"--{name} must be above 0 and below {most:g}, not {value:g}")
        setattr(arguments, name, value)
    if not 0.0 <= arguments.smallest < float("inf"):
        parser.error(f"--smallest must be at least 0, not {arguments.smallest:g}")
    return arguments


def _targets(pictures, root, output):
    """{picture: where its sketch goes}; refuses two pictures with one sketch."""
    owners = {}
    for picture in pictures:
        place = os.path.join(output, os.path.relpath(picture, root)) if output else picture
        target = f"{os.path.splitext(place)[0]}{EDGES_SUFFIX}.png"
        other = owners.setdefault(target, picture)
        if other is not picture:
            raise InputError(f"{other} and {picture} would have the same sketch, {target}: rename one of them")
    return {picture: target for target, picture in owners.items()}


def _drawer(arguments):
    """The function from a picture to its sketch."""
    if arguments.method == "canny":
        return lambda rgb: canny_edges(rgb, arguments.fraction, arguments.smoothing, arguments.smallest)
    detector = HedDetector(arguments.model)
    return lambda rgb: sketch(detector(rgb), arguments.level, arguments.smallest)


def _read_caffe(prototxt, caffemodel):
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        raise InputError(
            f"OpenCV {cv2.__version__} reads no Caffe networks any more: take OpenCV 4, or an .onnx file of the network"
        )
    _register_crop()
    return cv2.dnn.readNetFromCaffe(prototxt, caffemodel)


@functools.lru_cache(maxsize=None)
def _register_crop():
    """Once a process: OpenCV aborts it at the second time."""
    cv2.dnn_registerLayer("Crop", _Crop)


class _Crop:
    """HED's crop of its enlarged maps to the size of a second input, about the middle; OpenCV's own takes a corner.

    HED adds 68 pixels to a side, halves it up to four times, rounding up, and enlarges it again. Where nothing is
    rounded, which is for sides of 12, 28, 44 ..., the middle is the place; elsewhere the coarse maps would be up to
    6 pixels off.
    """

    def __init__(self, parameters, blobs):
        self._top = self._left = self._height = self._width = 0

    def getMemoryShapes(self, inputs):
        (batch, channels, height, width), (_, _, self._height, self._width) = inputs
        self._top, self._left = (height - self._height) // 2, (width - self._width) // 2
        return [[batch, channels, self._height, self._width]]

    def forward(self, inputs):
        rows = slice(self._top, self._top + self._height)
        return [inputs[0][:, :, rows, self._left : self._left + self._width]]


if __name__ == "__main__":
    cli.run(main)
