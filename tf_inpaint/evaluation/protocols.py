"""Named protocols: what is done to an image before it is completed, and which mask it gets.

A protocol fixes image size, how images are fitted to it, and the masks; whoever names one, and the SHA-256 of the
masks, has said it all. Nothing here needs TensorFlow, and everything is integer arithmetic but the scaling of images,
which is Pillow's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Iterable, Sequence

import numpy as np
from PIL import Image

from tf_inpaint.errors import InputError
from tf_inpaint.evaluation.drawing import DRAWINGS, Draws
from tf_inpaint.evaluation.named_files import NamedFiles
from tf_inpaint.io.holes import read_holes
from tf_inpaint.io.listing import list_files, source_root
from tf_inpaint.ops.levels import MASK_THRESHOLD

LEAST_SIZE, GREATEST_SIZE = 16, 4096
FITS = {
    "crop": "the largest square in the middle, scaled (Pillow, bicubic, antialiased)",
    "stretch": "the whole picture, squashed to a square (Pillow, bicubic, antialiased)",
}


@dataclass(frozen=True)
class Protocol:
    """How images become tasks.

    Attributes:
        name: what people quote.
        holes: a sentence about the holes.
        drawing: key of `drawing.DRAWINGS`, or "files".
        fit: key of `FITS`.
        size: side of the square images.
        seed: an integer; another one draws other masks.
    """

    name: str
    holes: str
    drawing: str
    fit: str = "crop"
    size: int = 256
    seed: int = 0

    @property
    def from_files(self) -> bool:
        """Whether its masks are files; the others draw theirs."""
        return self.drawing == "files"

    def masks_sha256(self, count: int) -> str:
        """SHA-256 of the masks of the first `count` images; for protocols that draw."""
        return set_digest(mask_digest(self.draw(index)) for index in range(count))

    def draw(self, index: int) -> np.ndarray:
        """The mask of image `index`: bool [size, size], True = hole; for protocols that draw."""
        return DRAWINGS[self.drawing](Draws(self.seed, index), self.size, index)


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("deepfill_v1_rect", "a square of half the side (128 of 256), anywhere", "rectangle"),
        Protocol("deepfill_v2_freeform", "1 to 3 free-form strokes of a brush 12 to 39 wide (at 256)", "strokes"),
        Protocol("centre", "a square of half the side (128 of 256) in the middle", "centre"),
        Protocol("small_centre", "a square of a quarter of the side (64 of 256) in the middle", "small_centre"),
        Protocol("pennet", "a square of half the side (128 of 256) in the middle", "centre", fit="stretch"),
        Protocol(
            "nvidia_ratio_bins",
            "free-form, covering 1-10, 10-20, 20-30, 30-40, 40-50 and 50-60 % by turns, so equally often",
            "ratio_bin",
        ),
        *(
            Protocol(
                f"lama_{kind}_{size}",
                f"LaMa's {kind} test masks for {size} pixels: strokes{' or boxes' * (kind != 'thin')}, up to 50 %",
                f"lama_{kind}_{size}",
                size=size,
            )
            for size in (256, 512)
            for kind in ("thin", "medium", "thick")
        ),
        Protocol("outpaint", "all but a square of three quarters of the side in the middle", "around_centre"),
        Protocol("from_files", "mask files, by the pictures' names or by turns", "files"),
    )
}


def choose(name: str, size: int | None = None, seed: int | None = None) -> Protocol:
    """A protocol by name, at another size or with another seed where given.

    Raises:
        InputError: if there is no such protocol, or the size is out of range.
    """
    if name not in PROTOCOLS:
        raise InputError(f"there is no protocol {name}: choose from {', '.join(PROTOCOLS)}")
    protocol = PROTOCOLS[name]
    size = protocol.size if size is None else size
    if not LEAST_SIZE <= size <= GREATEST_SIZE:
        raise InputError(f"the size must be {LEAST_SIZE} to {GREATEST_SIZE}, not {size}")
    return replace(protocol, size=size, seed=protocol.seed if seed is None else seed)


def fit_image(image: np.ndarray, protocol: Protocol) -> np.ndarray:
    """An image uint8 [H, W, 3] as the protocol has it: uint8 [size, size, 3]."""
    rows, columns = _kept(image.shape, protocol)
    cut = np.ascontiguousarray(image[rows, columns])
    if cut.shape[:2] == (protocol.size,) * 2:
        return cut
    return np.asarray(Image.fromarray(cut).resize((protocol.size,) * 2, Image.BICUBIC))


def fit_mask(mask: np.ndarray, protocol: Protocol, as_image: bool) -> np.ndarray:
    """A mask [H, W] as the protocol has it, its nearest pixels taken: [size, size].

    Args:
        as_image: cut it as its image is cut; otherwise it is stretched.
    """
    if as_image:
        mask = mask[_kept(mask.shape, protocol)]
    rows, columns = ((2 * np.arange(protocol.size) + 1) * side // (2 * protocol.size) for side in mask.shape)
    return mask[rows[:, np.newaxis], columns]


def _kept(shape, protocol):
    """Rows and columns that stay."""
    height, width = shape[:2]
    if protocol.fit == "stretch":
        return slice(0, height), slice(0, width)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return slice(top, top + side), slice(left, left + side)


class Masks:
    """Where the masks of images come from: drawn by the protocol, or files.

    Of files each image gets that of its name where names match, otherwise one after the other, from the first again.

    Args:
        names: of the images, with endings.
        source: of files, what `list_files` takes.
        invert: holes are black.
        mask_from: what of files is the hole, see `io.holes.read_holes`.
    Attributes:
        origin: a line for people.
        identity: what changes when the masks do.
    Raises:
        InputError: if there are files where the protocol draws, or none where it needs them.
    """

    def __init__(
        self, protocol: Protocol, names: Sequence[str], source=None, invert: bool = False, mask_from: str = "auto"
    ):
        self._protocol, self._invert, self._mask_from = protocol, invert, mask_from
        if not protocol.from_files:
            if source is not None or invert or mask_from != "auto":
                raise InputError(f"the protocol {protocol.name} draws its holes: masks are for the protocol from_files")
            self.origin = self.identity = f"drawn, seed {protocol.seed}"
            return
        if source is None:
            raise InputError("the protocol from_files needs masks")
        files = list_files(source)
        self._files = NamedFiles(files, source_root(source, files))
        matched = self._files.count(names)
        self._by_name = matched > 0
        how = f"by name ({matched} of {len(names)} pictures have one)" if self._by_name else "by turns"
        told = ", black = hole" * invert + f", {mask_from} = hole" * (mask_from != "auto")
        self.origin = f"{len(files)} files, {how}{told}"
        self.identity = f"{self.origin} {self._files.digest}"

    def mask(self, index: int, name: str, shape) -> np.ndarray:
        """The mask of an image of `shape` (height, width, ...): bool [size, size].

        Raises:
            InputError: if there is none, or it cannot be used.
        """
        if not self._protocol.from_files:
            return self._protocol.draw(index)
        file = self._files.of(name) if self._by_name else self._files.files[index % len(self._files.files)]
        if file is None:
            raise InputError("no mask file has its name")
        levels = np.where(read_holes(file, self._mask_from).marked, np.uint8(255), np.uint8(0))
        if self._by_name and levels.shape not in (tuple(shape[:2]), (self._protocol.size,) * 2):
            has, needs = (f"{width} x {height}" for height, width in (levels.shape, shape[:2]))
            raise InputError(f"the mask {file} has {has} pixels, but the image has {needs}")
        mask = (fit_mask(levels, self._protocol, as_image=self._by_name) > MASK_THRESHOLD) != self._invert
        if mask.all() or not mask.any():
            raise InputError(f"the mask {file} is all {'hole' if mask.all() else 'known'} at this size")
        return mask


def mask_digest(mask: np.ndarray) -> str:
    """SHA-256 of a mask bool [H, W]: its bits row by row, 8 to a byte, the first the highest, zeros at the end."""
    return hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()


def set_digest(digests: Iterable[str]) -> str:
    """SHA-256 of a set: of the digests of its members in order, as hexadecimal text, a line for each."""
    whole = hashlib.sha256()
    for digest in digests:
        whole.update(f"{digest}\n".encode())
    return whole.hexdigest()
